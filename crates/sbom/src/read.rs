//! Reading documents that others wrote: which format it is, within which bounds, and what its entries are.

mod bounds;
mod entry;

use assay_model::{Contents, Digest, Purl, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use bounds::{MAX_BYTES, MAX_DEPTH, MAX_OBJECTS, MAX_VALUES};
pub(crate) use entry::{Entry, Listed, Observed, collect};

use crate::document::{CycloneDxVersion, Lifecycle, Root};
use crate::{Format, SbomError, cyclonedx, spdx, spdx3, syft, trivy};

/// A document as read. It is a claim: nobody has verified who wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sbom {
    /// Its format.
    pub format: Format,
    /// Version of the format, for example `1.6` or `2.3`.
    pub version: String,
    /// How it says it came to be.
    pub origin: Origin,
    /// What it says it describes.
    pub described: Option<Described>,
    /// The packages it lists and the operating system it names. Entries that could not be read make it partial.
    pub contents: Contents,
    /// What only its score asks for.
    pub(crate) observed: Observed,
}

/// How a document says it came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// People and organisations that made it.
    pub authors: Vec<String>,
    /// Tools that made it, as `name-version`.
    pub tools: Vec<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When in the life of the artifact its contents were looked at.
    pub lifecycle: Option<Lifecycle>,
    /// Its serial number or namespace.
    pub identifier: Option<String>,
}

impl Sbom {
    fn new(format: Format, version: &str, mut listed: Listed) -> Self {
        let (described, origin) = (listed.described.take(), std::mem::take(&mut listed.origin));
        let (contents, observed) = collect(listed);
        Self { format, version: version.to_owned(), origin, described, contents, observed }
    }

    /// The root of a document that says the same; where this one names no artifact, that is `name`.
    pub fn root(&self, name: &str) -> Root {
        match self.described.clone() {
            Some(Described { name, version, digest, purl }) => Root { name, version, digest, purl },
            None => Root::directory(name),
        }
    }
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
    artifacts: Option<&'a RawValue>,
}

/// Reads a document in any of the formats of [`Format`], told apart by what they begin with, bare or, where it is JSON, as
/// the predicate of an in-toto statement.
///
/// # Errors
/// Documents over the bounds, in other formats or versions (named), signed envelopes, and documents that break their format.
pub fn read(bytes: &[u8]) -> Result<Sbom, SbomError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.len() > MAX_BYTES {
        return Err(SbomError::TooLarge { size: bytes.len(), limit: MAX_BYTES });
    }
    match syntax(bytes)? {
        Syntax::Json => {}
        Syntax::Xml => {
            let (version, bom) = cyclonedx::xml::read(bytes)?;
            return Ok(Sbom::new(Format::CycloneDxXml(version), version.as_str(), cyclonedx::read::listed(bom)));
        }
        Syntax::TagValue => return read_tag_value(bytes),
    }
    bounds::check(bytes)?;
    let probe: Probe<'_> = serde_json::from_slice(bytes).map_err(|error| SbomError::malformed("JSON", &error))?;
    if let Some(kind) = &probe.statement {
        return read_statement(kind, &probe);
    }
    read_document(bytes, &probe)
}

fn read_tag_value(bytes: &[u8]) -> Result<Sbom, SbomError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| SbomError::NotAnSbom { reason: "its lines are not in UTF-8".to_owned() })?;
    let document = spdx::tag_value::read(text)?;
    let version = spdx_version(document.version())?.to_owned();
    Ok(Sbom::new(Format::SpdxTagValue, &version, spdx::read::listed(document)))
}

/// The number in `SPDX-2.3`, where it is one that is read.
fn spdx_version(text: &str) -> Result<&str, SbomError> {
    let version = text.strip_prefix("SPDX-").unwrap_or(text);
    if matches!(version, "2.2" | "2.3") {
        return Ok(version);
    }
    Err(SbomError::Unsupported { found: format!("SPDX {version}") })
}

fn read_statement(kind: &str, probe: &Probe<'_>) -> Result<Sbom, SbomError> {
    if !kind.starts_with("https://in-toto.io/Statement/") {
        return Err(SbomError::NotAnSbom { reason: format!("its _type is `{kind}`") });
    }
    let predicate_type = probe.predicate_type.as_deref().unwrap_or("none");
    let reason = || format!("it is an in-toto statement with predicate type `{predicate_type}`");
    let predicate = probe.predicate.ok_or_else(|| SbomError::NotAnSbom { reason: reason() })?.get().as_bytes();
    let inner: Probe<'_> = serde_json::from_slice(predicate).map_err(|_| SbomError::NotAnSbom { reason: reason() })?;
    if inner.bom_format.is_none() && inner.spdx_version.is_none() && !inner.is_spdx3() && !inner.is_syft() {
        return Err(SbomError::NotAnSbom { reason: reason() });
    }
    read_document(predicate, &inner)
}

impl Probe<'_> {
    fn is_spdx3(&self) -> bool {
        self.context.as_ref().is_some_and(|context| context.to_string().contains("spdx.org/rdf/3.0"))
    }

    fn is_syft(&self) -> bool {
        self.artifacts.is_some() && self.descriptor.is_some()
    }
}

