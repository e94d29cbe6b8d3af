//! The registry, asked from here for the image of a Pod, with the credentials of the Pod and no others.

use std::time::Duration;

use assay_gather::Access;
use assay_model::{Platform, Reference};
use assay_oci::{Client, ClientOptions, Manifest, OciError, Resolved, RetryOptions, Silence};

use super::{PullCause, alike};
use crate::Result;
use crate::session::Session;

/// For a connection, and between two bytes: somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// Largest configuration of an image that is read.
const CONFIGURATION_MAX: u64 = 1 << 20;

/// What came of asking.
pub(super) struct Probed {
    /// What stands in the way; none where it can be pulled.
    pub(super) cause: Option<PullCause>,
    /// What was found, in a sentence.
    pub(super) what: String,
    /// The Secret by which it was asked.
    pub(super) by: Option<String>,
    /// Tags that are there, where the one that was asked for is not.
    pub(super) tags: Vec<String>,
}

/// A client without credentials: what this machine may read says nothing about the Pod.
pub(super) fn client(session: &Session<'_>) -> Result<Client> {
    let settings = session.settings;
    Ok(Client::new(ClientOptions {
        ca_file: settings.ca_file.value.clone(),
        plain_http: settings.plain_http.value.iter().cloned().collect(),
        retry: RetryOptions { tries: 1, wait: Duration::ZERO, total: PATIENCE },
        connect_timeout: PATIENCE,
        read_timeout: PATIENCE,
        ..ClientOptions::default()
    })?)
}

/// Asks for an image by each Secret that is for its registry, or without any, until one is let in.
pub(super) async fn ask(
    anonymous: &Client,
    accesses: &[(String, Access)],
    reference: &Reference,
    platform: Option<&Platform>,
) -> Probed {
    let given = accesses.iter().filter(|(_, access)| access.is_given(reference.repository()));
    let mut ways: Vec<(Option<&str>, &Client)> =
        given.map(|(name, access)| (Some(name.as_str()), access.client())).collect();
    if ways.is_empty() {
        ways.push((None, anonymous));
    }
    let mut first = None;
    for (by, client) in ways {
        let probed = once(client, by, reference, platform).await;
        if probed.cause != Some(PullCause::Authentication) {
            return probed;
        }
        first.get_or_insert(probed);
    }
    first.unwrap_or_else(|| Probed { cause: Some(PullCause::Unknown), what: String::new(), by: None, tags: Vec::new() })
}

async fn once(client: &Client, by: Option<&str>, reference: &Reference, platform: Option<&Platform>) -> Probed {
    let way = by.map_or_else(
        || "without credentials, since the Pod has none for this registry".to_owned(),
        |secret| format!("by Secret {secret}"),
    );
    let found = |cause, what: String, tags| Probed {
        cause,
        what: format!("{what}, asked {way}"),
        by: by.map(str::to_owned),
        tags,
    };
    let error = match client.resolve(reference, platform).await {
        Ok(resolved) => {
            let own = of_single(client, &resolved).await;
            return match (own, platform) {
                (Some(own), Some(node)) if !runs_on(&own, node) => {
                    found(Some(PullCause::Architecture), format!("it is for {own} only"), Vec::new())
                }
                _ => found(None, "it can be pulled".to_owned(), Vec::new()),
            };
        }
        Err(error) => error,
    };
    let mut tags = Vec::new();
    let cause = match &error {
        OciError::Unauthorized { .. } | OciError::TokenFailed { .. } | OciError::TokenRealmRefused { .. } => {
            PullCause::Authentication
        }
        OciError::Unreachable { silence, .. } => match silence {
            Silence::Name => PullCause::Dns,
            Silence::TimedOut => PullCause::TimeOut,
            Silence::Refused => PullCause::Connection,
            Silence::Tls => PullCause::Certificate,
            Silence::Other => PullCause::Registry,
        },
        // A registry that lists the tags knows the repository.
        OciError::NotFound { .. } => match client.tags(reference.repository()).await {
            Ok(known) => {
                tags = reference.effective_tag().map(|tag| alike(tag, &known)).unwrap_or_default();
                PullCause::ManifestUnknown
            }
            Err(error) if error.is_not_found() => PullCause::NotFound,
            Err(_) => PullCause::ManifestUnknown,
        },
        OciError::NoPlatform { .. } => PullCause::Architecture,
        OciError::RateLimited { .. } => PullCause::RateLimited,
        OciError::ServerError { .. } | OciError::Protocol { .. } => PullCause::Registry,
        _ => PullCause::Unknown,
    };
    found(Some(cause), error.to_string(), tags)
}

/// The platform that an image without an index says of itself: no runtime looks at it before the first start fails.
async fn of_single(client: &Client, resolved: &Resolved) -> Option<Platform> {
    let Manifest::Image(manifest) = &resolved.manifest.manifest else { return None };
    if resolved.index.is_some() {
        return None;
    }
    let blob = client.blob(&resolved.subject.repository, &manifest.config).await.ok()?;
    let configuration: serde_json::Value = serde_json::from_slice(&blob.bytes(CONFIGURATION_MAX).await.ok()?).ok()?;
    format!("{}/{}", configuration["os"].as_str()?, configuration["architecture"].as_str()?).parse().ok()
}

/// Operating system and architecture are the same; variants run on newer ones of their kind.
fn runs_on(image: &Platform, node: &Platform) -> bool {
    let parts = |platform: &Platform| platform.to_string().split('/').take(2).map(str::to_owned).collect::<Vec<_>>();
    parts(image) == parts(node)
}
