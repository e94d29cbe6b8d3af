//! Why nothing was signed.

use assay_model::Explain;

use crate::Service;

/// Why signing failed. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The text is no private key that can be used: PKCS#8 PEM, ECDSA P-256 or Ed25519.
    #[error("the private key cannot be used: {reason}")]
    Key {
        /// What was wrong. Never a part of the key.
        reason: String,
    },
    /// The private key is encrypted, which is not read yet.
    #[error("the private key is encrypted ({label})")]
    KeyEncrypted {
        /// The PEM label.
        label: String,
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
            Self::Key { .. } => "convert it: openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW",
            Self::KeyEncrypted { .. } => "decrypt it first: openssl pkcs8 -in KEY -out NEW",
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
