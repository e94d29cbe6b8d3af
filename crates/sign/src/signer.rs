//! The ways to sign: with a key in memory, with a key anywhere and witnesses, or with a certificate of the moment.

use std::future::Future;

use assay_trust::{IN_TOTO_PAYLOAD_TYPE, pae};

use crate::bundle::{Envelope, Material, SignedMessage, SignerMaterial, assemble, assemble_message};
use crate::fulcio::Certificate;
use crate::key::{Hash, PublicKey, SignatureScheme};
use crate::rekor::v2::Verifier;
use crate::rekor::{self, LogEntry};
use crate::{
    IdentityToken, KeyAlgorithm, PrivateKey, Service, Services, SignError, SignedBundle, SigningKey, Statement, fulcio,
    timestamp,
};

/// Signs statements.
pub trait Signer {
    /// Signs a statement and gives it back as a bundle.
    fn sign(&self, statement: &Statement) -> impl Future<Output = Result<SignedBundle, SignError>> + Send;

    /// Signs a message itself, for example a file, and gives the signature back as a bundle.
    fn sign_message(&self, message: &[u8]) -> impl Future<Output = Result<SignedMessage, SignError>> + Send;
}

/// Signs with a private key in memory. Nothing is logged and nothing proves the time.
#[derive(Debug)]
pub struct KeySigner(PrivateKey);

impl KeySigner {
    /// Signs with this key.
    pub fn new(key: PrivateKey) -> Self {
        Self(key)
    }

    /// Signs at once: a key needs no service.
    pub fn sign_now(&self, statement: &Statement) -> Result<SignedBundle, SignError> {
        let payload = statement.payload()?;
        let signature = self.0.sign(&pae(IN_TOTO_PAYLOAD_TYPE, &payload))?;
        assemble(statement, Envelope::new(&payload, &signature), self.material())
    }

    fn material(&self) -> Material {
        let signer = SignerMaterial::Key(self.0.public_key().fingerprint());
        Material { signer, entries: Vec::new(), timestamps: Vec::new() }
    }
}

impl Signer for KeySigner {
    async fn sign(&self, statement: &Statement) -> Result<SignedBundle, SignError> {
        self.sign_now(statement)
    }

    async fn sign_message(&self, message: &[u8]) -> Result<SignedMessage, SignError> {
        assemble_message(message, &self.0.sign(message)?, self.material())
    }
}

/// Signs with a key wherever it is, and has the signature logged and timestamped where there are services for it.
#[derive(Debug)]
pub struct WitnessedKeySigner<S> {
    key: SigningKey,
    services: S,
}

impl<S: Services + Sync> WitnessedKeySigner<S> {
    /// Signs with this key. [`NoServices`](crate::NoServices) witness nothing.
    pub fn new(key: SigningKey, services: S) -> Self {
        Self { key, services }
    }

    /// The key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    async fn material(&self, signed: &Signed<'_>) -> Result<Material, SignError> {
        let public = self.key.public_key();
        let (entries, timestamps) = witness(&self.services, signed, Witnessed::Key(public)).await?;
        Ok(Material { signer: SignerMaterial::Key(public.fingerprint()), entries, timestamps })
    }
}

impl<S: Services + Sync> Signer for WitnessedKeySigner<S> {
    async fn sign(&self, statement: &Statement) -> Result<SignedBundle, SignError> {
        let payload = statement.payload()?;
        let scheme = self.key.algorithm().scheme();
        let bytes = pae(IN_TOTO_PAYLOAD_TYPE, &payload);
        let signature = self.key.sign(scheme, &bytes).await?;
        let envelope = Envelope::new(&payload, &signature);
        let signed = Signed { bytes: &bytes, signature: &signature, scheme, envelope: Some(&envelope) };
        let material = self.material(&signed).await?;
        assemble(statement, envelope, material)
    }

    async fn sign_message(&self, message: &[u8]) -> Result<SignedMessage, SignError> {
        let scheme = self.key.algorithm().scheme();
        let signature = self.key.sign(scheme, message).await?;
        let signed = Signed { bytes: message, signature: &signature, scheme, envelope: None };
        assemble_message(message, &signature, self.material(&signed).await?)
    }
}

/// Signs with a certificate for an identity that a token proves. The key lives for one signature.
#[derive(Debug)]
pub struct KeylessSigner<S> {
    services: S,
    token: IdentityToken,
}

