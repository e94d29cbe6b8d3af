//! The command line of Assay: arguments -> settings -> command -> outcome -> renderer -> exit code.
//!
//! Nothing here decides whether something may run (the Gate does), reads an image or checks a signature. This crate
//! turns what was typed into settings with a known origin, calls one function, and writes what came out: data on
//! standard output, everything else on standard error.
//!
//! Exit codes: 0 pass, 1 the policy or a threshold says no, 2 it could not be decided.
//!
//! ```
//! let code = assay_cli::run(["assay".into(), "--version".into()]);
//! assert_eq!(code, std::process::ExitCode::SUCCESS);
//! ```

mod arguments;
mod commands;
mod failure;
mod output;
mod printer;
mod render;
mod session;
mod settings;
mod spans;
mod variables;

#[cfg(feature = "lab")]
#[doc(hidden)]
pub use commands::lab;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser as _;
use failure::{CliError, Failure};
use printer::Printer;
use settings::Settings;
use spans::Spans;

/// Runs one command line and gives its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return Printer::plain().usage(&error),
    };
    let (global, command) = (arguments.global, arguments.command);
    let mut flags = global.flags();
    command.add_flags(&mut flags);
    let settings = match Settings::resolve(global.output, flags) {
        Ok(settings) => settings,
        Err(failure) => return Printer::plain().failure(&failure),
    };
    let printer = Printer::new(settings.color.value, global.quiet, global.verbose > 0, settings.progress.value);
    if let Err(failure) = start_log(global.verbose, &settings, &printer) {
        return printer.failure(&failure);
    }
    match commands::run(command, &settings, &printer) {
        Ok(status) => status.into(),
        Err(failure) => printer.failure(&failure),
    }
}

/// The log exists only with `-v`: -v warns, -vv says what is done, -vvv why. `ASSAY_LOG` filters it by module. Spans are
/// written where `ASSAY_SPANS` says, whatever the log does.
fn start_log(verbose: u8, settings: &Settings, printer: &Printer) -> Result<()> {
    use tracing_subscriber::Layer as _;
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let level = match verbose {
        0 => None,
        1 => Some("warn"),
        2 => Some("info"),
        _ => Some("debug"),
    };
    let spans = match settings.spans.as_deref() {
        None => None,
        Some("-") => Some(Spans::new(Box::new(std::io::stderr()) as Box<dyn std::io::Write + Send>)),
        Some(path) => {
            let path = std::path::Path::new(path);
            let file = std::fs::File::options().create(true).append(true).open(path);
            Some(Spans::new(Box::new(file.map_err(CliError::unwritable(path))?) as Box<dyn std::io::Write + Send>))
        }
    };
    if level.is_none() && spans.is_none() {
        return Ok(());
    }
    let log = level.map(|level| {
        let filter = tracing_subscriber::EnvFilter::try_new(settings.log.as_deref().unwrap_or(level));
        tracing_subscriber::fmt::layer()
            .with_ansi(printer.stderr_page().colour)
            .with_writer(std::io::stderr)
            .without_time()
            .with_filter(filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level)))
    });
    let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("assay"));
    let spans = spans.map(|spans| spans.with_filter(ours));
    // A second call in one process (tests) keeps the first log.
    drop(tracing_subscriber::registry().with(log).with(spans).try_init());
    Ok(())
}

/// What a command comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Everything asked for holds.
    Pass,
    /// The policy or a threshold says no.
    Denied,
    /// Part of it could not be decided. Never a pass.
    Undecided,
}

impl Status {
    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Denied => 1,
            Self::Undecided => 2,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}

/// What a command gives back.
pub(crate) type Result<T> = std::result::Result<T, Failure>;
