//! One function a command: settings in, typed outcome out.

pub(crate) mod check;
mod completions;
mod config;
pub(crate) mod exception;
mod man;

pub(crate) use config::ConfigOutcome;

use crate::arguments::{Command, ConfigCommand, ExceptionCommand};
use crate::output::{Format, emit};
use crate::printer::Printer;
use crate::settings::Settings;
use crate::{Result, Status};

/// Runs a command and writes its outcome.
pub(crate) fn run(command: Command, settings: &Settings, printer: &Printer) -> Result<Status> {
    match command {
        Command::Config(ConfigCommand::Show { origin }) => {
            emit(&config::show(settings, origin), &settings.outputs, Format::Text, printer)?;
            Ok(Status::Pass)
        }
        Command::Exception(ExceptionCommand::New(arguments)) => {
            let outcome = exception::new(arguments.resolve(jiff::Timestamp::now())?)?;
            emit(&outcome, &settings.outputs, Format::Text, printer)?;
            exception_note(&outcome, printer);
            Ok(Status::Pass)
        }
        Command::Completions(arguments) => {
            printer.bytes(&completions::script(arguments.shell));
            Ok(Status::Pass)
        }
        Command::Man(arguments) => {
            man::write(&arguments.to)?;
            Ok(Status::Pass)
        }
        Command::Reference(arguments) => {
            man::write_reference(&arguments.to)?;
            Ok(Status::Pass)
        }
    }
}

/// What a new Exception still needs.
fn exception_note(outcome: &exception::NewExceptionOutcome, printer: &Printer) {
    if let Some(file) = &outcome.file {
        printer.note(&format!("wrote {}", file.display()));
    }
    if !outcome.missing.is_empty() {
        printer.note(&format!("it does nothing yet; missing: {}", outcome.missing.join(", ")));
    }
}
