//! Every field of a valid envelope, changed or taken out, must be refused with its cause.

use assay_trust::RevocationData;
use assay_trust::notation::{EnvelopeFormat, NotationTrust, SignedArtifact};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use coset::cbor::Value as Cbor;
use coset::{Label, RegisteredLabelWithPrivate, iana};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::forge::{MANIFEST, Root, Signer, artifact, cose_protected, now, payload, protected, protected_by_authority};
use super::verdicts::{ARTIFACT, policy, stores};

struct Bench {
    root: Root,
    signer: Signer,
    trust: NotationTrust,
}

impl Bench {
    fn new() -> Self {
        let root = Root::new("root");
        let signer = root.leaf("signer", |_| {});
        let names = ["ca:ours", "signingAuthority:ours"];
        let trust = NotationTrust::new(policy(json!({"level": "strict"}), &names, "*"), stores(&root));
        Self { root, signer, trust }
    }

    fn code(&self, bytes: &[u8], format: EnvelopeFormat) -> &'static str {
        let statement = self.trust.for_repository("registry.example.com/a").unwrap();
        let outcome = statement.verify(bytes, format, ARTIFACT(), &RevocationData::new(), now());
        assert_eq!(outcome.evidence.is_none(), outcome.refusal().is_some());
        outcome.refusal().map_or("accepted", assay_model::Explain::code)
    }

    fn jws(&self, envelope: &Value) -> &'static str {
        self.code(envelope.to_string().as_bytes(), EnvelopeFormat::Jws)
    }

    /// Signed with a protected header that a change was made to.
    fn protected(&self, of: &Value, change: impl FnOnce(&mut Value)) -> &'static str {
        let mut header = of.clone();
        change(&mut header);
        self.jws(&self.signer.jws(&header, payload().to_string().as_bytes()))
    }

    fn payload(&self, change: impl FnOnce(&mut Value)) -> &'static str {
        let mut payload = payload();
        change(&mut payload);
        self.jws(&self.signer.jws(&protected(), payload.to_string().as_bytes()))
    }

    fn chain(&self, chain: &[Vec<u8>]) -> &'static str {
        let mut envelope = self.signer.valid_jws();
        envelope["header"]["x5c"] = chain.iter().map(|der| STANDARD.encode(der)).collect();
        self.jws(&envelope)
    }

    fn cose(&self, change: impl FnOnce(&mut coset::Header)) -> &'static str {
        let mut header = cose_protected();
        change(&mut header);
        self.code(&self.signer.cose(header, payload().to_string().as_bytes()), EnvelopeFormat::Cose)
    }
}

fn without(name: &str) -> impl FnOnce(&mut Value) + '_ {
    move |header| drop(header.as_object_mut().unwrap().remove(name).unwrap())
}

fn set(name: &str, value: Value) -> impl FnOnce(&mut Value) + '_ {
    move |header| header[name] = value
}

#[test]
fn the_unchanged_envelopes_are_accepted() {
    let bench = Bench::new();
    assert_eq!(bench.jws(&bench.signer.valid_jws()), "accepted");
    assert_eq!(bench.cose(|_| {}), "accepted");
    assert_eq!(bench.protected(&protected_by_authority(), |_| {}), "accepted");
}

#[test]
fn every_member_of_a_jws_envelope_is_needed_and_checked() {
    let bench = Bench::new();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut envelope = bench.signer.valid_jws();
        change(&mut envelope);
        bench.jws(&envelope)
    };
    for member in ["payload", "protected", "header", "signature"] {
        assert_eq!(changed(&|envelope| without(member)(envelope)), "notation-malformed", "{member}");
        assert_eq!(changed(&|envelope| envelope[member] = json!(1)), "notation-malformed", "{member}");
    }
    assert_eq!(changed(&|envelope| envelope["signatures"] = json!([])), "notation-malformed");
    assert_eq!(changed(&|envelope| envelope["signature"] = json!("")), "notation-header-missing");
    assert_eq!(changed(&|envelope| envelope["signature"] = json!("AAAA")), "signature-invalid");
    assert_eq!(changed(&|envelope| envelope["payload"] = json!("e30")), "signature-invalid");
    assert_eq!(changed(&|envelope| without("x5c")(&mut envelope["header"])), "notation-certificate-rule");
    assert_eq!(changed(&|envelope| envelope["header"]["x5c"] = json!(["AAAA"])), "notation-malformed");
    let other = Bench::new();
    let foreign = other.signer.jws(&protected(), payload().to_string().as_bytes());
    assert_eq!(changed(&|envelope| envelope["signature"] = foreign["signature"].clone()), "signature-invalid");
    // What nobody signed decides nothing.
    assert_eq!(changed(&|envelope| without("io.cncf.notary.signingAgent")(&mut envelope["header"])), "accepted");
    assert_eq!(changed(&|envelope| envelope["header"]["other"] = json!(1)), "accepted");
}

