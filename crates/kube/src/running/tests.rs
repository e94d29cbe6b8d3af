use super::*;

#[test]
fn what_runs_is_what_the_runtime_pulled() {
    let digest = Digest::of(b"x");
    for text in
        [format!("registry.example.com/a@{digest}"), format!("docker-pullable://registry.example.com/a@{digest}")]
    {
        let (repository, found) = running_image(&text);
        assert_eq!((repository.unwrap().path(), found), ("a", Some(digest)));
    }
    assert_eq!(running_image(&digest.to_string()), (None, None), "the digest of a configuration");
    assert_eq!(running_image(""), (None, None));
}

#[test]
fn a_job_of_a_cron_job_is_known_by_the_minute_it_was_due() {
    let started: Option<Timestamp> = "2026-11-20T08:00:07Z".parse().ok();
    let due = started.unwrap().as_second() / 60;
    assert_eq!(cron_job_of(&format!("backup-{due}"), started), Some("backup"));
    assert_eq!(cron_job_of(&format!("backup-{}", due + 1), started), None, "not due yet");
    assert_eq!(cron_job_of(&format!("backup-{}", due - 2000), started), None, "two days late");
    for name in ["migrate-42", "backup", "-29", &format!("-{due}")] {
        assert_eq!(cron_job_of(name, started), None, "{name}");
    }
    assert_eq!(cron_job_of(&format!("backup-{due}"), None), None);
}

#[test]
fn an_image_volume_runs_what_was_asked_for_or_what_is_reported() {
    let digest = Digest::of(b"x");
    let volume = |reference: &str| json!({"name": "data", "image": {"reference": reference}});
    let status = json!({"containerStatuses": [{"volumeMounts": [
        {"name": "data", "volumeStatus": {"image": {"imageRef": format!("registry.example.com/data@{digest}")}}}]}]});
    let of = |reference: &str, status: &Value| image_volume(&volume(reference), status).unwrap();
    assert_eq!(of("registry.example.com/data:1", &status).digest, Some(digest));
    assert_eq!(of("registry.example.com/data:1", &Value::Null).digest, None);
    let pinned = of(&format!("registry.example.com/data@{digest}"), &Value::Null);
    assert_eq!(
        (pinned.digest, pinned.name.as_str(), pinned.role),
        (Some(digest), "volume:data", ContainerRole::ImageVolume)
    );
    assert!(image_volume(&json!({"name": "data", "emptyDir": {}}), &Value::Null).is_none());
}

fn pod(name: &str) -> Value {
    let digest = Digest::of(b"x");
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "shop", "uid": name,
            "labels": {"app": "db", "apps.kubernetes.io/pod-index": name, "pod-template-hash": "77"},
            "annotations": {"kubectl.kubernetes.io/restartedAt": "x", "assay.dev/owner": "team-shop"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "db-77", "controller": true, "uid": "u"}],
        },
        "spec": {
            "nodeName": name, "hostname": name, "serviceAccountName": "db", "tolerations": [{"key": "x"}],
            "containers": [{
                "name": "db", "image": "registry.example.com/db:1", "securityContext": {"privileged": true},
                "env": [{"name": "PASSWORD", "value": "secret"}],
                "volumeMounts": [{"name": format!("kube-api-access-{name}"), "mountPath": "/x"}],
            }],
            "volumes": [
                {"name": format!("kube-api-access-{name}"), "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
                {"name": "socket", "hostPath": {"path": "/var/run/docker.sock"}},
            ],
        },
        "status": {
            "phase": "Running", "startTime": "2026-11-20T08:00:07Z", "hostIP": "10.0.0.1",
            "containerStatuses": [{"name": "db", "imageID": format!("registry.example.com/db@{digest}"), "restartCount": 3}],
        },
    })
}

#[test]
fn pods_of_one_template_have_one_object_to_judge() {
    let [one, two] = ["db-0", "db-1"].map(|name| reduced_pod(StoredObject(pod(name))));
    assert_eq!(template_of(&one), template_of(&two));
    let text = template_of(&one);
    for gone in ["secret", "db-0", "restartCount", "tolerations"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    for kept in ["privileged", "docker.sock", "serviceAccountToken", "imageID", "serviceAccountName"] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    // Another image of the same template is another thing to judge.
    let mut other = pod("db-2");
    other["status"]["containerStatuses"][0]["imageID"] = json!(format!("registry.example.com/db@{}", Digest::of(b"y")));
    assert_ne!(template_of(&reduced_pod(StoredObject(other))), text);
    assert!(one.0.to_string().len() < 1_200, "{}", one.0);
}

#[test]
fn a_reduced_pod_is_the_same_view() {
    let whole = pod("db-0");
    let view = PodView::of(&whole, &JobControllers::new());
    assert_eq!(PodView::of(&reduced_pod(StoredObject(whole)).0, &JobControllers::new()), view);
    assert_eq!((view.workload_kind.as_str(), view.workload_name.as_str()), ("Deployment", "db"));
    assert_eq!((view.owner.as_deref(), view.phase, view.is_static), (Some("team-shop"), PodPhase::Running, false));
    assert_eq!(view.containers[0].digest, Some(Digest::of(b"x")));
}

#[test]
fn what_a_cron_job_ran_last_is_in_use_until_it_runs_again() {
    let of = |name: &str, phase: PodPhase, minute: u32| PodView {
        workload_kind: CRON_JOB.to_owned(),
        workload_name: "backup".to_owned(),
        phase,
        started: format!("2026-11-20T08:{minute:02}:00Z").parse().ok(),
        ..PodView::of(&pod(name), &JobControllers::new())
    };
    let names = |pods: Vec<PodView>| in_use(pods).into_iter().map(|pod| pod.name).collect::<Vec<_>>();
    let (old, new) = (of("old", PodPhase::Finished, 1), of("new", PodPhase::Finished, 2));
    assert_eq!(names(vec![new.clone(), old.clone()]), ["new"]);
    assert_eq!(names(vec![old, of("now", PodPhase::Running, 3), new]), ["now"]);
    let job = PodView { workload_kind: "Job".into(), ..of("job", PodPhase::Finished, 1) };
    assert!(names(vec![job, of("lost", PodPhase::Unknown, 1)]).is_empty());
}

#[test]
fn hostile_pods_are_read_without_a_panic() {
    for pod in
        [json!(null), json!([]), json!({"metadata": 1, "spec": [], "status": "x"}), json!({"spec": {"containers": {}}})]
    {
        let reduced = reduced_pod(StoredObject(pod.clone()));
        assert!(PodView::of(&reduced.0, &JobControllers::new()).containers.is_empty());
        assert!(template_of(&reduced).contains("Pod"));
        reduced_route(StoredObject(pod));
    }
}
