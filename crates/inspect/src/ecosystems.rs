//! The package ecosystems, one file each. A new one is its file, its `mod` line and its row in [`ALL`].

use assay_model::{Bound, EvidenceTier, Package, PackageType, Partial, Purl};

use crate::elf::Binary;
use crate::layer::Says;
use crate::limits::{CLAIMS, DEPENDENCIES, FIELD_BYTES, FIELDS, Limits};
use crate::merge::Placed;

mod apk;
mod cargo_auditable;
mod cargo_lock;
mod debian;
mod go_binary;
mod go_mod;
mod java;
mod node;
mod npm;
mod npm_lock;
mod python;
mod requirements;
mod rpm;

/// Every ecosystem, in the order in which their findings are made.
pub(crate) static ALL: &[&dyn Ecosystem] = &[
    &debian::Debian,
    &apk::Apk,
    &rpm::Rpm,
    &npm::Npm,
    &python::Python,
    &java::Java,
    &go_binary::GoBinary,
    &cargo_auditable::CargoAuditable,
    &node::Node,
    &cargo_lock::CargoLock,
    &npm_lock::NpmLock,
    &requirements::Requirements,
    &go_mod::GoMod,
];

/// What is inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What is installed in an image.
    Image,
    /// A directory of sources: what lockfiles declare counts, too.
    Directory,
}

/// How packages of one kind are found.
pub(crate) trait Ecosystem: Sync {
    /// Whether the file at this normalised path is to be read as a whole.
    fn wants(&self, _path: &str, _scope: Scope) -> bool {
        false
    }

    /// Parses a file that it wanted.
    fn read(&self, _file: &File<'_>, _found: &mut Found) {}

    /// Looks into an executable.
    fn read_binary(&self, _path: &str, _binary: &Binary, _found: &mut Found) {}

    /// Puts together what several files of the merged image say.
    fn settle(&self, _facts: &mut Vec<Placed>) {}
}

/// A file that a parser wanted.
pub(crate) struct File<'a> {
    pub(crate) path: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) limits: &'a Limits,
}

impl<'a> File<'a> {
    /// The content as text; what is not UTF-8 is replaced.
    pub(crate) fn text(&self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.bytes)
    }
}

/// What one file says.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) packages: Vec<Package>,
    /// [`crate::path::ownership_key`] of each file that the packages claim.
    pub(crate) owned: Vec<u64>,
    pub(crate) says: Vec<Says>,
    pub(crate) partial: Vec<Partial>,
}

impl Found {
    pub(crate) fn is_empty(&self) -> bool {
        self.packages.is_empty() && self.owned.is_empty() && self.says.is_empty() && self.partial.is_empty()
    }

    /// Whether one more package has room; where it has none, says so.
    pub(crate) fn has_room(&mut self, file: &File<'_>) -> bool {
        let has_room = self.packages.len() < file.limits.packages;
        if !has_room && self.partial.is_empty() {
            self.bound(file.path, Bound::Entries);
        }
        has_room
    }

    /// Adds the files that packages claim, as [`crate::path::ownership_key`]s.
    pub(crate) fn claim(&mut self, file: &File<'_>, keys: impl Iterator<Item = u64>) {
        let mut keys = keys.fuse();
        self.owned.extend(keys.by_ref().take(CLAIMS.saturating_sub(self.owned.len())));
        if keys.next().is_some() {
            self.bound(file.path, Bound::Entries);
        }
    }

    /// The JSON document in a file of at most [`Limits::json_bytes`]; `None` where it is none, or too long.
    pub(crate) fn json(&mut self, file: &File<'_>) -> Option<serde_json::Value> {
        if file.bytes.len() as u64 > file.limits.json_bytes {
            self.bound(file.path, Bound::Bytes);
            return None;
        }
        serde_json::from_slice(file.bytes).ok()
    }

    pub(crate) fn malformed(&mut self, what: &str) {
        self.partial.push(Partial { what: what.to_owned(), bound: Bound::Malformed });
    }

    pub(crate) fn bound(&mut self, what: &str, bound: Bound) {
        self.partial.push(Partial { what: what.to_owned(), bound });
    }
}

/// A package with what every ecosystem knows; the rest is filled in by the caller.
pub(crate) fn package(kind: PackageType, name: &str, version: &str, tier: EvidenceTier, path: &str) -> Package {
    let (name, version) = (clip(name), clip(version));
    let purl = purl(kind, &name, &version);
    Package {
        kind,
        name,
        version,
        source: None,
        architecture: None,
        licence: None,
        supplier: None,
        purl,
        tier,
        path: path.to_owned(),
        digest: None,
        layer: None,
        depends_on: Vec::new(),
    }
}

