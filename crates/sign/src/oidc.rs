//! Identity tokens from where the process runs, and for people from a browser.
//!
//! A CI job has a token, or can ask for one. The order is the one of Sigstore's own clients: what was put there on purpose
//! first (`SIGSTORE_ID_TOKEN`, as GitLab does it), then the CI systems by their variables, then files, SPIFFE and the cloud.
//! The first that is there decides; if it fails, that is an error and not a reason to sign as somebody else.

mod device;
mod google;
mod spiffe;

use std::fmt;
use std::path::Path;

use assay_model::{Explain, Secret};
use serde::Deserialize;
use serde_json::json;

pub use self::device::{DeviceCode, DeviceFlow, PUBLIC_GOOD_ISSUER};
use crate::environment::{Environment, read_file};
use crate::http::{Call, Http, address};
use crate::{IdentityToken, SignError, TOKEN_VARIABLE};

/// Where cosign's clients look for a token that the platform put there.
const TOKEN_FILE: &str = "/var/run/sigstore/cosign/oidc-token";

/// Where a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ambient {
    /// `SIGSTORE_ID_TOKEN`: GitLab's `id_tokens`, or whoever sets it.
    Variable,
    /// GitHub Actions, with `permissions: id-token: write`.
    GitHub,
    /// Buildkite.
    Buildkite,
    /// CircleCI.
    CircleCi,
    /// The file `/var/run/sigstore/cosign/oidc-token`.
    File,
    /// The SPIFFE Workload API.
    Spiffe,
    /// A Google service account, by its key file or the metadata server.
    Google,
    /// An issuer, with a person in front of a browser.
    Device,
}

impl fmt::Display for Ambient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Variable => TOKEN_VARIABLE,
            Self::GitHub => "GitHub Actions",
            Self::Buildkite => "Buildkite",
            Self::CircleCi => "CircleCI",
            Self::File => TOKEN_FILE,
            Self::Spiffe => "the SPIFFE Workload API",
            Self::Google => "Google",
            Self::Device => "the issuer",
        })
    }
}

/// Where a token should have come from, and did not.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenSourceError {
    /// The source is there and gave no token.
    #[error("no identity token from {from}: {reason}")]
    Failed {
        /// The source.
        from: Ambient,
        /// What was wrong. Never a part of a token.
        reason: String,
    },
    /// A person refused, or did not come in time.
    #[error("nobody confirmed the code in the browser: {reason}")]
    NotConfirmed {
        /// What the issuer says.
        reason: String,
    },
}

impl Explain for TokenSourceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "identity-token-source-failed",
            Self::NotConfirmed { .. } => "identity-token-not-confirmed",
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Failed { from: Ambient::GitHub, .. } => "grant the job `permissions: id-token: write`",
            Self::Failed { from: Ambient::Spiffe, .. } => {
                "check SPIFFE_ENDPOINT_SOCKET, or have spiffe-helper write a JWT-SVID: --identity-token FILE"
            }
            Self::Failed { .. } => "--identity-token FILE takes a token from anywhere",
            Self::NotConfirmed { .. } => "try again, and open the address within the time that is shown",
        };
        Some(step.to_owned())
    }
}

fn failed(from: Ambient, reason: impl fmt::Display) -> TokenSourceError {
    TokenSourceError::Failed { from, reason: reason.to_string() }
}

/// The token of the place where the process runs, made for `audience`; `None` where there is nothing of the kind.
pub async fn ambient_token(
    environment: &Environment,
    http: &Http,
    audience: &str,
) -> Result<Option<(Ambient, IdentityToken)>, SignError> {
    let Some((from, text)) = find(environment, http, audience).await? else { return Ok(None) };
    let token = IdentityToken::new(text.expose())?;
    Ok(Some((from, token)))
}

async fn find(
    environment: &Environment,
    http: &Http,
    audience: &str,
) -> Result<Option<(Ambient, Secret<String>)>, TokenSourceError> {
    if let Some(token) = environment.secret(TOKEN_VARIABLE) {
        return Ok(Some((Ambient::Variable, token)));
    }
    if environment.get("GITHUB_ACTIONS") == Some("true") {
        return github(environment, http, audience).await.map(|token| Some((Ambient::GitHub, token)));
    }
    if environment.get("BUILDKITE") == Some("true") {
        return buildkite(environment, http, audience).await.map(|token| Some((Ambient::Buildkite, token)));
    }
    if environment.get("CIRCLECI") == Some("true") {
        return circle_ci(environment, audience).await.map(|token| Some((Ambient::CircleCi, token)));
    }
    if Path::new(TOKEN_FILE).exists() {
        let text = read_file(TOKEN_FILE.as_ref()).map_err(|reason| failed(Ambient::File, reason))?;
        return Ok(Some((Ambient::File, Secret::new(text))));
    }
    if let Some(socket) = environment.get("SPIFFE_ENDPOINT_SOCKET") {
        return spiffe::fetch(socket, audience).await.map(|token| Some((Ambient::Spiffe, token)));
    }
    Ok(google::find(environment, http, audience).await?.map(|token| (Ambient::Google, token)))
}

