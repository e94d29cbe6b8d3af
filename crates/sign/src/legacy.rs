//! Signatures for verifiers that know no referrers: cosign's `.sig` and `.att` tags (sigstore/cosign,
//! `specs/SIGNATURE_SPEC.md` and `pkg/types/media`). The layers are made from bundles: the same evidence in its older form.

use std::collections::BTreeMap;

use assay_model::Digest;
use assay_oci::Descriptor;
use assay_oci::media_type;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::{SignError, SignedBundle, SignedMessage};

const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const DSSE: &str = "application/vnd.dsse.envelope.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const LOG_BUNDLE: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
/// Most layers that are added to: a flood of signatures (CVE-2023-46737) is not made longer.
const LAYERS_MAX: usize = 1_000;

/// What a `.sig` signature is over ("simple signing" of containers/image): the same input gives the same bytes.
pub fn simple_signing_payload(repository: &str, subject: &Digest) -> Vec<u8> {
    #[derive(Serialize)]
    struct Payload<'a> {
        critical: Critical<'a>,
        optional: Option<()>,
    }
    #[derive(Serialize)]
    struct Critical<'a> {
        identity: Identity<'a>,
        image: Image,
        #[serde(rename = "type")]
        kind: &'static str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Identity<'a> {
        docker_reference: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Image {
        docker_manifest_digest: String,
    }
    let payload = Payload {
        critical: Critical {
            identity: Identity { docker_reference: repository },
            image: Image { docker_manifest_digest: subject.to_string() },
            kind: "cosign container image signature",
        },
        optional: None,
    };
    // Text and nothing that could fail to be written.
    serde_json::to_vec(&payload).unwrap_or_default()
}

/// One signature: a layer with its annotations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyLayer {
    media_type: &'static str,
    bytes: Vec<u8>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle<'a> {
    verification_material: Material,
    #[serde(borrow)]
    dsse_envelope: Option<&'a RawValue>,
    message_signature: Option<MessageSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    certificate: Option<RawBytes>,
    #[serde(default)]
    tlog_entries: Vec<Entry>,
    timestamp_verification_data: Option<TimestampData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawBytes {
    raw_bytes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    log_index: String,
    log_id: LogId,
    integrated_time: Option<String>,
    inclusion_promise: Option<Promise>,
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TimestampData {
    #[serde(default)]
    rfc3161_timestamps: Vec<SignedTimestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedTimestamp {
    signed_timestamp: String,
}

#[derive(Deserialize)]
struct MessageSignature {
    signature: String,
}

impl LegacyLayer {
    /// The layer of a signature over `payload`, which [`simple_signing_payload`] made.
    pub fn signature(payload: &[u8], signed: &SignedMessage) -> Result<Self, SignError> {
        let bundle = parse(signed.bytes())?;
        let mut annotations = annotations(&bundle.verification_material)?;
        let signature = bundle.message_signature.map(|found| found.signature).unwrap_or_default();
        annotations.insert(SIGNATURE.to_owned(), signature);
        Ok(Self { media_type: SIMPLE_SIGNING, bytes: payload.to_vec(), annotations })
    }

    /// The layer of an attestation: the bundle's own envelope.
    pub fn attestation(bundle: &SignedBundle) -> Result<Self, SignError> {
        let parsed = parse(bundle.bytes())?;
        let envelope = parsed.dsse_envelope.map(|envelope| envelope.get().as_bytes().to_vec()).unwrap_or_default();
        let mut annotations = annotations(&parsed.verification_material)?;
        // The envelope holds its signature; verifiers want the annotation to be there, and empty.
        annotations.insert(SIGNATURE.to_owned(), String::new());
        annotations.insert("predicateType".to_owned(), bundle.predicate_type().to_owned());
        Ok(Self { media_type: DSSE, bytes: envelope, annotations })
    }

    /// The layer's blob.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its media type.
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// Its annotations: the signature, and what verifies it.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }
}

fn parse(bytes: &[u8]) -> Result<Bundle<'_>, SignError> {
    serde_json::from_slice(bytes).map_err(|error| SignError::Encode { reason: error.to_string() })
}

fn annotations(material: &Material) -> Result<BTreeMap<String, String>, SignError> {
    let encode = |reason: String| SignError::Encode { reason };
    let mut out = BTreeMap::new();
    if let Some(certificate) = &material.certificate {
        let der = STANDARD.decode(&certificate.raw_bytes).map_err(|error| encode(error.to_string()))?;
        let pem = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &der);
        out.insert(CERTIFICATE.to_owned(), pem.map_err(|error| encode(error.to_string()))?);
    }
    if let Some(entry) = material.tlog_entries.first() {
        let (Some(promise), Some(time)) = (&entry.inclusion_promise, &entry.integrated_time) else {
            return Err(SignError::Unsupported {
                what: "older form of a signature in a log of version 2: old verifiers need version 1".to_owned(),
            });
        };
        let number = |text: &str| text.parse::<i64>().map_err(|error| encode(error.to_string()));
        let id = STANDARD.decode(&entry.log_id.key_id).map_err(|error| encode(error.to_string()))?;
        let bundle = json!({
            "SignedEntryTimestamp": promise.signed_entry_timestamp,
            "Payload": {
                "body": entry.canonicalized_body,
                "integratedTime": number(time)?,
                "logIndex": number(&entry.log_index)?,
                "logID": hex::encode(id),
            },
        });
        out.insert(LOG_BUNDLE.to_owned(), bundle.to_string());
    }
    let timestamps = material.timestamp_verification_data.iter().flat_map(|data| &data.rfc3161_timestamps);
    for timestamp in timestamps.take(1) {
        out.insert(TIMESTAMP.to_owned(), json!({"SignedRFC3161Timestamp": timestamp.signed_timestamp}).to_string());
    }
    Ok(out)
}

