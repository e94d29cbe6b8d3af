//! Identity tokens: JSON Web Tokens (RFC 7519) of an OpenID Connect issuer.

use assay_model::{Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::SignError;

/// The environment variable that Sigstore clients read a token from.
pub const TOKEN_VARIABLE: &str = "SIGSTORE_ID_TOKEN";

/// The audience that Fulcio wants a token to be made for.
pub const TOKEN_AUDIENCE: &str = "sigstore";

/// Longest token accepted, in bytes.
const TOKEN_MAX: usize = 64 << 10;
/// How far the issuer's clock may be ahead, in seconds.
const CLOCK_SKEW: i64 = 60;

/// A token that proves an identity to Fulcio. It prints redacted.
#[derive(Clone, Debug)]
pub struct IdentityToken {
    text: Secret<String>,
    proof_subject: String,
    audiences: Option<Vec<String>>,
    expires: Option<i64>,
    not_before: Option<i64>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    aud: Option<Audiences>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Several(Vec<String>),
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
        let audiences = claims.aud.map(|audiences| match audiences {
            Audiences::One(one) => vec![one],
            Audiences::Several(several) => several,
        });
        let seconds = |time: Option<f64>| time.map(|seconds| seconds as i64);
        Ok(Self {
            text: Secret::new(text.to_owned()),
            proof_subject,
            audiences,
            expires: seconds(claims.exp),
            not_before: seconds(claims.nbf),
        })
    }

    /// Refuses a token that Fulcio would refuse: made for another audience, expired, or not valid yet at the time `now`.
    /// Who made it, and whether it is genuine, is Fulcio's matter.
    pub fn check(&self, now: Timestamp, audience: &str) -> Result<(), SignError> {
        let refuse = |reason: String| Err(SignError::Token { reason });
        match &self.audiences {
            Some(audiences) if audiences.iter().any(|made_for| made_for == audience) => {}
            Some(audiences) => {
                let made_for: String = audiences.join(", ").chars().take(100).collect();
                return refuse(format!("it is made for `{made_for}`, not for `{audience}`"));
            }
            None => return refuse("it names no audience".to_owned()),
        }
        match self.expires {
            Some(expires) if expires > now.as_second() => {}
            Some(expires) => {
                let ago = now.as_second().saturating_sub(expires);
                return refuse(format!("it expired {ago} s ago"));
            }
            None => return refuse("it never expires".to_owned()),
        }
        if self.not_before.is_some_and(|from| from > now.as_second().saturating_add(CLOCK_SKEW)) {
            return refuse("it is not valid yet".to_owned());
        }
        Ok(())
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
    fn a_token_of_another_audience_or_time_is_refused_before_it_is_sent() {
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let at = now.as_second();
        let check = |claims: String| IdentityToken::new(&token(&claims)).unwrap().check(now, TOKEN_AUDIENCE);
        assert!(check(format!(r#"{{"sub":"s","aud":"sigstore","exp":{}}}"#, at + 1)).is_ok());
        assert!(check(format!(r#"{{"sub":"s","aud":["a","sigstore"],"exp":{}.5,"nbf":{at}}}"#, at + 1)).is_ok());
        for claims in [
            format!(r#"{{"sub":"s","aud":"sigstore","exp":{at}}}"#),
            format!(r#"{{"sub":"s","aud":"sigstore.evil","exp":{}}}"#, at + 1),
            format!(r#"{{"sub":"s","aud":[],"exp":{}}}"#, at + 1),
            format!(r#"{{"sub":"s","exp":{}}}"#, at + 1),
            r#"{"sub":"s","aud":"sigstore"}"#.to_owned(),
            r#"{"sub":"s","aud":"sigstore","exp":-1e300}"#.to_owned(),
            format!(r#"{{"sub":"s","aud":"sigstore","exp":{},"nbf":{}}}"#, at + 9999, at + 300),
        ] {
            assert!(matches!(check(claims.clone()), Err(SignError::Token { .. })), "{claims}");
        }
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
