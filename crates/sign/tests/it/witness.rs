//! Logs and timestamp authorities: versions, selection, failures.

use assay_model::{Digest, Explain as _, Timestamp};
use assay_sandbox::sigstore::{Authority, Identity, Server, evidence};
use assay_sign::{
    Endpoints, HttpServices, Instances, KeyAlgorithm, KeylessSigner, LogVersions, PrivateKey, Service, SignError,
    Signer as _, SigningConfig, SigningConfigFile, Statement, WitnessedKeySigner,
};
use assay_trust::{Artifact, verify_bundle};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::stand_in::{StandIn, http, json as reply, status};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn image() -> Digest {
    Digest::of(b"image manifest")
}

fn services(endpoints: Endpoints) -> HttpServices {
    HttpServices::with_http(endpoints, http()).unwrap()
}

#[tokio::test]
async fn a_keys_signature_is_logged_and_stamped_where_asked() {
    let authority = Authority::new(now());
    let server = Server::start(authority.clone()).await.unwrap();
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let material = evidence::material(&authority).with_public_key(&key.public_key_pem().unwrap()).unwrap();
    let endpoints = Endpoints { fulcio: Instances::default(), ..server.signing_config().into() };
    let signer = WitnessedKeySigner::new(key.into(), services(endpoints));
    let bundle = signer.sign(&Statement::image_signature(&image())).await.unwrap();
    let parsed: Value = serde_json::from_slice(bundle.bytes()).unwrap();
    let entries = parsed["verificationMaterial"]["tlogEntries"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["kindVersion"]["kind"]), (1, &json!("dsse")));
    let evidence = verify_bundle(bundle.bytes(), Artifact::Digest(image()), &material, now()).unwrap();
    assert_eq!(evidence.signed_at(), Some(now()));
}

#[tokio::test]
async fn without_anything_that_says_the_time_no_certificate_is_asked_for() {
    let authority = Authority::new(now());
    let server = Server::start(authority.clone()).await.unwrap();
    let identity = Identity::github("company/app", "release.yml", "refs/heads/main");
    let config = SigningConfig { rekor: None, timestamp: None, ..server.signing_config() };
    let token = authority.token(&identity).unwrap();
    let signer = KeylessSigner::new(services(config.into()), token);
    let error = signer.sign(&Statement::image_signature(&image())).await.unwrap_err();
    assert_eq!(error.code(), "signing-time-unproven");
}

#[tokio::test]
async fn a_signing_configuration_chooses_version_2_with_a_timestamp() {
    let authority = Authority::new(now());
    let server = Server::start(authority.clone()).await.unwrap();
    let config = SigningConfigFile::parse(&server.signing_config_json()).unwrap();
    let identity = Identity::github("company/app", "release.yml", "refs/heads/main");
    for (versions, kind) in [(LogVersions::Highest, "0.0.2"), (LogVersions::One, "0.0.1")] {
        let endpoints = config.endpoints(now(), versions).unwrap();
        let signer = KeylessSigner::new(services(endpoints), authority.token(&identity).unwrap());
        let bundle = signer.sign(&Statement::image_signature(&image())).await.unwrap();
        let parsed: Value = serde_json::from_slice(bundle.bytes()).unwrap();
        assert_eq!(parsed["verificationMaterial"]["tlogEntries"][0]["kindVersion"]["version"], kind);
        let material = evidence::material(&authority);
        let evidence = verify_bundle(bundle.bytes(), Artifact::Digest(image()), &material, now()).unwrap();
        assert_eq!(evidence.signed_at(), Some(now()));
        // The same for a file.
        let signer = KeylessSigner::new(
            services(config.endpoints(now(), versions).unwrap()),
            authority.token(&identity).unwrap(),
        );
        let bundle = signer.sign_message(b"a file").await.unwrap();
        verify_bundle(bundle.bytes(), Artifact::Bytes(b"a file"), &material, now()).unwrap();
    }
}

#[tokio::test]
async fn keys_of_every_algorithm_that_a_log_knows_are_logged() {
    let authority = Authority::new(now());
    let server = Server::start(authority.clone()).await.unwrap();
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521, KeyAlgorithm::Rsa2048]
    {
        let key = PrivateKey::generate(algorithm).unwrap();
        let endpoints = Endpoints { rekor_v2: Instances::one(server.url()), ..Endpoints::default() };
        let signer = WitnessedKeySigner::new(key.into(), services(endpoints));
        // The log itself verifies the signature over the digest before it takes the entry.
        signer.sign(&Statement::image_signature(&image())).await.unwrap();
    }
}

fn log_answer(body: &Value) -> Value {
    let request = &body["hashedRekordRequestV002"];
    let canonical = json!({
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": request["digest"]},
            "signature": request["signature"],
        }},
    });
    json!({
        "logId": {"keyId": STANDARD.encode([7; 32])},
        "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
        "inclusionProof": {
            "rootHash": STANDARD.encode([1; 32]),
            "treeSize": "1",
            "checkpoint": {"envelope": "log.example\n1\n\n\u{2014} log.example AAAA\n"},
        },
        "canonicalizedBody": STANDARD.encode(canonical.to_string()),
    })
}

