//! How Exceptions look.

use super::{Page, Report};
use crate::commands::exception::NewExceptionOutcome;

impl Report for NewExceptionOutcome {
    const NAME: &'static str = "exception";

    fn text(&self, _: Page) -> String {
        if self.file.is_some() { String::new() } else { self.yaml.clone() }
    }
}
