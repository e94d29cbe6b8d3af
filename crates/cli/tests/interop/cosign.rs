//! cosign: bundles that refer to an image, the older tags beside it, attestations, files, with a key and without.

use std::sync::Arc;

use crate::home::Home;
use crate::peer::installed;
use crate::registry::Place;

const PEERS: [&str; 3] = ["cosign", "oras", "registry"];
/// Sigstore bundles (sigstore/cosign, specs/BUNDLE_SPEC.md).
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Where cosign keeps what it signs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// A bundle that refers to the image.
    Bundle,
    /// The tags `sha256-HEX.sig` and `sha256-HEX.att`.
    Tags,
}

impl Form {
    /// Of cosign's commands that sign: no service is asked.
    fn signing(self) -> &'static [&'static str] {
        match self {
            Self::Bundle => &["--signing-config", "none.json", "--trusted-root", "empty.json"],
            Self::Tags => &["--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false"],
        }
    }

    /// Of cosign's commands that verify: a key's signature has no log entry.
    fn verifying(self) -> &'static [&'static str] {
        match self {
            Self::Bundle => &["--insecure-ignore-tlog=true", "--trusted-root", "empty.json"],
            Self::Tags => &["--insecure-ignore-tlog=true", "--new-bundle-format=false"],
        }
    }
}

/// A home with the keys of two people, and nothing to sign with but these.
fn home(place: &Place) -> Home {
    let home = Home::new(place.logs());
    for name in ["release", "other"] {
        home.peer("cosign", &["generate-key-pair", "--output-key-prefix", name]).ok();
    }
    home.peer("cosign", &["signing-config", "create", "--out", "none.json"]).ok();
    home.peer("cosign", &["trusted-root", "create", "--out", "empty.json"]).ok();
    home
}

pub(crate) fn places() -> [Arc<Place>; 2] {
    [Place::sandbox(), Place::distribution()]
}

fn verify(home: &Home, key: &str, more: &[&str], image: &str) -> crate::home::Answer {
    home.assay(&[&["verify", "--key", key, "-o", "json"], more, &[image]].concat())
}

/// The tag that cosign keeps something of an image under.
fn tag(image: &str, suffix: &str) -> String {
    let (repository, digest) = image.split_once('@').unwrap();
    format!("{repository}:{}.{suffix}", digest.replace(':', "-"))
}

/// Makes what was signed about one image appear beside another, as anybody can who may push.
pub(crate) fn hang_beside(home: &Home, artifact_type: &str, file: &str, victim: &str) {
    let layer = format!("{file}:{artifact_type}");
    home.peer("oras", &["attach", "--plain-http", "--artifact-type", artifact_type, victim, &layer]).ok();
}

/// The same for what is under a tag.
fn tag_beside(home: &Home, signed: &str, suffix: &str, victim: &str) {
    let victim = tag(victim, suffix);
    let (_, name) = victim.rsplit_once(':').unwrap();
    home.peer("oras", &["tag", "--plain-http", &tag(signed, suffix), name]).ok();
}

fn cosign_signs_with_a_key(form: Form) {
    for place in places() {
        let home = home(&place);
        let [image, unsigned, victim] = ["signed", "unsigned", "victim"].map(|name| place.push(&home, "keyed", name));
        let bundle: &[&str] = if form == Form::Bundle { &["--bundle", "signed.json"] } else { &[] };
        home.peer("cosign", &[&["sign", "--key", "release.key"], form.signing(), bundle, &[image.as_str()]].concat())
            .ok();
        match form {
            Form::Bundle => hang_beside(&home, BUNDLE, "signed.json", &victim),
            Form::Tags => tag_beside(&home, &image, "sig", &victim),
        }

        let theirs = |key: &str, image: &str| {
            home.peer("cosign", &[&["verify", "--key", key], form.verifying(), &[image]].concat())
        };
        theirs("release.pub", &image).ok();
        verify(&home, "release.pub", &[], &image).ok();
        theirs("other.pub", &image).denied("");
        verify(&home, "other.pub", &[], &image).denied("key-unknown");
        theirs("release.pub", &unsigned).denied("no ");
        verify(&home, "release.pub", &[], &unsigned).denied("\"verified\": false");
        theirs("release.pub", &victim).denied("");
        verify(&home, "release.pub", &[], &victim).denied("evidence-wrong-digest");
    }
}

#[test]
fn cosign_signs_with_a_key_and_assay_verifies_the_bundle() {
    if installed(&PEERS) {
        cosign_signs_with_a_key(Form::Bundle);
    }
}

#[test]
fn cosign_signs_with_a_key_and_assay_verifies_the_tag() {
    if installed(&PEERS) {
        cosign_signs_with_a_key(Form::Tags);
    }
}

