//! Trusted roots over TUF: from a root that is compiled in or given once to the newest `trusted_root.json`
//! (The Update Framework, specification 1.0, section 5), and what was good last when the mirror fails.
//!
//! The protocol itself is `sigstore-tuf`; around it stand our bounds, our transport, a cache in which every file is
//! replaced as a whole, and the last good root, which is verified again from the embedded root whenever it is read.
//! Nothing here is on a path of verification: [`RootRefresher`] runs beside it, and `assay-trust` is handed bytes.
//!
//! ```
//! use assay_sign::{TufClient, TufInstance, TufOptions};
//!
//! let folder = std::env::temp_dir().join("assay-tuf-example");
//! let client = TufClient::new(TufInstance::public_good(), folder, &TufOptions::default())?;
//! assert_eq!(client.instance().mirror(), "https://tuf-repo-cdn.sigstore.dev");
//! // `client.refresh(now).await` asks the mirror, `client.last_good().await` only the folder.
//! # Ok::<(), assay_sign::TufError>(())
//! ```

mod cache;
mod error;
mod instance;
mod keys;
mod last_good;
mod refresher;
mod transport;

use std::path::PathBuf;

use assay_model::Timestamp;
use assay_trust::TrustMaterial;
use sigstore_tuf::metadata::Role as _;
use sigstore_tuf::{Updater, UpdaterConfig};

use cache::Cache;
use error::cause;
use instance::{SIGNING_CONFIG, TRUSTED_ROOT};
use transport::Mirror;

pub use error::TufError;
pub use instance::TufInstance;
pub use refresher::{RefreshFailure, RefresherHandle, RootRefresher, RootState};

/// Largest target read: trusted roots have some ten kilobytes.
const TARGET_MAX: u64 = 4 << 20;
/// Longest name of a target.
const NAME_MAX: usize = 1024;

/// How a mirror is reached.
#[derive(Clone, Debug, Default)]
pub struct TufOptions {
    /// PEM file of certificate authorities trusted besides Mozilla's.
    pub ca_file: Option<PathBuf>,
}

/// A client of one instance's repository, with its own folder.
#[derive(Clone, Debug)]
pub struct TufClient {
    instance: TufInstance,
    directory: PathBuf,
    mirror: Mirror,
}

/// What a repository says, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TufRoots {
    /// The bytes of `trusted_root.json`: [`TrustMaterial::with_trusted_root`] takes them.
    pub trusted_root: Vec<u8>,
    /// The bytes of `signing_config.v0.2.json`, if the repository has one.
    pub signing_config: Option<Vec<u8>>,
    /// Versions of the metadata that vouches for them.
    pub versions: TufVersions,
    /// When the first of root, timestamp, snapshot and targets expires: from then on a refresh must have succeeded, or
    /// somebody may be holding back a newer root.
    pub expires: Timestamp,
}

/// Versions of the four top-level roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TufVersions {
    /// Root.
    pub root: u64,
    /// Timestamp.
    pub timestamp: u64,
    /// Snapshot.
    pub snapshot: u64,
    /// Targets.
    pub targets: u64,
}

impl TufClient {
    /// A client that keeps what it knows below `directory`. Reads the CA file; asks nobody yet.
    pub fn new(instance: TufInstance, directory: PathBuf, options: &TufOptions) -> Result<Self, TufError> {
        keys::check(&instance.root)?;
        let mirror = Mirror::new(&instance, options.ca_file.as_deref())?;
        Ok(Self { instance, directory, mirror })
    }

    /// Whose repository it is.
    pub fn instance(&self) -> &TufInstance {
        &self.instance
    }

    /// Asks the mirror for the newest metadata, the trusted root and the signing configuration, and keeps them as the
    /// last good ones.
    ///
    /// # Errors
    /// The cause. Nothing that was good before is lost: see [`TufClient::last_good`].
    pub async fn refresh(&self, now: Timestamp) -> Result<TufRoots, TufError> {
        let mut session = self.session(now).await?;
        let roots = session.roots().await?;
        last_good::keep(&self.directory, &session.cache.seen(), roots.versions)?;
        Ok(roots)
    }

