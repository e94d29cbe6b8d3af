//! `assay inventory rescan`: what runs, held against today's data, and an alert for each owner whose workloads are concerned.
//!
//! No image is read again: the packages of the images are known, and each distinct one is matched once. What others say about
//! findings counts as in `scan`; what is attached to images is fetched only where a signer of it is named.
//! An alert is open once for each owner, vulnerability and Environment; it closes by itself when no Pod of theirs runs it any
//! more. `assay serve --alert-webhook` delivers what is opened here.

use std::collections::{BTreeMap, BTreeSet};

use assay_inspect::ANALYSER;
use assay_model::{Contents, Digest, Findings, Severity, Timestamp};
use assay_oci::ImageSource;
use assay_store::{Alert, AlertEvent, AlertKey, InventoryRow, PLATFORM_OWNER, Store};
use assay_vuln::risk::{Surroundings, Use, risk};
use assay_vuln::vex::Subject;
use assay_vuln::{Pack, PackageIndex, Rematched, Threshold};
use serde::Serialize;

use super::database;
use super::said::{Attached, Said, Sources, Word};
use crate::Result;
use crate::session::Session;

/// The alerts that are opened and closed here.
const SOURCE: &str = "rescan";

/// What is alerted about.
#[derive(Clone, Debug)]
pub(crate) struct RescanOptions {
    /// Any of these.
    pub(crate) alert_on: Vec<Threshold>,
    /// Whose word about findings counts.
    pub(crate) said: Sources,
}

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RescanOutcome {
    /// Images that run and whose packages are known.
    pub(crate) images: usize,
    /// Different packages in them.
    pub(crate) packages: usize,
    /// Findings in any of them, each package once.
    pub(crate) findings: usize,
    /// Of these, in one image each, taken away by what others say about them.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) excused: usize,
    /// Images of which it could not be found out what is attached to them, and why: all of their findings count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unheard: Vec<String>,
    /// Every alert that is open, with what became of it now.
    pub(crate) alerts: Vec<RescanAlert>,
    /// Alerts that were closed.
    pub(crate) resolved: Vec<AlertKey>,
    /// Images that run and whose packages are not known.
    pub(crate) unknown: usize,
}

/// An alert.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RescanAlert {
    /// Who, what, where.
    #[serde(flatten)]
    pub(crate) key: AlertKey,
    /// How bad.
    pub(crate) severity: Severity,
    /// One sentence.
    pub(crate) summary: String,
    /// What became of it; none where it was open and is no worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<AlertEvent>,
}

/// What one alert is about.
#[derive(Default)]
struct Concern {
    severity: Severity,
    packages: BTreeSet<String>,
    workloads: BTreeSet<String>,
    exploited: bool,
}

