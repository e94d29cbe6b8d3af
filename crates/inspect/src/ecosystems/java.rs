//! Java artifacts: the Maven coordinates in jars, wars and ears, also in archives inside them.
//!
//! Sources: Maven Archiver, "META-INF/maven/${groupId}/${artifactId}/pom.properties"; JAR File Specification, "JAR
//! Manifest"; Spring Boot, "The Executable Jar Format". Every coordinate that an archive names is listed (a shaded jar has
//! many); one without any is known by its manifest or its file name.

use assay_model::{Bound, Digest, EvidenceTier, Package, PackageType};

use super::{About, Ecosystem, File, Found, Scope, optional, package};
use crate::limits::Limits;
use crate::path;
use crate::zip::capture::{Captured, Interest};
use crate::zip::{Archive, Source, ZipError};

pub(crate) struct Java;

const MANIFEST: &[u8] = b"META-INF/MANIFEST.MF";
/// Bytes of one `pom.properties` or manifest.
const TEXT_BYTES: u64 = 1 << 20;

const ABOUT: About = About::installed("Java archives", EvidenceTier::ArchiveMetadata, &["*.jar", "*.war", "*.ear"]);

impl Ecosystem for Java {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn wants(&self, path: &str, _: Scope) -> bool {
        is_archive(path.as_bytes())
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let mut walk = Walk { limits: file.limits, found, nested: 0, entries: 0 };
        walk.archive(file.path, Source::Whole(file.bytes), 1);
    }

    fn interest(&self) -> Option<fn(&[u8]) -> Interest> {
        Some(interest)
    }

    fn read_captured(&self, path: &str, file: &Captured, limits: &Limits, found: &mut Found) {
        let mut walk = Walk { limits, found, nested: 0, entries: 0 };
        walk.archive(path, Source::Within { file, at: 0, length: file.length() }, 1);
    }
}

/// What is read of an entry with this name.
fn interest(name: &[u8]) -> Interest {
    if is_archive(name) {
        Interest::Archive
    } else if name == MANIFEST || is_pom_properties(name) {
        Interest::Content
    } else {
        Interest::None
    }
}

fn is_archive(name: &[u8]) -> bool {
    let extension = name.len().checked_sub(4).and_then(|at| name.get(at..)).unwrap_or_default();
    [b".jar", b".war", b".ear"].iter().any(|known| extension.eq_ignore_ascii_case(*known))
}

struct Walk<'a> {
    limits: &'a Limits,
    found: &'a mut Found,
    /// Bytes of nested archives that were inflated.
    nested: u64,
    entries: u64,
}

impl Walk<'_> {
    fn archive(&mut self, place: &str, source: Source<'_>, depth: u32) {
        let archive = match Archive::open(source) {
            Ok(archive) => archive,
            // A template or placeholder that is only called .jar.
            Err(ZipError::NotAnArchive) if source.slice(0, 2).is_some_and(|start| start != b"PK") => return,
            Err(_) => return self.found.malformed(place),
        };
        self.entries = self.entries.saturating_add(archive.announced());
        if self.entries > self.limits.archive_entries {
            return self.found.bound(place, Bound::Entries);
        }
        let mut coordinates = Vec::new();
        let mut manifest = Manifest::default();
        for entry in archive.entries() {
            let Ok(entry) = entry else { return self.found.malformed(place) };
            let is_manifest = entry.name == MANIFEST;
            if is_manifest || is_pom_properties(entry.name) {
                match archive.read(&entry, TEXT_BYTES) {
                    Ok(text) if is_manifest => manifest = Manifest::parse(&String::from_utf8_lossy(&text)),
                    Ok(text) => coordinates.extend(Coordinates::parse(&String::from_utf8_lossy(&text))),
                    Err(error) => self.unread(place, error),
                }
            } else if is_archive(entry.name) {
                let Some(name) = path::normalise(entry.name) else { continue };
                let place = format!("{place}!{name}");
                if depth >= self.limits.archive_depth {
                    self.found.bound(&place, Bound::Depth);
                    continue;
                }
                let room = self.limits.nested_bytes.saturating_sub(self.nested);
                let read = match archive.stored(&entry, room) {
                    Ok(Some(inner)) => {
                        self.nested(&place, inner, depth);
                        Ok(())
                    }
                    Ok(None) => {
                        archive.read(&entry, room).map(|inner| self.nested(&place, Source::Whole(&inner), depth))
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = read {
                    self.unread(&place, error);
                }
            }
        }
        let Some(digest) = source.digest() else { return self.found.malformed(place) };
        let packages = packages(place, coordinates, &manifest, digest);
        self.found.packages.extend(packages);
    }

    fn nested(&mut self, place: &str, inner: Source<'_>, depth: u32) {
        self.nested = self.nested.saturating_add(inner.length());
        self.archive(place, inner, depth + 1);
    }

    fn unread(&mut self, place: &str, error: ZipError) {
        match error {
            ZipError::TooLong => self.found.bound(place, Bound::Bytes),
            ZipError::NotAnArchive | ZipError::Damaged | ZipError::Unsupported => self.found.malformed(place),
        }
    }
}

fn is_pom_properties(name: &[u8]) -> bool {
    name.ends_with(b"/pom.properties") && memchr::memmem::find(name, b"META-INF/maven/").is_some()
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Coordinates {
    group: String,
    artifact: String,
    version: String,
}

impl Coordinates {
    /// Java properties: `key=value` or `key:value`.
    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            text.lines().rev().find_map(|line| {
                let rest = line.trim_start().strip_prefix(key)?.trim_start();
                let value = rest.strip_prefix(['=', ':'])?.trim();
                (!value.is_empty()).then(|| value.to_owned())
            })
        };
        Some(Self { group: value("groupId")?, artifact: value("artifactId")?, version: value("version")? })
    }
}

