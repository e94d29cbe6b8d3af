//! `assay verify --notation-policy`: whether a Notation trust policy accepts a signature of an image or a file.

use std::path::{Path, PathBuf};

use assay_model::{Digest, Explain as _, Timestamp};
use assay_oci::ImageSource;
use assay_trust::notation::{
    BlobTrustPolicy, EnvelopeFormat, Level, NotationError, NotationOutcome, NotationTrust, OciTrustPolicy,
    PolicyStatement, SignedArtifact, StatementTrust, StoreName, TrustStores,
};
use assay_trust::{CheckName, Evidence, RevocationData, Signer, TrustMaterial};

use super::verify::{RejectedEvidence, VerifiedEvidence, VerifyOutcome, image_evidence};
use crate::Result;
use crate::failure::{CliError, Failure, read_file};
use crate::session::Session;

/// Most files of one trust store.
const FILES_MAX: usize = 256;

/// What must hold.
#[derive(Debug)]
pub(crate) struct NotationOptions {
    /// What is verified.
    pub(crate) artifact: SignedFile,
    /// The trust policy's file.
    pub(crate) policy: PathBuf,
    /// The folder of trust stores.
    pub(crate) stores: PathBuf,
}

/// What is verified.
#[derive(Debug)]
pub(crate) enum SignedFile {
    /// An image and what refers to it.
    Image(Box<ImageSource>),
    /// A file with its signature beside it.
    File {
        /// The file.
        file: PathBuf,
        /// Its signature.
        signature: PathBuf,
        /// The statement of the policy; none means the global one.
        statement: Option<String>,
    },
}

/// Verifies.
pub(crate) fn verify(options: &NotationOptions, session: &Session<'_>) -> Result<VerifyOutcome> {
    let json = read_file(&options.policy)?;
    let refused = |error| Failure::from(error).about(options.policy.display());
    match &options.artifact {
        SignedFile::Image(image) => {
            let policy = OciTrustPolicy::parse(&json).map_err(refused)?;
            let stores = stores(&options.stores, policy.statements())?;
            let material = TrustMaterial::new().with_notation(NotationTrust::new(policy, stores));
            let found = image_evidence(image, material, session)?;
            let mut outcome = empty(image.to_string(), found.digest);
            for evidence in &found.evidence.verified {
                if matches!(evidence.signer(), Signer::Certificate { .. }) {
                    outcome.verified = true;
                    outcome.logged.extend(logged_checks(evidence));
                    outcome.evidence.push(VerifiedEvidence::of(evidence));
                }
            }
            outcome.rejected.extend(found.evidence.rejected.into_iter().map(|claim| RejectedEvidence {
                source: Some(claim.source),
                code: claim.code,
                message: claim.message,
            }));
            Ok(outcome)
        }
        SignedFile::File { file, signature, statement } => {
            let policy = BlobTrustPolicy::parse(&json).map_err(refused)?;
            let stores = stores(&options.stores, policy.statements())?;
            let chosen = match statement {
                Some(name) => policy.statement(name),
                None => policy.global(),
            };
            let chosen = chosen.ok_or_else(|| CliError::NotFound {
                what: statement
                    .as_ref()
                    .map_or("a global statement".to_owned(), |name| format!("a statement `{name}`")),
                suggestion: None,
                next: format!("--notation-statement NAME, one of {}", options.policy.display()),
            })?;
            let (bytes, envelope) = (read_file(file)?, read_file(signature)?);
            // What is neither is read as JSON, so that the refusal says what is wrong with it.
            let format = EnvelopeFormat::guess(&envelope).unwrap_or(EnvelopeFormat::Jws);
            let artifact = SignedArtifact::Blob { bytes: &bytes, media_type: None };
            let now = Timestamp::now();
            let trust = StatementTrust::new(chosen, &stores);
            let judge = |data: &RevocationData| trust.verify(&envelope, format, artifact, data, now);
            let judged = match session.authorities()? {
                Some(authorities) => session.run(async { Ok(authorities.settle(now, judge).await) })?,
                None => judge(&RevocationData::new()),
            };
            let mut outcome = empty(file.display().to_string(), Digest::of(&bytes));
            judge_file(&mut outcome, &judged, Digest::of(&envelope));
            Ok(outcome)
        }
    }
}

fn judge_file(outcome: &mut VerifyOutcome, judged: &NotationOutcome, source: Digest) {
    let rejected = |error: &NotationError| RejectedEvidence {
        source: Some(source),
        code: error.code().to_owned(),
        message: error.to_string(),
    };
    if let Some(evidence) = &judged.evidence {
        outcome.verified = true;
        outcome.logged.extend(judged.logged().map(rejected));
        outcome.evidence.push(VerifiedEvidence::of(evidence));
    } else if judged.level == Level::Skip {
        let message = format!("the trust policy skips it (statement {}): nothing was verified", judged.statement);
        let code = "trust-policy-skips".to_owned();
        outcome.rejected.push(RejectedEvidence { source: Some(source), code, message });
    } else {
        outcome.rejected.extend(judged.refusal().or_else(|| judged.logged().next()).map(rejected));
    }
}

fn logged_checks(evidence: &Evidence) -> impl Iterator<Item = RejectedEvidence> + '_ {
    evidence.checks().iter().filter_map(|check| {
        let code = match check.name {
            CheckName::Expiry => "signature-expired",
            CheckName::Timestamp => "signing-time-unproven",
            CheckName::Revocation => "revocation-unknown",
            _ => "check-failed",
        };
        let message = check.failed.clone()?;
        Some(RejectedEvidence { source: Some(evidence.source()), code: code.to_owned(), message })
    })
}

fn empty(artifact: String, digest: Digest) -> VerifyOutcome {
    VerifyOutcome {
        artifact,
        digest: Some(digest),
        verified: false,
        wanted: "Notation signature".to_owned(),
        evidence: Vec::new(),
        rejected: Vec::new(),
        logged: Vec::new(),
    }
}

/// Reads the stores that the statements name, from `x509/KIND/NAME` below the folder, or `KIND/NAME`. A store that is
/// missing fails the signatures that need it.
fn stores<'a>(folder: &Path, statements: impl Iterator<Item = &'a PolicyStatement>) -> Result<TrustStores> {
    let below = folder.join("x509");
    let folder = if below.is_dir() { &below } else { folder };
    let mut named: Vec<&StoreName> = statements.flat_map(PolicyStatement::stores).collect();
    named.sort_unstable();
    named.dedup();
    let mut stores = TrustStores::new();
    for store in named {
        let directory = folder.join(store.kind().word()).join(store.name());
        for file in files(&directory)? {
            let added = stores.with_file(store.clone(), &read_file(&file)?);
            stores = added.map_err(|error| Failure::from(error).about(file.display()))?;
        }
    }
    Ok(stores)
}

/// The files of a store. A link could lead anywhere, and a folder would be passed over unseen: both are refused.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let unusable = |what: &Path| CliError::Malformed {
        what: what.display().to_string(),
        message: "a trust store is a folder of certificate files, without links and folders in it".to_owned(),
    };
    let is_directory = match std::fs::symlink_metadata(directory) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(CliError::Unreadable { path: directory.to_owned(), source }.into()),
    };
    if !is_directory {
        return Err(unusable(directory).into());
    }
    let unreadable = |source| CliError::Unreadable { path: directory.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_type().map_err(unreadable)?.is_file() || found.len() >= FILES_MAX {
            return Err(unusable(&entry.path()).into());
        }
        found.push(entry.path());
    }
    found.sort();
    Ok(found)
}
