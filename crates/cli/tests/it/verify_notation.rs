//! `verify` with a trust policy of Notation: images and files.

use std::path::{Path, PathBuf};

use crate::assay::Assay;
use crate::verify::Lab;

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

/// What a TrustRoot with a trust policy accepts counts for an Environment that names it and the signer.
#[test]
fn a_notation_signature_counts_where_an_environment_names_its_signer() {
    let (lab, assay) = (Lab::new(), home());
    let image = format!("{}/team/app", lab.registry.host());
    let layout = format!("oci:{}", sample("notation-e2e/registry/oci_layout/e2e-valid-signature"));
    let copied = assay.run(&["copy", &layout, &format!("{image}:1.0")]);
    assert_eq!(copied.status.code(), Some(0), "{}", assay.shown(&copied));
    let digest = lab.registry.tag("team/app", "1.0").unwrap();
    let unsigned = lab.push("team/app", "2.0", "unsigned");
    let policy = |subject: &str| {
        format!(
            "apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {{name: enterprise}}\nspec:\n  notation:\n    \
             trustPolicies:\n    - name: images\n      registryScopes: ['*']\n      signatureVerification: {{level: strict}}\n      \
             trustStores: ['ca:e2e']\n      trustedIdentities: ['*']\n    trustStores: [{{type: ca, name: e2e, files: \
             [../e2e/x509/ca/e2e/e2e.crt]}}]\n---\napiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: test}}\nspec:\n  \
             tier: dev\n  registries: ['{}/team/']\n  trustRoot: [enterprise]\n  signers:\n  - name: release\n    \
             for: [signature]\n    certificate: {{authority: 'ca:e2e', subject: '{subject}'}}\n  controls:\n    \
             require-signature: {{action: enforce}}\n    trusted-signer: {{action: enforce}}\n",
            lab.registry.host(),
        )
    };
    let pod = |image: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: api}}\nspec:\n  containers:\n  - name: api\n    image: {image}\n"
        )
    };
    assay.file("good.yaml", pod(&format!("{image}@{digest}")));
    assay.file("bad.yaml", pod(&format!("{image}@{unsigned}")));
    let check = |file: &str| assay.seen(&["check", "-f", file, "--env", "test", "--config", "policy"]);
    assay.file("policy/own.yaml", policy("CN=e2e,O=Notary,L=Seattle,ST=WA,C=US"));
    let good = check("good.yaml");
    // What is in the suite's image cannot be told; that is another matter.
    assert!(!good.contains("require-signature") && !good.contains("trusted-signer"), "{good}");
    let bad = check("bad.yaml");
    assert!(bad.starts_with("exit 1") && bad.contains("require-signature"), "{bad}");
    // Another signer of the same authority.
    assay.file("policy/own.yaml", policy("CN=other,O=Notary,L=Seattle,ST=WA,C=US"));
    let stranger = check("good.yaml");
    assert!(stranger.contains("trusted-signer"), "{stranger}");
}
