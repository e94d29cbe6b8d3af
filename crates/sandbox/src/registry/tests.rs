use super::*;
use crate::image::ImageBuilder;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls())
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

fn tls() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

async fn start(options: RegistryOptions) -> (Registry, String) {
    let registry = Registry::start(options).await.unwrap();
    let base = format!("http://{}", registry.host());
    (registry, base)
}

#[tokio::test]
async fn blobs_go_up_in_one_piece_in_one_request_and_in_chunks() {
    let (registry, base) = start(RegistryOptions::default()).await;
    let http = client();
    let digest = Digest::of(b"hello world");

    let answer = http.post(format!("{base}/v2/a/blobs/uploads/?digest={digest}")).body("hello world").send().await;
    assert_eq!(answer.unwrap().status(), 201);

    let begun = http.post(format!("{base}/v2/b/c/blobs/uploads/")).send().await.unwrap();
    assert_eq!(begun.status(), 202);
    let location = begun.headers()["location"].to_str().unwrap().to_owned();
    for (range, part) in [("0-4", "hello"), ("5-10", " world")] {
        let answer = http.patch(format!("{base}{location}")).header("content-range", range).body(part).send().await;
        assert_eq!(answer.unwrap().status(), 202);
    }
    let again = http.patch(format!("{base}{location}")).header("content-range", "5-6").body("xx").send().await;
    assert_eq!(again.unwrap().status(), 416, "a chunk out of order is refused");
    let answer = http.put(format!("{base}{location}?digest={digest}")).send().await.unwrap();
    assert_eq!(answer.status(), 201);

    let mounted = http.post(format!("{base}/v2/d/blobs/uploads/?mount={digest}&from=b/c")).send().await.unwrap();
    assert_eq!(mounted.status(), 201);
    for repository in ["a", "b/c", "d"] {
        assert_eq!(registry.blob(repository, digest).as_deref(), Some(b"hello world".as_slice()), "{repository}");
    }
    let wrong = http.post(format!("{base}/v2/a/blobs/uploads/?digest={digest}")).body("other").send().await.unwrap();
    assert_eq!(wrong.status(), 400);
}

#[tokio::test]
async fn immutable_tags_refuse_to_move_and_accept_the_same_digest_again() {
    let (registry, base) = start(RegistryOptions { immutable_tags: true, ..RegistryOptions::default() }).await;
    let one = ImageBuilder::new().build();
    let two = ImageBuilder::new().created("2026-01-01T00:00:00Z").build();
    registry.put_image("app", "1.0", &one);
    registry.put_image("app", "other", &two);
    let put = |bytes: Bytes| {
        client().put(format!("{base}/v2/app/manifests/1.0")).header("content-type", MANIFEST).body(bytes).send()
    };
    assert_eq!(put(one.manifest().clone()).await.unwrap().status(), 201);
    let refused = put(two.manifest().clone()).await.unwrap();
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.unwrap().contains("TAG_IMMUTABLE"));
    assert_eq!(registry.tag("app", "1.0"), Some(one.digest()));
}

#[tokio::test]
async fn tags_come_in_pages_and_referrers_can_be_filtered() {
    let (registry, base) = start(RegistryOptions { page_size: 2, ..RegistryOptions::default() }).await;
    let image = ImageBuilder::new().build();
    for tag in ["a", "b", "c"] {
        registry.put_image("app", tag, &image);
    }
    let first = client().get(format!("{base}/v2/app/tags/list")).send().await.unwrap();
    assert_eq!(first.headers()["link"], "</v2/app/tags/list?n=2&last=b>; rel=\"next\"");

    for kind in ["x/sbom", "x/signature"] {
        let referrer = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind,
            "subject": { "digest": image.digest().to_string() }, "annotations": { "kind": kind },
        });
        registry.put_manifest("app", None, MANIFEST, referrer.to_string());
    }
    let url = format!("{base}/v2/app/referrers/{}?artifactType=x/sbom", image.digest());
    let answer = client().get(url).send().await.unwrap();
    assert_eq!(answer.headers()["oci-filters-applied"], "artifactType");
    let index: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(index["manifests"][0]["annotations"]["kind"], "x/sbom");
    assert_eq!(registry.count(Endpoint::Referrers), 1);
}

#[tokio::test]
async fn a_token_is_good_for_its_scope_only() {
    let authentication =
        Authentication::Bearer { username: "ci".into(), password: "pw".into(), anonymous_pull: true, expires_in: 300 };
    let (registry, base) = start(RegistryOptions { authentication, ..RegistryOptions::default() }).await;
    registry.put_image("app", "1", &ImageBuilder::new().build());
    let url = format!("{base}/v2/app/manifests/1");
    let refused = client().get(&url).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().contains("scope=\"repository:app:pull\""));
    for (scope, status) in [("repository:app:pull", 200), ("repository:other:pull", 401)] {
        let answer = client().get(format!("{base}/token?scope={scope}")).send().await.unwrap();
        let token: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let answer = client().get(&url).bearer_auth(token["token"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.status(), status, "{scope}");
    }
}

#[tokio::test]
async fn deleted_means_gone() {
    let (registry, base) = start(RegistryOptions::default()).await;
    let image = ImageBuilder::new().build();
    registry.put_image("app", "1", &image);
    let url = format!("{base}/v2/app/manifests/{}", image.digest());
    assert_eq!(client().head(&url).send().await.unwrap().status(), 200);
    assert_eq!(client().delete(&url).send().await.unwrap().status(), 202);
    assert_eq!(client().get(&url).send().await.unwrap().status(), 404);
    assert_eq!(registry.tag("app", "1"), None);
}

#[tokio::test]
async fn faults_are_switched_on_and_off_while_it_runs() {
    let (registry, base) = start(RegistryOptions::default()).await;
    let digest = registry.put_blob("app", "bytes");
    let url = format!("{base}/v2/app/blobs/{digest}");
    registry.set_fault(Fault::Status { endpoint: Some(Endpoint::Blob), status: 429, count: 1, retry_after: Some(7) });
    let limited = client().get(&url).send().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    registry.set_fault(Fault::LiesAbout(digest));
    let lie = client().get(&url).send().await.unwrap().bytes().await.unwrap();
    assert_ne!(Digest::of(&lie), digest);
    registry.clear_faults();
    assert_eq!(client().get(&url).send().await.unwrap().bytes().await.unwrap(), "bytes");
}
