//! OCSP and revocation lists: what is asked, and what the answers mean.

use std::sync::Arc;

use assay_model::{Explain as _, Timestamp};
use assay_trust::notation::{EnvelopeFormat, NotationOutcome, NotationTrust, Validation};
use assay_trust::{RevocationData, RevocationRequest, revocation_list_expiry};
use der::asn1::{BitString, GeneralizedTime, Null, OctetString, Uint};
use der::{Decode as _, Encode as _};
use serde_json::json;
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::time::Time;
use x509_ocsp::{
    BasicOcspResponse, CertStatus, OcspGeneralizedTime, OcspRequest, OcspResponse, ResponderId, ResponseData,
    RevokedInfo, SingleResponse, Version,
};

use super::forge::{Key, Root, Signer, at, distribution_points, now, protected_by_authority, revocable, sequence};
use super::verdicts::{ARTIFACT, policy, stores};

const OCSP: &str = "http://ocsp.example.com/";
const LIST: &str = "http://crl.example.com/a.crl";
const DELTA: &str = "http://crl.example.com/a.delta";

/// An OCSP responder's mind.
type Respond = Box<dyn Fn(&OcspRequest) -> Vec<u8>>;

/// A delta list in the making.
type MakeDelta<'a> = &'a dyn Fn(&Root, &[u8]) -> Vec<u8>;

/// What answers, by address.
#[derive(Default)]
struct World {
    list: Option<Vec<u8>>,
    delta: Option<Vec<u8>>,
    responder: Option<Respond>,
}

impl World {
    fn answer(&self, request: &RevocationRequest) -> Result<Arc<[u8]>, String> {
        let answer = match request {
            RevocationRequest::Ocsp { request, .. } => {
                self.responder.as_ref().map(|responder| responder(&OcspRequest::from_der(request).unwrap()))
            }
            RevocationRequest::Crl { url } if url == LIST => self.list.clone(),
            RevocationRequest::Crl { .. } => self.delta.clone(),
        };
        answer.map(Arc::from).ok_or_else(|| "nobody answers".to_owned())
    }

    /// Judges, with an answer to every question, until there is none left.
    fn judge(&self, root: &Root, signer: &Signer) -> NotationOutcome {
        self.judge_with(root, signer, RevocationData::new(), json!({"level": "strict"}))
    }

    fn judge_with(
        &self,
        root: &Root,
        signer: &Signer,
        mut data: RevocationData,
        level: serde_json::Value,
    ) -> NotationOutcome {
        let names = ["ca:ours", "signingAuthority:ours"];
        let trust = NotationTrust::new(policy(level, &names, "*"), stores(root));
        let statement = trust.for_repository("registry.example.com/a").unwrap();
        let payload = super::forge::payload().to_string();
        let envelope = signer.jws(&protected_by_authority(), payload.as_bytes()).to_string().into_bytes();
        for _ in 0..8 {
            let outcome = statement.verify(&envelope, EnvelopeFormat::Jws, ARTIFACT(), &data, now());
            if outcome.wanted.is_empty() {
                return outcome;
            }
            for request in outcome.wanted {
                let answer = self.answer(&request);
                data.insert(request, answer);
            }
        }
        panic!("the questions do not end");
    }
}

fn code(outcome: &NotationOutcome) -> &'static str {
    outcome.refusal().map_or("accepted", assay_model::Explain::code)
}

fn message(outcome: &NotationOutcome) -> String {
    outcome.refusal().map(ToString::to_string).unwrap_or_default()
}

fn ours(ocsp: Option<&str>, list: Option<&str>) -> (Root, Signer) {
    let root = Root::new("root");
    let signer = root.leaf("signer", |params| revocable(params, ocsp, list));
    (root, signer)
}

fn serial(der: &[u8]) -> x509_cert::serial_number::SerialNumber {
    x509_cert::Certificate::from_der(der).unwrap().tbs_certificate.serial_number
}

