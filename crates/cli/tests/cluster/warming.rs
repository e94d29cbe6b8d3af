//! Facts before anybody waits for them.

use std::time::Duration;

use assay_sandbox::{ImageBuilder, RegistryOptions};
use serde_json::json;

use crate::plane::plane;
use crate::process::eventually;
use crate::serving::{Serving, environment, pod, prepare, registry, runtime};

#[test]
fn the_first_deploy_of_a_release_asks_the_registry_nothing() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let runtime = runtime();
    let registry = registry(&runtime, RegistryOptions::default());
    let image = ImageBuilder::new().layer([("app/name", "api", 0o644)]).build();
    let digest = registry.put_image("shop/api", "1.0", &image);
    // A control that needs what is in the image.
    plane.apply(&environment("prod", &[("no-secrets-in-layers", "enforce")]).to_string());
    let serving = Serving::start(&plane);
    assert_eq!(registry.requests().len(), 0);
    let release = json!({
        "apiVersion": "assay.dev/v1", "kind": "ReleaseArtifact", "metadata": {"name": "api-1-0"},
        "spec": {
            "service": "api", "source": {"repository": "github.com/shop/api", "commit": "4f2c1e9"},
            "image": {"repository": format!("{}/shop/api", registry.host()), "digest": digest},
        },
    });
    plane.apply(&release.to_string());
    eventually("its facts are gathered", || {
        let metrics = serving.metrics();
        if metrics.contains("assay_warmed_total 1") { Ok(()) } else { Err(metrics) }
    });
    assert!(serving.metrics().contains("assay_warm_images 1"));
    registry.clear_requests();
    let said = plane.try_apply(&pod("shop-prod", "api", &format!("{}/shop/api@{digest}", registry.host())));
    assert!(said.ok, "{}", said.text);
    // Nothing was sent while it was answered, nor is anything on its way.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(registry.requests().len(), 0, "{:?}", registry.requests());
    let metrics = serving.metrics();
    assert!(metrics.contains(r#"assay_admission_requests_total{operation="create",decision="allowed",mode="live"} 1"#));
}
