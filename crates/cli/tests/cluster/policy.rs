//! Environments, Exceptions and trust roots as objects of the cluster.

use std::time::{Duration, SystemTime};

use assay_model::Timestamp;
use serde_json::{Value, json};

use crate::audit::alerted;
use crate::plane::{ControlPlane, Said, plane};
use crate::process::eventually;
use crate::serving::{PINNED, Serving, TAGGED, condition, environment, pod, prepare, until};

fn denied(said: &Said) -> bool {
    !said.ok && said.text.contains("denied the request")
}

fn admitted(said: &Said) -> bool {
    said.ok
}

#[test]
fn what_an_environment_says_is_in_force_within_a_moment() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let serving = Serving::start(&plane);
    let said = until(&plane, "shop-prod", TAGGED, "a tag is refused", denied);
    assert!(
        said.contains(&format!("container api: image {TAGGED} is rejected in prod: "))
            && said.contains("(require-digest)"),
        "{said}"
    );
    until(&plane, "shop-prod", PINNED, "a digest is admitted", admitted);
    eventually("its status says so", || match condition(&plane, "environment/prod", "Ready") {
        Some((status, reason, _)) if (status.as_str(), reason.as_str()) == ("True", "InForce") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // Warnings are shown by kubectl, and the Pod is admitted.
    plane.apply(&environment("prod", &[("require-digest", "warn")]).to_string());
    let said = until(&plane, "shop-prod", TAGGED, "a tag is warned about", admitted);
    assert!(said.contains("Warning: container api: ") && said.contains("(require-digest)"), "{said}");
    // A namespace that nobody selects gets the strictest; one that is labelled moves.
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    until(&plane, "default", TAGGED, "an unlabelled namespace is judged by the strictest", denied);
    plane.apply(&environment("dev", &[]).to_string());
    until(&plane, "shop-dev", TAGGED, "dev takes it", admitted);
    plane.kubectl(&["label", "namespace", "shop-dev", "environment=prod", "--overwrite"]);
    until(&plane, "shop-dev", TAGGED, "the namespace is production now", denied);
    // Back to where less is denied: not for everybody.
    let back = ["label", "namespace", "shop-dev", "environment=dev", "--overwrite"];
    let said = plane.try_kubectl_with(&back, "");
    assert!(!said.ok && said.text.contains("would be judged by dev instead of prod"), "{}", said.text);
    plane.kubectl(&["label", "namespace", "shop-dev", "team=shop"]);
    let_people_write(&plane);
    let said = plane.try_kubectl_with(&[&back[..], &["--as", "grace", "--as-group", "leads"]].concat(), "");
    assert!(said.ok, "{}", said.text);
    until(&plane, "shop-dev", TAGGED, "it is dev again", admitted);
    plane.kubectl(&["label", "namespace", "shop-dev", "team-"]);
    // A dry run writes nothing, so that there is nothing to explain.
    let said = plane.try_kubectl_with(&["create", "--dry-run=server", "-f", "-"], &pod("shop-prod", "probe", TAGGED));
    assert!(denied(&said) && !said.text.contains("assay explain"), "{}", said.text);
    let said = plane.try_kubectl_with(&["create", "-f", "-"], &pod("shop-prod", "probe", TAGGED));
    assert!(denied(&said) && said.text.contains("Why: assay explain "), "{}", said.text);
    assert_eq!(serving.decisions(), 1);
}

#[test]
fn what_cannot_be_meant_is_refused_when_it_is_written() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[]).to_string());
    let _serving = Serving::start(&plane);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut object = environment("prod", &[]);
        change(&mut object["spec"]);
        plane.try_apply(&object.to_string())
    };
    let said = changed(&|spec| spec["controls"]["require-digset"] = json!({"action": "warn"}));
    assert!(!said.ok && said.text.contains("did you mean `require-digest`"), "{}", said.text);
    let said = changed(&|spec| spec["registries"] = json!(["https://registry.example.com"]));
    assert!(!said.ok && said.text.contains("kinds.assay.dev"), "{}", said.text);
    let said = changed(&|spec| {
        spec["signers"] =
            json!([{"name": "a", "for": ["sbom"], "keyless": {"issuer": {"regexp": "a"}, "subject": "b"}}]);
    });
    assert!(!said.ok && said.text.contains("not anchored"), "{}", said.text);
    // What may come in the next document is no mistake.
    let said = changed(&|spec| spec["trustRoot"] = json!("company"));
    assert!(
        said.ok && said.text.contains("Warning: not in force yet") && said.text.contains("company"),
        "{}",
        said.text
    );
    let root = |spec: Value| json!({"apiVersion": "assay.dev/v1", "kind": "TrustRoot", "metadata": {"name": "company"}, "spec": spec});
    let said = plane.try_apply(&root(json!({"keys": [{"name": "a", "pem": "no key"}]})).to_string());
    assert!(!said.ok && said.text.contains("denied the request"), "{}", said.text);
    let said = plane.try_apply(&root(json!({"sigstore": {"file": "/etc/passwd"}})).to_string());
    assert!(!said.ok && said.text.contains("no files beside an object"), "{}", said.text);
    plane.apply(&root(json!({"sigstore": "publicGood"})).to_string());
    eventually("the environment comes into force with its root", || {
        match condition(&plane, "environment/prod", "Ready") {
            Some((status, ..)) if status == "True" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    for (expires, words) in [(at(-60), "expired"), (at(40 * 86_400), "allowed")] {
        let said = plane.try_apply(&exception("late", "require-digest", &expires, false).to_string());
        assert!(!said.ok && said.text.contains(words), "{}", said.text);
    }
}

/// Written while nobody checks, as on the day that Assay is installed on top of it.
#[test]
fn a_broken_object_stops_nothing_and_loosens_nothing() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let serving = Serving::start(&plane);
    // The validating webhook is away for a moment: this is what gets in.
    let mut broken = environment("prod", &[]);
    broken["spec"]["trustRoot"] = json!("nobody");
    plane.apply(&broken.to_string());
    let state = || condition(&plane, "environment/prod", "Ready");
    eventually("the condition names it", || match state() {
        Some((status, reason, message))
            if status == "False" && reason == "LastGoodInForce" && message.contains("nobody") =>
        {
            Ok(())
        }
        other => Err(format!("{other:?}")),
    });
    until(&plane, "shop-prod", TAGGED, "what it said before stays in force", denied);
    // Another object is taken in meanwhile.
    plane.apply(&environment("dev", &[("require-digest", "enforce")]).to_string());
    until(&plane, "shop-dev", TAGGED, "the stream goes on", denied);
    // After a restart nothing is left of what was good: then it is the strictest there is, not the loosest.
    let serving = serving.stop().start();
    eventually("the condition says that nothing of it is in force", || match state() {
        Some((status, reason, _)) if (status.as_str(), reason.as_str()) == ("False", "NotInForce") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    until(&plane, "shop-prod", TAGGED, "the starter judges", denied);
    plane.apply(&environment("prod", &[]).to_string());
    until(&plane, "shop-prod", TAGGED, "mended, it is in force as written", admitted);
    drop(serving);
}

#[test]
fn a_definition_that_is_deleted_takes_no_control_with_it() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let mut serving = Serving::start(&plane);
    until(&plane, "shop-prod", PINNED, "the environment takes what the starter would not", admitted);
    plane.kubectl(&["delete", "crd", "environments.assay.dev"]);
    serving.said("the definition of environments is being deleted");
    until(&plane, "shop-prod", TAGGED, "a tag is still refused", denied);
    until(&plane, "shop-prod", PINNED, "and a digest still admitted", admitted);
    // Defined and written again, it is followed again.
    crate::crds::install(&plane);
    plane.apply(&environment("prod", &[]).to_string());
    until(&plane, "shop-prod", TAGGED, "the new one is followed", admitted);
}

/// So many seconds from now.
pub(crate) fn at(seconds: i64) -> String {
    let now = Timestamp::try_from(SystemTime::now()).unwrap();
    let at = Timestamp::from_second(now.as_second() + seconds).unwrap();
    at.to_string()
}

pub(crate) fn exception(name: &str, control: &str, expires: &str, break_glass: bool) -> Value {
    json!({
        "apiVersion": "assay.dev/v1", "kind": "Exception", "metadata": {"name": name},
        "spec": {
            "owner": "team-shop", "reason": "the registry has no digests yet", "controls": [control],
            "subjects": [{"repository": "127.0.0.1:1/shop/api"}], "scope": {"namespaces": ["shop-prod"]},
            "expiresAt": expires, "compensatingControl": "a person looks at it", "breakGlass": break_glass,
        },
    })
}

pub(crate) fn approved(mut exception: Value, by: &str) -> Value {
    exception["spec"]["approval"] = json!({"by": by, "at": at(0)});
    exception
}

/// Applies as somebody.
pub(crate) fn apply_as(plane: &ControlPlane, user: &str, group: &str, object: &Value) -> Said {
    plane.try_kubectl_with(&["apply", "-f", "-", "--as", user, "--as-group", group], &object.to_string())
}

pub(crate) fn let_people_write(plane: &ControlPlane) {
    let subjects = ["developers", "leads"]
        .map(|group| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}));
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "people"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": subjects,
    });
    plane.apply(&binding.to_string());
}

