//! `assay trace` and `assay explain`: custody step by step, and why a decision fell so.

use std::sync::Arc;

use assay_inspect::ANALYSER;
use assay_model::{Digest, Timestamp};
use assay_store::{DecisionRecord, InventoryRow, LedgerEvent, Store};
use assay_trust::{Evidence, EvidenceKind, Predicate, Signer};
use serde::Serialize;

use super::{database, policies};
use crate::Result;
use crate::failure::CliError;
use crate::render::count;
use crate::session::Session;

/// Shortest beginning of a digest that is looked up, in hexadecimal digits.
const DIGITS_MIN: usize = 4;

/// How well a link of custody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// There is evidence.
    Proven,
    /// There is evidence that something is wrong, or that nothing vouches.
    Gap,
    /// Nobody looked.
    Unknown,
}

/// The custody of one digest.
#[derive(Debug, Serialize)]
pub(crate) struct TraceOutcome {
    /// The digest.
    pub(crate) digest: Digest,
    /// Repositories it runs from.
    pub(crate) repositories: Vec<String>,
    /// The links, from source to Pod.
    pub(crate) steps: Vec<TraceStep>,
}

/// One link.
#[derive(Debug, Serialize)]
pub(crate) struct TraceStep {
    /// Its name.
    pub(crate) step: &'static str,
    /// How well it is known.
    pub(crate) standing: Standing,
    /// What is known.
    pub(crate) what: String,
    /// By what, or how to find out.
    pub(crate) by: String,
}

/// A decision, explained.
#[derive(Debug, Serialize)]
pub(crate) struct ExplainOutcome {
    /// The decision.
    pub(crate) decision: DecisionRecord,
}

/// Traces a digest or what a Pod runs.
pub(crate) fn trace(what: &str, session: &Session<'_>) -> Result<TraceOutcome> {
    let store = session.asked_store("assay scan, release and serve fill it")?;
    let digest = find_digest(what, &store)?;
    let policies = policies::load(session.settings)?;
    let mut evidence: Vec<Arc<Evidence>> = Vec::new();
    for material in &policies.materials {
        for found in store.evidence(digest, material.hash())? {
            if !evidence.iter().any(|other| other.source() == found.source()) {
                evidence.push(found);
            }
        }
    }
    let running = store.who_runs(&[digest].into())?;
    let mut steps = provenance(&evidence);
    steps.extend(artifact(digest, &evidence, &store, session)?);
    steps.push(vouched("sign", EvidenceKind::Signature, &evidence));
    steps.push(TraceStep {
        step: "publish",
        standing: Standing::Unknown,
        what: "whether the registry keeps tags fixed is not known".to_owned(),
        by: "not looked at".to_owned(),
    });
    steps.extend(promotions(digest, &store)?);
    steps.extend(admissions(digest, &running, &store)?);
    let mut repositories: Vec<String> =
        running.iter().filter_map(|row| row.repository.as_ref().map(ToString::to_string)).collect();
    repositories.sort();
    repositories.dedup();
    Ok(TraceOutcome { digest, repositories, steps })
}

/// A whole digest, the beginning of one that the store knows, or what a Pod's first container runs.
fn find_digest(what: &str, store: &Store) -> Result<Digest> {
    if let Ok(digest) = what.parse() {
        return Ok(digest);
    }
    let inventory = store.inventory()?;
    let hex = what.strip_prefix("sha256:").unwrap_or(what);
    let mut found: Vec<Digest> = if let Some((namespace, pod)) = what.split_once('/') {
        let of_pod = |row: &&InventoryRow| row.namespace == namespace && row.pod == pod;
        inventory.iter().filter(of_pod).filter_map(|row| row.digest).take(1).collect()
    } else if hex.len() >= DIGITS_MIN {
        let known = store.known_images()?.into_iter().chain(inventory.iter().filter_map(|row| row.digest));
        let released = store.releases()?.into_iter().map(|release| release.digest);
        known.chain(released).filter(|digest| digest.hex().starts_with(hex)).collect()
    } else {
        Vec::new()
    };
    found.sort();
    found.dedup();
    match found.as_slice() {
        [digest] => Ok(*digest),
        [] => Err(CliError::NotFound {
            what: what.to_owned(),
            suggestion: None,
            next: "a digest, its beginning, or NAMESPACE/POD as assay inventory list shows it".to_owned(),
        }
        .into()),
        several => Err(CliError::Usage {
            message: format!("{} digests begin with {what}", several.len()),
            next: "write more of it".to_owned(),
        }
        .into()),
    }
}

