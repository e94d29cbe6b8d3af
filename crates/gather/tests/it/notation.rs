//! Notation signatures among the referrers of an image.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_case::EvidenceSet;
use assay_gather::{Gatherer, Options, Wanted};
use assay_oci::{ImageSource, Source};
use assay_trust::notation::{NotationTrust, OciTrustPolicy, StoreKind, StoreName, TrustStores};
use assay_trust::{EvidenceKind, Signer, TrustMaterial};

use crate::{access, only, options};

/// The sample of notation's end-to-end suite that the trust crate carries.
fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../trust/tests/data/notation-e2e")
}

/// One of its layouts.
pub(crate) fn layout(name: &str) -> PathBuf {
    sample().join("registry/oci_layout").join(name)
}

/// Material with a policy of the suite, and its certificate in store `ca:e2e`.
pub(crate) fn material(policy: &str, certificate: &str) -> TrustMaterial {
    let read = |path: String| std::fs::read(sample().join(path)).unwrap();
    let policy = OciTrustPolicy::parse(&read(format!("config/trustpolicies/{policy}.json"))).unwrap();
    let store = StoreName::new(StoreKind::Ca, "e2e").unwrap();
    let stores = TrustStores::new().with_file(store, &read(format!("config/localkeys/{certificate}.crt"))).unwrap();
    TrustMaterial::new().with_notation(NotationTrust::new(policy, stores))
}

async fn evidence(layout: &str, materials: Vec<TrustMaterial>) -> EvidenceSet {
    let source: ImageSource = format!("oci:{}", self::layout(layout).display()).parse().unwrap();
    let client = access().client().clone();
    let source = Source::open(&client, &source).await.unwrap();
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let gatherer = Gatherer::new(Options { materials, clock: Arc::new(move || now), ..options() });
    let wanted = Wanted { contents: false, ..Wanted::default() };
    only(gatherer.facts_of_source(&source, &wanted).await).evidence.get().unwrap().clone()
}

fn codes(set: &EvidenceSet) -> Vec<&str> {
    set.rejected.iter().map(|claim| claim.code.as_str()).collect()
}

#[tokio::test]
async fn a_signature_that_the_policy_accepts_is_evidence() {
    let set = evidence("e2e-valid-signature", vec![material("trustpolicy", "e2e")]).await;
    assert_eq!(codes(&set), [""; 0]);
    let [evidence] = &set.verified[..] else { panic!("one signature") };
    assert_eq!(evidence.kind(), EvidenceKind::Signature);
    let Signer::Certificate { subject, authority, .. } = evidence.signer() else { panic!("a certificate") };
    assert_eq!((subject.as_str(), authority.as_str()), ("CN=e2e,O=Notary,L=Seattle,ST=WA,C=US", "ca:e2e"));
}

#[tokio::test]
async fn what_it_does_not_accept_is_rejected_with_the_cause() {
    for (layout, policy, certificate, code) in [
        ("e2e-valid-signature", "trustpolicy", "new_e2e", "certificate-authority-unknown"),
        ("e2e-expired-signature", "trustpolicy", "e2e", "signature-expired"),
        ("e2e-invalid-signature", "trustpolicy", "e2e", "notation-format-unknown"),
        ("e2e-valid-signature", "skip_trustpolicy", "e2e", "trust-policy-skips"),
        // The policy lets it through; a signature of nobody knows whom is no evidence all the same.
        ("e2e-valid-signature", "audit_trustpolicy", "new_e2e", "certificate-authority-unknown"),
    ] {
        let set = evidence(layout, vec![material(policy, certificate)]).await;
        assert!(set.verified.is_empty());
        assert_eq!(codes(&set), [code], "{layout} under {policy}");
    }
}

#[tokio::test]
async fn without_a_policy_a_signature_is_a_claim() {
    for materials in [Vec::new(), vec![TrustMaterial::new().with_public_good().unwrap()]] {
        assert_eq!(codes(&evidence("e2e-valid-signature", materials).await), ["no-trust-policy"]);
    }
}

#[tokio::test]
async fn one_root_that_accepts_it_is_enough() {
    let materials = vec![material("trustpolicy", "new_e2e"), material("trustpolicy", "e2e")];
    let set = evidence("e2e-valid-signature", materials).await;
    assert_eq!((set.verified.len(), set.rejected.len()), (1, 0));
}
