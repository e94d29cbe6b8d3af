//! The two ways to sign.

use std::future::Future;

use assay_trust::{IN_TOTO_PAYLOAD_TYPE, pae};

use crate::bundle::{Envelope, Material, SignerMaterial, assemble};
use crate::{
    IdentityToken, KeyAlgorithm, PrivateKey, Service, Services, SignError, SignedBundle, Statement, fulcio, rekor,
    timestamp,
};

/// Signs statements.
pub trait Signer {
    /// Signs a statement and gives it back as a bundle.
    fn sign(&self, statement: &Statement) -> impl Future<Output = Result<SignedBundle, SignError>> + Send;
}

/// Signs with a private key. Nothing is logged and nothing proves the time.
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
        let material =
            Material { signer: SignerMaterial::Key(self.0.fingerprint()?), entry: None, timestamps: Vec::new() };
        assemble(statement, Envelope::new(&payload, &signature), material)
    }
}

impl Signer for KeySigner {
    async fn sign(&self, statement: &Statement) -> Result<SignedBundle, SignError> {
        self.sign_now(statement)
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
}

impl<S: Services + Sync> Signer for KeylessSigner<S> {
    async fn sign(&self, statement: &Statement) -> Result<SignedBundle, SignError> {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
        let request = fulcio::request(&self.token, &key)?;
        let certificate = fulcio::certificate(&self.services.post(Service::Fulcio, request).await?)?;

        let payload = statement.payload()?;
        let signature = key.sign(&pae(IN_TOTO_PAYLOAD_TYPE, &payload))?;
        let envelope = Envelope::new(&payload, &signature);

        let mut timestamps = Vec::new();
        if self.services.has(Service::Timestamp) {
            let request = timestamp::request(&signature)?;
            let response = self.services.post(Service::Timestamp, request).await?;
            timestamps.push(timestamp::check(response)?);
        }
        let mut entry = None;
        if self.services.has(Service::Rekor) {
            let proposed = rekor::propose(&envelope, &certificate.pem)?;
            entry = Some(rekor::entry(&self.services.post(Service::Rekor, proposed).await?)?);
        }
        let material = Material { signer: SignerMaterial::Certificate(certificate.der), entry, timestamps };
        assemble(statement, envelope, material)
    }
}
