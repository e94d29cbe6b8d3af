//! What Assay knows of a package and neither format has a field for: names and values, the same in both.
//!
//! CycloneDX keeps them as `properties`; SPDX 2 as lines of a package's `comment`, SPDX 3 of its `sourceInfo`. Names are in
//! the namespace `assay:`. What Trivy reads only under its own names is there a second time ([`of_source_for_trivy`]).

use std::collections::BTreeMap;

use assay_model::{Contents, Layer, OsRelease, Package, PackageType, Partial, SourcePackage};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{Deserialize, IntoDeserializer};
use serde::ser::Serialize;

/// File that names the package.
pub(crate) const PATH: &str = "assay:path";
/// How strong the sign is ([`assay_model::EvidenceTier`]).
pub(crate) const TIER: &str = "assay:tier";
/// On a package the digest of its layer; on the image one line a layer, bottom first: `digest diffID bytes`.
pub(crate) const LAYER: &str = "assay:layer";
/// Position of the package's layer, counted from 0 at the bottom.
pub(crate) const LAYER_INDEX: &str = "assay:layer:index";
/// Something that could not be read to its end: `bound what`. The list of components may be incomplete.
pub(crate) const PARTIAL: &str = "assay:partial";
/// Source package of a distribution package.
pub(crate) const SOURCE_NAME: &str = "assay:source:name";
/// Version of the source package.
pub(crate) const SOURCE_VERSION: &str = "assay:source:version";
/// Architecture, where the purl does not say it.
pub(crate) const ARCHITECTURE: &str = "assay:architecture";
/// One line for each `ID_LIKE` of the operating system.
pub(crate) const OS_LIKE: &str = "assay:os:id-like";

/// When in the life of the artifact its contents were looked at, where the format has no word for it.
pub(crate) const LIFECYCLE: &str = "assay:lifecycle";