/// Matches, and opens and closes alerts.
pub(crate) fn rescan(options: &RescanOptions, session: &Session<'_>) -> Result<RescanOutcome> {
    let store = session.asked_store("kubectl get pods,jobs,namespaces -A -o json | assay inventory sync -f -")?;
    let now = Timestamp::now();
    let mut index = PackageIndex::new();
    let mut running: BTreeMap<Digest, Vec<InventoryRow>> = BTreeMap::new();
    for digest in store.known_images()? {
        let rows = store.who_runs(&BTreeSet::from([digest]))?;
        if let (false, Some((contents, _))) = (rows.is_empty(), store.contents(digest, ANALYSER)?) {
            index.insert(digest, &contents);
            running.insert(digest, rows);
        }
    }
    let place =
        |row: &InventoryRow| (row.cluster.clone(), row.namespace.clone(), row.pod.clone(), row.container.clone());
    let known: BTreeSet<_> = running.values().flatten().map(place).collect();
    let unread: Vec<InventoryRow> = store.inventory()?.into_iter().filter(|row| !known.contains(&place(row))).collect();
    let pack = database::open(session.settings.pack.value.as_deref())?;
    let found = index.rematch(&pack, now)?;
    let word = options.said.read()?;
    let heard = Heard::new(&word, &running, &found, &pack, &store, session, now)?;
    let mut concerns: BTreeMap<AlertKey, Concern> = BTreeMap::new();
    let owner_of = |row: &InventoryRow| row.owner.clone().unwrap_or_else(|| PLATFORM_OWNER.to_owned());
    let environment_of = |row: &InventoryRow| row.environment.as_ref().map(ToString::to_string).unwrap_or_default();
    for (at, found) in found.iter().enumerate() {
        let finding = &found.finding;
        let risk = risk(finding, Use::default(), &Surroundings::default());
        if !options.alert_on.iter().any(|threshold| threshold.is_reached(finding, &risk, now)) {
            continue;
        }
        let counts = |image: &Digest| !heard.excused.contains(&(at, *image));
        for row in found.images().filter(counts).filter_map(|image| running.get(&image)).flatten() {
            let key = AlertKey {
                owner: owner_of(row),
                subject: finding.vulnerability.id.to_string(),
                environment: environment_of(row),
            };
            let concern = concerns.entry(key).or_default();
            concern.severity = concern.severity.max(finding.vulnerability.severity);
            concern.packages.insert(format!("{} {}", finding.package.name, finding.package.version));
            concern.workloads.insert(format!("{}/{}/{}", row.cluster, row.namespace, row.workload));
            concern.exploited |= finding.vulnerability.known_exploited.is_some();
        }
    }
    let mut alerts = Vec::new();
    for (key, concern) in concerns {
        let summary = concern.summary(&key.subject);
        let alert =
            Alert { key: key.clone(), source: SOURCE.to_owned(), severity: concern.severity, summary: summary.clone() };
        let event = store.raise_alert(&alert, now)?;
        alerts.push(RescanAlert { key, severity: concern.severity, summary, event });
    }
    // Where something runs that could not be looked into, nothing is known to be over.
    let doubtful: BTreeSet<(String, String)> = unread.iter().map(|row| (owner_of(row), environment_of(row))).collect();
    let mut standing: Vec<AlertKey> = alerts.iter().map(|alert| alert.key.clone()).collect();
    standing.extend(
        store
            .open_alerts()?
            .into_iter()
            .map(|alert| alert.key)
            .filter(|key| doubtful.contains(&(key.owner.clone(), key.environment.clone()))),
    );
    let resolved = store.resolve_other_alerts(SOURCE, &standing, now)?;
    Ok(RescanOutcome {
        images: running.len(),
        packages: index.distinct(),
        findings: found.len(),
        excused: heard.excused.len(),
        unheard: heard.unheard,
        alerts,
        resolved,
        unknown: unread.iter().map(|row| (&row.repository, row.digest)).collect::<BTreeSet<_>>().len(),
    })
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What others say about the findings of what runs.
#[derive(Default)]
struct Heard {
    /// Findings, by their place, that do not count in an image.
    excused: BTreeSet<(usize, Digest)>,
    /// Images of which it could not be found out.
    unheard: Vec<String>,
}

impl Heard {
    /// Asks about each image by itself: most statements are about one product.
    fn new(
        word: &Word,
        running: &BTreeMap<Digest, Vec<InventoryRow>>,
        found: &[Rematched<'_>],
        pack: &Pack,
        store: &Store,
        session: &Session<'_>,
        now: Timestamp,
    ) -> Result<Self> {
        let mut heard = Self::default();
        if word.is_silent() {
            return Ok(heard);
        }
        let mut of_image: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        for (at, found) in found.iter().enumerate() {
            for image in found.images() {
                of_image.entry(image).or_default().push(at);
            }
        }
        for (digest, places) in of_image {
            let rows = running.get(&digest).map(Vec::as_slice).unwrap_or_default();
            let repositories: BTreeSet<_> = rows.iter().filter_map(|row| row.repository.as_ref()).collect();
            let mut attached = Attached::default();
            for repository in &repositories {
                let image = format!("{repository}@{digest}").parse().map(ImageSource::Registry)?;
                match word.attached_to(&image, session) {
                    Ok(more) => attached.documents.extend(more.documents),
                    Err(failure) => heard.unheard.push(format!("{repository}@{digest}: {}", failure.what)),
                }
            }
            let contents = store.contents(digest, ANALYSER)?.map_or_else(Contents::default, |(contents, _)| contents);
            let vulnerabilities = places.iter().filter_map(|at| Some(found.get(*at)?.finding.clone())).collect();
            let findings = Findings { vulnerabilities, matched_at: now, pack: pack.info().clone(), uncovered: 0 };
            let repository = repositories.first().map(ToString::to_string);
            let subject = Subject { digest: Some(digest), repository };
            let left = word.apply(attached, findings, &subject, &contents, now, &mut Said::default());
            let is_left = |at: &usize| found.get(*at).is_none_or(|found| left.contains(&found.finding));
            heard.excused.extend(places.into_iter().filter(|at| !is_left(at)).map(|at| (at, digest)));
        }
        Ok(heard)
    }
}

impl Concern {
    fn summary(&self, vulnerability: &str) -> String {
        let list = |names: &BTreeSet<String>| {
            let shown: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
            let more = names.len() - shown.len();
            if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
        };
        let exploited = if self.exploited { ", known to be exploited," } else { "" };
        format!("{vulnerability}{exploited} is in {}, which {} run", list(&self.packages), list(&self.workloads))
    }
}
