//! Google Cloud KMS: a token from a service account, federation or the metadata server, then the key.

use assay_model::Explain as _;
use assay_sign::{Environment, KeyAlgorithm, KeyServiceError, PrivateKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Seen, StandIn, json as reply, open, service_error, sign_and_verify, sign_digest, status};

const KEY: &str = "projects/p/locations/global/keyRings/r/cryptoKeys/k";
const VERSION: &str = "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/10";

/// CRC32C by a table-free definition of its own (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> String {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    (!crc).to_string()
}

async fn google(
    algorithm: &'static str,
    change: impl Fn(&Seen, &mut Value) + Clone + Send + Sync + 'static,
) -> (StandIn, PrivateKey) {
    let kind = if algorithm.starts_with("RSA") { KeyAlgorithm::Rsa2048 } else { KeyAlgorithm::EcdsaP256 };
    let key = PrivateKey::generate(kind).unwrap();
    let pem = key.private_key_pem().unwrap().expose().clone();
    let server = StandIn::start(move |seen| {
        let key = PrivateKey::from_pem(&pem).unwrap();
        let path = seen.uri.path().strip_prefix("/v1/").unwrap_or(seen.uri.path());
        let mut answer = match path {
            "/token" => {
                if let Some(assertion) = seen.form("assertion") {
                    let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
                    let claims: Value = serde_json::from_slice(&claims).unwrap();
                    assert_eq!(claims["iss"], "release@p.iam.gserviceaccount.com");
                    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 3600);
                } else {
                    assert_eq!(seen.form("subject_token").as_deref(), Some("a.b.c"));
                }
                json!({"access_token": "google", "token_type": "Bearer"})
            }
            "/computeMetadata/v1/instance/service-accounts/default/token"
                if seen.header("metadata-flavor") == "Google" =>
            {
                json!({"access_token": "google"})
            }
            _ if seen.header("authorization") != "Bearer google" => return status(401, "UNAUTHENTICATED"),
            path if path == format!("{KEY}/cryptoKeyVersions") => {
                assert!(seen.uri.query().unwrap().starts_with("filter=state%3DENABLED"));
                json!({"cryptoKeyVersions": [{"name": format!("{KEY}/cryptoKeyVersions/9")}, {"name": VERSION}]})
            }
            path if path == format!("{VERSION}/publicKey") => {
                let pem = key.public_key_pem().unwrap();
                json!({"pemCrc32c": crc32c(pem.as_bytes()), "pem": pem, "algorithm": algorithm, "name": VERSION})
            }
            path if path == format!("{VERSION}:asymmetricSign") => {
                let body = seen.json();
                let digest = STANDARD.decode(body["digest"]["sha256"].as_str().unwrap()).unwrap();
                assert_eq!(body["digestCrc32c"], crc32c(&digest));
                let signature = sign_digest(&key, &digest);
                json!({
                    "signature": STANDARD.encode(&signature),
                    "signatureCrc32c": crc32c(&signature),
                    "verifiedDigestCrc32c": true,
                    "name": VERSION,
                })
            }
            _ => return status(404, ""),
        };
        change(seen, &mut answer);
        reply(&answer)
    })
    .await;
    (server, key)
}

fn environment(server: &StandIn) -> Environment {
    Environment::default()
        .with("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", server.url())
        .with("GCE_METADATA_HOST", server.host.as_str())
}