/// A name and its value.
pub(crate) type Property = (&'static str, String);

/// The properties of a package.
pub(crate) fn of_package(package: &Package, contents: &Contents) -> Vec<Property> {
    let mut properties = Vec::new();
    if package.purl.qualifiers.get("arch") != package.architecture.as_ref() {
        properties.extend(package.architecture.clone().map(|architecture| (ARCHITECTURE, architecture)));
    }
    if let Some(index) = package.layer {
        properties.extend(contents.layers.get(index).map(|layer| (LAYER, layer.digest.to_string())));
        properties.push((LAYER_INDEX, index.to_string()));
    }
    properties.push((PATH, package.path.clone()));
    if let Some(source) = &package.source {
        properties.push((SOURCE_NAME, source.name.clone()));
        properties.push((SOURCE_VERSION, source.version.clone()));
    }
    properties.push((TIER, word(&package.tier)));
    properties
}

/// The properties of the root: its layers, and what could not be read.
pub(crate) fn of_root(contents: &Contents) -> Vec<Property> {
    let layers =
        contents.layers.iter().map(|layer| (LAYER, format!("{} {} {}", layer.digest, layer.diff_id, layer.size)));
    let partial =
        contents.partial.iter().map(|partial| (PARTIAL, format!("{} {}", word(&partial.bound), partial.what)));
    layers.chain(partial).collect()
}

/// The source package in the words that Trivy reads: without them it asks for vulnerabilities of the binary package, of
/// which distributions record none (aquasecurity/trivy, `pkg/sbom/core/bom.go`).
pub(crate) fn of_source_for_trivy(package: &Package) -> Vec<Property> {
    let Some(source) = &package.source else { return Vec::new() };
    let mut properties = vec![("aquasecurity:trivy:SrcName", source.name.clone())];
    let (epoch, rest) = source.version.split_once(':').unwrap_or(("", &source.version));
    // Alpine's revision stays with the version.
    let split = if package.kind == PackageType::Apk { None } else { rest.rsplit_once('-') };
    let (version, release) = split.unwrap_or((rest, ""));
    let parts = [
        ("aquasecurity:trivy:SrcVersion", version),
        ("aquasecurity:trivy:SrcRelease", release),
        ("aquasecurity:trivy:SrcEpoch", epoch),
    ];
    let stated = parts.into_iter().filter(|(_, value)| !value.is_empty());
    properties.extend(stated.map(|(name, value)| (name, value.to_owned())));
    properties
}

/// Begins SPDX's `sourceInfo` where it names a source package, as Trivy writes and reads it.
const BUILT_FROM: &str = "built package from: ";

/// The source package as SPDX's `sourceInfo`.
pub(crate) fn to_source_info(package: &Package) -> Option<String> {
    let source = package.source.as_ref()?;
    // What would end the field in one of SPDX's syntaxes is in the lines of the comment only.
    let plain = |text: &str| !text.contains(char::is_whitespace) && !text.contains("</");
    (plain(&source.name) && plain(&source.version)).then(|| format!("{BUILT_FROM}{} {}", source.name, source.version))
}

/// What a package's `comment` and `sourceInfo` say.
pub(crate) fn of_texts(comment: Option<&str>, source_info: Option<&str>) -> Properties {
    let lines = [comment, source_info].into_iter().flatten().collect::<Vec<_>>().join("\n");
    let mut properties = from_lines(&lines);
    if properties.source().is_none()
        && let Some((name, version)) = source_info.and_then(|text| text.strip_prefix(BUILT_FROM)?.split_once(' '))
    {
        properties.push(SOURCE_NAME.to_owned(), name.to_owned());
        properties.push(SOURCE_VERSION.to_owned(), version.trim().to_owned());
    }
    properties
}

/// The properties of the operating system.
pub(crate) fn of_os(os: &OsRelease) -> Vec<Property> {
    os.id_like.iter().map(|like| (OS_LIKE, like.clone())).collect()
}

/// Properties as read: a name may come more than once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties(BTreeMap<String, Vec<String>>);

impl Properties {
    /// Adds one.
    pub(crate) fn push(&mut self, name: String, value: String) {
        self.0.entry(name).or_default().push(value);
    }

    /// All names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The first value of a name.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    /// All values of a name, in order.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// The layers of the root. All or none: an index into an incomplete list would point at the wrong layer.
    pub(crate) fn layers(&self) -> Vec<Layer> {
        let layer = |text: &String| {
            let mut parts = text.split(' ');
            Some(Layer {
                digest: parts.next()?.parse().ok()?,
                diff_id: parts.next()?.parse().ok()?,
                size: parts.next()?.parse().ok()?,
                created_by: None,
            })
        };
        self.all(LAYER).iter().map(layer).collect::<Option<_>>().unwrap_or_default()
    }

    /// What the writer of the document could not read.
    pub(crate) fn partial(&self) -> impl Iterator<Item = Partial> {
        self.all(PARTIAL).iter().filter_map(|text| {
            let (bound, what) = text.split_once(' ')?;
            Some(Partial { what: what.to_owned(), bound: parse_word(bound)? })
        })
    }

    /// The source package of a distribution package.
    pub(crate) fn source(&self) -> Option<SourcePackage> {
        let name = self.first(SOURCE_NAME)?.to_owned();
        Some(SourcePackage { name, version: self.first(SOURCE_VERSION)?.to_owned() })
    }
}

/// The properties as lines `name=value`, for SPDX.
pub(crate) fn to_lines(properties: &[Property]) -> String {
    let line = |(name, value): &Property| {
        // `</text>` would end the field in SPDX's tag-value syntax.
        let value = value.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D");
        format!("{name}={}", value.replace("</", "%3C/"))
    };
    properties.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Reads back what [`to_lines`] wrote; other lines are somebody else's text.
pub(crate) fn from_lines(text: &str) -> Properties {
    let mut properties = Properties::default();
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if name.starts_with("assay:") {
            let value = value.replace("%0D", "\r").replace("%0A", "\n").replace("%3C", "<").replace("%25", "%");
            properties.push(name.to_owned(), value);
        }
    }
    properties
}

/// The word under which the model serialises a unit variant.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

/// The unit variant with this word.
pub(crate) fn parse_word<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    let deserializer: StrDeserializer<'de, Error> = text.into_deserializer();
    T::deserialize(deserializer).ok()
}