fn by_signer(evidence: &Evidence) -> String {
    match evidence.signer() {
        Signer::Key { .. } => format!("signed with {}", evidence.signer()),
        Signer::Keyless { subject, .. } | Signer::Certificate { subject, .. } => format!("signed by {subject}"),
    }
}

/// Source and build, from provenance and from what the certificate says of the run.
fn provenance(evidence: &[Arc<Evidence>]) -> Vec<TraceStep> {
    let unknown = |step| TraceStep {
        step,
        standing: Standing::Unknown,
        what: "no provenance that verified is known".to_owned(),
        by: "assay attest --type slsaprovenance1".to_owned(),
    };
    let found = evidence.iter().find_map(|own| match own.predicate() {
        Predicate::Provenance(provenance) => Some((own, provenance)),
        _ => None,
    });
    let Some((own, provenance)) = found else { return vec![unknown("source"), unknown("build")] };
    let source = provenance.source_repository.as_ref().map(|repository| {
        let commit = provenance.source_digest.as_deref().unwrap_or("unknown commit");
        let short: String = commit.chars().take(12).collect();
        format!("{repository}@{short} on {}", provenance.source_ref.as_deref().unwrap_or("unknown ref"))
    });
    let source = match source {
        Some(what) => TraceStep { step: "source", standing: Standing::Proven, what, by: by_signer(own) },
        None => unknown("source"),
    };
    let build = TraceStep {
        step: "build",
        standing: Standing::Proven,
        what: provenance.builder_id.clone(),
        by: by_signer(own),
    };
    vec![source, build]
}

/// What is in it and what is known of that today.
fn artifact(
    digest: Digest,
    evidence: &[Arc<Evidence>],
    store: &Store,
    session: &Session<'_>,
) -> Result<Vec<TraceStep>> {
    let Some((contents, at)) = store.contents(digest, ANALYSER)? else {
        let unknown = |step| TraceStep {
            step,
            standing: Standing::Unknown,
            what: "nobody has looked into it".to_owned(),
            by: "assay scan IMAGE".to_owned(),
        };
        return Ok(vec![unknown("artifact"), unknown("scan"), vouched("SBOM", EvidenceKind::Sbom, evidence)]);
    };
    let secrets = contents.secrets.len();
    let (standing, word) = match (contents.partial.is_empty(), secrets) {
        (true, 0) => (Standing::Proven, "no secrets found".to_owned()),
        (_, 1..) => (Standing::Gap, count(secrets, "secret")),
        (false, 0) => (Standing::Unknown, "not read to its end".to_owned()),
    };
    let packages = count(contents.packages.len(), "package");
    let artifact = TraceStep {
        step: "artifact",
        standing,
        what: format!("{packages}, {word}"),
        by: format!("inspected {}", day(at)),
    };
    let pack = database::open(session.settings.pack.value.as_deref())?;
    let findings = pack.match_contents(&contents, Timestamp::now())?;
    let counts = findings.counts();
    let bad = counts.critical > 0 || counts.known_exploited > 0;
    let scan = TraceStep {
        step: "scan",
        standing: if bad { Standing::Gap } else { Standing::Proven },
        what: format!("{} critical, {} high, {} exploited", counts.critical, counts.high, counts.known_exploited),
        by: format!("matched now, data until {}", day(findings.pack.data_until)),
    };
    Ok(vec![artifact, scan, vouched("SBOM", EvidenceKind::Sbom, evidence)])
}

fn vouched(step: &'static str, kind: EvidenceKind, evidence: &[Arc<Evidence>]) -> TraceStep {
    match evidence.iter().find(|own| own.kind() == kind) {
        Some(own) => {
            let what = match own.predicate() {
                Predicate::Sbom(summary) => count(summary.packages as usize, "package"),
                _ => own.signed_at().map_or_else(|| "time not proven".to_owned(), |at| format!("at {}", day(at))),
            };
            TraceStep { step, standing: Standing::Proven, what, by: by_signer(own) }
        }
        None => TraceStep {
            step,
            standing: Standing::Unknown,
            what: format!("no {} that verified is known", kind.title()),
            by: "assay verify IMAGE".to_owned(),
        },
    }
}

