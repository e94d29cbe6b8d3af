//! Certificates instead of keys: cosign and Assay with the same Fulcio, Rekor version 2 and timestamp authority.

use assay_sandbox::sigstore::Identity;
use serde_json::Value;

use crate::cosign::{BUNDLE, hang_beside, places};
use crate::home::{Answer, Home};
use crate::peer::installed;
use crate::registry::Place;
use crate::sigstore::{self, Sigstore};

const ALICE: &str = "alice@example.com";
/// The same services for both, from the file that cosign wrote.
const SIGN: &[&str] = &["--identity-token", "token", "--signing-config", "signing.json"];
const OUR_SIGN: &[&str] = &["--identity-token", "token", "--use-signing-config", "signing.json"];

fn ready() -> bool {
    installed(&[&sigstore::PEERS[..], &["oras", "registry"]].concat())
}

/// A home that knows the instance.
fn home(instance: &Sigstore, place: &Place) -> Home {
    let home = Home::new([instance.logs(), place.logs()].concat());
    instance.introduce(&home, ALICE);
    home
}

/// What is asked of both: who must have signed, and whom else they must know.
struct Question<'a> {
    home: &'a Home,
    issuer: &'a str,
}

impl Question<'_> {
    fn flags<'b>(&'b self, identity: &'b str, root: &'b str) -> [&'b str; 6] {
        let issuer = self.issuer;
        ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer, "--trusted-root", root]
    }

    fn theirs(&self, command: &[&str], identity: &str, root: &str, artifact: &str) -> Answer {
        self.home.peer("cosign", &[command, &self.flags(identity, root), &[artifact]].concat())
    }

    fn ours(&self, more: &[&str], identity: &str, root: &str, artifact: &str) -> Answer {
        self.home.assay(&[&["verify", "-o", "json"], more, &self.flags(identity, root), &[artifact]].concat())
    }

    /// Both accept it from Alice; neither from somebody else, nor from her by an authority that is not known here.
    fn both_accept_only_alice(&self, theirs: &[&str], ours: &[&str], artifact: &str) {
        self.theirs(theirs, ALICE, "trusted.json", artifact).ok();
        self.ours(ours, ALICE, "trusted.json", artifact).ok();
        self.theirs(theirs, "mallory@example.com", "trusted.json", artifact).denied("");
        self.ours(ours, "mallory@example.com", "trusted.json", artifact).denied("signer-mismatch");
        self.theirs(theirs, ALICE, "strange.json", artifact).denied("");
        self.ours(ours, ALICE, "strange.json", artifact).denied("certificate-authority-unknown");
        let elsewhere = Question { home: self.home, issuer: "https://issuer.example.com" };
        elsewhere.theirs(theirs, ALICE, "trusted.json", artifact).denied("");
        elsewhere.ours(ours, ALICE, "trusted.json", artifact).denied("signer-mismatch");
    }

    /// Neither accepts it, and Assay says why.
    fn both_refuse(&self, theirs: &[&str], ours: &[&str], artifact: &str, because: &str) {
        self.theirs(theirs, ALICE, "trusted.json", artifact).denied("");
        self.ours(ours, ALICE, "trusted.json", artifact).denied(because);
    }
}

#[test]
fn cosign_signs_without_a_key_and_assay_verifies() {
    if !ready() {
        return;
    }
    let instance = Sigstore::shared();
    for place in places() {
        let home = home(&instance, &place);
        let [image, unsigned, victim] = ["signed", "unsigned", "victim"].map(|name| place.push(&home, "keyless", name));
        let more = ["--trusted-root", "trusted.json", "--bundle", "signed.json", &image];
        home.peer("cosign", &[&["sign"], SIGN, &more].concat()).ok();
        hang_beside(&home, BUNDLE, "signed.json", &victim);
        let question = Question { home: &home, issuer: &instance.issuer() };
        question.both_accept_only_alice(&["verify"], &[], &image);
        question.both_refuse(&["verify"], &[], &unsigned, "\"verified\": false");
        question.both_refuse(&["verify"], &[], &victim, "evidence-wrong-digest");
    }
}

