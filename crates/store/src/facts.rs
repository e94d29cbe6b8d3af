//! Facts by immutable keys. A key names everything that the value follows from, so that no entry is ever out of date.

use std::sync::Arc;

use assay_model::{Contents, Digest, Findings, Timestamp, VulnerabilityId};
use assay_trust::{Evidence, SealedEvidence};

use crate::StoreError;
use crate::backend::{Mode, Session, values};
use crate::database::{Store, decode, encode, micros, parse, time};

impl Store {
    /// What inspection made of a layer, by verified blob digest and analyser version, in the inspector's own form.
    pub fn layer(&self, blob: Digest, analyser: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|session| {
            let key = values![blob.to_string(), analyser];
            session.row("SELECT body FROM layer WHERE digest = ?1 AND analyser = ?2", &key, |row| row.bytes(0))
        })
    }

    /// Keeps what [`Store::layer`] gives.
    pub fn put_layer(&self, blob: Digest, analyser: u32, body: &[u8]) -> Result<(), StoreError> {
        self.transaction(Mode::Facts, |session| {
            session.execute(
                "INSERT INTO layer VALUES (?1, ?2, ?3) ON CONFLICT(digest, analyser) DO UPDATE SET body = excluded.body",
                &values![blob.to_string(), analyser, body],
            )?;
            Ok(())
        })
    }

    /// What is in an image, by manifest digest and analyser version, and when that was found out.
    pub fn contents(&self, subject: Digest, analyser: u32) -> Result<Option<(Contents, Timestamp)>, StoreError> {
        self.read(|session| {
            session.row(
                "SELECT body, at FROM contents WHERE subject = ?1 AND analyser = ?2",
                &values![subject.to_string(), analyser],
                |row| Ok((decode("contents", &row.bytes(0)?)?, time(row.integer(1)?))),
            )
        })
    }

    /// Keeps what is in an image, and lists its packages for [`Store::who_runs_package`]: under their own names, and under
    /// those of the source packages that they were built from, since advisories and people name those.
    pub fn put_contents(&self, subject: Digest, contents: &Contents, at: Timestamp) -> Result<(), StoreError> {
        let body = encode("contents", contents)?;
        let mut packages: Vec<(&str, &str, &str)> = Vec::new();
        for package in &contents.packages {
            let kind = package.kind.purl_type();
            packages.push((&package.name, kind, &package.version));
            if let Some(source) = package.source.as_ref().filter(|source| source.name != package.name) {
                packages.push((&source.name, kind, &source.version));
            }
        }
        // In one order, so that two replicas never wait for each other.
        packages.sort_unstable();
        packages.dedup();
        self.transaction(Mode::Facts, |session| {
            session.execute(
                "INSERT INTO contents VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT(subject, analyser) DO UPDATE SET at = excluded.at, body = excluded.body",
                &values![subject.to_string(), contents.analyser, micros(at), body.as_bytes()],
            )?;
            let image = image_id(session, subject, at)?;
            session.execute("DELETE FROM image_package WHERE image = ?1", &values![image])?;
            let rows: Vec<_> =
                packages.iter().map(|(name, kind, version)| values![*name, *kind, *version].into()).collect();
            session.execute_each(
                "INSERT INTO package(name, kind, version) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                &rows,
            )?;
            let rows: Vec<_> =
                packages.iter().map(|(name, kind, version)| values![image, *name, *kind, *version].into()).collect();
            session.execute_each(
                "INSERT INTO image_package SELECT id, ?1 FROM package WHERE name = ?2 AND kind = ?3 AND version = ?4
                 ON CONFLICT DO NOTHING",
                &rows,
            )?;
            Ok(())
        })
    }

    /// Raw findings, by digest of the contents and digest of the pack.
    pub fn findings(&self, contents: Digest, pack: Digest) -> Result<Option<Findings>, StoreError> {
        self.read(|session| {
            let key = values![contents.to_string(), pack.to_string()];
            let sql = "SELECT body FROM findings WHERE contents = ?1 AND pack = ?2";
            session.row(sql, &key, |row| decode("findings", &row.bytes(0)?))
        })
    }

    /// Keeps findings, and the risk of the image that they are about.
    pub fn put_findings(&self, subject: Digest, contents: Digest, findings: &Findings) -> Result<(), StoreError> {
        let body = encode("findings", findings)?;
        let counts = encode("counts", &findings.counts())?;
        let pack = findings.pack.digest.to_string();
        let vulnerabilities = findings.vulnerabilities.iter().map(|finding| &finding.vulnerability);
        let mut ids: Vec<&str> = vulnerabilities
            .flat_map(|known| std::iter::once(&known.id).chain(&known.aliases))
            .map(VulnerabilityId::as_str)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        self.transaction(Mode::Facts, |session| {
            session.execute(
                "INSERT INTO findings VALUES (?1, ?2, ?3) ON CONFLICT(contents, pack) DO UPDATE SET body = excluded.body",
                &values![contents.to_string(), &pack, body.as_bytes()],
            )?;
            let image = image_id(session, subject, findings.matched_at)?;
            session.execute(
                "INSERT INTO image_risk VALUES (?1, ?2, ?3, ?4) ON CONFLICT(image) DO UPDATE
                 SET counts = excluded.counts, pack = excluded.pack, matched_at = excluded.matched_at",
                &values![image, &counts, &pack, micros(findings.matched_at)],
            )?;
            session.execute("DELETE FROM image_vulnerability WHERE image = ?1", &values![image])?;
            let rows: Vec<_> = ids.iter().map(|id| values![*id, image].into()).collect();
            session.execute_each("INSERT INTO image_vulnerability VALUES (?1, ?2) ON CONFLICT DO NOTHING", &rows)?;
            Ok(())
        })
    }

    /// Evidence about a digest that was verified against this trust material. What does not restore (changed by a hand,
    /// by another version, or sealed by a replica with another key) is left out: its source is then verified again.
    pub fn evidence(&self, subject: Digest, trust_root: Digest) -> Result<Vec<Arc<Evidence>>, StoreError> {
        let bodies = self.read(|session| {
            session.rows(
                "SELECT body FROM evidence WHERE subject = ?1 AND trust_root = ?2 ORDER BY source",
                &values![subject.to_string(), trust_root.to_string()],
                |row| row.bytes(0),
            )
        })?;
        let mut evidence = Vec::new();
        for body in bodies {
            let restored = decode::<SealedEvidence>("evidence", &body)
                .ok()
                .and_then(|sealed| Evidence::restore(&sealed, self.sealing_key(), trust_root).ok())
                .filter(|evidence| evidence.subject() == subject);
            if let Some(found) = restored {
                evidence.push(Arc::new(found));
            } else {
                tracing::warn!(%subject, "stored evidence does not restore; it will be verified again");
            }
        }
        Ok(evidence)
    }

    /// Keeps verified evidence, sealed.
    pub fn put_evidence(&self, evidence: &Evidence) -> Result<(), StoreError> {
        let kind = encode("evidence kind", &evidence.kind())?;
        let body = encode("evidence", &evidence.seal(self.sealing_key()))?;
        self.transaction(Mode::Facts, |session| {
            session.execute(
                "INSERT INTO evidence VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(subject, source, trust_root) DO UPDATE
                 SET kind = excluded.kind, signer = excluded.signer, body = excluded.body",
                &values![
                    evidence.subject().to_string(),
                    evidence.source().to_string(),
                    evidence.trust_root().to_string(),
                    kind.trim_matches('"'),
                    evidence.signer().to_string(),
                    &body,
                ],
            )?;
            Ok(())
        })
    }

    /// Keeps that an index holds a platform manifest: runtimes report an image that was pulled through an index by the
    /// index's digest, and what is known is known of the platform's.
    pub fn put_index_member(&self, index: Digest, member: Digest) -> Result<(), StoreError> {
        self.transaction(Mode::Facts, |session| {
            let pair = values![index.to_string(), member.to_string()];
            session.execute("INSERT INTO index_member VALUES (?1, ?2) ON CONFLICT DO NOTHING", &pair)?;
            Ok(())
        })
    }

    /// The digests that the store holds contents of, in order.
    pub fn known_images(&self) -> Result<Vec<Digest>, StoreError> {
        self.read(|session| {
            let sql = "SELECT DISTINCT subject FROM contents ORDER BY subject";
            session.rows(sql, &[], |row| parse("digest", row.text(0)?))
        })
    }
}

/// Makes a row for an image.
pub(crate) const ADD_IMAGE: &str = "INSERT INTO image(digest, first_seen) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

/// The row of an image, made where there is none.
fn image_id(session: &mut dyn Session, digest: Digest, at: Timestamp) -> Result<i64, StoreError> {
    let digest = digest.to_string();
    session.execute(ADD_IMAGE, &values![&digest, micros(at)])?;
    let found = session.row("SELECT id FROM image WHERE digest = ?1", &values![&digest], |row| row.integer(0))?;
    found.ok_or_else(|| StoreError::Row { what: "image", source: serde::de::Error::custom("it was not kept") })
}
