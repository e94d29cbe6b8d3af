//! The certificate that is presented, and its change while connections live.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use assay_model::Explain;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum CertificateSource {
    /// PEM files, read again when they change. cert-manager writes them so.
    Files {
        /// The chain, leaf first.
        certificate: PathBuf,
        /// The private key (PKCS#8, SEC1 or PKCS#1).
        key: PathBuf,
    },
    /// A certificate of its own, made at start and signed by an authority that exists for this process only. For
    /// development and the lab: [`Running::ca_certificate`](crate::Running::ca_certificate) is what clients need.
    Development {
        /// Host names and addresses it is for.
        names: Vec<String>,
    },
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read as PEM.
    #[error("{path} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// The key is of no kind we know, or does not belong to the certificate.
    #[error("certificate and key do not fit: {0}")]
    Mismatch(rustls::Error),
    /// The development certificate could not be made; a name is not a host name.
    #[error("no development certificate: {0}")]
    Development(#[from] rcgen::Error),
}

impl Explain for CertificateError {
    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "certificate-unreadable",
            Self::Mismatch(_) => "certificate-mismatch",
            Self::Development(_) => "certificate-development",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::File { .. } => Some("Check --tls-cert and --tls-key, and that this user may read them".into()),
            Self::Mismatch(_) => Some("Give the key that the certificate was issued for".into()),
            Self::Development(_) => None,
        }
    }
}

/// The certificate of now. New handshakes take the newest one; connections keep theirs.
#[derive(Debug)]
pub(crate) struct Certificate {
    source: CertificateSource,
    current: RwLock<Arc<CertifiedKey>>,
    modified: RwLock<Option<(SystemTime, SystemTime)>>,
    ca: Option<String>,
}

impl Certificate {
    pub(crate) fn load(source: CertificateSource) -> Result<Self, CertificateError> {
        let (key, ca) = match &source {
            CertificateSource::Files { .. } => (read(&source)?, None),
            CertificateSource::Development { names } => {
                let (key, ca) = development(names)?;
                (key, Some(ca))
            }
        };
        let modified = RwLock::new(modified(&source));
        Ok(Self { current: RwLock::new(Arc::new(key)), modified, ca, source })
    }

    /// The authority of a development certificate, PEM.
    pub(crate) fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// Reads the files again. Where they cannot be used, the certificate of before stays.
    pub(crate) fn reload(&self) -> Result<(), CertificateError> {
        if matches!(self.source, CertificateSource::Files { .. }) {
            let modified = modified(&self.source);
            let key = Arc::new(read(&self.source)?);
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = key;
            *self.modified.write().unwrap_or_else(PoisonError::into_inner) = modified;
        }
        Ok(())
    }

    /// Presents another certificate from now on. Where it cannot be used, the one of before stays.
    pub(crate) fn present(&self, chain: &str, key: &str) -> Result<(), CertificateError> {
        let unreadable = |source| CertificateError::File { path: "authority".into(), source };
        let chain =
            CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable)?;
        let key = certified(chain, key, &aws_lc_rs::default_provider())?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
        Ok(())
    }

    /// Whether the files look different from those that were read.
    pub(crate) fn is_stale(&self) -> bool {
        let now = modified(&self.source);
        now.is_some() && now != *self.modified.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The TLS configuration that presents it.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<ServerConfig, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(CertificateError::Mismatch)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn modified(source: &CertificateSource) -> Option<(SystemTime, SystemTime)> {
    let CertificateSource::Files { certificate, key } = source else { return None };
    let of = |path| std::fs::metadata(path).and_then(|metadata: std::fs::Metadata| metadata.modified()).ok();
    Some((of(certificate)?, of(key)?))
}

fn read(source: &CertificateSource) -> Result<CertifiedKey, CertificateError> {
    let CertificateSource::Files { certificate, key } = source else {
        return Err(CertificateError::Mismatch(rustls::Error::NoCertificatesPresented));
    };
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |source| CertificateError::File { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed(certificate))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(failed(key))?;
    certified(chain, key, &aws_lc_rs::default_provider())
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    CertifiedKey::from_der(chain, key, provider).map_err(CertificateError::Mismatch)
}

/// A leaf and the authority that signed it.
fn development(names: &[String]) -> Result<(CertifiedKey, String), CertificateError> {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name.push(DnType::CommonName, "Assay development authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut leaf = CertificateParams::new(names.to_vec())?;
    leaf.distinguished_name.push(DnType::CommonName, "assay");
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = leaf.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let certified = certified(vec![certificate.der().clone()], key, &aws_lc_rs::default_provider())?;
    Ok((certified, authority.pem()))
}
