//! `approved-base-image`: the lowest layers are those of an approved base image that is not retired.

use assay_model::{BaseEvidence, Contents, Digest};
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::evidence::Prefix;
use crate::report::{Context, Report, Said};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    bases: Vec<Base>,
    accept_stated: bool,
}

/// A base image that somebody has looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Base {
    name: String,
    /// The chain ID of all its layers: it cannot be borrowed by a label, since it follows from the bytes.
    chain: Digest,
    /// Why nothing may be built on it any more.
    #[serde(default)]
    retired: Option<String>,
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    if let Some(base) = wanted.bases.iter().find(|base| base.name.trim().is_empty()) {
        return Err(ParameterError(format!("bases: the one with the chain {} has no name", base.chain)));
    }
    Ok(Control::subject(Reads::Contents, move |context, facts, report| {
        let environment = &context.environment.name;
        if wanted.bases.is_empty() && context.environment.base_images.is_empty() {
            return report.skip(format!("{environment} names no base images"));
        }
        match facts.contents.get() {
            Ok(contents) => wanted.judge(contents, context, report),
            Err(cause) => report.unknown("what it was built on", cause),
        }
    }))
}

impl Wanted {
    fn judge(&self, contents: &Contents, context: &Context<'_>, report: &mut Report<'_>) {
        let chains = contents.chain_ids();
        if chains.is_empty() {
            return report.error("its layers are not known, and so not what it was built on");
        }
        let layers_of = |base: &Base| chains.iter().position(|chain| *chain == base.chain).map(|at| at + 1);
        let found: Vec<(usize, &Base)> = self.bases.iter().filter_map(|base| Some((layers_of(base)?, base))).collect();
        // A base that was built on a retired one holds all of it.
        if let Some((base, why)) = found.iter().find_map(|(_, base)| Some((base, base.retired.as_ref()?))) {
            let why = format!("built on {}, which is retired: {why}", base.name);
            return report.fail(Said::from(why).fix("rebuild it on a base image that is approved today"));
        }
        if let Some((layers, base)) = found.iter().max_by_key(|(layers, _)| *layers) {
            return report.pass(format!("built on {}, by its lowest {layers} of {} layers", base.name, chains.len()));
        }
        let stated = contents.base.as_ref().and_then(|base| base.name.as_deref());
        if self.accept_stated && stated.is_some_and(|name| is_below(name, &context.environment.base_images)) {
            let name = stated.unwrap_or_default();
            return report.pass(format!("says that it was built on {name}, which {} takes", context.environment.name));
        }
        let hint = match (&contents.base, stated) {
            (Some(base), Some(name)) if base.evidence == BaseEvidence::Stated => format!("; it only says so of {name}"),
            (_, Some(name)) => format!("; they are those of {name}, which is not approved"),
            (_, None) => String::new(),
        };
        let why = format!("its lowest layers are those of no approved base image{hint}");
        report
            .fail(Said::from(why).fix("build it on an approved base image (assay policy explain approved-base-image)"));
    }
}

/// Whether a name as an annotation gives it lies below one of the prefixes.
fn is_below(name: &str, prefixes: &[Prefix]) -> bool {
    let reference = name.parse::<assay_model::Reference>();
    reference.is_ok_and(|reference| prefixes.iter().any(|prefix| prefix.holds(reference.repository())))
}
