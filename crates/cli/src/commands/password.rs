//! Passwords of private keys: from a variable, from standard input, or typed.

use std::io::{IsTerminal as _, Read as _};

use assay_model::Secret;
use assay_sign::SignError;

use crate::Result;
use crate::failure::CliError;
use crate::printer::Printer;
use crate::variables;

/// Longest password that is read from standard input, in bytes.
const INPUT_MAX: u64 = 4096;

/// Where a password comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordSource {
    /// `ASSAY_KEY_PASSWORD`, `COSIGN_PASSWORD`, else whoever sits at the terminal.
    Ambient,
    /// Standard input, up to the first line break.
    StandardInput,
}

impl PasswordSource {
    /// The password of a key that exists.
    pub(crate) fn password(self, printer: &Printer) -> std::result::Result<Secret<String>, SignError> {
        let none = || SignError::KeyEncrypted { label: "ENCRYPTED SIGSTORE PRIVATE KEY".to_owned() };
        match self {
            Self::StandardInput => from_input().ok_or_else(none),
            Self::Ambient => match of_variable() {
                Some(password) => Ok(password),
                None => typed(printer, "password of the private key: ").ok_or_else(none),
            },
        }
    }

    /// A password for a key that is being made: typed twice.
    pub(crate) fn new_password(self, printer: &Printer) -> Result<Secret<String>> {
        let missing = || CliError::Usage {
            message: "an encrypted key needs a password".to_owned(),
            next: format!("set {} (may be empty), or --password-stdin", variables::KEY_PASSWORD),
        };
        let first = match self {
            Self::StandardInput => return Ok(from_input().ok_or_else(missing)?),
            Self::Ambient => match of_variable() {
                Some(password) => return Ok(password),
                None => typed(printer, "password for the private key: ").ok_or_else(missing)?,
            },
        };
        let second = typed(printer, "once more: ").ok_or_else(missing)?;
        if first != second {
            return Err(CliError::Usage {
                message: "the two passwords are not the same".to_owned(),
                next: "type it again".to_owned(),
            }
            .into());
        }
        Ok(first)
    }
}

/// A password may be empty, so that a variable which is set to nothing counts.
fn of_variable() -> Option<Secret<String>> {
    [variables::KEY_PASSWORD, variables::COSIGN_PASSWORD]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .map(Secret::new)
}

fn from_input() -> Option<Secret<String>> {
    let mut text = String::new();
    std::io::stdin().take(INPUT_MAX).read_to_string(&mut text).ok()?;
    let line = text.split(['\r', '\n']).next().unwrap_or_default().to_owned();
    Some(Secret::new(line))
}

fn typed(printer: &Printer, question: &str) -> Option<Secret<String>> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    printer.note(question);
    rpassword::read_password().ok().map(Secret::new)
}
