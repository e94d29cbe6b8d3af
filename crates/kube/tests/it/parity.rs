//! A manifest and the AdmissionReview of the same object make the same Request.

use assay_case::{Namespace, Request, User};
use assay_kube::{Admission, Manifests, Review};

const MANIFESTS: &str = include_str!("../data/workloads.yaml");

fn same(from_file: &Request<'_>, from_review: &Request<'_>) {
    assert_eq!(from_file.operation, from_review.operation);
    assert_eq!(from_file.workload, from_review.workload);
    assert_eq!(from_file.namespace, from_review.namespace);
    assert_eq!(from_file.service_account, from_review.service_account);
    assert_eq!(from_file.images, from_review.images);
    assert_eq!(from_file.document, from_review.document);
    assert_eq!(from_file.pod_spec, from_review.pod_spec);
    assert_eq!(from_file.pod_metadata, from_review.pod_metadata);
}

#[test]
fn a_file_and_a_review_make_the_same_request() {
    let manifests = Manifests::parse(MANIFESTS.as_bytes(), &[]).unwrap();
    assert_eq!(manifests.workloads.len(), 9, "every built-in kind");
    for manifest in &manifests.workloads {
        let namespace = Namespace { name: "payments".into(), labels: None };
        let from_file = manifest.request(namespace).unwrap();
        let group = manifest.api_version.split_once('/').map_or("", |(group, _)| group);
        let body = serde_json::json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "u-1", "operation": "CREATE", "namespace": "payments",
                "kind": {"group": group, "version": "v1", "kind": manifest.kind},
                "object": serde_json::to_value(manifest.node()).unwrap(),
            }
        })
        .to_string();
        // serde_json sorts keys when it makes a Value: compare with the object as the API server would send it.
        let sorted = serde_json::to_value(manifest.node()).unwrap().to_string();
        let Admission::Judge(from_review) = Review::parse(body.as_bytes()).unwrap().admission(None) else {
            panic!("{} is judged", manifest.kind)
        };
        assert_eq!(from_review.user, User::default());
        let mut from_file = from_file;
        from_file.document = assay_case::Document::from_json(sorted.as_bytes()).unwrap();
        same(&from_file, &from_review);
        assert!(!from_file.images.is_empty(), "{}", manifest.kind);
    }
}