/// The main section of a manifest.
#[derive(Default)]
struct Manifest {
    title: Option<String>,
    version: Option<String>,
    symbolic_name: Option<String>,
    bundle_version: Option<String>,
    vendor_id: Option<String>,
    vendor: Option<String>,
    licence: Option<String>,
}

impl Manifest {
    fn parse(text: &str) -> Self {
        // A line that begins with a blank goes on with the one before.
        let unfolded = text.replace("\r\n", "\n").replace("\n ", "");
        let main = unfolded.split("\n\n").next().unwrap_or_default();
        let value = |key: &str| {
            main.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(key).then_some(value)
            })
        };
        let text = |key: &str| value(key).and_then(optional).filter(|value| !value.contains("${"));
        // Parameters follow names after a semicolon (OSGi Core, 3.2.3).
        let head = |key: &str| text(key).and_then(|value| optional(value.split(';').next().unwrap_or_default()));
        Self {
            title: text("Implementation-Title"),
            version: text("Implementation-Version"),
            symbolic_name: head("Bundle-SymbolicName"),
            bundle_version: text("Bundle-Version"),
            vendor_id: text("Implementation-Vendor-Id"),
            vendor: text("Implementation-Vendor").or_else(|| text("Bundle-Vendor")),
            licence: head("Bundle-License"),
        }
    }
}

fn packages(place: &str, mut coordinates: Vec<Coordinates>, manifest: &Manifest, digest: Digest) -> Vec<Package> {
    let file = place.rsplit(['/', '!']).next().unwrap_or_default();
    let stem = file.get(..file.len().saturating_sub(4)).unwrap_or_default();
    coordinates.sort();
    coordinates.dedup();
    let finish = |mut package: Package, is_main: bool| {
        if is_main {
            package.digest = Some(digest);
            package.licence.clone_from(&manifest.licence);
            package.supplier.clone_from(&manifest.vendor);
        }
        package
    };
    if coordinates.is_empty() {
        return unnamed(place, stem, manifest).map(|package| finish(package, true)).into_iter().collect();
    }
    let alone = coordinates.len() == 1;
    coordinates
        .into_iter()
        .map(|Coordinates { group, artifact, version }| {
            let is_main = alone
                || stem.strip_prefix(artifact.as_str()).is_some_and(|rest| rest.strip_prefix('-') == Some(&version));
            let name = format!("{group}:{artifact}");
            finish(package(PackageType::Maven, &name, &version, EvidenceTier::ArchiveMetadata, place), is_main)
        })
        .collect()
}

/// An archive without coordinates: its manifest, else its file name.
fn unnamed(place: &str, stem: &str, manifest: &Manifest) -> Option<Package> {
    let from_name = split_name(stem);
    let version = manifest.version.as_deref().or(manifest.bundle_version.as_deref());
    let is_word = |text: &&str| !text.is_empty() && !text.contains(char::is_whitespace);
    let symbolic = manifest.symbolic_name.as_deref();
    let (artifact, version, tier) = match (from_name, version) {
        (Some((artifact, version)), _) => (artifact, version, EvidenceTier::Heuristic),
        (None, Some(version)) => {
            let title = manifest.title.as_deref().filter(is_word);
            let artifact = title.or_else(|| symbolic.filter(is_word)).unwrap_or(stem);
            (artifact, version, EvidenceTier::ArchiveMetadata)
        }
        (None, None) => return None,
    };
    // Only what looks like a reversed domain is a group.
    let group = manifest.vendor_id.as_deref().filter(is_word).filter(|id| id.contains('.')).or_else(|| {
        symbolic.and_then(|name| name.strip_suffix(artifact)?.strip_suffix('.')).filter(|group| !group.is_empty())
    });
    let name = group.map_or_else(|| artifact.to_owned(), |group| format!("{group}:{artifact}"));
    (!artifact.is_empty()).then(|| package(PackageType::Maven, &name, version, tier, place))
}

/// `name-1.2.3` as name and version: the version begins at the first dash before a digit.
fn split_name(stem: &str) -> Option<(&str, &str)> {
    let at = stem
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|&at| at > 0 && stem.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit))?;
    Some((stem.get(..at)?, stem.get(at + 1..)?))
}

#[cfg(test)]
mod tests;
