//! Risk: the order in which findings are worth somebody's time. docs/guide/risk.md explains it with examples.
//!
//! A score from 0 to 100 (kept in tenths) follows from how bad a vulnerability is, how likely somebody uses it, and where it is.
//! Every input is a factor with a name, and the factors are part of the answer. What is not known counts as neither good nor
//! bad. Integer arithmetic alone: the same inputs give the same score everywhere.
//!
//! ```text
//! p     = severity x threat x the product of all factors
//! score = 100 x p / (p + 0.35)
//! ```
//! The last line keeps scores below 100 without ties at the top: what is worse in any respect is always higher.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use assay_model::{EvidenceTier, FixState, Severity, VulnerabilityFinding};

/// Who can reach a workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposure {
    /// Reachable from the internet: a public load balancer, Ingress or Gateway leads to it.
    Internet,
    /// Reachable inside the cluster only.
    Cluster,
    /// Nothing connects to it: a batch job.
    Nothing,
    /// Not known.
    #[default]
    Unknown,
}

/// What a container may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privilege {
    /// Privileged, or with host namespaces or dangerous capabilities.
    Privileged,
    /// Root inside its own namespaces.
    Root,
    /// Another user.
    User,
    /// Not known.
    #[default]
    Unknown,
}

/// How much an environment, data or a service matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// Production; personal or secret data; a service that others depend on.
    High,
    /// Staging; internal data.
    Medium,
    /// Development; public data.
    Low,
    /// Not known.
    #[default]
    Unknown,
}

/// Where findings are. Labels and the inventory give it; the default knows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Who can reach it.
    pub exposure: Exposure,
    /// What it may do.
    pub privilege: Privilege,
    /// Production is high, staging medium, development low.
    pub environment: Weight,
    /// Sensitivity of the data that it handles.
    pub sensitivity: Weight,
    /// How much the business depends on it.
    pub criticality: Weight,
    /// Number of compensating controls that hold: default-deny network policy, read-only root, restricted seccomp, ...
    pub compensating_controls: u32,
    /// Number of layers that come from the base image, where known.
    pub base_layers: Option<usize>,
}

/// What is known of one finding beyond its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Whether its code was seen loaded by a running process.
    pub loaded: Option<bool>,
    /// Whether a vulnerable function is linked in, or called.
    pub reachable: Option<bool>,
}

/// A factor, and why it has its value.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Factor {
    /// What it is about, for example `exposure`.
    pub name: &'static str,
    /// The value, in words.
    pub why: String,
    /// In thousandths.
    pub thousandths: u32,
}

/// A score with everything that it was made from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Risk {
    /// 0 to 1000: tenths of 100.
    pub tenths: u16,
    /// In the order of the formula. Factors of 1 that say nothing are left out.
    pub factors: Vec<Factor>,
}

/// Middle of the curve, in thousandths of `p`.
const HALF: u64 = 350;

/// The risk of a finding.
pub fn risk(finding: &VulnerabilityFinding, r#use: Use, around: &Surroundings) -> Risk {
    let vulnerability = &finding.vulnerability;
    let mut factors = vec![severity(finding), threat(finding)];
    let mut add = |name: &'static str, why: &str, thousandths: u32| {
        if thousandths != 1000 {
            factors.push(Factor { name, why: why.to_owned(), thousandths });
        }
    };
    match &finding.fix {
        FixState::Fixed { .. } => add("fix", "there is one", 1100),
        FixState::NotFixed => {}
        FixState::WontFix => add("fix", "none will come", 900),
    }
    match finding.package.tier {
        EvidenceTier::PackageDatabase | EvidenceTier::Installed => {}
        EvidenceTier::ArchiveMetadata => add("evidence", "metadata inside an archive", 950),
        EvidenceTier::Declared => add("evidence", "declared, not seen installed", 600),
        EvidenceTier::Heuristic => add("evidence", "a name or pattern", 400),
    }
    match r#use.reachable {
        Some(true) => add("reachable", "a vulnerable function is linked in", 1200),
        Some(false) => add("reachable", "no vulnerable function is linked in", 300),
        None => {}
    }
    match r#use.loaded {
        Some(true) => add("run-time use", "its code was seen loaded", 1200),
        Some(false) => add("run-time use", "its code was never seen loaded", 400),
        None => {}
    }
    match around.exposure {
        Exposure::Internet => add("exposure", "reachable from the internet", 1400),
        Exposure::Cluster => add("exposure", "reachable inside the cluster only", 900),
        Exposure::Nothing => add("exposure", "nothing connects to it", 500),
        Exposure::Unknown => {}
    }
    match around.privilege {
        Privilege::Privileged => add("privilege", "privileged", 1250),
        Privilege::Root => add("privilege", "root", 1050),
        Privilege::User => add("privilege", "an ordinary user", 900),
        Privilege::Unknown => {}
    }
    for (name, weight, words) in [
        ("environment", around.environment, ["production", "staging", "development"]),
        ("sensitivity", around.sensitivity, ["sensitive data", "internal data", "public data"]),
        (
            "criticality",
            around.criticality,
            ["the business depends on it", "of some importance", "of little importance"],
        ),
    ] {
        let [high, medium, low] = words;
        match weight {
            Weight::High => add(name, high, 1200),
            Weight::Medium => add(name, medium, 950),
            Weight::Low => add(name, low, 700),
            Weight::Unknown => {}
        }
    }
    if around.compensating_controls > 0 {
        let thousandths = 1000_u32.saturating_sub(around.compensating_controls.saturating_mul(100)).max(600);
        add("compensating controls", &format!("{} hold", around.compensating_controls), thousandths);
    }
    if let (Some(base), Some(layer)) = (around.base_layers, finding.package.layer)
        && layer < base
    {
        add("base or ours", "in the base image, closed with its next update", 900);
    }
    if vulnerability.disputed {
        add("disputed", "its vendor says that it is none", 500);
    }
    let product = factors.iter().fold(1000_u64, |product, factor| product * u64::from(factor.thousandths) / 1000);
    let mut tenths = u16::try_from(1000 * product / (product + HALF)).unwrap_or(1000);
    if vulnerability.id.is_malware() {
        // Malicious code does harm by being there.
        tenths = 1000;
    }
    Risk { tenths, factors }
}

