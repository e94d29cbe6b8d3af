//! `exception-expiry`: an Exception that would lift a denial is complete, approved and alive. The decision itself looks at
//! the Exceptions; this control says what it found.

use crate::controls::{Control, ParameterError, Parameters};

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::Exceptions)
}
