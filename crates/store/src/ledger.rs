//! Releases, and the promotion ledger: append-only, each entry's hash covering the one before.

use std::collections::BTreeMap;

use assay_case::Promotion;
use assay_model::{Digest, EnvironmentName, Hasher, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::database::{Store, decode, encode};

/// What stands before the first entry.
const BEGINNING: &str = "";

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum LedgerEvent {
    /// A digest was promoted, or rolled back to: a rollback is a promotion.
    #[serde(rename_all = "camelCase")]
    Promotion {
        /// What, where, by whom. Its number is given by the ledger.
        promotion: Box<Promotion>,
        /// Whether it was a rollback.
        rollback: bool,
        /// Digest of the findings as they were known at that moment.
        findings: Option<Digest>,
        /// Digest of the vulnerability pack of that moment.
        pack: Option<Digest>,
        /// Names of the Exceptions it used.
        exceptions: Vec<String>,
        /// The decision that allowed it.
        decision: Option<String>,
    },
    /// A digest was withdrawn: refused from then on.
    Retirement {
        /// The digest.
        digest: Digest,
        /// Where it is refused.
        environment: EnvironmentName,
        /// Why.
        reason: String,
        /// By whom.
        by: String,
        /// When.
        at: Timestamp,
    },
}

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// Position, counted from 1.
    pub number: u64,
    /// What happened.
    pub event: LedgerEvent,
    /// SHA-256 over the previous hash and the bytes of this entry.
    pub hash: Digest,
}

/// That the ledger was read from end to end and holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerStatus {
    /// Entries.
    pub entries: u64,
    /// Hash of the last one.
    pub head: Option<Digest>,
}

/// A release as it was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// The service it belongs to.
    pub service: String,
    /// What is promoted.
    pub digest: Digest,
    /// The ReleaseArtifact object, as JSON.
    pub object: serde_json::Value,
}

impl Store {
    /// Appends an event. The promotion's number is set to its position.
    pub fn append_ledger(&self, mut event: LedgerEvent) -> Result<LedgerEntry, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let head = head(&transaction)?;
        let (number, previous) = head.map_or((1, BEGINNING.to_owned()), |(number, hash)| (number + 1, hash));
        if let LedgerEvent::Promotion { promotion, .. } = &mut event {
            promotion.number = number;
        }
        let body = encode("ledger entry", &event)?;
        let hash = entry_hash(number, &previous, &body);
        transaction.execute(
            "INSERT INTO ledger VALUES (?1, ?2, ?3, ?4)",
            params![number as i64, previous, body, hash.to_string()],
        )?;
        transaction.execute(
            "INSERT OR REPLACE INTO ledger_head VALUES (1, ?1, ?2)",
            params![number as i64, hash.to_string()],
        )?;
        transaction.commit()?;
        Ok(LedgerEntry { number, event, hash })
    }

    /// All entries, checked: an entry that does not fit the one before is an error, and nothing after it is returned.
    pub fn ledger(&self) -> Result<Vec<LedgerEntry>, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let head = head(&transaction)?;
        let mut statement = transaction.prepare("SELECT number, previous, body, hash FROM ledger ORDER BY number")?;
        let mut rows = statement.query([])?;
        let mut entries: Vec<LedgerEntry> = Vec::new();
        let mut previous = BEGINNING.to_owned();
        while let Some(row) = rows.next()? {
            let number = entries.len() as u64 + 1;
            let broken = |why| StoreError::Ledger { number, why };
            let (found, before, body, hash): (i64, String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            if u64::try_from(found) != Ok(number) {
                return Err(broken("an entry is missing"));
            }
            if before != previous {
                return Err(broken("it does not follow the entry before"));
            }
            let computed = entry_hash(number, &previous, &body);
            if computed.to_string() != hash {
                return Err(broken("its hash does not fit its text"));
            }
            entries.push(LedgerEntry { number, event: decode("ledger entry", body.as_bytes())?, hash: computed });
            previous = hash;
        }
        let last = entries.last().map(|entry| (entry.number, entry.hash.to_string()));
        if last != head {
            return Err(StoreError::Ledger { number: entries.len() as u64 + 1, why: "entries are missing at the end" });
        }
        Ok(entries)
    }

    /// Number and hash of the last entry as it was appended: changes whenever the ledger does.
    pub fn ledger_head(&self) -> Result<Option<(u64, String)>, StoreError> {
        head(&self.connection())
    }

    /// Reads the ledger from end to end.
    pub fn verify_ledger(&self) -> Result<LedgerStatus, StoreError> {
        let entries = self.ledger()?;
        Ok(LedgerStatus { entries: entries.len() as u64, head: entries.last().map(|entry| entry.hash) })
    }

    /// The promotions as the Gate reads them: each with the retirement that came after it, if one did.
    pub fn promotions(&self) -> Result<Vec<Promotion>, StoreError> {
        let mut promotions: Vec<Promotion> = Vec::new();
        let mut by_place: BTreeMap<(Digest, EnvironmentName), Vec<usize>> = BTreeMap::new();
        for entry in self.ledger()? {
            match entry.event {
                LedgerEvent::Promotion { promotion, .. } => {
                    let place = (promotion.digest, promotion.environment.clone());
                    by_place.entry(place).or_default().push(promotions.len());
                    promotions.push(*promotion);
                }
                LedgerEvent::Retirement { digest, environment, reason, .. } => {
                    for &index in by_place.get(&(digest, environment)).into_iter().flatten() {
                        if let Some(promotion) = promotions.get_mut(index) {
                            promotion.retired = Some(reason.clone());
                        }
                    }
                }
            }
        }
        Ok(promotions)
    }

    /// Keeps a release. One that exists under this name with another digest is replaced: the ledger holds the history.
    pub fn put_release(&self, release: &Release) -> Result<(), StoreError> {
        let body = encode("release", &release.object)?;
        self.connection().execute(
            "INSERT OR REPLACE INTO release VALUES (?1, ?2, ?3, ?4)",
            params![release.name, release.service, release.digest.to_string(), body],
        )?;
        Ok(())
    }

    /// The release of this name.
    pub fn release(&self, name: &str) -> Result<Option<Release>, StoreError> {
        Ok(self.releases()?.into_iter().find(|release| release.name == name))
    }

    /// All releases, by name.
    pub fn releases(&self) -> Result<Vec<Release>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT name, service, digest, body FROM release ORDER BY name")?;
        let mut rows = statement.query([])?;
        let mut releases = Vec::new();
        while let Some(row) = rows.next()? {
            releases.push(Release {
                name: row.get(0)?,
                service: row.get(1)?,
                digest: crate::database::parse("digest", row.get(2)?)?,
                object: decode("release", row.get::<_, String>(3)?.as_bytes())?,
            });
        }
        Ok(releases)
    }
}

fn head(connection: &Connection) -> Result<Option<(u64, String)>, StoreError> {
    let found = connection
        .query_row("SELECT number, hash FROM ledger_head", [], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map(|(number, hash)| (u64::try_from(number).unwrap_or(0), hash)))
}

/// Length-prefixed, so that no two different entries have the same input.
fn entry_hash(number: u64, previous: &str, body: &str) -> Digest {
    let mut hasher = Hasher::new(assay_model::Algorithm::Sha256);
    hasher.update(&number.to_be_bytes());
    for part in [previous, body] {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finish()
}
