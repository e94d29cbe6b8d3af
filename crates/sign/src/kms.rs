//! Keys that never leave their service: HashiCorp Vault, the key services of Amazon, Microsoft and Google, and PKCS#11.
//!
//! Each service is spoken to over its documented REST interface. The public key is fetched first, and every signature
//! that comes back is verified with it: a service that signs something else, or with another algorithm, is an error.
//!
//! A credential goes to the hosts of its own service, over HTTPS, or to this machine. A key's URI comes from a command
//! line or a build file, and must not be able to send a token elsewhere.

pub(crate) mod aws;
pub(crate) mod azure;
pub(crate) mod google;
#[cfg(feature = "pkcs11")]
pub(crate) mod pkcs11;
pub(crate) mod vault;

use std::fmt;

use assay_model::Explain;
use reqwest::Url;
use serde::de::DeserializeOwned;

use crate::http::{Call, Http, HttpFailure, address};
use crate::key::{Hash, PublicKey, SignatureScheme};

/// A service that holds keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyService {
    /// The transit engine of HashiCorp Vault or OpenBao.
    Vault,
    /// Amazon Key Management Service.
    Aws,
    /// Microsoft Azure Key Vault and Managed HSM.
    Azure,
    /// Google Cloud Key Management Service.
    Google,
    /// A PKCS#11 module.
    Pkcs11,
}

impl fmt::Display for KeyService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Vault => "Vault",
            Self::Aws => "AWS KMS",
            Self::Azure => "Azure Key Vault",
            Self::Google => "Google Cloud KMS",
            Self::Pkcs11 => "the PKCS#11 module",
        })
    }
}

/// Why a key service did not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyServiceError {
    /// The key's URI, or an address that the environment gives, cannot be used.
    #[error("{service}: {reason}")]
    Reference {
        /// Which service.
        service: KeyService,
        /// What was wrong.
        reason: String,
    },
    /// No credentials were found, or they could not be exchanged for a token.
    #[error("{service}: no credentials: {reason}")]
    Credentials {
        /// Which service.
        service: KeyService,
        /// What was looked for, or what failed. Never a part of a credential.
        reason: String,
    },
    /// There was no answer in time.
    #[error("{service} cannot be reached: {reason}")]
    Unreachable {
        /// Which service.
        service: KeyService,
        /// What the connection says.
        reason: String,
    },
    /// The service refused.
    #[error("{service} answered {status}: {message}")]
    Refused {
        /// Which service.
        service: KeyService,
        /// HTTP status.
        status: u16,
        /// The beginning of its answer.
        message: String,
    },
    /// A PKCS#11 function failed.
    #[error("the PKCS#11 module refused {function}: {value}")]
    Module {
        /// Which function.
        function: String,
        /// The return value's name.
        value: String,
    },
    /// The service answered something else than its protocol says.
    #[error("the answer of {service} cannot be read: {reason}")]
    Answer {
        /// Which service.
        service: KeyService,
        /// What was wrong.
        reason: String,
    },
    /// The key is of an algorithm that cannot sign here.
    #[error("{service}: the key cannot sign: {reason}")]
    Algorithm {
        /// Which service.
        service: KeyService,
        /// What the key is.
        reason: String,
    },
    /// The signature that came back is not one of this key over what was sent.
    #[error("{service} gave back a signature that does not verify with its own public key")]
    SignatureInvalid {
        /// Which service.
        service: KeyService,
    },
}

impl Explain for KeyServiceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Reference { .. } => "key-reference-invalid",
            Self::Credentials { .. } => "key-service-credentials",
            Self::Unreachable { .. } => "key-service-unreachable",
            Self::Refused { .. } | Self::Module { .. } => "key-service-refused",
            Self::Answer { .. } => "key-service-answer-invalid",
            Self::Algorithm { .. } => "key-algorithm-unsupported",
            Self::SignatureInvalid { .. } => "key-service-signature-invalid",
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Reference { service, .. } => match service {
                KeyService::Vault => "hashivault://KEY, with VAULT_ADDR set",
                KeyService::Aws => "awskms:///arn:aws:kms:REGION:ACCOUNT:key/ID or awskms:///alias/NAME",
                KeyService::Azure => "azurekms://VAULT.vault.azure.net/KEY[/VERSION]",
                KeyService::Google => "gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K[/cryptoKeyVersions/N]",
                KeyService::Pkcs11 => "pkcs11:token=NAME;object=KEY?module-path=FILE&pin-source=file:FILE",
            },
            Self::Credentials { service, .. } => match service {
                KeyService::Vault => "set VAULT_TOKEN, or log in: vault login",
                KeyService::Aws => "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role (AWS_ROLE_ARN)",
                KeyService::Azure => "set AZURE_TENANT_ID and AZURE_CLIENT_ID with a secret or a federated token",
                KeyService::Google => "set GOOGLE_APPLICATION_CREDENTIALS to a service account's file",
                KeyService::Pkcs11 => "give the PIN: pin-source in the URI, or COSIGN_PKCS11_PIN",
            },
            Self::Refused { status: 401 | 403, .. } => "check that the caller may read the public key and sign with it",
            Self::Refused { status: 404, .. } => "check the key's name, and that it has an enabled version",
            Self::Module { .. } => "check the PIN and the key: pkcs11-tool --module FILE --login --list-objects",
            Self::Unreachable { .. } => "try again; check the address and the proxy settings",
            Self::Algorithm { .. } => "use ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048, 3072 or 4096 bits",
            _ => return None,
        };
        Some(step.to_owned())
    }
}