/// The purl of a name and version as the ecosystem writes them (purl-spec, type definitions). Distribution packages get
/// their namespace and qualifiers when layers are merged and the distribution is known.
fn purl(kind: PackageType, name: &str, version: &str) -> Purl {
    let (namespace, short) = match kind {
        PackageType::Npm | PackageType::Golang => {
            name.rsplit_once('/').map_or((None, name), |(namespace, short)| (Some(namespace), short))
        }
        PackageType::Maven => name.split_once(':').map_or((None, name), |(group, artifact)| (Some(group), artifact)),
        _ => (None, name),
    };
    match kind {
        PackageType::Golang => {
            let lower = |text: &str| text.to_lowercase();
            let version = if name == "stdlib" { version.trim_start_matches("go") } else { version };
            Purl::new("golang", namespace.map(lower).as_deref(), &lower(short), Some(version))
        }
        PackageType::Pypi => Purl::new("pypi", None, &pypi_name(name), Some(version)),
        _ => Purl::new(kind.purl_type(), namespace, short, Some(version)),
    }
}

/// PEP 503: lowercase, with runs of `-`, `_` and `.` as one `-`.
pub(crate) fn pypi_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.trim().chars() {
        if matches!(c, '-' | '_' | '.') {
            if !out.ends_with('-') {
                out.push('-');
            }
        } else {
            out.extend(c.to_lowercase());
        }
    }
    out
}

/// A field of a package: one line, no control characters, at most [`FIELD_BYTES`].
pub(crate) fn clip(text: &str) -> String {
    let text = text.trim();
    let mut end = text.len().min(FIELD_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text.to_owned() }
}

/// An optional field; empty and placeholder values are none.
pub(crate) fn optional(text: &str) -> Option<String> {
    let text = clip(text);
    (!text.is_empty() && !text.eq_ignore_ascii_case("unknown") && text != "(none)").then_some(text)
}

/// Sorted names without doubles, at most [`DEPENDENCIES`].
pub(crate) fn names(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let sorted: std::collections::BTreeSet<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
    sorted.into_iter().take(DEPENDENCIES).collect()
}

/// Reads `Key: value` paragraphs (Debian policy, section 5.1; the same form as RFC 822 headers): calls `each` with the
/// fields of one paragraph after the other. Continuation lines are joined by line feeds.
pub(crate) fn paragraphs(text: &str, mut each: impl FnMut(&[(&str, String)])) {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            if !fields.is_empty() {
                each(&fields);
                fields.clear();
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if fields.len() < FIELDS
            && let Some((key, value)) = line.split_once(':')
        {
            fields.push((key, value.trim().to_owned()));
        }
    }
    if !fields.is_empty() {
        each(&fields);
    }
}

/// The value of a field, whatever the case of its name.
pub(crate) fn field<'a>(fields: &'a [(&str, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purls_follow_their_type() {
        let of = |kind, name, version| purl(kind, name, version).to_string();
        assert_eq!(of(PackageType::Npm, "@babel/core", "7.0.0"), "pkg:npm/%40babel/core@7.0.0");
        assert_eq!(of(PackageType::Golang, "github.com/Azure/go", "v1.2.3"), "pkg:golang/github.com/azure/go@v1.2.3");
        assert_eq!(of(PackageType::Golang, "stdlib", "go1.22.1"), "pkg:golang/stdlib@1.22.1");
        assert_eq!(of(PackageType::Maven, "org.apache:batik", "1"), "pkg:maven/org.apache/batik@1");
        assert_eq!(of(PackageType::Pypi, "Zope.Interface", "5"), "pkg:pypi/zope-interface@5");
    }

    #[test]
    fn fields_are_one_bounded_line() {
        assert_eq!(clip(" a\u{1b}[31m\nb "), "a [31m b");
        assert_eq!(clip(&"é".repeat(2000)).len(), FIELD_BYTES);
        assert_eq!(optional("UNKNOWN"), None);
    }

    #[test]
    fn paragraphs_join_continuations() {
        let mut seen = Vec::new();
        paragraphs("A: 1\n x\n y\nB: 2\n\n\nA: 3", |fields| {
            seen.push((field(fields, "a").map(str::to_owned), field(fields, "B").map(str::to_owned)));
        });
        assert_eq!(seen, [(Some("1\nx\ny".into()), Some("2".into())), (Some("3".into()), None)]);
    }
}
