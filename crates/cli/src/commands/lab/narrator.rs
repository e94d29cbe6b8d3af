//! Tells the story while it happens: what is done, why, and what came of it.

use super::attacks::Attack;
use crate::output::{Format, Output};
use crate::printer::Printer;
use crate::render::Page;

/// Columns of a label before its value.
const LABEL: usize = 13;
/// Spaces before everything below a heading.
const INDENT: usize = 2;

/// Where the story goes.
pub(crate) struct Narrator<'p> {
    printer: Option<&'p Printer>,
    /// The story is the result for people. Where standard output carries a document, it goes to standard error.
    to_stdout: bool,
    step: bool,
}

impl<'p> Narrator<'p> {
    /// Tells it to a person.
    pub(crate) fn new(printer: &'p Printer, outputs: &[Output], step: bool) -> Self {
        let to_stdout = outputs.iter().all(|output| output.file.is_some() || output.format == Format::Text);
        Self { printer: Some(printer), to_stdout, step }
    }

    /// Tells it to nobody: for tests.
    pub(crate) fn silent() -> Self {
        Self { printer: None, to_stdout: false, step: false }
    }

    /// A step begins: what is done, and why it matters.
    pub(crate) fn step(&self, title: &str, why: &str) {
        if let (true, Some(printer)) = (self.step, self.printer) {
            printer.note("  Enter goes on");
            // Whatever is typed goes on; so does the end of the input.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        let page = self.page();
        let indent = " ".repeat(INDENT);
        self.write(&format!("\n{}\n{indent}{}\n", page.strong(title), page.dim(page.wrap(why, INDENT))));
    }

    /// One fact: a label and what there is to say.
    pub(crate) fn fact(&self, label: &str, text: &str) {
        let page = self.page();
        let text = page.wrap(text, INDENT + LABEL);
        self.write(&format!("{}{label:<LABEL$}{text}\n", " ".repeat(INDENT)));
    }

    /// An attack that was stopped, or not.
    pub(crate) fn attack(&self, attack: &Attack, stopped: bool, message: &str) {
        let page = self.page();
        let indent = " ".repeat(2 * INDENT);
        let verdict = if stopped { page.good("denied") } else { page.bad("NOT STOPPED") };
        let story = page.dim(page.wrap(attack.story, 2 * INDENT));
        let message = page.wrap(&format!("{message}  ({})", attack.control), 2 * INDENT);
        let title = page.strong(attack.title);
        self.write(&format!("\n  {title}: {verdict}\n{indent}{story}\n{indent}{message}\n"));
    }

    fn page(&self) -> Page {
        match self.printer {
            Some(printer) if self.to_stdout => printer.stdout_page(),
            Some(printer) => printer.stderr_page(),
            None => Page::file(),
        }
    }

    fn write(&self, text: &str) {
        let Some(printer) = self.printer else { return };
        if self.to_stdout {
            printer.data(text);
        } else {
            printer.note(text.trim_end_matches('\n'));
        }
    }
}
