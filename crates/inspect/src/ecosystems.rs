//! The package ecosystems, one file each. A new one is its file, its `mod` line and its row in [`ALL`].

use assay_model::{Bound, EvidenceTier, Package, PackageType, Partial, Purl};
use serde_json::Value;

use crate::elf::Binary;
use crate::layer::Says;
use crate::limits::{CLAIMS, DEPENDENCIES, FIELD_BYTES, FIELDS, Limits};
use crate::merge::{LeftOut, Placed};
use crate::zip::capture::{Captured, Interest};

mod alpm;
mod apk;
mod automation;
mod beam;
mod binaries;
mod brew;
mod cargo_auditable;
mod cargo_lock;
mod conan;
mod conda;
mod debian;
mod dotnet;
mod elf_notes;
mod go_binary;
mod go_mod;
mod haskell;
mod images;
pub(crate) mod index;
mod java;
mod javascript;
mod jvm_manifests;
mod kernel;
mod licence_files;
mod lua;
mod mobile;
mod models;
mod nix;
mod node;
mod npm;
mod npm_lock;
mod ocaml;
mod opkg;
mod pattern;
mod perl;
mod php;
mod portage;
mod python;
mod python_locks;
mod r;
mod requirements;
mod rpm;
mod ruby;
mod runtimes;
mod sbom_files;

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
    &alpm::ALPM,
    &portage::PORTAGE,
    &opkg::OPKG,
    &conda::INSTALLED,
    &conda::ENVIRONMENT,
    &conda::LOCK,
    &ruby::INSTALLED,
    &ruby::LOCK,
    &php::INSTALLED,
    &php::LOCK,
    &dotnet::INSTALLED,
    &dotnet::Assemblies,
    &dotnet::LOCK,
    &dotnet::CONFIG,
    &r::INSTALLED,
    &r::LOCK,
    &lua::INSTALLED,
    &perl::INSTALLED,
    &perl::SNAPSHOT,
    &beam::APPLICATION,
    &beam::HEX,
    &beam::MIX,
    &beam::REBAR,
    &haskell::INSTALLED,
    &haskell::CABAL,
    &haskell::STACK,
    &ocaml::INSTALLED,
    &ocaml::LOCK,
    &nix::Nix,
    &brew::BREW,
    &brew::SNAP,
    &runtimes::JAVA,
    &runtimes::GO,
    &runtimes::ERLANG,
    &runtimes::WORDPRESS,
    &kernel::KERNEL,
    &kernel::MODULES,
    &models::GGUF,
    &models::SAFETENSORS,
    &sbom_files::SbomFiles,
    &elf_notes::ElfNotes,
    &elf_notes::NativeImages,
    &binaries::Binaries,
    &javascript::YARN,
    &javascript::PNPM,
    &javascript::BUN,
    &python_locks::TOML,
    &python_locks::PIPENV,
    &jvm_manifests::MAVEN,
    &jvm_manifests::GRADLE,
    &mobile::PUB,
    &mobile::SWIFT,
    &mobile::PODS,
    &conan::LOCK,
    &conan::CONANFILE,
    &automation::ACTIONS,
    &automation::TERRAFORM,
    &automation::HELM,
    &images::DOCKERFILE,
    &images::COMPOSE,
    &images::KUBERNETES,
    // Last: it completes what the others found.
    &licence_files::LicenceFiles,
];

/// Everything that is read, as the reference documentation lists it.
///
/// ```
/// assert!(assay_inspect::registry().any(|row| row.files.contains(&"Gemfile.lock")));
/// ```
pub fn registry() -> impl Iterator<Item = &'static About> {
    ALL.iter().map(|ecosystem| ecosystem.about())
}

/// Names of the programs and libraries that are known by the version in their executable.
pub fn known_programs() -> impl Iterator<Item = &'static str> {
    binaries::names()
}

/// What is inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What is installed in an image.
    Image,
    /// A directory of sources: what lockfiles declare counts, too.
    Directory,
}

/// What one row of the registry reads, as the reference documentation lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// What it finds: `Ruby gems`.
    pub name: &'static str,
    /// Files that are read, as patterns: `/` at the front anchors at the root, `*` stands for any part of a name, `**` for
    /// any number of directories. None where it is found in executables.
    pub files: &'static [&'static str],
    /// How strong a sign they are.
    pub tier: EvidenceTier,
    /// Whether they count everywhere, or in directories of sources only.
    pub scope: Scope,
}

