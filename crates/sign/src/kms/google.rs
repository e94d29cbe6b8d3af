//! Google Cloud Key Management Service (Cloud KMS REST reference, `cryptoKeyVersions.getPublicKey` and
//! `cryptoKeyVersions.asymmetricSign`: <https://cloud.google.com/kms/docs/reference/rest/v1>), with the CRC32C of what is
//! sent and received ("Verifying end-to-end data integrity").

mod crc;
pub(crate) mod token;

use assay_model::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;

use self::crc::crc32c;
use super::{KeyService, KeyServiceError, Remote, input, is_plain_name};
use crate::SignError;
use crate::environment::Environment;
use crate::http::{Call, Http, is_below};
use crate::key::{Hash, PublicKey, SignatureScheme};

const ENDPOINT: &str = "https://cloudkms.googleapis.com";
const DOMAINS: [&str; 1] = ["googleapis.com"];

/// A key in Google Cloud KMS.
#[derive(Debug)]
pub(crate) struct GoogleKey {
    remote: Remote,
    endpoint: String,
    /// `projects/.../cryptoKeyVersions/N`.
    version: String,
    /// How this version signs, as the service names it: `EC_SIGN_P256_SHA256`.
    algorithm: String,
    authorization: Secret<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    #[serde(default)]
    crypto_key_versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    pem: String,
    algorithm: String,
    name: String,
    pem_crc32c: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    signature: String,
    signature_crc32c: String,
    name: String,
    #[serde(default)]
    verified_digest_crc32c: bool,
    #[serde(default)]
    verified_data_crc32c: bool,
}

/// Opens `gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K`, of which the newest enabled version signs, or one with
/// `/cryptoKeyVersions/N` (cosign: `/versions/N`) behind.
pub(crate) async fn open(
    reference: &str,
    environment: &Environment,
    http: &Http,
) -> Result<(GoogleKey, PublicKey), SignError> {
    let remote = Remote { service: KeyService::Google, http: http.clone() };
    let parts: Vec<&str> = reference.split('/').collect();
    let (key, number) = match parts.as_slice() {
        ["projects", project, "locations", location, "keyRings", ring, "cryptoKeys", name, rest @ ..]
            // Projects of a domain are named example.com:project.
            if is_plain_name(&project.replacen(':', ".", 1))
                && [location, ring, name].iter().all(|name| is_plain_name(name)) =>
        {
            let number = match rest {
                [] => None,
                ["cryptoKeyVersions" | "versions", number] if number.chars().all(|c| c.is_ascii_digit()) => {
                    Some(*number)
                }
                _ => return Err(remote.reference("its last part is not cryptoKeyVersions/NUMBER").into()),
            };
            (format!("projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{name}"), number)
        }
        _ => return Err(remote.reference("it is not projects/P/locations/L/keyRings/R/cryptoKeys/K").into()),
    };
    let endpoint = environment.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS").unwrap_or(ENDPOINT);
    let endpoint = remote.url(endpoint)?;
    if !is_below(endpoint.host_str().unwrap_or_default(), &DOMAINS) {
        return Err(remote.reference("the address is not one of Google's").into());
    }
    let token = token::find(&remote, environment, token::KEYS).await?;
    let mut google = GoogleKey {
        remote,
        endpoint: endpoint.as_str().trim_end_matches('/').to_owned(),
        version: String::new(),
        algorithm: String::new(),
        authorization: Secret::new(format!("Bearer {}", token.expose())),
    };
    google.version = match number {
        Some(number) => format!("{key}/cryptoKeyVersions/{number}"),
        None => google.newest(&key).await?,
    };
    let found: Found = google.remote.json(google.get(google.url(&format!("{}/publicKey", google.version))?)).await?;
    if found.name != google.version || found.pem_crc32c != crc32c(found.pem.as_bytes()).to_string() {
        return Err(google.remote.answer("the public key is another version's, or was changed on its way").into());
    }
    let public = PublicKey::from_pem(&found.pem);
    let public = public.map_err(|error| google.remote.algorithm(format!("{}: {error}", found.algorithm)))?;
    google.algorithm = found.algorithm;
    Ok((google, public))
}

