use assay_credentials::Credential;
use assay_oci::OciError;
use assay_sandbox::{Authentication, Endpoint};

use crate::support::*;

#[tokio::test]
async fn one_token_serves_every_request_of_its_scope() {
    let registry = registry_with(|options| options.authentication = bearer(false)).await;
    registry.put_image("app", "1", &image());
    let client = client_of(&registry, Credential::basic("ci", "hunter2"));
    let wanted = reference(&registry, "app:1");
    for _ in 0..5 {
        client.resolve(&wanted, None).await.unwrap();
    }
    assert_eq!(registry.count(Endpoint::Token), 1);
    assert_eq!(client.requests(), 7, "one 401, one token, five answers");
}

#[tokio::test]
async fn many_requests_at_once_wait_for_one_token() {
    let registry = registry_with(|options| options.authentication = bearer(true)).await;
    registry.put_image("app", "1", &image());
    let client = client();
    let wanted = reference(&registry, "app:1");
    let all = (0..16).map(|_| client.resolve(&wanted, None));
    for resolved in futures_util::future::join_all(all).await {
        resolved.unwrap();
    }
    assert_eq!(registry.count(Endpoint::Token), 1);
}

#[tokio::test]
async fn reading_and_writing_use_tokens_of_their_own() {
    let registry = registry_with(|options| options.authentication = bearer(true)).await;
    let client = client_of(&registry, Credential::basic("ci", "hunter2"));
    let repository = repository(&registry, "app");
    client.push_blob(&repository, "text/plain", "x".into()).await.unwrap();
    let tokens: Vec<_> =
        registry.requests().into_iter().filter(|request| request.endpoint == Endpoint::Token).map(|r| r.path).collect();
    assert_eq!(tokens.len(), 2);
    assert!(tokens[0].ends_with("%3Apull") && tokens[1].contains("pull%2Cpush"), "{tokens:?}");
}

#[tokio::test]
async fn identity_tokens_are_exchanged_at_the_token_server() {
    let registry = registry_with(|options| {
        options.authentication = Authentication::Bearer {
            username: "ci".into(),
            password: "refresh".into(),
            anonymous_pull: false,
            expires_in: 300,
        };
    })
    .await;
    registry.put_image("app", "1", &image());
    let client = client_of(&registry, Credential::identity_token("refresh"));
    client.resolve(&reference(&registry, "app:1"), None).await.unwrap();
    let token = registry.requests().into_iter().find(|request| request.endpoint == Endpoint::Token).unwrap();
    assert_eq!((token.method.as_str(), token.path.as_str(), token.authorization), ("POST", "/token", None));
}

#[tokio::test]
async fn basic_authentication_works_and_wrong_credentials_are_told_from_none() {
    let registry = registry_with(|options| {
        options.authentication = Authentication::Basic { username: "ci".into(), password: "hunter2".into() };
    })
    .await;
    registry.put_image("app", "1", &image());
    let wanted = reference(&registry, "app:1");
    client_of(&registry, Credential::basic("ci", "hunter2")).resolve(&wanted, None).await.unwrap();
    for (client, authenticated) in [(client(), false), (client_of(&registry, Credential::basic("ci", "wrong")), true)] {
        let error = client.resolve(&wanted, None).await.unwrap_err();
        assert!(
            matches!(&error, OciError::Unauthorized { status: 401, authenticated: found, .. } if *found == authenticated),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("wrong\""));
    }
}

#[tokio::test]
async fn credentials_of_another_registry_are_not_used() {
    let registry = registry_with(|options| options.authentication = bearer(true)).await;
    let other = crate::support::registry().await;
    registry.put_image("app", "1", &image());
    let client = client_of(&other, Credential::basic("ci", "hunter2"));
    client.resolve(&reference(&registry, "app:1"), None).await.unwrap();
    let token = registry.requests().into_iter().find(|request| request.endpoint == Endpoint::Token).unwrap();
    assert_eq!(token.authorization, None);
}