#[tokio::test]
async fn version_2_sees_a_digest_however_large_the_statement_is() {
    let log = StandIn::start(|seen| {
        assert_eq!(seen.uri.path(), "/api/v2/log/entries");
        assert!(seen.body.len() < 1024, "{} bytes", seen.body.len());
        reply(&log_answer(&seen.json()))
    })
    .await;
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let endpoints = Endpoints { rekor_v2: Instances::one(log.url()), ..Endpoints::default() };
    let signer = WitnessedKeySigner::new(key.into(), services(endpoints));
    let sbom = format!(r#"{{"packages":"{}"}}"#, "x".repeat(30 << 20));
    let statement = Statement::attestation(&image(), "https://spdx.dev/Document", sbom.as_bytes()).unwrap();
    let bundle = signer.sign(&statement).await.unwrap();
    let parsed: Value = serde_json::from_slice(bundle.bytes()).unwrap();
    let entry = &parsed["verificationMaterial"]["tlogEntries"][0];
    assert_eq!(entry["kindVersion"], json!({"kind": "hashedrekord", "version": "0.0.2"}));
    let body: Value =
        serde_json::from_slice(&STANDARD.decode(entry["canonicalizedBody"].as_str().unwrap()).unwrap()).unwrap();
    let payload = STANDARD.decode(parsed["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let signed = assay_trust::pae("application/vnd.in-toto+json", &payload);
    let logged = &body["spec"]["hashedRekordV002"];
    assert_eq!(logged["data"]["digest"], STANDARD.encode(Digest::of(&signed).as_bytes()));
    assert_eq!(logged["signature"]["content"], parsed["dsseEnvelope"]["signatures"][0]["sig"]);

    let edwards = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    let endpoints = Endpoints { rekor_v2: Instances::one(log.url()), ..Endpoints::default() };
    let signer = WitnessedKeySigner::new(edwards.into(), services(endpoints));
    let error = signer.sign(&Statement::image_signature(&image())).await.unwrap_err();
    assert_eq!(error.code(), "signature-unsupported");
}

#[tokio::test]
async fn a_service_that_fails_is_made_up_for_by_another_if_enough_are_left() {
    let down = StandIn::start(|_| status(502, "bad gateway")).await;
    let up = StandIn::start(|seen| reply(&log_answer(&seen.json()))).await;
    let sign = async |urls: Vec<String>, needed: usize| {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let endpoints = Endpoints { rekor_v2: Instances { urls, needed }, ..Endpoints::default() };
        let signer = WitnessedKeySigner::new(key.into(), services(endpoints));
        let bundle = signer.sign(&Statement::image_signature(&image())).await?;
        let parsed: Value = serde_json::from_slice(bundle.bytes()).unwrap();
        Ok::<usize, SignError>(parsed["verificationMaterial"]["tlogEntries"].as_array().unwrap().len())
    };
    assert_eq!(sign(vec![down.url(), up.url()], 1).await.unwrap(), 1);
    assert_eq!(down.seen().len(), 4, "a busy service is asked four times");
    let error = sign(vec![down.url(), up.url()], 2).await.unwrap_err();
    assert!(matches!(error, SignError::Refused { service: Service::RekorV2, status: 502, .. }), "{error}");
    assert_eq!(sign(vec![up.url(), up.url()], 2).await.unwrap(), 2);
}

#[tokio::test]
async fn an_entry_that_exists_already_is_fetched() {
    let body = STANDARD.encode(r#"{"apiVersion":"0.0.1","kind":"dsse","spec":{}}"#);
    let entry = json!({"ab12": {
        "body": body, "integratedTime": 7, "logID": "00ff", "logIndex": 3,
        "verification": {
            "inclusionProof": {"checkpoint": "c", "hashes": [], "logIndex": 0, "rootHash": "02", "treeSize": 1},
            "signedEntryTimestamp": "AA==",
        },
    }});
    let answer = move |location: &'static str| {
        let entry = entry.clone();
        move |seen: &crate::stand_in::Seen| {
            use axum::response::IntoResponse as _;
            match seen.method.as_str() {
                "POST" => (axum::http::StatusCode::CONFLICT, [("location", location)], "exists").into_response(),
                _ if seen.uri.path() == "/api/v1/log/entries/ab12" => reply(&entry),
                _ => status(404, ""),
            }
        }
    };
    let sign = async |log: &StandIn| {
        let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
        let endpoints = Endpoints { rekor: Instances::one(log.url()), ..Endpoints::default() };
        WitnessedKeySigner::new(key.into(), services(endpoints)).sign(&Statement::image_signature(&image())).await
    };
    let log = StandIn::start(answer("/api/v1/log/entries/ab12")).await;
    sign(&log).await.unwrap();
    assert_eq!(log.seen().len(), 2);
    // The place is taken from the path, and never leads to another host.
    let elsewhere = StandIn::start(answer("https://evil.example/x/../../secret")).await;
    assert_eq!(sign(&elsewhere).await.unwrap_err().code(), "service-answer-invalid");
}

#[tokio::test]
async fn a_message_is_signed_in_each_way() {
    let authority = Authority::new(now());
    let server = Server::start(authority.clone()).await.unwrap();
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let material = evidence::material(&authority).with_public_key(&key.public_key_pem().unwrap()).unwrap();
    let signer = WitnessedKeySigner::new(key.into(), assay_sign::NoServices);
    let bundle = signer.sign_message(b"a file").await.unwrap();
    let verify = |bytes: &[u8], message: &[u8]| {
        verify_bundle(bytes, Artifact::Bytes(message), &material, now()).map(|evidence| evidence.subject())
    };
    assert_eq!(verify(bundle.bytes(), b"a file").unwrap(), bundle.digest());
    assert!(verify(bundle.bytes(), b"another").is_err());
    drop(server);
}
