//! Microsoft Azure Key Vault and Managed HSM (Azure Key Vault REST API, "Get Key" and "Sign", version 7.4:
//! <https://learn.microsoft.com/rest/api/keyvault/keys/sign/sign>).

pub(crate) mod token;

use assay_model::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;

use super::{KeyService, KeyServiceError, Remote, input, is_plain_name};
use crate::SignError;
use crate::environment::Environment;
use crate::http::{Call, Http, is_below, is_loopback};
use crate::key::{KeyAlgorithm, PublicKey, SignatureScheme, ecdsa};

const API_VERSION: &str = "api-version=7.4";
/// Hosts of vaults (Azure documentation, "Azure Key Vault basic concepts" and the national clouds), with the resource
/// that a token for them is made for.
const DOMAINS: [(&str, &str); 5] = [
    ("vault.azure.net", "https://vault.azure.net"),
    ("managedhsm.azure.net", "https://managedhsm.azure.net"),
    ("vault.azure.cn", "https://vault.azure.cn"),
    ("vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net"),
    ("managedhsm.usgovcloudapi.net", "https://managedhsm.usgovcloudapi.net"),
];

/// A key in Azure Key Vault.
#[derive(Debug)]
pub(crate) struct AzureKey {
    remote: Remote,
    vault: String,
    name: String,
    version: String,
    /// The header's value.
    authorization: Secret<String>,
}

#[derive(Deserialize)]
struct Found {
    key: WebKey,
}

/// A JSON Web Key (RFC 7517), as the service writes it.
#[derive(Deserialize)]
struct WebKey {
    kid: String,
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

#[derive(Deserialize)]
struct Signed {
    kid: String,
    value: String,
}

/// Opens `azurekms://VAULT.vault.azure.net/KEY[/VERSION]`.
pub(crate) async fn open(
    reference: &str,
    environment: &Environment,
    http: &Http,
) -> Result<(AzureKey, PublicKey), SignError> {
    let remote = Remote { service: KeyService::Azure, http: http.clone() };
    let mut parts = reference.split('/');
    let (host, name, version) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(host), Some(name), version, None) => (host, name, version.unwrap_or_default()),
        _ => return Err(remote.reference("it is not VAULT/KEY or VAULT/KEY/VERSION").into()),
    };
    if !is_plain_name(name) || !(version.is_empty() || is_plain_name(version)) {
        return Err(remote
            .reference("the key's name or version holds other characters than letters, digits and -")
            .into());
    }
    let local = is_loopback(host.rsplit_once(':').map_or(host, |(name, _)| name));
    let vault = remote.url(&format!("{}://{host}", if local { "http" } else { "https" }))?;
    let found = vault.host_str().unwrap_or_default();
    let domain = DOMAINS.iter().find(|(domain, _)| local || is_below(found, &[domain]));
    let (_, resource) = domain.ok_or_else(|| remote.reference(format!("{host} is not a vault of Azure")))?;
    let token = token::find(&remote, environment, resource).await?;
    let vault = vault.as_str().trim_end_matches('/').to_owned();
    let authorization = Secret::new(format!("Bearer {}", token.expose()));
    let mut key = AzureKey { remote, vault, name: name.to_owned(), version: version.to_owned(), authorization };
    let found: Found =
        key.remote.json(Call::get(key.url("")?).header("authorization", key.authorization.expose())).await?;
    key.version = key.version_of(&found.key.kid)?;
    let public = key.public(&found.key)?;
    Ok((key, public))
}

impl AzureKey {
    fn url(&self, last: &str) -> Result<Url, KeyServiceError> {
        let Self { vault, name, version, .. } = self;
        let version = if version.is_empty() { String::new() } else { format!("/{version}") };
        self.remote.url(&format!("{vault}/keys/{name}{version}{last}?{API_VERSION}"))
    }

    /// The version at the end of a key's identifier, `https://VAULT/keys/NAME/VERSION`.
    fn version_of(&self, kid: &str) -> Result<String, KeyServiceError> {
        let mut parts = kid.rsplit('/');
        let (version, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let wrong = !self.version.is_empty() && self.version != version;
        // Names of keys ignore case (Azure documentation, "Azure Key Vault keys, secrets, and certificates overview").
        if wrong || !name.eq_ignore_ascii_case(&self.name) || !is_plain_name(version) {
            return Err(self.remote.answer("it is about another key"));
        }
        Ok(version.to_owned())
    }

    fn public(&self, key: &WebKey) -> Result<PublicKey, KeyServiceError> {
        let number = |value: &Option<String>| {
            let text = value.as_deref().ok_or_else(|| self.remote.answer("the key lacks a number"))?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| self.remote.answer("a number of the key is not base64url"))
        };
        let public = match (key.kty.as_str(), key.crv.as_deref()) {
            ("EC" | "EC-HSM", Some(curve @ ("P-256" | "P-384" | "P-521"))) => {
                let (algorithm, width) = match curve {
                    "P-256" => (KeyAlgorithm::EcdsaP256, 32),
                    "P-384" => (KeyAlgorithm::EcdsaP384, 48),
                    _ => (KeyAlgorithm::EcdsaP521, 66),
                };
                let mut point = vec![4];
                for coordinate in [number(&key.x)?, number(&key.y)?] {
                    let missing = usize::checked_sub(width, coordinate.len());
                    let missing = missing.ok_or_else(|| self.remote.answer("a coordinate is too long"))?;
                    point.resize(point.len() + missing, 0);
                    point.extend(coordinate);
                }
                PublicKey::from_point(algorithm, &point)
            }
            ("RSA" | "RSA-HSM", _) => PublicKey::from_rsa(&number(&key.n)?, &number(&key.e)?),
            (kind, curve) => {
                let curve = curve.unwrap_or_default();
                return Err(self.remote.algorithm(format!("it is of type {kind} {curve}")));
            }
        };
        public.map_err(|error| self.remote.algorithm(error.to_string()))
    }

    pub(crate) async fn sign(
        &self,
        algorithm: KeyAlgorithm,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyServiceError> {
        let name = match scheme {
            SignatureScheme::EcdsaP256Sha256 => "ES256",
            SignatureScheme::EcdsaP384Sha384 => "ES384",
            SignatureScheme::EcdsaP521Sha512 => "ES512",
            SignatureScheme::RsaPkcs1Sha256 => "RS256",
            SignatureScheme::RsaPssSha256 => "PS256",
            SignatureScheme::RsaPssSha384 => "PS384",
            SignatureScheme::RsaPssSha512 => "PS512",
            SignatureScheme::Ed25519 => return Err(self.remote.algorithm("it does not sign with Ed25519")),
        };
        let (_, input) = input(scheme, message);
        let body = json!({"alg": name, "value": URL_SAFE_NO_PAD.encode(input)}).to_string();
        let call = Call::post(self.url("/sign")?, "application/json", body.into_bytes());
        let signed: Signed = self.remote.json(call.header("authorization", self.authorization.expose())).await?;
        self.version_of(&signed.kid)?;
        let value = URL_SAFE_NO_PAD.decode(signed.value.trim_end_matches('='));
        let value = value.map_err(|_| self.remote.answer("the signature is not base64url"))?;
        match algorithm.coordinate() {
            // The service writes the two numbers at a fixed width.
            Some(width) => ecdsa::to_asn1(&value, width)
                .ok_or_else(|| self.remote.answer(format!("a signature of {} bytes", value.len()))),
            None => Ok(value),
        }
    }
}
