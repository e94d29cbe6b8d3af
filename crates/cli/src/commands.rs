//! One function a command: settings in, typed outcome out.

mod completions;
mod config;
mod man;

pub(crate) use config::ConfigOutcome;

use crate::arguments::{Command, ConfigCommand};
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
