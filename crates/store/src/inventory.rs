//! What runs where. Pods are a volatile cache of now; the rollout interval is the history.

use std::collections::{BTreeMap, BTreeSet};

use assay_case::ContainerRole;
use assay_model::{Digest, EnvironmentName, FindingCounts, Repository, Timestamp};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::backend::{Mode, Row, Session, Value, values};
use crate::database::{Store, decode, encode, micros, parse, time};
use crate::facts::ADD_IMAGE;

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningContainer {
    /// Its name.
    pub name: String,
    /// How it is used.
    pub role: ContainerRole,
    /// The image of the specification, as written.
    pub requested: String,
    /// Where it was pulled from.
    pub repository: Option<Repository>,
    /// What runs, as the runtime reports it; none before it was pulled.
    pub digest: Option<Digest>,
}

/// A Pod that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningPod {
    /// Namespace.
    pub namespace: String,
    /// Pod name.
    pub name: String,
    /// Kind of the workload at the top of its owners, `Pod` where it has none.
    pub workload_kind: String,
    /// Name of that workload.
    pub workload_name: String,
    /// Who is responsible for it.
    pub owner: Option<String>,
    /// The Environment of its namespace.
    pub environment: Option<EnvironmentName>,
    /// When it started.
    pub started: Timestamp,
    /// Its containers.
    pub containers: Vec<RunningContainer>,
}

/// Whether an image carries a signature that verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureState {
    /// One that verified is known.
    Verified,
    /// None that verified is known.
    None,
    /// The image's digest is not known.
    Unknown,
}

/// One running container and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryRow {
    /// Cluster name.
    pub cluster: String,
    /// Namespace.
    pub namespace: String,
    /// Who is responsible.
    pub owner: Option<String>,
    /// Workload kind.
    pub kind: String,
    /// Workload name.
    pub workload: String,
    /// Pod name.
    pub pod: String,
    /// Container name.
    pub container: String,
    /// How the image is used.
    pub role: ContainerRole,
    /// The image as the specification has it.
    pub requested: String,
    /// Repository it was pulled from.
    pub repository: Option<Repository>,
    /// What runs.
    pub digest: Option<Digest>,
    /// Whether a verified signature is known.
    pub signature: SignatureState,
    /// Who signed, where that is known.
    pub signer: Option<String>,
    /// Where the attested SBOM is.
    pub sbom: Option<String>,
    /// Findings by severity; none = never matched.
    pub vulnerabilities: Option<FindingCounts>,
    /// Since when the workload runs this image.
    pub deployed_at: Option<Timestamp>,
    /// The Environment.
    pub environment: Option<EnvironmentName>,
    /// The Exceptions under which it was last admitted.
    pub exceptions: Vec<String>,
}

/// An image that runs in an Environment, and its findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningRisk {
    /// The Environment.
    pub environment: Option<EnvironmentName>,
    /// The image.
    pub digest: Digest,
    /// Its findings by severity; none = never matched.
    pub counts: Option<FindingCounts>,
}

impl Store {
    /// Replaces what is known of a cluster by a complete list of its Pods. Intervals of images that no longer run end at `at`.
    pub fn sync_inventory(&self, cluster: &str, at: Timestamp, pods: &[RunningPod]) -> Result<(), StoreError> {
        self.transaction(Mode::Exclusive, |session| {
            session.execute(
                "INSERT INTO cluster(name, synced_at) VALUES (?1, ?2)
                 ON CONFLICT(name) DO UPDATE SET synced_at = excluded.synced_at",
                &values![cluster, micros(at)],
            )?;
            let found =
                session.row("SELECT id FROM cluster WHERE name = ?1", &values![cluster], |row| row.integer(0))?;
            let Some(id) = found else { return Ok(()) };
            session.execute(
                "DELETE FROM pod_container WHERE pod IN
                 (SELECT pod.id FROM pod JOIN workload ON workload.id = pod.workload WHERE workload.cluster = ?1)",
                &values![id],
            )?;
            session.execute(
                "DELETE FROM pod WHERE workload IN (SELECT id FROM workload WHERE cluster = ?1)",
                &values![id],
            )?;
            add_pods(session, id, pods, at)?;
            session.execute(
                "UPDATE rollout SET until = ?2 WHERE until IS NULL
                 AND workload IN (SELECT id FROM workload WHERE cluster = ?1)
                 AND NOT EXISTS (SELECT 1 FROM pod_container JOIN pod ON pod.id = pod_container.pod
                     WHERE pod.workload = rollout.workload AND pod_container.name = rollout.container
                     AND pod_container.image = rollout.image)",
                &values![id, micros(at)],
            )?;
            Ok(())
        })
    }

    /// When each cluster was last seen whole, by name.
    pub fn clusters(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.read(|session| {
            let sql = "SELECT name, synced_at FROM cluster ORDER BY name";
            session.rows(sql, &[], |row| Ok((row.text(0)?, time(row.integer(1)?))))
        })
    }

