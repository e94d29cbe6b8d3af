//! What a document is about, how it came to be, and writing it.

use std::collections::{BTreeSet, HashSet};
use std::io;

use assay_model::{Contents, Digest, Layer, Package, PackageType, Purl, Repository, Timestamp};
use serde::Serialize;

use crate::licence::Licence;
use crate::{cyclonedx, spdx, spdx3, syft, trivy};

/// A version of CycloneDX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum CycloneDxVersion {
    /// 1.4: no life cycle, no place of a component.
    V1_4,
    /// 1.5.
    V1_5,
    /// 1.6 (ECMA-424).
    #[default]
    V1_6,
    /// 1.7.
    V1_7,
}

impl CycloneDxVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::V1_4, Self::V1_5, Self::V1_6, Self::V1_7];

    /// As documents write it: `1.6`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_4 => "1.4",
            Self::V1_5 => "1.5",
            Self::V1_6 => "1.6",
            Self::V1_7 => "1.7",
        }
    }

    /// The version that documents write like this.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }
}

/// A document format, read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Format {
    /// CycloneDX JSON.
    CycloneDx(CycloneDxVersion),
    /// CycloneDX XML.
    CycloneDxXml(CycloneDxVersion),
    /// SPDX JSON (ISO/IEC 5962); 2.3 is written, 2.2 is read, too.
    Spdx,
    /// SPDX tag-value, the same content as lines.
    SpdxTagValue,
    /// SPDX 3.0 JSON-LD; 3.0.1 is written.
    Spdx3,
    /// Syft's own JSON. It has no field for who supplies a package.
    Syft,
    /// Trivy's own JSON. It has no field for who supplies a package of a language.
    Trivy,
}

impl Format {
    /// CycloneDX JSON of the version that is written where none is asked for.
    pub const CYCLONEDX: Self = Self::CycloneDx(CycloneDxVersion::V1_6);

    /// The format's own name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CycloneDx(_) => "CycloneDX",
            Self::CycloneDxXml(_) => "CycloneDX XML",
            Self::Spdx => "SPDX",
            Self::SpdxTagValue => "SPDX tag-value",
            Self::Spdx3 => "SPDX 3",
            Self::Syft => "Syft JSON",
            Self::Trivy => "Trivy JSON",
        }
    }

    /// Its media type, as registered with IANA where it is.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx(_) => "application/vnd.cyclonedx+json",
            Self::CycloneDxXml(_) => "application/vnd.cyclonedx+xml",
            Self::Spdx => "application/spdx+json",
            Self::SpdxTagValue => "text/spdx",
            Self::Spdx3 => "application/ld+json",
            Self::Syft => "application/vnd.syft+json",
            Self::Trivy => "application/json",
        }
    }

    /// The in-toto predicate type under which it is attested (in-toto attestation, predicates `cyclonedx` and `spdx`).
    pub fn predicate_type(self) -> &'static str {
        match self {
            Self::CycloneDx(_) | Self::CycloneDxXml(_) => "https://cyclonedx.org/bom",
            Self::Spdx | Self::SpdxTagValue | Self::Spdx3 => "https://spdx.dev/Document",
            Self::Syft => "https://syft.dev/bom",
            Self::Trivy => "https://cosign.sigstore.dev/attestation/v1",
        }
    }
}

/// The artifact that a document describes: the root of its graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Root {
    /// Name for people: repository and tag, or the directory's name.
    pub name: String,
    /// Version for people; an image without one gets its digest.
    pub version: Option<String>,
    /// Manifest digest of an image; a directory has none.
    pub digest: Option<Digest>,
    /// Package URL of an image.
    pub purl: Option<Purl>,
}

impl Root {
    /// An image: its purl is `pkg:oci/name@digest` with the repository as qualifier (purl-spec, type `oci`).
    pub fn image(repository: &Repository, digest: Digest, tag: Option<&str>) -> Self {
        let path = repository.path();
        let name = path.rsplit('/').next().unwrap_or(path);
        let purl = Purl::new("oci", None, name, Some(&digest.to_string()))
            .with_qualifier("repository_url", &repository.to_string())
            .with_qualifier("tag", tag.unwrap_or_default());
        Self {
            name: repository.to_string(),
            version: Some(tag.map_or_else(|| digest.to_string(), str::to_owned)),
            digest: Some(digest),
            purl: Some(purl),
        }
    }

    /// A directory, archive or file that has no digest of its own.
    pub fn directory(name: &str) -> Self {
        Self { name: name.to_owned(), version: None, digest: None, purl: None }
    }

    /// Whether it is an image.
    pub(crate) fn is_image(&self) -> bool {
        self.digest.is_some()
    }
}

/// When in the life of the artifact the contents were looked at ("generation context" of the CISA minimum elements).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Lifecycle {
    /// From sources and lockfiles.
    PreBuild,
    /// While it was built.
    Build,
    /// From the finished artifact.
    PostBuild,
}

impl Lifecycle {
    /// The phase's name in CycloneDX (`metadata.lifecycles[].phase`).
    pub fn phase(self) -> &'static str {
        match self {
            Self::PreBuild => "pre-build",
            Self::Build => "build",
            Self::PostBuild => "post-build",
        }
    }

    /// The one with this name; CycloneDX has others, which say nothing about how the contents were found.
    pub(crate) fn of_phase(phase: &str) -> Option<Self> {
        [Self::PreBuild, Self::Build, Self::PostBuild].into_iter().find(|lifecycle| lifecycle.phase() == phase)
    }
}

