//! The zero-day questions.

use std::collections::BTreeSet;

use assay_model::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::backend::{Value, values};
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
        let versions = self.read(|session| {
            session.rows("SELECT id, kind, version FROM package WHERE name = ?1", &values![name], |row| {
                Ok((row.integer(0)?, row.text(1)?, row.text(2)?))
            })
        })?;
        let wanted: Vec<i64> = versions
            .into_iter()
            .filter(|(_, kind, version)| wanted(VersionMatch { kind, version }))
            .map(|(id, ..)| id)
            .collect();
        self.read(|session| {
            let mut found = BTreeSet::new();
            for id in &wanted {
                let sql =
                    "SELECT digest FROM image_package JOIN image ON image.id = image_package.image WHERE package = ?1";
                let digests: Vec<Digest> = session.rows(sql, &values![*id], |row| parse("digest", row.text(0)?))?;
                found.extend(digests);
            }
            Ok(found)
        })
    }

    /// The images of which a vulnerability is known, by any of its names.
    pub fn images_with_vulnerability(&self, id: &str) -> Result<BTreeSet<Digest>, StoreError> {
        let found = self.read(|session| {
            session.rows(
                "SELECT digest FROM image_vulnerability v JOIN image ON image.id = v.image WHERE vulnerability = ?1",
                &values![id],
                |row| parse("digest", row.text(0)?),
            )
        })?;
        Ok(found.into_iter().collect())
    }

    /// What runs of these images, by their own digest or by that of an index that holds them. Each container once.
    pub fn who_runs(&self, images: &BTreeSet<Digest>) -> Result<Vec<InventoryRow>, StoreError> {
        let condition = "image.digest = ?1 OR image.digest IN (SELECT image_index FROM index_member WHERE member = ?1)";
        let (mut rows, mut seen) = (Vec::new(), BTreeSet::new());
        for digest in images {
            for row in self.inventory_where(condition, &values![digest.to_string()])? {
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
        self.rollouts_where("image.digest = ?1", &values![digest.to_string()])
    }

    /// What began to run at or after `since`, oldest first.
    pub fn rollouts_since(&self, since: Timestamp) -> Result<Vec<RunningImage>, StoreError> {
        self.rollouts_where("rollout.since >= ?1", &values![micros(since)])
    }

    fn rollouts_where(&self, condition: &'static str, values: &[Value<'_>]) -> Result<Vec<RunningImage>, StoreError> {
        let sql = format!(
            "SELECT cluster.name, namespace, workload.kind || '/' || workload.name, container, digest, since, until
             FROM rollout JOIN workload ON workload.id = rollout.workload JOIN cluster ON cluster.id = workload.cluster
                JOIN image ON image.id = rollout.image
             WHERE {condition} ORDER BY since, cluster.name, namespace, 3, container"
        );
        self.read(|session| {
            session.rows(&sql, values, |row| {
                Ok(RunningImage {
                    cluster: row.text(0)?,
                    namespace: row.text(1)?,
                    workload: row.text(2)?,
                    container: row.text(3)?,
                    digest: parse("digest", row.text(4)?)?,
                    since: time(row.integer(5)?),
                    until: row.optional_integer(6)?.map(time),
                })
            })
        })
    }

    /// When the store first heard of an image.
    pub fn first_seen(&self, digest: Digest) -> Result<Option<Timestamp>, StoreError> {
        self.read(|session| {
            let key = values![digest.to_string()];
            session.row("SELECT first_seen FROM image WHERE digest = ?1", &key, |row| Ok(time(row.integer(0)?)))
        })
    }
}
