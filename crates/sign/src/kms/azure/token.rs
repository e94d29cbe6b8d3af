//! An access token for Azure: a client secret or a federated token exchanged at Microsoft Entra ID (Microsoft identity
//! platform, "OAuth 2.0 client credentials flow": <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>),
//! else the managed identity of the machine ("How to use managed identities ... to acquire an access token").

use assay_model::Secret;
use serde::Deserialize;

use crate::environment::{Environment, read_file};
use crate::http::{Call, is_below};
use crate::kms::{KeyServiceError, Remote, is_plain_name};

/// Hosts that issue tokens: the public cloud's and the national clouds'.
const AUTHORITIES: [&str; 3] = ["login.microsoftonline.com", "login.chinacloudapi.cn", "login.microsoftonline.us"];
const FEDERATED: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

/// A token for `resource`, from the variables that Azure's own clients read.
pub(crate) async fn find(
    remote: &Remote,
    environment: &Environment,
    resource: &str,
) -> Result<Secret<String>, KeyServiceError> {
    let client = environment.get("AZURE_CLIENT_ID");
    let token = match (environment.get("AZURE_TENANT_ID"), client) {
        (Some(tenant), Some(client)) => application(remote, environment, tenant, client, resource).await?,
        _ => None,
    };
    match token {
        Some(token) => Ok(token),
        None => managed_identity(remote, environment, client, resource).await,
    }
}

async fn application(
    remote: &Remote,
    environment: &Environment,
    tenant: &str,
    client: &str,
    resource: &str,
) -> Result<Option<Secret<String>>, KeyServiceError> {
    if !is_plain_name(tenant) {
        return Err(remote.reference("AZURE_TENANT_ID is no tenant"));
    }
    let authority = environment.get("AZURE_AUTHORITY_HOST").unwrap_or("https://login.microsoftonline.com");
    let url = remote.url(&format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/')))?;
    if !is_below(url.host_str().unwrap_or_default(), &AUTHORITIES) {
        return Err(remote.reference("AZURE_AUTHORITY_HOST is not one of Microsoft's"));
    }
    let scope = format!("{resource}/.default");
    let mut form = vec![("client_id", client), ("grant_type", "client_credentials"), ("scope", &scope)];
    let (secret, assertion);
    if let Some(found) = environment.secret("AZURE_CLIENT_SECRET") {
        secret = found;
        form.push(("client_secret", secret.expose()));
    } else if let Some(path) = environment.get("AZURE_FEDERATED_TOKEN_FILE") {
        assertion = Secret::new(read_file(path.as_ref()).map_err(|reason| remote.credentials(reason))?);
        form.push(("client_assertion_type", FEDERATED));
        form.push(("client_assertion", assertion.expose().trim()));
    } else {
        return Ok(None);
    }
    let body = crate::http::form(&form);
    let call = Call::post(url, "application/x-www-form-urlencoded", body);
    let token: Token = remote.exchange(call).await?;
    Ok(Some(Secret::new(token.access_token)))
}

async fn managed_identity(
    remote: &Remote,
    environment: &Environment,
    client: Option<&str>,
    resource: &str,
) -> Result<Secret<String>, KeyServiceError> {
    let host = environment.get("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or("http://169.254.169.254");
    let mut url = remote.url(&format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/')))?;
    url.query_pairs_mut().append_pair("api-version", "2018-02-01").append_pair("resource", resource);
    if let Some(client) = client {
        url.query_pairs_mut().append_pair("client_id", client);
    }
    let token: Token = remote.exchange(Call::get(url).header("metadata", "true")).await?;
    Ok(Secret::new(token.access_token))
}
