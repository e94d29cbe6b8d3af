//! `sign`, `attest` and `key` in each of their forms, through the binary and against a registry on loopback.

use assay_model::Timestamp;
use assay_sandbox::sigstore::{Authority, Identity, Server};
use serde_json::Value;

use crate::assay::Assay;
use crate::verify::{Lab, key};

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_key_that_is_encrypted_as_cosign_does_it_signs_with_its_password() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "app");
    let image = format!("{}/team/app@{digest}", lab.registry.host());
    let new = ["key", "new", "--to", "release", "--format", "cosign", "--password-stdin"];
    let made = assay.run_with_input(&new, b"correct horse\n");
    assert!(made.status.success(), "{}", assay.shown(&made));
    let text = std::fs::read_to_string(assay.path().join("release.key")).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"));

    let sign = ["sign", &image, "--key", "release.key"];
    let without = assay.run(&sign);
    assert_eq!(without.status.code(), Some(2));
    assert!(assay.shown(&without).contains("private-key-encrypted"), "{}", assay.shown(&without));
    let wrong = assay.run_with_input(&[&sign[..], &["--password-stdin"]].concat(), b"wrong");
    assert!(assay.shown(&wrong).contains("private-key-password-wrong"), "{}", assay.shown(&wrong));
    assert!(!assay.shown(&wrong).contains("wrong\n") || wrong.status.code() == Some(2));
    for (name, code) in [("COSIGN_PASSWORD", 0), ("ASSAY_KEY_PASSWORD", 0), ("OTHER", 2)] {
        let mut command = assay.command();
        let output = command.args(sign).env(name, "correct horse").stdin(std::process::Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {}", assay.shown(&output));
    }
    assert!(assay.run(&["verify", &image, "--key", "release.pub"]).status.success());
}

#[test]
fn a_file_is_signed_with_a_key_from_the_environment() {
    let assay = Assay::new();
    key(&assay, "release");
    assay.file("artifact.tar", "a release");
    let pem = std::fs::read_to_string(assay.path().join("release.pem")).unwrap();
    let assay = assay.variable("RELEASE_KEY", &pem);
    let signed = assay.run(&["sign", "artifact.tar", "--bundle", "artifact.json", "--key", "env://RELEASE_KEY"]);
    assert!(signed.status.success(), "{}", assay.shown(&signed));
    let verify = ["verify", "--bundle", "artifact.json", "--key", "release.pub"];
    assert!(assay.run(&[&verify[..], &["artifact.tar"]].concat()).status.success());
    assay.file("artifact.tar", "another release");
    assert_eq!(assay.run(&[&verify[..], &["artifact.tar"]].concat()).status.code(), Some(1));
}

#[test]
fn a_reference_that_names_no_key_says_which_there_are() {
    let assay = Assay::new();
    assay.file("a", "a");
    for (reference, code) in [
        ("k8s://a/b", "key-reference-invalid"),
        ("env://NOTHING", "key-reference-invalid"),
        ("hashivault://release", "key-reference-invalid"),
        ("azurekms://evil.example/key", "key-reference-invalid"),
    ] {
        let output = assay.run(&["sign", "a", "--bundle", "b", "--key", reference]);
        assert_eq!(output.status.code(), Some(2));
        assert!(assay.shown(&output).contains(code), "{reference}: {}", assay.shown(&output));
    }
    assert!(!assay.path().join("b").exists());
}

#[test]
fn an_index_is_signed_with_all_that_it_lists_and_in_the_older_form_too() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let one = lab.push("team/app", "amd64", "one");
    let two = lab.push("team/app", "arm64", "two");
    let entry = |digest: &assay_model::Digest, architecture: &str| {
        let size = lab.registry.manifest("team/app", *digest).unwrap().bytes.len();
        serde_json::json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": size,
            "platform": {"os": "linux", "architecture": architecture},
        })
    };
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry(&one, "amd64"), entry(&two, "arm64")],
    });
    let index_type = "application/vnd.oci.image.index.v1+json";
    let index = lab.registry.put_manifest("team/app", Some("1.0"), index_type, index.to_string());
    key(&assay, "release");
    let host = lab.registry.host();
    let image = format!("{host}/team/app@{index}");
    let signed =
        assay.run(&["sign", &image, "--key", "release.pem", "--recursive", "--legacy-sig", "--output", "json"]);
    assert!(signed.status.success(), "{}", assay.shown(&signed));
    let signatures = json(&signed)["signatures"].as_array().unwrap().clone();
    assert_eq!(signatures.len(), 3);
    for digest in [one, two, index] {
        assert!(assay.run(&["verify", &format!("{host}/team/app@{digest}"), "--key", "release.pub"]).status.success());
        let tag = format!("sha256-{}.sig", digest.hex());
        assert!(signatures.iter().any(|signature| signature["legacyTag"] == tag.as_str()));
    }
    // Twice is not once more of the same: another signature stands beside the first.
    assert!(assay.run(&["sign", &image, "--key", "release.pem", "--legacy-sig"]).status.success());
}

