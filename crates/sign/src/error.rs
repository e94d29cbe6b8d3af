//! Why nothing was signed.

use assay_model::Explain;

use crate::{KeyServiceError, Service, TokenSourceError};

/// Why signing failed. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The text is no private key that can be used: PEM of an ECDSA, Ed25519 or RSA key.
    #[error("the private key cannot be used: {reason}")]
    Key {
        /// What was wrong. Never a part of the key.
        reason: String,
    },
    /// The private key is encrypted, and either there is no password for it or the encryption is not cosign's.
    #[error("the private key is encrypted ({label})")]
    KeyEncrypted {
        /// The PEM label.
        label: String,
    },
    /// The password does not open the private key, or the key was changed.
    #[error("the password does not open the private key")]
    PasswordWrong,
    /// What names a key names none: a file that cannot be read, a variable that is not set, an unknown scheme.
    #[error("there is no such key: {reason}")]
    KeyReference {
        /// What was wrong.
        reason: String,
    },
    /// The service or module that holds the key did not sign.
    #[error(transparent)]
    KeyService(#[from] KeyServiceError),
    /// The certificate chain cannot be used with this key.
    #[error("the certificate chain cannot be used: {reason}")]
    Chain {
        /// What was wrong.
        reason: String,
    },
    /// The combination of key and format does not exist.
    #[error("there is no {what}")]
    Unsupported {
        /// What was asked for.
        what: String,
    },
    /// A signing configuration cannot be read, or offers nothing that can be used now.
    #[error("the signing configuration cannot be used: {reason}")]
    SigningConfig {
        /// What was wrong.
        reason: String,
    },
    /// Neither a log that says a time nor a timestamp authority: the certificate is dead in ten minutes, and nothing would
    /// prove that it was alive.
    #[error("nothing would prove the time of signing")]
    TimeUnproven,
    /// No identity token could be had from where one was expected.
    #[error(transparent)]
    TokenSource(#[from] TokenSourceError),
    /// An older manifest of signatures cannot be added to.
    #[error("the signatures in place cannot be added to: {reason}")]
    Existing {
        /// What was wrong.
        reason: String,
    },
    /// The predicate is no JSON value.
    #[error("the predicate is not JSON: {reason}")]
    Predicate {
        /// What the parser says.
        reason: String,
    },
    /// No identity token was found, so that nothing can be signed without a key.
    #[error("no identity token")]
    NoToken,
    /// The identity token is not a JSON Web Token with a subject.
    #[error("the identity token cannot be used: {reason}")]
    Token {
        /// What was wrong. Never a part of the token.
        reason: String,
    },
    /// A service address is not allowed: plain HTTP beyond this machine, or not a URL.
    #[error("the address of {service} is not usable: {reason}")]
    Address {
        /// Which service.
        service: Service,
        /// What was wrong.
        reason: String,
    },
    /// A service could not be reached or did not answer in time.
    #[error("{service} cannot be reached: {reason}")]
    Unreachable {
        /// Which service.
        service: Service,
        /// What the connection says.
        reason: String,
    },
    /// A service refused the request.
    #[error("{service} answered {status}: {message}")]
    Refused {
        /// Which service.
        service: Service,
        /// HTTP status.
        status: u16,
        /// The beginning of its answer.
        message: String,
    },
    /// A service answered something else than its protocol says.
    #[error("the answer of {service} cannot be read: {reason}")]
    Answer {
        /// Which service.
        service: Service,
        /// What was wrong.
        reason: String,
    },
    /// The cryptographic library failed, for example for lack of randomness.
    #[error("the cryptographic library failed to {what}")]
    Crypto {
        /// What was tried.
        what: &'static str,
    },
    /// A value could not be encoded.
    #[error("cannot be encoded: {reason}")]
    Encode {
        /// What the encoder says.
        reason: String,
    },
}

impl Explain for SignError {
    fn code(&self) -> &'static str {
        match self {
            Self::Key { .. } => "private-key-invalid",
            Self::KeyEncrypted { .. } => "private-key-encrypted",
            Self::PasswordWrong => "private-key-password-wrong",
            Self::KeyReference { .. } => "key-reference-invalid",
            Self::KeyService(error) => error.code(),
            Self::Chain { .. } => "certificate-chain-invalid",
            Self::Unsupported { .. } => "signature-unsupported",
            Self::SigningConfig { .. } => "signing-config-invalid",
            Self::TimeUnproven => "signing-time-unproven",
            Self::TokenSource(error) => error.code(),
            Self::Existing { .. } => "existing-signatures-invalid",
            Self::Predicate { .. } => "predicate-not-json",
            Self::NoToken => "identity-token-missing",
            Self::Token { .. } => "identity-token-invalid",
            Self::Address { .. } => "service-address-invalid",
            Self::Unreachable { .. } => "service-unreachable",
            Self::Refused { .. } => "service-refused",
            Self::Answer { .. } => "service-answer-invalid",
            Self::Crypto { .. } => "crypto-failed",
            Self::Encode { .. } => "encoding-failed",
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Key { .. } => "give a PEM file, for example one of `assay key new`",
            Self::KeyEncrypted { label } if label == "ENCRYPTED PRIVATE KEY" => {
                "decrypt it first: openssl pkcs8 -in KEY -out NEW"
            }
            Self::KeyEncrypted { .. } => "set COSIGN_PASSWORD or ASSAY_KEY_PASSWORD, or give --password-stdin",
            Self::PasswordWrong => "check COSIGN_PASSWORD, ASSAY_KEY_PASSWORD or what was typed",
            Self::KeyReference { .. } => "--key FILE, or env://NAME, pkcs11:..., hashivault://KEY, awskms:///..., ...",
            Self::KeyService(error) => return error.next_step(),
            Self::TokenSource(error) => return error.next_step(),
            Self::TimeUnproven => "use a timestamp authority (--timestamp-url), or a log of version 1",
            Self::Chain { .. } => "give the chain in order: the key's own certificate first, then its issuers",
            Self::NoToken => {
                "sign with --key, or set SIGSTORE_ID_TOKEN, or in GitHub Actions grant `permissions: id-token: write`"
            }
            Self::Refused { service: Service::Fulcio, .. } => "check that the token is fresh and made for `sigstore`",
            Self::Unreachable { .. } => "try again; sign with --key where no signing service can be reached",
            _ => return None,
        };
        Some(step.to_owned())
    }
}
