//! An access token for Google Cloud ("Application Default Credentials":
//! <https://cloud.google.com/docs/authentication/application-default-credentials>).
//!
//! A ready token, a credentials file (a service account's key, a user's refresh token, or workload identity federation
//! with a subject token in a file or behind a URL), else the metadata server.

use assay_model::{Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::DOMAINS;
use crate::environment::{Environment, read_file};
use crate::http::{Call, form, is_below};
use crate::key::{PrivateKey, SignatureScheme};
use crate::kms::{KeyServiceError, Remote};

/// The scope of keys.
pub(super) const KEYS: &str = "https://www.googleapis.com/auth/cloudkms";
/// The scope of everything that the identity may do.
pub(crate) const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
const FORM: &str = "application/x-www-form-urlencoded";
/// Life of the assertion that is exchanged, in seconds.
const ASSERTION_LIFE: i64 = 300;

/// A credentials file; `type` says which.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum File {
    ServiceAccount {
        client_email: String,
        private_key: String,
        private_key_id: Option<String>,
        token_uri: String,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: String,
        refresh_token: String,
    },
    ExternalAccount {
        audience: String,
        subject_token_type: String,
        token_url: String,
        credential_source: Source,
        service_account_impersonation_url: Option<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Source {
    file: Option<String>,
    url: Option<String>,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
struct Format {
    subject_token_field_name: Option<String>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(alias = "accessToken")]
    access_token: String,
}

/// The first token that there is.
pub(crate) async fn find(
    remote: &Remote,
    environment: &Environment,
    scope: &str,
) -> Result<Secret<String>, KeyServiceError> {
    for name in ["CLOUDSDK_AUTH_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN"] {
        if let Some(token) = environment.secret(name) {
            return Ok(token);
        }
    }
    let given = environment.get("GOOGLE_APPLICATION_CREDENTIALS").map(std::path::PathBuf::from);
    let usual = || environment.home(".config/gcloud/application_default_credentials.json").filter(|path| path.exists());
    match given.or_else(usual) {
        Some(path) => {
            let text = Secret::new(read_file(&path).map_err(|reason| remote.credentials(reason))?);
            let file: File = serde_json::from_str(text.expose())
                .map_err(|_| remote.credentials(format!("{} is no credentials file", path.display())))?;
            of_file(remote, file, scope).await
        }
        None => metadata(remote, environment).await,
    }
}

async fn of_file(remote: &Remote, file: File, scope: &str) -> Result<Secret<String>, KeyServiceError> {
    let token: Token = match file {
        File::ServiceAccount { client_email, private_key, private_key_id, token_uri } => {
            let url = google(remote, &token_uri)?;
            let assertion =
                assertion(remote, &client_email, &private_key, private_key_id.as_deref(), &token_uri, scope)?;
            let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
            let body = form(&[("grant_type", grant), ("assertion", assertion.expose())]);
            remote.exchange(Call::post(url, FORM, body)).await?
        }
        File::AuthorizedUser { client_id, client_secret, refresh_token } => {
            let url = google(remote, "https://oauth2.googleapis.com/token")?;
            let body = form(&[
                ("client_id", &client_id),
                ("client_secret", &client_secret),
                ("grant_type", "refresh_token"),
                ("refresh_token", &refresh_token),
            ]);
            remote.exchange(Call::post(url, FORM, body)).await?
        }
        File::ExternalAccount {
            audience,
            subject_token_type,
            token_url,
            credential_source,
            service_account_impersonation_url,
        } => {
            let subject = subject_token(remote, &credential_source).await?;
            let body = form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
                ("audience", &audience),
                ("scope", PLATFORM),
                ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
                ("subject_token_type", &subject_token_type),
                ("subject_token", subject.expose()),
            ]);
            let token: Token = remote.exchange(Call::post(google(remote, &token_url)?, FORM, body)).await?;
            match service_account_impersonation_url {
                None => token,
                Some(url) => {
                    let authorization = Secret::new(format!("Bearer {}", token.access_token));
                    let body = json!({"scope": [PLATFORM]}).to_string().into_bytes();
                    let call = Call::post(google(remote, &url)?, "application/json", body);
                    remote.exchange(call.header("authorization", authorization.expose())).await?
                }
            }
        }
        File::Other => {
            return Err(remote
                .credentials("the credentials file is none of service_account, authorized_user and external_account"));
        }
    };
    Ok(Secret::new(token.access_token))
}

fn google(remote: &Remote, text: &str) -> Result<reqwest::Url, KeyServiceError> {
    let url = remote.url(text)?;
    if is_below(url.host_str().unwrap_or_default(), &DOMAINS) {
        Ok(url)
    } else {
        Err(remote.reference("the credentials file names an address that is not Google's"))
    }
}

/// What a service account signs to get a token ("Using OAuth 2.0 for Server to Server Applications", "Making an access
/// token request").
fn assertion(
    remote: &Remote,
    email: &str,
    private_key: &str,
    key_id: Option<&str>,
    audience: &str,
    scope: &str,
) -> Result<Secret<String>, KeyServiceError> {
    let now = Timestamp::now().as_second();
    let mut header = json!({"alg": "RS256", "typ": "JWT"});
    if let Some(id) = key_id {
        header["kid"] = id.into();
    }
    let claims = json!({"iss": email, "scope": scope, "aud": audience, "iat": now, "exp": now + ASSERTION_LIFE});
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let signature = PrivateKey::from_pem(private_key)
        .and_then(|key| key.sign_with(SignatureScheme::RsaPkcs1Sha256, signed.as_bytes()))
        .map_err(|error| remote.credentials(format!("the service account's key: {error}")))?;
    Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// The token of the other identity provider. A URL is read with the file's own headers; it is the provider's.
async fn subject_token(remote: &Remote, source: &Source) -> Result<Secret<String>, KeyServiceError> {
    let text = match (&source.file, &source.url) {
        (Some(path), _) => read_file(path.as_ref()).map_err(|reason| remote.credentials(reason))?,
        (None, Some(url)) => {
            let mut call = Call::get(remote.url(url)?);
            // GitHub's request token is the one header that occurs.
            let authorization = source.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            if let Some((_, value)) = authorization {
                call = call.header("authorization", value);
            }
            let answer = remote.http.send(call).await;
            let answer = answer.map_err(|failure| remote.credentials(format!("the subject token: {failure}")))?;
            String::from_utf8_lossy(&answer).into_owned()
        }
        _ => return Err(remote.credentials("the subject token is neither in a file nor behind a URL")),
    };
    let token = match &source.format.subject_token_field_name {
        Some(field) => {
            let value: Value = serde_json::from_str(&text).unwrap_or_default();
            value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        None => text.trim().to_owned(),
    };
    if token.is_empty() {
        return Err(remote.credentials("the subject token is empty"));
    }
    Ok(Secret::new(token))
}

/// Compute Engine documentation, "About VM metadata"; the same server answers in GKE and Cloud Run.
async fn metadata(remote: &Remote, environment: &Environment) -> Result<Secret<String>, KeyServiceError> {
    let host = environment.get("GCE_METADATA_HOST").unwrap_or("metadata.google.internal");
    let url = remote.url(&format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token"))?;
    let token: Token = remote.exchange(Call::get(url).header("metadata-flavor", "Google")).await?;
    Ok(Secret::new(token.access_token))
}