fn time(at: Timestamp) -> std::time::Duration {
    std::time::Duration::from_secs(at.as_second().try_into().unwrap())
}

fn extension(oid: &str, critical: bool, value: Vec<u8>) -> Extension {
    Extension { extn_id: oid.parse().unwrap(), critical, extn_value: OctetString::new(value).unwrap() }
}

/// A revocation list in the making.
struct List {
    entries: Vec<RevokedCert>,
    from: Timestamp,
    until: Timestamp,
    extensions: Vec<Extension>,
}

impl List {
    fn new(number: u8) -> Self {
        let extensions = vec![extension("2.5.29.20", false, Uint::new(&[number]).unwrap().to_der().unwrap())];
        Self { entries: Vec::new(), from: at("2026-05-30T00:00:00Z"), until: at("2026-06-30T00:00:00Z"), extensions }
    }

    fn entry(mut self, certificate: &[u8], since: &str, reason: Option<u8>, invalid_from: Option<&str>) -> Self {
        let mut extensions = Vec::new();
        if let Some(reason) = reason {
            extensions.push(extension("2.5.29.21", false, vec![0x0a, 1, reason]));
        }
        if let Some(date) = invalid_from {
            let date = GeneralizedTime::from_unix_duration(time(at(date))).unwrap();
            extensions.push(extension("2.5.29.24", false, date.to_der().unwrap()));
        }
        self.entries.push(RevokedCert {
            serial_number: serial(certificate),
            revocation_date: Time::GeneralTime(GeneralizedTime::from_unix_duration(time(at(since))).unwrap()),
            crl_entry_extensions: (!extensions.is_empty()).then_some(extensions),
        });
        self
    }

    fn with(mut self, oid: &str, critical: bool, value: Vec<u8>) -> Self {
        self.extensions.push(extension(oid, critical, value));
        self
    }

    fn freshest(self) -> Self {
        self.with("2.5.29.46", false, distribution_points(DELTA))
    }

    fn delta_of(self, number: u8) -> Self {
        self.with("2.5.29.27", true, Uint::new(&[number]).unwrap().to_der().unwrap())
    }

    fn sign(self, root: &Root) -> Vec<u8> {
        let issuer = x509_cert::Certificate::from_der(&root.der()).unwrap().tbs_certificate.subject;
        self.sign_as(issuer, &root.key())
    }

    fn sign_as(self, issuer: x509_cert::name::Name, key: &Key) -> Vec<u8> {
        let general = |at| Time::GeneralTime(GeneralizedTime::from_unix_duration(time(at)).unwrap());
        let list = TbsCertList {
            version: x509_cert::Version::V2,
            signature: key.identifier(),
            issuer,
            this_update: general(self.from),
            next_update: Some(general(self.until)),
            revoked_certificates: (!self.entries.is_empty()).then_some(self.entries),
            crl_extensions: Some(self.extensions),
        };
        let list = list.to_der().unwrap();
        let signature = BitString::from_bytes(&key.sign_asn1(&list)).unwrap();
        sequence(&[list, key.identifier().to_der().unwrap(), signature.to_der().unwrap()])
    }
}

fn with_list(list: impl FnOnce(&Root, &[u8]) -> Vec<u8>) -> NotationOutcome {
    let (root, signer) = ours(None, Some(LIST));
    let list = list(&root, &signer.chain[0]);
    World { list: Some(list), ..World::default() }.judge(&root, &signer)
}

#[test]
fn certificates_that_name_nobody_are_not_asked_about() {
    let (root, signer) = ours(None, None);
    assert_eq!(code(&World::default().judge(&root, &signer)), "accepted");
}

#[test]
fn a_list_without_the_certificate_clears_it_until_the_next() {
    let outcome = with_list(|root, _| List::new(1).sign(root));
    assert_eq!(code(&outcome), "accepted");
    assert_eq!(outcome.evidence.unwrap().valid_until(), Some(at("2026-06-30T00:00:00Z")));
}

