//! How outcomes look. A renderer never decides: it writes what a command found.

mod check;
mod config;
mod database;
mod document;
#[cfg(feature = "lab")]
mod drill;
mod each;
mod exception;
mod key;
#[cfg(feature = "lab")]
mod lab;
mod lint;
mod markdown;
mod operate;
mod page;
mod pin;
mod policy;
mod pull;
mod readiness;
mod registry;
mod risk;
mod root;
mod sarif;
mod scan;
mod summary;
mod table;
mod verify;
mod vex;
mod workflow;
mod xml;

use serde::Serialize;

use crate::Result;
use crate::output::Format;

pub(crate) use page::{Page, count};
pub(crate) use table::{Align, Table};

/// A typed outcome that can be written.
pub(crate) trait Report: Serialize {
    /// The middle of its JSON schema's name, `assay.dev/NAME/v1`.
    const NAME: &'static str;
    /// Formats that it has besides text and JSON.
    const OTHERS: &'static [Format] = &[];

    /// The form for people: at most `page.width` columns, the thing first, what to do next last.
    fn text(&self, page: Page) -> String;

    /// Another format, `None` where it has none of this name.
    fn other(&self, _format: Format) -> Option<Result<String>> {
        None
    }
}