/// A key in a service.
#[derive(Debug)]
pub(crate) enum RemoteKey {
    Vault(vault::VaultKey),
    Aws(aws::AwsKey),
    Azure(azure::AzureKey),
    Google(google::GoogleKey),
    #[cfg(feature = "pkcs11")]
    Pkcs11(pkcs11::Pkcs11Key),
}

impl RemoteKey {
    pub(crate) fn service(&self) -> KeyService {
        match self {
            Self::Vault(_) => KeyService::Vault,
            Self::Aws(_) => KeyService::Aws,
            Self::Azure(_) => KeyService::Azure,
            Self::Google(_) => KeyService::Google,
            #[cfg(feature = "pkcs11")]
            Self::Pkcs11(_) => KeyService::Pkcs11,
        }
    }

    /// Signs; the signature is verified before it is given back. ECDSA signatures are in their ASN.1 form.
    pub(crate) async fn sign(
        &self,
        public: &PublicKey,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyServiceError> {
        let signature = match self {
            Self::Vault(key) => key.sign(scheme, message).await?,
            Self::Aws(key) => key.sign(scheme, message).await?,
            Self::Azure(key) => key.sign(public.algorithm(), scheme, message).await?,
            Self::Google(key) => key.sign(scheme, message).await?,
            #[cfg(feature = "pkcs11")]
            Self::Pkcs11(key) => key.sign(public.algorithm(), scheme, message)?,
        };
        if public.verifies(scheme, message, &signature) {
            Ok(signature)
        } else {
            Err(KeyServiceError::SignatureInvalid { service: self.service() })
        }
    }
}

/// What one service's calls have in common.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) service: KeyService,
    pub(crate) http: Http,
}

impl Remote {
    pub(crate) fn reference(&self, reason: impl Into<String>) -> KeyServiceError {
        KeyServiceError::Reference { service: self.service, reason: reason.into() }
    }

    pub(crate) fn credentials(&self, reason: impl Into<String>) -> KeyServiceError {
        KeyServiceError::Credentials { service: self.service, reason: reason.into() }
    }

    pub(crate) fn answer(&self, reason: impl Into<String>) -> KeyServiceError {
        KeyServiceError::Answer { service: self.service, reason: reason.into() }
    }

    pub(crate) fn algorithm(&self, reason: impl Into<String>) -> KeyServiceError {
        KeyServiceError::Algorithm { service: self.service, reason: reason.into() }
    }

    pub(crate) fn url(&self, text: &str) -> Result<Url, KeyServiceError> {
        address(text).map_err(|reason| self.reference(reason))
    }

    /// Sends a call, and reads the answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, KeyServiceError> {
        let answer = self.http.send(call).await.map_err(|failure| self.failure(failure))?;
        // What serde says about a wrong type may hold the value; a position is enough.
        serde_json::from_slice(&answer).map_err(|error| {
            self.answer(format!("not the expected JSON at line {} column {}", error.line(), error.column()))
        })
    }

    /// The same for an exchange of credentials: whatever fails, there are none.
    pub(crate) async fn exchange<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, KeyServiceError> {
        let host = call.url.host_str().unwrap_or_default().to_owned();
        let answer = self.http.send(call).await.map_err(|failure| self.credentials(format!("{host}: {failure}")))?;
        serde_json::from_slice(&answer).map_err(|_| self.credentials(format!("{host} did not answer with a token")))
    }

    pub(crate) fn failure(&self, failure: HttpFailure) -> KeyServiceError {
        let service = self.service;
        match failure {
            HttpFailure::Address(reason) => KeyServiceError::Reference { service, reason },
            HttpFailure::Unreachable(reason) => KeyServiceError::Unreachable { service, reason },
            HttpFailure::Refused { status, message, .. } => KeyServiceError::Refused { service, status, message },
            HttpFailure::TooLong => KeyServiceError::Answer { service, reason: HttpFailure::TooLong.to_string() },
        }
    }
}

/// What is sent to be signed: a digest, or the message where the scheme hashes by itself.
pub(crate) fn input(scheme: SignatureScheme, message: &[u8]) -> (Option<Hash>, Vec<u8>) {
    match scheme.hash() {
        Some(hash) => (Some(hash), hash.of(message)),
        None => (None, message.to_vec()),
    }
}

/// A name that may stand in a URL's path: letters, digits and `-_.`, neither `.` nor `..`.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.chars().all(|c| c == '.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
