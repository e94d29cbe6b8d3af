use assay_case::ContainerRole;
use proptest::prelude::*;

use super::*;

const POD: &str = r#"{"metadata": {"name": "api"}, "spec": {"containers": [{"name": "api", "image": "nginx:1"}]}}"#;

fn review(operation: &str, kind: &str, more: &str) -> String {
    format!(
        r#"{{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {{"uid": "u-1",
        "operation": "{operation}", "namespace": "payments", "kind": {kind}{more}}}}}"#
    )
}

const POD_KIND: &str = r#"{"group": "", "version": "v1", "kind": "Pod"}"#;

fn code(body: &[u8]) -> &'static str {
    Review::parse(body).unwrap_err().code()
}

#[test]
fn a_pod_becomes_a_request() {
    let body = review(
        "CREATE",
        POD_KIND,
        &format!(r#", "dryRun": true, "userInfo": {{"username": "ada", "groups": ["dev"]}}, "object": {POD}"#),
    );
    let review = Review::parse(body.as_bytes()).unwrap();
    assert_eq!((review.uid.as_str(), review.dry_run), ("u-1", true));
    let labels = BTreeMap::from([("team".to_owned(), "payments".to_owned())]);
    let Admission::Judge(request) = review.admission(Some(labels.clone())) else { panic!("judged") };
    assert_eq!(request.user, User { name: "ada".into(), groups: vec!["dev".into()] });
    assert_eq!(request.namespace, Namespace { name: "payments".into(), labels: Some(labels) });
    assert_eq!(request.workload.name, "api");
    assert_eq!(request.images[0].written, "nginx:1");
}

#[test]
fn ephemeral_containers_are_judged_and_harmless_subresources_pass() {
    let old = POD;
    let new = r#"{"metadata": {"name": "api"}, "spec": {"containers": [{"name": "api", "image": "nginx:1"}],
        "ephemeralContainers": [{"name": "debug", "image": "busybox"}]}}"#;
    let of = |sub: &str| {
        review("UPDATE", POD_KIND, &format!(r#", "subResource": "{sub}", "object": {new}, "oldObject": {old}"#))
    };
    let body = of("ephemeralcontainers");
    let Admission::Judge(request) = Review::parse(body.as_bytes()).unwrap().admission(None) else { panic!("judged") };
    assert!(request.images.iter().any(|image| image.role == ContainerRole::EphemeralContainer));
    for sub in HARMLESS.into_iter().chain(["scale"]) {
        let body = of(sub);
        let admission = Review::parse(body.as_bytes()).unwrap().admission(None);
        assert!(matches!(admission, Admission::Pass(_)), "{sub}");
    }
    let body = of("something-new");
    assert!(matches!(Review::parse(body.as_bytes()).unwrap().admission(None), Admission::Judge(_)));
}

#[test]
fn an_update_is_judged_unless_what_runs_stays_the_same() {
    let admission = |new: &str, old: &str| {
        let body = review("UPDATE", POD_KIND, &format!(r#", "object": {new}, "oldObject": {old}"#));
        matches!(Review::parse(body.as_bytes()).unwrap().admission(None), Admission::Judge(_))
    };
    let finalizer = POD.replace(r#""name": "api"}, "spec""#, r#""name": "api", "finalizers": ["x"]}, "spec""#);
    let deleting = POD
        .replace(r#""name": "api"}, "spec""#, r#""name": "api", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec""#);
    let labelled = POD.replace(r#""name": "api"}, "spec""#, r#""name": "api", "labels": {"a": "b"}}, "spec""#);
    let changed = POD.replace("nginx:1", "nginx:2");
    assert!(!admission(&finalizer, POD), "a finalizer runs nothing");
    assert!(admission(&changed, POD));
    assert!(admission(&labelled, POD));
    assert!(admission(POD, "null"), "without the old object nothing is known to be unchanged");
    assert!(admission(&deleting.replace("nginx:1", "nginx:2"), POD), "deletionTimestamp is no way past the Gate");
}

#[test]
fn deletes_and_other_kinds_pass_with_a_reason() {
    let body = review("DELETE", POD_KIND, "");
    let Admission::Pass(reason) = Review::parse(body.as_bytes()).unwrap().admission(None) else { panic!("passes") };
    assert_eq!(reason.to_string(), "delete runs no image");
    let body = review("CREATE", r#"{"group": "", "kind": "Service"}"#, r#", "object": {}"#);
    let Admission::Pass(reason) = Review::parse(body.as_bytes()).unwrap().admission(None) else { panic!("passes") };
    assert_eq!(reason, PassReason::OtherKind("Service".into()));
}

#[test]
fn every_bad_input_has_its_code() {
    let object = format!(r#", "object": {POD}"#);
    let good = review("CREATE", POD_KIND, &object);
    assert!(Review::parse(good.as_bytes()).is_ok());
    assert_eq!(code(b""), "review-invalid-json");
    assert_eq!(code(&good.as_bytes()[..good.len() - 1]), "review-invalid-json");
    assert_eq!(code(b"\xff\xfe"), "review-not-utf8");
    assert_eq!(
        code(good.replace("nginx:1", "nginx:1\u{fffd}").replace('\u{fffd}', "\u{1}").as_bytes()),
        "review-invalid-json"
    );
    let mut bytes = good.clone().into_bytes();
    let at = good.find("nginx").unwrap();
    bytes[at] = 0xc3;
    assert_eq!(code(&bytes), "review-not-utf8");
    assert_eq!(code(good.replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1").as_bytes()), "review-wrong-kind");
    assert_eq!(code(good.replace("AdmissionReview", "Pod").as_bytes()), "review-wrong-kind");
    assert_eq!(code(b"{}"), "review-wrong-kind");
    assert_eq!(code(b"[]"), "review-wrong-kind");
    let without = r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}"#;
    assert_eq!(code(without.as_bytes()), "review-without-request");
    let answer = r#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": null, "response": {"allowed": true}}"#;
    assert_eq!(code(answer.as_bytes()), "review-without-request");
    assert_eq!(code(good.replace(r#""uid": "u-1""#, r#""uid": """#).as_bytes()), "review-field");
    assert_eq!(code(good.replace("CREATE", "PATCH").as_bytes()), "review-field");
    assert_eq!(code(review("CREATE", POD_KIND, "").as_bytes()), "review-field");
    assert_eq!(code(review("CREATE", POD_KIND, r#", "object": []"#).as_bytes()), "review-field");
    assert_eq!(code(review("CREATE", "null", &object).as_bytes()), "review-field");
    let doubled = good.replace(r#""image": "nginx:1""#, r#""image": "nginx:1", "im\u0061ge": "evil""#);
    assert_eq!(code(doubled.as_bytes()), "review-invalid-json");
    assert_eq!(code(&vec![b' '; BYTES_MAX + 1]), "review-too-large");
    let deep = review("CREATE", POD_KIND, &format!(r#", "object": {{"a": {}1{}}}"#, "[".repeat(500), "]".repeat(500)));
    assert_eq!(code(deep.as_bytes()), "review-invalid-json");
}

#[test]
fn the_uid_of_a_bad_request_is_kept_for_the_answer() {
    let body = review("PATCH", POD_KIND, "");
    assert_eq!(Review::parse(body.as_bytes()).unwrap_err().uid(), Some("u-1"));
    assert_eq!(Review::parse(b"{}").unwrap_err().uid(), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
        let _ = Review::parse(&bytes);
    }

    #[test]
    fn no_damage_to_a_good_review_panics(at in 0usize..300, byte in any::<u8>()) {
        let mut bytes = review("CREATE", POD_KIND, &format!(r#", "object": {POD}"#)).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(review) = Review::parse(&bytes) {
            let _ = review.admission(None);
        }
    }
}