#[test]
fn an_exception_counts_when_another_approves_it_and_ends_within_a_second() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let_people_write(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce-with-exception")]).to_string());
    let _serving = Serving::start(&plane);
    let active = || condition(&plane, "exception/digests", "Active").map(|(status, reason, _)| (status, reason));
    let becomes = |status: &str, reason: &str| {
        eventually(reason, || match active() {
            Some((own, why)) if own == status && why == reason => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    let asked = exception("digests", "require-digest", &at(3600), false);
    let said = apply_as(&plane, "ada", "developers", &asked);
    assert!(said.ok && said.text.contains("does nothing yet"), "{}", said.text);
    becomes("False", "NotApproved");
    until(&plane, "shop-prod", TAGGED, "nobody has approved it", denied);
    // Who asked for it approves it, and writes a record as Assay would.
    let mut forged = approved(asked.clone(), "ada");
    forged["metadata"]["annotations"]["assay.dev/record"] = json!("{\"author\": \"eve\"}");
    let said = apply_as(&plane, "ada", "leads", &forged);
    assert!(said.ok, "{}", said.text);
    becomes("False", "ApprovedByAuthor");
    let said = until(&plane, "shop-prod", TAGGED, "one's own approval does nothing", denied);
    assert!(said.contains("Exception digests does nothing: ada approved"), "{said}");
    // Somebody who may not.
    let by_bob = approved(asked.clone(), "bob");
    assert!(apply_as(&plane, "bob", "developers", &by_bob).ok);
    becomes("False", "NotAnApprover");
    // Somebody who may.
    let by_lead = approved(asked.clone(), "grace");
    let said = apply_as(&plane, "grace", "leads", &by_lead);
    assert!(said.ok && !said.text.contains("does nothing"), "{}", said.text);
    until(&plane, "shop-prod", TAGGED, "it is excepted", admitted);
    becomes("True", "Approved");
    // Asked for again for a shorter time, and so approved again. At its end, within a second.
    let expires = at(20);
    let asked = exception("digests", "require-digest", &expires, false);
    assert!(apply_as(&plane, "ada", "developers", &asked).ok);
    let said = apply_as(&plane, "grace", "leads", &approved(asked, "grace"));
    assert!(said.ok && !said.text.contains("does nothing"), "{}", said.text);
    until(&plane, "shop-prod", TAGGED, "it is excepted for a shorter time", admitted);
    let end = SystemTime::from(expires.parse::<Timestamp>().unwrap());
    while let Ok(left) = end.duration_since(SystemTime::now()) {
        std::thread::sleep(left + Duration::from_millis(1));
    }
    let said = plane.try_kubectl_with(&["create", "--dry-run=server", "-f", "-"], &pod("shop-prod", "probe", TAGGED));
    assert!(denied(&said) && said.text.contains("Exception digests does nothing: "), "{}", said.text);
    becomes("False", "Expired");
}

#[test]
fn break_glass_lifts_what_is_enforced_and_no_other_exception_does() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let_people_write(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let serving = Serving::start(&plane);
    let write = |name: &str, break_glass: bool| {
        let asked = exception(name, "require-digest", &at(3600), break_glass);
        assert!(apply_as(&plane, "ada", "developers", &asked).ok);
        let said = apply_as(&plane, "grace", "leads", &approved(asked, "grace"));
        assert!(said.ok, "{}", said.text);
    };
    write("usual", false);
    eventually("it is approved", || match condition(&plane, "exception/usual", "Active") {
        Some((status, ..)) if status == "True" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let said = until(&plane, "shop-prod", TAGGED, "an exception is not enough", denied);
    assert!(said.contains("only break-glass lifts"), "{said}");
    write("emergency", true);
    until(&plane, "shop-prod", TAGGED, "break-glass is", admitted);
    alerted(&serving, "nothing runs by it", <[String]>::is_empty);
    plane.apply(&pod("shop-prod", "urgent", TAGGED));
    alerted(&serving, "its use is an alert", |open| open == ["BreakGlass/emergency"]);
    plane.kubectl(&["delete", "pod", "urgent", "-n", "shop-prod", "--force", "--grace-period=0"]);
    alerted(&serving, "until the Pod has ended", <[String]>::is_empty);
    plane.kubectl(&["delete", "exception", "emergency"]);
    until(&plane, "shop-prod", TAGGED, "and ends with its object", denied);
    let said = apply_as(&plane, "ada", "developers", &exception("long", "require-digest", &at(3 * 3600), true));
    assert!(!said.ok && said.text.contains("allowed"), "{}", said.text);
}
