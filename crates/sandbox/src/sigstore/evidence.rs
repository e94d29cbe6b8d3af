//! Evidence for the tests of other crates: really signed by the sandbox and really verified by `assay-trust`.
//!
//! These functions panic where signing or verification fails: then the test that calls them has no ground to stand on.
#![expect(clippy::expect_used, clippy::missing_panics_doc, reason = "for tests, see above")]

use assay_model::Digest;
use assay_sign::{
    KeyAlgorithm, KeySigner, KeylessSigner, PrivateKey, Service, Services, SignError, SignedBundle, Signer as _,
    Statement,
};
use assay_trust::{Artifact, Evidence, TrustMaterial, verify_bundle};
use futures_util::FutureExt as _;

use super::{Authority, Identity, Local};

/// The trust material of an instance: its trusted root and nothing else.
pub fn material(authority: &Authority) -> TrustMaterial {
    TrustMaterial::new().with_trusted_root(&authority.trusted_root_json()).expect("the sandbox's own trusted root")
}

/// A bundle that `identity` signed at the authority's time.
pub fn bundle(authority: &Authority, identity: &Identity, statement: &Statement) -> SignedBundle {
    let token = authority.token(identity).expect("a token of the sandbox");
    KeylessSigner::new(authority.services(), token)
        .sign(statement)
        .now_or_never()
        .expect("services within the process answer at once")
        .expect("the sandbox signs")
}

/// The same with an entry of Rekor version 2, which says no time: the timestamp does.
///
/// Returns the bundle as JSON.
pub fn bundle_v2(authority: &Authority, identity: &Identity, statement: &Statement) -> Vec<u8> {
    let token = authority.token(identity).expect("a token of the sandbox");
    let bundle = KeylessSigner::new(WithoutLog(authority.services()), token)
        .sign(statement)
        .now_or_never()
        .expect("services within the process answer at once")
        .expect("the sandbox signs");
    bundle.bytes().to_vec()
}

/// All services but the log of version 1.
struct WithoutLog(Local);

impl Services for WithoutLog {
    fn has(&self, service: Service) -> bool {
        service != Service::Rekor && self.0.has(service)
    }

    fn post(&self, service: Service, body: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, SignError>> + Send {
        self.0.post(service, body)
    }
}

/// Evidence of a statement that `identity` signed, verified at the authority's time against its root.
pub fn of_statement(authority: &Authority, identity: &Identity, statement: &Statement) -> Evidence {
    let bundle = bundle(authority, identity, statement);
    let artifact = Artifact::Digest(statement.subject());
    verify_bundle(bundle.bytes(), artifact, &material(authority), authority.clock().now()).expect("it verifies")
}

/// Evidence of an image signature.
pub fn signature(authority: &Authority, identity: &Identity, subject: &Digest) -> Evidence {
    of_statement(authority, identity, &Statement::image_signature(subject))
}

/// Evidence of an attestation with this predicate (JSON). See [`assay_trust::predicates`] for the known types.
pub fn attestation(
    authority: &Authority,
    identity: &Identity,
    subject: &Digest,
    predicate_type: &str,
    predicate: &str,
) -> Evidence {
    let statement = Statement::attestation(subject, predicate_type, predicate.as_bytes()).expect("a JSON predicate");
    of_statement(authority, identity, &statement)
}

/// A key that signs, with the material that trusts it.
pub struct KeyPair {
    signer: KeySigner,
    /// PEM text of the public key.
    pub public_key_pem: String,
    /// Material that trusts this key only, under the name given.
    pub material: TrustMaterial,
}

impl KeyPair {
    /// A new ECDSA P-256 key.
    pub fn generate(name: &str) -> Self {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key");
        let public_key_pem = key.public_key_pem().expect("its public key");
        let material = TrustMaterial::new().with_named_key(name, &public_key_pem).expect("a usable key");
        Self { signer: KeySigner::new(key), public_key_pem, material }
    }

    /// A bundle that this key signed.
    pub fn bundle(&self, statement: &Statement) -> SignedBundle {
        self.signer.sign_now(statement).expect("the key signs")
    }

    /// Evidence of a statement that this key signed.
    pub fn of_statement(&self, statement: &Statement) -> Evidence {
        let bundle = self.bundle(statement);
        let artifact = Artifact::Digest(statement.subject());
        // Nothing of a key's bundle has a time, so that any time will do.
        verify_bundle(bundle.bytes(), artifact, &self.material, assay_model::Timestamp::UNIX_EPOCH)
            .expect("it verifies")
    }

    /// Evidence of an image signature.
    pub fn signature(&self, subject: &Digest) -> Evidence {
        self.of_statement(&Statement::image_signature(subject))
    }
}
