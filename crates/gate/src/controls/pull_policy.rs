//! `pull-policy`: the pull policy fits the reference; an unset one is judged as Kubernetes defaults it.

use assay_case::ContainerRole;

use crate::controls::{Control, ParameterError, Parameters};
use crate::report::Said;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::image(|_, image, reference, report| {
        if image.role == ContainerRole::Release {
            return report.skip("a release is not pulled here");
        }
        // Kubernetes defaults by the tag alone (core/v1 defaults, SetDefaults_Container).
        let default = if reference.effective_tag() == Some("latest") { "Always" } else { "IfNotPresent" };
        let written = image.pull_policy.as_deref().filter(|policy| !policy.is_empty());
        let policy = written.unwrap_or(default);
        let unset = if written.is_none() { " (the default here)" } else { "" };
        match (policy, reference.digest()) {
            ("Always", _) => report.pass("pulls on every start"),
            ("IfNotPresent", Some(_)) => report.pass("pulls the digest once a node"),
            ("IfNotPresent", None) => {
                let why = format!("IfNotPresent{unset} with a tag: each node runs what it pulled first");
                report.fail(Said::from(why).fix("assay pin -f FILE, or set imagePullPolicy: Always"));
            }
            ("Never", _) => {
                let why = "Never runs whatever lies on the node, pulled by anyone";
                report.fail(Said::from(why).fix("set imagePullPolicy: IfNotPresent and pin the digest"));
            }
            (other, _) => {
                let why = format!("`{other}` is no pull policy");
                report.fail(Said::from(why).fix("set imagePullPolicy: IfNotPresent"));
            }
        }
    }))
}