#[test]
fn a_listed_certificate_is_revoked() {
    let outcome = with_list(|root, leaf| List::new(1).entry(leaf, "2026-05-15T00:00:00Z", Some(1), None).sign(root));
    assert_eq!(code(&outcome), "certificate-revoked");
    assert!(message(&outcome).contains("revoked since 2026-05-15T00:00:00Z (key compromise)"), "{}", message(&outcome));
    let without_reason =
        with_list(|root, leaf| List::new(1).entry(leaf, "2026-05-15T00:00:00Z", None, None).sign(root));
    assert_eq!(code(&without_reason), "certificate-revoked");
}

#[test]
fn what_was_signed_before_the_key_was_doubted_counts() {
    // Signed on 1 May, as the authority says.
    let after = with_list(|root, leaf| {
        List::new(1).entry(leaf, "2026-05-15T00:00:00Z", Some(1), Some("2026-05-02T00:00:00Z")).sign(root)
    });
    assert_eq!(code(&after), "accepted");
    let before = with_list(|root, leaf| {
        List::new(1).entry(leaf, "2026-05-15T00:00:00Z", Some(1), Some("2026-04-30T00:00:00Z")).sign(root)
    });
    assert_eq!(code(&before), "certificate-revoked");
}

#[test]
fn a_list_that_does_not_hold_says_nothing() {
    let unknown = |list: &dyn Fn(&Root, &[u8]) -> Vec<u8>| {
        let outcome = with_list(|root, leaf| list(root, leaf));
        assert_eq!(code(&outcome), "revocation-unknown", "{}", message(&outcome));
        message(&outcome)
    };
    let subject = |root: &Root| x509_cert::Certificate::from_der(&root.der()).unwrap().tbs_certificate.subject;
    assert!(unknown(&|root, _| List::new(1).sign_as(subject(root), &Root::new("root").key())).contains("signature"));
    assert!(unknown(&|_, _| List::new(1).sign(&Root::new("other"))).contains("another issuer"));
    let expired = List { until: at("2026-05-31T00:00:00Z"), ..List::new(1) };
    assert_eq!(code(&with_list(|root, _| List { entries: Vec::new(), ..expired }.sign(root))), "revocation-unknown");
    assert!(
        unknown(&|root, _| List { from: at("2026-06-02T00:00:00Z"), ..List::new(1) }.sign(root)).contains("to come")
    );
    assert!(
        unknown(&|root, _| List::new(1).with("1.2.840.113549.9", true, vec![5, 0]).sign(root)).contains("critical")
    );
    assert!(unknown(&|root, _| List::new(1).delta_of(1).sign(root)).contains("delta"));
    assert!(unknown(&|_, _| b"none".to_vec()).contains("cannot be read"));
    assert!(
        unknown(&|root, _| {
            let mut list = List::new(1).sign(root);
            list.push(0);
            list
        })
        .contains("cannot be read")
    );
    // IssuingDistributionPoint: authorities only, attribute certificates only, indirect, another point, some reasons.
    let point =
        |value: Vec<u8>| move |root: &Root, _: &[u8]| List::new(1).with("2.5.29.28", true, value.clone()).sign(root);
    assert!(unknown(&point(vec![0x30, 3, 0x82, 1, 0xff])).contains("other certificates"));
    assert!(unknown(&point(vec![0x30, 3, 0x85, 1, 0xff])).contains("other certificates"));
    assert!(unknown(&point(vec![0x30, 3, 0x84, 1, 0xff])).contains("indirect"));
    assert!(unknown(&point(vec![0x30, 4, 0x83, 2, 1, 0x40])).contains("some reasons"));
    let named = |url: &str| {
        let uri = [&[0x86, u8::try_from(url.len()).unwrap()], url.as_bytes()].concat();
        let wrap = |tag: u8, inner: Vec<u8>| [vec![tag, u8::try_from(inner.len()).unwrap()], inner].concat();
        wrap(0x30, wrap(0xa0, wrap(0xa0, uri)))
    };
    assert!(unknown(&point(named("http://other.example.com/b.crl"))).contains("another distribution point"));
    let own = named(LIST);
    assert_eq!(code(&with_list(|root, _| List::new(1).with("2.5.29.28", true, own).sign(root))), "accepted");
    let users = vec![0x30, 3, 0x81, 1, 0xff];
    assert_eq!(code(&with_list(|root, _| List::new(1).with("2.5.29.28", true, users).sign(root))), "accepted");
}

