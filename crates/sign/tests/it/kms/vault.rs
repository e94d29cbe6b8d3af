//! Vault's transit engine.

use assay_model::Explain as _;
use assay_sign::{Environment, KeyAlgorithm, KeyServiceError, PrivateKey};
use assay_trust::{IN_TOTO_PAYLOAD_TYPE, pae};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Seen, StandIn, json as reply, open, service_error, sign_and_verify, sign_digest, status};

fn pem(key: &PrivateKey) -> String {
    key.private_key_pem().unwrap().expose().clone()
}

/// A Vault with one key; `change` alters its answers.
async fn vault(
    algorithm: KeyAlgorithm,
    kind: &'static str,
    change: impl Fn(&Seen, &mut Value) + Clone + Send + Sync + 'static,
) -> (StandIn, Environment, PrivateKey) {
    let key = PrivateKey::generate(algorithm).unwrap();
    let text = pem(&key);
    let server = StandIn::start(move |seen| {
        if seen.header("x-vault-token") != "s.token" || seen.header("x-vault-namespace") != "team" {
            return status(403, r#"{"errors":["permission denied"]}"#);
        }
        let key = PrivateKey::from_pem(&text).unwrap();
        let mut answer = match seen.uri.path() {
            "/v1/transit/keys/release" => json!({"data": {
                "type": kind,
                "latest_version": 3,
                "keys": {"2": {"public_key": "old"}, "3": {"public_key": key.public_key_pem().unwrap()}},
            }}),
            "/v1/transit/sign/release/sha2-256" => {
                let body = seen.json();
                assert_eq!((&body["prehashed"], &body["key_version"]), (&json!(true), &json!(3)));
                let digest = STANDARD.decode(body["input"].as_str().unwrap()).unwrap();
                json!({"data": {"signature": format!("vault:v3:{}", STANDARD.encode(sign_digest(&key, &digest)))}})
            }
            _ => return status(404, r#"{"errors":[]}"#),
        };
        change(seen, &mut answer);
        reply(&answer)
    })
    .await;
    let environment = Environment::default()
        .with("VAULT_ADDR", server.url())
        .with("VAULT_TOKEN", "s.token")
        .with("VAULT_NAMESPACE", "team");
    (server, environment, key)
}

#[tokio::test]
async fn a_key_in_vault_signs_what_verifies() {
    let (server, environment, key) = vault(KeyAlgorithm::EcdsaP256, "ecdsa-p256", |_, _| {}).await;
    sign_and_verify(open("hashivault://release", &environment).await.unwrap(), &key).await;
    assert_eq!(server.seen().len(), 2);
    let body = server.seen()[1].json();
    assert_eq!(body["marshaling_algorithm"], "asn1");
    assert!(body.get("signature_algorithm").is_none());

    let (server, environment, key) = vault(KeyAlgorithm::Rsa2048, "rsa-2048", |_, _| {}).await;
    sign_and_verify(open("hashivault://release", &environment).await.unwrap(), &key).await;
    assert_eq!(server.seen()[1].json()["signature_algorithm"], "pkcs1v15");
}

#[tokio::test]
async fn the_token_may_be_in_the_home_folder() {
    let (server, _, key) = vault(KeyAlgorithm::EcdsaP256, "ecdsa-p256", |_, _| {}).await;
    let home = tempfile::tempdir().unwrap();
    let environment =
        Environment::default().with("VAULT_ADDR", server.url()).with("VAULT_NAMESPACE", "team").with_home(home.path());
    let error = service_error(open("hashivault://release", &environment).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Credentials { .. }), "{error}");
    std::fs::write(home.path().join(".vault-token"), "s.token\n").unwrap();
    sign_and_verify(open("hashivault://release", &environment).await.unwrap(), &key).await;
}

#[tokio::test]
async fn a_refusal_says_what_vault_says_and_never_the_token() {
    let (_server, environment, _) = vault(KeyAlgorithm::EcdsaP256, "ecdsa-p256", |_, _| {}).await;
    let environment = environment.with("VAULT_TOKEN", "s.secret");
    let error = service_error(open("hashivault://release", &environment).await.unwrap_err());
    assert!(matches!(&error, KeyServiceError::Refused { status: 403, .. }), "{error}");
    assert!(error.to_string().contains("permission denied") && !error.to_string().contains("s.secret"));
    let missing =
        service_error(open("hashivault://another", &environment.with("VAULT_TOKEN", "s.token")).await.unwrap_err());
    assert!(matches!(missing, KeyServiceError::Refused { status: 404, .. }));
}

#[tokio::test]
async fn a_wrong_answer_is_an_error_with_its_cause() {
    type Change = fn(&Seen, &mut Value);
    let cases: [(&str, Change); 8] = [
        ("key-algorithm-unsupported", |_, answer| answer["data"]["keys"]["3"] = json!(1_700_000_000)),
        ("key-algorithm-unsupported", |_, answer| answer["data"]["keys"]["3"] = json!({"public_key": "no pem"})),
        ("key-algorithm-unsupported", |_, answer| answer["data"]["latest_version"] = json!(9)),
        ("key-service-answer-invalid", |_, answer| *answer = json!({"data": {}})),
        ("key-service-answer-invalid", |_, answer| *answer = json!([])),
        ("key-service-answer-invalid", |seen, answer| {
            if seen.uri.path().contains("/sign/") {
                answer["data"]["signature"] = "vault:v2:AAAA".into();
            }
        }),
        ("key-service-answer-invalid", |seen, answer| {
            if seen.uri.path().contains("/sign/") {
                answer["data"]["signature"] = "AAAA".into();
            }
        }),
        // A signature, but not of this key over this message.
        ("key-service-signature-invalid", |seen, answer| {
            if seen.uri.path().contains("/sign/") {
                answer["data"]["signature"] = "vault:v3:MAYCAQECAQE=".into();
            }
        }),
    ];
    for (code, change) in cases {
        let (_server, environment, _) = vault(KeyAlgorithm::EcdsaP256, "ecdsa-p256", change).await;
        let result = match open("hashivault://release", &environment).await {
            Ok(key) => key.sign(key.algorithm().scheme(), &pae(IN_TOTO_PAYLOAD_TYPE, b"{}")).await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert_eq!(result.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_an_endless_answer_not_read() {
    let elsewhere = StandIn::start(|_| reply(&json!({}))).await;
    let target = elsewhere.url();
    let server = StandIn::start(move |_| {
        use axum::response::IntoResponse as _;
        axum::response::Redirect::temporary(&target).into_response()
    })
    .await;
    let environment = Environment::default().with("VAULT_ADDR", server.url()).with("VAULT_TOKEN", "s.token");
    let error = service_error(open("hashivault://release", &environment).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Refused { status: 307, .. }), "{error}");
    assert!(elsewhere.seen().is_empty(), "the token went nowhere else");

    let long = StandIn::start(|_| status(200, &" ".repeat(9 << 20))).await;
    let environment = Environment::default().with("VAULT_ADDR", long.url()).with("VAULT_TOKEN", "s.token");
    let error = service_error(open("hashivault://release", &environment).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Answer { .. }), "{error}");
}

#[tokio::test]
async fn a_busy_service_is_asked_again_and_then_given_up() {
    let server = StandIn::start(|_| status(503, "sealed")).await;
    let environment = Environment::default().with("VAULT_ADDR", server.url()).with("VAULT_TOKEN", "s.token");
    let error = service_error(open("hashivault://release", &environment).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Refused { status: 503, .. }), "{error}");
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn an_address_without_tls_or_a_switched_off_check_is_refused() {
    let environment = Environment::default().with("VAULT_TOKEN", "t");
    for environment in [
        environment.clone(),
        environment.clone().with("VAULT_ADDR", "http://vault.example"),
        environment.clone().with("VAULT_ADDR", "https://vault.example").with("VAULT_SKIP_VERIFY", "true"),
        environment.with("VAULT_ADDR", "https://vault.example").with("VAULT_CACERT", "/nowhere.pem"),
    ] {
        let error = service_error(open("hashivault://release", &environment).await.unwrap_err());
        assert!(matches!(error, KeyServiceError::Reference { .. }), "{error}");
    }
}
