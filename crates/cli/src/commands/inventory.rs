//! `assay inventory` and `assay who-runs`: what runs where, and the zero-day question.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use assay_case::{ContainerRole, Namespace};
use assay_gather::Wanted;
use assay_inspect::ANALYSER;
use assay_model::{Digest, PackageType, Reference, Repository, Timestamp};
use assay_store::{InventoryRow, RunningContainer, RunningPod, Store, VersionMatch};
use assay_version::{Range, Scheme};
use serde::Serialize;

use super::database;
use super::policies::{self, Policies};
use crate::Result;
use crate::failure::{CliError, read_file};
use crate::session::Session;

/// Labels and annotations that name who is responsible, first one wins.
const OWNER_KEYS: [&str; 4] = ["assay.dev/owner", "owner", "team", "app.kubernetes.io/part-of"];

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
    let jobs = jobs(items);
    let mut pods: Vec<RunningPod> = Vec::new();
    let mut finished: BTreeMap<(String, String), RunningPod> = BTreeMap::new();
    for item in items.iter().filter(|item| item["kind"] == "Pod") {
        let seen = pod(item, &labels, &jobs, &policies, now);
        match item["status"]["phase"].as_str() {
            Some("Running" | "Pending") => pods.push(seen),
            // What a CronJob ran last it runs again: between two runs its image is as much in use as any.
            Some("Succeeded" | "Failed") if seen.workload_kind == CRON_JOB => {
                let key = (seen.namespace.clone(), seen.workload_name.clone());
                let later = finished.get(&key).is_none_or(|known| known.started < seen.started);
                if later {
                    finished.insert(key, seen);
                }
            }
            _ => {}
        }
    }
    let running: BTreeSet<_> =
        pods.iter().map(|pod| (&pod.namespace, &pod.workload_kind, &pod.workload_name)).collect();
    finished.retain(|(namespace, name), _| !running.contains(&(namespace, &CRON_JOB.to_owned(), name)));
    pods.extend(finished.into_values());
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

fn pod(
    item: &serde_json::Value,
    namespaces: &BTreeMap<String, BTreeMap<String, String>>,
    jobs: &Jobs,
    policies: &Policies,
    now: Timestamp,
) -> RunningPod {
    let (metadata, spec, status) = (&item["metadata"], &item["spec"], &item["status"]);
    let (labels, annotations) = (strings(&metadata["labels"]), strings(&metadata["annotations"]));
    let namespace = text(&metadata["namespace"]);
    let started: Option<Timestamp> = status["startTime"].as_str().and_then(|time| time.parse().ok());
    let (workload_kind, workload_name) = workload(metadata, &labels, jobs, started);
    let mut containers = Vec::new();
    let lists = [
        ("containers", "containerStatuses", ContainerRole::Container),
        ("initContainers", "initContainerStatuses", ContainerRole::InitContainer),
        ("ephemeralContainers", "ephemeralContainerStatuses", ContainerRole::EphemeralContainer),
    ];
    for (specified, running, role) in lists {
        for container in spec[specified].as_array().into_iter().flatten() {
            let name = text(&container["name"]);
            let requested = text(&container["image"]);
            let mut statuses = status[running].as_array().into_iter().flatten();
            let image_id =
                statuses.find(|status| status["name"] == name.as_str()).map(|status| text(&status["imageID"]));
            let (repository, digest) = image_id.as_deref().map_or((None, None), running_image);
            let repository =
                repository.or_else(|| requested.parse::<Reference>().ok().map(|image| image.repository().clone()));
            containers.push(RunningContainer { name, role, requested, repository, digest });
        }
    }
    containers.extend(spec["volumes"].as_array().into_iter().flatten().filter_map(|own| image_volume(own, status)));
    let owner = OWNER_KEYS.iter().find_map(|key| labels.get(*key).or_else(|| annotations.get(*key))).cloned();
    RunningPod {
        environment: policies
            .policy
            .environment_of(&Namespace { name: namespace.clone(), labels: namespaces.get(&namespace).cloned() })
            .cloned(),
        namespace,
        name: text(&metadata["name"]),
        workload_kind,
        workload_name,
        owner,
        started: started.unwrap_or(now),
        containers,
    }
}

/// An image that is mounted. Its name cannot be that of a container, which may be called like the volume. Its digest is
/// the one that was asked for, else the one that the kubelet reports since Kubernetes 1.35
/// (`containerStatuses[].volumeMounts[].volumeStatus.image`).
fn image_volume(volume: &serde_json::Value, status: &serde_json::Value) -> Option<RunningContainer> {
    let requested = volume["image"]["reference"].as_str()?.to_owned();
    let name = text(&volume["name"]);
    let reference = requested.parse::<Reference>().ok();
    let statuses = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let containers = statuses.iter().flat_map(|list| status[*list].as_array().into_iter().flatten());
    let mut mounts = containers.flat_map(|own| own["volumeMounts"].as_array().into_iter().flatten());
    let reported = mounts.find_map(|mount| {
        let image = mount["volumeStatus"]["image"]["imageRef"].as_str();
        image.filter(|_| mount["name"] == name.as_str()).map(running_image)
    });
    let (repository, digest) = reported.unwrap_or_default();
    Some(RunningContainer {
        name: format!("volume:{name}"),
        role: ContainerRole::ImageVolume,
        repository: repository.or_else(|| reference.as_ref().map(|image| image.repository().clone())),
        digest: digest.or_else(|| reference.as_ref().and_then(Reference::digest)),
        requested,
    })
}

