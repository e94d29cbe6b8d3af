//! Tells the story while it happens: what is done, why, and what came of it.
//!
//! It goes to standard error, where `-q` silences it: the result is the table at the end.

use super::attacks::Attack;
use crate::printer::Printer;
use crate::render::Page;

/// Columns of a label before its value.
const LABEL: usize = 13;
/// Spaces before everything below a heading.
const INDENT: usize = 2;

/// Where the story goes.
pub(crate) struct Narrator<'p> {
    printer: Option<&'p Printer>,
    step: bool,
}

impl<'p> Narrator<'p> {
    /// Tells it to a person, and waits for Enter before each step if `step` says so.
    pub(crate) fn new(printer: &'p Printer, step: bool) -> Self {
        Self { printer: Some(printer), step }
    }

    /// Tells it to nobody: for tests.
    pub(crate) fn silent() -> Self {
        Self { printer: None, step: false }
    }

    /// A step begins: what is done, and why it matters.
    pub(crate) fn step(&self, title: &str, why: &str) {
        if self.step {
            self.write(|page| page.dim("\n  Enter goes on"));
            // Whatever is typed goes on; so does the end of the input.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        self.write(|page| format!("\n{}\n{}{}", page.strong(title), indent(1), page.dim(page.wrap(why, INDENT))));
    }

    /// One fact: a label and what there is to say.
    pub(crate) fn fact(&self, label: &str, text: &str) {
        self.write(|page| format!("{}{label:<LABEL$}{}", indent(1), page.wrap(text, INDENT + LABEL)));
    }

    /// An attack that was stopped, or not.
    pub(crate) fn attack(&self, attack: &Attack, stopped: bool, message: &str) {
        self.write(|page| {
            let verdict = if stopped { page.good("denied") } else { page.bad("NOT STOPPED") };
            let (title, control, indent) = (page.strong(attack.title), attack.control, indent(2));
            let story = page.dim(page.wrap(attack.story, 2 * INDENT));
            let message = page.wrap(message, 2 * INDENT);
            format!("\n  {title}: {verdict} by {control}\n{indent}{story}\n{indent}{message}")
        });
    }

    fn write(&self, text: impl FnOnce(Page) -> String) {
        if let Some(printer) = self.printer {
            printer.note(&text(printer.stderr_page()));
        }
    }
}

fn indent(depth: usize) -> String {
    " ".repeat(depth * INDENT)
}
