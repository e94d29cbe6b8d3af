//! What a person writes to name an image.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Digest, DigestError, Explain};

/// The registry that a name without a host means.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Longest repository path plus host (distribution `reference.NameTotalLengthMax`).
const NAME_MAX: usize = 255;
/// Longest tag (distribution-spec, "Pulling manifests": `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`).
const TAG_MAX: usize = 128;

/// A registry host (with port) and a repository path, normalised as container runtimes do:
/// `nginx` is `docker.io/library/nginx`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Builds from a host and a path, checking both.
    pub fn new(registry: &str, path: &str) -> Result<Self, ReferenceError> {
        Self::checked(registry, path.to_owned())
    }

    fn checked(registry: &str, path: String) -> Result<Self, ReferenceError> {
        let written = || format!("{registry}/{path}");
        if !is_host(registry) {
            return Err(ReferenceError::BadRegistry { written: written(), registry: registry.to_owned() });
        }
        if !is_path(&path) {
            return Err(ReferenceError::BadRepository { written: written(), path });
        }
        if registry.len() + path.len() > NAME_MAX {
            return Err(ReferenceError::TooLong { length: registry.len() + path.len() });
        }
        Ok(Self { registry: registry.to_owned(), path })
    }

    /// Host and port, for example `registry.example.com:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path below the host, for example `payments/api`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the registry's host is a loopback address or `localhost`: the only one where plain HTTP is tried unasked.
    pub fn is_loopback(&self) -> bool {
        let host = match self.registry.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => self.registry.split(':').next().unwrap_or(&self.registry),
        };
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether this repository lies below `prefix`, a registry or a path prefix. A prefix ends at a path boundary:
    /// `registry.example.com/pay` does not hold `registry.example.com/payments`.
    pub fn starts_with(&self, prefix: &str) -> bool {
        let full = self.to_string();
        let prefix = prefix.trim_end_matches('/');
        !prefix.is_empty() && full.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reference: Reference = text.parse()?;
        if reference.tag.is_some() || reference.digest.is_some() {
            return Err(ReferenceError::NotARepository { written: text.to_owned() });
        }
        Ok(reference.repository)
    }
}

impl Serialize for Repository {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Repository {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An image reference, `registry/repository[:tag][@digest]`. It is resolved **once**; from then on only the
/// [`Subject`](crate::Subject) counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    written: String,
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The text as it was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Registry and path.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag that was written, if one was.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that was written, if one was.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The tag that the registry will be asked for: the written one, or `latest` where there is neither tag nor digest.
    pub fn effective_tag(&self) -> Option<&str> {
        match (&self.tag, self.digest) {
            (Some(tag), _) => Some(tag),
            (None, None) => Some("latest"),
            (None, Some(_)) => None,
        }
    }

    /// Whether it means `:latest`, written or implied, and carries no digest.
    pub fn is_latest(&self) -> bool {
        self.digest.is_none() && self.effective_tag() == Some("latest")
    }

