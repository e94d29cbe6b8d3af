//! `require-digest`: the reference carries a digest.

use crate::controls::{Control, ParameterError, Parameters};
use crate::report::Said;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::image(|_, _, reference, report| {
        if reference.digest().is_some() {
            report.pass("named by digest");
        } else {
            report.fail(Said::from("no digest: the tag can move after this check").fix("assay pin -f FILE"));
        }
    }))
}