impl GoogleKey {
    fn url(&self, path: &str) -> Result<Url, KeyServiceError> {
        self.remote.url(&format!("{}/v1/{path}", self.endpoint))
    }

    fn get(&self, url: Url) -> Call<'_> {
        Call::get(url).header("authorization", self.authorization.expose())
    }

    /// The enabled version with the highest number.
    async fn newest(&self, key: &str) -> Result<String, KeyServiceError> {
        let mut url = self.url(&format!("{key}/cryptoKeyVersions"))?;
        url.query_pairs_mut().append_pair("filter", "state=ENABLED").append_pair("orderBy", "name desc");
        let listed: Versions = self.remote.json(self.get(url)).await?;
        let number = |version: &Version| -> Option<u64> {
            version.name.strip_prefix(key)?.strip_prefix("/cryptoKeyVersions/")?.parse().ok()
        };
        let newest = listed.crypto_key_versions.iter().filter_map(number).max();
        let newest = newest.ok_or_else(|| self.remote.reference("the key has no enabled version"))?;
        Ok(format!("{key}/cryptoKeyVersions/{newest}"))
    }

    pub(crate) async fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, KeyServiceError> {
        // A version signs in one way only; what it is was asked for with the public key.
        let fits = match scheme {
            SignatureScheme::EcdsaP256Sha256 => self.algorithm == "EC_SIGN_P256_SHA256",
            SignatureScheme::EcdsaP384Sha384 => self.algorithm == "EC_SIGN_P384_SHA384",
            SignatureScheme::EcdsaP521Sha512 => false,
            SignatureScheme::Ed25519 => self.algorithm == "EC_SIGN_ED25519",
            SignatureScheme::RsaPkcs1Sha256 => is_rsa(&self.algorithm, "RSA_SIGN_PKCS1_", "_SHA256"),
            SignatureScheme::RsaPssSha256 => is_rsa(&self.algorithm, "RSA_SIGN_PSS_", "_SHA256"),
            SignatureScheme::RsaPssSha384 => is_rsa(&self.algorithm, "RSA_SIGN_PSS_", "_SHA384"),
            SignatureScheme::RsaPssSha512 => is_rsa(&self.algorithm, "RSA_SIGN_PSS_", "_SHA512"),
        };
        if !fits {
            let algorithm = &self.algorithm;
            return Err(self.remote.algorithm(format!("this version signs as {algorithm}, {scheme:?} is needed")));
        }
        let (hash, input) = input(scheme, message);
        let crc = crc32c(&input).to_string();
        let encoded = STANDARD.encode(&input);
        let body = match hash {
            Some(hash) => {
                let name = match hash {
                    Hash::Sha256 => "sha256",
                    Hash::Sha384 => "sha384",
                    Hash::Sha512 => "sha512",
                };
                json!({"digest": {name: encoded}, "digestCrc32c": crc})
            }
            None => json!({"data": encoded, "dataCrc32c": crc}),
        };
        let url = self.url(&format!("{}:asymmetricSign", self.version))?;
        let call = Call::post(url, "application/json", body.to_string().into_bytes())
            .header("authorization", self.authorization.expose());
        let signed: Signed = self.remote.json(call).await?;
        let signature = STANDARD.decode(&signed.signature);
        let signature = signature.map_err(|_| self.remote.answer("the signature is not base64"))?;
        let arrived = if hash.is_some() { signed.verified_digest_crc32c } else { signed.verified_data_crc32c };
        if !arrived || signed.name != self.version || signed.signature_crc32c != crc32c(&signature).to_string() {
            return Err(self
                .remote
                .answer("another version signed, or the request or the answer was changed on its way"));
        }
        Ok(signature)
    }
}

fn is_rsa(algorithm: &str, begin: &str, end: &str) -> bool {
    algorithm
        .strip_prefix(begin)
        .and_then(|rest| rest.strip_suffix(end))
        .is_some_and(|bits| matches!(bits, "2048" | "3072" | "4096"))
}
