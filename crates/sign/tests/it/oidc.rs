//! Identity tokens: from CI systems, from Google, and from a person.

use assay_model::Explain as _;
use assay_sign::{Ambient, DeviceFlow, Environment, SignError, TOKEN_AUDIENCE, ambient_token};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::stand_in::{Seen, StandIn, http, json as reply, status};

fn token(subject: &str) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(json!({"sub": subject, "aud": "sigstore", "exp": 1}).to_string()))
}

async fn ambient(environment: &Environment) -> Result<Option<Ambient>, SignError> {
    Ok(ambient_token(environment, &http(), TOKEN_AUDIENCE).await?.map(|(from, _)| from))
}

#[tokio::test]
async fn a_token_that_was_put_there_comes_first() {
    let environment = Environment::default().with("SIGSTORE_ID_TOKEN", token("gitlab")).with("GITHUB_ACTIONS", "true");
    assert_eq!(ambient(&environment).await.unwrap(), Some(Ambient::Variable));
    let broken = Environment::default().with("SIGSTORE_ID_TOKEN", "no token");
    assert!(matches!(ambient(&broken).await, Err(SignError::Token { .. })));
}

#[tokio::test]
async fn github_is_asked_for_the_audience_with_its_own_token() {
    let server = StandIn::start(|seen| {
        if seen.header("authorization") != "Bearer runner" {
            return status(401, "no");
        }
        assert_eq!(seen.uri.query(), Some("api-version=2.0&audience=sigstore"));
        reply(&json!({"count": 1, "value": token("repo:company/app")}))
    })
    .await;
    let environment = Environment::default()
        .with("GITHUB_ACTIONS", "true")
        .with("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/token?api-version=2.0", server.url()))
        .with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner");
    assert_eq!(ambient(&environment).await.unwrap(), Some(Ambient::GitHub));

    // The job is GitHub's and may not have a token: that is an error, and nobody else is asked.
    let refused = ambient(&environment.clone().with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "secret")).await.unwrap_err();
    assert_eq!(refused.code(), "identity-token-source-failed");
    assert!(refused.next_step().unwrap().contains("id-token: write") && !refused.to_string().contains("secret"));
    let none = ambient(&Environment::default().with("GITHUB_ACTIONS", "true")).await.unwrap_err();
    assert_eq!(none.code(), "identity-token-source-failed");
    let plain = environment.with("ACTIONS_ID_TOKEN_REQUEST_URL", "http://evil.example/token");
    assert_eq!(ambient(&plain).await.unwrap_err().code(), "identity-token-source-failed");
}

#[tokio::test]
async fn buildkites_agent_is_asked_as_its_own_command_does() {
    let server = StandIn::start(|seen| {
        assert_eq!((seen.method.as_str(), seen.uri.path()), ("POST", "/v3/jobs/0190-ab/oidc/tokens"));
        assert_eq!(seen.json(), json!({"audience": "sigstore"}));
        if seen.header("authorization") == "Token agent" {
            reply(&json!({"token": token("bk")}))
        } else {
            status(401, "")
        }
    })
    .await;
    let environment = Environment::default()
        .with("BUILDKITE", "true")
        .with("BUILDKITE_JOB_ID", "0190-ab")
        .with("BUILDKITE_AGENT_ENDPOINT", format!("{}/v3", server.url()))
        .with("BUILDKITE_AGENT_ACCESS_TOKEN", "agent");
    assert_eq!(ambient(&environment).await.unwrap(), Some(Ambient::Buildkite));
    assert!(ambient(&environment.with("BUILDKITE_JOB_ID", "../agent")).await.is_err());
}

#[tokio::test]
async fn circle_cis_own_command_is_run_and_its_output_taken_for_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let command = folder.path().join("circleci");
    let environment = Environment::default().with("CIRCLECI", "true").with("PATH", folder.path().to_str().unwrap());
    let missing = ambient(&environment).await.unwrap_err();
    assert_eq!(missing.code(), "identity-token-source-failed");
    // It prints what it was asked, which is no token.
    std::os::unix::fs::symlink("/bin/echo", &command).unwrap();
    assert!(matches!(ambient(&environment).await, Err(SignError::Token { .. })));
    std::fs::remove_file(&command).unwrap();
    std::os::unix::fs::symlink("/bin/false", &command).unwrap();
    assert_eq!(ambient(&environment).await.unwrap_err().code(), "identity-token-source-failed");
}

