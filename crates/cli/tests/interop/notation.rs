//! notation: signatures by the key of a certificate of a company's own authority, as JWS and as COSE, with a timestamp.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use serde_json::{Value, json};

use crate::cosign::places;
use crate::home::{Answer, Home};
use crate::peer::installed;
use crate::sigstore::{self, Sigstore};

/// Below the home: where notation keeps keys, trust stores and the policy.
const SETTINGS: &str = ".config/notation";
/// What notation's signatures are (notaryproject/specifications, signature-specification.md).
const SIGNATURE: &str = "application/vnd.cncf.notary.signature";

fn ready() -> bool {
    installed(&[&sigstore::PEERS[..], &["notation", "oras", "registry"]].concat())
}

fn parameters(organization: &str, name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    for (kind, text) in [
        (DnType::CountryName, "DE"),
        (DnType::StateOrProvinceName, "Berlin"),
        (DnType::OrganizationName, organization),
        (DnType::CommonName, name),
    ] {
        parameters.distinguished_name.push(kind, text);
    }
    parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2036, 1, 1);
    parameters
}

/// Makes an authority with one signer: `NAME.root.pem`, `NAME.chain.pem`, `NAME.key`.
fn authority(home: &Home, name: &str, organization: &str) {
    let mut root = parameters(organization, "root");
    root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
    let mut leaf = parameters(organization, "release");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().unwrap();
    let leaf = leaf.signed_by(&key, &root).unwrap();
    home.file(&format!("{name}.root.pem"), root.pem());
    home.file(&format!("{name}.chain.pem"), leaf.pem() + &root.pem());
    home.file(&format!("{name}.key"), key.serialize_pem());
}

/// A home with the keys of two companies, of which it trusts one.
fn home(instance: &Sigstore, logs: Vec<crate::service::Log>) -> Home {
    let home = Home::new([instance.logs(), logs].concat());
    authority(&home, "release", "example");
    authority(&home, "other", "another");
    let keys = ["release", "other"].map(|name| {
        let at = |end: &str| home.path().join(format!("{name}.{end}")).display().to_string();
        json!({"name": name, "keyPath": at("key"), "certPath": at("chain.pem")})
    });
    home.file(&format!("{SETTINGS}/signingkeys.json"), json!({"default": "release", "keys": keys}).to_string());
    trust(&home, "example", "release", false);
    // The chain of a timestamp authority ends with its root.
    let chain = String::from_utf8(instance.timestamp_chain()).unwrap();
    let root = &chain[chain.rfind("-----BEGIN").unwrap()..];
    home.file("timestamps.root.pem", root);
    home.file(&format!("{SETTINGS}/truststore/x509/tsa/here/root.pem"), root);
    home
}

/// Says whose signatures count, by whose authority, and whether their time must be proven.
fn trust(home: &Home, organization: &str, authority: &str, timestamped: bool) {
    let stores: &[&str] = if timestamped { &["ca:here", "tsa:here"] } else { &["ca:here"] };
    let policy = json!({"version": "1.0", "trustPolicies": [{
        "name": "here",
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": stores,
        "trustedIdentities": [format!("x509.subject: C=DE, ST=Berlin, O={organization}")],
    }]});
    home.file(&format!("{SETTINGS}/trustpolicy.json"), policy.to_string());
    let root = home.read(&format!("{authority}.root.pem"));
    home.file(&format!("{SETTINGS}/truststore/x509/ca/here/root.pem"), root);
}

/// Makes the signature of one image appear beside another.
fn hang_envelope_beside(home: &Home, signed: &str, victim: &str) {
    let listed = home.peer("oras", &["discover", "--plain-http", "--format", "json", signed]).ok();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let signature = listed["manifests"][0]["reference"].as_str().unwrap();
    let manifest = home.peer("oras", &["manifest", "fetch", "--plain-http", signature]).ok();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let (repository, _) = signed.split_once('@').unwrap();
    home.peer("oras", &["blob", "fetch", "--plain-http", "--output", "envelope", &format!("{repository}@{layer}")])
        .ok();
    let kind = manifest["layers"][0]["mediaType"].as_str().unwrap();
    let file = format!("envelope:{kind}");
    home.peer("oras", &["attach", "--plain-http", "--artifact-type", SIGNATURE, victim, &file]).ok();
}

