//! `docker-credential-NAME get` (docker-credential-helpers, "Development"): the server URL goes in on standard input, a
//! JSON object with `Username` and `Secret` comes back.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::{Credential, CredentialError, process};

/// What helpers print where they have nothing (docker-credential-helpers, `errCredentialsNotFoundMessage`).
const NOT_FOUND: &str = "credentials not found";

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// Asks the helper and waits, at most `timeout`. Blocks: call it off the async threads.
pub(crate) fn ask(
    helper: &str,
    folders: &[PathBuf],
    server_url: &str,
    timeout: Duration,
) -> Result<Option<Credential>, CredentialError> {
    let failed = |cause: String| CredentialError::HelperFailed {
        helper: helper.to_owned(),
        registry: server_url.to_owned(),
        cause,
    };
    let program = find(helper, folders).ok_or_else(|| CredentialError::HelperMissing { helper: helper.to_owned() })?;
    let (status, output) =
        process::ask(Command::new(&program).arg("get"), server_url.as_bytes(), timeout).map_err(failed)?;
    if !status.success() {
        if String::from_utf8_lossy(&output).to_ascii_lowercase().contains(NOT_FOUND) {
            return Ok(None);
        }
        return Err(failed(format!("it ended with {status}")));
    }
    // The error's text would quote the secret: only its place is told.
    let answer: Answer = serde_json::from_slice(&output)
        .map_err(|error| failed(format!("its answer is not JSON credentials (column {})", error.column())))?;
    Ok(match (answer.username.as_str(), answer.secret.as_str()) {
        (_, "") => None,
        ("<token>", secret) => Some(Credential::identity_token(secret)),
        (username, secret) => Some(Credential::basic(username, secret)),
    })
}

fn find(helper: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let plain =
        !helper.is_empty() && helper.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let name = format!("docker-credential-{helper}");
    let is_file = |path: &PathBuf| Path::is_file(path);
    plain.then(|| folders.iter().map(|folder| folder.join(&name)).find(is_file)).flatten()
}
