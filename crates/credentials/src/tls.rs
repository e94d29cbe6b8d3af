//! Whom we believe: the authorities that vouch for the other side of a connection.
//!
//! Everything that opens a TLS connection begins with [`builder`], so that certificates are checked in the same way
//! everywhere: TLS 1.2 or 1.3 by aws-lc, Mozilla's authorities, or those that somebody named. There is no way to check
//! nothing.
//!
//! ```
//! use assay_credentials::tls::{self, Authorities};
//!
//! let config = tls::builder(Authorities::Public)?.with_no_client_auth();
//! assert!(config.alpn_protocols.is_empty(), "the protocol is for the caller to say");
//! assert!(tls::builder(Authorities::Only(b"no certificate")).is_err());
//! # Ok::<(), assay_credentials::tls::AuthorityError>(())
//! ```

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// The authorities of a connection. PEM is the text of a file with one certificate or more.
#[derive(Clone, Copy, Debug)]
pub enum Authorities<'a> {
    /// Mozilla's.
    Public,
    /// Mozilla's, and those in this PEM.
    PublicAnd(&'a [u8]),
    /// Those in this PEM and no others.
    Only(&'a [u8]),
}

/// Why authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The PEM is broken.
    #[error("no certificate in PEM form: {0}")]
    Pem(#[from] pem::Error),
    /// A certificate cannot be an authority, or the cryptographic library has no protocol.
    #[error("{0}")]
    Certificate(#[from] rustls::Error),
    /// A file that was named says nothing: trusting what is left would surprise whoever named it.
    #[error("has no PEM certificate")]
    Empty,
}

/// TLS that believes these authorities; the caller says who we are (`with_no_client_auth`).
pub fn builder(authorities: Authorities<'_>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, AuthorityError> {
    let mut roots = RootCertStore::empty();
    if let Authorities::Public | Authorities::PublicAnd(_) = authorities {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Authorities::PublicAnd(pem) | Authorities::Only(pem) = authorities {
        let public = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate?)?;
        }
        if roots.len() == public {
            return Err(AuthorityError::Empty);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(authorities: Authorities<'_>) -> AuthorityError {
        builder(authorities).err().unwrap()
    }

    const BROKEN: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn a_file_that_names_nobody_is_refused() {
        for pem in [b"".as_slice(), b"text", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            for authorities in [Authorities::PublicAnd(pem), Authorities::Only(pem)] {
                assert!(matches!(refusal(authorities), AuthorityError::Empty));
            }
        }
        assert!(matches!(refusal(Authorities::Only(BROKEN)), AuthorityError::Certificate(_)));
        let open = b"-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(matches!(refusal(Authorities::PublicAnd(open)), AuthorityError::Pem(_)));
    }

    #[test]
    fn a_named_authority_is_taken() {
        let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        for authorities in [Authorities::PublicAnd(authority.as_bytes()), Authorities::Only(authority.as_bytes())] {
            assert!(builder(authorities).is_ok());
        }
    }
}
