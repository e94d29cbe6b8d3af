//! Facts by immutable keys. A key names everything that the value follows from, so that no entry is ever out of date.

use std::sync::Arc;

use assay_model::{Contents, Digest, Findings, Timestamp};
use assay_trust::{Evidence, SealedEvidence};
use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::StoreError;
use crate::database::{Store, decode, encode, micros, parse, time};

impl Store {
    /// What inspection made of a layer, by verified blob digest and analyser version, in the inspector's own form.
    pub fn layer(&self, blob: Digest, analyser: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT body FROM layer WHERE digest = ?1 AND analyser = ?2")?;
        Ok(statement.query_row(params![blob.to_string(), analyser], |row| row.get(0)).optional()?)
    }

    /// Keeps what [`Store::layer`] gives.
    pub fn put_layer(&self, blob: Digest, analyser: u32, body: &[u8]) -> Result<(), StoreError> {
        let connection = self.connection();
        connection.prepare_cached("INSERT OR REPLACE INTO layer VALUES (?1, ?2, ?3)")?.execute(params![
            blob.to_string(),
            analyser,
            body
        ])?;
        Ok(())
    }

    /// What is in an image, by manifest digest and analyser version, and when that was found out.
    pub fn contents(&self, subject: Digest, analyser: u32) -> Result<Option<(Contents, Timestamp)>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT body, at FROM contents WHERE subject = ?1 AND analyser = ?2")?;
        let found = statement
            .query_row(params![subject.to_string(), analyser], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))
            .optional()?;
        found.map(|(body, at)| Ok((decode("contents", &body)?, time(at)))).transpose()
    }

    /// Keeps what is in an image, and lists its packages for [`Store::who_runs_package`]: under their own names, and under
    /// those of the source packages that they were built from, since advisories and people name those.
    pub fn put_contents(&self, subject: Digest, contents: &Contents, at: Timestamp) -> Result<(), StoreError> {
        let body = encode("contents", contents)?;
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        transaction.prepare_cached("INSERT OR REPLACE INTO contents VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            subject.to_string(),
            contents.analyser,
            micros(at),
            body.as_bytes()
        ])?;
        let image = image_id(&transaction, subject, at)?;
        transaction.prepare_cached("DELETE FROM image_package WHERE image = ?1")?.execute([image])?;
        {
            let mut add =
                transaction.prepare_cached("INSERT OR IGNORE INTO package(name, kind, version) VALUES (?1, ?2, ?3)")?;
            let mut join = transaction.prepare_cached(
                "INSERT OR IGNORE INTO image_package
                 SELECT id, ?4 FROM package WHERE name = ?1 AND kind = ?2 AND version = ?3",
            )?;
            for package in &contents.packages {
                let kind = package.kind.purl_type();
                add.execute(params![package.name, kind, package.version])?;
                join.execute(params![package.name, kind, package.version, image])?;
                if let Some(source) = package.source.as_ref().filter(|source| source.name != package.name) {
                    add.execute(params![source.name, kind, source.version])?;
                    join.execute(params![source.name, kind, source.version, image])?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Raw findings, by digest of the contents and digest of the pack.
    pub fn findings(&self, contents: Digest, pack: Digest) -> Result<Option<Findings>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT body FROM findings WHERE contents = ?1 AND pack = ?2")?;
        let found: Option<Vec<u8>> =
            statement.query_row(params![contents.to_string(), pack.to_string()], |row| row.get(0)).optional()?;
        found.map(|body| decode("findings", &body)).transpose()
    }

    /// Keeps findings, and the risk of the image that they are about.
    pub fn put_findings(&self, subject: Digest, contents: Digest, findings: &Findings) -> Result<(), StoreError> {
        let body = encode("findings", findings)?;
        let counts = encode("counts", &findings.counts())?;
        let pack = findings.pack.digest.to_string();
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        transaction.prepare_cached("INSERT OR REPLACE INTO findings VALUES (?1, ?2, ?3)")?.execute(params![
            contents.to_string(),
            pack,
            body.as_bytes()
        ])?;
        let image = image_id(&transaction, subject, findings.matched_at)?;
        transaction.prepare_cached("INSERT OR REPLACE INTO image_risk VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            image,
            counts,
            pack,
            micros(findings.matched_at)
        ])?;
        transaction.prepare_cached("DELETE FROM image_vulnerability WHERE image = ?1")?.execute([image])?;
        {
            let mut add = transaction.prepare_cached("INSERT OR IGNORE INTO image_vulnerability VALUES (?1, ?2)")?;
            for finding in &findings.vulnerabilities {
                let vulnerability = &finding.vulnerability;
                for id in std::iter::once(&vulnerability.id).chain(&vulnerability.aliases) {
                    add.execute(params![id.as_str(), image])?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Evidence about a digest that was verified against this trust material. What does not restore (changed by a hand,
    /// or by another version) is left out: its source is then verified again.
    pub fn evidence(&self, subject: Digest, trust_root: Digest) -> Result<Vec<Arc<Evidence>>, StoreError> {
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached("SELECT body FROM evidence WHERE subject = ?1 AND trust_root = ?2 ORDER BY source")?;
        let rows =
            statement.query_map(params![subject.to_string(), trust_root.to_string()], |row| row.get::<_, String>(0))?;
        let mut evidence = Vec::new();
        for body in rows {
            let restored = decode::<SealedEvidence>("evidence", body?.as_bytes())
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
        let connection = self.connection();
        connection.prepare_cached("INSERT OR REPLACE INTO evidence VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
            params![
                evidence.subject().to_string(),
                evidence.source().to_string(),
                evidence.trust_root().to_string(),
                kind.trim_matches('"'),
                evidence.signer().to_string(),
                body,
            ],
        )?;
        Ok(())
    }

    /// Keeps that an index holds a platform manifest: runtimes report an image that was pulled through an index by the
    /// index's digest, and what is known is known of the platform's.
    pub fn put_index_member(&self, index: Digest, member: Digest) -> Result<(), StoreError> {
        let connection = self.connection();
        connection
            .prepare_cached("INSERT OR IGNORE INTO index_member VALUES (?1, ?2)")?
            .execute(params![index.to_string(), member.to_string()])?;
        Ok(())
    }

    /// The digests that the store holds contents of, in order.
    pub fn known_images(&self) -> Result<Vec<Digest>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT DISTINCT subject FROM contents ORDER BY subject")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|text| parse("digest", text?)).collect()
    }
}

/// The row of an image, made where there is none.
pub(crate) fn image_id(transaction: &Transaction<'_>, digest: Digest, at: Timestamp) -> Result<i64, StoreError> {
    let digest = digest.to_string();
    transaction
        .prepare_cached("INSERT OR IGNORE INTO image(digest, first_seen) VALUES (?1, ?2)")?
        .execute(params![digest, micros(at)])?;
    Ok(transaction.prepare_cached("SELECT id FROM image WHERE digest = ?1")?.query_row([digest], |row| row.get(0))?)
}