impl About {
    /// A row for files that say what is installed.
    pub(crate) const fn installed(name: &'static str, tier: EvidenceTier, files: &'static [&'static str]) -> Self {
        Self { name, files, tier, scope: Scope::Image }
    }

    /// A row for lockfiles and manifests of sources.
    pub(crate) const fn declared(name: &'static str, files: &'static [&'static str]) -> Self {
        Self { name, files, tier: EvidenceTier::Declared, scope: Scope::Directory }
    }

    fn covers(&self, path: &str, scope: Scope) -> bool {
        (self.scope == Scope::Image || scope == Scope::Directory)
            && self.files.iter().any(|pattern| pattern::matches(pattern, path))
    }
}

/// A registry row that is nothing but files and the function that reads them.
pub(crate) struct Reader {
    pub(crate) about: About,
    pub(crate) read: fn(&File<'_>, &mut Found),
    /// Bytes at the beginning of a file that say everything; 0 where the whole file is needed.
    pub(crate) start: usize,
}

impl Reader {
    /// Files that say what is installed.
    pub(crate) const fn installed(
        name: &'static str,
        tier: EvidenceTier,
        files: &'static [&'static str],
        read: fn(&File<'_>, &mut Found),
    ) -> Self {
        Self { about: About::installed(name, tier, files), read, start: 0 }
    }

    /// Lockfiles and manifests of sources.
    pub(crate) const fn declared(
        name: &'static str,
        files: &'static [&'static str],
        read: fn(&File<'_>, &mut Found),
    ) -> Self {
        Self { about: About::declared(name, files), read, start: 0 }
    }
}

impl Ecosystem for Reader {
    fn about(&self) -> &About {
        &self.about
    }

    fn start(&self) -> usize {
        self.start
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        (self.read)(file, found);
    }
}

/// How packages of one kind are found.
pub(crate) trait Ecosystem: Sync {
    /// What it reads.
    fn about(&self) -> &About;

    /// Whether the file at this normalised path is to be read.
    fn wants(&self, path: &str, scope: Scope) -> bool {
        self.about().covers(path, scope)
    }

    /// Bytes at the beginning of a file that it needs; 0 where it needs all of them.
    fn start(&self) -> usize {
        0
    }

    /// Parses a file that it wanted.
    fn read(&self, _file: &File<'_>, _found: &mut Found) {}

    /// What it reads of the entries of zip archives, where it can do with that of a large one.
    fn interest(&self) -> Option<fn(&[u8]) -> Interest> {
        None
    }

    /// Parses a large zip archive of which the entries of [`Self::interest`] were kept.
    fn read_captured(&self, _path: &str, _file: &Captured, _limits: &Limits, _found: &mut Found) {}

    /// The package that a path names, whatever the file has in it. Its own path is the directory that names it.
    fn read_path(&self, _path: &str) -> Option<Package> {
        None
    }

    /// Looks into an executable.
    fn read_binary(&self, _path: &str, _binary: &Binary, _found: &mut Found) {}

    /// Puts together what several files of the merged image say.
    fn settle(&self, _facts: &mut Vec<Placed>, _left_out: &mut LeftOut) {}
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
    /// Names of packages that claim files.
    pub(crate) owners: Vec<String>,
    /// [`crate::path::ownership_key`] of each file that the packages claim, with the place of its owner in the list.
    pub(crate) owned: Vec<(u64, u32)>,
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

    /// Adds the files that a package claims, as [`crate::path::ownership_key`]s.
    pub(crate) fn claim(&mut self, file: &File<'_>, owner: &str, keys: impl Iterator<Item = u64>) {
        let mut keys = keys.fuse();
        let place = self.owners.len() as u32;
        self.owners.push(clip(owner));
        let room = CLAIMS.saturating_sub(self.owned.len());
        self.owned.extend(keys.by_ref().take(room).map(|key| (key, place)));
        if keys.next().is_some() {
            self.bound(file.path, Bound::Entries);
        }
    }

    /// The JSON document in a file of at most [`Limits::json_bytes`]; `None` where it is none, or too long.
    pub(crate) fn json(&mut self, file: &File<'_>) -> Option<Value> {
        if file.bytes.len() as u64 > file.limits.json_bytes {
            self.bound(file.path, Bound::Bytes);
            return None;
        }
        serde_json::from_slice(file.bytes).ok()
    }

    /// As [`Self::json`], and a file that is none is said to be damaged.
    pub(crate) fn whole_json(&mut self, file: &File<'_>) -> Option<Value> {
        let document = self.json(file);
        if document.is_none() && self.partial.is_empty() {
            self.malformed(file.path);
        }
        document
    }

    /// The TOML document in a file of at most [`Limits::json_bytes`]; a file that is none is said to be damaged.
    pub(crate) fn toml(&mut self, file: &File<'_>) -> Option<Value> {
        self.document(file, |text| toml::from_str(text).ok())
    }

    /// The first YAML document in a file of at most [`Limits::json_bytes`]; a file that is none is said to be damaged.
    pub(crate) fn yaml(&mut self, file: &File<'_>) -> Option<Value> {
        self.document(file, |text| yaml_documents(text)?.into_iter().next())
    }

    fn document(&mut self, file: &File<'_>, parse: impl FnOnce(&str) -> Option<Value>) -> Option<Value> {
        if file.bytes.len() as u64 > file.limits.json_bytes {
            self.bound(file.path, Bound::Bytes);
            return None;
        }
        let document = parse(&file.text());
        if document.is_none() {
            self.malformed(file.path);
        }
        document
    }

    /// Adds a package where one more has room.
    pub(crate) fn add(&mut self, file: &File<'_>, package: Package) {
        if !package.name.is_empty() && self.has_room(file) {
            self.packages.push(package);
        }
    }

    pub(crate) fn malformed(&mut self, what: &str) {
        self.partial.push(Partial { what: what.to_owned(), bound: Bound::Malformed });
    }

    pub(crate) fn bound(&mut self, what: &str, bound: Bound) {
        self.partial.push(Partial { what: what.to_owned(), bound });
    }
}

/// Nodes of one YAML text: the lockfile of a very large workspace has some hundred thousand.
const YAML_NODES: usize = 2_000_000;
/// Aliases of one YAML text: lockfiles have none, people's files a few.
const YAML_ALIASES: usize = 1000;

/// All documents of a YAML text; none where one of them is damaged.
pub(crate) fn yaml_documents(text: &str) -> Option<Vec<Value>> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: YAML_NODES, max_aliases: YAML_ALIASES },
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).ok()
}

/// The text at a key of a JSON, TOML or YAML object; empty where there is none.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The entries of the list at a key.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Keys and values of the object at a key.
pub(crate) fn object<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// The package of an image, named as in a manifest, that this place names.
pub(crate) fn image_package(reference: &str, path: &str) -> Option<Package> {
    images::image(reference, &File { path, bytes: &[], limits: &Limits::default() })
}

/// A package that the file declares.
pub(crate) fn declared(kind: PackageType, name: &str, version: &str, file: &File<'_>) -> Package {
    package(kind, name, version, EvidenceTier::Declared, file.path)
}

/// A package that the file says is installed.
pub(crate) fn installed(kind: PackageType, name: &str, version: &str, file: &File<'_>) -> Package {
    package(kind, name, version, EvidenceTier::Installed, file.path)
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
        PackageType::Npm
        | PackageType::Golang
        | PackageType::Composer
        | PackageType::Swift
        | PackageType::Brew
        | PackageType::Luarocks
        | PackageType::Github
        | PackageType::Docker
        | PackageType::Huggingface
        | PackageType::Generic => {
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
pub(crate) mod testing {
    use super::{Ecosystem, File, Found};
    use crate::limits::Limits;

    /// The keys of the files that packages claim.
    pub(crate) fn keys(found: &Found) -> Vec<u64> {
        found.owned.iter().map(|(key, _)| *key).collect()
    }

    /// What an ecosystem makes of a file.
    pub(crate) fn read(ecosystem: &dyn Ecosystem, path: &str, bytes: impl AsRef<[u8]>) -> Found {
        let mut found = Found::default();
        ecosystem.read(&File { path, bytes: bytes.as_ref(), limits: &Limits::default() }, &mut found);
        found
    }

    /// The same as sorted lines: `purl` or `purl -> needs, needs`. Nothing may be damaged.
    pub(crate) fn lines(ecosystem: &dyn Ecosystem, path: &str, bytes: impl AsRef<[u8]>) -> Vec<String> {
        let found = read(ecosystem, path, bytes);
        assert_eq!(found.partial, [], "{path}");
        let line = |package: &assay_model::Package| match package.depends_on.join(", ") {
            needs if needs.is_empty() => package.purl.to_string(),
            needs => format!("{} -> {needs}", package.purl),
        };
        let mut lines: Vec<String> = found.packages.iter().map(line).collect();
        lines.sort();
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that a pattern stands for.
    fn example(pattern: &str) -> String {
        pattern.trim_start_matches('/').replace("**", "some/place").replace('*', "x-1.0")
    }

    #[test]
    fn every_row_reads_the_files_that_it_lists() {
        for ecosystem in ALL {
            let about = ecosystem.about();
            for pattern in about.files {
                assert!(ecosystem.wants(&example(pattern), Scope::Directory), "{}: {pattern}", about.name);
                let everywhere = ecosystem.wants(&example(pattern), Scope::Image);
                assert_eq!(everywhere, about.scope == Scope::Image, "{}: {pattern}", about.name);
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        /// Bytes that lead deep into a format: its own punctuation, keys that parsers look for, and anything.
        #[test]
        fn every_parser_reads_or_refuses_anything(
            parts in proptest::collection::vec("[ -~\n]{1,12}|[\\[{]{1,3}[\"'a]|name|version|package|\\[\\[package\\]\\]\n|\"[a-z]*\": ?|: |\n  - |= \"|@npm:|<a>|%NAME%\n|\u{0}|\u{ff}", 0..40),
        ) {
            let bytes = parts.concat().into_bytes();
            for ecosystem in ALL {
                for pattern in ecosystem.about().files {
                    let found = testing::read(*ecosystem, &example(pattern), &bytes);
                    for package in &found.packages {
                        proptest::prop_assert!(package.name.len() <= FIELD_BYTES && !package.name.contains('\n'));
                        // What is written into documents can be read from them.
                        let purl = package.purl.to_string();
                        proptest::prop_assert!(!purl.contains(char::is_whitespace), "{}", purl);
                    }
                }
            }
        }
    }

    #[test]
    fn names_of_rows_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|ecosystem| ecosystem.about().name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

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
