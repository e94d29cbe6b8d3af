//! What the instance says of itself: its trusted root and its signing configuration.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::key::Key;
use super::log::{Log, Signer};
use super::timestamp::TimestampAuthority;

/// From when on everything is valid.
const FROM: &str = "2020-01-01T00:00:00Z";
/// When the retired keys and authorities ended.
const RETIRED: &str = "2020-12-31T00:00:00Z";

/// Everything that the trusted root names.
pub(super) struct Parts<'a> {
    pub(super) logs: [&'a Log; 2],
    /// Chains, leaf first, DER.
    pub(super) authorities: &'a [&'a [Vec<u8>]],
    pub(super) certificate_log: &'a Key,
    pub(super) timestamps: &'a TimestampAuthority,
    pub(super) retired_timestamps: &'a TimestampAuthority,
}

/// A `trusted_root.json` (sigstore/protobuf-specs, `sigstore_trustroot.proto`).
pub(super) fn trusted(parts: &Parts<'_>) -> Value {
    let logs = parts.logs.iter().flat_map(|log| {
        // The host of the address is what the origin begins with.
        let url = format!("https://{}", log.origin().split(' ').next().unwrap_or_default());
        let [own, retired] = log.trusted();
        [transparency_log(&url, &own, false), transparency_log(&url, &retired, true)]
    });
    let authorities = parts.authorities.iter().map(|chain| {
        json!({
            "subject": subject("fulcio root"),
            "uri": "https://fulcio.sandbox.assay.dev",
            "certChain": {"certificates": certificates(chain.iter().map(Vec::as_slice))},
            "validFor": validity(false),
        })
    });
    let certificate_log = Signer { key: parts.certificate_log, id: parts.certificate_log.id() };
    let timestamps = [(parts.timestamps, false), (parts.retired_timestamps, true)].map(|(authority, retired)| {
        json!({
            "subject": subject("timestamp authority"),
            "uri": "https://timestamp.sandbox.assay.dev",
            "certChain": {"certificates": certificates(authority.chain().into_iter())},
            "validFor": validity(retired),
        })
    });
    json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": logs.collect::<Vec<_>>(),
        "certificateAuthorities": authorities.collect::<Vec<_>>(),
        "ctlogs": [transparency_log("https://ctlog.sandbox.assay.dev", &certificate_log, false)],
        "timestampAuthorities": timestamps,
    })
}

fn transparency_log(url: &str, signer: &Signer<'_>, retired: bool) -> Value {
    json!({
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": STANDARD.encode(signer.key.spki()),
            "keyDetails": signer.key.details(),
            "validFor": validity(retired),
        },
        "logId": {"keyId": STANDARD.encode(signer.id.as_bytes())},
    })
}

fn certificates<'a>(chain: impl Iterator<Item = &'a [u8]>) -> Vec<Value> {
    chain.map(|der| json!({"rawBytes": STANDARD.encode(der)})).collect()
}

fn subject(name: &str) -> Value {
    json!({"organization": "assay sandbox", "commonName": name})
}

fn validity(retired: bool) -> Value {
    if retired { json!({"start": FROM, "end": RETIRED}) } else { json!({"start": FROM}) }
}

/// A `signing_config.v0.2.json` (the same file, `SigningConfig`) of services that all stand at `url`: the log of
/// version 2 before that of version 1.
pub(super) fn signing(url: &str) -> Value {
    let service = |url: &str, version: u32| json!({"url": url, "majorApiVersion": version, "validFor": validity(false), "operator": "sandbox.assay.dev"});
    json!({
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service(url, 1)],
        "oidcUrls": [service(url, 1)],
        "rekorTlogUrls": [service(url, 2), service(url, 1)],
        "tsaUrls": [service(&format!("{url}/api/v1/timestamp"), 1)],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    })
}
