//! Identity tokens: JSON Web Tokens (RFC 7519) of an OpenID Connect issuer.

use assay_model::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::SignError;

/// The environment variable that Sigstore clients read a token from.
pub const TOKEN_VARIABLE: &str = "SIGSTORE_ID_TOKEN";

/// Longest token accepted, in bytes.
const TOKEN_MAX: usize = 64 << 10;

/// A token that proves an identity to Fulcio. It prints redacted.
#[derive(Clone, Debug)]
pub struct IdentityToken {
    text: Secret<String>,
    proof_subject: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    email: Option<String>,
}

impl IdentityToken {
    /// Takes a token as text. Its signature is Fulcio's matter; only the subject is read here.
    pub fn new(text: &str) -> Result<Self, SignError> {
        let text = text.trim();
        let refuse = |reason: &str| SignError::Token { reason: reason.to_owned() };
        if text.is_empty() {
            return Err(SignError::NoToken);
        }
        if text.len() > TOKEN_MAX {
            return Err(refuse("it is longer than 64 KiB"));
        }
        let mut parts = text.split('.');
        let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(refuse("it does not have three parts"));
        };
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| refuse("its claims are not base64"))?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| refuse("its claims have no subject"))?;
        let proof_subject = claims.email.filter(|email| !email.is_empty()).unwrap_or(claims.sub);
        Ok(Self { text: Secret::new(text.to_owned()), proof_subject })
    }

    /// The identity to sign as proof of possession: the email address if the token has one, else the subject.
    pub fn proof_subject(&self) -> &str {
        &self.proof_subject
    }

    pub(crate) fn expose(&self) -> &str {
        self.text.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_proof_is_over_the_email_address_or_the_subject() {
        assert_eq!(IdentityToken::new(&token(r#"{"sub":"s"}"#)).unwrap().proof_subject(), "s");
        assert_eq!(IdentityToken::new(&token(r#"{"sub":"s","email":"a@b"}"#)).unwrap().proof_subject(), "a@b");
    }

    #[test]
    fn what_is_no_token_is_refused_and_never_printed() {
        assert!(matches!(IdentityToken::new(" \n"), Err(SignError::NoToken)));
        for text in ["secret", "a.secret.c", "a.b.c.d", &token("{}"), &"x".repeat(TOKEN_MAX + 1)] {
            let error = IdentityToken::new(text).unwrap_err();
            assert!(matches!(error, SignError::Token { .. }));
            assert!(!error.to_string().contains("secret"));
        }
        assert!(!format!("{:?}", IdentityToken::new(&token(r#"{"sub":"s"}"#)).unwrap()).contains("c2ln"));
    }
}
