//! `assay key`.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use assay_model::{Digest, Secret};
use assay_sign::{KeyAlgorithm, PrivateKey};
use serde::Serialize;

use crate::Result;
use crate::commands::password::PasswordSource;
use crate::failure::{CliError, write_file};
use crate::printer::Printer;

/// A key pair that was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewKeyOutcome {
    /// File of the private key, PEM, mode 0600.
    pub(crate) private_key: PathBuf,
    /// File of the public key, SubjectPublicKeyInfo PEM.
    pub(crate) public_key: PathBuf,
    /// SHA-256 of the public key's DER form: how verdicts name it.
    pub(crate) fingerprint: Digest,
}

/// The key pair to make.
pub(crate) struct NewKeyOptions {
    /// Beginning of the two file names.
    pub(crate) prefix: PathBuf,
    /// Signature algorithm.
    pub(crate) algorithm: KeyAlgorithm,
    /// Where the password comes from, if the private key is to be encrypted as cosign does it.
    pub(crate) encrypted: Option<PasswordSource>,
}

/// Makes a key pair. Files that exist are never replaced: an old key may be all that opens something.
pub(crate) fn new(options: &NewKeyOptions, printer: &Printer) -> Result<NewKeyOutcome> {
    let prefix: &Path = &options.prefix;
    let beside = |extension: &str| {
        let mut path = prefix.as_os_str().to_owned();
        path.push(extension);
        PathBuf::from(path)
    };
    let (private_key, public_key) = (beside(".key"), beside(".pub"));
    for path in [&private_key, &public_key] {
        if path.exists() {
            return Err(CliError::Usage {
                message: format!("{} exists already", path.display()),
                next: "--to another prefix".to_owned(),
            }
            .into());
        }
    }
    let password = options.encrypted.map(|source| source.new_password(printer)).transpose()?;
    let key = PrivateKey::generate(options.algorithm)?;
    let secret = match &password {
        Some(password) => Secret::new(key.encrypted_pem(password)?),
        None => key.private_key_pem()?,
    };
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&private_key)
        .and_then(|mut file| file.write_all(secret.expose().as_bytes()))
        .map_err(CliError::unwritable(&private_key))?;
    write_file(&public_key, key.public_key_pem()?.as_bytes())?;
    Ok(NewKeyOutcome { private_key, public_key, fingerprint: key.fingerprint()? })
}