#[tokio::test]
async fn the_newest_enabled_version_signs_with_each_kind_of_credentials() {
    let (server, key) = google("EC_SIGN_P256_SHA256", |_, _| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let account_key = PrivateKey::generate(KeyAlgorithm::Rsa2048).unwrap().private_key_pem().unwrap();
    let account = json!({
        "type": "service_account",
        "client_email": "release@p.iam.gserviceaccount.com",
        "private_key": account_key.expose(),
        "private_key_id": "1",
        "token_uri": format!("{}/token", server.url()),
    });
    std::fs::write(folder.path().join("subject"), "a.b.c\n").unwrap();
    let federation = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/token", server.url()),
        "credential_source": {"file": folder.path().join("subject")},
    });
    let base = environment(&server);
    for environment in [
        base.clone(),
        base.clone().with("GOOGLE_OAUTH_ACCESS_TOKEN", "google"),
        base.clone().with("GOOGLE_APPLICATION_CREDENTIALS", file("account", &account)),
        base.with("GOOGLE_APPLICATION_CREDENTIALS", file("federation", &federation)),
    ] {
        sign_and_verify(open(&format!("gcpkms://{KEY}"), &environment).await.unwrap(), &key).await;
        sign_and_verify(open(&format!("gcpkms://{KEY}/versions/10"), &environment).await.unwrap(), &key).await;
    }
}

#[tokio::test]
async fn an_rsa_version_signs_as_it_was_made_to() {
    let (server, key) = google("RSA_SIGN_PKCS1_2048_SHA256", |_, _| {}).await;
    sign_and_verify(open(&format!("gcpkms://{VERSION}"), &environment(&server)).await.unwrap(), &key).await;
    // The same key, made for another padding.
    let (server, _) = google("RSA_SIGN_PSS_2048_SHA256", |_, _| {}).await;
    let key = open(&format!("gcpkms://{VERSION}"), &environment(&server)).await.unwrap();
    let error = service_error(key.sign(key.algorithm().scheme(), b"message").await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Algorithm { .. }), "{error}");
}

#[tokio::test]
async fn wrong_answers_are_errors_with_their_cause() {
    type Change = fn(&Seen, &mut Value);
    let cases: [(&str, Change); 10] = [
        ("key-reference-invalid", |_, answer| answer["cryptoKeyVersions"] = json!([])),
        ("key-service-answer-invalid", |_, answer| answer["pemCrc32c"] = "1".into()),
        ("key-service-answer-invalid", |_, answer| answer["pem"] = "changed".into()),
        ("key-service-answer-invalid", |_, answer| answer["name"] = format!("{KEY}/cryptoKeyVersions/9").into()),
        ("key-algorithm-unsupported", |_, answer| answer["algorithm"] = "EC_SIGN_SECP256K1_SHA256".into()),
        ("key-service-answer-invalid", |_, answer| answer["signatureCrc32c"] = "1".into()),
        ("key-service-answer-invalid", |_, answer| answer["verifiedDigestCrc32c"] = false.into()),
        ("key-service-answer-invalid", |_, answer| answer["signature"] = "*".into()),
        ("key-service-signature-invalid", |_, answer| {
            answer["signature"] = "MAYCAQECAQE=".into();
            answer["signatureCrc32c"] = crc32c(&STANDARD.decode("MAYCAQECAQE=").unwrap()).into();
        }),
        ("key-service-credentials", |seen, answer| {
            if seen.uri.path().ends_with("/token") {
                *answer = json!({"error": "nothing"});
            }
        }),
    ];
    for (index, (code, change)) in cases.into_iter().enumerate() {
        let (server, _) = google("EC_SIGN_P256_SHA256", change).await;
        let result = match open(&format!("gcpkms://{KEY}"), &environment(&server)).await {
            Ok(key) => key.sign(key.algorithm().scheme(), b"message").await.map(|_| ()),
            Err(error) => Err(error),
        };
        let error = result.unwrap_err();
        assert_eq!(error.code(), code, "{index}: {error}");
    }
}

#[tokio::test]
async fn a_token_goes_to_google_or_to_this_machine_only() {
    let evil = Environment::default()
        .with("GOOGLE_OAUTH_ACCESS_TOKEN", "google")
        .with("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS", "https://googleapis.com.evil.example");
    let error = service_error(open(&format!("gcpkms://{KEY}"), &evil).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Reference { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let file = json!({"type": "service_account", "client_email": "a", "private_key": "b", "token_uri": "https://evil.example"});
    std::fs::write(&path, file.to_string()).unwrap();
    let evil = Environment::default().with("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap());
    let error = service_error(open(&format!("gcpkms://{KEY}"), &evil).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Reference { .. }), "{error}");
}