    /// Every running container, ordered by cluster, namespace, workload, Pod and container.
    pub fn inventory(&self) -> Result<Vec<InventoryRow>, StoreError> {
        self.inventory_where("1 = 1", &[])
    }

    /// The images that run, each once a namespace, at most `limit` of them: namespace, repository, digest. Those of which most
    /// Pods run come first.
    pub fn running_images(&self, limit: usize) -> Result<Vec<(String, Repository, Digest)>, StoreError> {
        let sql = "SELECT workload.namespace, c.repository, image.digest
             FROM pod_container c JOIN pod ON pod.id = c.pod JOIN workload ON workload.id = pod.workload
                JOIN image ON image.id = c.image
             WHERE c.repository IS NOT NULL
             GROUP BY workload.namespace, c.repository, image.digest
             ORDER BY count(*) DESC, workload.namespace, c.repository, image.digest LIMIT ?1";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|session| {
            session.rows(sql, &values![limit], |row| {
                let repository = parse("repository", row.text(1)?)?;
                Ok((row.text(0)?, repository, parse("digest", row.text(2)?)?))
            })
        })
    }

    /// The images that run in a cluster, each once an Environment, with its findings by severity; none = never matched.
    pub fn running_risks(&self, cluster: &str) -> Result<Vec<RunningRisk>, StoreError> {
        let sql = "SELECT DISTINCT workload.environment, image.digest,
                coalesce((SELECT counts FROM image_risk WHERE image_risk.image = c.image),
                    (SELECT counts FROM image_risk JOIN image m ON m.id = image_risk.image JOIN index_member ON member = m.digest
                        WHERE image_index = image.digest ORDER BY member LIMIT 1))
             FROM pod_container c JOIN pod ON pod.id = c.pod JOIN workload ON workload.id = pod.workload
                JOIN cluster ON cluster.id = workload.cluster JOIN image ON image.id = c.image
             WHERE cluster.name = ?1";
        self.read(|session| {
            session.rows(sql, &values![cluster], |row| {
                let environment = row.optional_text(0)?.map(|text| parse("environment name", text)).transpose()?;
                let counts = row.optional_text(2)?.map(|counts| decode("counts", counts.as_bytes())).transpose()?;
                Ok(RunningRisk { environment, digest: parse("digest", row.text(1)?)?, counts })
            })
        })
    }

    /// The rows of some images. `condition` is one of this crate's own, with its values.
    pub(crate) fn inventory_where(
        &self,
        condition: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<InventoryRow>, StoreError> {
        let sql = format!(
            "SELECT cluster.name, workload.namespace, workload.owner, workload.kind, workload.name, pod.name, c.name, c.role,
                c.requested, c.repository, image.digest, workload.environment,
                coalesce((SELECT counts FROM image_risk WHERE image_risk.image = c.image),
                    (SELECT counts FROM image_risk JOIN image m ON m.id = image_risk.image JOIN index_member ON member = m.digest
                        WHERE image_index = image.digest ORDER BY member LIMIT 1)),
                (SELECT min(since) FROM rollout WHERE rollout.workload = workload.id AND rollout.container = c.name
                    AND rollout.image = c.image AND rollout.until IS NULL),
                (SELECT signer FROM evidence WHERE evidence.subject IN (SELECT image.digest UNION SELECT member FROM index_member WHERE image_index = image.digest)
                    AND kind = 'signature' ORDER BY source LIMIT 1),
                (SELECT source FROM evidence WHERE evidence.subject IN (SELECT image.digest UNION SELECT member FROM index_member WHERE image_index = image.digest)
                    AND kind = 'sbom' ORDER BY source LIMIT 1),
                (SELECT string_agg(exception, ' ') FROM exception_use WHERE decision = (SELECT decision FROM admitted_image a
                    WHERE a.digest IN (SELECT image.digest UNION SELECT member FROM index_member WHERE image_index = image.digest)
                    AND a.namespace = workload.namespace ORDER BY at DESC LIMIT 1))
             FROM pod_container c JOIN pod ON pod.id = c.pod JOIN workload ON workload.id = pod.workload
                JOIN cluster ON cluster.id = workload.cluster LEFT JOIN image ON image.id = c.image
             WHERE {condition}
             ORDER BY cluster.name, workload.namespace, workload.kind, workload.name, pod.name, c.name"
        );
        self.read(|session| session.rows(&sql, values, inventory_row))
    }
}

