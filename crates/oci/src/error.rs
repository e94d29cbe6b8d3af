//! What can go wrong between Assay and a registry, a layout or an archive.

use std::path::PathBuf;

use assay_credentials::CredentialError;
use assay_model::{Digest, Explain, RedactedUrl};

/// How far a request got that was never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The name of the host could not be looked up.
    Name,
    /// Nothing came in time.
    TimedOut,
    /// Somebody is there and takes no connections.
    Refused,
    /// The certificate was not accepted, or there was no TLS.
    Tls,
    /// Anything else: a connection that broke, a proxy that failed.
    Other,
}

/// Why an image could not be read or written. Nothing that was read before the error may be used.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// No answer: name look-up, connection, TLS or a timeout, on every try.
    #[error("{registry}: {cause} ({tries} tries)")]
    Unreachable {
        /// The registry.
        registry: String,
        /// How far it got.
        silence: Silence,
        /// The innermost cause.
        cause: String,
        /// Requests made.
        tries: u32,
    },
    /// 401 or 403, also after the credentials (if there are any) were sent.
    #[error("{registry}: {what}: access denied (status {status}, {})", if *.authenticated { "with credentials" } else { "without credentials" })]
    Unauthorized {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
        /// 401 or 403.
        status: u16,
        /// Whether credentials were sent.
        authenticated: bool,
    },
    /// 404: the repository, tag, manifest or blob does not exist, or the registry hides it.
    #[error("{registry}: {what} was not found (status 404)")]
    NotFound {
        /// The registry, layout or archive.
        registry: String,
        /// What was asked for.
        what: String,
    },
    /// 429 until the tries or the time were used up.
    #[error("{registry}: too many requests (status 429, {tries} tries)")]
    RateLimited {
        /// The registry.
        registry: String,
        /// Requests made.
        tries: u32,
        /// Seconds to wait, as the registry says.
        retry_after: Option<u64>,
    },
    /// 5xx until the tries or the time were used up.
    #[error("{registry}: {what}: the registry failed (status {status}, {tries} tries)")]
    ServerError {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
        /// The status.
        status: u16,
        /// Requests made.
        tries: u32,
    },
    /// Another 4xx: for a push of an existing tag to a registry with immutable tags, for example.
    #[error("{registry}: {what}: refused (status {status}, {code})")]
    Refused {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
        /// The status.
        status: u16,
        /// The registry's error code, for example `TAG_IMMUTABLE`; `no code` without one.
        code: String,
    },
    /// The bytes are not those of the digest. The registry, a proxy or the archive lies, or a transfer broke.
    #[error("{what}: expected {expected}, received {found}")]
    DigestMismatch {
        /// What was read, and from where.
        what: String,
        /// The digest that was asked for.
        expected: Box<Digest>,
        /// The digest of the bytes.
        found: Box<Digest>,
    },
    /// More or fewer bytes than the descriptor says.
    #[error("{what}: expected {expected} bytes, received {found}")]
    SizeMismatch {
        /// What was read, and from where.
        what: String,
        /// Bytes that the descriptor names.
        expected: u64,
        /// Bytes received before reading stopped.
        found: u64,
    },
    /// A manifest, index, configuration or token answer is larger than its bound.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What was read, and from where.
        what: String,
        /// The bound, in bytes.
        limit: u64,
    },
    /// More pages, entries, referrers or nested manifests than Assay reads.
    #[error("{what}: more than {limit}")]
    TooMany {
        /// What was counted, and where.
        what: String,
        /// The bound.
        limit: usize,
    },
    /// A manifest, index or configuration that is not one, or that can be read in two ways (a duplicate key).
    #[error("{what}: {reason}")]
    InvalidManifest {
        /// What was read, and from where.
        what: String,
        /// What is wrong, with line and column where known.
        reason: String,
    },
    /// A Docker schema 1 manifest: its digest does not fix its content.
    #[error("{what} is a Docker schema 1 manifest, which cannot be verified")]
    SchemaOne {
        /// What was read, and from where.
        what: String,
    },
    /// The index has no image for the platform.
    #[error("{what} has no image for {wanted} (it has {available})")]
    NoPlatform {
        /// The index.
        what: String,
        /// The platform asked for.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// The token server that the registry names is not one that may see its credentials.
    #[error("{registry}: names the token server {realm}, {reason}")]
    TokenRealmRefused {
        /// The registry.
        registry: String,
        /// The token server.
        realm: RedactedUrl,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// The token server did not give a token.
    #[error("{registry}: the token server {realm} answered {cause}")]
    TokenFailed {
        /// The registry.
        registry: String,
        /// The token server.
        realm: RedactedUrl,
        /// Status or what is wrong with the answer.
        cause: String,
    },
    /// The registry sends requests where they may not go: a downgrade to plain HTTP, too many times, or not a URL.
    #[error("{registry}: redirects to {to}, {reason}")]
    RedirectRefused {
        /// The registry.
        registry: String,
        /// Where to.
        to: RedactedUrl,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// An answer without what the specification demands, for example an upload without `Location`.
    #[error("{registry}: {what}: {reason}")]
    Protocol {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
        /// What is missing or wrong.
        reason: String,
    },
    /// Another client kept replacing the fallback index; the referrer is stored and not listed.
    #[error("{repository}: the referrers tag {tag} was overwritten by others {tries} times")]
    FallbackContended {
        /// The repository.
        repository: String,
        /// The fallback tag.
        tag: String,
        /// Tries made.
        tries: u32,
    },
    /// The credentials could not be read.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// A text that names neither an image nor a layout nor an archive.
    #[error("`{written}`: {reason}")]
    BadLocation {
        /// The text.
        written: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// An archive or layout that leads outside itself, is truncated, or is not one.
    #[error("{}: {reason}", path.display())]
    BadArchive {
        /// The archive or layout.
        path: PathBuf,
        /// What is wrong, with the entry's name.
        reason: String,
    },
    /// The client could not be set up: a CA file without certificates, for example.
    #[error("registry client: {reason}")]
    Setup {
        /// What is wrong.
        reason: String,
    },
}

impl OciError {
    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::File { path: path.to_owned(), cause: error.to_string() }
    }

    /// Whether the registry said that the thing does not exist: the one failure that means "none".
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

impl Explain for OciError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "registry-unreachable",
            Self::Unauthorized { .. } => "unauthorized",
            Self::NotFound { .. } => "not-found",
            Self::RateLimited { .. } => "rate-limited",
            Self::ServerError { .. } => "registry-failed",
            Self::Refused { .. } => "registry-refused",
            Self::DigestMismatch { .. } => "digest-mismatch",
            Self::SizeMismatch { .. } => "size-mismatch",
            Self::TooLarge { .. } => "manifest-too-large",
            Self::TooMany { .. } => "too-many-entries",
            Self::InvalidManifest { .. } => "manifest-invalid",
            Self::SchemaOne { .. } => "manifest-schema-1",
            Self::NoPlatform { .. } => "platform-not-found",
            Self::TokenRealmRefused { .. } => "token-realm-refused",
            Self::TokenFailed { .. } => "token-failed",
            Self::RedirectRefused { .. } => "redirect-refused",
            Self::Protocol { .. } => "registry-protocol",
            Self::FallbackContended { .. } => "referrers-tag-contended",
            Self::Credentials(error) => error.code(),
            Self::BadLocation { .. } => "image-location-invalid",
            Self::File { .. } => "image-file-unreadable",
            Self::BadArchive { .. } => "image-archive-invalid",
            Self::Setup { .. } => "registry-client-setup",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { .. } => {
                "Check the name, the network and the proxy settings: assay config show --origin".into()
            }
            Self::Unauthorized { registry, authenticated: false, .. } => format!("Log in: docker login {registry}"),
            Self::Unauthorized { registry, .. } => {
                format!("Check that the account may do this, or log in again: docker login {registry}")
            }
            Self::NotFound { .. } => "Check the spelling; a private repository also looks like this without a login".into(),
            Self::RateLimited { retry_after: Some(seconds), .. } => format!("Try again in {seconds} s, or log in"),
            Self::RateLimited { .. } => "Try again later, or log in for a higher limit".into(),
            Self::ServerError { .. } => "Try again; if it stays, ask whoever runs the registry".into(),
            Self::Refused { code, .. } if code.contains("IMMUTABLE") => {
                "The tag exists and may not move: push under a new tag".into()
            }
            Self::DigestMismatch { .. } | Self::SizeMismatch { .. } => {
                "Do not use this content. Pull again past any proxy or cache; if it stays, the registry is not to be trusted"
                    .into()
            }
            Self::SchemaOne { .. } => "Push the image again with a current tool: docker pull, docker push".into(),
            Self::NoPlatform { .. } => "Choose one of those with --platform os/architecture".into(),
            Self::TokenRealmRefused { .. } => {
                "If this token server is right, allow it for this registry in the configuration (token realms)".into()
            }
            Self::FallbackContended { .. } => "Run the command again".into(),
            Self::Credentials(error) => return error.next_step(),
            Self::BadLocation { .. } => {
                "Write registry/repository[:tag][@digest], oci:DIR[:tag|@digest], oci-archive:FILE or docker-archive:FILE".into()
            }
            _ => return None,
        })
    }
}
