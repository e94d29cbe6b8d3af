//! The exchanges of the clouds' registries, as their vendors document them, against stand-ins.

use assay_credentials::aws::{AwsCredentials, AwsRequest, AwsScope};
use assay_credentials::{Credential, CredentialError, Keychain, Sources};
use assay_model::Secret;
use assay_sign::{Environment, RegistryCloud, RegistryIdentity};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::stand_in::{Seen, StandIn, http, json as reply, status};

const ECR: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/team/api";

async fn credential(
    cloud: RegistryCloud,
    environment: Environment,
    repository: &str,
) -> Result<Option<Credential>, CredentialError> {
    let identity = RegistryIdentity::new([cloud], environment, http());
    let local = repository.split_once('/').map(|(registry, _)| registry).filter(|name| name.starts_with("127.0.0.1"));
    let identity = match local {
        Some(registry) => identity.with_stand_in(cloud, registry),
        None => identity,
    };
    let keychain = Keychain::new(Sources::default()).with_provider(std::sync::Arc::new(identity));
    let repository = repository.parse().unwrap();
    let found = keychain.credential(&repository).await?;
    assert_eq!(keychain.credential(&repository).await.unwrap(), found, "remembered");
    Ok(found)
}

/// Recomputes the signature of a request as the service would.
fn is_signed(seen: &Seen) -> bool {
    let credentials = AwsCredentials {
        access_key_id: "ASIAEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret".to_owned()),
        session_token: Some(Secret::new("session".to_owned())),
    };
    let headers = ["content-type", "host", "x-amz-target"].map(|name| (name, seen.header(name)));
    let request = AwsRequest { method: "POST", path: "/", query: "", headers: &headers, body: &seen.body };
    let date = seen.header("x-amz-date");
    let time =
        format!("{}-{}-{}T{}:{}:{}Z", &date[..4], &date[4..6], &date[6..8], &date[9..11], &date[11..13], &date[13..15]);
    let scope = AwsScope { region: "eu-central-1", service: "ecr" };
    let expected = credentials.sign(&request, scope, time.parse().unwrap());
    expected.authorization.expose() == seen.header("authorization") && seen.header("x-amz-security-token") == "session"
}

fn amazon(seen: &Seen) -> Response {
    if seen.form("Action").as_deref() == Some("AssumeRoleWithWebIdentity") {
        assert_eq!(seen.form("WebIdentityToken").as_deref(), Some("a.service.account"));
        assert_eq!(seen.form("RoleArn").as_deref(), Some("arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fpull"));
        let answer = "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
        return Response::new(answer.into());
    }
    assert_eq!(seen.header("x-amz-target"), "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
    if !is_signed(seen) {
        return status(400, r#"{"__type":"InvalidSignatureException"}"#);
    }
    reply(&json!({"authorizationData": [{
        "authorizationToken": STANDARD.encode("AWS:s3cret"), "expiresAt": 1.76e9, "proxyEndpoint": "https://111122223333.dkr.ecr.eu-central-1.amazonaws.com"}]}))
}

#[tokio::test]
async fn a_service_accounts_role_opens_ecr() {
    let service = StandIn::start(amazon).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a.service.account\n").unwrap();
    let environment = Environment::default()
        .with("AWS_ENDPOINT_URL", format!("http://{}", service.host))
        .with("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string())
        .with("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pull");
    let found = credential(RegistryCloud::Ecr, environment.clone(), ECR).await.unwrap();
    assert_eq!(found, Some(Credential::basic("AWS", "s3cret")));
    assert_eq!(service.seen().len(), 2, "one exchange for the role, one for the registry");
    let other = credential(RegistryCloud::Ecr, environment, "registry.example.com/a").await.unwrap();
    assert_eq!(other, None, "nobody else's registry");
    assert_eq!(service.seen().len(), 2);
}

#[tokio::test]
async fn a_workload_identity_opens_acr() {
    let service = StandIn::start(|seen| match seen.uri.path() {
        "/tenant/oauth2/v2.0/token" => {
            assert_eq!(seen.form("scope").as_deref(), Some("https%3A%2F%2Fcontainerregistry.azure.net%2F.default"));
            assert_eq!(seen.form("client_assertion").as_deref(), Some("a.service.account"));
            reply(&json!({"access_token": "entra", "token_type": "Bearer", "expires_in": 3599}))
        }
        "/oauth2/exchange" => {
            assert_eq!(seen.form("grant_type").as_deref(), Some("access_token"));
            assert_eq!(seen.form("access_token").as_deref(), Some("entra"));
            assert_eq!(seen.form("tenant").as_deref(), Some("tenant"));
            assert!(seen.form("service").is_some_and(|service| service.starts_with("127.0.0.1")));
            reply(&json!({"refresh_token": "refresh"}))
        }
        _ => status(404, ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "a.service.account\n").unwrap();
    let environment = Environment::default()
        .with("AZURE_AUTHORITY_HOST", format!("http://{}", service.host))
        .with("AZURE_TENANT_ID", "tenant")
        .with("AZURE_CLIENT_ID", "client")
        .with("AZURE_FEDERATED_TOKEN_FILE", token.display().to_string());
    let found = credential(RegistryCloud::Acr, environment, &format!("{}/team/api", service.host)).await.unwrap();
    assert_eq!(
        found,
        Some(Credential::identity_token("refresh")),
        "exchanged for access by the registry's token server"
    );
    assert_eq!(service.seen().len(), 2);
}

#[tokio::test]
async fn the_metadata_server_opens_gar() {
    let service = StandIn::start(|seen| {
        assert_eq!(seen.uri.path(), "/computeMetadata/v1/instance/service-accounts/default/token");
        assert_eq!(seen.header("metadata-flavor"), "Google");
        reply(&json!({"access_token": "ya29.token", "expires_in": 3599, "token_type": "Bearer"}))
    })
    .await;
    let environment = Environment::default().with("GCE_METADATA_HOST", service.host.clone());
    let found = credential(RegistryCloud::Gar, environment, "europe-docker.pkg.dev/project/team/api").await.unwrap();
    assert_eq!(found, Some(Credential::basic("oauth2accesstoken", "ya29.token")));
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn a_cloud_that_refuses_is_an_error_without_a_secret() {
    let service = StandIn::start(|_| status(403, r#"{"message":"not authorised"}"#)).await;
    let environment = Environment::default()
        .with("AWS_ENDPOINT_URL", format!("http://{}", service.host))
        .with("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .with("AWS_SECRET_ACCESS_KEY", "s3cret");
    let error = credential(RegistryCloud::Ecr, environment, ECR).await.unwrap_err();
    assert!(matches!(&error, CredentialError::Cloud { .. }), "{error}");
    assert!(error.to_string().starts_with("Amazon ECR gives no credential for 111122223333.dkr.ecr"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"));
}
