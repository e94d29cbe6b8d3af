//! What runs where. Pods are a volatile cache of now; the rollout interval is the history.

use assay_case::ContainerRole;
use assay_model::{Digest, EnvironmentName, FindingCounts, Repository, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::database::{Store, decode, encode, micros, parse, time};
use crate::facts::image_id;

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

impl Store {
    /// Replaces what is known of a cluster by a complete list of its Pods. Intervals of images that no longer run end at `at`.
    pub fn sync_inventory(&self, cluster: &str, at: Timestamp, pods: &[RunningPod]) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        transaction
            .prepare_cached(
                "INSERT INTO cluster(name, synced_at) VALUES (?1, ?2) ON CONFLICT(name) DO UPDATE SET synced_at = ?2",
            )?
            .execute(params![cluster, micros(at)])?;
        let cluster_id: i64 =
            transaction.query_row("SELECT id FROM cluster WHERE name = ?1", [cluster], |row| row.get(0))?;
        transaction.execute(
            "DELETE FROM pod_container WHERE pod IN
             (SELECT pod.id FROM pod JOIN workload ON workload.id = pod.workload WHERE workload.cluster = ?1)",
            [cluster_id],
        )?;
        transaction
            .execute("DELETE FROM pod WHERE workload IN (SELECT id FROM workload WHERE cluster = ?1)", [cluster_id])?;
        for pod in pods {
            add_pod(&transaction, cluster_id, pod, at)?;
        }
        transaction.execute(
            "UPDATE rollout SET until = ?2 WHERE until IS NULL
             AND workload IN (SELECT id FROM workload WHERE cluster = ?1)
             AND NOT EXISTS (SELECT 1 FROM pod_container JOIN pod ON pod.id = pod_container.pod
                 WHERE pod.workload = rollout.workload AND pod_container.name = rollout.container
                 AND pod_container.image = rollout.image)",
            params![cluster_id, micros(at)],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// When each cluster was last seen whole, by name.
    pub fn clusters(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT name, synced_at FROM cluster ORDER BY name")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, time(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every running container, ordered by cluster, namespace, workload, Pod and container.
    pub fn inventory(&self) -> Result<Vec<InventoryRow>, StoreError> {
        self.inventory_where("1 = 1", &[])
    }

    /// The rows of some images. `condition` is one of this crate's own, with its parameters.
    pub(crate) fn inventory_where(
        &self,
        condition: &'static str,
        parameters: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<InventoryRow>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!(
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
                (SELECT json_group_array(DISTINCT exception) FROM exception_use WHERE decision = (SELECT decision FROM admitted_image a
                    WHERE a.digest IN (SELECT image.digest UNION SELECT member FROM index_member WHERE image_index = image.digest)
                    AND a.namespace = workload.namespace ORDER BY at DESC LIMIT 1))
             FROM pod_container c JOIN pod ON pod.id = c.pod JOIN workload ON workload.id = pod.workload
                JOIN cluster ON cluster.id = workload.cluster LEFT JOIN image ON image.id = c.image
             WHERE {condition}
             ORDER BY cluster.name, workload.namespace, workload.kind, workload.name, pod.name, c.name"
        ))?;
        let mut rows = statement.query(parameters)?;
        let mut inventory = Vec::new();
        while let Some(row) = rows.next()? {
            inventory.push(inventory_row(row)?);
        }
        Ok(inventory)
    }
}

fn inventory_row(row: &rusqlite::Row<'_>) -> Result<InventoryRow, StoreError> {
    let word = |index: usize| row.get::<_, Option<String>>(index);
    let digest: Option<Digest> = word(10)?.map(|text| parse("digest", text)).transpose()?;
    let repository: Option<Repository> = word(9)?.map(|text| parse("repository", text)).transpose()?;
    let signer = word(14)?;
    let signature = match (&digest, &signer) {
        (None, _) => SignatureState::Unknown,
        (Some(_), Some(_)) => SignatureState::Verified,
        (Some(_), None) => SignatureState::None,
    };
    let sbom = word(15)?.map(|source| match &repository {
        Some(repository) => format!("oci://{repository}@{source}"),
        None => source,
    });
    let mut exceptions: Vec<String> = match word(16)? {
        Some(names) => decode("exception names", names.as_bytes())?,
        None => Vec::new(),
    };
    exceptions.sort();
    Ok(InventoryRow {
        cluster: row.get(0)?,
        namespace: row.get(1)?,
        owner: row.get(2)?,
        kind: row.get(3)?,
        workload: row.get(4)?,
        pod: row.get(5)?,
        container: row.get(6)?,
        role: parse("container role", row.get(7)?)?,
        requested: row.get(8)?,
        repository,
        digest,
        signature,
        signer,
        sbom,
        vulnerabilities: word(12)?.map(|counts| decode("counts", counts.as_bytes())).transpose()?,
        deployed_at: row.get::<_, Option<i64>>(13)?.map(time),
        environment: word(11)?.map(|text| parse("environment name", text)).transpose()?,
        exceptions,
    })
}

fn add_pod(transaction: &Transaction<'_>, cluster: i64, pod: &RunningPod, at: Timestamp) -> Result<(), StoreError> {
    let key = params![cluster, pod.namespace, pod.workload_kind, pod.workload_name];
    transaction
        .prepare_cached(
            "INSERT INTO workload(cluster, namespace, kind, name, owner, environment) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT(cluster, namespace, kind, name) DO UPDATE SET owner = ?5, environment = ?6",
        )?
        .execute(params![
            cluster,
            pod.namespace,
            pod.workload_kind,
            pod.workload_name,
            pod.owner,
            pod.environment.as_ref().map(EnvironmentName::as_str),
        ])?;
    let workload: i64 = transaction
        .prepare_cached("SELECT id FROM workload WHERE cluster = ?1 AND namespace = ?2 AND kind = ?3 AND name = ?4")?
        .query_row(key, |row| row.get(0))?;
    transaction
        .prepare_cached(
            "INSERT INTO pod(workload, name, started) VALUES (?1, ?2, ?3)
             ON CONFLICT(workload, name) DO UPDATE SET started = ?3",
        )?
        .execute(params![workload, pod.name, micros(pod.started)])?;
    let pod_id: i64 = transaction
        .prepare_cached("SELECT id FROM pod WHERE workload = ?1 AND name = ?2")?
        .query_row(params![workload, pod.name], |row| row.get(0))?;
    for container in &pod.containers {
        let image = container.digest.map(|digest| image_id(transaction, digest, at)).transpose()?;
        let role = encode("container role", &container.role)?;
        transaction.prepare_cached("INSERT OR REPLACE INTO pod_container VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
            params![
                pod_id,
                container.name,
                role.trim_matches('"'),
                container.requested,
                container.repository.as_ref().map(ToString::to_string),
                image,
            ],
        )?;
        let Some(image) = image else { continue };
        let live: Option<i64> = transaction
            .prepare_cached(
                "SELECT 1 FROM rollout WHERE workload = ?1 AND container = ?2 AND image = ?3 AND until IS NULL",
            )?
            .query_row(params![workload, container.name, image], |row| row.get(0))
            .optional()?;
        if live.is_none() {
            transaction.prepare_cached("INSERT INTO rollout VALUES (?1, ?2, ?3, ?4, NULL)")?.execute(params![
                workload,
                container.name,
                image,
                micros(pod.started)
            ])?;
        }
    }
    Ok(())
}
