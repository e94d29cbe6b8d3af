//! A PKCS#11 token: SoftHSM, a module that somebody else wrote.

use std::path::Path;
use std::process::Command;

use assay_sign::{Environment, KeyAlgorithm, KeyServiceError, PrivateKey, SignatureScheme};

use super::{open, service_error, sign_and_verify};

const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];

fn run(folder: &Path, arguments: &[&str]) {
    let output = Command::new("softhsm2-util")
        .args(arguments)
        .env("SOFTHSM2_CONF", folder.join("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// SoftHSM reads the name of its configuration from the process's environment. This is the one test that loads the module,
/// and it runs itself again as a child process whose environment it sets.
#[test]
fn a_key_on_a_token_signs_what_verifies() {
    let Some(module) = MODULES.into_iter().find(|path| Path::new(path).exists()) else {
        use std::io::Write as _;
        std::io::stderr().write_all(b"skipped: softhsm2 not present\n").unwrap();
        return;
    };
    if std::env::var_os("SOFTHSM2_CONF").is_some() && std::env::var_os("ASSAY_TEST_PKCS11").is_some() {
        let folder = std::env::var("ASSAY_TEST_PKCS11").unwrap();
        return tokio::runtime::Runtime::new().unwrap().block_on(on_the_token(module, Path::new(&folder)));
    }
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    std::fs::write(folder.path().join("softhsm2.conf"), format!("directories.tokendir = {}\n", tokens.display()))
        .unwrap();
    run(folder.path(), &["--init-token", "--free", "--label", "release", "--pin", "1234", "--so-pin", "5678"]);
    for (label, id, algorithm) in [
        ("p256", "01", KeyAlgorithm::EcdsaP256),
        ("p384", "02", KeyAlgorithm::EcdsaP384),
        ("rsa", "03", KeyAlgorithm::Rsa2048),
    ] {
        let path = folder.path().join(label);
        let key = PrivateKey::generate(algorithm).unwrap();
        std::fs::write(&path, key.private_key_pem().unwrap().expose()).unwrap();
        let path = path.to_str().unwrap();
        run(folder.path(), &["--import", path, "--token", "release", "--label", label, "--id", id, "--pin", "1234"]);
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kms::pkcs11::a_key_on_a_token_signs_what_verifies", "--nocapture"])
        .env("SOFTHSM2_CONF", folder.path().join("softhsm2.conf"))
        .env("ASSAY_TEST_PKCS11", folder.path())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && out.contains("1 passed"), "{out}{err}");
}

async fn on_the_token(module: &str, folder: &Path) {
    let nothing = Environment::default();
    let pem = |label: &str| std::fs::read_to_string(folder.join(label)).unwrap();
    for label in ["p256", "p384", "rsa"] {
        let key = PrivateKey::from_pem(&pem(label)).unwrap();
        let uri = format!("pkcs11:token=release;object={label}?module-path={module}&pin-value=1234");
        sign_and_verify(open(&uri, &nothing).await.unwrap(), &key).await;
    }
    // Every way to say the same, and every scheme of the RSA key.
    let pin = folder.join("pin");
    std::fs::write(&pin, "1234\n").unwrap();
    let variables = Environment::default().with("COSIGN_PKCS11_MODULE_PATH", module).with("COSIGN_PKCS11_PIN", "1234");
    let key = open("pkcs11:token=release;id=%03", &variables).await.unwrap();
    let from_file = format!("pkcs11:object=rsa?module-path={module}&pin-source=file:{}", pin.display());
    assert_eq!(open(&from_file, &nothing).await.unwrap().fingerprint(), key.fingerprint());
    for scheme in [SignatureScheme::RsaPkcs1Sha256, SignatureScheme::RsaPssSha256, SignatureScheme::RsaPssSha512] {
        key.sign(scheme, b"message").await.unwrap();
    }
    assert!(key.sign(SignatureScheme::EcdsaP256Sha256, b"message").await.is_err());

    for (uri, reason) in [
        ("pkcs11:token=another;object=rsa", "no token"),
        ("pkcs11:token=release;object=another", "no"),
        ("pkcs11:token=release;object=rsa;id=%01", "no"),
    ] {
        let error = service_error(open(uri, &variables).await.unwrap_err());
        assert!(matches!(&error, KeyServiceError::Reference { .. }) && error.to_string().contains(reason), "{error}");
    }
}
