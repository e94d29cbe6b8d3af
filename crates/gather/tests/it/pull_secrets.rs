//! The credentials of Pods: one namespace's Secret never answers for another.

use assay_gather::{Access, Gatherer, Wanted};
use assay_sandbox::{Authentication, Registry, RegistryOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::{access, cause, image, only, options, reference};

async fn private() -> Registry {
    let authentication = Authentication::Bearer {
        username: "puller".into(),
        password: "s3cret".into(),
        anonymous_pull: false,
        expires_in: 300,
    };
    Registry::start(RegistryOptions { authentication, ..RegistryOptions::default() }).await.unwrap()
}

fn secret(registry: &str, password: &str) -> Vec<u8> {
    let auth = STANDARD.encode(format!("puller:{password}"));
    format!(r#"{{"auths": {{"{registry}": {{"auth": "{auth}"}}}}}}"#).into_bytes()
}

fn through(base: &Access, name: &str, value: &[u8]) -> Access {
    base.by_pull_secret(name, "kubernetes.io/dockerconfigjson", value).unwrap()
}

#[tokio::test]
async fn cve_2024_39897_what_one_secret_opened_stays_closed_to_whoever_has_none() {
    let registry = private().await;
    let digest = registry.put_image("team/app", "1.0", &image("app"));
    let pinned = reference(&registry, &format!("team/app@{digest}"));
    let (gatherer, base, wanted) = (Gatherer::new(options()), access(), Wanted::default());
    let good = secret(&registry.host(), "s3cret");
    let shop = through(&base, "shop/pull", &good);
    let facts = only(gatherer.facts(&shop, &pinned, &wanted).await);
    assert_eq!(facts.subject.digest, digest);
    assert!(gatherer.remembered(&shop, &pinned, &wanted).is_some());
    // The same image, known by now: those without the Secret, and those with a wrong one, learn nothing of it.
    let other = through(&base, "other/pull", &secret(&registry.host(), "guess"));
    for stranger in [&base, &other] {
        assert!(gatherer.remembered(stranger, &pinned, &wanted).is_none());
        assert_eq!(cause(&gatherer.facts(stranger, &pinned, &wanted).await), "unauthorized");
    }
    // Equal Secrets are one scope, wherever they lie: a copy in each namespace costs nothing.
    let copy = through(&base, "copy/pull", &good);
    registry.clear_requests();
    assert!(copy.is_same_scope(&shop) && gatherer.remembered(&copy, &pinned, &wanted).is_some());
    assert_eq!(registry.requests().len(), 0);
}

#[tokio::test]
async fn a_secret_is_sent_to_the_registry_that_it_names_and_to_no_other() {
    let (registry, elsewhere) = (private().await, private().await);
    let digest = elsewhere.put_image("team/app", "1.0", &image("app"));
    let base = access();
    let shop = through(&base, "shop/pull", &secret(&registry.host(), "s3cret"));
    let pinned = reference(&elsewhere, &format!("team/app@{digest}"));
    assert!(!shop.is_given(pinned.repository()));
    let facts = Gatherer::new(options()).facts(&shop, &pinned, &Wanted::default()).await;
    assert_eq!(cause(&facts), "unauthorized");
    let sent = elsewhere.requests().into_iter().filter_map(|request| request.authorization);
    assert!(sent.into_iter().all(|value| !value.starts_with("Basic")));
}