fn inventory_row(row: &mut Row) -> Result<InventoryRow, StoreError> {
    let digest: Option<Digest> = row.optional_text(10)?.map(|text| parse("digest", text)).transpose()?;
    let repository: Option<Repository> = row.optional_text(9)?.map(|text| parse("repository", text)).transpose()?;
    let signer = row.optional_text(14)?;
    let signature = match (&digest, &signer) {
        (None, _) => SignatureState::Unknown,
        (Some(_), Some(_)) => SignatureState::Verified,
        (Some(_), None) => SignatureState::None,
    };
    let sbom = row.optional_text(15)?.map(|source| match &repository {
        Some(repository) => format!("oci://{repository}@{source}"),
        None => source,
    });
    // Names of Kubernetes objects hold no spaces.
    let names = row.optional_text(16)?.unwrap_or_default();
    let exceptions: BTreeSet<String> = names.split_whitespace().map(str::to_owned).collect();
    Ok(InventoryRow {
        cluster: row.text(0)?,
        namespace: row.text(1)?,
        owner: row.optional_text(2)?,
        kind: row.text(3)?,
        workload: row.text(4)?,
        pod: row.text(5)?,
        container: row.text(6)?,
        role: parse("container role", row.text(7)?)?,
        requested: row.text(8)?,
        repository,
        digest,
        signature,
        signer,
        sbom,
        vulnerabilities: row.optional_text(12)?.map(|counts| decode("counts", counts.as_bytes())).transpose()?,
        deployed_at: row.optional_integer(13)?.map(time),
        environment: row.optional_text(11)?.map(|text| parse("environment name", text)).transpose()?,
        exceptions: exceptions.into_iter().collect(),
    })
}

/// Adds Pods, statement by statement for all of them: a network is crossed a few times, not once a Pod.
fn add_pods(session: &mut dyn Session, cluster: i64, pods: &[RunningPod], at: Timestamp) -> Result<(), StoreError> {
    let mut workloads: BTreeMap<(&str, &str, &str), &RunningPod> = BTreeMap::new();
    let mut images: BTreeSet<String> = BTreeSet::new();
    for pod in pods {
        workloads.insert((&pod.namespace, &pod.workload_kind, &pod.workload_name), pod);
        images.extend(pod.containers.iter().filter_map(|container| container.digest).map(|digest| digest.to_string()));
    }
    let rows: Vec<_> = workloads
        .iter()
        .map(|((namespace, kind, name), pod)| {
            let environment = pod.environment.as_ref().map(EnvironmentName::as_str);
            values![cluster, *namespace, *kind, *name, pod.owner.as_deref(), environment].into()
        })
        .collect();
    session.execute_each(
        "INSERT INTO workload(cluster, namespace, kind, name, owner, environment) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(cluster, namespace, kind, name) DO UPDATE SET owner = excluded.owner, environment = excluded.environment",
        &rows,
    )?;
    let rows: Vec<_> = images.iter().map(|digest| values![digest, micros(at)].into()).collect();
    session.execute_each(ADD_IMAGE, &rows)?;
    let rows: Vec<_> = pods
        .iter()
        .map(|pod| {
            let started = micros(pod.started);
            values![&pod.name, started, cluster, &pod.namespace, &pod.workload_kind, &pod.workload_name].into()
        })
        .collect();
    session.execute_each(
        "INSERT INTO pod(workload, name, started) SELECT id, ?1, ?2 FROM workload
         WHERE cluster = ?3 AND namespace = ?4 AND kind = ?5 AND name = ?6
         ON CONFLICT(workload, name) DO UPDATE SET started = excluded.started",
        &rows,
    )?;
    let (mut containers, mut rollouts) = (Vec::new(), Vec::new());
    for pod in pods {
        for container in &pod.containers {
            let role = encode("container role", &container.role)?;
            let digest = container.digest.map(|digest| digest.to_string());
            let repository = container.repository.as_ref().map(ToString::to_string);
            let place = values![cluster, &pod.namespace, &pod.workload_kind, &pod.workload_name];
            let mut row: Vec<Value<'_>> = place.into();
            row.extend(values![
                &pod.name,
                &container.name,
                role.trim_matches('"').to_owned(),
                &container.requested,
                repository,
                digest.clone()
            ]);
            containers.push(row);
            if let Some(digest) = digest {
                let place = values![cluster, &pod.namespace, &pod.workload_kind, &pod.workload_name];
                let mut row: Vec<Value<'_>> = place.into();
                row.extend(values![&container.name, digest, micros(pod.started)]);
                rollouts.push(row);
            }
        }
    }
    session.execute_each(
        "INSERT INTO pod_container SELECT pod.id, ?6, ?7, ?8, ?9, (SELECT image.id FROM image WHERE digest = ?10)
         FROM pod JOIN workload ON workload.id = pod.workload
         WHERE cluster = ?1 AND namespace = ?2 AND workload.kind = ?3 AND workload.name = ?4 AND pod.name = ?5
         ON CONFLICT(pod, name) DO UPDATE SET role = excluded.role, requested = excluded.requested,
             repository = excluded.repository, image = excluded.image",
        &containers,
    )?;
    session.execute_each(
        "INSERT INTO rollout SELECT workload.id, ?5, image.id, ?7, NULL FROM workload JOIN image ON digest = ?6
         WHERE cluster = ?1 AND namespace = ?2 AND workload.kind = ?3 AND workload.name = ?4
         AND NOT EXISTS (SELECT 1 FROM rollout live WHERE live.workload = workload.id AND live.container = ?5
             AND live.image = image.id AND live.until IS NULL)
         ON CONFLICT(workload, container, image, since) DO UPDATE SET until = NULL",
        &rollouts,
    )?;
    Ok(())
}
