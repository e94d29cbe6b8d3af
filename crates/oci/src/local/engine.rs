//! Images that a container engine on this machine keeps: docker and Podman over the socket of their API.
//!
//! Source: Docker Engine API 1.41, "Export an image" (`GET /images/{name}/get`), which Podman answers too. What comes is
//! what `docker save` writes. It is kept in a file that goes when the image was read: the engine writes the layers before the
//! list that says what they are.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt as _;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;

use crate::location::Engine;
use crate::{OciError, Silence};

/// Time to answer at all; how long the image takes is its own affair.
const CONNECT: Duration = Duration::from_secs(10);
/// Most bytes of an image.
const IMAGE_MAX: u64 = 64 << 30;

/// Where the engine's socket is: what its own variable says, else where it usually is.
fn socket(engine: Engine) -> Result<PathBuf, OciError> {
    let (variable, usual) = match engine {
        Engine::Docker => ("DOCKER_HOST", PathBuf::from("/var/run/docker.sock")),
        Engine::Podman => ("CONTAINER_HOST", podman_socket()),
    };
    let Some(host) = std::env::var(variable).ok().filter(|host| !host.is_empty()) else { return Ok(usual) };
    host.strip_prefix("unix://").map(PathBuf::from).ok_or_else(|| OciError::BadLocation {
        written: host.clone(),
        reason: format!(
            "{variable} names an engine on another machine; write the image's registry, or docker-archive:FILE"
        ),
    })
}

/// A person's own Podman comes before the machine's.
fn podman_socket() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("podman/podman.sock"));
    own.filter(|path| path.exists()).unwrap_or_else(|| PathBuf::from("/run/podman/podman.sock"))
}

/// Has the engine write the image into a file.
pub(crate) async fn save(engine: Engine, name: &str) -> Result<TempPath, OciError> {
    let socket = socket(engine)?;
    let registry = format!("{engine} ({})", socket.display());
    let protocol = |reason: String| OciError::Protocol { registry: registry.clone(), what: name.to_owned(), reason };
    if !socket.exists() {
        return Err(OciError::Unreachable {
            registry,
            silence: Silence::Other,
            cause: "there is no such socket".to_owned(),
            tries: 1,
        });
    }
    // Nothing here is encrypted, and no client is built without knowing how it would be.
    let client = reqwest::Client::builder()
        .unix_socket(socket)
        .tls_backend_preconfigured(crate::client::tls(None)?)
        .no_proxy()
        .connect_timeout(CONNECT)
        .build()
        .map_err(|error| OciError::Setup { reason: error.to_string() })?;
    // The host is the socket, whatever is written here.
    let url = format!("http://localhost/v1.41/images/{}/get", encoded(name));
    let answer = client.get(url).send().await;
    let answer = answer.map_err(|error| OciError::Unreachable {
        registry: registry.clone(),
        silence: Silence::Other,
        cause: error.to_string(),
        tries: 1,
    })?;
    match answer.status().as_u16() {
        200 => {}
        404 => return Err(OciError::NotFound { registry, what: name.to_owned() }),
        status => return Err(protocol(format!("it answered with status {status}"))),
    }
    let file = tempfile::NamedTempFile::new().map_err(|error| OciError::file(&std::env::temp_dir(), &error))?;
    let (file, path) = file.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let (mut body, mut bytes) = (answer.bytes_stream(), 0_u64);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| protocol(format!("the image breaks off: {error}")))?;
        bytes = bytes.saturating_add(chunk.len() as u64);
        if bytes > IMAGE_MAX {
            return Err(OciError::TooLarge { what: name.to_owned(), limit: IMAGE_MAX });
        }
        file.write_all(&chunk).await.map_err(|error| OciError::file(&path, &error))?;
    }
    file.flush().await.map_err(|error| OciError::file(&path, &error))?;
    Ok(path)
}

/// A name as one segment of a path: slashes too, and nothing that could begin a query.
fn encoded(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(encoded("quay.io/a/b:1?x=/../"), "quay.io%2Fa%2Fb%3A1%3Fx%3D%2F..%2F");
    }
}
