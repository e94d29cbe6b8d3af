//! `high-cve`: no high finding that VEX does not excuse. Exposure changes its action (`whenInternetFacing`).

use assay_model::Severity;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::findings::{Selected, judge};

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let selected: Selected = parameters.read()?;
    Ok(Control::subject(Reads::Findings, move |context, facts, report| {
        judge(context, facts, report, "no high vulnerability", |finding| {
            finding.vulnerability.severity == Severity::High && selected.selects(finding)
        });
    }))
}