impl<S: Services + Sync> KeylessSigner<S> {
    /// Signs as the token's identity. Log and timestamp authority are asked if the services have them.
    pub fn new(services: S, token: IdentityToken) -> Self {
        Self { services, token }
    }

    /// Whom the certificate will name: the token's email address or subject.
    pub fn subject(&self) -> &str {
        self.token.proof_subject()
    }

    async fn certified(&self) -> Result<(PrivateKey, Certificate), SignError> {
        if !self.services.has(Service::Rekor) && !self.services.has(Service::Timestamp) {
            return Err(SignError::TimeUnproven);
        }
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
        let request = fulcio::request(&self.token, &key)?;
        let certificate = fulcio::certificate(&self.services.post(Service::Fulcio, request).await?)?;
        Ok((key, certificate))
    }

    async fn material(
        &self,
        signed: &Signed<'_>,
        key: &PrivateKey,
        certificate: Certificate,
    ) -> Result<Material, SignError> {
        let witnessed = Witnessed::Certificate(&certificate, key.public_key());
        let (entries, timestamps) = witness(&self.services, signed, witnessed).await?;
        Ok(Material { signer: SignerMaterial::Certificate(certificate.der), entries, timestamps })
    }
}

impl<S: Services + Sync> Signer for KeylessSigner<S> {
    async fn sign(&self, statement: &Statement) -> Result<SignedBundle, SignError> {
        let (key, certificate) = self.certified().await?;
        let payload = statement.payload()?;
        let bytes = pae(IN_TOTO_PAYLOAD_TYPE, &payload);
        let signature = key.sign(&bytes)?;
        let envelope = Envelope::new(&payload, &signature);
        let scheme = key.algorithm().scheme();
        let signed = Signed { bytes: &bytes, signature: &signature, scheme, envelope: Some(&envelope) };
        let material = self.material(&signed, &key, certificate).await?;
        assemble(statement, envelope, material)
    }

    async fn sign_message(&self, message: &[u8]) -> Result<SignedMessage, SignError> {
        let (key, certificate) = self.certified().await?;
        let signature = key.sign(message)?;
        let scheme = key.algorithm().scheme();
        let signed = Signed { bytes: message, signature: &signature, scheme, envelope: None };
        let material = self.material(&signed, &key, certificate).await?;
        assemble_message(message, &signature, material)
    }
}

/// A signature that is to be witnessed.
struct Signed<'a> {
    bytes: &'a [u8],
    signature: &'a [u8],
    scheme: SignatureScheme,
    envelope: Option<&'a Envelope>,
}

/// What verifies it.
enum Witnessed<'a> {
    Certificate(&'a Certificate, &'a PublicKey),
    Key(&'a PublicKey),
}

/// Has a signature logged and timestamped, where there are services for it.
async fn witness<S: Services + Sync>(
    services: &S,
    signed: &Signed<'_>,
    by: Witnessed<'_>,
) -> Result<(Vec<LogEntry>, Vec<Vec<u8>>), SignError> {
    // The log sees no time in version 2, and what a later log entry would say does not matter then.
    let mut timestamps = Vec::new();
    if services.has(Service::Timestamp) {
        let request = timestamp::request(signed.signature, Hash::Sha256)?;
        for response in services.post_all(Service::Timestamp, request).await? {
            timestamps.push(timestamp::check(response)?);
        }
    }
    let mut entries = Vec::new();
    if services.has(Service::Rekor) {
        let pem = match &by {
            Witnessed::Certificate(certificate, _) => certificate.pem.clone(),
            Witnessed::Key(public) => public.pem()?,
        };
        let proposed = match signed.envelope {
            Some(envelope) => rekor::propose(envelope, &pem)?,
            None => rekor::propose_message(signed.bytes, signed.signature, &pem),
        };
        for answer in services.post_all(Service::Rekor, proposed).await? {
            entries.push(rekor::entry(&answer)?);
        }
    } else if services.has(Service::RekorV2) {
        let verifier = match &by {
            Witnessed::Certificate(certificate, public) => Verifier::Certificate(&certificate.der, public),
            Witnessed::Key(public) => Verifier::Key(public),
        };
        let proposed = rekor::v2::propose(signed.bytes, signed.signature, signed.scheme, &verifier)?;
        for answer in services.post_all(Service::RekorV2, proposed).await? {
            entries.push(rekor::v2::entry(&answer)?);
        }
    }
    Ok((entries, timestamps))
}