#[test]
fn keyless_with_a_signing_configuration_and_with_a_ci_token() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "app");
    let image = format!("{}/team/app@{digest}", lab.registry.host());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let authority = Authority::new(Timestamp::now());
    let server = runtime.block_on(Server::start(authority.clone())).unwrap();
    assay.file("config.json", server.signing_config_json());
    assay.file("root.json", authority.trusted_root_json());
    let identity = Identity::github("company/app", "release.yml", "refs/heads/main");
    assay.file("token", authority.token_text(&identity).unwrap());
    let workflow = "https://github.com/company/app/.github/workflows/release.yml@refs/heads/main";
    let issuer = "https://token.actions.githubusercontent.com";
    let verify = [
        "verify",
        &image,
        "--trusted-root",
        "root.json",
        "--certificate-identity",
        workflow,
        "--certificate-oidc-issuer",
        issuer,
    ];
    assert_eq!(assay.run(&verify).status.code(), Some(1));
    let sign = ["sign", &image, "--use-signing-config", "config.json", "--identity-token", "token"];
    for more in [&["--output-bundle", "bundle.json"][..], &["--rekor-version", "1"], &["--tlog", "both"]] {
        let signed = assay.run(&[&sign[..], more].concat());
        assert!(signed.status.success(), "{more:?}: {}", assay.shown(&signed));
    }
    let verified = assay.run(&verify);
    assert!(verified.status.success(), "{}", assay.shown(&verified));
    let bundle: Value = serde_json::from_slice(&std::fs::read(assay.path().join("bundle.json")).unwrap()).unwrap();
    let material = &bundle["verificationMaterial"];
    assert_eq!(material["tlogEntries"][0]["kindVersion"]["version"], "0.0.2");
    assert!(material["timestampVerificationData"]["rfc3161Timestamps"][0].is_object());

    let none = assay.run(&[&sign[..], &["--tlog", "none"]].concat());
    assert!(assay.shown(&none).contains("signing-time-unproven"), "{}", assay.shown(&none));
    let logged = assay.run(&[&sign[..], &["--tlog", "rekor", "--rekor-version", "2"]].concat());
    assert!(assay.shown(&logged).contains("signing-time-unproven"), "{}", assay.shown(&logged));
    let broken = assay.run(&["sign", &image]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(assay.shown(&broken).contains("--identity-token"), "{}", assay.shown(&broken));
    // A token for somebody else is not sent at all.
    assay.file("other", authority.token_for(&identity, "another").unwrap());
    let other = assay.run(&["sign", &image, "--use-signing-config", "config.json", "--identity-token", "other"]);
    assert!(assay.shown(&other).contains("identity-token-invalid"), "{}", assay.shown(&other));
}

#[test]
fn a_notation_signature_needs_a_key_and_its_chain_and_is_attached() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "app");
    let image = format!("{}/team/app@{digest}", lab.registry.host());
    key(&assay, "release");
    let pair = rcgen::KeyPair::from_pem(&std::fs::read_to_string(assay.path().join("release.pem")).unwrap()).unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "release");
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::CodeSigning];
    parameters.not_after = rcgen::date_time_ymd(2999, 1, 1);
    assay.file("chain.pem", parameters.self_signed(&pair).unwrap().pem());
    let sign = ["sign", &image, "--format", "notation", "--key", "release.pem"];
    assert_eq!(assay.run(&sign).status.code(), Some(2), "a chain is needed");
    for envelope in ["jws", "cose"] {
        let more = ["--certificate-chain", "chain.pem", "--envelope", envelope, "--expires", "90d"];
        let signed = assay.run(&[&sign[..], &more].concat());
        assert!(signed.status.success(), "{}", assay.shown(&signed));
    }
    let tree = assay.seen(&["tree", &image]);
    assert_eq!(tree.matches("application/vnd.cncf.notary.signature").count(), 2, "{tree}");
    key(&assay, "other");
    let other = ["sign", &image, "--format", "notation", "--key", "other.pem", "--certificate-chain", "chain.pem"];
    assert!(assay.seen(&other).contains("certificate-chain-invalid"));
}