    /// The same repository at `digest`, with the tag kept for the reader.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        let tag = self.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let name = self.written.split('@').next().unwrap_or(&self.written);
        let name = match &self.tag {
            Some(tag) => name.strip_suffix(&format!(":{tag}")).unwrap_or(name),
            None => name,
        };
        Self { written: format!("{name}{tag}@{digest}"), digest: Some(digest), ..self.clone() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    /// The grammar of distribution's `reference` package, with the familiar-name rules of container runtimes.
    fn from_str(written: &str) -> Result<Self, Self::Err> {
        if written.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let (name, digest) = match written.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse().map_err(ReferenceError::Digest)?)),
            None => (written, None),
        };
        let tag_at = name.rfind(':').filter(|&at| !name[at..].contains('/'));
        // `localhost:5000` alone is a host without a repository, but the grammar reads it as `localhost` with a tag.
        let (name, tag) = match tag_at {
            Some(at) => (&name[..at], Some(&name[at + 1..])),
            None => (name, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ReferenceError::BadTag { written: written.to_owned(), tag: tag.to_owned() });
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
            Some(_) => (DEFAULT_REGISTRY, name.to_owned()),
            None => (DEFAULT_REGISTRY, format!("library/{name}")),
        };
        let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
        let path = if registry == DEFAULT_REGISTRY && !path.contains('/') { format!("library/{path}") } else { path };
        let repository = Repository::checked(registry, path).map_err(|error| {
            // What is below the host, or all of it where that is none.
            let has_upper = |text: &str| text.bytes().any(|byte| byte.is_ascii_uppercase());
            let below = name.strip_prefix(registry).unwrap_or(name);
            if has_upper(below) {
                ReferenceError::Uppercase { written: written.to_owned() }
            } else {
                error.with_written(written)
            }
        })?;
        Ok(Self { written: written.to_owned(), repository, tag: tag.map(str::to_owned), digest })
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_MAX
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_host(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[') {
        Some(rest) => {
            let Some((address, after)) = rest.split_once(']') else { return false };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            match after.strip_prefix(':') {
                Some(port) => ("v6", Some(port)),
                None if after.is_empty() => ("v6", None),
                None => return false,
            }
        }
        None => match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        },
    };
    is_name(host) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// Labels of letters, digits and hyphens, joined by dots; none begins or ends with a hyphen.
fn is_name(host: &str) -> bool {
    let mut before = b'.';
    for byte in host.bytes() {
        let fits = match byte {
            b'.' => before != b'.' && before != b'-',
            b'-' => before != b'.',
            _ => byte.is_ascii_alphanumeric(),
        };
        if !fits {
            return false;
        }
        before = byte;
    }
    before != b'.' && before != b'-'
}

/// distribution's path grammar: components of `[a-z0-9]+` joined by `.`, `_`, `__` or hyphens. Every request names some, so
/// that each byte is looked at once.
fn is_path(path: &str) -> bool {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum After {
        /// The beginning of a component.
        Slash,
        Word,
        /// A dot or two underscores, which nothing but a word follows.
        Separator,
        Underscore,
        Hyphen,
    }
    let mut after = After::Slash;
    for byte in path.bytes() {
        after = match (byte, after) {
            (b'a'..=b'z' | b'0'..=b'9', _) => After::Word,
            (b'/', After::Word) => After::Slash,
            (b'.', After::Word) | (b'_', After::Underscore) => After::Separator,
            (b'_', After::Word) => After::Underscore,
            (b'-', After::Word | After::Hyphen) => After::Hyphen,
            _ => return false,
        };
    }
    after == After::Word
}

/// Why a text is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing was written.
    #[error("the image reference is empty")]
    Empty,
    /// The part after `@` is not a digest.
    #[error("the digest of the image reference is not valid: {0}")]
    Digest(#[source] DigestError),
    /// The tag has characters that no registry accepts.
    #[error("`{written}`: `{tag}` is not a tag (letters, digits, `_`, `.`, `-`, at most 128)")]
    BadTag {
        /// The whole reference.
        written: String,
        /// The part that is wrong.
        tag: String,
    },
    /// Repository paths are lowercase.
    #[error("`{written}`: a repository name must be lowercase")]
    Uppercase {
        /// The whole reference.
        written: String,
    },
    /// The host or port is not one.
    #[error("`{written}`: `{registry}` is not a registry host")]
    BadRegistry {
        /// The whole reference.
        written: String,
        /// The part that is wrong.
        registry: String,
    },
    /// The path breaks the grammar.
    #[error("`{written}`: `{path}` is not a repository path")]
    BadRepository {
        /// The whole reference.
        written: String,
        /// The part that is wrong.
        path: String,
    },
    /// Host and path together are too long.
    #[error("the repository name has {length} characters, at most 255 are allowed")]
    TooLong {
        /// Characters found.
        length: usize,
    },
    /// A repository was wanted, a tag or digest was given too.
    #[error("`{written}` names an image; a repository has no tag and no digest")]
    NotARepository {
        /// The whole text.
        written: String,
    },
}

impl ReferenceError {
    fn with_written(self, text: &str) -> Self {
        let written = text.to_owned();
        match self {
            Self::BadRegistry { registry, .. } => Self::BadRegistry { written, registry },
            Self::BadRepository { path, .. } => Self::BadRepository { written, path },
            other => other,
        }
    }
}

impl Explain for ReferenceError {
    fn code(&self) -> &'static str {
        "reference-invalid"
    }

    fn next_step(&self) -> Option<String> {
        Some("Write registry/repository[:tag][@sha256:...], for example registry.example.com/team/app:1.2".into())
    }
}

#[cfg(test)]
mod tests;
