//! CSAF 2.0 (OASIS, csaf-v2.0) as Red Hat, SUSE and openSUSE publish advisories and VEX: products, and what each vulnerability
//! does to them.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::Purl;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Affected, MAX_ENTRIES, malformed, not_affected, until};
use crate::osv::{self, Record};
use crate::source::SourceError;

const FEED: &str = "CSAF document";
/// Deepest nesting of branches. Real ones have five.
const MAX_DEPTH: usize = 32;

#[derive(Deserialize)]
struct Document {
    document: Head,
    #[serde(default)]
    product_tree: Tree,
    #[serde(default)]
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Head {
    tracking: Tracking,
    #[serde(default)]
    title: String,
    #[serde(default)]
    publisher: Publisher,
    #[serde(default)]
    aggregate_severity: Option<Word>,
}

#[derive(Default, Deserialize)]
struct Publisher {
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
struct Word {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Tracking {
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    current_release_date: String,
    #[serde(default)]
    initial_release_date: String,
}

#[derive(Default, Deserialize)]
struct Tree {
    #[serde(default)]
    branches: Vec<Branch>,
    #[serde(default)]
    relationships: Vec<Relationship>,
    #[serde(default)]
    full_product_names: Vec<Product>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    branches: Vec<Branch>,
    #[serde(default)]
    product: Option<Product>,
}

#[derive(Clone, Deserialize)]
struct Product {
    product_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    product_identification_helper: Helper,
}

#[derive(Clone, Default, Deserialize)]
struct Helper {
    #[serde(default)]
    cpe: Option<String>,
    #[serde(default)]
    purl: Option<String>,
}

#[derive(Deserialize)]
struct Relationship {
    full_product_name: Product,
    product_reference: String,
    relates_to_product_reference: String,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default)]
    cve: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    notes: Vec<Word>,
    #[serde(default)]
    product_status: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    scores: Vec<Score>,
    #[serde(default)]
    threats: Vec<Statement>,
    #[serde(default)]
    remediations: Vec<Statement>,
    #[serde(default)]
    flags: Vec<Flag>,
}

#[derive(Deserialize)]
struct Score {
    #[serde(default)]
    cvss_v2: Option<Vector>,
    #[serde(default)]
    cvss_v3: Option<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(default, rename = "vectorString")]
    text: String,
}

#[derive(Deserialize)]
struct Statement {
    #[serde(default)]
    category: String,
    #[serde(default)]
    details: String,
    #[serde(default)]
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Flag {
    #[serde(default)]
    label: String,
    #[serde(default)]
    product_ids: Vec<String>,
}

/// A component of a product, as the pack names them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Component {
    ecosystem: String,
    name: String,
    /// `[epoch:]version-release`; none where the product is meant in all versions.
    version: Option<String>,
    module: Option<String>,
}

pub(super) fn records(name: &str, bytes: &[u8]) -> Result<Vec<Record>, SourceError> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| malformed(name, FEED, error))?;
    let components = components(name, &document.product_tree)?;
    let head = &document.document;
    let prefix = if head.publisher.namespace.contains("suse") { "SUSE" } else { "REDHAT" };
    let mut records = Vec::new();
    for vulnerability in &document.vulnerabilities {
        let Some(cve) = Some(vulnerability.cve.as_str()).filter(|cve| cve.starts_with("CVE-")) else { continue };
        let affected = affected(vulnerability, &components);
        if affected.is_empty() {
            continue;
        }
        // A VEX document is about one vulnerability and named after it; an advisory about many.
        let tracking = head.tracking.id.trim();
        let own = if tracking.starts_with("CVE-") {
            format!("{prefix}-{cve}")
        } else {
            format!("{}/{cve}", tracking.replace(' ', "-"))
        };
        let impact =
            vulnerability.threats.iter().find(|threat| threat.category == "impact").map(|threat| &threat.details);
        let word = impact.or(head.aggregate_severity.as_ref().map(|word| &word.text));
        records.push(Record {
            id: own,
            modified: head.tracking.current_release_date.clone(),
            published: head.tracking.initial_release_date.clone(),
            withdrawn: if head.tracking.status == "withdrawn" {
                head.tracking.current_release_date.clone()
            } else {
                String::new()
            },
            upstream: vec![cve.to_owned()],
            summary: if vulnerability.title.is_empty() { head.title.clone() } else { vulnerability.title.clone() },
            details: vulnerability.notes.first().map(|note| note.text.clone()).unwrap_or_default(),
            severity: severities(vulnerability),
            database_specific: json!({"severity": word}),
            affected,
            ..Record::default()
        });
    }
    Ok(records)
}

fn severities(vulnerability: &Vulnerability) -> Vec<osv::Severity> {
    let vector = |kind: &str, vector: &Option<Vector>| {
        vector.as_ref().map(|vector| osv::Severity { kind: kind.to_owned(), score: vector.text.clone() })
    };
    let scores = vulnerability.scores.iter();
    let mut all: Vec<osv::Severity> = scores
        .flat_map(|score| [vector("CVSS_V3", &score.cvss_v3), vector("CVSS_V2", &score.cvss_v2)])
        .flatten()
        .collect();
    all.dedup_by(|left, right| left.score == right.score);
    all
}