fn theirs(home: &Home, image: &str) -> Answer {
    home.peer("notation", &["verify", "--insecure-registry", image])
}

/// With notation's own policy and trust stores.
fn ours(home: &Home, image: &str) -> Answer {
    let (policy, store) = (format!("{SETTINGS}/trustpolicy.json"), format!("{SETTINGS}/truststore"));
    home.assay(&["verify", "-o", "json", "--notation-policy", &policy, "--trust-store", &store, image])
}

fn both_accept(home: &Home, image: &str) {
    theirs(home, image).ok();
    ours(home, image).ok();
}

fn both_refuse(home: &Home, image: &str, because: &str) {
    theirs(home, image).denied("");
    ours(home, image).denied(because);
}

/// Accepted by the policy that trusts this authority and this name; refused by one that trusts another authority, or
/// another name, or that wants a timestamp where there is none.
fn only_this_policy_accepts_it(home: &Home, image: &str, timestamped: bool) {
    trust(home, "example", "release", timestamped);
    both_accept(home, image);
    trust(home, "another", "other", timestamped);
    both_refuse(home, image, "certificate-authority-unknown");
    trust(home, "another", "release", timestamped);
    both_refuse(home, image, "signer-mismatch");
    trust(home, "example", "release", true);
    if timestamped {
        both_accept(home, image);
    } else {
        both_refuse(home, image, "timestamp");
    }
    trust(home, "example", "release", false);
}

#[test]
fn notation_signs_and_assay_verifies() {
    if !ready() {
        return;
    }
    let instance = Sigstore::shared();
    for place in places() {
        let home = home(&instance, place.logs());
        let timestamps = instance.timestamp_url();
        let timestamps = ["--timestamp-url", &timestamps, "--timestamp-root-cert", "timestamps.root.pem"];
        for format in ["jws", "cose"] {
            for timestamped in [false, true] {
                let image = place.push(&home, "notation", &format!("{format}-{timestamped}"));
                let more: &[&str] = if timestamped { &timestamps } else { &[] };
                let sign = ["sign", "--insecure-registry", "--signature-format", format];
                home.peer("notation", &[&sign, more, &[&image]].concat()).ok();
                only_this_policy_accepts_it(&home, &image, timestamped);
            }
        }
        // Signed by a stranger; not signed; with the signature of another image.
        let [strange, unsigned, victim] =
            ["strange", "unsigned", "victim"].map(|name| place.push(&home, "notation", name));
        home.peer("notation", &["sign", "--insecure-registry", "--key", "other", &strange]).ok();
        hang_envelope_beside(&home, &strange, &victim);
        trust(&home, "another", "other", false);
        both_accept(&home, &strange);
        both_refuse(&home, &victim, "evidence-wrong-digest");
        trust(&home, "example", "release", false);
        for image in [&strange, &unsigned] {
            both_refuse(&home, image, "\"verified\": false");
        }
    }
}

#[test]
fn assay_signs_and_notation_verifies() {
    if !ready() {
        return;
    }
    let instance = Sigstore::shared();
    for place in places() {
        let home = home(&instance, place.logs());
        for format in ["jws", "cose"] {
            for timestamped in [false, true] {
                let image = place.push(&home, "ours", &format!("{format}-{timestamped}"));
                let key = ["--key", "release.key", "--certificate-chain", "release.chain.pem"];
                let url = instance.url_of_timestamps();
                let more: &[&str] = if timestamped { &["--timestamp-url", &url] } else { &[] };
                let sign = ["sign", "--format", "notation", "--envelope", format];
                home.assay(&[&sign, &key[..], more, &[&image]].concat()).ok();
                only_this_policy_accepts_it(&home, &image, timestamped);
            }
        }
    }
}
