//! How VEX documents look.

use super::{Page, Report};
use crate::Result;
use crate::commands::vex::VexOutcome;
use crate::output::Format;

impl Report for VexOutcome {
    const NAME: &'static str = "vex";
    const OTHERS: &'static [Format] = &[Format::Openvex];

    fn text(&self, _: Page) -> String {
        self.text.clone()
    }

    fn other(&self, format: Format) -> Option<Result<String>> {
        (format == Format::Openvex).then(|| Ok(self.text.clone()))
    }
}
