//! HashiCorp Vault's transit engine, and OpenBao's (Vault API documentation, "Transit secrets engine (API)":
//! <https://developer.hashicorp.com/vault/api-docs/secret/transit>, "Read key" and "Sign data").

use std::collections::BTreeMap;

use assay_model::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;

use super::{KeyService, KeyServiceError, Remote, input, is_plain_name};
use crate::SignError;
use crate::environment::{Environment, read_file};
use crate::http::{Call, Http};
use crate::key::{Hash, PublicKey, SignatureScheme};

const SERVICE: KeyService = KeyService::Vault;

/// A key in Vault.
#[derive(Debug)]
pub(crate) struct VaultKey {
    remote: Remote,
    base: Url,
    engine: String,
    name: String,
    version: u64,
    token: Secret<String>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Key {
    #[serde(rename = "type")]
    kind: String,
    latest_version: u64,
    keys: BTreeMap<String, Version>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Version {
    Asymmetric { public_key: String },
    // Symmetric keys list the time of their creation.
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Signed {
    signature: String,
}

/// Opens `hashivault://KEY`. `VAULT_ADDR`, `VAULT_TOKEN` or `~/.vault-token`, `VAULT_NAMESPACE`, `VAULT_CACERT` and
/// `TRANSIT_SECRET_ENGINE_PATH` say where it is, as for Vault's own client and for cosign.
pub(crate) async fn open(
    reference: &str,
    environment: &Environment,
    http: &Http,
) -> Result<(VaultKey, PublicKey), SignError> {
    let mut remote = Remote { service: SERVICE, http: http.clone() };
    if !is_plain_name(reference) {
        return Err(remote.reference(format!("`{reference}` is no name of a key")).into());
    }
    let base = environment.get("VAULT_ADDR").ok_or_else(|| remote.reference("VAULT_ADDR is not set"))?;
    let base = remote.url(base)?;
    if environment.get("VAULT_SKIP_VERIFY").is_some_and(|value| !matches!(value, "0" | "f" | "false")) {
        return Err(remote.reference("VAULT_SKIP_VERIFY is set: name the authority with VAULT_CACERT instead").into());
    }
    if let Some(path) = environment.get("VAULT_CACERT") {
        let pem = read_file(path.as_ref()).map_err(|reason| remote.reference(reason))?;
        remote.http = Http::new(Some(&pem)).map_err(|reason| remote.reference(format!("{path}: {reason}")))?;
    }
    let engine = environment.get("TRANSIT_SECRET_ENGINE_PATH").unwrap_or("transit").trim_matches('/').to_owned();
    if !engine.split('/').all(is_plain_name) {
        return Err(remote.reference("TRANSIT_SECRET_ENGINE_PATH is no path").into());
    }
    let mut key = VaultKey {
        token: token(environment, &remote)?,
        remote,
        base,
        engine,
        name: reference.to_owned(),
        version: 0,
        namespace: environment.get("VAULT_NAMESPACE").map(str::to_owned),
    };
    let found: Answer<Key> = key.remote.json(key.with_token(Call::get(key.url("keys", "")?))).await?;
    let found = found.data;
    key.version = found.latest_version;
    let Some(Version::Asymmetric { public_key }) = found.keys.get(&found.latest_version.to_string()) else {
        return Err(key.remote.algorithm(format!("it is of type {}, which has no public key", found.kind)).into());
    };
    let public = if found.kind == "ed25519" {
        let bytes = STANDARD.decode(public_key).map_err(|_| key.remote.answer("the public key is not base64"))?;
        PublicKey::from_ed25519(&bytes)
    } else {
        PublicKey::from_pem(public_key)
    };
    let public = public.map_err(|error| key.remote.algorithm(format!("type {}: {error}", found.kind)))?;
    Ok((key, public))
}

fn token(environment: &Environment, remote: &Remote) -> Result<Secret<String>, KeyServiceError> {
    if let Some(token) = environment.secret("VAULT_TOKEN") {
        return Ok(token);
    }
    let text = environment
        .home(".vault-token")
        .filter(|path| path.exists())
        .map(|path| read_file(&path))
        .transpose()
        .map_err(|reason| remote.credentials(reason))?;
    let token = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    token.map(Secret::new).ok_or_else(|| remote.credentials("neither VAULT_TOKEN nor ~/.vault-token"))
}

impl VaultKey {
    fn url(&self, operation: &str, last: &str) -> Result<Url, KeyServiceError> {
        let base = self.base.as_str().trim_end_matches('/');
        self.remote.url(&format!("{base}/v1/{}/{operation}/{}{last}", self.engine, self.name))
    }

    fn with_token<'a>(&'a self, call: Call<'a>) -> Call<'a> {
        let call = call.header("x-vault-token", self.token.expose()).header("x-vault-request", "true");
        match &self.namespace {
            Some(namespace) => call.header("x-vault-namespace", namespace),
            None => call,
        }
    }

    pub(crate) async fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
        let (hash, input) = input(scheme, message);
        let mut body = json!({
            "input": STANDARD.encode(input),
            "key_version": self.version,
            "marshaling_algorithm": "asn1",
        });
        if hash.is_some() {
            body["prehashed"] = true.into();
        }
        match scheme {
            SignatureScheme::RsaPkcs1Sha256 => body["signature_algorithm"] = "pkcs1v15".into(),
            SignatureScheme::RsaPssSha256 | SignatureScheme::RsaPssSha384 | SignatureScheme::RsaPssSha512 => {
                body["signature_algorithm"] = "pss".into();
                body["salt_length"] = "hash".into();
            }
            _ => {}
        }
        let last = match hash {
            Some(Hash::Sha256) => "/sha2-256",
            Some(Hash::Sha384) => "/sha2-384",
            Some(Hash::Sha512) => "/sha2-512",
            None => "",
        };
        let call = Call::post(self.url("sign", last)?, "application/json", body.to_string().into_bytes());
        let signed: Answer<Signed> = self.remote.json(self.with_token(call)).await?;
        // vault:v1:BASE64
        let mut parts = signed.data.signature.splitn(3, ':');
        let (prefix, version, signature) = (parts.next(), parts.next(), parts.next());
        let expected = format!("v{}", self.version);
        match (prefix, version, signature) {
            (Some("vault"), Some(version), Some(signature)) if version == expected => {
                STANDARD.decode(signature).map_err(|_| self.remote.answer("the signature is not base64"))
            }
            (Some("vault"), Some(version), Some(_)) => {
                Err(self.remote.answer(format!("version {version} signed, {expected} was asked")))
            }
            _ => Err(self.remote.answer("the signature is not of the form vault:vN:BASE64")),
        }
    }
}
