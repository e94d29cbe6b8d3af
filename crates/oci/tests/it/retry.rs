use assay_oci::OciError;
use assay_sandbox::{Endpoint, Fault};

use crate::support::*;

fn fault(status: u16, count: u32, retry_after: Option<u64>) -> Fault {
    Fault::Status { endpoint: Some(Endpoint::Manifest), status, count, retry_after }
}

#[tokio::test]
async fn a_busy_registry_is_asked_again() {
    for status in [429, 502, 503, 504] {
        let registry = registry().await;
        registry.put_image("app", "1", &image());
        registry.set_fault(fault(status, 2, Some(0)));
        client().resolve(&reference(&registry, "app:1"), None).await.unwrap();
        assert_eq!(registry.count(Endpoint::Manifest), 3, "{status}");
    }
}

#[tokio::test]
async fn tries_end_and_the_error_says_which_limit() {
    let registry = registry().await;
    registry.put_image("app", "1", &image());
    let wanted = reference(&registry, "app:1");
    registry.set_fault(fault(429, 3, Some(0)));
    let error = client().resolve(&wanted, None).await.unwrap_err();
    assert!(matches!(error, OciError::RateLimited { tries: 3, retry_after: Some(0), .. }), "{error}");
    registry.set_fault(fault(503, 3, None));
    let error = client().resolve(&wanted, None).await.unwrap_err();
    assert!(matches!(error, OciError::ServerError { status: 503, tries: 3, .. }), "{error}");
}

#[tokio::test]
async fn a_wait_beyond_the_time_limit_fails_at_once() {
    let registry = registry().await;
    registry.set_fault(fault(429, 9, Some(3600)));
    let error = client().resolve(&reference(&registry, "app:1"), None).await.unwrap_err();
    assert!(matches!(error, OciError::RateLimited { tries: 1, retry_after: Some(3600), .. }), "{error}");
}

#[tokio::test]
async fn an_internal_error_is_not_asked_again() {
    let registry = registry().await;
    registry.set_fault(fault(500, 9, None));
    let error = client().resolve(&reference(&registry, "app:1"), None).await.unwrap_err();
    assert!(matches!(error, OciError::ServerError { status: 500, tries: 1, .. }), "{error}");
}
