//! cosign's encrypted private keys: PKCS#8 in a NaCl secretbox whose key scrypt derives from a password
//! (secure-systems-lab/go-securesystemslib, `encrypted`; sigstore/cosign, `pkg/cosign/keys.go`).

use assay_model::Secret;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead as _;
use crypto_secretbox::{KeyInit as _, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};

use crate::SignError;

/// The PEM label that is written.
pub(super) const LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// The PEM labels that are read: the second is of cosign before version 2.
pub(super) const LABELS: [&str; 2] = [LABEL, "ENCRYPTED COSIGN PRIVATE KEY"];
/// What cosign writes: 64 MiB and about a tenth of a second.
const WRITTEN: Parameters = Parameters { cost: 65_536, block_size: 8, parallelism: 1 };
/// Most memory a key file may ask for. The largest cost that cosign ever wrote needs 128 MiB.
const MEMORY_MAX: u64 = 256 << 20;
/// Most runs one after the other that a key file may ask for.
const PARALLELISM_MAX: u32 = 4;

#[derive(Serialize, Deserialize)]
struct Sealed {
    kdf: Derivation,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Derivation {
    name: String,
    params: Parameters,
    salt: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Parameters {
    #[serde(rename = "N")]
    cost: u64,
    #[serde(rename = "r")]
    block_size: u32,
    #[serde(rename = "p")]
    parallelism: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

const DERIVATION: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";

/// The PKCS#8 DER in `sealed`, the content of the PEM block.
pub(super) fn open(sealed: &[u8], password: &Secret<String>) -> Result<Secret<Vec<u8>>, SignError> {
    let refuse = |reason: String| SignError::Key { reason };
    let sealed: Sealed = serde_json::from_slice(sealed)
        .map_err(|error| refuse(format!("its encrypted part is not what cosign writes: {error}")))?;
    if sealed.kdf.name != DERIVATION || sealed.cipher.name != CIPHER {
        let (derivation, cipher) = (&sealed.kdf.name, &sealed.cipher.name);
        return Err(refuse(format!("it is sealed with {derivation} and {cipher}, not {DERIVATION} and {CIPHER}")));
    }
    let decode = |what: &str, text: &str| {
        STANDARD.decode(text).map_err(|_| SignError::Key { reason: format!("its {what} is not base64") })
    };
    let salt = decode("salt", &sealed.kdf.salt)?;
    let nonce: [u8; 24] = decode("nonce", &sealed.cipher.nonce)?
        .try_into()
        .map_err(|_| refuse("its nonce does not have 24 bytes".to_owned()))?;
    let ciphertext = decode("ciphertext", &sealed.ciphertext)?;
    let key = derive(password, &salt, sealed.kdf.params)?;
    XSalsa20Poly1305::new(&key.into())
        .decrypt(&nonce.into(), ciphertext.as_slice())
        .map(Secret::new)
        .map_err(|_| SignError::PasswordWrong)
}

/// The content of a PEM block that holds `pkcs8` under `password`.
pub(super) fn seal(pkcs8: &[u8], password: &Secret<String>) -> Result<Vec<u8>, SignError> {
    let failed = || SignError::Crypto { what: "encrypt a key" };
    let (mut salt, mut nonce) = ([0; 32], [0; 24]);
    let random = SystemRandom::new();
    random.fill(&mut salt).and_then(|()| random.fill(&mut nonce)).map_err(|_| failed())?;
    let key = derive(password, &salt, WRITTEN)?;
    let ciphertext = XSalsa20Poly1305::new(&key.into()).encrypt(&nonce.into(), pkcs8).map_err(|_| failed())?;
    let sealed = Sealed {
        kdf: Derivation { name: DERIVATION.to_owned(), params: WRITTEN, salt: STANDARD.encode(salt) },
        cipher: Cipher { name: CIPHER.to_owned(), nonce: STANDARD.encode(nonce) },
        ciphertext: STANDARD.encode(ciphertext),
    };
    serde_json::to_vec(&sealed).map_err(|error| SignError::Encode { reason: error.to_string() })
}

fn derive(password: &Secret<String>, salt: &[u8], parameters: Parameters) -> Result<[u8; 32], SignError> {
    let refuse = |reason: &str| SignError::Key { reason: reason.to_owned() };
    let Parameters { cost, block_size, parallelism } = parameters;
    if cost < 2 || !cost.is_power_of_two() || block_size == 0 || parallelism == 0 {
        return Err(refuse("its scrypt parameters are none"));
    }
    let memory = cost.checked_mul(u64::from(block_size)).and_then(|blocks| blocks.checked_mul(128));
    if memory.is_none_or(|memory| memory > MEMORY_MAX) || parallelism > PARALLELISM_MAX {
        return Err(refuse("its scrypt parameters ask for more than 256 MiB or four runs"));
    }
    let exponent = u8::try_from(cost.ilog2()).map_err(|_| refuse("its scrypt parameters are none"))?;
    let parameters = scrypt::Params::new(exponent, block_size, parallelism, 32)
        .map_err(|_| refuse("its scrypt parameters are none"))?;
    let mut key = [0; 32];
    scrypt::scrypt(password.expose().as_bytes(), salt, &parameters, &mut key)
        .map_err(|_| SignError::Crypto { what: "derive a key" })?;
    Ok(key)
}
