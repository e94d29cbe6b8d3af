//! `assay trust root`.

use std::path::PathBuf;

use assay_model::{Digest, Timestamp};
use assay_sign::{TufClient, TufInstance, TufOptions, TufRoots};
use serde::Serialize;

use crate::Result;
use crate::failure::{CliError, write_file};
use crate::session::Session;
use crate::settings::Settings;

/// Whose root, and where to write it.
#[derive(Debug)]
pub(crate) struct RootOptions {
    /// The instance.
    pub(crate) instance: TufInstance,
    /// File to write.
    pub(crate) to: Option<PathBuf>,
}

/// A trusted root and what vouches for it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootOutcome {
    /// The instance.
    pub(crate) instance: String,
    /// Its mirror.
    pub(crate) mirror: String,
    /// The newest good root; none where no refresh has succeeded yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) root: Option<GoodRoot>,
    /// The file it was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
}

/// A root that was verified over TUF.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GoodRoot {
    /// Digest of `trusted_root.json`.
    pub(crate) digest: Digest,
    /// Versions of root, timestamp, snapshot and targets.
    pub(crate) versions: [u64; 4],
    /// When the metadata must have been refreshed.
    pub(crate) expires: Timestamp,
    /// Whether that has passed.
    pub(crate) expired: bool,
    /// Whether the instance names its signing services.
    pub(crate) signing_config: bool,
}

impl GoodRoot {
    fn of(roots: &TufRoots, now: Timestamp) -> Self {
        let versions = roots.versions;
        Self {
            digest: Digest::of(&roots.trusted_root),
            versions: [versions.root, versions.timestamp, versions.snapshot, versions.targets],
            expires: roots.expires,
            expired: roots.expires < now,
            signing_config: roots.signing_config.is_some(),
        }
    }
}

/// Fetches the newest root.
pub(crate) fn update(options: RootOptions, session: &Session<'_>) -> Result<RootOutcome> {
    if session.settings.offline.value {
        return Err(CliError::Usage {
            message: "a root is fetched from its mirror, and --offline forbids it".to_owned(),
            next: "without --offline, or assay trust root show".to_owned(),
        }
        .into());
    }
    let (client, now) = (client(&options.instance, session.settings)?, Timestamp::now());
    let roots = session.run(async { client.refresh(now).await.map_err(Into::into) })?;
    if let Some(file) = &options.to {
        write_file(file, &roots.trusted_root)?;
    }
    Ok(outcome(&options.instance, Some(&roots), now, options.to.clone()))
}

/// Shows the last good root.
pub(crate) fn show(options: &RootOptions, session: &Session<'_>) -> Result<RootOutcome> {
    let client = client(&options.instance, session.settings)?;
    let roots = session.run(async { client.last_good().await.map_err(Into::into) })?;
    Ok(outcome(&options.instance, roots.as_ref(), Timestamp::now(), None))
}

/// An instance of somebody's own. Each first root has a folder of its own.
pub(crate) fn custom(mirror: &str, root: Vec<u8>) -> TufInstance {
    let name: String = Digest::of(&root).hex().chars().take(16).collect();
    TufInstance::custom(&format!("custom-{name}"), mirror, root)
}

/// The client of an instance, with its folder in the cache.
pub(crate) fn client(instance: &TufInstance, settings: &Settings) -> Result<TufClient> {
    let folder = settings.cache_dir.value.join("tuf").join(instance.name());
    let options = TufOptions { ca_file: settings.ca_file.value.clone() };
    Ok(TufClient::new(instance.clone(), folder, &options)?)
}

fn outcome(instance: &TufInstance, roots: Option<&TufRoots>, now: Timestamp, file: Option<PathBuf>) -> RootOutcome {
    RootOutcome {
        instance: instance.name().to_owned(),
        mirror: instance.mirror().to_owned(),
        root: roots.map(|roots| GoodRoot::of(roots, now)),
        file,
    }
}