    /// What the last successful refresh got, verified again from the embedded root. Its age does not matter, its
    /// signatures do: a changed file is as good as none.
    ///
    /// # Errors
    /// If a file is there that cannot be read, or that does not verify.
    pub async fn last_good(&self) -> Result<Option<TufRoots>, TufError> {
        let Some(kept) = last_good::read(&self.directory)? else { return Ok(None) };
        let cache = Cache::replay(kept);
        let updater = Updater::new(cache.repository(), &self.instance.root).map_err(cause)?;
        let updater = updater.with_config(limits()).with_store(cache.clone());
        // The beginning of time: nothing has expired then.
        let mut session = TufSession { updater, cache, now: Timestamp::MIN };
        session.updater.refresh(session.now).await.map_err(cause)?;
        session.roots().await.map(Some)
    }

    /// Asks the mirror for the newest metadata; the session then fetches any target.
    pub async fn session(&self, now: Timestamp) -> Result<TufSession, TufError> {
        let cache = Cache::on_disk(&self.directory);
        let updater = Updater::new(self.mirror.clone(), &self.instance.root).map_err(cause)?;
        let mut updater = updater.with_config(limits()).with_store(cache.clone());
        updater.refresh(now).await.map_err(cause)?;
        Ok(TufSession { updater, cache, now })
    }
}

/// A repository whose metadata was refreshed.
#[derive(Debug)]
pub struct TufSession {
    updater: Updater,
    cache: Cache,
    now: Timestamp,
}

impl TufSession {
    /// The bytes of a target: from the cache where they are still the ones that are named, else from the mirror.
    pub async fn target(&mut self, name: &str) -> Result<Vec<u8>, TufError> {
        check_name(name)?;
        self.updater.get_target(name, self.now).await.map_err(cause)
    }

    /// Versions of the metadata.
    pub fn versions(&self) -> TufVersions {
        let trusted = self.updater.trusted();
        TufVersions {
            root: trusted.root().version,
            timestamp: trusted.timestamp().map_or(0, |role| role.version),
            snapshot: trusted.snapshot().map_or(0, |role| role.version),
            targets: trusted.targets_role("targets").map_or(0, |role| role.version),
        }
    }

    fn expires(&self) -> Timestamp {
        let trusted = self.updater.trusted();
        let all = [
            Some(trusted.root().expires()),
            trusted.timestamp().map(sigstore_tuf::Role::expires),
            trusted.snapshot().map(sigstore_tuf::Role::expires),
            trusted.targets_role("targets").map(sigstore_tuf::Role::expires),
        ];
        all.into_iter().flatten().min().unwrap_or(Timestamp::MIN)
    }

    async fn roots(&mut self) -> Result<TufRoots, TufError> {
        let trusted_root = self.target(TRUSTED_ROOT).await?;
        // What this build cannot use must not replace what it can.
        TrustMaterial::new()
            .with_trusted_root(&trusted_root)
            .map_err(|error| TufError::Root { reason: error.to_string() })?;
        let signing_config = match self.target(SIGNING_CONFIG).await {
            Ok(bytes) => Some(bytes),
            Err(TufError::NoTarget { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(TufRoots { trusted_root, signing_config, versions: self.versions(), expires: self.expires() })
    }
}

fn limits() -> UpdaterConfig {
    let mut limits = UpdaterConfig::default();
    limits.target_max_length = TARGET_MAX;
    limits
}

/// Names of targets are paths below a folder, whatever the metadata lists.
fn check_name(name: &str) -> Result<(), TufError> {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    let character = |c: char| !c.is_control() && !matches!(c, '\\' | ':' | '?' | '#' | '%');
    if name.len() <= NAME_MAX && name.split('/').all(part) && name.chars().all(character) {
        return Ok(());
    }
    Err(TufError::TargetName { name: name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_targets_stay_in_their_folder() {
        for name in ["trusted_root.json", "registry.npmjs.org/keys.json", "a b", "a..b"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\\b", "c:a", "a\0", "a%2e", "a?b", "a#b"] {
            assert!(matches!(check_name(name), Err(TufError::TargetName { .. })), "{name}");
        }
        assert!(check_name(&"a".repeat(NAME_MAX + 1)).is_err());
    }

    #[test]
    fn embedded_roots_are_signed_by_themselves_and_current_enough() {
        for instance in TufInstance::all() {
            let trusted = sigstore_tuf::TrustedMetadataSet::from_root(&instance.root).unwrap();
            assert!(trusted.root().consistent_snapshot, "{}", instance.name());
            // They are replaced with each release; one that has long expired was forgotten.
            assert!(trusted.root().expires() > "2027-01-01T00:00:00Z".parse().unwrap(), "{}", instance.name());
            keys::check(&instance.root).unwrap();
        }
    }
}
