//! `docker-credential-NAME get` (docker-credential-helpers, "Development"): the server URL goes in on standard input, a
//! JSON object with `Username` and `Secret` comes back.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;

use crate::{Credential, CredentialError};

/// Longest answer read: a token of a cloud is a few kilobytes.
const OUTPUT_MAX: u64 = 256 * 1024;
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
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that ignores its input closes the pipe: its answer still counts.
        let _ = stdin.write_all(server_url.as_bytes());
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut output = Vec::new();
            let read = stdout.take(OUTPUT_MAX + 1).read_to_end(&mut output).map(|_| output);
            // Nobody listens any more after the timeout.
            let _ = sender.send(read);
        });
    }
    let output = receiver.recv_timeout(timeout);
    if !matches!(&output, Ok(Ok(bytes)) if bytes.len() as u64 <= OUTPUT_MAX) {
        // It may have ended by itself in between.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    let output = match output {
        Ok(Ok(output)) if output.len() as u64 <= OUTPUT_MAX => output,
        Ok(Ok(_)) => return Err(failed("its answer is larger than 256 KiB".to_owned())),
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed(format!("no answer within {} s", timeout.as_secs_f32()))),
    };
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