#[test]
fn an_expired_list_still_revokes() {
    let outcome = with_list(|root, leaf| {
        List { until: at("2026-05-31T00:00:00Z"), ..List::new(1).entry(leaf, "2026-05-15T00:00:00Z", Some(4), None) }
            .sign(root)
    });
    assert_eq!(code(&outcome), "certificate-revoked");
    // A hold may have been lifted since.
    let held = with_list(|root, leaf| {
        List { until: at("2026-05-31T00:00:00Z"), ..List::new(1).entry(leaf, "2026-05-15T00:00:00Z", Some(6), None) }
            .sign(root)
    });
    assert_eq!(code(&held), "revocation-unknown");
}

/// What a base list and its delta say.
fn with_delta(base: impl FnOnce(List, &[u8]) -> List, delta: Option<MakeDelta<'_>>) -> NotationOutcome {
    let (root, signer) = ours(None, Some(LIST));
    let leaf = &signer.chain[0];
    let list = base(List::new(5).freshest(), leaf).sign(&root);
    let delta = delta.map(|delta| delta(&root, leaf));
    World { list: Some(list), delta, ..World::default() }.judge(&root, &signer)
}

#[test]
fn a_delta_list_has_the_last_word() {
    let newer = |entries: &'static [(&'static str, u8)]| {
        move |root: &Root, leaf: &[u8]| {
            let list = List::new(6).delta_of(5);
            entries.iter().fold(list, |list, (since, reason)| list.entry(leaf, since, Some(*reason), None)).sign(root)
        }
    };
    let held = |list: List, leaf: &[u8]| list.entry(leaf, "2026-05-15T00:00:00Z", Some(6), None);
    assert_eq!(code(&with_delta(|list, _| list, Some(&newer(&[])))), "accepted");
    assert_eq!(code(&with_delta(|list, _| list, Some(&newer(&[("2026-05-20T00:00:00Z", 1)])))), "certificate-revoked");
    assert_eq!(code(&with_delta(held, Some(&newer(&[])))), "certificate-revoked");
    assert_eq!(code(&with_delta(held, Some(&newer(&[("2026-05-15T00:00:00Z", 8)])))), "accepted");
    assert_eq!(code(&with_delta(held, Some(&newer(&[("2026-05-20T00:00:00Z", 8)])))), "accepted");
    assert_eq!(code(&with_delta(|list, _| list, Some(&newer(&[("2026-05-20T00:00:00Z", 6)])))), "certificate-revoked");
}

