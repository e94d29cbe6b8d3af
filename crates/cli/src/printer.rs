//! The one place that writes to the terminal.
//!
//! Data goes to standard output, everything else to standard error. A reader that goes away (`assay ... | head`) ends
//! the output, not the command: the exit code still says what was decided.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use crate::Status;
use crate::failure::Failure;
use crate::render::Page;
use crate::settings::ColorChoice;

/// Widest line for people: what a terminal, a log and a chat message show without wrapping.
const WIDTH: usize = 80;

/// Writes data, notes and failures.
pub(crate) struct Printer {
    stdout_colour: bool,
    stderr_colour: bool,
    quiet: bool,
    detail: bool,
    progress: bool,
}

impl Printer {
    /// A printer as the settings want it.
    pub(crate) fn new(color: ColorChoice, quiet: bool, detail: bool, progress: bool) -> Self {
        let allowed = |terminal: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        let stderr_terminal = io::stderr().is_terminal();
        Self {
            stdout_colour: allowed(io::stdout().is_terminal()),
            stderr_colour: allowed(stderr_terminal),
            quiet,
            detail,
            progress: progress && stderr_terminal && !quiet,
        }
    }

    /// A printer for the time before settings are known.
    pub(crate) fn plain() -> Self {
        Self::new(ColorChoice::Auto, false, false, false)
    }

    /// How standard output is to be written to.
    pub(crate) fn stdout_page(&self) -> Page {
        Page { colour: self.stdout_colour, width: WIDTH, detail: self.detail }
    }

    /// How standard error is to be written to.
    pub(crate) fn stderr_page(&self) -> Page {
        Page { colour: self.stderr_colour, width: WIDTH, detail: self.detail }
    }

    /// Writes data to standard output.
    pub(crate) fn data(&self, text: &str) {
        write(&mut io::stdout().lock(), text, self.stdout_colour);
    }

    /// Writes bytes that are meant for a program.
    #[expect(clippy::unused_self, reason = "who has no printer does not print")]
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut stdout = io::stdout().lock();
        drop(stdout.write_all(bytes).and_then(|()| stdout.flush()));
    }

    /// Writes a line that is not data: what happened, what to do next. Silent with `-q`.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            write(&mut io::stderr().lock(), &format!("{text}\n"), self.stderr_colour);
        }
    }

    /// Shows what is being done, on a terminal only.
    pub(crate) fn progress(&self, text: &str) {
        if self.progress {
            let clear = "\u{1b}[2K\r";
            let mut stderr = io::stderr().lock();
            drop(write!(stderr, "{clear}{}", printable(text, false)).and_then(|()| stderr.flush()));
        }
    }

    /// Takes the progress line away.
    pub(crate) fn progress_done(&self) {
        self.progress("");
    }

    /// Writes a failure and gives the exit code that goes with it.
    pub(crate) fn failure(&self, failure: &Failure) -> ExitCode {
        self.progress_done();
        let page = self.stderr_page();
        let mut text = format!("{}: {}\n", page.bad(&failure.code), failure.what);
        for cause in &failure.causes {
            let _ = writeln!(text, "  because  {cause}");
        }
        if let Some(next) = &failure.next {
            let _ = writeln!(text, "  Try: {next}");
        }
        write(&mut io::stderr().lock(), &text, page.colour);
        Status::Undecided.into()
    }

    /// Writes help, the version, or what is wrong with the arguments.
    pub(crate) fn usage(&self, error: &clap::Error) -> ExitCode {
        let rendered = error.render();
        let text = if self.stderr_colour { rendered.ansi().to_string() } else { rendered.to_string() };
        if error.use_stderr() {
            write(&mut io::stderr().lock(), &text, self.stderr_colour);
            return Status::Undecided.into();
        }
        let text = if self.stdout_colour { rendered.ansi().to_string() } else { rendered.to_string() };
        write(&mut io::stdout().lock(), &text, self.stdout_colour);
        Status::Pass.into()
    }
}

fn write(stream: &mut impl io::Write, text: &str, colour: bool) {
    // Nobody is left to be told when a stream is closed.
    drop(stream.write_all(printable(text, colour).as_bytes()).and_then(|()| stream.flush()));
}

/// Package names, tags and messages come from strangers. Control characters other than newline and tab become visible,
/// so that none of them moves the cursor, rewrites a line or sets the window's title. Where colour is on, plain colour
/// sequences (`ESC [ digits ; m`) pass.
pub(crate) fn printable(text: &str, colour: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| (c.is_control() && c != '\n' && c != '\t') || is_direction(c)) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(length) = colour_sequence(rest).filter(|_| colour) {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let mut characters = rest.chars();
        if let Some(character) = characters.next() {
            out.extend(character.escape_unicode());
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out
}

/// Characters that reorder the text around them (Unicode, UAX #9, "Explicit Directional Formatting Characters").
fn is_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn colour_sequence(text: &str) -> Option<usize> {
    let body = text.strip_prefix("\u{1b}[")?;
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    body[end..].starts_with('m').then_some(end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb", true), "a\\u{1b}[2Jb");
        assert_eq!(printable("\u{1b}]0;title\u{7}", true), "\\u{1b}]0;title\\u{7}");
        assert_eq!(printable("a\rb\u{202e}c", false), "a\\u{d}b\\u{202e}c");
        assert_eq!(printable("\u{1b}[31mred\u{1b}[0m\n", true), "\u{1b}[31mred\u{1b}[0m\n");
        assert_eq!(printable("\u{1b}[31mred", false), "\\u{1b}[31mred");
        assert_eq!(printable("é\tx\u{1b}", true), "é\tx\\u{1b}");
    }
}
