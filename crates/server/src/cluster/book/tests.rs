use assay_case::Action;
use assay_gate::starter_environments;
use assay_trust::TrustMaterial;
use serde_json::{Value, json};

use super::*;

const NOW: &str = "2026-11-21T09:00:00Z";

fn book() -> Book {
    let base = Base {
        starters: starter_environments().unwrap(),
        roots: vec![("public-good".into(), TrustMaterial::new())],
        ..Base::default()
    };
    // A root with a name and a key by that name, or none where there is nothing to read.
    let source: MaterialSource = Arc::new(|root| match root.spec.keys.first().and_then(|key| key.pem.as_deref()) {
        Some("bad") => Err("key: no PEM".to_owned()),
        Some(pem) => TrustMaterial::new().with_named_key("release", pem).map_err(|error| error.to_string()),
        None => Ok(TrustMaterial::new()),
    });
    Book::new(base, source)
}

/// An object of the generation that its `resourceVersion` would have.
fn object(kind: &str, name: &str, generation: u32, spec: Value) -> StoredObject {
    let metadata =
        json!({"name": name, "uid": name, "generation": generation, "managedFields": [{"manager": "kubectl"}]});
    StoredObject(json!({"apiVersion": "assay.dev/v1", "kind": kind, "metadata": metadata, "spec": spec}))
}

fn environment(generation: u32, spec: Value) -> StoredObject {
    object("Environment", "prod", generation, spec)
}

fn apply(book: &mut Book, sort: Sort, object: &StoredObject) -> bool {
    book.apply(sort, Received::of(object.clone()))
}

fn digest_action(book: &mut Book) -> Action {
    book.settle().unwrap();
    book.policy().unwrap().action("prod", "require-digest").unwrap()
}

fn problem(book: &Book, name: &str) -> Option<(String, bool)> {
    let (_, entry) = book.entries().find(|(id, _)| id.name == name).unwrap();
    entry.problem().map(|(why, kept)| (why.to_owned(), kept))
}

const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n";

fn with_key() -> Value {
    json!({
        "tier": "prod", "trustRoot": ["company"], "controls": {"require-digest": {"action": "enforce"}},
        "signers": [{"name": "release", "for": ["signature"], "key": "release"}],
    })
}

#[test]
fn renewed_roots_are_read_again_and_keep_what_cannot_be() {
    let material = Arc::new(std::sync::Mutex::new(Ok(TrustMaterial::new())));
    let source: MaterialSource = Arc::new({
        let material = Arc::clone(&material);
        move |_| material.lock().unwrap().clone()
    });
    let mut book = Book::new(Base { starters: starter_environments().unwrap(), ..Base::default() }, source);
    apply(&mut book, Sort::TrustRoot, &object("TrustRoot", "company", 1, json!({})));
    assert_eq!(book.settle().unwrap().materials.unwrap().len(), 1);

    let renewed = TrustMaterial::new().with_named_key("release", KEY).unwrap();
    *material.lock().unwrap() = Ok(renewed.clone());
    book.renew_roots(vec![("public-good".into(), TrustMaterial::new())]);
    let hashes: Vec<_> = book.settle().unwrap().materials.unwrap().iter().map(TrustMaterial::hash).collect();
    assert_eq!(hashes, [TrustMaterial::new().hash(), renewed.hash()]);

    *material.lock().unwrap() = Err("the repository lies".to_owned());
    book.renew_roots(vec![("public-good".into(), TrustMaterial::new())]);
    assert!(book.settle().unwrap().materials.is_none(), "the last good one stays");
    assert_eq!(problem(&book, "company"), Some(("the repository lies".to_owned(), true)));
}

#[test]
fn the_starters_count_until_the_cluster_says_otherwise() {
    let mut book = book();
    assert_eq!(digest_action(&mut book), Action::Enforce);
    apply(
        &mut book,
        Sort::Environment,
        &environment(1, json!({"tier": "prod", "controls": {"require-digest": {"action": "warn"}}})),
    );
    assert_eq!(digest_action(&mut book), Action::Warn);
    book.remove(Sort::Environment, "prod");
    assert_eq!(digest_action(&mut book), Action::Enforce);
}

