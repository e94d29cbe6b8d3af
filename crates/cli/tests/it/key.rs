//! `key new`: a pair that signs and verifies, readable by its owner only, never over an existing file.

use std::os::unix::fs::PermissionsExt as _;

use assay_sign::PrivateKey;
use assay_trust::TrustMaterial;

use crate::assay::Assay;

#[test]
fn a_new_pair_belongs_together_and_to_its_owner() {
    for algorithm in ["ecdsa-p256", "ed25519"] {
        let assay = Assay::new();
        let output = assay.run(&["key", "new", "--to", "release", "--algorithm", algorithm]);
        assert_eq!(output.status.code(), Some(0), "{}", assay.shown(&output));
        let private = assay.path().join("release.key");
        assert_eq!(std::fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
        let key = PrivateKey::from_pem(&std::fs::read_to_string(&private).unwrap()).unwrap();
        let public = std::fs::read_to_string(assay.path().join("release.pub")).unwrap();
        assert_eq!(key.public_key_pem().unwrap(), public);
        TrustMaterial::new().with_public_key(&public).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&key.fingerprint().unwrap().to_string()), "{text}");
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    }
}

#[test]
fn an_existing_key_is_never_replaced() {
    let assay = Assay::new();
    assay.file("release.pub", "old");
    let output = assay.run(&["key", "new", "--to", "release"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!assay.path().join("release.key").exists(), "nothing is left behind");
    assert_eq!(std::fs::read(assay.path().join("release.pub")).unwrap(), b"old");
}
