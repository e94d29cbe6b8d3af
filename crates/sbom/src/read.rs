//! Reading documents that others wrote: which format it is, within which bounds, and what its entries are.

mod bounds;
mod entry;

use assay_model::{Contents, Digest, Purl};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use bounds::{MAX_BYTES, MAX_DEPTH, MAX_OBJECTS, MAX_VALUES};
pub(crate) use entry::{Entry, collect};

use crate::{Format, SbomError, cyclonedx, spdx};

/// A document as read. It is a claim: nobody has verified who wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sbom {
    /// Its format.
    pub format: Format,
    /// Version of the format, for example `1.6` or `2.3`.
    pub version: String,
    /// What it says it describes.
    pub described: Option<Described>,
    /// The packages it lists and the operating system it names. Entries that could not be read make it partial.
    pub contents: Contents,
}

/// The artifact that a document says it describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Its digest.
    pub digest: Option<Digest>,
    /// Its package URL.
    pub purl: Option<Purl>,
}

/// The fields by which formats tell themselves apart; nothing else is looked at.
#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(rename = "bomFormat")]
    bom_format: Option<String>,
    #[serde(rename = "specVersion")]
    spec_version: Option<serde_json::Value>,
    #[serde(rename = "spdxVersion")]
    spdx_version: Option<String>,
    #[serde(rename = "@context")]
    context: Option<serde_json::Value>,
    #[serde(rename = "_type")]
    statement: Option<String>,
    #[serde(rename = "predicateType")]
    predicate_type: Option<String>,
    #[serde(borrow)]
    predicate: Option<&'a RawValue>,
    #[serde(rename = "payloadType")]
    payload_type: Option<String>,
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    #[serde(rename = "SchemaVersion")]
    trivy: Option<serde_json::Value>,
    descriptor: Option<&'a RawValue>,
}

/// Reads a CycloneDX or SPDX JSON document, bare or as the predicate of an in-toto statement.
///
/// # Errors
/// Documents over the bounds, in other formats or versions (named), signed envelopes, and documents that break their format.
pub fn read(bytes: &[u8]) -> Result<Sbom, SbomError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.len() > MAX_BYTES {
        return Err(SbomError::TooLarge { size: bytes.len(), limit: MAX_BYTES });
    }
    refuse_other_syntaxes(bytes)?;
    bounds::check(bytes)?;
    let probe: Probe<'_> = serde_json::from_slice(bytes).map_err(|error| SbomError::malformed("JSON", &error))?;
    if let Some(kind) = &probe.statement {
        return read_statement(kind, &probe);
    }
    read_document(bytes, &probe)
}

fn read_statement(kind: &str, probe: &Probe<'_>) -> Result<Sbom, SbomError> {
    if !kind.starts_with("https://in-toto.io/Statement/") {
        return Err(SbomError::NotAnSbom { reason: format!("its _type is `{kind}`") });
    }
    let predicate_type = probe.predicate_type.as_deref().unwrap_or("none");
    let reason = || format!("it is an in-toto statement with predicate type `{predicate_type}`");
    let predicate = probe.predicate.ok_or_else(|| SbomError::NotAnSbom { reason: reason() })?.get().as_bytes();
    let inner: Probe<'_> = serde_json::from_slice(predicate).map_err(|_| SbomError::NotAnSbom { reason: reason() })?;
    if inner.bom_format.is_none() && inner.spdx_version.is_none() {
        return Err(SbomError::NotAnSbom { reason: reason() });
    }
    read_document(predicate, &inner)
}

fn read_document(bytes: &[u8], probe: &Probe<'_>) -> Result<Sbom, SbomError> {
    if probe.bom_format.as_deref() == Some("CycloneDX") {
        let version = probe.spec_version.as_ref().and_then(serde_json::Value::as_str).unwrap_or("without specVersion");
        if !matches!(version, "1.4" | "1.5" | "1.6" | "1.7") {
            return Err(SbomError::Unsupported { found: format!("CycloneDX {version}") });
        }
        let bom = serde_json::from_slice(bytes).map_err(|error| SbomError::malformed("CycloneDX", &error))?;
        let (described, contents) = cyclonedx::read::contents(bom);
        return Ok(Sbom { format: Format::CycloneDx, version: version.to_owned(), described, contents });
    }
    if let Some(version) = &probe.spdx_version {
        let version = version.strip_prefix("SPDX-").unwrap_or(version);
        if !matches!(version, "2.2" | "2.3") {
            return Err(SbomError::Unsupported { found: format!("SPDX {version}") });
        }
        let document = serde_json::from_slice(bytes).map_err(|error| SbomError::malformed("SPDX", &error))?;
        let (described, contents) = spdx::read::contents(document);
        return Ok(Sbom { format: Format::Spdx, version: version.to_owned(), described, contents });
    }
    Err(name_other(probe))
}