#[test]
fn a_broken_object_changes_nothing_and_says_why() {
    for (spec, said) in [
        (json!({"tier": "prod", "contrls": {}}), "did you mean `controls`"),
        (json!({"tier": "prod", "controls": {"require-digset": {}}}), "require-digest"),
        (json!({"tier": "prod", "trustRoot": "nobody"}), "nobody"),
        (json!({"tier": "prod", "controls": {"require-digest": {"action": "no"}}}), "one of off"),
        (json!({"tier": 1}), "spec.tier"),
    ] {
        let mut book = book();
        let enforced = json!({"tier": "prod", "controls": {"require-digest": {"action": "enforce-always"}}});
        apply(&mut book, Sort::Environment, &environment(1, enforced));
        assert_eq!(digest_action(&mut book), Action::EnforceAlways);
        apply(&mut book, Sort::Environment, &environment(2, spec.clone()));
        // Others go on meanwhile.
        apply(&mut book, Sort::Environment, &object("Environment", "other", 1, json!({"tier": "dev"})));
        assert_eq!(digest_action(&mut book), Action::EnforceAlways, "{spec}");
        assert!(book.policy().unwrap().environments().any(|name| name.as_str() == "other"));
        let (why, kept) = problem(&book, "prod").unwrap();
        assert!(why.contains(said) && kept && !why.contains("object:"), "{why}");
        assert_eq!(problem(&book, "other"), None);
        apply(&mut book, Sort::Environment, &environment(3, json!({"tier": "prod"})));
        assert_eq!((digest_action(&mut book), problem(&book, "prod")), (Action::Enforce, None));
    }
}

#[test]
fn what_needs_something_that_comes_later_is_taken_in_then() {
    let mut book = book();
    apply(&mut book, Sort::Environment, &environment(1, with_key()));
    for name in ["a", "b", "c"] {
        apply(&mut book, Sort::Environment, &object("Environment", name, 1, json!({"tier": "dev"})));
    }
    book.settle().unwrap();
    assert!(problem(&book, "prod").unwrap().0.contains("company"));
    assert_eq!(book.policy().unwrap().environments().count(), 7);
    apply(
        &mut book,
        Sort::TrustRoot,
        &object("TrustRoot", "company", 1, json!({"keys": [{"name": "release", "pem": KEY}]})),
    );
    assert!(book.settle().unwrap().materials.is_some());
    assert_eq!(problem(&book, "prod"), None);
}

/// "Last good" must not mean that a withdrawn key goes on counting.
#[test]
fn a_root_that_is_gone_vouches_for_nothing_even_where_it_is_still_named() {
    let mut book = book();
    apply(
        &mut book,
        Sort::TrustRoot,
        &object("TrustRoot", "company", 1, json!({"keys": [{"name": "release", "pem": KEY}]})),
    );
    apply(&mut book, Sort::Environment, &environment(1, with_key()));
    let before = book.settle().unwrap();
    assert_eq!(before.materials.unwrap().iter().map(|own| own.keys().len()).sum::<usize>(), 1);
    book.remove(Sort::TrustRoot, "company");
    let after = book.settle().unwrap();
    assert_eq!(after.materials.unwrap().iter().map(|own| own.keys().len()).sum::<usize>(), 0);
    assert_ne!(before.policy.digest(), after.policy.digest());
    assert_eq!(book.policy().unwrap().action("prod", "require-digest"), Some(Action::Enforce));
    // Nobody names it any more: it is forgotten.
    apply(&mut book, Sort::Environment, &environment(2, json!({"tier": "prod"})));
    book.settle().unwrap();
    assert_eq!(book.entries().count(), 1);
}

#[test]
fn a_broken_root_stays_what_it_was_and_other_material_is_not_read_again() {
    let mut book = book();
    apply(
        &mut book,
        Sort::TrustRoot,
        &object("TrustRoot", "company", 1, json!({"keys": [{"name": "release", "pem": KEY}]})),
    );
    assert!(book.settle().unwrap().materials.is_some());
    apply(
        &mut book,
        Sort::TrustRoot,
        &object("TrustRoot", "company", 2, json!({"keys": [{"name": "release", "pem": "bad"}]})),
    );
    assert!(book.settle().unwrap().materials.is_none());
    assert_eq!(problem(&book, "company"), Some(("key: no PEM".to_owned(), true)));
}

#[test]
fn what_files_say_the_cluster_cannot_change() {
    let mut book = book();
    book.base.environments = vec![starter_environments().unwrap().remove(2)];
    apply(
        &mut book,
        Sort::Environment,
        &environment(1, json!({"tier": "prod", "controls": {"require-digest": {"action": "off"}}})),
    );
    apply(
        &mut book,
        Sort::TrustRoot,
        &object("TrustRoot", "public-good", 1, json!({"keys": [{"name": "release", "pem": KEY}]})),
    );
    assert_eq!(digest_action(&mut book), Action::Enforce);
    assert!(problem(&book, "prod").unwrap().0.contains("files"));
    assert!(problem(&book, "public-good").unwrap().0.contains("files"));
}