#[test]
fn every_protected_header_is_needed_and_checked() {
    let bench = Bench::new();
    let of = protected();
    let scheme = "io.cncf.notary.signingScheme";
    for (name, code) in [
        ("alg", "notation-header-missing"),
        ("cty", "notation-header-missing"),
        ("crit", "notation-header-not-critical"),
        (scheme, "notation-header-missing"),
        ("io.cncf.notary.signingTime", "notation-header-missing"),
        ("io.cncf.notary.expiry", "notation-critical-absent"),
    ] {
        assert_eq!(bench.protected(&of, without(name)), code, "{name}");
        assert_eq!(bench.protected(&of, set(name, json!(7))), "notation-malformed", "{name}");
    }
    for algorithm in ["none", "HS256", "RS256", "EdDSA", ""] {
        assert_eq!(bench.protected(&of, set("alg", json!(algorithm))), "notation-algorithm-unsupported", "{algorithm}");
    }
    for algorithm in ["PS256", "ES384", "ES512"] {
        assert_eq!(bench.protected(&of, set("alg", json!(algorithm))), "notation-algorithm-mismatch", "{algorithm}");
    }
    assert_eq!(bench.protected(&of, set("cty", json!("application/json"))), "notation-content-type");
    assert_eq!(bench.protected(&of, set("crit", json!([]))), "notation-header-not-critical");
    assert_eq!(bench.protected(&of, set("crit", json!([scheme]))), "notation-header-not-critical");
    let absent = json!([scheme, "io.cncf.notary.expiry", "absent"]);
    assert_eq!(bench.protected(&of, set("crit", absent)), "notation-critical-absent");
    let unknown = |header: &mut Value| {
        header["crit"].as_array_mut().unwrap().push(json!("unknown"));
        header["unknown"] = json!("x");
    };
    assert_eq!(bench.protected(&of, unknown), "notation-critical-unknown");
    // What is not critical may be passed over.
    assert_eq!(bench.protected(&of, set("unknown", json!("x"))), "accepted");
    assert_eq!(bench.protected(&of, set(scheme, json!("notary.x509.other"))), "notation-scheme-unsupported");
    let authority = set(scheme, json!("notary.x509.signingAuthority"));
    assert_eq!(bench.protected(&of, authority), "notation-header-of-other-scheme");
    assert_eq!(bench.protected(&of, set("io.cncf.notary.expiry", json!("soon"))), "notation-malformed");
    let before = set("io.cncf.notary.expiry", json!("2026-05-01T00:00:00Z"));
    assert_eq!(bench.protected(&of, before), "notation-expiry-before-signing");
    for plugin in ["io.cncf.notary.verificationPlugin", "io.cncf.notary.verificationPluginMinVersion"] {
        assert_eq!(bench.protected(&of, set(plugin, json!("com.example.plugin"))), "notation-plugin-needed");
    }
    let by = protected_by_authority();
    let time = "io.cncf.notary.authenticSigningTime";
    assert_eq!(bench.protected(&by, without(time)), "notation-header-missing");
    assert_eq!(bench.protected(&by, set("crit", json!([scheme]))), "notation-header-not-critical");
    let both = set("io.cncf.notary.signingTime", json!("2026-05-01T00:00:00Z"));
    assert_eq!(bench.protected(&by, both), "notation-header-of-other-scheme");
    assert_eq!(bench.protected(&of, set(time, json!("2026-05-01T00:00:00Z"))), "notation-header-of-other-scheme");
}

#[test]
fn a_header_that_stands_twice_is_refused() {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let bench = Bench::new();
    let mut envelope = bench.signer.valid_jws();
    let header = protected().to_string().replacen('{', "{\"alg\":\"ES256\",", 1);
    envelope["protected"] = json!(URL_SAFE_NO_PAD.encode(header));
    assert_eq!(bench.jws(&envelope), "notation-malformed");
}

#[test]
fn every_field_of_the_payload_counts() {
    let bench = Bench::new();
    assert_eq!(bench.payload(without("targetArtifact")), "notation-malformed");
    for field in ["mediaType", "digest", "size"] {
        assert_eq!(bench.payload(|payload| without(field)(&mut payload["targetArtifact"])), "notation-malformed");
    }
    let target = |field: &'static str, value: Value| bench.payload(|payload| payload["targetArtifact"][field] = value);
    assert_eq!(target("size", json!(11)), "evidence-wrong-digest");
    assert_eq!(target("digest", json!(format!("sha256:{}", "0".repeat(64)))), "evidence-wrong-digest");
    assert_eq!(target("mediaType", json!("application/vnd.oci.image.index.v1+json")), "evidence-wrong-digest");
    assert_eq!(target("annotations", json!({"a": "b"})), "accepted");
}

