//! Releases, and the promotion ledger: append-only, each entry's hash covering the one before.

use std::collections::BTreeMap;

use assay_case::Promotion;
use assay_model::{Digest, EnvironmentName, Hasher, Timestamp};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::backend::{Mode, Session, values};
use crate::database::{Store, decode, encode, parse};

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
    /// Appends an event. The promotion's number is set to its position. Replicas append one after another.
    pub fn append_ledger(&self, event: LedgerEvent) -> Result<LedgerEntry, StoreError> {
        self.transaction(Mode::Exclusive, |session| {
            let mut event = event.clone();
            let (number, previous) =
                head(session)?.map_or((1, BEGINNING.to_owned()), |(number, hash)| (number + 1, hash));
            if let LedgerEvent::Promotion { promotion, .. } = &mut event {
                promotion.number = number;
            }
            let body = encode("ledger entry", &event)?;
            let hash = entry_hash(number, &previous, &body);
            let row = values![number.cast_signed(), &previous, &body, hash.to_string()];
            session.execute("INSERT INTO ledger VALUES (?1, ?2, ?3, ?4)", &row)?;
            session.execute(
                "INSERT INTO ledger_head VALUES (1, ?1, ?2) ON CONFLICT(one) DO UPDATE
                 SET number = excluded.number, hash = excluded.hash",
                &values![number.cast_signed(), hash.to_string()],
            )?;
            Ok(LedgerEntry { number, event, hash })
        })
    }

    /// All entries, checked: an entry that does not fit the one before is an error, and nothing after it is returned.
    pub fn ledger(&self) -> Result<Vec<LedgerEntry>, StoreError> {
        self.read(|session| {
            let head = head(session)?;
            let mut entries: Vec<LedgerEntry> = Vec::new();
            let mut previous = BEGINNING.to_owned();
            let sql = "SELECT number, previous, body, hash FROM ledger ORDER BY number";
            session.query(sql, &[], &mut |mut row| {
                let number = entries.len() as u64 + 1;
                let broken = |why| StoreError::Ledger { number, why };
                let (found, before) = (row.integer(0)?, row.text(1)?);
                let (body, hash) = (row.text(2)?, row.text(3)?);
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
                Ok(())
            })?;
            let last = entries.last().map(|entry| (entry.number, entry.hash.to_string()));
            if last != head {
                let number = entries.len() as u64 + 1;
                return Err(StoreError::Ledger { number, why: "entries are missing at the end" });
            }
            Ok(entries)
        })
    }

    /// Number and hash of the last entry as it was appended: changes whenever the ledger does.
    pub fn ledger_head(&self) -> Result<Option<(u64, String)>, StoreError> {
        self.read(head)
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
        self.transaction(Mode::Record, |session| {
            session.execute(
                "INSERT INTO release VALUES (?1, ?2, ?3, ?4) ON CONFLICT(name) DO UPDATE
                 SET service = excluded.service, digest = excluded.digest, body = excluded.body",
                &values![&release.name, &release.service, release.digest.to_string(), &body],
            )?;
            Ok(())
        })
    }

    /// The release of this name.
    pub fn release(&self, name: &str) -> Result<Option<Release>, StoreError> {
        Ok(self.releases()?.into_iter().find(|release| release.name == name))
    }

    /// All releases, by name.
    pub fn releases(&self) -> Result<Vec<Release>, StoreError> {
        self.read(|session| {
            session.rows("SELECT name, service, digest, body FROM release ORDER BY name", &[], |row| {
                Ok(Release {
                    name: row.text(0)?,
                    service: row.text(1)?,
                    digest: parse("digest", row.text(2)?)?,
                    object: decode("release", &row.bytes(3)?)?,
                })
            })
        })
    }
}

fn head(session: &mut dyn Session) -> Result<Option<(u64, String)>, StoreError> {
    session.row("SELECT number, hash FROM ledger_head", &[], |row| {
        Ok((u64::try_from(row.integer(0)?).unwrap_or(0), row.text(1)?))
    })
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