#[cfg(test)]
mod tests {
    use assay_model::{Bound, EvidenceTier};

    use super::*;

    #[test]
    fn words_are_those_of_the_model() {
        assert_eq!(word(&EvidenceTier::PackageDatabase), "package-database");
        assert_eq!(parse_word("archive-metadata"), Some(EvidenceTier::ArchiveMetadata));
        assert_eq!(parse_word::<Bound>("no-such-bound"), None);
    }

    #[test]
    fn lines_survive_line_breaks_and_percent_signs() {
        let written = to_lines(&[(PATH, "a%0Ab\nc=d\r".into()), (TIER, "declared".into())]);
        assert_eq!(written.lines().count(), 2);
        let read = from_lines(&format!("made by hand\nother=1\n{written}"));
        assert_eq!(read.first(PATH), Some("a%0Ab\nc=d\r"));
        assert_eq!(read.first(TIER), Some("declared"));
        assert_eq!(read.first("other"), None);
    }

    fn of(kind: PackageType, source: &str) -> Package {
        Package {
            kind,
            name: "libx".into(),
            version: "1".into(),
            source: Some(SourcePackage { name: "x".into(), version: source.into() }),
            architecture: None,
            licence: None,
            supplier: None,
            purl: assay_model::Purl::new(kind.purl_type(), None, "libx", Some("1")),
            tier: EvidenceTier::PackageDatabase,
            path: String::new(),
            digest: None,
            layer: None,
            depends_on: Vec::new(),
        }
    }

    #[test]
    fn trivy_is_told_the_source_package_in_its_parts() {
        let told = |kind, source: &str| -> Vec<String> {
            of_source_for_trivy(&of(kind, source)).into_iter().map(|(_, value)| value).collect()
        };
        assert_eq!(told(PackageType::Deb, "1:2.3-4-5+b1"), ["x", "2.3-4", "5+b1", "1"]);
        assert_eq!(told(PackageType::Deb, "20240101"), ["x", "20240101"]);
        assert_eq!(told(PackageType::Rpm, "5.1-6.el9"), ["x", "5.1", "6.el9"]);
        assert_eq!(told(PackageType::Apk, "1.2-r3"), ["x", "1.2-r3"]);
        let none = Package { source: None, ..of(PackageType::Deb, "1") };
        assert_eq!(of_source_for_trivy(&none), []);
    }

    #[test]
    fn the_sentence_about_a_source_package_is_written_and_read() {
        let text = to_source_info(&of(PackageType::Deb, "1:2.3-4")).unwrap();
        assert_eq!(text, "built package from: x 1:2.3-4");
        let source = of_texts(Some("by hand"), Some(&text)).source().unwrap();
        assert_eq!((source.name.as_str(), source.version.as_str()), ("x", "1:2.3-4"));
        for hostile in ["1\n2", "</text>", "a b"] {
            assert_eq!(to_source_info(&of(PackageType::Deb, hostile)), None);
        }
    }

    #[test]
    fn documents_that_kept_our_lines_in_the_other_field_are_read() {
        let lines = to_lines(&[(SOURCE_NAME, "x".into()), (SOURCE_VERSION, "2".into())]);
        assert_eq!(of_texts(None, Some(&lines)).source().unwrap().name, "x");
    }

    #[test]
    fn one_bad_layer_leaves_none() {
        let mut properties = Properties::default();
        properties.push(LAYER.into(), "sha256:0 sha256:1 2".into());
        assert_eq!(properties.layers(), []);
    }
}
