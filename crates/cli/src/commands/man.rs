//! `assay man --to DIR` writes the man page of each command; `assay reference --to DIR` writes `cli.md`, the reference of
//! all of them. `docs/reference` is written by the latter; a test compares.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::Result;
use crate::arguments::Arguments;
use crate::failure::{CliError, write_file};
use crate::variables::VARIABLES;

/// Writes `assay.1` and `assay-COMMAND.1` into `folder`, which is made if it is missing.
pub(crate) fn write(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(CliError::unwritable(folder))?;
    let mut root = Arguments::command();
    root.build();
    pages(&root, "", folder)
}

/// Writes `cli.md` into `folder`, which is made if it is missing.
pub(crate) fn write_reference(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(CliError::unwritable(folder))?;
    Ok(write_file(&folder.join("cli.md"), reference().as_bytes())?)
}

fn pages(command: &Command, above: &str, folder: &Path) -> Result<()> {
    let name = if above.is_empty() { command.get_name().to_owned() } else { format!("{above}-{}", command.get_name()) };
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .title(name.to_uppercase())
        .date("")
        .render(&mut page)
        .map_err(CliError::unwritable(&path))?;
    write_file(&path, &page)?;
    for inner in visible(command) {
        pages(inner, &name, folder)?;
    }
    Ok(())
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|inner| inner.get_name() != "help" && !inner.is_hide_set())
}

/// The reference of all commands, in Markdown.
fn reference() -> String {
    let mut root = Arguments::command().term_width(100);
    root.build();
    let mut out = String::from(
        "# Command line reference\n\nWritten by `assay reference --to DIR` (.ci/generated); do not edit.\n\n\
         Exit codes: 0 pass, 1 the policy or a threshold says no, 2 it could not be decided.\n\
         Data goes to standard output, everything else to standard error.\n\n## Options of every command\n\n",
    );
    for argument in root.get_arguments().filter(|argument| argument.is_global_set()) {
        option(&mut out, argument);
    }
    out.push_str("\n## Commands\n\n");
    for command in visible(&root) {
        section(&mut out, command, "assay");
    }
    out.push_str("## Environment variables\n\n| variable | does |\n|---|---|\n");
    for variable in VARIABLES {
        let _ = writeln!(out, "| `{}` | {} |", variable.name, variable.about);
    }
    out.push_str(
        "\nPrecedence: flags, `ASSAY_*`, the project's `assay.yaml` (nearest one upwards, up to the repository's root), \
         the user's `assay.yaml`, defaults. `assay config show --origin` prints each setting and where it comes from.\n",
    );
    out
}

fn section(out: &mut String, command: &Command, above: &str) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let inner: Vec<_> = visible(command).collect();
    if inner.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").trim();
        let _ = writeln!(out, "### `{name}`\n\n{about}\n\n    {usage}\n");
        let before = out.len();
        for argument in command.get_arguments().filter(|argument| !argument.is_global_set()) {
            if !matches!(argument.get_id().as_str(), "help" | "version") {
                option(out, argument);
            }
        }
        if out.len() > before {
            out.push('\n');
        }
    }
    for command in inner {
        section(out, command, &name);
    }
}

fn option(out: &mut String, argument: &clap::Arg) {
    let values = argument
        .get_value_names()
        .map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        .filter(|_| argument.get_action().takes_values());
    let name = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => String::new(),
    };
    let shown = [name, values.unwrap_or_default()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let about = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, "- `{}`: {about}", shown.join(" "));
}
