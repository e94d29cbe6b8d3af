//! `assay inventory` and `assay who-runs`: what runs where, and the zero-day question.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use assay_case::Namespace;
use assay_gather::Wanted;
use assay_inspect::ANALYSER;
use assay_kube::{PodView, in_use, job_controllers};
use assay_model::{Digest, PackageType, Reference, Repository, Timestamp};
use assay_store::{InventoryRow, RunningContainer, RunningPod, Store, VersionMatch};
use assay_version::{Range, Scheme};
use serde::Serialize;

use super::database;
use super::policies::{self, Policies};
use crate::Result;
use crate::failure::{CliError, read_file};
use crate::session::Session;

/// What was taken in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncOutcome {
    /// The cluster.
    pub(crate) cluster: String,
    /// Pods that run.
    pub(crate) pods: usize,
    /// Their containers.
    pub(crate) containers: usize,
    /// Different images.
    pub(crate) images: usize,
    /// Images whose content is not known.
    pub(crate) unknown: Vec<UnknownImage>,
}

/// An image whose content could not be found out.
#[derive(Debug, Serialize)]
pub(crate) struct UnknownImage {
    /// The image.
    pub(crate) image: String,
    /// Why.
    pub(crate) message: String,
}

/// What runs.
#[derive(Debug, Serialize)]
pub(crate) struct InventoryOutcome {
    /// When each cluster was last seen whole.
    pub(crate) clusters: Vec<ClusterRow>,
    /// Every container.
    pub(crate) containers: Vec<InventoryRow>,
}

/// A cluster.
#[derive(Debug, Serialize)]
pub(crate) struct ClusterRow {
    /// Its name.
    pub(crate) name: String,
    /// When it was last seen whole.
    pub(crate) at: Timestamp,
}

/// Who runs something.
#[derive(Debug, Serialize)]
pub(crate) struct WhoRunsOutcome {
    /// What was asked for, as understood.
    pub(crate) what: String,
    /// Images that hold it, whether they run or not.
    pub(crate) images: usize,
    /// What runs of them.
    pub(crate) containers: Vec<InventoryRow>,
    /// When each cluster was last seen whole.
    pub(crate) clusters: Vec<ClusterRow>,
    /// Running images whose content is not known: they may hold it too.
    pub(crate) unknown: usize,
}

/// Takes in the Pods of a cluster.
pub(crate) fn sync(file: &Path, cluster: &str, session: &Session<'_>) -> Result<SyncOutcome> {
    let bytes = read_file(file)?;
    let malformed =
        |message: &str| CliError::Malformed { what: file.display().to_string(), message: message.to_owned() };
    let list: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| malformed(&error.to_string()))?;
    let items = list["items"].as_array().ok_or_else(|| malformed("is no list: kubectl get pods -A -o json"))?;
    let policies = policies::load(session.settings)?;
    let mut labels = BTreeMap::new();
    for item in items.iter().filter(|item| item["kind"] == "Namespace") {
        labels.insert(text(&item["metadata"]["name"]), strings(&item["metadata"]["labels"]));
    }
    let now = Timestamp::now();
    let jobs = job_controllers(items);
    let seen = items.iter().filter(|item| item["kind"] == "Pod").map(|item| PodView::of(item, &jobs));
    let environment = |namespace: &str| {
        let namespace = Namespace { name: namespace.to_owned(), labels: labels.get(namespace).cloned() };
        policies.policy.environment_of(&namespace).cloned()
    };
    let pods: Vec<RunningPod> = in_use(seen)
        .into_iter()
        .map(|pod| {
            let environment = environment(&pod.namespace);
            assay_server::running_pod(pod, environment, now)
        })
        .collect();
    let store = session.store()?;
    store.sync_inventory(cluster, now, &pods)?;
    let containers: Vec<&RunningContainer> = pods.iter().flat_map(|pod| &pod.containers).collect();
    let images: BTreeSet<(Repository, Digest)> =
        containers.iter().filter_map(|container| Some((container.repository.clone()?, container.digest?))).collect();
    let unknown = inspect(&images, &store, &policies, session)?;
    Ok(SyncOutcome {
        cluster: cluster.to_owned(),
        pods: pods.len(),
        containers: containers.len(),
        images: images.len(),
        unknown,
    })
}

