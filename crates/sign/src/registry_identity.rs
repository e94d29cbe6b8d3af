//! Registries of clouds, opened by the identity of this process: the role, workload identity or service account that the
//! platform gives it. No password lies anywhere.
//!
//! - Amazon ECR: "GetAuthorizationToken" (<https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>),
//!   signed with Signature Version 4; the role of a ServiceAccount through "AssumeRoleWithWebIdentity".
//! - Azure Container Registry: an Entra token exchanged for a refresh token of the registry, which the registry's token
//!   server exchanges for access tokens (<https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>).
//! - Google Artifact Registry and Container Registry: an access token as the password of `oauth2accesstoken`
//!   (<https://cloud.google.com/artifact-registry/docs/docker/authentication#token>).
//!
//! A cloud is asked only for registries of its own, and only where the caller named it.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::str::FromStr;
use std::time::{Duration, Instant};

use assay_credentials::aws::{AwsRequest, AwsScope};
use assay_credentials::{Credential, CredentialError, Provider};
use assay_model::{Repository, Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::environment::Environment;
use crate::http::{Call, Http, is_below, is_loopback};
use crate::kms::{KeyService, KeyServiceError, Remote, aws, azure, google};

/// How long a credential is used. ECR's last twelve hours, the others' at least one; a platform may hand out one that it
/// has had for a while, but never one with less than five minutes.
const LASTS: Duration = Duration::from_mins(4);
/// Registries whose credentials are remembered.
const REMEMBERED: usize = 256;
/// The user name of a token (Google's documentation).
const GOOGLE_USER: &str = "oauth2accesstoken";
/// The audience of Azure Container Registry.
const AZURE_RESOURCE: &str = "https://containerregistry.azure.net";
const AZURE_REGISTRIES: [&str; 3] = ["azurecr.io", "azurecr.cn", "azurecr.us"];
const GOOGLE_REGISTRIES: [&str; 2] = ["pkg.dev", "gcr.io"];
const JSON: &str = "application/x-amz-json-1.1";

/// A cloud with registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegistryCloud {
    /// Amazon Elastic Container Registry.
    Ecr,
    /// Azure Container Registry.
    Acr,
    /// Google Artifact Registry and Container Registry.
    Gar,
}

impl RegistryCloud {
    fn title(self) -> &'static str {
        match self {
            Self::Ecr => "Amazon ECR",
            Self::Acr => "Azure Container Registry",
            Self::Gar => "Google Artifact Registry",
        }
    }

    fn service(self) -> KeyService {
        match self {
            Self::Ecr => KeyService::Aws,
            Self::Acr => KeyService::Azure,
            Self::Gar => KeyService::Google,
        }
    }

    /// Whether this is a registry of the cloud: a name below one of its domains, on the usual port.
    fn has(self, registry: &str) -> bool {
        let below = |domain: &str| {
            registry.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.')).is_some_and(|rest| !rest.is_empty())
        };
        match self {
            Self::Ecr => ecr_region(registry).is_some(),
            Self::Acr => AZURE_REGISTRIES.into_iter().any(below),
            Self::Gar => registry == "gcr.io" || GOOGLE_REGISTRIES.into_iter().any(below),
        }
    }
}

impl fmt::Display for RegistryCloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ecr => "ecr",
            Self::Acr => "acr",
            Self::Gar => "gar",
        })
    }
}

impl FromStr for RegistryCloud {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ecr" => Ok(Self::Ecr),
            "acr" => Ok(Self::Acr),
            "gar" => Ok(Self::Gar),
            _ => Err(format!("`{text}` is none of ecr, acr and gar")),
        }
    }
}

/// The region of `ACCOUNT.dkr.ecr.REGION.amazonaws.com`, with `-fips` and China's domain.
fn ecr_region(registry: &str) -> Option<&str> {
    let rest = registry.strip_suffix(".amazonaws.com").or_else(|| registry.strip_suffix(".amazonaws.com.cn"))?;
    let mut parts = rest.split('.');
    let (account, dkr, ecr, region) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_region = region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let whole = account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && dkr == "dkr"
        && matches!(ecr, "ecr" | "ecr-fips")
        && is_region
        && !region.is_empty()
        && parts.next().is_none();
    whole.then_some(region)
}

