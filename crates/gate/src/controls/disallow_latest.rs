//! `disallow-latest`: the reference does not mean the tag `latest`, written or implied.

use crate::controls::{Control, ParameterError, Parameters};
use crate::report::Said;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::image(|_, _, reference, report| {
        if reference.digest().is_some() {
            report.pass("the digest counts, not the tag");
        } else if reference.is_latest() {
            let why = match reference.tag() {
                Some(_) => "the tag latest names whatever was pushed last",
                None => "no tag means latest, which names whatever was pushed last",
            };
            report.fail(Said::from(why).fix("assay pin -f FILE"));
        } else {
            report.pass("the tag is not latest");
        }
    }))
}
