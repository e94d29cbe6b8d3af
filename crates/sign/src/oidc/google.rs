//! Identity tokens of Google service accounts ("Get an ID token":
//! <https://cloud.google.com/docs/authentication/get-id-token>).

use assay_model::{Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ambient, TokenSourceError, failed};
use crate::environment::{Environment, read_file};
use crate::http::{Call, Http, address, form, is_below};
use crate::key::{PrivateKey, SignatureScheme};

/// Says "Google" on machines of Google's.
const PRODUCT_NAME: &str = "/sys/class/dmi/id/product_name";
const FROM: Ambient = Ambient::Google;

#[derive(Deserialize)]
struct ServiceAccount {
    #[serde(rename = "type")]
    kind: String,
    client_email: Option<String>,
    private_key: Option<String>,
    token_uri: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    id_token: String,
}

/// The token of a service account's key file, or of the machine; `None` where there is neither.
pub(super) async fn find(
    environment: &Environment,
    http: &Http,
    audience: &str,
) -> Result<Option<Secret<String>>, TokenSourceError> {
    if let Some(path) = environment.get("GOOGLE_APPLICATION_CREDENTIALS") {
        let text = Secret::new(read_file(path.as_ref()).map_err(|reason| failed(FROM, reason))?);
        let account: ServiceAccount = serde_json::from_str(text.expose())
            .map_err(|_| failed(FROM, "GOOGLE_APPLICATION_CREDENTIALS is no credentials file"))?;
        if account.kind == "service_account" {
            return of_account(http, account, audience).await.map(Some);
        }
    }
    let host = environment.get("GCE_METADATA_HOST");
    let here = || std::fs::read_to_string(PRODUCT_NAME).is_ok_and(|name| name.trim().starts_with("Google"));
    if host.is_none() && !here() {
        return Ok(None);
    }
    let host = host.unwrap_or("metadata.google.internal");
    let mut url = address(&format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/identity"))
        .map_err(|reason| failed(FROM, reason))?;
    url.query_pairs_mut().append_pair("audience", audience).append_pair("format", "full");
    let answer = http.send(Call::get(url).header("metadata-flavor", "Google")).await;
    let answer = answer.map_err(|failure| failed(FROM, failure))?;
    Ok(Some(Secret::new(String::from_utf8_lossy(&answer).trim().to_owned())))
}

/// "Using OAuth 2.0 for Server to Server Applications", with `target_audience`.
async fn of_account(http: &Http, account: ServiceAccount, audience: &str) -> Result<Secret<String>, TokenSourceError> {
    let ServiceAccount { client_email: Some(email), private_key: Some(key), token_uri: Some(uri), .. } = account else {
        return Err(failed(FROM, "the service account's file lacks a field"));
    };
    let url = address(&uri).map_err(|reason| failed(FROM, reason))?;
    if !is_below(url.host_str().unwrap_or_default(), &["googleapis.com"]) {
        return Err(failed(FROM, "the service account's file names an address that is not Google's"));
    }
    let now = Timestamp::now().as_second();
    let claims = json!({"iss": email, "aud": uri, "target_audience": audience, "iat": now, "exp": now + 300});
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({"alg": "RS256", "typ": "JWT"})), encode(&claims));
    let signature = PrivateKey::from_pem(&key)
        .and_then(|key| key.sign_with(SignatureScheme::RsaPkcs1Sha256, signed.as_bytes()))
        .map_err(|error| failed(FROM, format!("the service account's key: {error}")))?;
    let assertion = Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)));
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let body = form(&[("grant_type", grant), ("assertion", assertion.expose())]);
    let call = Call::post(url, "application/x-www-form-urlencoded", body);
    let answer: Answer = super::json(http, FROM, call).await?;
    Ok(Secret::new(answer.id_token))
}