/// Short word, predicate.
fn predicates(home: &Home, image: &str) -> [(&'static str, &'static str); 3] {
    let provenance = serde_json::json!({
        "buildDefinition": {
            "buildType": "https://example.com/build/v1",
            "externalParameters": {"source": "https://example.com/team/app"},
        },
        "runDetails": {"builder": {"id": "https://example.com/builder"}},
    });
    let scan = serde_json::json!({
        "invocation": {"parameters": [], "uri": "", "event_id": "", "builder.id": ""},
        "scanner": {"uri": "pkg:generic/scanner@1", "version": "1", "db": {"uri": "", "version": "1"}, "result": {}},
        "metadata": {"scanStartedOn": "2026-11-01T00:00:00Z", "scanFinishedOn": "2026-11-01T00:00:01Z"},
    });
    home.file("provenance.json", provenance.to_string());
    home.file("vuln.json", scan.to_string());
    let sbom = home.assay(&["sbom", image]).ok();
    home.file("sbom.json", sbom);
    [("slsaprovenance1", "provenance.json"), ("cyclonedx", "sbom.json"), ("vuln", "vuln.json")]
}

fn cosign_attests_with_a_key(form: Form) {
    for place in places() {
        let home = home(&place);
        let [image, victim] = ["attested", "victim"].map(|name| place.push(&home, "attested", name));
        let predicates = predicates(&home, &image);
        for (kind, file) in predicates {
            let attest = ["attest", "--key", "release.key", "--type", kind, "--predicate", file];
            let bundle: &[&str] = if form == Form::Bundle { &["--bundle", "signed.json"] } else { &[] };
            home.peer("cosign", &[&attest, form.signing(), bundle, &[image.as_str()]].concat()).ok();
        }
        match form {
            Form::Bundle => hang_beside(&home, BUNDLE, "signed.json", &victim),
            Form::Tags => tag_beside(&home, &image, "att", &victim),
        }
        let theirs = |key: &str, kind: &str, image: &str| {
            let verify = ["verify-attestation", "--key", key, "--type", kind];
            home.peer("cosign", &[&verify, form.verifying(), &[image]].concat())
        };
        for (kind, _) in predicates {
            theirs("release.pub", kind, &image).ok();
            verify(&home, "release.pub", &["--type", kind], &image).ok();
            theirs("other.pub", kind, &image).denied("");
            verify(&home, "other.pub", &["--type", kind], &image).denied("key-unknown");
        }
        // Of another type, about another image, and no signature where one is asked for (CVE-2022-35929).
        theirs("release.pub", "spdx", &image).denied("");
        verify(&home, "release.pub", &["--type", "spdx"], &image).denied("kind-mismatch");
        theirs("release.pub", "vuln", &victim).denied("");
        verify(&home, "release.pub", &["--type", "vuln"], &victim).denied("evidence-wrong-digest");
        verify(&home, "release.pub", &[], &image).denied("kind-mismatch");
    }
}

#[test]
fn cosign_attests_with_a_key_and_assay_verifies_the_bundles() {
    if installed(&PEERS) {
        cosign_attests_with_a_key(Form::Bundle);
    }
}

#[test]
fn cosign_attests_with_a_key_and_assay_verifies_the_tag() {
    if installed(&PEERS) {
        cosign_attests_with_a_key(Form::Tags);
    }
}

#[test]
fn each_signs_a_file_and_the_other_verifies_its_bundle() {
    if !installed(&PEERS) {
        return;
    }
    let place = Place::sandbox();
    let home = home(&place);
    home.file("release.txt", "what is released");
    home.file("changed.txt", "what is released, and more");
    let sign = ["sign-blob", "--key", "release.key", "--bundle", "file.json", "release.txt"];
    home.peer("cosign", &[&sign[..], Form::Bundle.signing()].concat()).ok();
    home.assay(&["sign", "--key", "release.key", "--bundle", "ours.json", "release.txt"]).ok();
    for bundle in ["file.json", "ours.json"] {
        let theirs = |key: &str, file: &str| {
            let verify = ["verify-blob", "--key", key, "--bundle", bundle, file];
            home.peer("cosign", &[&verify[..], Form::Bundle.verifying()].concat())
        };
        let ours = |key: &str, file: &str| verify(&home, key, &["--bundle", bundle], file);
        theirs("release.pub", "release.txt").ok();
        ours("release.pub", "release.txt").ok();
        theirs("other.pub", "release.txt").denied("");
        ours("other.pub", "release.txt").denied("key-unknown");
        theirs("release.pub", "changed.txt").denied("");
        ours("release.pub", "changed.txt").denied("\"verified\": false");
    }
}

