//! Keys behind a PKCS#11 module: a hardware token, an HSM, SoftHSM (OASIS PKCS #11 Specification 3.1).
//!
//! The module is a shared library that the process loads; whoever names one runs its code. A path is therefore taken
//! from the URI or from `COSIGN_PKCS11_MODULE_PATH` only, and must be absolute.

mod uri;

use std::sync::{Mutex, PoisonError};

use assay_model::Secret;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::MechanismType;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use der::Decode as _;
use der::asn1::{ObjectIdentifier, OctetStringRef};

use self::uri::Pkcs11Uri;
use super::{KeyService, KeyServiceError, input};
use crate::SignError;
use crate::environment::{Environment, read_file};
use crate::key::{Hash, KeyAlgorithm, PublicKey, SignatureScheme, ecdsa};

const SERVICE: KeyService = KeyService::Pkcs11;

/// DigestInfo of SHA-256 up to the digest (RFC 8017, section 9.2, note 1).
const SHA256_DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// A key behind a module, in a session that is logged in.
pub(crate) struct Pkcs11Key {
    // Before the library: a session ends before its module is unloaded.
    session: Mutex<Session>,
    key: ObjectHandle,
    _module: Pkcs11,
}

impl std::fmt::Debug for Pkcs11Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pkcs11Key").finish_non_exhaustive()
    }
}

fn reference(reason: impl Into<String>) -> KeyServiceError {
    KeyServiceError::Reference { service: SERVICE, reason: reason.into() }
}

fn failure(error: cryptoki::error::Error) -> KeyServiceError {
    match error {
        cryptoki::error::Error::Pkcs11(value, function) => {
            KeyServiceError::Module { function: function.to_string(), value: value.to_string() }
        }
        other => KeyServiceError::Unreachable { service: SERVICE, reason: other.to_string() },
    }
}

