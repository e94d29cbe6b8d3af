//! The records, what they call one vulnerability, and what they say of a version: the algorithm of the OSV schema
//! (ossf.github.io/osv-schema, "Evaluation") on the raw JSON, the arbiter between the programs.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use assay_version::Scheme;
use serde_json::{Value, json};

use super::bill::Component;

/// The ecosystems of which records are compared, with the type of their purls.
pub(super) const ECOSYSTEMS: [(&str, &str); 6] = [
    ("Go", "golang"),
    ("PyPI", "pypi"),
    ("crates.io", "cargo"),
    ("npm", "npm"),
    ("Maven", "maven"),
    ("Debian:12", "deb"),
];

/// Records, by ecosystem and package.
pub(super) struct Records {
    pub(super) all: Vec<Value>,
    /// Positions in `all`, by the type of the purl and the name.
    about: HashMap<(&'static str, String), Vec<usize>>,
    /// The name that stands for all names of a vulnerability.
    names: HashMap<String, String>,
}

/// The type of the purls of an ecosystem's packages.
pub(super) fn purl_type(ecosystem: &str) -> Option<&'static str> {
    ECOSYSTEMS.iter().find(|(name, _)| *name == ecosystem).map(|(_, kind)| *kind)
}

/// A name as an ecosystem compares it.
pub(super) fn normal(kind: &str, name: &str) -> String {
    if kind == "pypi" { name.to_lowercase().replace(['_', '.'], "-") } else { name.to_owned() }
}

/// The order of versions of packages with these purls.
pub(super) fn scheme(kind: &str) -> Scheme {
    Scheme::for_purl_type(kind).unwrap()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

impl Records {
    /// Those in the repository.
    pub(super) fn sample() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/findings");
        let files = ["go", "pypi", "crates", "npm", "maven", "debian"].map(|name| folder.join(format!("{name}.jsonl")));
        Self::indexed(files.iter().flat_map(|path| lines(BufReader::new(std::fs::File::open(path).unwrap()))).collect())
    }

    /// All real ones of these ecosystems, where `ASSAY_DATA` (default `../shared/data` from the repository root) has them.
    pub(super) fn whole() -> Option<Self> {
        let root = std::env::var_os("ASSAY_DATA")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
        let files = ["go", "pypa", "rustsec"].map(|name| root.join(format!("osv/{name}.jsonl.zst")));
        let open = |path: &PathBuf| {
            let file = std::fs::File::open(path).ok()?;
            Some(lines(BufReader::new(zstd::stream::read::Decoder::new(file).unwrap())))
        };
        let read: Option<Vec<_>> = files.iter().map(open).collect();
        Some(Self::indexed(read?.into_iter().flatten().collect()))
    }

    fn indexed(all: Vec<Value>) -> Self {
        let mut about: HashMap<_, Vec<usize>> = HashMap::new();
        let mut groups = Groups::default();
        for (at, record) in all.iter().enumerate().filter(|(_, record)| record["withdrawn"].is_null()) {
            let id = record["id"].as_str().unwrap();
            groups.join(id, id);
            // Debian's records are about one vulnerability each, which they name as the upstream.
            let same = if id.starts_with("DEBIAN-CVE-") { &record["upstream"] } else { &record["aliases"] };
            for alias in texts(same) {
                groups.join(id, alias);
            }
            for affected in record["affected"].as_array().into_iter().flatten() {
                let package = &affected["package"];
                let Some(kind) = package["ecosystem"].as_str().and_then(purl_type) else { continue };
                let positions = about.entry((kind, normal(kind, package["name"].as_str().unwrap()))).or_default();
                if positions.last() != Some(&at) {
                    positions.push(at);
                }
            }
        }
        Self { all, about, names: groups.names() }
    }

    /// The name that stands for a vulnerability of any name.
    pub(super) fn vulnerability(&self, name: &str) -> String {
        self.names.get(name).map_or_else(|| name.to_owned(), Clone::clone)
    }

    /// The packages of a type that records are about, with the records.
    pub(super) fn packages(&self, kind: &str) -> BTreeMap<&str, Vec<&Value>> {
        let of_kind = self.about.iter().filter(|((other, _), _)| *other == kind);
        of_kind.map(|((_, name), at)| (name.as_str(), at.iter().map(|at| &self.all[*at]).collect())).collect()
    }

    /// What records say about a package under any of the names of a vulnerability: the record, and its `affected` entries.
    pub(super) fn about(&self, component: &Component, vulnerability: &str) -> Vec<(&Value, Vec<&Value>)> {
        let (name, _) = component.looked_up();
        let positions = self.about.get(&(component.kind, normal(component.kind, name)));
        let records = positions.into_iter().flatten().map(|at| &self.all[*at]);
        let same = records.filter(|record| self.vulnerability(record["id"].as_str().unwrap()) == vulnerability);
        same.map(|record| (record, affected(record, component))).collect()
    }

    /// The vulnerabilities that a component has by the records.
    pub(super) fn of(&self, component: &Component) -> BTreeSet<String> {
        let (name, version) = component.looked_up();
        let positions = self.about.get(&(component.kind, normal(component.kind, name))).into_iter().flatten();
        let records = positions.map(|at| &self.all[*at]);
        let holding = records
            .filter(|record| affected(record, component).iter().any(|entry| holds(entry, component.kind, version)));
        holding.map(|record| self.vulnerability(record["id"].as_str().unwrap())).collect()
    }
}

