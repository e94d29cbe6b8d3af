//! Where AWS credentials come from, in the order of the vendor's own tools (AWS SDKs and Tools Reference Guide,
//! "Standardized credential providers": <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).
//!
//! Environment, web identity (a role for a Kubernetes service account or a CI job), the shared credentials file,
//! the container's endpoint, the instance's metadata (version 2 only). Other providers (SSO, processes) are not read.

use assay_credentials::aws::AwsCredentials;
use assay_model::Secret;
use reqwest::Method;
use serde::Deserialize;

use super::{DOMAINS, domain};
use crate::environment::{Environment, read_file};
use crate::http::{Call, HttpFailure, form, is_below};
use crate::kms::{KeyServiceError, Remote};

/// Hosts that a container's credentials may come from beside this machine: ECS and EKS Pod Identity.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Temporary {
    access_key_id: String,
    secret_access_key: String,
    token: String,
}

impl From<Temporary> for AwsCredentials {
    fn from(from: Temporary) -> Self {
        Self {
            access_key_id: from.access_key_id,
            secret_access_key: Secret::new(from.secret_access_key),
            session_token: Some(Secret::new(from.token)),
        }
    }
}

/// The first credentials that there are.
pub(crate) async fn find(
    remote: &Remote,
    environment: &Environment,
    region: &str,
) -> Result<AwsCredentials, KeyServiceError> {
    if let (Some(id), Some(secret)) =
        (environment.get("AWS_ACCESS_KEY_ID"), environment.secret("AWS_SECRET_ACCESS_KEY"))
    {
        return Ok(AwsCredentials {
            access_key_id: id.to_owned(),
            secret_access_key: secret,
            session_token: environment.secret("AWS_SESSION_TOKEN"),
        });
    }
    if let (Some(file), Some(role)) = (environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN"))
    {
        return web_identity(remote, environment, region, file, role).await;
    }
    if let Some(found) = shared_file(remote, environment)? {
        return Ok(found);
    }
    if let Some(found) = container(remote, environment).await? {
        return Ok(found);
    }
    instance(remote, environment).await
}

/// AWS Security Token Service API Reference, "AssumeRoleWithWebIdentity". The token itself is the proof; the request is
/// not signed.
async fn web_identity(
    remote: &Remote,
    environment: &Environment,
    region: &str,
    file: &str,
    role: &str,
) -> Result<AwsCredentials, KeyServiceError> {
    let token = read_file(file.as_ref()).map_err(|reason| remote.credentials(reason))?;
    let endpoint = environment.first(&["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]).map(str::to_owned);
    let endpoint = remote.url(&endpoint.unwrap_or_else(|| format!("https://sts.{region}.{}", domain(region))))?;
    if !is_below(endpoint.host_str().unwrap_or_default(), &DOMAINS) {
        return Err(remote.reference("the address of STS is not one of Amazon's"));
    }
    let session = environment.get("AWS_ROLE_SESSION_NAME").unwrap_or("assay");
    let body = form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", session),
        ("WebIdentityToken", token.trim()),
    ]);
    let call = Call::post(endpoint, "application/x-www-form-urlencoded", body);
    let answer = remote.http.send(call).await.map_err(|failure| remote.credentials(format!("STS: {failure}")))?;
    let text = String::from_utf8_lossy(&answer);
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        // Access keys and tokens are base64 and hold no character that XML escapes.
        (!value.is_empty() && !value.contains(['<', '&'])).then(|| value.trim().to_owned())
    };
    match (element("AccessKeyId"), element("SecretAccessKey"), element("SessionToken")) {
        (Some(access_key_id), Some(secret_access_key), Some(token)) => {
            Ok(Temporary { access_key_id, secret_access_key, token }.into())
        }
        _ => Err(remote.credentials("STS did not answer with credentials")),
    }
}

/// One profile of `~/.aws/credentials`: an INI file with `aws_access_key_id`, `aws_secret_access_key` and
/// `aws_session_token`.
fn shared_file(remote: &Remote, environment: &Environment) -> Result<Option<AwsCredentials>, KeyServiceError> {
    let given = environment.get("AWS_SHARED_CREDENTIALS_FILE").map(std::path::PathBuf::from);
    let path = given.or_else(|| environment.home(".aws/credentials")).filter(|path| path.exists());
    let Some(path) = path else { return Ok(None) };
    let text = read_file(&path).map_err(|reason| remote.credentials(reason))?;
    let wanted = environment.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]).unwrap_or("default");
    let mut within = false;
    let (mut id, mut secret, mut token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            within = name.trim() == wanted;
        } else if within && let Some((name, value)) = line.split_once('=') {
            let value = Some(value.trim().to_owned());
            match name.trim() {
                "aws_access_key_id" => id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    Ok(id.zip(secret).map(|(access_key_id, secret)| AwsCredentials {
        access_key_id,
        secret_access_key: Secret::new(secret),
        session_token: token.map(Secret::new),
    }))
}

/// Amazon ECS and EKS Pod Identity ("Container credential provider" of the same guide).
async fn container(remote: &Remote, environment: &Environment) -> Result<Option<AwsCredentials>, KeyServiceError> {
    let relative = environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let address = relative.map(|path| format!("http://169.254.170.2{path}"));
    let address = address.or_else(|| environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI").map(str::to_owned));
    let Some(address) = address else { return Ok(None) };
    let url = remote.url(&address)?;
    if !is_below(url.host_str().unwrap_or_default(), &CONTAINER_HOSTS) {
        return Err(remote.reference("AWS_CONTAINER_CREDENTIALS_FULL_URI is not on this machine"));
    }
    let token = match environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(read_file(file.as_ref()).map_err(|reason| remote.credentials(reason))?.trim().to_owned()),
        None => environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned),
    };
    let mut call = Call::get(url);
    if let Some(token) = &token {
        call = call.header("authorization", token);
    }
    let found: Temporary = remote.exchange(call).await?;
    Ok(Some(found.into()))
}

/// Amazon EC2 User Guide, "Use the Instance Metadata Service", version 2.
async fn instance(remote: &Remote, environment: &Environment) -> Result<AwsCredentials, KeyServiceError> {
    const NONE: &str =
        "no access key, web identity, shared file, container endpoint or instance role (AWS_ACCESS_KEY_ID, ...)";
    if environment.get("AWS_EC2_METADATA_DISABLED") == Some("true") {
        return Err(remote.credentials(NONE));
    }
    let base = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or("http://169.254.169.254");
    let base = base.trim_end_matches('/');
    let mut call = Call::get(remote.url(&format!("{base}/latest/api/token"))?)
        .header("x-aws-ec2-metadata-token-ttl-seconds", "300");
    call.method = Method::PUT;
    let none = |failure: HttpFailure| remote.credentials(format!("{NONE}; the instance metadata: {failure}"));
    let token = String::from_utf8_lossy(&remote.http.send(call).await.map_err(none)?).into_owned();
    let get = async |path: &str| {
        let url = remote.url(&format!("{base}/latest/meta-data/iam/security-credentials/{path}"))?;
        remote.http.send(Call::get(url).header("x-aws-ec2-metadata-token", &token)).await.map_err(none)
    };
    let role = String::from_utf8_lossy(&get("").await?).trim().to_owned();
    if role.is_empty() || role.contains(['/', '\n', '?', '#']) {
        return Err(remote.credentials("the instance has no role"));
    }
    let found: Temporary =
        serde_json::from_slice(&get(&role).await?).map_err(|_| remote.credentials("the instance's role gives none"))?;
    Ok(found.into())
}