/// How a document came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation<'a> {
    /// Version of Assay.
    pub tool_version: &'a str,
    /// Time to state: `SOURCE_DATE_EPOCH`, the image's `created`, or now. Whole seconds are written.
    pub created: Timestamp,
    /// When in the life of the artifact its contents were looked at.
    pub lifecycle: Lifecycle,
}

impl Generation<'_> {
    /// RFC 3339 in UTC and whole seconds, the only form SPDX 2.3 allows (clause 6.9).
    pub(crate) fn created(&self) -> String {
        self.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// Writes `contents` of `root` to `output`, indented by two spaces and ending in a newline.
///
/// The same arguments give the same bytes. Errors are those of `output`.
pub fn write(
    mut output: impl io::Write,
    contents: &Contents,
    root: &Root,
    generation: &Generation<'_>,
    format: Format,
) -> io::Result<()> {
    let contents = &held(contents);
    let identity = identity(contents, root, generation, format)?;
    match format {
        Format::CycloneDx(version) => {
            let bom = cyclonedx::write::bom(contents, root, generation, version, &identity);
            serde_json::to_writer_pretty(&mut output, &bom)?;
        }
        Format::CycloneDxXml(version) => {
            let bom = cyclonedx::write::bom(contents, root, generation, version, &identity);
            return output.write_all(cyclonedx::xml::write(&bom).as_bytes());
        }
        Format::Spdx => {
            serde_json::to_writer_pretty(&mut output, &spdx::write::document(contents, root, generation, &identity))?;
        }
        Format::SpdxTagValue => {
            let document = spdx::write::document(contents, root, generation, &identity);
            return output.write_all(spdx::tag_value::write(&document).as_bytes());
        }
        Format::Spdx3 => {
            serde_json::to_writer_pretty(&mut output, &spdx3::write::document(contents, root, generation, &identity))?;
        }
        Format::Syft => serde_json::to_writer_pretty(&mut output, &syft::write::report(contents, root, generation))?,
        Format::Trivy => serde_json::to_writer_pretty(&mut output, &trivy::write::report(contents, root, generation))?,
    }
    output.write_all(b"\n")
}

/// What a document holds of contents, in one order: packages once, each with the needs that can be met, and what was not
/// read. The same contents give the same document however they came to be, and what is read from one gives it again.
fn held(contents: &Contents) -> Contents {
    let names: HashSet<(PackageType, &str)> =
        contents.packages.iter().map(|package| (package.kind, package.name.as_str())).collect();
    let package = |package: &Package| {
        let mut package = package.clone();
        let (kind, own) = (package.kind, package.name.clone());
        package.depends_on.retain(|name| *name != own && names.contains(&(kind, name.as_str())));
        package.depends_on.sort();
        package.depends_on.dedup();
        package.licence = package.licence.as_deref().and_then(Licence::of).map(|licence| licence.text().to_owned());
        package
    };
    let packages: BTreeSet<Package> = contents.packages.iter().map(package).collect();
    let partial: BTreeSet<_> = contents.partial.iter().cloned().collect();
    let layers = contents.layers.iter().map(|layer| Layer { created_by: None, ..layer.clone() }).collect();
    Contents {
        os: contents.os.clone(),
        packages: packages.into_iter().collect(),
        layers,
        partial: partial.into_iter().collect(),
        ..Contents::default()
    }
}

/// The document's identity: a UUID of version 8 (RFC 9562, section 5.8) whose free bits are the first ones of the SHA-256
/// over format, root, tool version, phase and contents.
///
/// Version 5 would do the same with SHA-1. The time is left out: the same contents described again are the same document.
fn identity(contents: &Contents, root: &Root, generation: &Generation<'_>, format: Format) -> io::Result<String> {
    let input = (format, root, generation.tool_version, generation.lifecycle, contents);
    let digest = Digest::of(&serde_json::to_vec(&input)?);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation() -> Generation<'static> {
        Generation {
            tool_version: "0.1.0",
            created: "2026-11-21T08:00:00.75Z".parse().unwrap(),
            lifecycle: Lifecycle::PostBuild,
        }
    }

    #[test]
    fn the_identity_is_a_version_8_uuid_of_what_is_described() {
        let contents = Contents::default();
        let one = identity(&contents, &Root::directory("a"), &generation(), Format::Spdx).unwrap();
        assert_eq!((one.len(), &one[14..15]), (36, "8"));
        assert!("89ab".contains(&one[19..20]), "variant 10: {one}");

        let later = Generation { created: "2027-01-01T00:00:00Z".parse().unwrap(), ..generation() };
        assert_eq!(identity(&contents, &Root::directory("a"), &later, Format::Spdx).unwrap(), one);
        for other in [
            identity(&contents, &Root::directory("b"), &generation(), Format::Spdx),
            identity(&contents, &Root::directory("a"), &generation(), Format::CYCLONEDX),
            identity(&Contents { files: 1, ..contents.clone() }, &Root::directory("a"), &generation(), Format::Spdx),
        ] {
            assert_ne!(other.unwrap(), one);
        }
    }

    #[test]
    fn times_are_written_in_whole_seconds() {
        assert_eq!(generation().created(), "2026-11-21T08:00:00Z");
    }

    #[test]
    fn an_image_is_named_by_its_repository_and_digest() {
        let repository = Repository::new("registry.example.com", "payments/api").unwrap();
        let root = Root::image(&repository, Digest::of(b"manifest"), Some("1.18"));
        assert_eq!(root.name, "registry.example.com/payments/api");
        let purl = root.purl.unwrap().to_string();
        assert!(purl.starts_with("pkg:oci/api@sha256:"), "{purl}");
        assert!(purl.ends_with("?repository_url=registry.example.com%2Fpayments%2Fapi&tag=1.18"), "{purl}");
    }
}