fn severity(finding: &VulnerabilityFinding) -> Factor {
    let vulnerability = &finding.vulnerability;
    // The word counts, since it follows the declared precedence; a score that agrees with it places it within its band.
    let (low, high, middle) = match vulnerability.severity {
        Severity::Critical => (90, 100, 95),
        Severity::High => (70, 89, 80),
        Severity::Medium => (40, 69, 55),
        Severity::Low => (1, 39, 25),
        Severity::Negligible => (0, 10, 5),
        // Nobody rated it: in the middle, so that it is looked at.
        Severity::Unknown => (50, 50, 50),
    };
    let score = vulnerability.score_tenths.unwrap_or(middle).clamp(low, high);
    let why = match vulnerability.score_tenths {
        Some(tenths) => format!("{}, CVSS {}.{}", vulnerability.severity, tenths / 10, tenths % 10),
        None => vulnerability.severity.to_string(),
    };
    Factor { name: "severity", why, thousandths: u32::from(score) * 10 }
}

fn threat(finding: &VulnerabilityFinding) -> Factor {
    let factor = |why: String, thousandths| Factor { name: "threat", why, thousandths };
    match (&finding.vulnerability.known_exploited, finding.vulnerability.exploit_prediction) {
        (Some(entry), _) if entry.ransomware => {
            factor(format!("used in ransomware campaigns (KEV, {})", entry.since), 1100)
        }
        (Some(entry), _) => factor(format!("known to be exploited (KEV, {})", entry.since), 1000),
        (None, Some(predicted)) => {
            // From 0.1 without any sign of interest to 0.9.
            let thousandths = 100 + predicted.probability_millionths.min(1_000_000) * 8 / 10_000;
            let percent = predicted.probability_millionths / 100;
            factor(
                format!("{}.{:02} % likely to be exploited within 30 days (EPSS)", percent / 100, percent % 100),
                thousandths,
            )
        }
        (None, None) => factor("no estimate".to_owned(), 300),
    }
}

/// One thing to do, and what it closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkItem {
    /// What to do.
    pub action: Action,
    /// Number of findings that it closes.
    pub closes: usize,
    /// Sum of their risks in tenths.
    pub risk_tenths: u64,
    /// The highest of them.
    pub highest_tenths: u16,
}

/// What closes findings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Take the base image's next update.
    UpdateBase,
    /// Update a package, at least to this version.
    Update {
        /// The package.
        package: String,
        /// The version that closes all of these.
        to: String,
    },
    /// No fix exists: mitigate, or accept with a reason.
    Mitigate {
        /// The package.
        package: String,
    },
}

/// The order of work: what closes the most risk with one change first.
pub fn order_of_work<'a>(
    findings: impl IntoIterator<Item = (&'a VulnerabilityFinding, &'a Risk)>,
    base_layers: Option<usize>,
) -> Vec<WorkItem> {
    let mut items: BTreeMap<(u8, String), (Vec<&'a VulnerabilityFinding>, u64, u16)> = BTreeMap::new();
    for (finding, risk) in findings {
        let package = &finding.package;
        let in_base = base_layers.is_some_and(|base| package.layer.is_some_and(|layer| layer < base));
        let fixed = matches!(finding.fix, FixState::Fixed { .. });
        let key = match (fixed, in_base) {
            (true, true) => (0, String::new()),
            (true, false) => (1, format!("{} {}", package.kind, package.name)),
            (false, _) => (2, format!("{} {}", package.kind, package.name)),
        };
        let item = items.entry(key).or_default();
        item.0.push(finding);
        item.1 += u64::from(risk.tenths);
        item.2 = item.2.max(risk.tenths);
    }
    let mut items: Vec<WorkItem> = items
        .into_iter()
        .filter_map(|((kind, _), (findings, risk_tenths, highest_tenths))| {
            let first = findings.first()?;
            let package = first.package.name.clone();
            let action = match kind {
                0 => Action::UpdateBase,
                1 => Action::Update { package, to: highest_fix(&findings) },
                _ => Action::Mitigate { package },
            };
            Some(WorkItem { action, closes: findings.len(), risk_tenths, highest_tenths })
        })
        .collect();
    // What cannot be fixed comes after everything that can.
    items.sort_by_key(|item| {
        (
            matches!(item.action, Action::Mitigate { .. }),
            Reverse((item.risk_tenths, item.highest_tenths)),
            item.action.clone(),
        )
    });
    items
}

/// The highest of the nearest fixes: it closes all of them.
fn highest_fix(findings: &[&VulnerabilityFinding]) -> String {
    let mut highest: Option<&String> = None;
    for finding in findings {
        let FixState::Fixed { versions } = &finding.fix else { continue };
        let Some(version) = versions.first() else { continue };
        let scheme = assay_version::Scheme::for_purl_type(crate::ecosystem::type_of(&finding.package));
        let higher = highest.is_none_or(|other| {
            scheme.is_some_and(|scheme| scheme.compare(version, other).is_ok_and(std::cmp::Ordering::is_gt))
        });
        if higher {
            highest = Some(version);
        }
    }
    highest.cloned().unwrap_or_default()
}