#[test]
fn the_chain_is_complete_ordered_and_alone() {
    let bench = Bench::new();
    let [leaf, root] = <[Vec<u8>; 2]>::try_from(bench.signer.chain.clone()).unwrap();
    let stranger = Root::new("root").der();
    let rule = "notation-certificate-rule";
    assert_eq!(bench.chain(&[]), rule);
    assert_eq!(bench.chain(std::slice::from_ref(&leaf)), rule);
    assert_eq!(bench.chain(&[root.clone(), leaf.clone()]), rule);
    assert_eq!(bench.chain(&[leaf.clone(), root.clone(), root.clone()]), rule);
    assert_eq!(bench.chain(&[leaf.clone(), leaf.clone(), root.clone()]), rule);
    // Another root of the same name did not issue it.
    assert_eq!(bench.chain(&[leaf.clone(), stranger]), rule);
    assert_eq!(bench.chain(&vec![leaf; 11]), rule);
}

#[test]
fn certificates_keep_the_rules() {
    use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose as Purpose, IsCa, KeyUsagePurpose as Usage};
    let bench = Bench::new();
    let leaf =
        |change: &dyn Fn(&mut rcgen::CertificateParams)| bench.jws(&bench.root.leaf("signer", change).valid_jws());
    let rule = "notation-certificate-rule";
    assert_eq!(leaf(&|params| params.extended_key_usages = vec![Purpose::CodeSigning]), "accepted");
    assert_eq!(leaf(&|params| params.key_usages = vec![]), rule);
    assert_eq!(leaf(&|params| params.key_usages = vec![Usage::ContentCommitment]), rule);
    assert_eq!(leaf(&|params| params.key_usages = vec![Usage::DigitalSignature, Usage::ContentCommitment]), "accepted");
    for more in
        [Usage::KeyEncipherment, Usage::DataEncipherment, Usage::KeyAgreement, Usage::KeyCertSign, Usage::CrlSign]
    {
        assert_eq!(leaf(&|params| params.key_usages = vec![Usage::DigitalSignature, more]), rule, "{more:?}");
    }
    for purpose in [
        Purpose::Any,
        Purpose::ServerAuth,
        Purpose::ClientAuth,
        Purpose::EmailProtection,
        Purpose::TimeStamping,
        Purpose::OcspSigning,
    ] {
        let refused = leaf(&|params| params.extended_key_usages = vec![Purpose::CodeSigning, purpose.clone()]);
        assert_eq!(refused, rule, "{purpose:?}");
    }
    assert_eq!(leaf(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), rule);
    let root = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let root = Root::with("root", change);
        bench.jws(&root.leaf("signer", |_| {}).valid_jws())
    };
    // An authority that nobody trusts keeps the rules, one that breaks them does not even get that far.
    assert_eq!(root(&|_| {}), "certificate-authority-unknown");
    assert_eq!(root(&|params| params.is_ca = IsCa::ExplicitNoCa), rule);
    assert_eq!(root(&|params| params.key_usages = vec![Usage::CrlSign]), rule);
    assert_eq!(root(&|params| params.key_usages = vec![]), rule);
}

