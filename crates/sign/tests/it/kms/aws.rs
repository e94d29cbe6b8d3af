//! Amazon KMS: requests are signed, and each kind of credentials is found.

use assay_credentials::aws::{AwsCredentials, AwsRequest, AwsScope};
use assay_model::{Explain as _, Secret};
use assay_sign::{Environment, KeyAlgorithm, KeyServiceError, PrivateKey, PublicKey};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Seen, StandIn, json as reply, open, service_error, sign_and_verify, sign_digest, status};

const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Recomputes the signature of a request as the service would.
fn is_signed(seen: &Seen, token: Option<&str>) -> bool {
    let credentials = AwsCredentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret".to_owned()),
        session_token: token.map(|token| Secret::new(token.to_owned())),
    };
    let headers = [
        ("content-type", seen.header("content-type")),
        ("host", seen.header("host")),
        ("x-amz-target", seen.header("x-amz-target")),
    ];
    let request = AwsRequest { method: "POST", path: "/", query: "", headers: &headers, body: &seen.body };
    let date = seen.header("x-amz-date");
    let time =
        format!("{}-{}-{}T{}:{}:{}Z", &date[..4], &date[4..6], &date[6..8], &date[9..11], &date[11..13], &date[13..15]);
    let scope = AwsScope { region: "eu-central-1", service: "kms" };
    let expected = credentials.sign(&request, scope, time.parse().unwrap());
    expected.authorization.expose() == seen.header("authorization")
        && seen.header("x-amz-security-token") == token.unwrap_or_default()
}

