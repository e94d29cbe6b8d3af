//! `allowed-registries`: every image lies below a registry prefix of the Environment.

use crate::controls::{Control, ParameterError, Parameters};
use crate::report::Said;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::image(|context, _, reference, report| {
        let repository = reference.repository();
        let environment = &context.environment.name;
        if context.environment.registries.is_empty() {
            let why = format!("{environment} names no registries, so that no image may come from anywhere");
            report.fail(Said::from(why).fix(format!("name them in spec.registries of {environment}")));
        } else if context.environment.registries.iter().any(|prefix| prefix.holds(repository)) {
            report.pass("comes from an allowed registry");
        } else {
            let why = format!("{repository} is in none of the registries that {environment} allows");
            report.fail(Said::from(why).fix(format!("assay copy {} TARGET, then use TARGET", reference.written())));
        }
    }))
}