#[tokio::test]
async fn a_google_machine_has_an_identity() {
    let server = StandIn::start(|seen| {
        assert_eq!(seen.header("metadata-flavor"), "Google");
        assert_eq!(seen.uri.query(), Some("audience=sigstore&format=full"));
        status(200, &token("sa@p.iam.gserviceaccount.com"))
    })
    .await;
    let environment = Environment::default().with("GCE_METADATA_HOST", server.host.as_str());
    assert_eq!(ambient(&environment).await.unwrap(), Some(Ambient::Google));

    let key = assay_sign::PrivateKey::generate(assay_sign::KeyAlgorithm::Rsa2048).unwrap().private_key_pem().unwrap();
    let server = StandIn::start(|seen| {
        let assertion = seen.form("assertion").unwrap();
        let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["target_audience"], "sigstore");
        reply(&json!({"id_token": token("sa")}))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("account.json");
    let account = json!({
        "type": "service_account",
        "client_email": "sa",
        "private_key": key.expose(),
        "token_uri": format!("{}/token", server.url()),
    });
    std::fs::write(&path, account.to_string()).unwrap();
    let environment = Environment::default().with("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap());
    assert_eq!(ambient(&environment).await.unwrap(), Some(Ambient::Google));
}

/// An issuer whose person confirms at the second question, or never.
async fn issuer(refuse: Option<&'static str>, change: impl Fn(&mut Value) + Clone + Send + Sync + 'static) -> StandIn {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    StandIn::start(move |seen: &Seen| {
        let base = format!("http://{}", seen.header("host"));
        let mut answer = match seen.uri.path() {
            "/auth/.well-known/openid-configuration" => json!({
                "issuer": format!("{base}/auth"),
                "device_authorization_endpoint": format!("{base}/auth/device/code"),
                "token_endpoint": format!("{base}/auth/token"),
            }),
            "/auth/device/code" => {
                assert_eq!(seen.form("client_id").as_deref(), Some("sigstore"));
                assert_eq!(seen.form("code_challenge_method").as_deref(), Some("S256"));
                json!({
                    "device_code": "device",
                    "user_code": "ABCD-EFGH",
                    "verification_uri": format!("{base}/auth/device"),
                    "expires_in": 300,
                    "interval": 0,
                })
            }
            "/auth/token" => {
                assert_eq!(seen.form("device_code").as_deref(), Some("device"));
                assert_eq!(seen.form("code_verifier").unwrap().len(), 43);
                let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
                match refuse {
                    _ if first => return status(400, r#"{"error":"authorization_pending"}"#),
                    Some(error) => return status(400, &json!({"error": error}).to_string()),
                    None => json!({"id_token": token("someone@example.com"), "access_token": "x"}),
                }
            }
            _ => return status(404, ""),
        };
        change(&mut answer);
        reply(&answer)
    })
    .await
}

#[tokio::test]
async fn a_person_confirms_a_code() {
    let server = issuer(None, |_| {}).await;
    let (flow, code) = DeviceFlow::begin(&http(), &format!("{}/auth", server.url())).await.unwrap();
    assert_eq!(code.user_code, "ABCD-EFGH");
    assert!(code.verification_uri.ends_with("/auth/device"));
    flow.wait().await.unwrap();
    let challenges = server.seen().iter().filter(|seen| seen.uri.path() == "/auth/token").count();
    assert_eq!(challenges, 2);
}

#[tokio::test]
async fn a_person_who_refuses_or_an_issuer_that_is_none_gives_no_token() {
    for error in ["access_denied", "expired_token"] {
        let server = issuer(Some(error), |_| {}).await;
        let (flow, _) = DeviceFlow::begin(&http(), &format!("{}/auth", server.url())).await.unwrap();
        assert_eq!(flow.wait().await.unwrap_err().code(), "identity-token-not-confirmed");
    }
    type Change = fn(&mut Value);
    let changes: [Change; 4] = [
        |answer| answer["issuer"] = "https://issuer.example".into(),
        |answer| answer["device_authorization_endpoint"] = Value::Null,
        |answer| answer["token_endpoint"] = "http://evil.example/token".into(),
        |answer| answer["user_code"] = 7.into(),
    ];
    for change in changes {
        let server = issuer(None, change).await;
        let error = DeviceFlow::begin(&http(), &format!("{}/auth", server.url())).await.unwrap_err();
        assert_eq!(error.code(), "identity-token-source-failed");
    }
    // Control characters of an issuer do not reach the terminal, and its time is bounded.
    let server = issuer(None, |answer| {
        if answer.get("user_code").is_some() {
            answer["user_code"] = "A\u{1b}[2J".into();
            answer["expires_in"] = u64::MAX.into();
        }
    })
    .await;
    let (_, code) = DeviceFlow::begin(&http(), &format!("{}/auth", server.url())).await.unwrap();
    assert_eq!(code.user_code, "A[2J");
    assert!(code.expires_in.as_secs() <= 900);
}
