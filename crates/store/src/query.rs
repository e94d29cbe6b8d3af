//! The zero-day questions.

use std::collections::BTreeSet;

use assay_model::{Digest, Timestamp};
use rusqlite::params;
use serde::{Deserialize, Serialize};

use crate::database::{Store, micros, parse, time};
use crate::{InventoryRow, StoreError};

/// A package version that some image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionMatch<'a> {
    /// The package's purl type, for example `deb`.
    pub kind: &'a str,
    /// The version as the package database has it.
    pub version: &'a str,
}

/// An interval in which a workload ran an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningImage {
    /// Cluster name.
    pub cluster: String,
    /// Namespace.
    pub namespace: String,
    /// `Kind/name`.
    pub workload: String,
    /// Container name.
    pub container: String,
    /// What ran.
    pub digest: Digest,
    /// From when.
    pub since: Timestamp,
    /// Until when; none = it still runs.
    pub until: Option<Timestamp>,
}

impl Store {
    /// The images that hold this package in a version that `wanted` accepts, whether they run or not.
    pub fn images_with_package(
        &self,
        name: &str,
        mut wanted: impl FnMut(VersionMatch<'_>) -> bool,
    ) -> Result<BTreeSet<Digest>, StoreError> {
        let connection = self.connection();
        let mut versions = connection.prepare_cached("SELECT id, kind, version FROM package WHERE name = ?1")?;
        let mut images = connection.prepare_cached(
            "SELECT digest FROM image_package JOIN image ON image.id = image_package.image WHERE package = ?1",
        )?;
        let mut found = BTreeSet::new();
        let mut rows = versions.query([name])?;
        while let Some(row) = rows.next()? {
            let (id, kind, version): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if wanted(VersionMatch { kind: &kind, version: &version }) {
                for digest in images.query_map([id], |row| row.get::<_, String>(0))? {
                    found.insert(parse("digest", digest?)?);
                }
            }
        }
        Ok(found)
    }

    /// The images of which a vulnerability is known, by any of its names.
    pub fn images_with_vulnerability(&self, id: &str) -> Result<BTreeSet<Digest>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT digest FROM image_vulnerability v JOIN image ON image.id = v.image WHERE vulnerability = ?1",
        )?;
        let rows = statement.query_map([id], |row| row.get::<_, String>(0))?;
        rows.map(|digest| parse("digest", digest?)).collect()
    }

    /// What runs of these images, by their own digest or by that of an index that holds them. Each container once.
    pub fn who_runs(&self, images: &BTreeSet<Digest>) -> Result<Vec<InventoryRow>, StoreError> {
        let condition = "image.digest = ?1 OR image.digest IN (SELECT image_index FROM index_member WHERE member = ?1)";
        let (mut rows, mut seen) = (Vec::new(), BTreeSet::new());
        for digest in images {
            for row in self.inventory_where(condition, &[&digest.to_string()])? {
                let place = (row.cluster.clone(), row.namespace.clone(), row.pod.clone(), row.container.clone());
                if seen.insert(place) {
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }

    /// What runs a package in a version that `wanted` accepts.
    pub fn who_runs_package(
        &self,
        name: &str,
        wanted: impl FnMut(VersionMatch<'_>) -> bool,
    ) -> Result<Vec<InventoryRow>, StoreError> {
        self.who_runs(&self.images_with_package(name, wanted)?)
    }

    /// Where an image ran and runs, oldest first.
    pub fn rollouts(&self, digest: Digest) -> Result<Vec<RunningImage>, StoreError> {
        self.rollouts_where("image.digest = ?1", &[&digest.to_string()])
    }

    /// What began to run at or after `since`, oldest first.
    pub fn rollouts_since(&self, since: Timestamp) -> Result<Vec<RunningImage>, StoreError> {
        self.rollouts_where("rollout.since >= ?1", &[&micros(since)])
    }

    fn rollouts_where(
        &self,
        condition: &'static str,
        parameters: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<RunningImage>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT cluster.name, namespace, workload.kind || '/' || workload.name, container, digest, since, until
             FROM rollout JOIN workload ON workload.id = rollout.workload JOIN cluster ON cluster.id = workload.cluster
                JOIN image ON image.id = rollout.image
             WHERE {condition} ORDER BY since, cluster.name, namespace, 3, container"
        ))?;
        let mut rows = statement.query(parameters)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(RunningImage {
                cluster: row.get(0)?,
                namespace: row.get(1)?,
                workload: row.get(2)?,
                container: row.get(3)?,
                digest: parse("digest", row.get(4)?)?,
                since: time(row.get(5)?),
                until: row.get::<_, Option<i64>>(6)?.map(time),
            });
        }
        Ok(found)
    }

    /// When the store first heard of an image.
    pub fn first_seen(&self, digest: Digest) -> Result<Option<Timestamp>, StoreError> {
        use rusqlite::OptionalExtension as _;
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT first_seen FROM image WHERE digest = ?1")?;
        Ok(statement.query_row(params![digest.to_string()], |row| row.get(0)).optional()?.map(time))
    }
}
