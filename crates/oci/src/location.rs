//! Where an image is, as a person writes it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use assay_model::{Digest, Reference};

use crate::OciError;

/// Which image of a layout or archive is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The only one.
    Only,
    /// The one with this name (`org.opencontainers.image.ref.name`, or a tag of `docker save`).
    Tag(String),
    /// The one with this digest.
    Digest(Digest),
}

/// A container engine on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Docker, at the socket that `DOCKER_HOST` names, or `/var/run/docker.sock`.
    Docker,
    /// Podman, at the socket that `CONTAINER_HOST` names, else the person's own, else `/run/podman/podman.sock`.
    Podman,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        })
    }
}

/// Where containerd keeps content (containerd, `docs/content-flow.md`).
const CONTAINERD: &str = "/var/lib/containerd/io.containerd.content.v1.content";

/// Where an image is read from or written to.
///
/// ```
/// use assay_oci::{ImageSource, Selector};
///
/// let source: ImageSource = "oci:build/image:1.0".parse()?;
/// assert!(matches!(source, ImageSource::Layout { selector: Selector::Tag(tag), .. } if tag == "1.0"));
/// # Ok::<(), assay_oci::OciError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSource {
    /// `registry.example.com/app:1`, also with `registry://` in front.
    Registry(Reference),
    /// `oci:DIR[:tag|@digest]`.
    Layout {
        /// The folder.
        path: PathBuf,
        /// Which image.
        selector: Selector,
    },
    /// `oci-archive:FILE[:tag|@digest]`.
    OciArchive {
        /// The tar file.
        path: PathBuf,
        /// Which image.
        selector: Selector,
    },
    /// `docker-archive:FILE[:tag]`: what `docker save` writes.
    DockerArchive {
        /// The tar file.
        path: PathBuf,
        /// Which image.
        selector: Selector,
    },
    /// `docker:NAME` and `podman:NAME`: what the engine on this machine has under the name.
    Engine {
        /// Which engine.
        engine: Engine,
        /// Name with tag or digest, or the image's identifier.
        name: String,
    },
    /// `containerd:[FOLDER@]DIGEST`: an image of containerd's content store, by the digest that `ctr images list` shows.
    Containerd {
        /// The store's folder, which holds `blobs`.
        path: PathBuf,
        /// Digest of its manifest or index.
        digest: Digest,
    },
}

impl FromStr for ImageSource {
    type Err = OciError;

    fn from_str(text: &str) -> Result<Self, OciError> {
        let bad = |reason: &str| OciError::BadLocation { written: text.to_owned(), reason: reason.to_owned() };
        for (prefix, make) in [
            ("oci:", (|path, selector| Self::Layout { path, selector }) as fn(PathBuf, Selector) -> Self),
            ("oci-archive:", |path, selector| Self::OciArchive { path, selector }),
            ("docker-archive:", |path, selector| Self::DockerArchive { path, selector }),
        ] {
            let Some(rest) = text.strip_prefix(prefix) else { continue };
            let (path, selector) = select(rest).map_err(|reason| bad(&reason))?;
            if path.is_empty() {
                return Err(bad("the path is empty"));
            }
            return Ok(make(path.into(), selector));
        }
        for engine in [Engine::Docker, Engine::Podman] {
            // `docker:5000/app` is a registry on a port.
            let Some(name) = text.strip_prefix(&format!("{engine}:")) else { continue };
            let is_port = name.split('/').next().is_some_and(|port| port.parse::<u16>().is_ok()) && name.contains('/');
            if !is_port && !name.is_empty() {
                return Ok(Self::Engine { engine, name: name.to_owned() });
            }
        }
        if let Some(rest) = text.strip_prefix("containerd:") {
            let (path, digest) = rest.rsplit_once('@').unwrap_or((CONTAINERD, rest));
            let digest = digest.parse().map_err(|error: assay_model::DigestError| {
                bad(&format!("{error}; write containerd:sha256:..., as ctr images list shows it"))
            })?;
            return Ok(Self::Containerd { path: path.into(), digest });
        }
        let reference = text.strip_prefix("registry://").unwrap_or(text);
        reference.parse().map(Self::Registry).map_err(|error: assay_model::ReferenceError| bad(&error.to_string()))
    }
}

fn select(rest: &str) -> Result<(&str, Selector), String> {
    if let Some((path, digest)) = rest.rsplit_once("@sha") {
        let digest = format!("sha{digest}").parse().map_err(|error: assay_model::DigestError| error.to_string())?;
        return Ok((path, Selector::Digest(digest)));
    }
    match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.is_empty() && !tag.contains(['/', '\\']) => Ok((path, Selector::Tag(tag.to_owned()))),
        _ => Ok((rest, Selector::Only)),
    }
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, path, selector) = match self {
            Self::Registry(reference) => return write!(f, "{reference}"),
            Self::Layout { path, selector } => ("oci", path, selector),
            Self::OciArchive { path, selector } => ("oci-archive", path, selector),
            Self::DockerArchive { path, selector } => ("docker-archive", path, selector),
            Self::Engine { engine, name } => return write!(f, "{engine}:{name}"),
            Self::Containerd { path, digest } if path.as_os_str() == CONTAINERD => {
                return write!(f, "containerd:{digest}");
            }
            Self::Containerd { path, digest } => return write!(f, "containerd:{}@{digest}", path.display()),
        };
        write!(f, "{prefix}:{}", path.display())?;
        match selector {
            Selector::Only => Ok(()),
            Selector::Tag(tag) => write!(f, ":{tag}"),
            Selector::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_survives_its_text() {
        let digest = Digest::of(b"x");
        for text in [
            "oci:dir".to_owned(),
            "oci:/a/b:1.0".to_owned(),
            format!("oci:dir@{digest}"),
            "oci-archive:./x.tar".to_owned(),
            "docker-archive:/tmp/x.tar:latest".to_owned(),
            "registry.example.com/app:1".to_owned(),
            "docker:quay.io/a/b:1".to_owned(),
            "podman:app".to_owned(),
            "docker:5000/app".to_owned(),
            format!("containerd:{digest}"),
            format!("containerd:/data/content@{digest}"),
        ] {
            assert_eq!(text.parse::<ImageSource>().unwrap().to_string(), text);
        }
        assert!(matches!("registry://r.example.com/a".parse(), Ok(ImageSource::Registry(_))));
        assert!(matches!("docker:5000/app".parse(), Ok(ImageSource::Registry(_))));
        for text in ["oci:", "oci:dir@sha256:short", "Not An Image", "", "containerd:app:1"] {
            assert!(text.parse::<ImageSource>().is_err(), "{text}");
        }
    }
}
