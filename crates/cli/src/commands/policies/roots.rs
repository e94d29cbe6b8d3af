//! TrustRoots as files write them -> the material that evidence is verified against.

use std::path::Path;
use std::time::Duration;

use assay_kinds::{NotationStoreKind, SigstoreInstance, SigstoreRoot, Span, TrustRoot, TufRepository};
use assay_model::Digest;
use assay_sign::{TufClient, TufInstance};
use assay_trust::TrustMaterial;
use assay_trust::notation::{NotationTrust, OciTrustPolicy, StoreKind, StoreName, TrustStores};
use futures_util::FutureExt as _;

use crate::Result;
use crate::commands::root;
use crate::failure::{CliError, read_file, read_text};
use crate::settings::Settings;

/// How often a repository is asked: its metadata lives for days.
const REFRESH_HOURS: u32 = 6;

/// A TUF repository that a TrustRoot names.
#[derive(Clone, Debug)]
pub(crate) struct TufSource {
    /// Asks it.
    pub(crate) client: TufClient,
    /// How often servers do.
    pub(crate) every: Duration,
    /// The trusted root of it that was read; none where none was fetched yet.
    pub(crate) read: Option<Digest>,
}

/// The material of a TrustRoot, and the repository that it names. Nobody is asked here: of a repository the last good
/// root counts.
pub(crate) fn material(
    file: &Path,
    root: &TrustRoot,
    settings: &Settings,
) -> Result<(TrustMaterial, Option<TufSource>)> {
    let beside = |name: &str| file.parent().unwrap_or(Path::new("")).join(name);
    let mut material = TrustMaterial::new();
    let mut source = None;
    material = match &root.spec.sigstore {
        None => material,
        Some(SigstoreRoot::PublicGood) => material.with_public_good()?,
        Some(SigstoreRoot::Github) => material.with_github()?,
        Some(SigstoreRoot::Staging) => material.with_staging()?,
        Some(SigstoreRoot::Tuf(repository)) => {
            let (found, read) = tuf(file, repository, settings)?;
            source = Some(found);
            read
        }
        Some(SigstoreRoot::File(name)) => material.with_trusted_root(&read_file(&beside(name))?)?,
        Some(SigstoreRoot::Inline(text)) => material.with_trusted_root(text.as_bytes())?,
    };
    for key in &root.spec.keys {
        let pem = match (&key.pem, &key.file) {
            (Some(pem), None) => pem.clone(),
            (None, Some(name)) => read_text(&beside(name))?,
            _ => return Err(malformed(file, format!("key {}: one of `pem` and `file` is needed", key.name)).into()),
        };
        material = material.with_named_key(&key.name, &pem)?;
    }
    if let Some(trust) = &root.spec.notation {
        material = material.with_notation(notation(file, trust)?);
    }
    Ok((material, source))
}

fn malformed(file: &Path, message: String) -> CliError {
    CliError::Malformed { what: file.display().to_string(), message }
}

/// The repository, and what it said last. One that was never asked vouches for the root that is built in, or for nothing.
fn tuf(file: &Path, written: &TufRepository, settings: &Settings) -> Result<(TufSource, TrustMaterial)> {
    let mut instance = match (written.instance, &written.mirror, &written.root) {
        (Some(SigstoreInstance::PublicGood), _, None) => TufInstance::public_good(),
        (Some(SigstoreInstance::Github), _, None) => TufInstance::github(),
        (Some(SigstoreInstance::Staging), _, None) => TufInstance::staging(),
        (None, Some(mirror), Some(name)) => {
            root::custom(mirror, read_file(&file.parent().unwrap_or(Path::new("")).join(name))?)
        }
        _ => {
            let message = "a TUF repository is a known `instance`, or has a `mirror` and a first `root`".to_owned();
            return Err(malformed(file, message).into());
        }
    };
    if let Some(mirror) = &written.mirror {
        instance = instance.with_mirror(mirror);
    }
    let seconds = written.refresh_every.unwrap_or(Span::hours(REFRESH_HOURS)).seconds();
    let client = root::client(&instance, settings)?;
    let (mut read, mut material) = (None, None);
    // Files only, so that it is there at once.
    match client.last_good().now_or_never() {
        Some(Ok(Some(roots))) => {
            read = Some(Digest::of(&roots.trusted_root));
            material = Some(TrustMaterial::new().with_trusted_root(&roots.trusted_root)?);
        }
        Some(Ok(None)) | None => {}
        Some(Err(error)) => {
            tracing::warn!(root = instance.name(), %error, "the root that was kept is not used");
        }
    }
    let material = match (material, written.instance) {
        (Some(material), _) => material,
        (None, Some(SigstoreInstance::PublicGood)) => TrustMaterial::new().with_public_good()?,
        (None, Some(SigstoreInstance::Github)) => TrustMaterial::new().with_github()?,
        (None, Some(SigstoreInstance::Staging)) => TrustMaterial::new().with_staging()?,
        (None, None) => {
            tracing::warn!(
                root = instance.name(),
                "nothing was fetched from {} yet, and nothing counts by it: assay trust root update",
                instance.mirror()
            );
            TrustMaterial::new()
        }
    };
    // Not more often than once a second, whatever is written.
    Ok((TufSource { client, every: Duration::from_secs(seconds.max(1)), read }, material))
}

/// The statements go through the reader of notation's own document: one set of rules for both.
fn notation(file: &Path, written: &assay_kinds::NotationTrust) -> Result<NotationTrust> {
    let document = serde_json::json!({"version": "1.0", "trustPolicies": written.trust_policies});
    let policy = OciTrustPolicy::parse(document.to_string().as_bytes())?;
    let mut stores = TrustStores::new();
    for store in &written.trust_stores {
        let kind = match store.kind {
            NotationStoreKind::Ca => StoreKind::Ca,
            NotationStoreKind::SigningAuthority => StoreKind::SigningAuthority,
            NotationStoreKind::Tsa => StoreKind::Tsa,
        };
        let name = StoreName::new(kind, &store.name).ok_or_else(|| {
            malformed(file, format!("trust store `{}`: a name has letters, digits, `_`, `.` and `-`", store.name))
        })?;
        if store.pem.is_none() && store.files.is_empty() {
            return Err(malformed(file, format!("trust store {name}: `pem` or `files` is needed")).into());
        }
        if let Some(pem) = &store.pem {
            stores = stores.with_file(name.clone(), pem.as_bytes())?;
        }
        for part in &store.files {
            let path = file.parent().unwrap_or(Path::new("")).join(part);
            stores = stores.with_file(name.clone(), &read_file(&path)?)?;
        }
    }
    Ok(NotationTrust::new(policy, stores))
}
