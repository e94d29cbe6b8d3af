//! The device authorization grant (RFC 8628): a person confirms a code in a browser, on any machine.
//!
//! With a code challenge (RFC 7636), as Sigstore's issuer wants it.

use std::time::Duration;

use assay_model::{Digest, Secret};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde::Deserialize;

use super::{Ambient, TokenSourceError, failed};
use crate::http::{Call, Http, HttpFailure, address, form};
use crate::{IdentityToken, SignError};

/// The issuer of the public-good instance, for people.
pub const PUBLIC_GOOD_ISSUER: &str = "https://oauth2.sigstore.dev/auth";

/// The client identifier of Sigstore's clients, and so the audience of the tokens.
const CLIENT: &str = "sigstore";
const FORM: &str = "application/x-www-form-urlencoded";
const FROM: Ambient = Ambient::Device;
/// Longest time that a code is waited for, whatever the issuer says.
const WAIT_MAX: Duration = Duration::from_mins(15);
/// Longest pause between two questions.
const INTERVAL_MAX: u64 = 60;
/// Longest text that is shown to a person.
const SHOWN_MAX: usize = 300;

/// What to show to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCode {
    /// Where to go.
    pub verification_uri: String,
    /// What to type there.
    pub user_code: String,
    /// Where to go so that nothing need be typed.
    pub verification_uri_complete: Option<String>,
    /// How long the code is good.
    pub expires_in: Duration,
}

/// A flow that has begun.
#[derive(Debug)]
pub struct DeviceFlow {
    http: Http,
    token_endpoint: Url,
    device_code: Secret<String>,
    verifier: Secret<String>,
    interval: Duration,
    expires_in: Duration,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    device_authorization_endpoint: Option<String>,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    verification_uri_complete: Option<String>,
    #[serde(default = "default_life")]
    expires_in: u64,
    #[serde(default = "default_interval")]
    interval: u64,
}

fn default_life() -> u64 {
    300
}

/// RFC 8628, section 3.2.
fn default_interval() -> u64 {
    5
}

#[derive(Deserialize)]
struct Answer {
    id_token: String,
}

impl DeviceFlow {
    /// Asks the issuer for a code.
    pub async fn begin(http: &Http, issuer: &str) -> Result<(Self, DeviceCode), SignError> {
        let base = issuer.trim_end_matches('/');
        let url = usable(&format!("{base}/.well-known/openid-configuration"))?;
        let discovery: Discovery = super::json(http, FROM, Call::get(url)).await?;
        // OpenID Connect Discovery 1.0, section 4.3.
        if discovery.issuer.trim_end_matches('/') != base {
            return Err(failed(FROM, "it calls itself otherwise").into());
        }
        let endpoint = discovery.device_authorization_endpoint;
        let endpoint = usable(&endpoint.ok_or_else(|| failed(FROM, "it has no device flow"))?)?;
        let token_endpoint = usable(&discovery.token_endpoint)?;

        let mut random = [0; 32];
        SystemRandom::new().fill(&mut random).map_err(|_| SignError::Crypto { what: "make a code verifier" })?;
        let verifier = Secret::new(URL_SAFE_NO_PAD.encode(random));
        let challenge = URL_SAFE_NO_PAD.encode(Digest::of(verifier.expose().as_bytes()).as_bytes());
        let body = form(&[
            ("client_id", CLIENT),
            ("scope", "openid email"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let begun: Begun = super::json(http, FROM, Call::post(endpoint, FORM, body)).await?;
        let expires_in = Duration::from_secs(begun.expires_in).min(WAIT_MAX);
        let shown = |text: String| -> String { text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect() };
        let code = DeviceCode {
            verification_uri: shown(begun.verification_uri),
            user_code: shown(begun.user_code),
            verification_uri_complete: begun.verification_uri_complete.map(shown),
            expires_in,
        };
        let flow = Self {
            http: http.clone(),
            token_endpoint,
            device_code: Secret::new(begun.device_code),
            verifier,
            interval: Duration::from_secs(begun.interval.min(INTERVAL_MAX)),
            expires_in,
        };
        Ok((flow, code))
    }

    /// Waits until the person has confirmed the code, or its time is over.
    pub async fn wait(self) -> Result<IdentityToken, SignError> {
        let late = || TokenSourceError::NotConfirmed { reason: "its time is over".to_owned() };
        tokio::time::timeout(self.expires_in, self.poll()).await.map_err(|_| late())?
    }

    async fn poll(&self) -> Result<IdentityToken, SignError> {
        let body = form(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", self.device_code.expose()),
            ("client_id", CLIENT),
            ("code_verifier", self.verifier.expose()),
        ]);
        let mut interval = self.interval;
        loop {
            tokio::time::sleep(interval).await;
            let call = Call::post(self.token_endpoint.clone(), FORM, body.clone());
            match self.http.send(call).await {
                Ok(answer) => {
                    let answer: Answer = serde_json::from_slice(&answer)
                        .map_err(|_| failed(FROM, "the answer holds no identity token"))?;
                    return IdentityToken::new(&answer.id_token);
                }
                // RFC 8628, section 3.5.
                Err(HttpFailure::Refused { message, .. }) if message.contains("authorization_pending") => {}
                Err(HttpFailure::Refused { message, .. }) if message.contains("slow_down") => {
                    interval += Duration::from_secs(5);
                }
                Err(HttpFailure::Refused { message, .. })
                    if message.contains("access_denied") || message.contains("expired_token") =>
                {
                    return Err(TokenSourceError::NotConfirmed { reason: message }.into());
                }
                Err(failure) => return Err(failed(FROM, failure).into()),
            }
        }
    }
}

fn usable(text: &str) -> Result<Url, TokenSourceError> {
    address(text).map_err(|reason| failed(FROM, format!("its address cannot be used: {reason}")))
}