#[test]
fn every_protected_header_of_cose_is_needed_and_checked() {
    let bench = Bench::new();
    let drop_label = |name: &'static str| {
        move |header: &mut coset::Header| header.rest.retain(|(label, _)| *label != Label::Text(name.to_owned()))
    };
    let set_label = |name: &'static str, value: Cbor| {
        move |header: &mut coset::Header| {
            header.rest.retain(|(label, _)| *label != Label::Text(name.to_owned()));
            header.rest.push((Label::Text(name.to_owned()), value));
        }
    };
    let (scheme, time, expiry) =
        ("io.cncf.notary.signingScheme", "io.cncf.notary.signingTime", "io.cncf.notary.expiry");
    assert_eq!(bench.cose(|header| header.alg = None), "notation-header-missing");
    assert_eq!(bench.cose(|header| header.content_type = None), "notation-header-missing");
    assert_eq!(bench.cose(|header| header.crit.clear()), "notation-header-not-critical");
    assert_eq!(bench.cose(|header| drop(header.crit.pop())), "notation-header-not-critical");
    assert_eq!(bench.cose(drop_label(scheme)), "notation-header-missing");
    assert_eq!(bench.cose(drop_label(time)), "notation-header-missing");
    assert_eq!(bench.cose(drop_label(expiry)), "notation-critical-absent");
    let algorithm = |algorithm| Some(RegisteredLabelWithPrivate::Assigned(algorithm));
    assert_eq!(bench.cose(|header| header.alg = algorithm(iana::Algorithm::PS256)), "notation-algorithm-mismatch");
    assert_eq!(
        bench.cose(|header| header.alg = algorithm(iana::Algorithm::HMAC_256_256)),
        "notation-algorithm-unsupported"
    );
    assert_eq!(bench.cose(|header| header.alg = algorithm(iana::Algorithm::EdDSA)), "notation-algorithm-unsupported");
    let json = Some(coset::ContentType::Text("application/json".to_owned()));
    assert_eq!(bench.cose(|header| header.content_type = json), "notation-content-type");
    assert_eq!(bench.cose(set_label(scheme, Cbor::Text("notary".to_owned()))), "notation-scheme-unsupported");
    assert_eq!(bench.cose(set_label(scheme, Cbor::Integer(1.into()))), "notation-malformed");
    // A time without its tag, or with that of text, is no time.
    assert_eq!(bench.cose(set_label(time, Cbor::Integer(1_700_000_000.into()))), "notation-malformed");
    let text = Cbor::Tag(0, Box::new(Cbor::Text("2026-05-01T00:00:00Z".to_owned())));
    assert_eq!(bench.cose(set_label(expiry, text)), "notation-malformed");
    let plugin = set_label("io.cncf.notary.verificationPlugin", Cbor::Text("p".to_owned()));
    assert_eq!(bench.cose(plugin), "notation-plugin-needed");
    let unknown = |header: &mut coset::Header| {
        header.crit.push(RegisteredLabelWithPrivate::Text("unknown".to_owned()));
        header.rest.push((Label::Text("unknown".to_owned()), Cbor::Bool(true)));
    };
    assert_eq!(bench.cose(unknown), "notation-critical-unknown");
    let absent = |header: &mut coset::Header| header.crit.push(RegisteredLabelWithPrivate::Text("absent".to_owned()));
    assert_eq!(bench.cose(absent), "notation-critical-absent");
    assert_eq!(bench.cose(set_label("unknown", Cbor::Bool(true))), "accepted");
}

#[test]
fn a_cose_envelope_is_tagged_and_whole() {
    let bench = Bench::new();
    let valid = bench.signer.valid_cose();
    let cose = |bytes: &[u8]| bench.code(bytes, EnvelopeFormat::Cose);
    assert_eq!(cose(&valid), "accepted");
    assert_eq!(cose(&valid[1..]), "notation-malformed");
    assert_eq!(cose(&valid[..valid.len() - 1]), "notation-malformed");
    assert_eq!(cose(&[valid.clone(), vec![0]].concat()), "notation-malformed");
    let mut last = valid.clone();
    *last.last_mut().unwrap() ^= 1;
    assert_eq!(cose(&last), "signature-invalid");
    assert_eq!(bench.code(&valid, EnvelopeFormat::Jws), "notation-malformed");
    assert_eq!(cose(bench.signer.valid_jws().to_string().as_bytes()), "notation-malformed");
}

#[test]
fn a_file_is_bound_by_hash_size_and_media_type() {
    let bench = Bench::new();
    let statement = bench.trust.for_repository("registry.example.com/a").unwrap();
    let about = json!({"targetArtifact": {"mediaType": "text/plain", "digest": assay_model::Digest::of(b"words").to_string(), "size": 5}});
    let bytes = bench.signer.jws(&protected(), about.to_string().as_bytes()).to_string().into_bytes();
    let judge = |bytes_of: &[u8], media_type: Option<&str>| {
        let blob = SignedArtifact::Blob { bytes: bytes_of, media_type };
        let outcome = statement.verify(&bytes, EnvelopeFormat::Jws, blob, &RevocationData::new(), now());
        outcome.refusal().map_or("accepted", assay_model::Explain::code)
    };
    assert_eq!(judge(b"words", None), "accepted");
    assert_eq!(judge(b"words", Some("text/plain")), "accepted");
    assert_eq!(judge(b"words", Some(MANIFEST)), "evidence-wrong-digest");
    assert_eq!(judge(b"word", None), "evidence-wrong-digest");
    let manifest = SignedArtifact::Manifest { digest: artifact(), media_type: None, size: None };
    let outcome = statement.verify(&bytes, EnvelopeFormat::Jws, manifest, &RevocationData::new(), now());
    assert_eq!(outcome.refusal().map(assay_model::Explain::code), Some("evidence-wrong-digest"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_changed_byte_of_a_cose_envelope_is_accepted_unless_nobody_signed_it(at in 0_usize..4096, bit in 0_u8..8) {
        let bench = Bench::new();
        let mut bytes = bench.signer.valid_cose();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        // The whole of our envelope is signed, or is the signature, or certificates that must be the very ones.
        prop_assert_ne!(bench.code(&bytes, EnvelopeFormat::Cose), "accepted");
    }

    #[test]
    fn noise_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512), cose in any::<bool>()) {
        let bench = Bench::new();
        let format = if cose { EnvelopeFormat::Cose } else { EnvelopeFormat::Jws };
        prop_assert_ne!(bench.code(&bytes, format), "accepted");
    }
}
