//! The OpenID Connect issuer: tokens for workflows as a CI system hands them out, and for people by the device flow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::key::Key;
use super::{Identity, Refusal};

/// The audience that Fulcio wants.
pub(super) const AUDIENCE: &str = "sigstore";
/// Where the metadata is found below the issuer's URL (OpenID Connect Discovery 1.0, section 4).
pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";
/// The grant of the device flow (RFC 8628, section 3.4).
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Mints a token (RFC 7519, ES256) that says `identity`.
pub(super) fn token(issuer: &Key, identity: &Identity, audience: &str, now: i64) -> Result<String, Refusal> {
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": issuer.id().hex()}).to_string();
    let claims = identity.claims(audience, now).to_string();
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = issuer.sign_fixed(signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The issuer's keys as a JSON Web Key Set (RFC 7517).
pub(super) fn key_set(issuer: &Key) -> Value {
    let point = issuer.public();
    let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default());
    json!({"keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": issuer.id().hex(),
        "x": coordinate(1), "y": coordinate(33),
    }]})
}

/// The metadata of the issuer at `url` (OpenID Connect Discovery 1.0, section 3).
pub(super) fn discovery(url: &str) -> Value {
    json!({
        "issuer": url,
        "jwks_uri": format!("{url}/keys"),
        "authorization_endpoint": format!("{url}/auth"),
        "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device/code"),
        "response_types_supported": ["code"],
        "grant_types_supported": [DEVICE_GRANT],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "email"],
        "claims_supported": ["iss", "sub", "aud", "iat", "nbf", "exp", "email", "email_verified"],
    })
}

/// What Fulcio must be told of the issuer at `url` (sigstore/fulcio, `docs/oidc.md`); `kind` is `email` or
/// `github-workflow`.
pub(super) fn fulcio_configuration(url: &str, kind: &str) -> Value {
    json!({"OIDCIssuers": {url: {"IssuerURL": url, "ClientID": AUDIENCE, "Type": kind}}})
}

/// A device that waits for a person (RFC 8628).
#[derive(Clone, Debug)]
pub(super) struct Device {
    /// None once it was redeemed: a code is good for one token.
    code: Option<String>,
    user_code: String,
    approved_by: Option<Identity>,
}

/// All devices that wait.
#[derive(Debug, Default)]
pub(super) struct Devices(Vec<Device>);

impl Devices {
    /// Begins a flow: the answer of the device authorization endpoint (section 3.2).
    pub(super) fn begin(&mut self, url: &str) -> Value {
        let number = self.0.len() + 1;
        let device = Device {
            code: Some(format!("device-{number}")),
            user_code: format!("SAND-{number:04}"),
            approved_by: None,
        };
        let answer = json!({
            "device_code": device.code,
            "user_code": device.user_code,
            "verification_uri": format!("{url}/device"),
            "verification_uri_complete": format!("{url}/device?user_code={}", device.user_code),
            "expires_in": 300,
            "interval": 0,
        });
        self.0.push(device);
        answer
    }

    /// A person says yes. False: no device waits under this code.
    pub(super) fn approve(&mut self, user_code: &str, person: &Identity) -> bool {
        let found = self.0.iter_mut().find(|device| device.user_code == user_code);
        found.map(|device| device.approved_by = Some(person.clone())).is_some()
    }

    /// Who may have a token now: the answer of the token endpoint to `form` (sections 3.4 and 3.5).
    pub(super) fn redeem(&mut self, form: &[(String, String)]) -> Result<Identity, &'static str> {
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if field("grant_type") != Some(DEVICE_GRANT) {
            return Err("unsupported_grant_type");
        }
        let code = field("device_code").ok_or("invalid_request")?;
        let at = self.0.iter().position(|device| device.code.as_deref() == Some(code)).ok_or("invalid_grant")?;
        let person = self.0.get(at).and_then(|device| device.approved_by.clone()).ok_or("authorization_pending")?;
        if let Some(device) = self.0.get_mut(at) {
            device.code = None;
        }
        Ok(person)
    }
}
