//! What is scanned: components around the bounds of the records, as a CycloneDX document that every scanner reads.

use std::collections::BTreeSet;

use assay_model::Purl;
use serde_json::{Value, json};

use super::records::{self, Records};

/// One package of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Component {
    /// Type of its purl.
    pub(super) kind: &'static str,
    /// As the records write it, with its namespace.
    pub(super) name: String,
    pub(super) version: String,
    /// The source package, where that is another: name and version.
    pub(super) source: Option<(String, String)>,
}

impl Component {
    pub(super) fn new(kind: &'static str, name: &str, version: &str) -> Self {
        Self { kind, name: name.to_owned(), version: version.to_owned(), source: None }
    }

    /// The name and the version that records are about.
    pub(super) fn looked_up(&self) -> (&str, &str) {
        let own = (self.name.as_str(), self.version.as_str());
        self.source.as_ref().map_or(own, |(name, version)| (name, version))
    }

    pub(super) fn purl(&self) -> String {
        let separator = if self.kind == "maven" { ':' } else { '/' };
        let (space, name) = match self.name.rsplit_once(separator) {
            Some((space, name)) => (Some(space), name),
            None if self.kind == "deb" => (Some("debian"), self.name.as_str()),
            None => (None, self.name.as_str()),
        };
        let version = if self.kind == "golang" { format!("v{}", self.version) } else { self.version.clone() };
        let mut purl = Purl::new(self.kind, space, name, Some(&version));
        if self.kind == "deb" {
            purl = purl.with_qualifier("arch", "amd64").with_qualifier("distro", "debian-12");
            if let Some((name, version)) = &self.source {
                let upstream = if *version == self.version { name.clone() } else { format!("{name}@{version}") };
                purl = purl.with_qualifier("upstream", &upstream);
            }
        }
        purl.to_string()
    }

    fn written(&self, number: usize) -> Value {
        let purl = self.purl();
        let parsed: Purl = purl.parse().unwrap();
        let mut component = json!({
            "type": "library", "bom-ref": format!("{purl}#{number}"), "name": parsed.name, "version": parsed.version,
            "purl": purl,
        });
        if let Some(space) = parsed.namespace.filter(|_| self.kind != "deb") {
            component["group"] = json!(space);
        }
        if self.kind == "deb" {
            let (name, version) = self.looked_up();
            let (epoch, rest) = version.split_once(':').map_or((None, version), |(epoch, rest)| (Some(epoch), rest));
            let (upstream, release) = rest.rsplit_once('-').map_or((rest, None), |(v, r)| (v, Some(r)));
            let mut properties = vec![("PkgType", "debian"), ("SrcName", name), ("SrcVersion", upstream)];
            properties.extend(release.map(|release| ("SrcRelease", release)));
            properties.extend(epoch.map(|epoch| ("SrcEpoch", epoch)));
            let named = |(name, value)| json!({"name": format!("aquasecurity:trivy:{name}"), "value": value});
            component["properties"] = properties.into_iter().map(named).collect();
        }
        component
    }
}

/// A document of components.
pub(super) fn document(components: &[Component]) -> Value {
    let mut listed: Vec<Value> =
        components.iter().enumerate().map(|(number, component)| component.written(number)).collect();
    if components.iter().any(|component| component.kind == "deb") {
        listed.push(json!({"type": "operating-system", "bom-ref": "os", "name": "debian", "version": "12"}));
    }
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": "root", "name": "synthetic"}},
        "components": listed,
    })
}

/// Components with versions around every bound of the records of a type, at most so many for each package.
pub(super) fn around(records: &Records, kind: &'static str, most: usize) -> Vec<Component> {
    let mut components = BTreeSet::new();
    for (name, about) in records.packages(kind) {
        let mut versions = BTreeSet::new();
        for entry in about.iter().flat_map(|record| record["affected"].as_array().unwrap()) {
            if records::normal(kind, entry["package"]["name"].as_str().unwrap()) != name {
                continue;
            }
            let bounds = records::ranges(entry)
                .flat_map(|range| records::events(range, records::scheme(kind)))
                .map(|(_, version)| version.to_owned());
            let listed: Vec<&str> =
                entry["versions"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let ends = [listed.first(), listed.last()];
            for bound in bounds.chain(ends.into_iter().flatten().map(|&version| version.to_owned())) {
                versions.extend(neighbours(kind, &bound));
            }
        }
        versions.retain(|version| records::scheme(kind).check(version).is_ok());
        let every = versions.len().div_ceil(most).max(1);
        let chosen = versions.into_iter().step_by(every);
        let spelt = about.iter().flat_map(|record| record["affected"].as_array().unwrap());
        let mut spelt = spelt.map(|entry| entry["package"]["name"].as_str().unwrap());
        let spelt = spelt.find(|other| records::normal(kind, other) == name).unwrap();
        components.extend(chosen.map(|version| Component::new(kind, spelt, &version)));
    }
    components.into_iter().collect()
}

/// A version, and others that lie close to it in the order of its ecosystem.
fn neighbours(kind: &str, version: &str) -> Vec<String> {
    let version = if version == "0" { if kind == "deb" { "0.1-1" } else { "0.0.1" } } else { version };
    let mut near = vec![version.to_owned()];
    // The last number of what comes before any word, one up and one down.
    let plain = version.find(|c: char| !c.is_ascii_digit() && c != '.').map_or(version, |at| &version[..at]);
    let (front, last) = plain.rsplit_once('.').map_or(("", plain), |(front, last)| (front, last));
    if let Ok(number) = last.parse::<u64>() {
        let with = |number: u64| if front.is_empty() { number.to_string() } else { format!("{front}.{number}") };
        near.push(with(number + 1));
        near.extend(number.checked_sub(1).map(with));
        if plain != version {
            near.push(plain.to_owned());
        }
    }
    let endings: &[&str] = match kind {
        "golang" if plain == version => &["-rc.1", "-0.20210101000000-0123456789ab", "+incompatible"],
        "pypi" if plain == version => &["rc1", ".dev0", ".post1", "+local.1"],
        "npm" | "cargo" if plain == version => &["-alpha.1", "+build.5"],
        "maven" => &["-SNAPSHOT", "-alpha-1", ".RELEASE", ".Final", "-jre", ".1"],
        "deb" => &["~rc1", "+b1", "+deb12u1", ".1"],
        _ => &[],
    };
    near.extend(endings.iter().map(|ending| format!("{version}{ending}")));
    if kind == "deb" && !version.contains(':') {
        near.push(format!("1:{version}"));
    }
    near
}

/// Binaries of Debian whose source has another name or another version.
pub(super) fn binaries() -> Vec<Component> {
    let binary = |name, version, source: &str, of: &str| Component {
        source: Some((source.to_owned(), of.to_owned())),
        ..Component::new("deb", name, version)
    };
    vec![
        binary("bash-static", "5.2.15-2+b13", "bash", "5.2.15-2"),
        binary("libc6", "2.36-9+deb12u14", "glibc", "2.36-9+deb12u14"),
        binary("libtinfo6", "6.4-4", "ncurses", "6.4-4"),
        binary("zlib1g", "1:1.2.13.dfsg-1", "zlib", "1:1.2.13.dfsg-1"),
        binary("libssl3", "3.0.11-1~deb12u1", "openssl", "3.0.11-1~deb12u1"),
        binary("libexpat1", "2.5.0-1+b1", "expat", "2.5.0-1"),
        binary("libgcc-s1", "12.2.0-13", "gcc-12", "12.2.0-13"),
    ]
}
