//! `verify` with a trust policy of Notation: images and files.

use std::path::{Path, PathBuf};

use crate::assay::Assay;

fn sample(path: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trust/tests/data").join(path);
    path.display().to_string()
}

/// A home with trust stores as notation lays them out.
fn home() -> Assay {
    let assay = Assay::new();
    for name in ["e2e", "new_e2e"] {
        let certificate = std::fs::read(sample(&format!("notation-e2e/config/localkeys/{name}.crt"))).unwrap();
        assay.file(&format!("{name}/x509/ca/e2e/{name}.crt"), certificate);
    }
    assay
}

fn verify(assay: &Assay, layout: &str, policy: &str, stores: &str) -> (i32, String) {
    let image = format!("oci:{}", sample(&format!("notation-e2e/registry/oci_layout/{layout}")));
    let policy = sample(&format!("notation-e2e/config/trustpolicies/{policy}.json"));
    let output = assay.run(&["verify", &image, "--offline", "--notation-policy", &policy, "--trust-store", stores]);
    (output.status.code().unwrap(), assay.shown(&output))
}

#[test]
fn an_image_is_verified_by_a_trust_policy() {
    let assay = home();
    let (code, shown) = verify(&assay, "e2e-valid-signature", "trustpolicy", "e2e");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("CN=e2e,O=Notary,L=Seattle,ST=WA,C=US") && shown.contains("trusted as ca:e2e"), "{shown}");
    // x509 itself may be named.
    assert_eq!(verify(&assay, "e2e-valid-signature", "trustpolicy", "e2e/x509").0, 0);
    for (layout, policy, stores, cause) in [
        ("e2e-valid-signature", "trustpolicy", "new_e2e", "certificate-authority-unknown"),
        ("e2e-valid-signature", "trustpolicy", "nowhere", "trust-store-missing"),
        ("e2e-expired-signature", "trustpolicy", "e2e", "signature-expired"),
        ("e2e-valid-signature", "invalid_trusted_identity_trustpolicy", "e2e", "signer-mismatch"),
        ("e2e-valid-signature", "skip_trustpolicy", "e2e", "trust-policy-skips"),
    ] {
        let (code, shown) = verify(&assay, layout, policy, stores);
        assert!(code == 1 && shown.contains(cause), "{layout} under {policy}\n{shown}");
    }
}

#[test]
fn what_is_only_logged_is_shown() {
    let (code, shown) = verify(&home(), "e2e-expired-signature", "permissive_trustpolicy", "e2e");
    assert!(code == 0 && shown.contains("signature-expired") && shown.contains("only logs"), "{shown}");
}

#[test]
fn a_trust_policy_that_breaks_a_rule_verifies_nothing() {
    let assay = home();
    for (policy, code) in [
        ("overlapped_trusted_identity_trustpolicy", "trust-policy-identity"),
        ("override_integrity_for_permissive_trustpolicy", "trust-policy-override"),
        ("wildcard_plus_other_registry_scope_trustpolicy", "trust-policy-scope"),
        ("unset_trust_store_trustpolicy", "trust-policy-trust"),
    ] {
        let (status, shown) = verify(&assay, "e2e-valid-signature", policy, "e2e");
        assert!(status == 2 && shown.contains(code), "{policy}\n{shown}");
    }
}

#[cfg(unix)]
#[test]
fn trust_stores_have_no_links_and_no_folders() {
    let assay = home();
    std::fs::create_dir_all(assay.path().join("folder/x509/ca/e2e/below")).unwrap();
    std::fs::create_dir_all(assay.path().join("linked/x509/ca/e2e")).unwrap();
    let target = assay.path().join("e2e/x509/ca/e2e/e2e.crt");
    std::os::unix::fs::symlink(target, assay.path().join("linked/x509/ca/e2e/e2e.crt")).unwrap();
    std::fs::create_dir_all(assay.path().join("store-linked/x509/ca")).unwrap();
    std::os::unix::fs::symlink(assay.path().join("e2e/x509/ca/e2e"), assay.path().join("store-linked/x509/ca/e2e"))
        .unwrap();
    for stores in ["folder", "linked", "store-linked"] {
        let (status, shown) = verify(&assay, "e2e-valid-signature", "trustpolicy", stores);
        assert!(status == 2 && shown.contains("without links and folders"), "{stores}\n{shown}");
    }
}

#[test]
fn a_file_is_verified_with_the_signature_beside_it() {
    let assay = home();
    let policy = r#"{"version": "1.0", "trustPolicies": [
        {"name": "ours", "globalPolicy": true, "signatureVerification": {"level": "strict"},
         "trustStores": ["ca:e2e"], "trustedIdentities": ["*"]},
        {"name": "none", "signatureVerification": {"level": "skip"}}]}"#;
    assay.file("blob.json", policy);
    assay.file("file.txt", "words");
    // A signature of something else, and something that is none.
    let signature = sample("notation-go/internal/testdata/jws_signature.sig");
    assay.file("broken.sig", "none");
    let run = |more: &[&str]| {
        let fixed = ["verify", "file.txt", "--offline", "--notation-policy", "blob.json", "--trust-store", "e2e"];
        let output = assay.run(&[&fixed[..], more].concat());
        (output.status.code().unwrap(), assay.shown(&output))
    };
    let (code, shown) = run(&["--signature", &signature]);
    assert!(code == 1 && shown.contains("evidence-wrong-digest"), "{shown}");
    let (code, shown) = run(&["--signature", "broken.sig"]);
    assert!(code == 1 && shown.contains("notation-malformed"), "{shown}");
    let (code, shown) = run(&["--signature", &signature, "--notation-statement", "none"]);
    assert!(code == 1 && shown.contains("trust-policy-skips"), "{shown}");
    let (code, shown) = run(&["--signature", &signature, "--notation-statement", "other"]);
    assert!(code == 2 && shown.contains("a statement `other`"), "{shown}");
}
