//! `run-as-non-root`: no container runs as root, by its own word or its Pod's.

use assay_case::{Node, Target};
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters};
use crate::pod::{Container, NoPod, Pod, boolean};
use crate::report::{Report, Said};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    restricted: bool,
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let Wanted { restricted } = parameters.read()?;
    Ok(Control::workload(move |context, report| {
        let pod = match Pod::of(&context.case().request) {
            Ok(pod) => pod,
            Err(NoPod::Absent) => return report.skip("there is no Pod in this request"),
            Err(NoPod::Malformed(why)) => return report.error(why),
        };
        let containers = match pod.containers() {
            Ok(containers) => containers,
            Err(NoPod::Absent) => return report.skip("there is no Pod in this request"),
            Err(NoPod::Malformed(why)) => return report.error(why),
        };
        let before = report.drafts.len();
        let of_pod = pod.spec.get("securityContext");
        if restricted && *of_pod.get("runAsUser") == Node::Integer(0) {
            let field = Target { field: pod.field("securityContext.runAsUser"), ..Target::default() };
            report.fail(Said::from("the Pod's own runAsUser 0 is root").fix(FIX).target(field));
        }
        for container in &containers {
            judge(of_pod, container, restricted, report);
        }
        if report.drafts.len() == before {
            report.pass("no container runs as root");
        }
    }))
}

const FIX: &str = "set securityContext.runAsNonRoot: true, and a USER with a number in the image";

/// A container's own field counts; where it has none, the Pod's (Kubernetes core/v1, SecurityContext).
fn judge(pod: &Node<'_>, container: &Container<'_>, restricted: bool, report: &mut Report<'_>) {
    let own = container.node.get("securityContext");
    let effective = |name: &str| {
        let node = own.get(name);
        if node.is_null() { pod.get(name) } else { node }
    };
    let target = |name: &str| container.target(&format!("securityContext.{name}"));
    let user = match effective("runAsUser") {
        Node::Null => None,
        Node::Integer(user) => Some(*user),
        other => {
            let why = format!("runAsUser is {}, which cannot be judged", other.kind());
            return report.error(Said::from(why).target(target("runAsUser")));
        }
    };
    let non_root = match boolean(effective("runAsNonRoot")) {
        Ok(value) => value,
        Err(kind) => {
            let why = format!("runAsNonRoot is {kind}, which cannot be judged");
            return report.error(Said::from(why).target(target("runAsNonRoot")));
        }
    };
    match (user, non_root) {
        (Some(0), _) => report.fail(Said::from("runAsUser 0 is root").fix(FIX).target(target("runAsUser"))),
        // The Restricted profile wants the field itself (Pod Security Standards, "Running as Non-root").
        (Some(_), non_root) if restricted && non_root != Some(true) => {
            let why = "runAsNonRoot is not true, here or in the Pod";
            report.fail(Said::from(why).fix(FIX).target(target("runAsNonRoot")));
        }
        (Some(_), _) | (None, Some(true)) => {}
        (None, Some(false)) => {
            report.fail(Said::from("runAsNonRoot is false").fix(FIX).target(target("runAsNonRoot")));
        }
        (None, None) => {
            let why = "may run as root: runAsNonRoot is set neither here nor in the Pod";
            report.fail(Said::from(why).fix(FIX).target(target("runAsNonRoot")));
        }
    }
}