fn read_document(bytes: &[u8], probe: &Probe<'_>) -> Result<Sbom, SbomError> {
    if probe.bom_format.as_deref() == Some("CycloneDX") {
        let text = probe.spec_version.as_ref().and_then(serde_json::Value::as_str).unwrap_or("without specVersion");
        let Some(version) = CycloneDxVersion::parse(text) else {
            return Err(SbomError::Unsupported { found: format!("CycloneDX {text}") });
        };
        let listed = cyclonedx::read::listed(parse(bytes, "CycloneDX")?);
        return Ok(Sbom::new(Format::CycloneDx(version), text, listed));
    }
    if let Some(version) = &probe.spdx_version {
        let version = spdx_version(version)?;
        return Ok(Sbom::new(Format::Spdx, version, spdx::read::listed(parse(bytes, "SPDX")?)));
    }
    if probe.is_spdx3() {
        let (version, listed) = spdx3::read::listed(parse(bytes, "SPDX")?);
        return Ok(Sbom::new(Format::Spdx3, &version, listed));
    }
    if probe.is_syft() {
        let (version, listed) = syft::read::listed(parse(bytes, "Syft")?);
        return Ok(Sbom::new(Format::Syft, &version, listed));
    }
    if let Some(version) = probe.trivy.as_ref().and_then(serde_json::Value::as_u64) {
        if version != 2 {
            return Err(SbomError::Unsupported { found: format!("Trivy JSON of schema {version}") });
        }
        return Ok(Sbom::new(Format::Trivy, "2", trivy::read::listed(parse(bytes, "Trivy")?)));
    }
    Err(name_other(probe))
}

fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8], format: &'static str) -> Result<T, SbomError> {
    serde_json::from_slice(bytes).map_err(|error| SbomError::malformed(format, &error))
}

/// Says what a JSON document is that is no bill of materials of ours.
fn name_other(probe: &Probe<'_>) -> SbomError {
    let context = probe.context.as_ref().map(serde_json::Value::to_string).unwrap_or_default();
    let media_type = probe.media_type.as_deref().unwrap_or_default();
    if probe.payload_type.is_some() {
        SbomError::Signed { kind: "DSSE" }
    } else if media_type.starts_with("application/vnd.dev.sigstore.bundle") {
        SbomError::Signed { kind: "Sigstore bundle" }
    } else if context.contains("spdx.org/rdf/") {
        SbomError::Unsupported { found: "SPDX 3 other than 3.0".to_owned() }
    } else {
        SbomError::NotAnSbom { reason: "it has neither bomFormat nor spdxVersion".to_owned() }
    }
}

enum Syntax {
    Json,
    Xml,
    TagValue,
}

/// The syntax, by how it begins.
fn syntax(bytes: &[u8]) -> Result<Syntax, SbomError> {
    let unsupported = |found: &str| Err(SbomError::Unsupported { found: found.to_owned() });
    let bytes = bytes.trim_ascii_start();
    match bytes {
        [] => Err(SbomError::NotAnSbom { reason: "it is empty".to_owned() }),
        [b'{', ..] => Ok(Syntax::Json),
        [b'<', ..] => Ok(Syntax::Xml),
        [0x1f, 0x8b, ..] => unsupported("a gzip file"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => unsupported("a zstd file"),
        _ if bytes.starts_with(b"SPDXVersion:") || bytes.starts_with(b"#") => Ok(Syntax::TagValue),
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
    use assay_model::Explain as _;

    use super::*;

    #[test]
    fn other_formats_are_refused_by_name() {
        for (text, code, words) in [
            ("", "not-an-sbom", "empty"),
            ("<html/>", "not-an-sbom", "`html`"),
            ("<bom xmlns='http://cyclonedx.org/schema/bom/1.3'/>", "sbom-format-unsupported", "CycloneDX XML 1.3"),
            ("SPDXVersion: SPDX-2.1\n", "sbom-format-unsupported", "SPDX 2.1"),
            ("\u{1f}\u{8b}", "not-an-sbom", "not a JSON object"),
            ("[]", "not-an-sbom", "not a JSON object"),
            ("{}", "not-an-sbom", "neither"),
            (r#"{"bomFormat":"CycloneDX","specVersion":"1.3"}"#, "sbom-format-unsupported", "CycloneDX 1.3"),
            (r#"{"bomFormat":"CycloneDX"}"#, "sbom-format-unsupported", "without specVersion"),
            (r#"{"spdxVersion":"SPDX-2.1"}"#, "sbom-format-unsupported", "SPDX 2.1"),
            (r#"{"@context":"https://spdx.org/rdf/3.1/spdx-context.jsonld"}"#, "sbom-format-unsupported", "SPDX 3"),
            (r#"{"payloadType":"a","payload":"b"}"#, "sbom-not-verified", "DSSE"),
            (r#"{"SchemaVersion":1,"Results":[]}"#, "sbom-format-unsupported", "Trivy"),
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
