//! `critical-cve`: no critical finding that VEX does not excuse.

use assay_model::Severity;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::findings::{Selected, judge};

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let selected: Selected = parameters.read()?;
    Ok(Control::subject(Reads::Findings, move |context, facts, report| {
        judge(context, facts, report, "no critical vulnerability", |finding| {
            finding.vulnerability.severity == Severity::Critical && selected.selects(finding)
        });
    }))
}