/// What Assay signs, in both forms: verifiers that know no referrers find it under cosign's tags.
fn assay_signs_with_a_key(form: Form) {
    for place in places() {
        let home = home(&place);
        let [image, unsigned] = ["signed", "unsigned"].map(|name| place.push(&home, "ours", name));
        home.assay(&["key", "new", "--to", "ours"]).ok();
        let older: &[&str] = if form == Form::Tags { &["--legacy-sig"] } else { &[] };
        home.assay(&[&["sign", "--key", "ours.key"], older, &[&image]].concat()).ok();
        let theirs = |command: &[&str], key: &str, image: &str| {
            home.peer("cosign", &[command, &["--key", key], form.verifying(), &[image]].concat())
        };
        theirs(&["verify"], "ours.pub", &image).ok();
        theirs(&["verify"], "other.pub", &image).denied("");
        theirs(&["verify"], "ours.pub", &unsigned).denied("");
        for (kind, file) in predicates(&home, &image) {
            let attest = ["attest", "--key", "ours.key", "--type", kind, "--predicate", file];
            home.assay(&[&attest, older, &[&image]].concat()).ok();
            theirs(&["verify-attestation", "--type", kind], "ours.pub", &image).ok();
            theirs(&["verify-attestation", "--type", kind], "other.pub", &image).denied("");
        }
        theirs(&["verify-attestation", "--type", "spdx"], "ours.pub", &image).denied("");
    }
}

#[test]
fn assay_signs_with_a_key_and_cosign_verifies_the_bundles() {
    if installed(&PEERS) {
        assay_signs_with_a_key(Form::Bundle);
    }
}

#[test]
fn assay_signs_with_a_key_and_cosign_verifies_the_tags() {
    if installed(&PEERS) {
        assay_signs_with_a_key(Form::Tags);
    }
}

#[test]
fn encrypted_keys_of_each_sign_with_the_other() {
    if !installed(&PEERS) {
        return;
    }
    let place = Place::sandbox();
    let home = home(&place);
    let [ours, theirs] = ["ours", "theirs"].map(|name| place.push(&home, "encrypted", name));
    // A key that cosign encrypted, in Assay's hands; the password comes from the variable that cosign reads.
    home.assay(&["sign", "--key", "release.key", &ours]).ok();
    // A key that Assay encrypted, in cosign's.
    home.assay(&["key", "new", "--format", "cosign", "--to", "mine"]).ok();
    let encrypted = String::from_utf8(home.read("mine.key")).unwrap();
    assert!(encrypted.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"), "{encrypted}");
    home.peer("cosign", &[&["sign", "--key", "mine.key"], Form::Bundle.signing(), &[&theirs]].concat()).ok();
    for (image, key, other) in [(&ours, "release.pub", "mine.pub"), (&theirs, "mine.pub", "release.pub")] {
        let command = |key| [&["verify", "--key", key], Form::Bundle.verifying(), &[image.as_str()]].concat();
        home.peer("cosign", &command(key)).ok();
        verify(&home, key, &[], image).ok();
        home.peer("cosign", &command(other)).denied("");
        verify(&home, other, &[], image).denied("key-unknown");
    }
    let wrong = [("COSIGN_PASSWORD".to_owned(), "wrong".to_owned())];
    home.assay_with(&["sign", "--key", "release.key", &ours], &wrong).failed();
}

#[test]
fn what_is_copied_or_saved_keeps_its_signatures_in_both_forms() {
    if !installed(&PEERS) {
        return;
    }
    let [from, to] = places();
    let home = home(&from);
    for form in [Form::Bundle, Form::Tags] {
        let name = if form == Form::Bundle { "bundle" } else { "tags" };
        let image = from.push(&home, "copied", name);
        home.peer("cosign", &[&["sign", "--key", "release.key"], form.signing(), &[&image]].concat()).ok();
        let (_, digest) = image.split_once('@').unwrap();
        let copied = format!("{}/copied@{digest}", to.host());
        home.assay(&["copy", &image, &copied]).ok();
        home.peer("cosign", &[&["verify", "--key", "release.pub"], form.verifying(), &[&copied]].concat()).ok();
        verify(&home, "release.pub", &[], &copied).ok();
        let layout = format!("oci:{name}@{digest}");
        home.assay(&["copy", &image, &format!("oci:{name}:1")]).ok();
        verify(&home, "release.pub", &["--offline"], &layout).ok();
    }
    let image = from.push(&home, "saved", "saved");
    home.peer("cosign", &[&["sign", "--key", "release.key"], Form::Tags.signing(), &[&image]].concat()).ok();
    home.peer("cosign", &["save", "--dir", "saved", &image]).ok();
    verify(&home, "release.pub", &["--offline"], "oci:saved").ok();
    verify(&home, "other.pub", &["--offline"], "oci:saved").denied("key-unknown");
}
