//! TLS, tokens, and credential plugins (Kubernetes "Authenticating", "client-go credential plugins").

use std::process::Stdio;
use std::time::Duration;

use assay_credentials::tls::{self, Authorities};
use assay_model::Timestamp;
use reqwest::header::HeaderValue;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;

use super::config::{Config, Identity, Plugin};
use super::error::ApiError;

/// Largest token or answer of a plugin.
const CREDENTIAL_MAX: u64 = 1 << 20;
/// For a plugin to answer: some open a browser.
const PLUGIN_TIMEOUT: Duration = Duration::from_mins(2);
/// A credential that ends within this time is not used any more.
const MARGIN: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Half-open connections are noticed within two of these.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Who we are, as of now.
pub(super) struct Sessions {
    config: Config,
    http: reqwest::Client,
    /// What a plugin issued.
    issued: Mutex<Option<Issued>>,
}

struct Issued {
    http: reqwest::Client,
    token: Option<String>,
    until: Option<Timestamp>,
}

impl Sessions {
    pub(super) fn new(config: Config) -> Result<Self, ApiError> {
        let certificate = match &config.identity {
            Identity::Certificate { chain, key } => Some((chain.as_slice(), key.as_slice())),
            _ => None,
        };
        let http = client(&config, certificate)?;
        Ok(Self { config, http, issued: Mutex::new(None) })
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The connections and the header to use for the next request.
    pub(super) async fn current(&self) -> Result<(reqwest::Client, Option<HeaderValue>), ApiError> {
        match &self.config.identity {
            Identity::Anonymous | Identity::Certificate { .. } => Ok((self.http.clone(), None)),
            Identity::Token(token) => Ok((self.http.clone(), Some(bearer(token)?))),
            // Read each time: the kubelet replaces it long before it ends, and no watch holds the old one for long.
            Identity::TokenFile(path) => {
                let wrong = |message| ApiError::Configuration { place: path.display().to_string(), message };
                let file = tokio::fs::File::open(path).await.map_err(|error| wrong(error.to_string()))?;
                let mut token = String::new();
                let read = file.take(CREDENTIAL_MAX).read_to_string(&mut token).await;
                read.map_err(|error| wrong(error.to_string()))?;
                if token.trim().is_empty() {
                    return Err(wrong("is empty".to_owned()));
                }
                Ok((self.http.clone(), Some(bearer(token.trim())?)))
            }
            Identity::Plugin(plugin) => {
                let mut issued = self.issued.lock().await;
                let ends =
                    |until: Timestamp| until.duration_since(Timestamp::now()).as_secs() < MARGIN.as_secs() as i64;
                if issued.as_ref().is_none_or(|own| own.until.is_some_and(ends)) {
                    *issued = Some(self.issue(plugin).await?);
                }
                let Some(own) = issued.as_ref() else { return Err(ApiError::NotConfigured) };
                Ok((own.http.clone(), own.token.as_deref().map(bearer).transpose()?))
            }
        }
    }

    /// The API server does not take what we have: a plugin is asked again.
    pub(super) async fn forget(&self) {
        *self.issued.lock().await = None;
    }

    async fn issue(&self, plugin: &Plugin) -> Result<Issued, ApiError> {
        let failed = |message: String| ApiError::Plugin { command: plugin.command.clone(), message };
        let answer = tokio::time::timeout(PLUGIN_TIMEOUT, run(plugin))
            .await
            .map_err(|_| failed(format!("did not answer within {} s", PLUGIN_TIMEOUT.as_secs())))?
            .map_err(failed)?;
        let text = |field: &str| answer["status"][field].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (token, chain, key) = (text("token"), text("clientCertificateData"), text("clientKeyData"));
        let http = match (&chain, &key) {
            (Some(chain), Some(key)) => client(&self.config, Some((chain.as_bytes(), key.as_bytes())))?,
            (None, None) if token.is_some() => self.http.clone(),
            _ => return Err(failed("gave neither a token nor a certificate with its key".to_owned())),
        };
        let until = text("expirationTimestamp").and_then(|until| until.parse().ok());
        Ok(Issued { http, token, until })
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ApiError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| ApiError::Configuration {
        place: "token".to_owned(),
        message: "has characters that no header can carry".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Runs a plugin and reads its ExecCredential.
async fn run(plugin: &Plugin) -> Result<Value, String> {
    let info = json!({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": {"interactive": false}});
    let mut command = tokio::process::Command::new(&plugin.command);
    command.args(&plugin.arguments).envs(plugin.variables.iter().map(|(name, value)| (name, value)));
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("cannot be run: {error}"))?;
    let mut bytes = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(CREDENTIAL_MAX).read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("failed: {status}"));
    }
    let answer: Value = serde_json::from_slice(&bytes).map_err(|error| format!("did not answer with JSON: {error}"))?;
    if answer["kind"] != "ExecCredential" || answer["apiVersion"] != plugin.api_version.as_str() {
        return Err(format!("did not answer with an ExecCredential of {}", plugin.api_version));
    }
    Ok(answer)
}

fn client(config: &Config, certificate: Option<(&[u8], &[u8])>) -> Result<reqwest::Client, ApiError> {
    let wrong = |message: String| ApiError::Configuration { place: config.place.clone(), message };
    let authorities = config.authorities.as_deref().map_or(Authorities::Public, Authorities::Only);
    let tls = tls::builder(authorities).map_err(|error| wrong(format!("certificate authority: {error}")))?;
    let mut tls = match certificate {
        None => tls.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
            let chain = chain.map_err(|error| wrong(format!("client certificate: {error}")))?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| wrong(format!("client key: {error}")))?;
            tls.with_client_auth_cert(chain, key).map_err(|error| wrong(format!("client certificate: {error}")))?
        }
    };
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(KEEP_ALIVE)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(KEEP_ALIVE)
        .http2_keep_alive_while_idle(true)
        .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")));
    if config.is_direct() {
        builder = builder.no_proxy();
    }
    if let Some((name, address)) = &config.resolve {
        builder = builder.resolve(name, *address);
    }
    builder.build().map_err(|error| wrong(error.to_string()))
}
