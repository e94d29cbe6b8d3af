//! A key to sign with, wherever it is.

use assay_model::{Digest, Secret};

use crate::SignError;
use crate::environment::{Environment, read_file};
use crate::http::Http;
use crate::key::{KeyAlgorithm, PrivateKey, PublicKey, SignatureScheme};
use crate::kms::{self, RemoteKey};

/// Schemes of key references, for a message about another one.
const SCHEMES: &str = "env://, pkcs11:, hashivault://, awskms://, azurekms:// and gcpkms://";

/// A key to sign with: in memory, in a service, or behind a PKCS#11 module.
#[derive(Debug)]
pub struct SigningKey {
    holder: Holder,
    public: PublicKey,
}

#[derive(Debug)]
enum Holder {
    Memory(Box<PrivateKey>),
    Remote(Box<RemoteKey>),
}

impl From<PrivateKey> for SigningKey {
    fn from(key: PrivateKey) -> Self {
        let public = key.public_key().clone();
        Self { holder: Holder::Memory(Box::new(key)), public }
    }
}

impl SigningKey {
    /// Opens the key that a reference names.
    ///
    /// | reference | key |
    /// |---|---|
    /// | a path | a PEM file: PKCS#8, SEC1, PKCS#1, or cosign's encrypted form |
    /// | `env://NAME` | the same in an environment variable |
    /// | `pkcs11:token=T;object=O?module-path=F` | a PKCS#11 token (RFC 7512) |
    /// | `hashivault://KEY` | Vault's transit engine |
    /// | `awskms://[HOST]/KEY` | AWS KMS: an ARN, an id, or `alias/NAME` |
    /// | `azurekms://VAULT/KEY[/VERSION]` | Azure Key Vault |
    /// | `gcpkms://projects/...` | Google Cloud KMS |
    ///
    /// `password` is called only for an encrypted key.
    pub async fn open(
        reference: &str,
        environment: &Environment,
        http: &Http,
        password: impl FnOnce() -> Result<Secret<String>, SignError>,
    ) -> Result<Self, SignError> {
        if reference.starts_with("pkcs11:") {
            return Self::pkcs11(reference, environment);
        }
        let Some((scheme, rest)) = reference.split_once("://") else {
            let text = read_file(reference.as_ref()).map_err(|reason| SignError::KeyReference { reason })?;
            return Self::memory(&text, password);
        };
        let (remote, public) = match scheme {
            "env" => {
                let text = environment.secret(rest).ok_or_else(|| SignError::KeyReference {
                    reason: format!("the environment variable {rest} is not set"),
                })?;
                return Self::memory(text.expose(), password);
            }
            "hashivault" => {
                let (key, public) = kms::vault::open(rest, environment, http).await?;
                (RemoteKey::Vault(key), public)
            }
            "awskms" => {
                let (key, public) = kms::aws::open(rest, environment, http).await?;
                (RemoteKey::Aws(key), public)
            }
            "azurekms" => {
                let (key, public) = kms::azure::open(rest, environment, http).await?;
                (RemoteKey::Azure(key), public)
            }
            "gcpkms" => {
                let (key, public) = kms::google::open(rest, environment, http).await?;
                (RemoteKey::Google(key), public)
            }
            other => {
                let other: String = other.chars().take(32).collect();
                let reason = format!("there are no keys behind {other}://, but behind {SCHEMES}");
                return Err(SignError::KeyReference { reason });
            }
        };
        Ok(Self { holder: Holder::Remote(Box::new(remote)), public })
    }

    fn memory(text: &str, password: impl FnOnce() -> Result<Secret<String>, SignError>) -> Result<Self, SignError> {
        Ok(PrivateKey::from_pem_with(text, password)?.into())
    }

    #[cfg(feature = "pkcs11")]
    fn pkcs11(reference: &str, environment: &Environment) -> Result<Self, SignError> {
        let (key, public) = kms::pkcs11::open(reference, environment)?;
        Ok(Self { holder: Holder::Remote(Box::new(RemoteKey::Pkcs11(key))), public })
    }

    #[cfg(not(feature = "pkcs11"))]
    fn pkcs11(_: &str, _: &Environment) -> Result<Self, SignError> {
        Err(SignError::KeyReference { reason: "this build has no PKCS#11 (cargo feature pkcs11)".to_owned() })
    }

    /// Its public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.public.algorithm()
    }

    /// SHA-256 of the public key's DER.
    pub fn fingerprint(&self) -> Digest {
        self.public.fingerprint()
    }

    /// Signs `message`. ECDSA signatures are in their ASN.1 form. What a service signed was verified.
    pub async fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.holder {
            Holder::Memory(key) => key.sign_with(scheme, message),
            Holder::Remote(key) => Ok(key.sign(&self.public, scheme, message).await?),
        }
    }
}