/// Says what a JSON document is that is no bill of materials of ours.
fn name_other(probe: &Probe<'_>) -> SbomError {
    let context = probe.context.as_ref().map(serde_json::Value::to_string).unwrap_or_default();
    let media_type = probe.media_type.as_deref().unwrap_or_default();
    if probe.payload_type.is_some() {
        SbomError::Signed { kind: "DSSE" }
    } else if media_type.starts_with("application/vnd.dev.sigstore.bundle") {
        SbomError::Signed { kind: "Sigstore bundle" }
    } else if context.contains("spdx.org/rdf/3") {
        SbomError::Unsupported { found: "SPDX 3".to_owned() }
    } else if probe.trivy.is_some() {
        SbomError::Unsupported { found: "Trivy's own JSON".to_owned() }
    } else if probe.descriptor.is_some() {
        SbomError::Unsupported { found: "Syft's own JSON".to_owned() }
    } else {
        SbomError::NotAnSbom { reason: "it has neither bomFormat nor spdxVersion".to_owned() }
    }
}

/// Names the syntaxes that are not JSON by how they begin.
fn refuse_other_syntaxes(bytes: &[u8]) -> Result<(), SbomError> {
    let unsupported = |found: &str| Err(SbomError::Unsupported { found: found.to_owned() });
    let bytes = bytes.trim_ascii_start();
    match bytes {
        [] => Err(SbomError::NotAnSbom { reason: "it is empty".to_owned() }),
        [b'{', ..] => Ok(()),
        [0x1f, 0x8b, ..] => unsupported("a gzip file"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => unsupported("a zstd file"),
        [b'<', ..] => unsupported("XML"),
        _ if bytes.starts_with(b"SPDXVersion:") || bytes.starts_with(b"##") => unsupported("SPDX tag-value"),
        _ => Err(SbomError::NotAnSbom { reason: "it is not a JSON object".to_owned() }),
    }
}

/// Takes `null` for an absent field: tools write both.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use assay_model::Explain;

    use super::*;

    #[test]
    fn other_formats_are_refused_by_name() {
        for (text, code, words) in [
            ("", "not-an-sbom", "empty"),
            ("<bom/>", "sbom-format-unsupported", "XML"),
            ("SPDXVersion: SPDX-2.3\n", "sbom-format-unsupported", "SPDX tag-value"),
            ("\u{1f}\u{8b}", "not-an-sbom", "not a JSON object"),
            ("[]", "not-an-sbom", "not a JSON object"),
            ("{}", "not-an-sbom", "neither"),
            (r#"{"bomFormat":"CycloneDX","specVersion":"1.3"}"#, "sbom-format-unsupported", "CycloneDX 1.3"),
            (r#"{"bomFormat":"CycloneDX"}"#, "sbom-format-unsupported", "without specVersion"),
            (r#"{"spdxVersion":"SPDX-2.1"}"#, "sbom-format-unsupported", "SPDX 2.1"),
            (r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}"#, "sbom-format-unsupported", "SPDX 3"),
            (r#"{"payloadType":"a","payload":"b"}"#, "sbom-not-verified", "DSSE"),
            (r#"{"SchemaVersion":2,"Results":[]}"#, "sbom-format-unsupported", "Trivy"),
            (r#"{"artifacts":[],"descriptor":{"name":"syft"}}"#, "sbom-format-unsupported", "Syft"),
            (r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"x"}"#, "not-an-sbom", "`x`"),
            (r#"{"_type":"https://in-toto.io/Statement/v1","predicate":{}}"#, "not-an-sbom", "in-toto"),
            ("{\"bomFormat\":\n", "sbom-malformed", "line 2"),
            (r#"{"spdxVersion":"SPDX-2.3","spdxVersion":"SPDX-3.0"}"#, "sbom-malformed", "duplicate field"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error.code(), code, "{text}: {error}");
            assert!(error.to_string().contains(words), "{text}: {error}");
        }
        assert!(matches!(read(b"\x1f\x8b\x08"), Err(SbomError::Unsupported { found }) if found == "a gzip file"));
    }

    #[test]
    fn what_breaks_its_format_is_named_with_its_place() {
        let text = "{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.6\",\n\"components\":[{\"name\":7}]}";
        let Err(SbomError::Malformed { format: "CycloneDX", line: 2, .. }) = read(text.as_bytes()) else {
            panic!("{:?}", read(text.as_bytes()));
        };
    }

    #[test]
    fn a_statement_is_unwrapped_once() {
        let bom = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":null}"#;
        let statement = |inner: &str| {
            format!(r#"{{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"x","predicate":{inner}}}"#)
        };
        assert_eq!(read(statement(bom).as_bytes()).unwrap().version, "1.5");
        assert!(read(statement(&statement(bom)).as_bytes()).is_err());
    }
}