#[test]
fn assay_signs_without_a_key_and_cosign_verifies() {
    if !ready() {
        return;
    }
    let instance = Sigstore::shared();
    for place in places() {
        let home = home(&instance, &place);
        let [image, unsigned] = ["signed", "unsigned"].map(|name| place.push(&home, "ours", name));
        home.assay(&[&["sign"], OUR_SIGN, &[&image]].concat()).ok();
        let question = Question { home: &home, issuer: &instance.issuer() };
        question.both_accept_only_alice(&["verify"], &[], &image);
        question.both_refuse(&["verify"], &[], &unsigned, "\"verified\": false");
    }
}

#[test]
fn each_attests_without_a_key_and_the_other_verifies() {
    if !ready() {
        return;
    }
    let instance = Sigstore::shared();
    for place in places() {
        let home = home(&instance, &place);
        let image = place.push(&home, "attested", "attested");
        home.file("predicate.json", "{\"answer\": 42}");
        let question = Question { home: &home, issuer: &instance.issuer() };
        for (signer, kind) in [("cosign", "https://example.com/cosign/v1"), ("assay", "https://example.com/assay/v1")] {
            instance.token(&home, ALICE);
            let attest = ["attest", "--type", kind, "--predicate", "predicate.json"];
            if signer == "cosign" {
                home.peer("cosign", &[&attest, SIGN, &["--trusted-root", "trusted.json", &image]].concat()).ok();
            } else {
                home.assay(&[&attest, OUR_SIGN, &[&image]].concat()).ok();
            }
            question.both_accept_only_alice(&["verify-attestation", "--type", kind], &["--type", kind], &image);
        }
        let other = "https://example.com/other/v1";
        question.both_refuse(&["verify-attestation", "--type", other], &["--type", other], &image, "kind-mismatch");
    }
}

#[test]
fn each_signs_a_file_without_a_key_and_the_other_verifies() {
    if !ready() {
        return;
    }
    let instance = Sigstore::shared();
    let home = home(&instance, &Place::sandbox());
    home.file("release.txt", "what is released");
    home.file("changed.txt", "what is released, and more");
    home.peer("cosign", &[&["sign-blob", "--bundle", "file.json"], SIGN, &["release.txt"]].concat()).ok();
    let question = Question { home: &home, issuer: &instance.issuer() };
    instance.token(&home, ALICE);
    home.assay(&[&["sign", "--bundle", "ours.json"], OUR_SIGN, &["release.txt"]].concat()).ok();
    for bundle in ["file.json", "ours.json"] {
        let (theirs, ours) = (["verify-blob", "--bundle", bundle], ["--bundle", bundle]);
        question.both_accept_only_alice(&theirs, &ours, "release.txt");
        question.both_refuse(&theirs, &ours, "changed.txt", "\"verified\": false");
    }
}

/// A trusted root in which one service is that of another instance.
fn with_a_stranger(home: &Home, part: &str) -> String {
    let read = |name: &str| -> Value { serde_json::from_slice(&home.read(name)).unwrap() };
    let (mut root, strange) = (read("trusted.json"), read("strange.json"));
    assert!(root[part].is_array() && strange[part].is_array(), "{part}");
    root[part] = strange[part].clone();
    let name = format!("{part}.json");
    home.file(&name, root.to_string());
    name
}

#[test]
fn a_certificate_a_log_and_a_timestamp_of_strangers_are_refused_by_both() {
    if !ready() {
        return;
    }
    let (instance, place) = (Sigstore::shared(), Place::sandbox());
    let home = home(&instance, &place);
    let image = place.push(&home, "strangers", "signed");
    home.peer("cosign", &[&["sign", "--trusted-root", "trusted.json"], SIGN, &[&image]].concat()).ok();
    let question = Question { home: &home, issuer: &instance.issuer() };
    question.theirs(&["verify"], ALICE, "trusted.json", &image).ok();
    for (part, because) in [
        ("certificateAuthorities", "certificate-authority-unknown"),
        ("ctlogs", "certificate-not-logged"),
        ("tlogs", "\"log-"),
        ("timestampAuthorities", "\"timestamp-"),
    ] {
        let root = with_a_stranger(&home, part);
        question.theirs(&["verify"], ALICE, &root, &image).denied("");
        question.ours(&[], ALICE, &root, &image).denied(because);
    }
}