/// Opens a `pkcs11:` URI (RFC 7512). `COSIGN_PKCS11_MODULE_PATH` and `COSIGN_PKCS11_PIN` fill in what it leaves out.
pub(crate) fn open(text: &str, environment: &Environment) -> Result<(Pkcs11Key, PublicKey), SignError> {
    let uri = Pkcs11Uri::parse(text).map_err(reference)?;
    let path = uri.module_path.as_deref().or_else(|| environment.get("COSIGN_PKCS11_MODULE_PATH"));
    let path = path.ok_or_else(|| reference("which module? give module-path, or set COSIGN_PKCS11_MODULE_PATH"))?;
    if !path.starts_with('/') {
        return Err(reference("module-path is not absolute").into());
    }
    if uri.object.is_none() && uri.id.is_none() {
        return Err(reference("which key? give object or id").into());
    }
    let pin = pin(&uri, environment)?;
    let module = Pkcs11::new(path).map_err(failure)?;
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(cryptoki::error::Error::Pkcs11(cryptoki::error::RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(failure(error).into()),
    }
    let session = module.open_ro_session(slot(&module, &uri)?).map_err(failure)?;
    if let Some(pin) = pin {
        match session.login(UserType::User, Some(&AuthPin::new(pin.expose().clone().into()))) {
            Ok(()) | Err(cryptoki::error::Error::Pkcs11(cryptoki::error::RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => return Err(failure(error).into()),
        }
    }
    let find = |class: ObjectClass| -> Result<ObjectHandle, KeyServiceError> {
        let mut template = vec![Attribute::Class(class)];
        template.extend(uri.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
        template.extend(uri.id.iter().map(|id| Attribute::Id(id.clone())));
        match session.find_objects(&template).map_err(failure)?.as_slice() {
            [one] => Ok(*one),
            [] => Err(reference(format!("there is no {class} of this name"))),
            _ => Err(reference(format!("there is more than one {class} of this name: add id"))),
        }
    };
    let key = find(ObjectClass::PRIVATE_KEY)?;
    let public = public_key(&session, find(ObjectClass::PUBLIC_KEY)?)?;
    Ok((Pkcs11Key { session: Mutex::new(session), key, _module: module }, public))
}

fn pin(uri: &Pkcs11Uri, environment: &Environment) -> Result<Option<Secret<String>>, KeyServiceError> {
    if let Some(pin) = &uri.pin_value {
        return Ok(Some(pin.clone()));
    }
    if let Some(source) = &uri.pin_source {
        let path = source.strip_prefix("file:").unwrap_or(source);
        let path = path.strip_prefix("//").unwrap_or(path);
        let text =
            read_file(path.as_ref()).map_err(|reason| KeyServiceError::Credentials { service: SERVICE, reason })?;
        return Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())));
    }
    Ok(environment.secret("COSIGN_PKCS11_PIN"))
}

/// The slot of the one token that the URI describes.
fn slot(module: &Pkcs11, uri: &Pkcs11Uri) -> Result<Slot, KeyServiceError> {
    let mut fitting = Vec::new();
    for slot in module.get_slots_with_token().map_err(failure)? {
        let token = module.get_token_info(slot).map_err(failure)?;
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        if token.token_initialized()
            && uri.slot_id.is_none_or(|id| id == slot.id())
            && is(&uri.token, token.label())
            && is(&uri.serial, token.serial_number())
            && is(&uri.manufacturer, token.manufacturer_id())
            && is(&uri.model, token.model())
        {
            fitting.push(slot);
        }
    }
    match fitting.as_slice() {
        [one] => Ok(*one),
        [] => Err(reference("no token fits the URI")),
        _ => Err(reference("more than one token fits the URI: add token or serial")),
    }
}

fn public_key(session: &Session, object: ObjectHandle) -> Result<PublicKey, SignError> {
    let unreadable =
        |reason: &str| KeyServiceError::Answer { service: SERVICE, reason: format!("the public key: {reason}") };
    let wanted =
        [AttributeType::EcParams, AttributeType::EcPoint, AttributeType::Modulus, AttributeType::PublicExponent];
    let (mut parameters, mut point, mut modulus, mut exponent) = (None, None, None, None);
    for attribute in session.get_attributes(object, &wanted).map_err(failure)? {
        match attribute {
            Attribute::EcParams(bytes) => parameters = Some(bytes),
            Attribute::EcPoint(bytes) => point = Some(bytes),
            Attribute::Modulus(bytes) => modulus = Some(bytes),
            Attribute::PublicExponent(bytes) => exponent = Some(bytes),
            _ => {}
        }
    }
    match (parameters, point, modulus, exponent) {
        (Some(parameters), Some(point), ..) if !point.is_empty() => {
            let curve = ObjectIdentifier::from_der(&parameters).map_err(|_| unreadable("its curve is not named"))?;
            let algorithm = match curve {
                const_oid::db::rfc5912::SECP_256_R_1 => KeyAlgorithm::EcdsaP256,
                const_oid::db::rfc5912::SECP_384_R_1 => KeyAlgorithm::EcdsaP384,
                const_oid::db::rfc5912::SECP_521_R_1 => KeyAlgorithm::EcdsaP521,
                other => {
                    return Err(
                        KeyServiceError::Algorithm { service: SERVICE, reason: format!("curve {other}") }.into()
                    );
                }
            };
            // The point is wrapped in an octet string; some modules forget that.
            let point = OctetStringRef::from_der(&point).map_or(point.as_slice(), |wrapped| wrapped.as_bytes());
            PublicKey::from_point(algorithm, point)
        }
        (.., Some(modulus), Some(exponent)) if !modulus.is_empty() => PublicKey::from_rsa(&modulus, &exponent),
        _ => Err(unreadable("it is neither ECDSA nor RSA").into()),
    }
}

impl Pkcs11Key {
    /// Blocks while the module works.
    pub(crate) fn sign(
        &self,
        algorithm: KeyAlgorithm,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Result<Vec<u8>, KeyServiceError> {
        let (hash, mut input) = input(scheme, message);
        let mechanism = match scheme {
            SignatureScheme::EcdsaP256Sha256 | SignatureScheme::EcdsaP384Sha384 | SignatureScheme::EcdsaP521Sha512 => {
                Mechanism::Ecdsa
            }
            SignatureScheme::RsaPkcs1Sha256 => {
                input.splice(0..0, SHA256_DIGEST_INFO);
                Mechanism::RsaPkcs
            }
            SignatureScheme::RsaPssSha256 | SignatureScheme::RsaPssSha384 | SignatureScheme::RsaPssSha512 => {
                let (hash_alg, mgf) = match hash {
                    Some(Hash::Sha384) => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
                    Some(Hash::Sha512) => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
                    _ => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
                };
                let salt = u32::try_from(input.len()).unwrap_or(u32::MAX);
                Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len: u64::from(salt).into() })
            }
            SignatureScheme::Ed25519 => {
                let reason = "Ed25519 is not signed with".to_owned();
                return Err(KeyServiceError::Algorithm { service: SERVICE, reason });
            }
        };
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = session.sign(&mechanism, self.key, &input).map_err(failure)?;
        match algorithm.coordinate() {
            Some(width) => ecdsa::to_asn1(&signature, width).ok_or_else(|| KeyServiceError::Answer {
                service: SERVICE,
                reason: format!("a signature of {} bytes", signature.len()),
            }),
            None => Ok(signature),
        }
    }
}