/// Every product identifier that means a component of a release.
fn components(name: &str, tree: &Tree) -> Result<BTreeMap<String, Component>, SourceError> {
    let mut products: BTreeMap<&str, &Product> = BTreeMap::new();
    let mut stack: Vec<(&Branch, usize)> = tree.branches.iter().map(|branch| (branch, 0)).collect();
    while let Some((branch, depth)) = stack.pop() {
        if depth > MAX_DEPTH {
            return Err(malformed(name, FEED, "branches are nested too deep"));
        }
        products.extend(branch.product.iter().map(|product| (product.product_id.as_str(), product)));
        stack.extend(branch.branches.iter().map(|branch| (branch, depth + 1)));
    }
    products.extend(tree.full_product_names.iter().map(|product| (product.product_id.as_str(), product)));
    if products.len().max(tree.relationships.len()) > MAX_ENTRIES {
        return Err(malformed(name, FEED, "more products than any document has"));
    }
    let mut components = BTreeMap::new();
    for relationship in &tree.relationships {
        let part = products.get(relationship.product_reference.as_str());
        let whole = products.get(relationship.relates_to_product_reference.as_str());
        let (Some(part), Some(whole)) = (part, whole) else { continue };
        if let (Some(ecosystem), Some((name, version, module))) = (ecosystem(whole), package(part)) {
            let component = Component { ecosystem, name, version, module };
            components.insert(relationship.full_product_name.product_id.clone(), component);
        }
    }
    Ok(components)
}

/// The ecosystem of a release, as OSV names it.
fn ecosystem(product: &Product) -> Option<String> {
    let cpe = product.product_identification_helper.cpe.as_deref().unwrap_or_default();
    // cpe:/o:redhat:enterprise_linux:9::baseos and cpe:/a:redhat:rhel_eus:9.2::appstream
    let red_hat = ["cpe:/o:redhat:", "cpe:/a:redhat:"].iter().find_map(|start| cpe.strip_prefix(start));
    if let Some(release) = red_hat {
        let release = if release.contains("::") { release.to_owned() } else { format!("{release}::") };
        return Some(format!("Red Hat:{release}"));
    }
    if let Some(rest) = product.name.strip_prefix("openSUSE ") {
        return Some(format!("openSUSE:{rest}"));
    }
    product.name.strip_prefix("SUSE ").map(|rest| format!("SUSE:{rest}"))
}

/// Name, version and module of a component: from its purl, else from `name-[epoch:]version-release.arch`.
fn package(product: &Product) -> Option<(String, Option<String>, Option<String>)> {
    if let Some(purl) = product.product_identification_helper.purl.as_deref().and_then(|text| text.parse::<Purl>().ok())
    {
        if purl.kind != "rpm" {
            return None;
        }
        let epoch = purl
            .qualifiers
            .get("epoch")
            .filter(|epoch| *epoch != "0")
            .map(|epoch| format!("{epoch}:"))
            .unwrap_or_default();
        let version = purl.version.map(|version| format!("{epoch}{version}"));
        let module =
            purl.qualifiers.get("rpmmod").map(|module| module.split(':').take(2).collect::<Vec<_>>().join(":"));
        return Some((purl.name, version, module));
    }
    let text = product.name.as_str();
    let without_arch = ["src", "x86_64", "aarch64", "noarch", "i586", "i686", "ppc64le", "s390x"]
        .iter()
        .find_map(|arch| text.strip_suffix(arch)?.strip_suffix('.'))
        .unwrap_or(text);
    let mut parts = without_arch.rsplitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(release), Some(version), Some(name))
            if version.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() =>
        {
            Some((name.to_owned(), Some(format!("{version}-{release}")), None))
        }
        _ => (!text.is_empty() && !text.contains(char::is_whitespace)).then(|| (text.to_owned(), None, None)),
    }
}

fn affected(vulnerability: &Vulnerability, components: &BTreeMap<String, Component>) -> Vec<osv::Affected> {
    let of = |status: &str| -> BTreeSet<&Component> {
        vulnerability.product_status.get(status).into_iter().flatten().filter_map(|id| components.get(id)).collect()
    };
    let mut affected = Vec::new();
    let mut push = |component: &Component, fixed: Option<&str>, mut specific: Value| {
        if let (Some(module), Some(map)) = (&component.module, specific.as_object_mut()) {
            map.insert("module".to_owned(), json!(module));
        }
        let ecosystem = component.ecosystem.clone();
        affected.push(Affected { ecosystem, name: &component.name, events: until(fixed), specific }.into_osv());
    };
    for component in of("fixed").into_iter().chain(of("first_fixed")).chain(of("recommended")) {
        if component.version.is_some() {
            push(component, component.version.as_deref(), json!({}));
        }
    }
    let never: BTreeSet<&str> = vulnerability
        .remediations
        .iter()
        .filter(|remediation| remediation.category == "no_fix_planned")
        .flat_map(|remediation| remediation.product_ids.iter().map(String::as_str))
        .collect();
    for status in ["known_affected", "under_investigation"] {
        for id in vulnerability.product_status.get(status).into_iter().flatten() {
            if let Some(component) = components.get(id) {
                let fix = if never.contains(id.as_str()) { json!({"fix": "will-not-fix"}) } else { json!({}) };
                push(component, None, fix);
            }
        }
    }
    for id in vulnerability.product_status.get("known_not_affected").into_iter().flatten() {
        if let Some(component) = components.get(id) {
            let flag = vulnerability.flags.iter().find(|flag| flag.product_ids.contains(id));
            push(component, None, not_affected(&flag.map(|flag| flag.label.replace('_', " ")).unwrap_or_default()));
        }
    }
    affected
}