/// The image behind a tag: its layers are the signatures, the newest last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyImage {
    layers: Vec<Descriptor>,
}

impl LegacyImage {
    /// No signature yet.
    pub fn new() -> Self {
        Self { layers: Vec::new() }
    }

    /// Continues the manifest that is there.
    pub fn from_manifest(manifest: &[u8]) -> Result<Self, SignError> {
        #[derive(Deserialize)]
        struct Manifest {
            layers: Vec<Descriptor>,
        }
        let refuse = |reason: String| SignError::Existing { reason };
        let manifest: Manifest = serde_json::from_slice(manifest).map_err(|error| refuse(error.to_string()))?;
        if manifest.layers.len() > LAYERS_MAX {
            return Err(refuse(format!("there are more than {LAYERS_MAX}")));
        }
        Ok(Self { layers: manifest.layers })
    }

    /// The same with one more signature.
    #[must_use]
    pub fn with(mut self, layer: &LegacyLayer) -> Self {
        let mut descriptor = Descriptor::of(layer.media_type, &layer.bytes);
        descriptor.annotations = layer.annotations.clone();
        if !self.layers.contains(&descriptor) {
            self.layers.push(descriptor);
        }
        self
    }

    /// The configuration. cosign's own has no more in it than the list of layers.
    pub fn config(&self) -> Vec<u8> {
        let layers: Vec<String> = self.layers.iter().map(|layer| layer.digest.to_string()).collect();
        let config: Value = json!({
            "architecture": "",
            "config": {},
            "created": "0001-01-01T00:00:00Z",
            "history": layers.iter().map(|_| json!({"created": "0001-01-01T00:00:00Z"})).collect::<Vec<_>>(),
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": layers},
        });
        config.to_string().into_bytes()
    }

    /// The manifest. The same signatures give the same bytes.
    pub fn manifest(&self) -> Vec<u8> {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": Descriptor::of(media_type::OCI_CONFIG, &self.config()),
            "layers": self.layers,
        });
        manifest.to_string().into_bytes()
    }
}

impl Default for LegacyImage {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyAlgorithm, KeySigner, PrivateKey, Signer as _, Statement};

    #[test]
    fn the_payload_is_what_cosign_signs() {
        let digest = Digest::of(b"");
        let payload = String::from_utf8(simple_signing_payload("registry.example/app", &digest)).unwrap();
        assert_eq!(
            payload,
            format!(
                r#"{{"critical":{{"identity":{{"docker-reference":"registry.example/app"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
            )
        );
    }

    #[tokio::test]
    async fn signatures_are_added_and_never_repeated() {
        let digest = Digest::of(b"image");
        let signer = KeySigner::new(PrivateKey::generate(KeyAlgorithm::Ed25519).unwrap());
        let payload = simple_signing_payload("registry.example/app", &digest);
        let layer = LegacyLayer::signature(&payload, &signer.sign_message(&payload).await.unwrap()).unwrap();
        assert_eq!(layer.annotations().keys().collect::<Vec<_>>(), [SIGNATURE]);
        let attestation = signer.sign(&Statement::image_signature(&digest)).await.unwrap();
        let second = LegacyLayer::attestation(&attestation).unwrap();
        assert_eq!(second.annotations()["predicateType"], attestation.predicate_type());
        let envelope: Value = serde_json::from_slice(second.bytes()).unwrap();
        assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");

        let image = LegacyImage::new().with(&layer);
        let again = LegacyImage::from_manifest(&image.manifest()).unwrap().with(&layer);
        assert_eq!(again, image, "the same signature is there once");
        let both = again.with(&second);
        let manifest: Value = serde_json::from_slice(&both.manifest()).unwrap();
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 2);
        assert_eq!(manifest["layers"][0]["annotations"][SIGNATURE], layer.annotations()[SIGNATURE]);
        assert_eq!(manifest["config"]["digest"], Digest::of(&both.config()).to_string());
    }

    #[test]
    fn cve_2023_46737_a_flood_of_signatures_is_not_added_to() {
        let layer = Descriptor::of(SIMPLE_SIGNING, b"{}");
        let flood = json!({"layers": vec![layer; LAYERS_MAX + 1]}).to_string();
        assert!(matches!(LegacyImage::from_manifest(flood.as_bytes()), Err(SignError::Existing { .. })));
        for other in ["", "[]", "{}", r#"{"layers":7}"#] {
            assert!(LegacyImage::from_manifest(other.as_bytes()).is_err());
        }
    }
}
