//! Amazon Key Management Service (AWS KMS API Reference, "GetPublicKey" and "Sign":
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>), in its JSON protocol.

pub(crate) mod credentials;

use assay_credentials::aws::{AwsCredentials, AwsRequest, AwsScope};
use assay_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{KeyService, KeyServiceError, Remote, input};
use crate::SignError;
use crate::environment::Environment;
use crate::http::{Call, Http, is_below};
use crate::key::{PublicKey, SignatureScheme};

/// Hosts that belong to Amazon.
pub(crate) const DOMAINS: [&str; 3] = ["amazonaws.com", "amazonaws.com.cn", "api.aws"];
/// Longest message that the service takes where it hashes by itself.
const RAW_MAX: usize = 4096;

/// A key in AWS KMS.
#[derive(Debug)]
pub(crate) struct AwsKey {
    remote: Remote,
    endpoint: Url,
    region: String,
    key: String,
    credentials: AwsCredentials,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    key_id: String,
    public_key: String,
    key_usage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Signed {
    signature: String,
    signing_algorithm: String,
}

/// Opens `awskms://[HOST]/ARN`, `/ID`, `/alias/NAME` or `/arn:...:alias/NAME`, as cosign writes them.
pub(crate) async fn open(
    reference: &str,
    environment: &Environment,
    http: &Http,
) -> Result<(AwsKey, PublicKey), SignError> {
    let remote = Remote { service: KeyService::Aws, http: http.clone() };
    let (host, key) = reference.split_once('/').ok_or_else(|| remote.reference("there is no / before the key"))?;
    if key.is_empty() || key.len() > 2048 || !key.chars().all(|c| c.is_ascii_alphanumeric() || ":/_-".contains(c)) {
        return Err(remote.reference(format!("`{key}` is no key")).into());
    }
    let of_arn = key.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2)).filter(|region| !region.is_empty());
    let region = of_arn.or_else(|| environment.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
    let region = region.ok_or_else(|| remote.reference("the region is not known: set AWS_REGION"))?;
    if !region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        return Err(remote.reference("the region is no region").into());
    }
    let given = (!host.is_empty()).then(|| format!("{}://{host}", if is_local(host) { "http" } else { "https" }));
    let given = given.or_else(|| environment.first(&["AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL"]).map(str::to_owned));
    let endpoint = remote.url(&given.unwrap_or_else(|| format!("https://kms.{region}.{}", domain(region))))?;
    if !is_below(endpoint.host_str().unwrap_or_default(), &DOMAINS) {
        return Err(remote.reference("the address is not one of Amazon's").into());
    }
    let credentials = credentials::find(&remote, environment, region).await?;
    let mut key = AwsKey { remote, endpoint, region: region.to_owned(), key: key.to_owned(), credentials };
    let found: Found = key.call("GetPublicKey", &json!({"KeyId": key.key})).await?;
    if found.key_usage != "SIGN_VERIFY" {
        return Err(key.remote.algorithm(format!("its usage is {}", found.key_usage)).into());
    }
    let der = STANDARD.decode(&found.public_key).map_err(|_| key.remote.answer("the public key is not base64"))?;
    let public = PublicKey::from_der(&der).map_err(|error| key.remote.algorithm(error.to_string()))?;
    // An alias may move between two calls; the key that it meant is the one that signs.
    key.key = found.key_id;
    Ok((key, public))
}

fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    crate::http::is_loopback(name)
}

pub(crate) fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

impl AwsKey {
    pub(crate) async fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
        let (hash, input) = input(scheme, message);
        if hash.is_none() && input.len() > RAW_MAX {
            return Err(self.remote.algorithm(format!("with Ed25519 at most {RAW_MAX} bytes are signed")));
        }
        let algorithm = match scheme {
            SignatureScheme::EcdsaP256Sha256 => "ECDSA_SHA_256",
            SignatureScheme::EcdsaP384Sha384 => "ECDSA_SHA_384",
            SignatureScheme::EcdsaP521Sha512 => "ECDSA_SHA_512",
            SignatureScheme::Ed25519 => "ED25519_SHA_512",
            SignatureScheme::RsaPkcs1Sha256 => "RSASSA_PKCS1_V1_5_SHA_256",
            SignatureScheme::RsaPssSha256 => "RSASSA_PSS_SHA_256",
            SignatureScheme::RsaPssSha384 => "RSASSA_PSS_SHA_384",
            SignatureScheme::RsaPssSha512 => "RSASSA_PSS_SHA_512",
        };
        let body = json!({
            "KeyId": self.key,
            "Message": STANDARD.encode(input),
            "MessageType": if hash.is_some() { "DIGEST" } else { "RAW" },
            "SigningAlgorithm": algorithm,
        });
        let signed: Signed = self.call("Sign", &body).await?;
        if signed.signing_algorithm != algorithm {
            let other: String = signed.signing_algorithm.chars().take(64).collect();
            return Err(self.remote.answer(format!("it signed with {other}, not with {algorithm}")));
        }
        STANDARD.decode(&signed.signature).map_err(|_| self.remote.answer("the signature is not base64"))
    }

    async fn call<T: DeserializeOwned>(&self, operation: &str, body: &Value) -> Result<T, KeyServiceError> {
        const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
        let body = body.to_string().into_bytes();
        let target = format!("TrentService.{operation}");
        let host = self.endpoint.host_str().unwrap_or_default();
        let host = self.endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let headers = [("content-type", CONTENT_TYPE), ("host", host.as_str()), ("x-amz-target", target.as_str())];
        let request = AwsRequest { method: "POST", path: "/", query: "", headers: &headers, body: &body };
        let scope = AwsScope { region: &self.region, service: "kms" };
        let signature = self.credentials.sign(&request, scope, Timestamp::now());
        let mut call = Call::post(self.endpoint.clone(), CONTENT_TYPE, body.clone())
            .header("x-amz-target", &target)
            .header("x-amz-date", &signature.date)
            .header("authorization", signature.authorization.expose());
        if let Some(token) = &signature.security_token {
            call = call.header("x-amz-security-token", token.expose());
        }
        self.remote.json(call).await
    }
}