#[test]
fn the_claims_of_a_workflow_are_asked_for_alike() {
    if !ready() {
        return;
    }
    let (instance, place) = (Sigstore::shared(), Place::sandbox());
    let home = home(&instance, &place);
    instance.workflow_token(&home, Identity::github("company/payments", "release.yml", "refs/heads/main"));
    let image = place.push(&home, "workflow", "signed");
    home.peer("cosign", &[&["sign", "--trusted-root", "trusted.json"], SIGN, &[&image]].concat()).ok();
    let issuer = instance.workflow_issuer();
    let question = Question { home: &home, issuer: &issuer };
    let workflow = "https://github.com/company/payments/.github/workflows/release.yml@refs/heads/main";
    for (claim, right, wrong) in [
        ("repository", "company/payments", "company/other"),
        ("ref", "refs/heads/main", "refs/tags/v1"),
        ("trigger", "push", "pull_request"),
        ("name", "release", "other"),
        ("sha", "4f2c1e9d8b7a6f5e4d3c2b1a0f9e8d7c6b5a4f3e", "0000000000000000000000000000000000000000"),
    ] {
        let flag = format!("--certificate-github-workflow-{claim}");
        question.theirs(&["verify", &flag, right], workflow, "trusted.json", &image).ok();
        question.ours(&[&flag, right], workflow, "trusted.json", &image).ok();
        question.theirs(&["verify", &flag, wrong], workflow, "trusted.json", &image).denied("");
        question.ours(&[&flag, wrong], workflow, "trusted.json", &image).denied("signer-mismatch");
    }
}

#[test]
fn cosign_signs_and_attests_without_a_key_under_tags_and_assay_verifies() {
    if !ready() {
        return;
    }
    let instance = Sigstore::shared();
    for place in places() {
        let home = home(&instance, &place);
        let image = place.push(&home, "tags", "signed");
        home.file("predicate.json", "{\"answer\": 42}");
        // Tags came with version 1 of the log, which is the sandbox's here.
        let log = instance.issuer();
        home.file("older.json", instance.older_root(&home));
        let fulcio = instance.fulcio_url();
        let services = [
            "--fulcio-url",
            &fulcio,
            "--rekor-url",
            &log,
            "--use-signing-config=false",
            "--trusted-root",
            "older.json",
        ];
        let sign = [&["--identity-token", "token", "--new-bundle-format=false"], &services[..]].concat();
        let kind = ["--type", "https://example.com/answer/v1"];
        home.peer("cosign", &[&["sign"], &sign[..], &[&image]].concat()).ok();
        instance.token(&home, ALICE);
        let attest = ["attest", "--predicate", "predicate.json"];
        home.peer("cosign", &[&attest[..], &kind, &sign[..], &[&image]].concat()).ok();
        let question = Question { home: &home, issuer: &instance.issuer() };
        let older = "--new-bundle-format=false";
        question.theirs(&["verify", older], ALICE, "older.json", &image).ok();
        question.ours(&[], ALICE, "older.json", &image).ok();
        question.theirs(&["verify-attestation", older, kind[0], kind[1]], ALICE, "older.json", &image).ok();
        question.ours(&kind, ALICE, "older.json", &image).ok();
        // Another person, and a root that does not know this log.
        for (identity, root, because) in
            [("mallory@example.com", "older.json", "signer-mismatch"), (ALICE, "trusted.json", "\"log-")]
        {
            question.theirs(&["verify", older], identity, root, &image).denied("");
            question.ours(&[], identity, root, &image).denied(because);
        }
    }
}
