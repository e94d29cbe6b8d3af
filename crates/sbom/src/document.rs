//! What a document is about, how it came to be, and writing it.

use std::io;

use assay_model::{Contents, Digest, Purl, Repository, Timestamp};
use serde::Serialize;

use crate::{cyclonedx, spdx};

/// A document format that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Format {
    /// CycloneDX JSON (ECMA-424); 1.6 is written.
    CycloneDx,
    /// SPDX JSON (ISO/IEC 5962); 2.3 is written.
    Spdx,
}

impl Format {
    /// The format's own name.
    pub fn name(self) -> &'static str {
        match self {
            Self::CycloneDx => "CycloneDX",
            Self::Spdx => "SPDX",
        }
    }

    /// Media type of its JSON form, as registered with IANA.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Spdx => "application/spdx+json",
        }
    }

    /// The in-toto predicate type under which it is attested (in-toto attestation, predicates `cyclonedx` and `spdx`).
    pub fn predicate_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "https://cyclonedx.org/bom",
            Self::Spdx => "https://spdx.dev/Document",
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
    match format {
        Format::CycloneDx => {
            serde_json::to_writer_pretty(&mut output, &cyclonedx::write::bom(contents, root, generation)?)?;
        }
        Format::Spdx => {
            serde_json::to_writer_pretty(&mut output, &spdx::write::document(contents, root, generation)?)?;
        }
    }
    output.write_all(b"\n")
}

/// The document's identity: a UUID of version 8 (RFC 9562, section 5.8) whose free bits are the first ones of the SHA-256
/// over format, root, tool version, phase and contents.
///
/// Version 5 would do the same with SHA-1. The time is left out: the same contents described again are the same document.
pub(crate) fn identity(
    contents: &Contents,
    root: &Root,
    generation: &Generation<'_>,
    format: Format,
) -> io::Result<String> {
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
            identity(&contents, &Root::directory("a"), &generation(), Format::CycloneDx),
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