/// The identity of this process at the clouds that are named.
pub struct RegistryIdentity {
    clouds: Vec<RegistryCloud>,
    stand_in: Option<(RegistryCloud, String)>,
    environment: Environment,
    http: Http,
    /// By registry; asked one at a time, so that nobody asks twice.
    known: Mutex<BTreeMap<String, (Credential, Instant)>>,
}

impl fmt::Debug for RegistryIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryIdentity").field("clouds", &self.clouds).finish_non_exhaustive()
    }
}

impl RegistryIdentity {
    /// Asks these clouds, as the variables say that their own tools read (`AWS_ROLE_ARN` with
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`, `AZURE_CLIENT_ID` with `AZURE_FEDERATED_TOKEN_FILE`, ...), else their metadata servers.
    pub fn new(clouds: impl IntoIterator<Item = RegistryCloud>, environment: Environment, http: Http) -> Self {
        Self { clouds: clouds.into_iter().collect(), stand_in: None, environment, http, known: Mutex::default() }
    }

    /// Takes this registry for one of the cloud's: a stand-in on this machine, which is spoken to in plain HTTP.
    #[must_use]
    pub fn with_stand_in(mut self, cloud: RegistryCloud, registry: &str) -> Self {
        self.stand_in = Some((cloud, registry.to_owned()));
        self
    }

    async fn find(&self, repository: &Repository) -> Result<Option<Credential>, CredentialError> {
        let registry = repository.registry();
        let stand_in = self.stand_in.as_ref().filter(|(_, name)| name == registry).map(|(cloud, _)| *cloud);
        let cloud = stand_in.or_else(|| self.clouds.iter().copied().find(|cloud| cloud.has(registry)));
        let Some(cloud) = cloud else { return Ok(None) };
        let mut known = self.known.lock().await;
        if let Some((credential, _)) = known.get(registry).filter(|(_, until)| Instant::now() < *until) {
            return Ok(Some(credential.clone()));
        }
        let remote = Remote { service: cloud.service(), http: self.http.clone() };
        let asked = match cloud {
            RegistryCloud::Ecr => self.ecr(&remote, registry).await,
            RegistryCloud::Acr => self.acr(&remote, registry).await,
            RegistryCloud::Gar => google::token::find(&remote, &self.environment, google::token::PLATFORM)
                .await
                .map(|token| Credential::basic(GOOGLE_USER, token.expose())),
        };
        let credential = asked.map_err(|error| CredentialError::Cloud {
            cloud: cloud.title(),
            registry: registry.to_owned(),
            cause: cause(error),
        })?;
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(registry.to_owned(), (credential.clone(), Instant::now() + LASTS));
        Ok(Some(credential))
    }

    async fn ecr(&self, remote: &Remote, registry: &str) -> Result<Credential, KeyServiceError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            authorization_data: Vec<Data>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            authorization_token: String,
        }
        let region = ecr_region(registry).unwrap_or_default();
        let given = self.environment.first(&["AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL"]).map(str::to_owned);
        let endpoint = given.unwrap_or_else(|| format!("https://api.ecr.{region}.{}", aws::domain(region)));
        let endpoint = remote.url(&endpoint)?;
        let host = endpoint.host_str().unwrap_or_default();
        if !is_below(host, &aws::DOMAINS) {
            return Err(remote.reference("the address is not one of Amazon's"));
        }
        let credentials = aws::credentials::find(remote, &self.environment, region).await?;
        let host = endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let target = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
        let body = b"{}";
        let headers = [("content-type", JSON), ("host", host.as_str()), ("x-amz-target", target)];
        let request = AwsRequest { method: "POST", path: "/", query: "", headers: &headers, body };
        let signature = credentials.sign(&request, AwsScope { region, service: "ecr" }, Timestamp::now());
        let mut call = Call::post(endpoint.clone(), JSON, body.to_vec())
            .header("x-amz-target", target)
            .header("x-amz-date", &signature.date)
            .header("authorization", signature.authorization.expose());
        if let Some(token) = &signature.security_token {
            call = call.header("x-amz-security-token", token.expose());
        }
        let answer: Answer = remote.exchange(call).await?;
        let token = answer.authorization_data.into_iter().next().map(|data| Secret::new(data.authorization_token));
        let token = token.and_then(|token| STANDARD.decode(token.expose()).ok());
        let text = token.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let (user, password) =
            text.split_once(':').ok_or_else(|| remote.answer("the token is not base64 of user:password"))?;
        Ok(Credential::basic(user, password))
    }

    async fn acr(&self, remote: &Remote, registry: &str) -> Result<Credential, KeyServiceError> {
        #[derive(Deserialize)]
        struct Answer {
            refresh_token: String,
        }
        let token = azure::token::find(remote, &self.environment, AZURE_RESOURCE).await?;
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        let scheme = if is_loopback(host) { "http" } else { "https" };
        let url = remote.url(&format!("{scheme}://{registry}/oauth2/exchange"))?;
        let mut form = vec![("grant_type", "access_token"), ("service", registry), ("access_token", token.expose())];
        if let Some(tenant) = self.environment.get("AZURE_TENANT_ID") {
            form.push(("tenant", tenant));
        }
        let call = Call::post(url, "application/x-www-form-urlencoded", crate::http::form(&form));
        let answer: Answer = remote.exchange(call).await?;
        Ok(Credential::identity_token(&answer.refresh_token))
    }
}

/// Without the name of the key service whose identity it is.
fn cause(error: KeyServiceError) -> String {
    match error {
        KeyServiceError::Reference { reason, .. }
        | KeyServiceError::Credentials { reason, .. }
        | KeyServiceError::Unreachable { reason, .. }
        | KeyServiceError::Answer { reason, .. } => reason,
        other => other.to_string(),
    }
}

impl Provider for RegistryIdentity {
    fn credential<'a>(
        &'a self,
        repository: &'a Repository,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Credential>, CredentialError>> + Send + 'a>> {
        Box::pin(self.find(repository))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cve_2024_35192_cve_2025_27403_tokens_go_to_registries_of_the_cloud_itself() {
        for (cloud, registry, has) in [
            (RegistryCloud::Ecr, "111122223333.dkr.ecr.eu-central-1.amazonaws.com", true),
            (RegistryCloud::Ecr, "111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com", true),
            (RegistryCloud::Ecr, "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn", true),
            (RegistryCloud::Ecr, "111122223333.dkr.ecr.eu-central-1.amazonaws.com.evil.test", false),
            (RegistryCloud::Ecr, "evil.111122223333.dkr.ecr.eu-central-1.amazonaws.com", false),
            (RegistryCloud::Ecr, "1111.dkr.ecr.eu-central-1.amazonaws.com", false),
            (RegistryCloud::Ecr, "bucket.s3.amazonaws.com", false),
            (RegistryCloud::Acr, "team.azurecr.io", true),
            (RegistryCloud::Acr, "azurecr.io.evil.test", false),
            (RegistryCloud::Acr, "team.azurecr.io:5000", false),
            (RegistryCloud::Acr, ".azurecr.io", false),
            (RegistryCloud::Acr, "127.0.0.1:5000", false),
            (RegistryCloud::Acr, "evilazurecr.io", false),
            (RegistryCloud::Gar, "europe-docker.pkg.dev", true),
            (RegistryCloud::Gar, "eu.gcr.io", true),
            (RegistryCloud::Gar, "gcr.io", true),
            (RegistryCloud::Gar, "pkg.dev.evil.test", false),
            (RegistryCloud::Gar, "registry.example.com", false),
        ] {
            assert_eq!(cloud.has(registry), has, "{cloud:?} {registry}");
        }
    }
}