#[test]
fn a_delta_list_that_is_missing_or_does_not_fit_leaves_it_unknown() {
    let cases: [(&str, Option<MakeDelta<'_>>); 5] = [
        ("nobody answers", None),
        ("goes with a newer list", Some(&|root, _| List::new(7).delta_of(6).sign(root))),
        ("is older", Some(&|root, _| List::new(4).delta_of(3).sign(root))),
        ("is no delta list", Some(&|root, _| List::new(6).sign(root))),
        ("another issuer", Some(&|_, _| List::new(6).delta_of(5).sign(&Root::new("other")))),
    ];
    for (words, delta) in cases {
        let outcome = with_delta(|list, _| list, delta);
        assert_eq!(code(&outcome), "revocation-unknown");
        assert!(message(&outcome).contains(words), "{words}: {}", message(&outcome));
    }
    // A certificate that is revoked for good needs no delta.
    let gone = with_delta(|list, leaf| list.entry(leaf, "2026-05-15T00:00:00Z", Some(1), None), None);
    assert_eq!(code(&gone), "certificate-revoked");
}

/// An OCSP responder.
struct Responder {
    key: Key,
    id: ResponderId,
    certificates: Vec<x509_cert::Certificate>,
    status: CertStatus,
    from: &'static str,
    until: Option<&'static str>,
    echo: bool,
    single: Vec<Extension>,
}

impl Responder {
    fn of_issuer(root: &Root, status: CertStatus) -> Self {
        Self::signed_by(root.key(), &root.der(), Vec::new(), status)
    }

    fn signed_by(key: Key, der: &[u8], certificates: Vec<x509_cert::Certificate>, status: CertStatus) -> Self {
        let name = x509_cert::Certificate::from_der(der).unwrap().tbs_certificate.subject;
        Self {
            key,
            id: ResponderId::ByName(name),
            certificates,
            status,
            from: "2026-05-31T00:00:00Z",
            until: Some("2026-06-02T00:00:00Z"),
            echo: true,
            single: Vec::new(),
        }
    }

    fn respond(&self, request: &OcspRequest) -> Vec<u8> {
        let general = |text: &str| OcspGeneralizedTime(GeneralizedTime::from_unix_duration(time(at(text))).unwrap());
        let nonce = request.tbs_request.request_extensions.clone().filter(|_| self.echo);
        let data = ResponseData {
            version: Version::V1,
            responder_id: self.id.clone(),
            produced_at: general(self.from),
            responses: vec![SingleResponse {
                cert_id: request.tbs_request.request_list[0].req_cert.clone(),
                cert_status: self.status,
                this_update: general(self.from),
                next_update: self.until.map(general),
                single_extensions: (!self.single.is_empty()).then(|| self.single.clone()),
            }],
            response_extensions: nonce,
        };
        let signature = self.key.sign_asn1(&data.to_der().unwrap());
        let basic = BasicOcspResponse {
            tbs_response_data: data,
            signature_algorithm: self.key.identifier(),
            signature: BitString::from_bytes(&signature).unwrap(),
            certs: (!self.certificates.is_empty()).then(|| self.certificates.clone()),
        };
        OcspResponse::successful(basic).unwrap().to_der().unwrap()
    }
}

fn revoked(since: &str) -> CertStatus {
    let since = GeneralizedTime::from_unix_duration(time(at(since))).unwrap();
    CertStatus::Revoked(RevokedInfo {
        revocation_time: OcspGeneralizedTime(since),
        revocation_reason: Some(x509_cert::ext::pkix::CrlReason::KeyCompromise),
    })
}

/// What a responder's answer means for a certificate that names it, and perhaps a list.
fn with_responder(
    list: Option<&str>,
    world: World,
    responder: impl FnOnce(&Root) -> Option<Responder>,
) -> NotationOutcome {
    let (root, signer) = ours(Some(OCSP), list);
    let responder = responder(&root);
    let responder =
        responder.map(|responder| Box::new(move |request: &OcspRequest| responder.respond(request)) as Respond);
    World { responder, ..world }.judge(&root, &signer)
}

fn alone(responder: impl FnOnce(&Root) -> Responder) -> NotationOutcome {
    with_responder(None, World::default(), |root| Some(responder(root)))
}

#[test]
fn ocsp_answers_count() {
    let good = alone(|root| Responder::of_issuer(root, CertStatus::good()));
    assert_eq!(code(&good), "accepted");
    assert_eq!(good.evidence.unwrap().valid_until(), Some(at("2026-06-02T00:00:00Z")));
    let gone = alone(|root| Responder::of_issuer(root, revoked("2026-05-15T00:00:00Z")));
    assert_eq!(code(&gone), "certificate-revoked");
    assert!(message(&gone).contains("key compromise"));
    assert_eq!(code(&alone(|root| Responder::of_issuer(root, CertStatus::unknown()))), "revocation-unknown");
}

#[test]
fn ocsp_knows_when_a_key_was_doubted() {
    let invalid_from = |date: &str| {
        let date = GeneralizedTime::from_unix_duration(time(at(date))).unwrap().to_der().unwrap();
        code(&alone(|root| Responder {
            single: vec![extension("2.5.29.24", false, date)],
            ..Responder::of_issuer(root, revoked("2026-05-15T00:00:00Z"))
        }))
    };
    assert_eq!(invalid_from("2026-05-02T00:00:00Z"), "accepted");
    assert_eq!(invalid_from("2026-04-30T00:00:00Z"), "certificate-revoked");
}

#[test]
fn an_ocsp_answer_that_does_not_hold_says_nothing() {
    let unknown = |words: &str, outcome: NotationOutcome| {
        assert_eq!(code(&outcome), "revocation-unknown", "{words}");
        assert!(message(&outcome).contains(words), "{words}: {}", message(&outcome));
    };
    let of = |root: &Root| Responder::of_issuer(root, CertStatus::good());
    unknown("expired", alone(|root| Responder { until: Some("2026-05-31T12:00:00Z"), ..of(root) }));
    unknown("until when", alone(|root| Responder { until: None, ..of(root) }));
    unknown("to come", alone(|root| Responder { from: "2026-06-01T12:00:00Z", ..of(root) }));
    unknown(
        "critical",
        alone(|root| Responder { single: vec![extension("1.2.840.113549.9", true, vec![5, 0])], ..of(root) }),
    );
    unknown("not signed by the issuer", alone(|root| Responder { key: Root::new("x").key(), ..of(root) }));
    unknown("not signed by the issuer", alone(|_| of(&Root::new("x"))));
    let (root, signer) = ours(Some(OCSP), None);
    for (status, word) in [(1, "Malformed"), (2, "Internal"), (3, "TryLater"), (5, "SigRequired"), (6, "Unauthorized")]
    {
        let world = World { responder: Some(Box::new(move |_| vec![0x30, 3, 0x0a, 1, status])), ..World::default() };
        unknown(word, world.judge(&root, &signer));
    }
    for noise in [Vec::new(), b"no".to_vec(), vec![0x30, 0x80], vec![0; 70_000]] {
        let world = World { responder: Some(Box::new(move |_| noise.clone())), ..World::default() };
        assert_eq!(code(&world.judge(&root, &signer)), "revocation-unknown");
    }
}

/// A responder with its own certificate of `issuer`, changed.
fn delegated(root: &Root, issuer: &Root, change: impl FnOnce(&mut rcgen::CertificateParams)) -> Responder {
    let _ = root;
    let responder = issuer.leaf("responder", |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::OcspSigning];
        change(params);
    });
    let certificate = x509_cert::Certificate::from_der(&responder.chain[0]).unwrap();
    Responder::signed_by(responder.key, &responder.chain[0], vec![certificate], CertStatus::good())
}

