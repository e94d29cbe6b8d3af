//! Exceptions in files: whose approval counts, and whose does nothing.

use assay_kinds::{Kind, load_yaml};
use assay_model::Digest;
use assay_sign::{KeySigner, PrivateKey, Statement};
use assay_trust::predicates::{ASSAY_APPROVAL_V1, COSIGN_SIGN_V1};

use crate::assay::Assay;
use crate::verify::key;

/// A repository whose Environment `test` lets `lead` approve exceptions, with keys of `lead`, `developer` and, known to
/// nobody, `stranger`.
fn repository() -> Assay {
    let assay = Assay::new();
    for name in ["lead", "developer", "stranger"] {
        key(&assay, name);
    }
    assay.file(
        "policy/own.yaml",
        "apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {name: people}\nspec:\n  keys:\n    - {name: lead, file: \
         ../lead.pub}\n    - {name: developer, file: ../developer.pub}\n---\napiVersion: assay.dev/v1\nkind: Environment\n\
         metadata: {name: test}\nspec:\n  tier: dev\n  registries: [registry.example.com/]\n  controls:\n    require-digest: \
         {action: enforce-with-exception}\n  exceptions: {maximumDuration: 30d, approvers: [lead]}\n",
    );
    assay.file("pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: api, namespace: payments}\nspec:\n  containers: [{name: api, image: 'registry.example.com/api:1'}]\n");
    assay
}

/// A new Exception for the Pod's tag, from `developer`.
fn request(assay: &Assay, rest: &[&str]) {
    let own = [
        "exception",
        "new",
        "--control",
        "require-digest",
        "--repository",
        "registry.example.com/api",
        "--namespace",
        "payments",
        "--owner",
        "team-payments",
        "--requested-by",
        "developer",
        "--reason",
        "the tag is immutable",
        "--compensating-control",
        "the registry refuses overwrites",
        "--name",
        "api-tag",
        "--to",
        "policy/api-tag.yaml",
    ];
    let output = assay.run(&[&own[..], rest].concat());
    assert!(output.status.success(), "{}", assay.shown(&output));
}

fn approve(assay: &Assay, by: &str) -> String {
    let key = format!("{by}.pem");
    assay.seen(&[
        "exception",
        "approve",
        "policy/api-tag.yaml",
        "--key",
        &key,
        "--config",
        "policy",
        "--env",
        "test",
        "--reference",
        "RISK-1",
    ])
}

/// Writes an approval of what the file says now, whatever the command would think of it.
fn sign(assay: &Assay, by: &str, predicate: &str) {
    let text = std::fs::read_to_string(assay.path().join("policy/api-tag.yaml")).unwrap();
    let Kind::Exception(exception) = load_yaml(&text, "").unwrap().objects.remove(0).value else {
        panic!("an Exception")
    };
    let bundle = bundle(assay, by, exception.spec_digest(), predicate);
    assay.file("policy/api-tag.approval.json", bundle);
}

fn bundle(assay: &Assay, by: &str, digest: Digest, predicate: &str) -> Vec<u8> {
    let pem = std::fs::read_to_string(assay.path().join(format!("{by}.pem"))).unwrap();
    let signer = KeySigner::new(PrivateKey::from_pem(&pem).unwrap());
    signer.sign_now(&Statement::attestation(&digest, predicate, b"{}").unwrap()).unwrap().bytes().to_vec()
}

/// Names the approver in the Exception, as a person would who edits the file.
fn name_approver(assay: &Assay, by: &str) {
    edit(
        assay,
        "  # approval: {by: ..., reference: TICKET, at: ...}",
        &format!("  approval: {{by: {by}, at: {}}}", assay_model::Timestamp::now()),
    );
}