/// GitHub documentation, "OpenID Connect reference", "Methods for requesting the OIDC token".
async fn github(environment: &Environment, http: &Http, audience: &str) -> Result<Secret<String>, TokenSourceError> {
    #[derive(Deserialize)]
    struct Answer {
        value: String,
    }
    let from = Ambient::GitHub;
    let (Some(url), Some(token)) =
        (environment.get("ACTIONS_ID_TOKEN_REQUEST_URL"), environment.secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
    else {
        return Err(failed(from, "the job may not ask for one"));
    };
    let mut url = address(url).map_err(|reason| failed(from, reason))?;
    url.query_pairs_mut().append_pair("audience", audience);
    let authorization = Secret::new(format!("Bearer {}", token.expose()));
    let call = Call::get(url).header("authorization", authorization.expose()).header("accept", "application/json");
    let answer: Answer = json(http, from, call).await?;
    Ok(Secret::new(answer.value))
}

/// Buildkite documentation, "OIDC with Buildkite": the request that `buildkite-agent oidc request-token` sends.
async fn buildkite(environment: &Environment, http: &Http, audience: &str) -> Result<Secret<String>, TokenSourceError> {
    #[derive(Deserialize)]
    struct Answer {
        token: String,
    }
    let from = Ambient::Buildkite;
    let (Some(job), Some(token)) =
        (environment.get("BUILDKITE_JOB_ID"), environment.secret("BUILDKITE_AGENT_ACCESS_TOKEN"))
    else {
        return Err(failed(from, "BUILDKITE_JOB_ID or BUILDKITE_AGENT_ACCESS_TOKEN is not set"));
    };
    if !crate::kms::is_plain_name(job) {
        return Err(failed(from, "BUILDKITE_JOB_ID is no job"));
    }
    let endpoint = environment.get("BUILDKITE_AGENT_ENDPOINT").unwrap_or("https://agent.buildkite.com/v3");
    let url = address(&format!("{}/jobs/{job}/oidc/tokens", endpoint.trim_end_matches('/')));
    let url = url.map_err(|reason| failed(from, reason))?;
    let authorization = Secret::new(format!("Token {}", token.expose()));
    let body = json!({"audience": audience}).to_string().into_bytes();
    let call = Call::post(url, "application/json", body).header("authorization", authorization.expose());
    let answer: Answer = json(http, from, call).await?;
    Ok(Secret::new(answer.token))
}

/// CircleCI documentation, "Using OpenID Connect tokens in jobs", "OIDC tokens with custom claims". The token in the job's
/// environment is made for another audience.
async fn circle_ci(environment: &Environment, audience: &str) -> Result<Secret<String>, TokenSourceError> {
    let claims = json!({"aud": audience}).to_string();
    let from = Ambient::CircleCi;
    let mut command = tokio::process::Command::new("circleci");
    command.args(["run", "oidc", "get", "--claims", &claims]).stdin(std::process::Stdio::null()).kill_on_drop(true);
    if let Some(path) = environment.get("PATH") {
        command.env("PATH", path);
    }
    let output = tokio::time::timeout(std::time::Duration::from_secs(30), command.output())
        .await
        .map_err(|_| failed(from, "`circleci run oidc get` did not end within 30 s"))?
        .map_err(|error| failed(from, format!("`circleci` could not be run: {error}")))?;
    if !output.status.success() {
        return Err(failed(from, format!("`circleci run oidc get` failed: {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Secret::new(text))
}

/// Sends a call, and reads the answer as JSON.
async fn json<T: serde::de::DeserializeOwned>(
    http: &Http,
    from: Ambient,
    call: Call<'_>,
) -> Result<T, TokenSourceError> {
    let answer = http.send(call).await.map_err(|failure| failed(from, failure))?;
    serde_json::from_slice(&answer).map_err(|_| failed(from, "the answer holds no token"))
}
