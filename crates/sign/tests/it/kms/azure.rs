//! Azure Key Vault: a token from Entra ID or the machine, then the key.

use assay_model::Explain as _;
use assay_sign::{Environment, KeyAlgorithm, KeyServiceError, PrivateKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Seen, StandIn, json as reply, open, service_error, sign_and_verify, sign_digest, status};

/// r and s at a fixed width, as the service writes them.
fn fixed(signature: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &signature[2..];
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = if number.len() > 32 { &number[1..] } else { number };
        out.resize(out.len() + 32 - number.len(), 0);
        out.extend_from_slice(number);
        rest = &rest[2 + length..];
    }
    out
}

async fn azure(change: impl Fn(&Seen, &mut Value) + Clone + Send + Sync + 'static) -> (StandIn, PrivateKey) {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let pem = key.private_key_pem().unwrap().expose().clone();
    let server = StandIn::start(move |seen| {
        let key = PrivateKey::from_pem(&pem).unwrap();
        let path = seen.uri.path();
        let query = seen.uri.query().unwrap_or_default();
        let mut answer = match path {
            "/tenant/oauth2/v2.0/token" => {
                assert_eq!(seen.form("scope").as_deref(), Some("https%3A%2F%2Fvault.azure.net%2F.default"));
                match (seen.form("client_secret"), seen.form("client_assertion")) {
                    (Some(secret), None) if secret == "hunter2" => {}
                    (None, Some(assertion)) if assertion == "a.b.c" => {}
                    _ => return status(401, r#"{"error":"invalid_client"}"#),
                }
                json!({"access_token": "azure", "expires_in": 3600})
            }
            "/metadata/identity/oauth2/token" if seen.header("metadata") == "true" => {
                assert!(query.contains("resource=https%3A%2F%2Fvault.azure.net"));
                json!({"access_token": "azure"})
            }
            _ if seen.header("authorization") != "Bearer azure" || query != "api-version=7.4" => {
                return status(401, r#"{"error":{"code":"Unauthorized"}}"#);
            }
            "/keys/release" | "/keys/release/v1" => {
                let der = assay_sign::PublicKey::from_pem(&key.public_key_pem().unwrap()).unwrap().der().to_vec();
                let point = &der[der.len() - 64..];
                json!({"key": {
                    "kid": "https://a.vault.azure.net/keys/Release/v1",
                    "kty": "EC-HSM",
                    "crv": "P-256",
                    "x": URL_SAFE_NO_PAD.encode(&point[..32]),
                    "y": URL_SAFE_NO_PAD.encode(&point[32..]),
                }})
            }
            "/keys/release/v1/sign" => {
                let body = seen.json();
                assert_eq!(body["alg"], "ES256");
                let digest = URL_SAFE_NO_PAD.decode(body["value"].as_str().unwrap()).unwrap();
                let signature = fixed(&sign_digest(&key, &digest));
                json!({
                    "kid": "https://a.vault.azure.net/keys/release/v1",
                    "value": URL_SAFE_NO_PAD.encode(signature),
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

fn application(server: &StandIn) -> Environment {
    Environment::default()
        .with("AZURE_TENANT_ID", "tenant")
        .with("AZURE_CLIENT_ID", "client")
        .with("AZURE_AUTHORITY_HOST", server.url())
}

#[tokio::test]
async fn a_key_in_a_vault_signs_with_each_kind_of_credentials() {
    let (server, key) = azure(|_, _| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a.b.c\n").unwrap();
    let secret = application(&server).with("AZURE_CLIENT_SECRET", "hunter2");
    let federated = application(&server).with("AZURE_FEDERATED_TOKEN_FILE", token.to_str().unwrap());
    let machine = Environment::default().with("AZURE_POD_IDENTITY_AUTHORITY_HOST", server.url());
    for environment in [secret, federated, machine] {
        for reference in ["release", "release/v1"] {
            let reference = format!("azurekms://{}/{reference}", server.host);
            sign_and_verify(open(&reference, &environment).await.unwrap(), &key).await;
        }
    }
}

#[tokio::test]
async fn wrong_answers_are_errors_with_their_cause() {
    type Change = fn(&Seen, &mut Value);
    let cases: [(&str, Change); 9] = [
        ("key-service-credentials", |seen, answer| {
            if seen.uri.path().ends_with("/token") {
                *answer = json!({"error": "invalid_scope"});
            }
        }),
        ("key-algorithm-unsupported", |_, answer| answer["key"]["kty"] = "oct".into()),
        ("key-algorithm-unsupported", |_, answer| answer["key"]["crv"] = "P-256K".into()),
        // The point is not on the curve, or not one at all.
        ("key-service-answer-invalid", |_, answer| answer["key"]["x"] = Value::Null),
        ("key-service-answer-invalid", |_, answer| answer["key"]["x"] = URL_SAFE_NO_PAD.encode([1; 33]).into()),
        ("key-service-answer-invalid", |_, answer| answer["key"]["kid"] = "https://a/keys/other/v1".into()),
        ("key-service-answer-invalid", |seen, answer| {
            if seen.uri.path().ends_with("/sign") {
                answer["kid"] = "https://a/keys/release/v2".into();
            }
        }),
        ("key-service-answer-invalid", |_, answer| answer["value"] = "AAAA".into()),
        ("key-service-signature-invalid", |_, answer| answer["value"] = URL_SAFE_NO_PAD.encode([1; 64]).into()),
    ];
    for (index, (code, change)) in cases.into_iter().enumerate() {
        let (server, _) = azure(change).await;
        let environment = application(&server).with("AZURE_CLIENT_SECRET", "hunter2");
        let result = match open(&format!("azurekms://{}/release", server.host), &environment).await {
            Ok(key) => key.sign(key.algorithm().scheme(), b"message").await.map(|_| ()),
            Err(error) => Err(error),
        };
        let error = result.unwrap_err();
        assert_eq!(error.code(), code, "{index}: {error}");
    }
}

#[tokio::test]
async fn a_secret_goes_to_microsoft_or_to_this_machine_only() {
    let (server, _) = azure(|_, _| {}).await;
    let environment = application(&server).with("AZURE_CLIENT_SECRET", "hunter3");
    let error = service_error(open(&format!("azurekms://{}/release", server.host), &environment).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Credentials { .. }), "{error}");
    assert!(!error.to_string().contains("hunter3"));
    let evil = environment.with("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com.evil.example");
    let error = service_error(open("azurekms://a.vault.azure.net/release", &evil).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Reference { .. }), "{error}");
}