/// Where it was promoted, and what was known then.
fn promotions(digest: Digest, store: &Store) -> Result<Vec<TraceStep>> {
    let mut steps = Vec::new();
    for entry in store.ledger()? {
        match entry.event {
            LedgerEvent::Promotion { promotion, rollback, exceptions, pack, findings, .. }
                if promotion.digest == digest =>
            {
                let counts = promotion.counts;
                let word = if rollback { "rolled back to" } else { "to" };
                let used =
                    if exceptions.is_empty() { String::new() } else { format!(", by {}", exceptions.join(", ")) };
                let known = match (findings, pack) {
                    (Some(findings), Some(pack)) => format!(
                        "{} critical, {} high known then{used} (findings {}, data {})",
                        counts.critical,
                        counts.high,
                        findings.short(),
                        pack.short()
                    ),
                    _ => format!("findings not known then{used}"),
                };
                steps.push(TraceStep {
                    step: "promote",
                    standing: Standing::Proven,
                    what: format!(
                        "{word} {} {} by {}: {known}",
                        promotion.environment,
                        day(promotion.at),
                        promotion.by
                    ),
                    by: format!("ledger {}", entry.number),
                });
            }
            LedgerEvent::Retirement { digest: retired, environment, reason, at, .. } if retired == digest => {
                steps.push(TraceStep {
                    step: "retire",
                    standing: Standing::Gap,
                    what: format!("from {environment} {}: {reason}", day(at)),
                    by: format!("ledger {}", entry.number),
                });
            }
            _ => {}
        }
    }
    if steps.is_empty() {
        steps.push(TraceStep {
            step: "promote",
            standing: Standing::Unknown,
            what: "it was never promoted".to_owned(),
            by: "assay release promote".to_owned(),
        });
    }
    Ok(steps)
}

/// Whether what runs was admitted.
fn admissions(digest: Digest, running: &[InventoryRow], store: &Store) -> Result<Vec<TraceStep>> {
    let mut decisions = store.decisions_of(digest)?;
    // A promotion is judged by the same Gate and lets nothing into a cluster.
    decisions.retain(|decision| {
        use assay_case::Operation::{Audit, Promote, Rollback};
        !decision.dry_run && !matches!(decision.request.operation, Promote | Rollback | Audit)
    });
    let admitted = |row: &InventoryRow| {
        decisions.iter().find(|decision| {
            let request = &decision.request;
            decision.verdict.allowed && !decision.dry_run && request.namespace == row.namespace
        })
    };
    let pods: std::collections::BTreeSet<_> =
        running.iter().map(|row| (&row.cluster, &row.namespace, &row.pod)).collect();
    let unadmitted = running.iter().filter(|row| admitted(row).is_none()).count();
    let admit = match (decisions.iter().find(|decision| decision.verdict.allowed), unadmitted) {
        (Some(decision), 0) => TraceStep {
            step: "admit",
            standing: Standing::Proven,
            what: format!("{} admitted, newest {}", count(decisions.len(), "decision"), day(decision.at)),
            by: format!("assay explain {}", decision.id),
        },
        (_, 1..) => TraceStep {
            step: "admit",
            standing: Standing::Gap,
            what: format!("{} run in namespaces where no admission of it is recorded", count(unadmitted, "container")),
            by: "assay inventory list".to_owned(),
        },
        (None, 0) => TraceStep {
            step: "admit",
            standing: Standing::Unknown,
            what: "no admission of it is recorded".to_owned(),
            by: "assay serve".to_owned(),
        },
    };
    let run = match pods.len() {
        0 => TraceStep {
            step: "run",
            standing: Standing::Unknown,
            what: "no Pod runs it, as far as the inventory knows".to_owned(),
            by: "assay inventory sync".to_owned(),
        },
        number => TraceStep {
            step: "run",
            standing: Standing::Proven,
            what: format!("{}, imageID matches", count(number, "Pod")),
            by: "inventory".to_owned(),
        },
    };
    Ok(vec![admit, run])
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Explains a decision, or the newest one about what a Pod runs.
pub(crate) fn explain(what: &str, session: &Session<'_>) -> Result<ExplainOutcome> {
    let store = session.asked_store("assay serve and assay release promote record decisions")?;
    let missing = || CliError::NotFound {
        what: format!("decision {what}"),
        suggestion: None,
        next: "the id that a denial names, or NAMESPACE/POD".to_owned(),
    };
    let decision = match what.split_once('/') {
        None => store.decision(what)?,
        Some((namespace, name)) => store.decisions(10_000)?.into_iter().find(|decision| {
            let workload = &decision.request.workload.name;
            // A Pod of a template is decided under its generateName prefix, which ends with a star.
            let named = workload.strip_suffix('*').map_or(workload == name, |prefix| name.starts_with(prefix));
            decision.request.namespace == namespace && named
        }),
    };
    Ok(ExplainOutcome { decision: decision.ok_or_else(missing)? })
}
