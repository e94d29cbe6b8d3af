use super::*;

fn origin() -> Origin {
    Origin {
        operation: Operation::Create,
        namespace: Namespace { name: "payments".into(), labels: None },
        user: User::default(),
        name: String::new(),
    }
}

fn request<'a>(group: &str, kind: &str, json: &'a str) -> Request<'a> {
    let node: Node<'a> = serde_json::from_str(json).unwrap();
    request_of(group, kind, node, origin()).unwrap()
}

#[test]
fn every_built_in_kind_gives_its_images_with_their_field() {
    let pod = r#"{"containers": [{"name": "a", "image": "nginx:1"}]}"#;
    let template = format!(r#"{{"metadata": {{"name": "x"}}, "spec": {{"template": {{"spec": {pod}}}}}}}"#);
    let cases = [
        ("", "Pod", format!(r#"{{"spec": {pod}}}"#), "spec.containers[0].image"),
        ("", "PodTemplate", format!(r#"{{"template": {{"spec": {pod}}}}}"#), "template.spec.containers[0].image"),
        (
            "batch",
            "CronJob",
            format!(r#"{{"spec": {{"jobTemplate": {{"spec": {{"template": {{"spec": {pod}}}}}}}}}}}"#),
            "spec.jobTemplate.spec.template.spec.containers[0].image",
        ),
        ("", "ReplicationController", template.clone(), "spec.template.spec.containers[0].image"),
        ("apps", "Deployment", template.clone(), "spec.template.spec.containers[0].image"),
        ("apps", "ReplicaSet", template.clone(), "spec.template.spec.containers[0].image"),
        ("apps", "StatefulSet", template.clone(), "spec.template.spec.containers[0].image"),
        ("apps", "DaemonSet", template.clone(), "spec.template.spec.containers[0].image"),
        ("batch", "Job", template, "spec.template.spec.containers[0].image"),
    ];
    for (group, kind, json, field) in cases {
        let request = request(group, kind, &json);
        assert_eq!(request.images.len(), 1, "{kind}");
        assert_eq!(request.images[0].field, field);
        assert_eq!(request.images[0].written, "nginx:1");
        assert!(!request.pod_spec().is_null(), "{kind}");
    }
}

#[test]
fn all_lists_and_image_volumes_count() {
    let request = request(
        "",
        "Pod",
        r#"{"metadata": {"generateName": "api-", "ownerReferences": [
            {"kind": "Other", "name": "no"}, {"kind": "ReplicaSet", "name": "api-7d9f", "controller": true}]},
          "spec": {"serviceAccount": "legacy", "containers": [{"name": "c", "image": "c:1", "imagePullPolicy": "Always"}],
          "initContainers": [{"name": "i", "image": "i:1"}], "ephemeralContainers": [{"name": "e", "image": "e:1"}],
          "volumes": [{"name": "v", "emptyDir": {}}, {"name": "data", "image": {"reference": "v:1", "pullPolicy": "Never"}}]}}"#,
    );
    let found: Vec<_> = request.images.iter().map(|i| (i.role, i.name.as_str(), i.field.as_str())).collect();
    assert_eq!(
        found,
        [
            (ContainerRole::InitContainer, "i", "spec.initContainers[0].image"),
            (ContainerRole::Container, "c", "spec.containers[0].image"),
            (ContainerRole::EphemeralContainer, "e", "spec.ephemeralContainers[0].image"),
            (ContainerRole::ImageVolume, "data", "spec.volumes[1].image.reference"),
        ]
    );
    assert_eq!(request.images[1].pull_policy.as_deref(), Some("Always"));
    assert_eq!(request.images[3].pull_policy.as_deref(), Some("Never"));
    assert_eq!(request.service_account.as_deref(), Some("legacy"));
    assert_eq!(request.workload.owner.as_deref(), Some("ReplicaSet/api-7d9f"));
    assert_eq!(request.workload.name, "api-*");
}

#[test]
fn odd_shapes_never_hide_an_image() {
    // (shape, images, of which readable)
    for (spec, images, readable) in [
        (r#"{"containers": null}"#, 0, 0),
        (r#"{"containers": []}"#, 0, 0),
        (r#"{"containers": [null]}"#, 1, 0),
        (r#"{"containers": [{}]}"#, 1, 0),
        (r#"{"containers": [{"image": 7}]}"#, 1, 0),
        (r#"{"containers": [{"image": ""}]}"#, 1, 0),
        (r#"{"containers": {"name": "a", "image": "nginx"}}"#, 1, 1),
        (r#"{"containers": "nginx"}"#, 1, 0),
        (r#"{"initContainers": [{"image": "a"}], "containers": null}"#, 1, 1),
        (r#"{"volumes": [{"name": "v", "image": {}}]}"#, 1, 0),
        (r#"{"volumes": [null, {"image": null}]}"#, 0, 0),
    ] {
        let json = format!(r#"{{"spec": {spec}}}"#);
        let request = request("", "Pod", &json);
        assert_eq!(request.images.len(), images, "{spec}");
        assert_eq!(request.images.iter().filter(|image| image.reference.is_ok()).count(), readable, "{spec}");
    }
}

#[test]
fn kinds_of_other_groups_are_none_of_ours() {
    let object: Node<'_> = serde_json::from_str("{}").unwrap();
    assert!(request_of("example.com", "Deployment", object.clone(), origin()).is_none());
    assert!(request_of("", "Service", object, origin()).is_none());
    assert!(!is_workload("serving.knative.dev", "Pod"));
}

#[test]
fn only_accounts_of_kube_system_are_controllers() {
    let user = |name: &str| User { name: name.into(), groups: Vec::new() };
    assert!(is_built_in_controller(&user("system:serviceaccount:kube-system:replicaset-controller")));
    assert!(!is_built_in_controller(&user("system:serviceaccount:payments:replicaset-controller")));
    assert!(!is_built_in_controller(&user("system:serviceaccount:kube-system:argocd")));
    assert!(!is_built_in_controller(&user("replicaset-controller")));
}
