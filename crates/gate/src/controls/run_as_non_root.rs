//! `run-as-non-root`: no container runs as root, by its own word or its Pod's.

use assay_case::Node;

use crate::controls::{Control, ParameterError, Parameters};
use crate::pod::{Container, NoPod, Pod, boolean};
use crate::report::{Report, Said};

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::workload(|context, report| {
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
        for container in &containers {
            judge(pod.spec.get("securityContext"), container, report);
        }
        if report.drafts.len() == before {
            report.pass("no container runs as root");
        }
    }))
}

/// A container's own field counts; where it has none, the Pod's (Kubernetes core/v1, SecurityContext).
fn judge(pod: &Node<'_>, container: &Container<'_>, report: &mut Report<'_>) {
    let own = container.node.get("securityContext");
    let effective = |name: &str| {
        let node = own.get(name);
        if node.is_null() { pod.get(name) } else { node }
    };
    let target = |name: &str| container.target(&format!("securityContext.{name}"));
    let fix = "set securityContext.runAsNonRoot: true, and a USER with a number in the image";
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
        (Some(0), _) => report.fail(Said::from("runAsUser 0 is root").fix(fix).target(target("runAsUser"))),
        (Some(_), _) | (None, Some(true)) => {}
        (None, Some(false)) => {
            report.fail(Said::from("runAsNonRoot is false").fix(fix).target(target("runAsNonRoot")));
        }
        (None, None) => {
            let why = "may run as root: runAsNonRoot is set neither here nor in the Pod";
            report.fail(Said::from(why).fix(fix).target(target("runAsNonRoot")));
        }
    }
}
