//! Trust stores: named sets of certificates that signers' chains may end in.
//!
//! A store is filled with the bytes of its files; reading directories is the caller's part. The rules are those of
//! notaryproject/specifications, trust-store-trust-policy.md, trust store.

use std::collections::BTreeMap;
use std::fmt;

use assay_model::Explain;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::{Reader as _, SliceReader};
use serde::{Deserialize, Serialize};

use crate::x509::Certificate;

/// Largest file of a store, bytes.
const FILE_MAX: usize = 1 << 20;
/// Most certificates of one store.
const CERTIFICATES_MAX: usize = 512;
/// Most stores.
const STORES_MAX: usize = 256;

/// What the authorities of a store may vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StoreKind {
    /// Signers, under the signing scheme `notary.x509`.
    Ca,
    /// Signers and their signing time, under `notary.x509.signingAuthority`.
    SigningAuthority,
    /// Timestamps.
    Tsa,
}

impl StoreKind {
    /// The word of trust policies and directories.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::SigningAuthority => "signingAuthority",
            Self::Tsa => "tsa",
        }
    }

    /// The kind of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Ca, Self::SigningAuthority, Self::Tsa].into_iter().find(|kind| kind.word() == word)
    }
}

/// A store's kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName {
    kind: StoreKind,
    name: String,
}

impl StoreName {
    /// Checks the name: letters, digits, `_`, `.` and `-`. It is the name of a directory, so that `.` and `..` are none.
    pub fn new(kind: StoreKind, name: &str) -> Option<Self> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let good = !name.is_empty() && name.bytes().all(letter) && !matches!(name, "." | "..");
        good.then(|| Self { kind, name: name.to_owned() })
    }

    /// Its kind.
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.word(), self.name)
    }
}

/// Trust stores, parsed and checked.
#[derive(Clone, Debug, Default)]
pub struct TrustStores {
    stores: BTreeMap<StoreName, Vec<Certificate>>,
}

impl TrustStores {
    /// No store yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the certificates of a file to a store: PEM (one or more, text between them is passed over) or DER (one or
    /// more, one after the other).
    ///
    /// # Errors
    /// The file holds no certificate, or one that is neither an authority's nor self-signed; in a store of timestamp
    /// authorities, one that is no root.
    pub fn with_file(mut self, store: StoreName, file: &[u8]) -> Result<Self, StoreError> {
        let certificates = parse(file)?;
        for certificate in &certificates {
            let refused = |reason| StoreError::NotTrustable { subject: certificate.subject_text(), reason };
            if certificate.authority().is_none() && !certificate.is_self_signed() {
                return Err(refused("it is neither an authority's nor self-signed"));
            }
            let root = certificate.authority().is_some() && certificate.is_self_signed();
            if store.kind == StoreKind::Tsa && !root {
                return Err(refused("a store of timestamp authorities holds root certificates only"));
            }
        }
        if self.stores.len() >= STORES_MAX && !self.stores.contains_key(&store) {
            return Err(StoreError::TooLarge { what: "stores", limit: STORES_MAX });
        }
        let known = self.stores.entry(store).or_default();
        if known.len() + certificates.len() > CERTIFICATES_MAX {
            return Err(StoreError::TooLarge { what: "certificates of one store", limit: CERTIFICATES_MAX });
        }
        known.extend(certificates);
        Ok(self)
    }

    /// Whether there is such a store.
    pub fn contains(&self, store: &StoreName) -> bool {
        self.stores.contains_key(store)
    }

    /// How many certificates a store has.
    pub fn count(&self, store: &StoreName) -> usize {
        self.certificates(store).map_or(0, <[Certificate]>::len)
    }

    pub(super) fn certificates(&self, store: &StoreName) -> Option<&[Certificate]> {
        self.stores.get(store).map(Vec::as_slice)
    }
}

/// The certificates of a file.
fn parse(file: &[u8]) -> Result<Vec<Certificate>, StoreError> {
    if file.len() > FILE_MAX {
        return Err(StoreError::TooLarge { what: "bytes of a file", limit: FILE_MAX });
    }
    let malformed = |reason: String| StoreError::Malformed { reason };
    let text = std::str::from_utf8(file).ok().filter(|text| text.contains("-----BEGIN "));
    let ders = match text {
        Some(text) => pem_blocks(text).map_err(malformed)?,
        None => der_parts(file).map_err(|error| malformed(error.to_string()))?,
    };
    if ders.is_empty() {
        return Err(malformed("there is no certificate in it".to_owned()));
    }
    ders.iter().map(|der| Certificate::parse(der).map_err(|error| malformed(error.to_string()))).collect()
}

fn der_parts(bytes: &[u8]) -> der::Result<Vec<Vec<u8>>> {
    let mut reader = SliceReader::new(bytes)?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(reader.tlv_bytes()?.to_vec());
    }
    Ok(parts)
}

/// The bodies of PEM blocks (RFC 7468, lax: text before and between blocks is explanation).
fn pem_blocks(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) else {
            continue;
        };
        if label != "CERTIFICATE" {
            return Err(format!("it has a PEM block of type {label}"));
        }
        let end = format!("-----END {label}-----");
        let mut body = String::new();
        loop {
            match lines.next() {
                Some(line) if line == end => break,
                Some(line) => body.push_str(line),
                None => return Err("a PEM block does not end".to_owned()),
            }
        }
        blocks.push(STANDARD.decode(body).map_err(|error| error.to_string())?);
    }
    Ok(blocks)
}

/// Why a file was not taken into a trust store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It is neither PEM nor DER of certificates, or one of them cannot be read.
    #[error("the trust store's certificate cannot be read: {reason}")]
    Malformed {
        /// What the parser says.
        reason: String,
    },
    /// A certificate may not be trusted like this. Put the authority's root certificate there.
    #[error("certificate `{subject}` cannot be in a trust store: {reason}")]
    NotTrustable {
        /// Whose.
        subject: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A bound was exceeded.
    #[error("the trust store has too many {what}: at most {limit}")]
    TooLarge {
        /// What was counted.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
}

impl Explain for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "trust-store-malformed",
            Self::NotTrustable { .. } => "trust-store-certificate",
            Self::TooLarge { .. } => "trust-store-too-large",
        }
    }
}