/// Looks into the images that the store does not know yet, so that the next zero-day question has an answer.
fn inspect(
    images: &BTreeSet<(Repository, Digest)>,
    store: &Arc<Store>,
    policies: &Policies,
    session: &Session<'_>,
) -> Result<Vec<UnknownImage>> {
    let mut wanted = Vec::new();
    for (repository, digest) in images {
        if store.contents(*digest, ANALYSER)?.is_none() {
            wanted.push(format!("{repository}@{digest}").parse::<Reference>()?);
        }
    }
    let unknown = |image: &Reference, message: &str| UnknownImage {
        image: image.written().to_owned(),
        message: message.to_owned(),
    };
    if session.settings.offline.value {
        return Ok(wanted.iter().map(|image| unknown(image, "not looked at with --offline")).collect());
    }
    let gatherer = session.gatherer(policies.materials.clone(), Some(Arc::clone(store)))?;
    let access = session.access()?;
    session.printer.progress(&format!("looking into {} images", wanted.len()));
    session.run(async {
        let each = wanted.iter().map(|image| {
            let (gatherer, access) = (&gatherer, &access);
            async move {
                let facts = gatherer.facts(access, image, &Wanted::default()).await;
                let contents = facts.get().map(|facts| facts.first().map(|facts| facts.contents.clone()));
                match contents {
                    Ok(Some(contents)) => contents.get().err().map(|cause| unknown(image, &cause.message)),
                    Ok(None) => Some(unknown(image, "there is no image in it")),
                    Err(cause) => Some(unknown(image, &cause.message)),
                }
            }
        });
        Ok(futures_util::future::join_all(each).await.into_iter().flatten().collect())
    })
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn strings(value: &serde_json::Value) -> BTreeMap<String, String> {
    let fields = value.as_object().into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

const SYNC: &str = "kubectl get pods,jobs,namespaces -A -o json | assay inventory sync -f -";

/// Lists what runs.
pub(crate) fn list(session: &Session<'_>) -> Result<InventoryOutcome> {
    let store = session.asked_store(SYNC)?;
    Ok(InventoryOutcome { clusters: clusters(&store)?, containers: store.inventory()? })
}

fn clusters(store: &Store) -> Result<Vec<ClusterRow>> {
    Ok(store.clusters()?.into_iter().map(|(name, at)| ClusterRow { name, at }).collect())
}

/// Who runs a package, a vulnerability or a digest.
pub(crate) fn who_runs(what: &str, session: &Session<'_>) -> Result<WhoRunsOutcome> {
    let store = session.asked_store(SYNC)?;
    let (what, images) = if let Ok(digest) = what.parse::<Digest>() {
        (digest.to_string(), BTreeSet::from([digest]))
    } else if is_advisory(what) {
        let id: assay_model::VulnerabilityId =
            what.parse().map_err(|message| CliError::Malformed { what: "the question".to_owned(), message })?;
        (id.to_string(), vulnerable(id.as_str(), &store, session)?)
    } else {
        let (name, range) = what.split_at(package_name_end(what));
        let range = range.strip_prefix('@').map_or_else(|| Ok(Range::any()), str::parse)?;
        let title = if range == Range::any() { name.to_owned() } else { format!("{name} {range}") };
        let epochs = what.contains(':');
        let images = store.images_with_package(name, |found| within(&range, epochs, found))?;
        (title, images)
    };
    let containers = store.who_runs(&images)?;
    let running: BTreeSet<Digest> = store.inventory()?.iter().filter_map(|row| row.digest).collect();
    let known: BTreeSet<Digest> = store.known_images()?.into_iter().collect();
    Ok(WhoRunsOutcome {
        what,
        images: images.len(),
        containers,
        clusters: clusters(&store)?,
        unknown: running.difference(&known).count(),
    })
}

/// Whether a version is in the range; one that has no order is not known to be outside. A range without an epoch means the
/// upstream version: nobody types Debian's `1:` before zlib's number, and `<1.3.1` shall find `1:1.2.13`.
fn within(range: &Range, epochs: bool, found: VersionMatch<'_>) -> bool {
    let scheme = PackageType::from_purl_type(found.kind).and_then(Scheme::for_package);
    let version = match found.version.split_once(':') {
        Some((epoch, upstream)) if !epochs && epoch.bytes().all(|byte| byte.is_ascii_digit()) => upstream,
        _ => found.version,
    };
    scheme.is_none_or(|scheme| range.contains(scheme, version).unwrap_or(true))
}

/// Where the name ends: an npm scope begins with the separator, too.
fn package_name_end(text: &str) -> usize {
    text.char_indices().skip(1).find(|(_, c)| *c == '@').map_or(text.len(), |(at, _)| at)
}

fn is_advisory(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    ["CVE-", "GHSA-", "MAL-", "RUSTSEC-", "PYSEC-", "DSA-", "DLA-", "ALPINE-", "RHSA-", "USN-", "OSV-"]
        .iter()
        .any(|prefix| upper.starts_with(prefix) && upper.len() > prefix.len())
}

/// Images of which the vulnerability is known, and those that hold an affected version by the data of today.
fn vulnerable(id: &str, store: &Store, session: &Session<'_>) -> Result<BTreeSet<Digest>> {
    let mut images = store.images_with_vulnerability(id)?;
    let pack = database::open(session.settings.pack.value.as_deref())?;
    for advisory in pack.advisories(id)? {
        let vulnerability = &advisory.vulnerability;
        for name in std::iter::once(&vulnerability.id).chain(&vulnerability.aliases) {
            images.extend(store.images_with_vulnerability(name.as_str())?);
        }
    }
    // Findings are kept as they were matched; a newer pack is asked about what every image holds.
    for digest in store.known_images()? {
        if images.contains(&digest) {
            continue;
        }
        let Some((contents, _)) = store.contents(digest, ANALYSER)? else { continue };
        let findings = pack.match_contents(&contents, Timestamp::now())?;
        let is_meant = |name: &assay_model::VulnerabilityId| name.as_str().eq_ignore_ascii_case(id);
        let found = findings
            .vulnerabilities
            .iter()
            .any(|finding| is_meant(&finding.vulnerability.id) || finding.vulnerability.aliases.iter().any(is_meant));
        if found {
            images.insert(digest);
        }
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_without_an_epoch_means_the_upstream_version() {
        let found = |version| VersionMatch { kind: "deb", version };
        let range: Range = "<1.3.1".parse().unwrap();
        assert!(within(&range, false, found("1:1.2.13.dfsg-1")));
        assert!(!within(&range, false, found("1:1.3.1.dfsg-1")));
        let range: Range = "<1:1.3".parse().unwrap();
        assert!(within(&range, true, found("1:1.2.13.dfsg-1")));
        assert!(!within(&range, true, found("2:1.0-1")));
    }

    #[test]
    fn a_question_is_a_name_and_perhaps_a_range() {
        for (text, name) in [("zlib@<1.3", "zlib"), ("@scope/a@1", "@scope/a"), ("@scope/a", "@scope/a"), ("a", "a")] {
            assert_eq!(&text[..package_name_end(text)], name);
        }
        assert!(is_advisory("cve-2024-3094") && is_advisory("GHSA-x") && !is_advisory("go-chi"));
    }
}