fn edit(assay: &Assay, from: &str, to: &str) {
    let path = assay.path().join("policy/api-tag.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn checked(assay: &Assay) -> String {
    assay.seen(&["exception", "check", "--config", "policy", "--env", "test"])
}

/// Whether the Pod may run, which only the Exception can make it.
fn admitted(assay: &Assay) -> bool {
    let seen =
        assay.seen(&["check", "-f", "pod.yaml", "--env", "test", "--config", "policy", "--offline", "-o", "json"]);
    let json: serde_json::Value =
        serde_json::from_str(seen.split("--- stderr").next().unwrap().split_once("--- stdout\n").unwrap().1).unwrap();
    let outcomes = json["objects"][0]["verdict"]["outcomes"].as_array().unwrap();
    outcomes.iter().find(|own| own["control"] == "require-digest").unwrap()["exceptedBy"] == "api-tag"
}

#[test]
fn an_approval_by_an_approver_counts() {
    let assay = repository();
    request(&assay, &[]);
    assert!(checked(&assay).starts_with("exit 1"));
    assert!(!admitted(&assay));
    let said = approve(&assay, "lead");
    assert!(said.starts_with("exit 0") && said.contains("counts  in test, approved by lead"), "{said}");
    let file = std::fs::read_to_string(assay.path().join("policy/api-tag.yaml")).unwrap();
    assert!(file.contains("  approval: {by: lead, reference: RISK-1, at: "), "{file}");
    let said = checked(&assay);
    assert!(said.starts_with("exit 0") && said.contains("approved by lead"), "{said}");
    assert!(admitted(&assay));
    // Comments and layout are not what is approved.
    edit(&assay, "spec:\n", "spec:  # see RISK-1\n");
    assert!(admitted(&assay), "{}", checked(&assay));
    assert!(approve(&assay, "lead").starts_with("exit 0"), "what is approved already can be approved again");
}

#[test]
fn whoever_asked_for_it_approves_nothing() {
    let assay = repository();
    let policy = std::fs::read_to_string(assay.path().join("policy/own.yaml")).unwrap();
    assay.file("policy/own.yaml", policy.replace("approvers: [lead]", "approvers: [lead, developer]"));
    request(&assay, &[]);
    let said = approve(&assay, "developer");
    assert!(said.starts_with("exit 1") && said.contains("developer approved what developer asked for"), "{said}");
    assert!(!assay.path().join("policy/api-tag.approval.json").exists());
    name_approver(&assay, "developer");
    sign(&assay, "developer", ASSAY_APPROVAL_V1);
    assert!(checked(&assay).contains("developer approved what developer asked for") && !admitted(&assay));
}

#[test]
fn an_approval_of_what_was_changed_since_does_nothing() {
    let assay = repository();
    request(&assay, &[]);
    assert!(approve(&assay, "lead").starts_with("exit 0"));
    edit(&assay, "namespaces: [payments]", "namespaces: [payments, web]");
    let said = checked(&assay);
    assert!(said.starts_with("exit 1") && said.contains("its approval does not hold"), "{said}");
    assert!(!admitted(&assay));
    // It is one Exception that does nothing, not a policy that does not load.
    assert!(assay.seen(&["policy", "list", "--config", "policy"]).starts_with("exit 0"));
}

#[test]
fn an_approval_under_another_name_does_nothing() {
    let assay = repository();
    request(&assay, &[]);
    assert!(approve(&assay, "lead").starts_with("exit 0"));
    edit(&assay, "{name: api-tag}", "{name: other}");
    std::fs::rename(assay.path().join("policy/api-tag.approval.json"), assay.path().join("policy/other.approval.json"))
        .unwrap();
    assert!(checked(&assay).contains("its approval does not hold"), "{}", checked(&assay));
}

#[test]
fn an_approval_by_somebody_who_is_no_approver_does_nothing() {
    let assay = repository();
    request(&assay, &[]);
    edit(&assay, "requestedBy: developer", "requestedBy: somebody");
    let said = approve(&assay, "developer");
    assert!(said.starts_with("exit 1") && said.contains("developer is no approver of test"), "{said}");
    name_approver(&assay, "developer");
    sign(&assay, "developer", ASSAY_APPROVAL_V1);
    assert!(checked(&assay).contains("developer is no approver of test") && !admitted(&assay));
    // Naming the lead does not make it the lead's.
    edit(&assay, "by: developer", "by: lead");
    sign(&assay, "developer", ASSAY_APPROVAL_V1);
    assert!(checked(&assay).contains("it names lead as approver, but developer approved it") && !admitted(&assay));
}

#[test]
fn an_approval_by_a_key_that_no_root_names_does_nothing() {
    let assay = repository();
    request(&assay, &[]);
    let said = approve(&assay, "stranger");
    assert!(said.starts_with("exit 2") && said.contains("TrustRoot"), "{said}");
    name_approver(&assay, "lead");
    sign(&assay, "stranger", ASSAY_APPROVAL_V1);
    assert!(checked(&assay).contains("its approval does not hold") && !admitted(&assay));
}

#[test]
fn a_signature_that_is_no_approval_and_a_file_that_is_none_do_nothing() {
    let assay = repository();
    request(&assay, &[]);
    name_approver(&assay, "lead");
    sign(&assay, "lead", COSIGN_SIGN_V1);
    assert!(checked(&assay).contains("it is a signature, but no approval") && !admitted(&assay));
    for broken in ["", "{}", "not a bundle"] {
        assay.file("policy/api-tag.approval.json", broken);
        assert!(checked(&assay).contains("its approval does not hold") && !admitted(&assay), "{broken}");
    }
}

#[test]
fn an_expired_exception_cannot_be_approved_and_its_approval_does_nothing() {
    let assay = repository();
    request(&assay, &["--expires-at", "2026-01-02T00:00:00Z"]);
    let said = approve(&assay, "lead");
    assert!(said.starts_with("exit 1") && said.contains("it expired at"), "{said}");
    name_approver(&assay, "lead");
    sign(&assay, "lead", ASSAY_APPROVAL_V1);
    assert!(checked(&assay).contains("it expired at") && !admitted(&assay));
}
