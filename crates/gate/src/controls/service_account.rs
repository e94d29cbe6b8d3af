//! `service-account`: who may run an image, and whether that ServiceAccount's token lies in the Pod.

use assay_case::{ImageUse, Target};
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters};
use crate::evidence::Prefix;
use crate::pod::{NoPod, Pod, boolean};
use crate::report::{Report, Said};

/// The ServiceAccount of a Pod that names none (Kubernetes, "Configure Service Accounts for Pods").
const DEFAULT: &str = "default";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    allowed: Vec<Row>,
    token: Token,
}

/// Who may run what lies below these repositories.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    repositories: Vec<String>,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default)]
    service_accounts: Vec<String>,
}

/// Which Pods may hold the token of their ServiceAccount.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Token {
    /// Those with a ServiceAccount of their own.
    #[default]
    Own,
    /// None.
    Never,
    /// All.
    Always,
}

struct Rule {
    repositories: Vec<Prefix>,
    namespaces: Vec<String>,
    accounts: Vec<String>,
}

impl Rule {
    fn allows(&self, namespace: &str, account: &str) -> bool {
        let holds = |list: &[String], name: &str| list.is_empty() || list.iter().any(|own| own == name);
        holds(&self.namespaces, namespace) && holds(&self.accounts, account)
    }
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    let rules = wanted.allowed.into_iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    Ok(Control::workload(move |context, report| {
        let request = &context.case().request;
        let pod = match Pod::of(request) {
            Ok(pod) => pod,
            Err(NoPod::Absent) => return report.skip("there is no Pod in this request"),
            Err(NoPod::Malformed(why)) => return report.error(why),
        };
        let account = request.service_account.as_deref().filter(|name| !name.is_empty()).unwrap_or(DEFAULT);
        let before = report.drafts.len();
        token(&pod, account, wanted.token, report);
        for image in &request.images {
            runs(image, &request.namespace.name, account, &rules, report);
        }
        if report.drafts.len() == before {
            report.pass(format!("runs as {account}"));
        }
    }))
}

fn rule(row: Row) -> Result<Rule, ParameterError> {
    let prefix = |text: &String| {
        Prefix::parse(text).ok_or_else(|| ParameterError(format!("allowed: `{text}` is not a repository prefix")))
    };
    let repositories = row.repositories.iter().map(prefix).collect::<Result<Vec<_>, _>>()?;
    if repositories.is_empty() {
        return Err(ParameterError("allowed: a row names no repositories".to_owned()));
    }
    Ok(Rule { repositories, namespaces: row.namespaces, accounts: row.service_accounts })
}

/// Whether the token of the account is in the Pod. A Pod that does not say counts as one that has it: the account may say
/// otherwise, and may be changed without anybody asking here.
fn token(pod: &Pod<'_>, account: &str, wanted: Token, report: &mut Report<'_>) {
    const FIELD: &str = "automountServiceAccountToken";
    let target = || Target { field: pod.field(FIELD), ..Target::default() };
    let mounted = match boolean(pod.spec.get(FIELD)) {
        Ok(value) => value.unwrap_or(true),
        Err(kind) => return report.error(Said::from(format!("{FIELD} is {kind}, not a boolean")).target(target())),
    };
    let why = match wanted {
        Token::Never if mounted => format!("holds the token of ServiceAccount {account}"),
        Token::Own if mounted && account == DEFAULT => {
            "holds the token of the default ServiceAccount, which all Pods of the namespace share".to_owned()
        }
        Token::Never | Token::Own | Token::Always => return,
    };
    let fix = "set automountServiceAccountToken: false, or give the workload a ServiceAccount of its own";
    report.fail(Said::from(why).fix(fix).target(target()));
}

/// Whether an image may run here by this account. One that no row names may be run by anybody.
fn runs(image: &ImageUse, namespace: &str, account: &str, rules: &[Rule], report: &mut Report<'_>) {
    let target = || Target {
        role: Some(image.role),
        name: image.name.clone(),
        image: image.written.clone(),
        field: image.field.clone(),
        ..Target::default()
    };
    let repository = match &image.reference {
        Ok(reference) => reference.repository(),
        // Whose image that is nobody can tell.
        Err(_) if rules.is_empty() => return,
        Err(error) => {
            let why = format!("the image reference cannot be read: {error}");
            return report.error(Said::from(why).target(target()));
        }
    };
    let mut named =
        rules.iter().filter(|rule| rule.repositories.iter().any(|prefix| prefix.holds(repository))).peekable();
    if named.peek().is_some() && !named.any(|rule| rule.allows(namespace, account)) {
        let why = format!("ServiceAccount {account} of {namespace} may not run {repository}");
        let fix = "run it where and as whom controls.service-account.allowed says, or add a row there";
        report.fail(Said::from(why).fix(fix).target(target()));
    }
}