fn exception(expires: &str) -> StoredObject {
    let spec = json!({
        "owner": "team", "reason": "r", "controls": ["critical-cve"], "subjects": [{"vulnerability": "CVE-2026-1"}],
        "scope": {"namespaces": ["shop"]}, "expiresAt": expires, "compensatingControl": "c",
    });
    object("Exception", "zlib", 1, spec)
}

#[test]
fn an_exception_that_cannot_be_read_is_none() {
    let mut book = book();
    apply(&mut book, Sort::Exception, &exception("2026-12-01T00:00:00Z"));
    book.settle().unwrap();
    let with = book.policy().unwrap().digest();
    let mut broken = exception("2026-12-01T00:00:00Z");
    broken.0["spec"]["controls"] = json!("all");
    broken.0["metadata"]["generation"] = json!(2);
    apply(&mut book, Sort::Exception, &broken);
    book.settle().unwrap();
    assert_ne!(book.policy().unwrap().digest(), with);
    assert!(!problem(&book, "zlib").unwrap().1);
}

#[test]
fn an_exception_that_has_ended_or_lasts_too_long_is_objected_to() {
    let mut book = book();
    book.settle().unwrap();
    let now = NOW.parse().unwrap();
    for (expires, said) in [
        ("2026-11-21T08:59:59Z", Some("expired")),
        ("2026-12-01T00:00:00Z", None),
        ("2027-12-01T00:00:00Z", Some("allowed")),
    ] {
        let Ok(Part::Exception(input)) = book.read(Sort::Exception, &exception(expires)) else { panic!("{expires}") };
        let objection = book.objection(&input.exception, &Namespaces::default(), now);
        assert_eq!(objection.is_some(), said.is_some(), "{expires}: {objection:?}");
        assert!(objection.unwrap_or_default().contains(said.unwrap_or_default()), "{expires}");
    }
    apply(&mut book, Sort::Exception, &exception("2026-12-01T00:00:00Z"));
    assert_eq!(book.next_expiry(now), Some("2026-12-01T00:00:00Z".parse().unwrap()));
    assert_eq!(book.next_expiry("2027-01-01T00:00:00Z".parse().unwrap()), None);
}

#[test]
fn a_status_or_a_label_is_no_change() {
    let mut book = book();
    assert!(apply(&mut book, Sort::Environment, &environment(1, json!({"tier": "prod"}))));
    let mut labelled = environment(1, json!({"tier": "prod"}));
    labelled.0["status"] = json!({"observedGeneration": 1});
    assert!(!apply(&mut book, Sort::Environment, &labelled));
    assert!(apply(&mut book, Sort::Environment, &environment(2, json!({"tier": "dev"}))));
}

/// A bad one among thousands is found by halving, not by trying each.
#[test]
fn one_bad_environment_among_thousands_of_exceptions_costs_little() {
    let mut book = book();
    for number in 0..2_000 {
        let mut one = exception("2026-12-01T00:00:00Z");
        one.0["metadata"]["name"] = json!(format!("exception-{number}"));
        one.0["metadata"]["uid"] = json!(format!("exception-{number}"));
        apply(&mut book, Sort::Exception, &one);
    }
    apply(&mut book, Sort::Environment, &environment(1, json!({"tier": "prod", "trustRoot": "nobody"})));
    book.settle().unwrap();
    assert!(problem(&book, "prod").is_some());
    assert_eq!(book.entries().filter(|(_, entry)| entry.problem().is_some()).count(), 1);
}

/// A repository is asked because an object stands in the cluster, not because somebody tried to write one.
#[test]
fn the_roots_that_may_be_asked_are_those_that_stand_in_the_cluster() {
    let mut book = book();
    let names = |book: &Book| book.roots().map(|root| root.metadata.name.clone()).collect::<Vec<_>>();
    let root = |name: &str, spec: Value| object("TrustRoot", name, 1, spec);
    book.read(Sort::TrustRoot, &root("tried", json!({}))).map(drop).unwrap();
    assert!(names(&book).is_empty(), "tried only");
    for name in ["mirror", "company"] {
        apply(&mut book, Sort::TrustRoot, &root(name, json!({})));
    }
    apply(&mut book, Sort::TrustRoot, &root("bad", json!({"keys": [{"name": "a", "pem": "bad"}]})));
    assert_eq!(names(&book), ["company", "mirror"]);
    book.settle().unwrap();
    book.remove(Sort::TrustRoot, "mirror");
    assert_eq!(names(&book), ["company"], "gone, even while an Environment may still name it");
}