fn lines(reader: impl std::io::Read) -> Vec<Value> {
    BufReader::new(reader).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// The entries of a record about a component's package.
fn affected<'a>(record: &'a Value, component: &Component) -> Vec<&'a Value> {
    let (name, _) = component.looked_up();
    let entries = record["affected"].as_array().into_iter().flatten();
    let same = entries.filter(|entry| {
        let package = &entry["package"];
        package["ecosystem"].as_str().and_then(purl_type) == Some(component.kind)
            && normal(component.kind, package["name"].as_str().unwrap()) == normal(component.kind, name)
    });
    same.collect()
}

/// The events of a range as kind and version, in the order of versions.
pub(super) fn events(range: &Value, scheme: Scheme) -> Vec<(&str, &str)> {
    let list = range["events"].as_array().into_iter().flatten();
    let mut events: Vec<(&str, &str)> = list
        .flat_map(|event| event.as_object().unwrap())
        .map(|(kind, version)| (kind.as_str(), version.as_str().unwrap()))
        .collect();
    let order = |left: &str, right: &str| match (left, right) {
        ("0", "0") => Ordering::Equal,
        ("0", _) => Ordering::Less,
        (_, "0") => Ordering::Greater,
        _ => scheme.compare(left, right).unwrap(),
    };
    // What ends where the next begins is no gap, whichever is written first.
    let begins = |event: &(&str, &str)| event.0 == "introduced";
    events.sort_by(|left, right| order(left.1, right.1).then_with(|| begins(left).cmp(&begins(right))));
    events
}

/// The bounds of an `affected` entry that are versions.
pub(super) fn ranges(entry: &Value) -> impl Iterator<Item = &Value> {
    entry["ranges"].as_array().into_iter().flatten().filter(|range| range["type"] != "GIT")
}

/// Whether an `affected` entry holds a version, with what two ecosystems say beyond the schema:
/// - Go's `custom_ranges` bound the tags of a module whose plain range says "everything", which then is about commits without
///   any tag only (go.dev/doc/security/vuln/database), unless commits are bounds themselves; a plain range that says less is
///   taken at its word;
/// - Python's local builds (`1.13.1+cu117`) are their version to whatever does not name a local build itself (PEP 440,
///   "Local version identifiers", "Version matching").
pub(super) fn holds(entry: &Value, kind: &str, version: &str) -> bool {
    let public = version.split('+').next().filter(|_| kind == "pypi").unwrap_or(version);
    if texts(&entry["versions"]).any(|listed| listed == version || listed == public) {
        return true;
    }
    match custom_ranges(entry).filter(|_| kind == "golang") {
        Some(custom) => {
            let bounds = |range| events(range, scheme(kind));
            let commits = custom.iter().flat_map(bounds).any(|(_, bound)| bound.starts_with("0.0.0-"));
            let is_untagged = !commits && scheme(kind).compare(version, "0.0.1-0").unwrap().is_lt();
            in_any(custom.iter(), kind, version) || is_untagged && in_any(ranges(entry), kind, version)
        }
        None => in_any(ranges(entry), kind, version),
    }
}

/// Which tags are meant, where the plain range says "everything".
pub(super) fn custom_ranges(entry: &Value) -> Option<&Vec<Value>> {
    let everything = json!([{"introduced": "0"}]);
    let custom = entry["ecosystem_specific"]["custom_ranges"].as_array();
    custom.filter(|_| ranges(entry).all(|range| range["events"] == everything))
}

fn in_any<'a>(mut ranges: impl Iterator<Item = &'a Value>, kind: &str, version: &str) -> bool {
    ranges.any(|range| {
        let compare = |bound: &str| {
            let is_public = kind == "pypi" && !bound.contains('+');
            let version = version.split('+').next().filter(|_| is_public).unwrap_or(version);
            scheme(kind).compare(version, bound).unwrap()
        };
        let mut affected = false;
        for (event, bound) in events(range, scheme(kind)) {
            match event {
                "introduced" if bound == "0" || compare(bound).is_ge() => affected = true,
                "fixed" | "limit" if compare(bound).is_ge() => affected = false,
                "last_affected" if compare(bound).is_gt() => affected = false,
                _ => {}
            }
        }
        affected
    })
}

/// Names that are the same, transitively.
#[derive(Default)]
struct Groups {
    parent: HashMap<String, String>,
}

impl Groups {
    fn root(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while let Some(parent) = self.parent.get(&name).filter(|parent| **parent != name) {
            name.clone_from(parent);
        }
        name
    }

    fn join(&mut self, left: &str, right: &str) {
        let (left, right) = (self.root(left), self.root(right));
        self.parent.entry(left.clone()).or_insert_with(|| left.clone());
        self.parent.insert(right, left);
    }

    /// Each name with the first CVE of its group, else the first name of all.
    fn names(&self) -> HashMap<String, String> {
        let mut members: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for name in self.parent.keys() {
            members.entry(self.root(name)).or_default().insert(name);
        }
        let mut names = HashMap::new();
        for group in members.values() {
            let shown = group.iter().find(|name| name.starts_with("CVE-")).or(group.first()).unwrap();
            names.extend(group.iter().map(|name| ((*name).to_owned(), (*shown).to_owned())));
        }
        names
    }
}