/// The kind of workload whose Pods come and go.
const CRON_JOB: &str = "CronJob";
/// The controller of each Job that has one, `(kind, name)`, by the Job's namespace and name.
type Jobs = BTreeMap<(String, String), (String, String)>;

fn jobs(items: &[serde_json::Value]) -> Jobs {
    let jobs = items.iter().filter(|item| item["kind"] == "Job").filter_map(|item| {
        let metadata = &item["metadata"];
        Some(((text(&metadata["namespace"]), text(&metadata["name"])), controller(metadata)?))
    });
    jobs.collect()
}

/// The CronJob that a Job's name tells of: it ends with the minute, since 1970, for which it was due (Kubernetes,
/// `getJobName` of the CronJob controller). A Pod starts soon after that minute; any other number is part of a name.
fn cron_job_of(job: &str, started: Option<Timestamp>) -> Option<&str> {
    const LATE_MAX: i64 = 24 * 60;
    let (name, minute) = job.rsplit_once('-')?;
    let due: i64 = minute.parse().ok()?;
    let late = started?.as_second().div_euclid(60).checked_sub(due)?;
    (!name.is_empty() && (0..=LATE_MAX).contains(&late)).then_some(name)
}

/// The owner reference that says `controller: true`.
fn controller(metadata: &serde_json::Value) -> Option<(String, String)> {
    let mut owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let owner = owners.find(|owner| owner["controller"] == true)?;
    Some((text(&owner["kind"]), text(&owner["name"])))
}

/// The workload above a Pod. A ReplicaSet of a Deployment carries the Deployment's name and the hash of the template; a
/// Job of a CronJob is found in the list, or known by its name.
fn workload(
    metadata: &serde_json::Value,
    labels: &BTreeMap<String, String>,
    jobs: &Jobs,
    started: Option<Timestamp>,
) -> (String, String) {
    let Some((kind, name)) = controller(metadata) else {
        return ("Pod".to_owned(), text(&metadata["name"]));
    };
    if kind == "Job" {
        let known = jobs.get(&(text(&metadata["namespace"]), name.clone())).cloned();
        let guessed = || Some((CRON_JOB.to_owned(), cron_job_of(&name, started)?.to_owned()));
        return known.or_else(guessed).unwrap_or((kind, name));
    }
    let hash = labels.get("pod-template-hash").map(|hash| format!("-{hash}"));
    match hash.and_then(|hash| name.strip_suffix(hash.as_str()).map(str::to_owned)) {
        Some(deployment) if kind == "ReplicaSet" => ("Deployment".to_owned(), deployment),
        _ => (kind, name),
    }
}

/// What a runtime reports: `docker-pullable://repository@digest` or `repository@digest`. A bare digest is that of the
/// image's configuration, another thing than its manifest, so that it names nothing here.
fn running_image(image_id: &str) -> (Option<Repository>, Option<Digest>) {
    let image_id = image_id.split_once("://").map_or(image_id, |(_, rest)| rest);
    match image_id.parse::<Reference>() {
        Ok(image) if image.digest().is_some() => (Some(image.repository().clone()), image.digest()),
        _ => (None, None),
    }
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
    fn what_runs_is_what_the_runtime_pulled() {
        let digest = Digest::of(b"x");
        for text in
            [format!("registry.example.com/a@{digest}"), format!("docker-pullable://registry.example.com/a@{digest}")]
        {
            let (repository, found) = running_image(&text);
            assert_eq!((repository.unwrap().path(), found), ("a", Some(digest)));
        }
        assert_eq!(running_image(&digest.to_string()), (None, None), "the digest of a configuration");
        assert_eq!(running_image(""), (None, None));
    }

    #[test]
    fn a_job_of_a_cron_job_is_known_by_the_minute_it_was_due() {
        let started: Option<Timestamp> = "2026-11-20T08:00:07Z".parse().ok();
        let due = started.unwrap().as_second() / 60;
        assert_eq!(cron_job_of(&format!("backup-{due}"), started), Some("backup"));
        assert_eq!(cron_job_of(&format!("backup-{}", due + 1), started), None, "not due yet");
        assert_eq!(cron_job_of(&format!("backup-{}", due - 2000), started), None, "two days late");
        for name in ["migrate-42", "backup", "-29", &format!("-{due}")] {
            assert_eq!(cron_job_of(name, started), None, "{name}");
        }
        assert_eq!(cron_job_of(&format!("backup-{due}"), None), None);
    }

    #[test]
    fn an_image_volume_runs_what_was_asked_for_or_what_is_reported() {
        let digest = Digest::of(b"x");
        let volume = |reference: &str| serde_json::json!({"name": "data", "image": {"reference": reference}});
        let status = serde_json::json!({"containerStatuses": [{"volumeMounts": [
            {"name": "data", "volumeStatus": {"image": {"imageRef": format!("registry.example.com/data@{digest}")}}}]}]});
        let none = serde_json::Value::Null;
        let of = |reference: &str, status: &serde_json::Value| image_volume(&volume(reference), status).unwrap();
        assert_eq!(of("registry.example.com/data:1", &status).digest, Some(digest));
        assert_eq!(of("registry.example.com/data:1", &none).digest, None);
        let pinned = of(&format!("registry.example.com/data@{digest}"), &none);
        assert_eq!(
            (pinned.digest, pinned.name.as_str(), pinned.role),
            (Some(digest), "volume:data", ContainerRole::ImageVolume)
        );
        assert!(image_volume(&serde_json::json!({"name": "data", "emptyDir": {}}), &none).is_none());
    }

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