fn answer(seen: &Seen, pem: &str, token: Option<&str>, change: impl Fn(&mut Value)) -> Response {
    if !is_signed(seen, token) {
        return status(400, r#"{"__type":"InvalidSignatureException"}"#);
    }
    let key = PrivateKey::from_pem(pem).unwrap();
    let body = seen.json();
    let mut answer = match seen.header("x-amz-target") {
        "TrentService.GetPublicKey" => json!({
            "KeyId": ARN,
            "PublicKey": STANDARD.encode(PublicKey::from_pem(&key.public_key_pem().unwrap()).unwrap().der()),
            "KeyUsage": "SIGN_VERIFY",
            "KeySpec": "ECC_NIST_P256",
        }),
        "TrentService.Sign" => {
            assert_eq!((&body["KeyId"], &body["MessageType"]), (&json!(ARN), &json!("DIGEST")));
            let digest = STANDARD.decode(body["Message"].as_str().unwrap()).unwrap();
            json!({
                "KeyId": ARN,
                "Signature": STANDARD.encode(sign_digest(&key, &digest)),
                "SigningAlgorithm": body["SigningAlgorithm"],
            })
        }
        _ => return status(400, "UnknownOperationException"),
    };
    change(&mut answer);
    reply(&answer)
}

async fn kms(
    token: Option<&'static str>,
    change: impl Fn(&mut Value) + Clone + Send + Sync + 'static,
) -> (StandIn, PrivateKey) {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let pem = key.private_key_pem().unwrap().expose().clone();
    (StandIn::start(move |seen| answer(seen, &pem, token, &change)).await, key)
}

fn environment() -> Environment {
    Environment::default()
        .with("AWS_REGION", "eu-central-1")
        .with("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .with("AWS_SECRET_ACCESS_KEY", "secret")
}

#[tokio::test]
async fn a_key_in_kms_signs_what_verifies_and_an_alias_is_resolved_once() {
    let (server, key) = kms(None, |_| {}).await;
    let reference = format!("awskms://{}/alias/release", server.host);
    sign_and_verify(open(&reference, &environment()).await.unwrap(), &key).await;
    let seen = server.seen();
    assert_eq!(seen[0].json()["KeyId"], "alias/release");
    assert_eq!(seen[1].json()["KeyId"], ARN);
    assert!(seen.iter().all(|seen| seen.method == "POST"));
}

#[tokio::test]
async fn the_region_of_an_arn_counts() {
    let (server, key) = kms(None, |_| {}).await;
    let environment = environment().with("AWS_REGION", "us-east-1").with("AWS_ENDPOINT_URL_KMS", server.url());
    sign_and_verify(open(&format!("awskms:///{ARN}"), &environment).await.unwrap(), &key).await;
    let error = service_error(open("awskms:///alias/release", &environment).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Refused { status: 400, .. }), "signed for another region: {error}");
}

#[tokio::test]
async fn wrong_answers_are_errors_with_their_cause() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 6] = [
        ("key-algorithm-unsupported", |answer| answer["KeyUsage"] = "ENCRYPT_DECRYPT".into()),
        ("key-algorithm-unsupported", |answer| answer["PublicKey"] = "AAAA".into()),
        ("key-service-answer-invalid", |answer| answer["PublicKey"] = 7.into()),
        ("key-service-answer-invalid", |answer| answer["SigningAlgorithm"] = "RSASSA_PSS_SHA_256".into()),
        ("key-service-answer-invalid", |answer| answer["Signature"] = "*".into()),
        ("key-service-signature-invalid", |answer| answer["Signature"] = "MAYCAQECAQE=".into()),
    ];
    for (code, change) in cases {
        // Of both answers only the fields that they have are used.
        let (server, _) = kms(None, change).await;
        let reference = format!("awskms://{}/alias/release", server.host);
        let result = match open(&reference, &environment()).await {
            Ok(key) => key.sign(key.algorithm().scheme(), b"message").await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert_eq!(result.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn credentials_are_found_where_the_vendors_tools_find_them() {
    let (server, key) = kms(Some("session"), |_| {}).await;
    let reference = format!("awskms://{}/alias/release", server.host);
    let folder = tempfile::tempdir().unwrap();
    let region = Environment::default().with("AWS_REGION", "eu-central-1").with_home(folder.path());

    // A role for a web identity: the token is exchanged at STS.
    let sts = StandIn::start(|seen| {
        assert_eq!(seen.form("Action").as_deref(), Some("AssumeRoleWithWebIdentity"));
        assert_eq!(seen.form("WebIdentityToken").as_deref(), Some("a.b.c"));
        assert_eq!(seen.header("authorization"), "", "the exchange is not signed");
        status(
            200,
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <SessionToken>session</SessionToken><SecretAccessKey>secret</SecretAccessKey>\
             <AccessKeyId>AKIDEXAMPLE</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>",
        )
    })
    .await;
    let token = folder.path().join("token");
    std::fs::write(&token, "a.b.c\n").unwrap();
    let web = region
        .clone()
        .with("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap())
        .with("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/release")
        .with("AWS_ENDPOINT_URL_STS", sts.url());
    sign_and_verify(open(&reference, &web).await.unwrap(), &key).await;

    // A profile of the shared file.
    std::fs::create_dir(folder.path().join(".aws")).unwrap();
    std::fs::write(
        folder.path().join(".aws/credentials"),
        "[default]\naws_access_key_id = other\naws_secret_access_key = other\n\n[release]\n\
         aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\naws_session_token = session\n",
    )
    .unwrap();
    let profile = region.clone().with("AWS_PROFILE", "release");
    sign_and_verify(open(&reference, &profile).await.unwrap(), &key).await;
    std::fs::remove_dir_all(folder.path().join(".aws")).unwrap();

    // A container's endpoint, and an instance's metadata.
    let temporary = json!({"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "secret", "Token": "session"});
    let metadata = StandIn::start(move |seen| match (seen.method.as_str(), seen.uri.path()) {
        ("GET", "/v1/credentials") if seen.header("authorization") == "agent" => reply(&temporary),
        ("PUT", "/latest/api/token") => status(200, "imds"),
        ("GET", path) if seen.header("x-aws-ec2-metadata-token") == "imds" => {
            match path.strip_prefix("/latest/meta-data/iam/security-credentials/") {
                Some("") => status(200, "role\n"),
                Some("role") => reply(&temporary),
                _ => status(404, ""),
            }
        }
        _ => status(401, ""),
    })
    .await;
    let container = region
        .clone()
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", metadata.url()))
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent");
    sign_and_verify(open(&reference, &container).await.unwrap(), &key).await;
    let instance = region.clone().with("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url());
    sign_and_verify(open(&reference, &instance).await.unwrap(), &key).await;

    let nothing = region.with("AWS_EC2_METADATA_DISABLED", "true");
    let error = service_error(open(&reference, &nothing).await.unwrap_err());
    assert!(matches!(error, KeyServiceError::Credentials { .. }), "{error}");
}

#[tokio::test]
async fn credentials_go_to_amazon_or_to_this_machine_only() {
    for (name, address) in [
        ("AWS_ENDPOINT_URL_KMS", "https://kms.evil.example"),
        ("AWS_ENDPOINT_URL_KMS", "https://amazonaws.com.evil.example"),
        ("AWS_ENDPOINT_URL", "http://10.0.0.1"),
    ] {
        let error = open("awskms:///alias/release", &environment().with(name, address)).await.unwrap_err();
        assert!(matches!(service_error(error), KeyServiceError::Reference { .. }), "{address}");
    }
    let container = Environment::default()
        .with("AWS_REGION", "eu-central-1")
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://evil.example/credentials")
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent");
    let error = open("awskms:///alias/release", &container).await.unwrap_err();
    assert!(matches!(service_error(error), KeyServiceError::Reference { .. }));
}