fn no_check(params: &mut rcgen::CertificateParams) {
    let null = Null.to_der().unwrap();
    params.custom_extensions.push(rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 5], null));
}

#[test]
fn a_responder_may_be_named_by_the_issuer_and_by_nobody_else() {
    assert_eq!(code(&alone(|root| delegated(root, root, no_check))), "accepted");
    let words = |outcome: NotationOutcome| message(&outcome);
    assert!(words(alone(|root| delegated(root, &Root::new("root"), no_check))).contains("another issuer"));
    let other_purpose = |params: &mut rcgen::CertificateParams| {
        no_check(params);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::CodeSigning];
    };
    assert!(words(alone(|root| delegated(root, root, other_purpose))).contains("not for OCSP"));
    let ended = |params: &mut rcgen::CertificateParams| {
        no_check(params);
        params.not_after = rcgen::date_time_ymd(2026, 1, 1);
    };
    assert!(words(alone(|root| delegated(root, root, ended))).contains("2026-01-01"));
    let foreign_key = alone(|root| Responder { key: Root::new("x").key(), ..delegated(root, root, no_check) });
    assert!(words(foreign_key).contains("does not fit"));
}

#[test]
fn a_responder_without_nocheck_is_looked_up_itself() {
    // It names no list: it cannot be revoked.
    assert_eq!(code(&alone(|root| delegated(root, root, |_| {}))), "accepted");
    let (root, signer) = ours(Some(OCSP), None);
    let judge = |list: Option<Vec<u8>>, responder: Responder| {
        let responder: Respond = Box::new(move |request| responder.respond(request));
        World { list, responder: Some(responder), ..World::default() }.judge(&root, &signer)
    };
    let responder = || delegated(&root, &root, |params| revocable(params, None, Some(LIST)));
    assert_eq!(code(&judge(Some(List::new(1).sign(&root)), responder())), "accepted");
    assert_eq!(code(&judge(None, responder())), "revocation-unknown");
    let named = responder();
    let der = named.certificates[0].to_der().unwrap();
    let list = List::new(1).entry(&der, "2026-05-15T00:00:00Z", Some(1), None).sign(&root);
    assert!(message(&judge(Some(list), named)).contains("the responder's certificate is revoked"));
}

