//! Keys survive their files, and other tools' files are read.

use proptest::prelude::*;

use super::*;

const FAST: [KeyAlgorithm; 5] = [
    KeyAlgorithm::EcdsaP256,
    KeyAlgorithm::EcdsaP384,
    KeyAlgorithm::EcdsaP521,
    KeyAlgorithm::Ed25519,
    KeyAlgorithm::Rsa2048,
];

fn password(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn data(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/data/keys/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn keys_survive_their_pem_and_sign() {
    for algorithm in FAST {
        let key = PrivateKey::generate(algorithm).unwrap();
        let again = PrivateKey::from_pem(key.private_key_pem().unwrap().expose()).unwrap();
        assert_eq!(again.algorithm(), algorithm);
        assert_eq!(again.fingerprint().unwrap(), key.fingerprint().unwrap());
        let public = PublicKey::from_pem(&key.public_key_pem().unwrap()).unwrap();
        for scheme in [Some(algorithm.scheme()), algorithm.notation_scheme()].into_iter().flatten() {
            let signature = again.sign_with(scheme, b"message").unwrap();
            assert!(public.verifies(scheme, b"message", &signature), "{algorithm}");
            assert!(!public.verifies(scheme, b"another", &signature), "{algorithm}");
        }
        let foreign = if algorithm == KeyAlgorithm::Ed25519 { KeyAlgorithm::EcdsaP256 } else { KeyAlgorithm::Ed25519 };
        assert!(key.sign_with(foreign.scheme(), b"message").is_err());
    }
}

#[test]
fn cosigns_encrypted_form_is_read_and_written() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let text = key.encrypted_pem(&password("correct horse")).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    let open = |word: &str| PrivateKey::from_pem_with(&text, || Ok(password(word)));
    assert_eq!(open("correct horse").unwrap().public_key(), key.public_key());
    assert!(matches!(open("wrong"), Err(SignError::PasswordWrong)));
    assert!(matches!(open(""), Err(SignError::PasswordWrong)));
    assert!(matches!(PrivateKey::from_pem(&text), Err(SignError::KeyEncrypted { .. })));
}

#[test]
fn keys_that_other_tools_wrote_are_read() {
    for (name, word, algorithm) in [
        ("ecdsa_encrypted_private.key", "123", KeyAlgorithm::EcdsaP256),
        ("ed25519_encrypted_private.key", "123", KeyAlgorithm::Ed25519),
        ("cosign_generated_encrypted_empty_private.key", "", KeyAlgorithm::EcdsaP256),
    ] {
        let key = PrivateKey::from_pem_with(&data(name), || Ok(password(word))).unwrap();
        assert_eq!(key.algorithm(), algorithm, "{name}");
        let wrong = PrivateKey::from_pem_with(&data(name), || Ok(password("wrong"))).unwrap_err();
        assert!(matches!(wrong, SignError::PasswordWrong), "{name}");
    }
    for (name, algorithm) in [
        ("openssl_ec_sec1.key", KeyAlgorithm::EcdsaP384),
        ("openssl_rsa_pkcs1.key", KeyAlgorithm::Rsa2048),
        ("openssl_rsa_pkcs8.key", KeyAlgorithm::Rsa3072),
    ] {
        let key = PrivateKey::from_pem(&data(name)).unwrap();
        assert_eq!(key.algorithm(), algorithm, "{name}");
        let again = PrivateKey::from_pem(key.private_key_pem().unwrap().expose()).unwrap();
        assert_eq!(again.public_key(), key.public_key(), "{name}");
    }
    assert!(PrivateKey::from_pem(&data("openssl_rsa_1024.key")).is_err());
}

/// Every field of the encrypted form counts.
#[test]
fn a_changed_field_of_an_encrypted_key_is_refused() {
    let (_, sealed) =
        decode_vec(data("ecdsa_encrypted_private.key").as_bytes()).map(|(l, d)| (l.to_owned(), d)).unwrap();
    let valid: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
    assert!(cosign::open(&sealed, &password("123")).is_ok());
    let mutations: [(&str, serde_json::Value); 14] = [
        ("/kdf/name", "pbkdf2".into()),
        ("/kdf/params/N", 65536.into()),
        ("/kdf/params/N", 3.into()),
        ("/kdf/params/N", 0.into()),
        ("/kdf/params/N", (1_u64 << 40).into()),
        ("/kdf/params/r", 1.into()),
        ("/kdf/params/r", 0.into()),
        ("/kdf/params/r", u32::MAX.into()),
        ("/kdf/params/p", 1000.into()),
        ("/kdf/salt", "AAAA".into()),
        ("/cipher/name", "aes-gcm".into()),
        ("/cipher/nonce", "AAAA".into()),
        ("/ciphertext", "".into()),
        ("/ciphertext", "*".into()),
    ];
    for (field, value) in mutations {
        let mut changed = valid.clone();
        *changed.pointer_mut(field).unwrap() = value;
        let error = cosign::open(changed.to_string().as_bytes(), &password("123")).unwrap_err();
        assert!(matches!(error, SignError::Key { .. } | SignError::PasswordWrong), "{field}: {error}");
    }
    for field in ["kdf", "cipher", "ciphertext"] {
        let mut changed = valid.clone();
        changed.as_object_mut().unwrap().remove(field);
        let error = cosign::open(changed.to_string().as_bytes(), &password("123")).unwrap_err();
        assert!(matches!(error, SignError::Key { .. }), "{field}: {error}");
    }
}

#[test]
fn the_private_key_does_not_print() {
    let key = PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey(Ed25519)");
    assert!(!format!("{:?}", key.private_key_pem().unwrap()).contains("BEGIN"));
}

#[test]
fn other_keys_are_refused_with_their_reason() {
    let encrypted = encode_string("ENCRYPTED PRIVATE KEY", LineEnding::LF, b"x").unwrap();
    let unused = || -> Result<Secret<String>, SignError> { panic!("the password is not needed") };
    assert!(matches!(PrivateKey::from_pem_with(&encrypted, unused), Err(SignError::KeyEncrypted { .. })));
    let public = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().public_key_pem().unwrap();
    let long = "x".repeat(PEM_MAX + 1);
    for text in ["", "key", &public, &long, &encode_string("PRIVATE KEY", LineEnding::LF, b"x").unwrap()] {
        assert!(matches!(PrivateKey::from_pem(text), Err(SignError::Key { .. })));
    }
}

proptest! {
    #[test]
    fn no_text_makes_reading_a_key_panic(text in ".{0,200}", label in "[A-Z ]{0,20}PRIVATE KEY") {
        let _ = PrivateKey::from_pem(&text);
        let _ = PrivateKey::from_pem(&format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n"));
        let _ = PublicKey::from_der(text.as_bytes());
    }
}