#[test]
fn a_nonce_must_come_back_as_it_went() {
    let (root, signer) = ours(Some(OCSP), None);
    let judge = |echo: bool, nonce: Option<[u8; 16]>| {
        let responder = Responder { echo, ..Responder::of_issuer(&root, CertStatus::good()) };
        let respond = move |request: &OcspRequest| {
            let mut request = request.clone();
            if let (Some(other), Some(extensions)) = (nonce, &mut request.tbs_request.request_extensions) {
                extensions[0].extn_value =
                    OctetString::new(OctetString::new(other).unwrap().to_der().unwrap()).unwrap();
            }
            responder.respond(&request)
        };
        let world = World { responder: Some(Box::new(respond)), ..World::default() };
        world.judge_with(&root, &signer, RevocationData::new().with_nonce([1; 16]), json!({"level": "strict"}))
    };
    assert_eq!(code(&judge(true, None)), "accepted");
    // Responders that know no nonce are many; their answers hold as long as they say.
    assert_eq!(code(&judge(false, None)), "accepted");
    assert!(message(&judge(true, Some([2; 16]))).contains("another nonce"));
}

#[test]
fn where_ocsp_fails_the_list_counts() {
    let listed = |root: &Root| World { list: Some(List::new(1).sign(root)), ..World::default() };
    let (root, signer) = ours(Some(OCSP), Some(LIST));
    assert_eq!(code(&listed(&root).judge(&root, &signer)), "accepted");
    let list = List::new(1).entry(&signer.chain[0], "2026-05-15T00:00:00Z", Some(1), None).sign(&root);
    assert_eq!(code(&World { list: Some(list), ..World::default() }.judge(&root, &signer)), "certificate-revoked");
    // A responder that does not know the certificate settles nothing.
    let responder = Responder::of_issuer(&root, CertStatus::unknown());
    let world = World { responder: Some(Box::new(move |request| responder.respond(request))), ..listed(&root) };
    assert_eq!(code(&world.judge(&root, &signer)), "accepted");
    // Where OCSP answers, the list is not asked for.
    let responder = Responder::of_issuer(&root, CertStatus::good());
    let world = World { responder: Some(Box::new(move |request| responder.respond(request))), ..World::default() };
    assert_eq!(code(&world.judge(&root, &signer)), "accepted");
    assert_eq!(code(&World::default().judge(&root, &signer)), "revocation-unknown");
}

#[test]
fn the_level_says_what_unknown_and_revoked_mean() {
    let (root, signer) = ours(None, Some(LIST));
    let list = List::new(1).entry(&signer.chain[0], "2026-05-15T00:00:00Z", Some(1), None).sign(&root);
    for (world, expected) in [
        (World::default(), "revocation-unknown"),
        (World { list: Some(list), ..World::default() }, "certificate-revoked"),
    ] {
        let judge = |level| world.judge_with(&root, &signer, RevocationData::new(), level);
        assert_eq!(code(&judge(json!({"level": "strict"}))), expected);
        let logged = judge(json!({"level": "permissive"}));
        assert_eq!(logged.logged().map(assay_model::Explain::code).collect::<Vec<_>>(), [expected]);
        assert!(logged.evidence.is_some());
        let skipped = judge(json!({"level": "strict", "override": {"revocation": "skip"}}));
        assert_eq!(code(&skipped), "accepted");
        assert!(!skipped.results.iter().any(|result| result.validation == Validation::Revocation));
    }
}

#[test]
fn nobody_is_asked_about_certificates_that_nobody_trusts() {
    let signer = Root::new("stranger").leaf("signer", |params| revocable(params, Some(OCSP), Some(LIST)));
    let trust = NotationTrust::new(policy(json!({"level": "audit"}), &["ca:ours"], "*"), stores(&Root::new("root")));
    let statement = trust.for_repository("registry.example.com/a").unwrap();
    let envelope = signer.valid_jws().to_string().into_bytes();
    let outcome = statement.verify(&envelope, EnvelopeFormat::Jws, ARTIFACT(), &RevocationData::new(), now());
    assert!(outcome.is_accepted() && outcome.wanted.is_empty() && outcome.evidence.is_none());
    assert!(outcome.logged().any(|error| error.code() == "revocation-unknown"));
}

#[test]
fn only_plain_http_is_asked() {
    for url in ["https://crl.example.com/a.crl", "ldap://directory.example.com/x", "file:///etc/passwd"] {
        let (root, signer) = ours(Some(url), Some(url));
        // Somebody is named and cannot be asked: that is not nobody.
        assert_eq!(code(&World::default().judge(&root, &signer)), "revocation-unknown", "{url}");
    }
}

#[test]
fn lists_say_when_they_expire() {
    let root = Root::new("root");
    assert_eq!(revocation_list_expiry(&List::new(1).sign(&root)), Some(at("2026-06-30T00:00:00Z")));
    assert_eq!(revocation_list_expiry(b"none"), None);
}

#[test]
fn no_changed_byte_of_a_list_or_response_clears_a_certificate() {
    let (root, signer) = ours(Some(OCSP), Some(LIST));
    let list = List::new(1).sign(&root);
    for at in 0..list.len() {
        let mut changed = list.clone();
        changed[at] ^= 0x01;
        let outcome = World { list: Some(changed), ..World::default() }.judge(&root, &signer);
        assert_eq!(code(&outcome), "revocation-unknown", "byte {at} of the list");
    }
    let length = std::rc::Rc::new(std::cell::Cell::new(1));
    let mut at = 0;
    while at < length.get() {
        let (responder, length) = (Responder::of_issuer(&root, CertStatus::good()), std::rc::Rc::clone(&length));
        let respond = move |request: &OcspRequest| {
            let mut bytes = responder.respond(request);
            // Signatures differ in length by a byte or two from one to the next.
            length.set(bytes.len());
            match bytes.get_mut(at) {
                Some(byte) => *byte ^= 0x01,
                None => bytes.push(0),
            }
            bytes
        };
        let outcome = World { responder: Some(Box::new(respond)), ..World::default() }.judge(&root, &signer);
        assert_eq!(code(&outcome), "revocation-unknown", "byte {at} of the response");
        at += 1;
    }
    assert!(at > 200, "{at}");
}
