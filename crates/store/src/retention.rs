//! How long decisions are kept, and how they leave.

use assay_model::Timestamp;

use crate::backend::{Mode, Session, values};
use crate::database::{Store, decode, micros};
use crate::decision_batch::{self, Id};
use crate::{DecisionRecord, StoreError};

/// Batches that go in one transaction, so that nobody waits long for it.
const AT_ONCE: usize = 32;

/// How long decisions are kept. Nothing said = for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// What was decided before this goes.
    pub before: Option<Timestamp>,
    /// Most bytes that decisions take, packed as they are stored; the oldest go first.
    pub bytes: Option<u64>,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Decisions.
    pub decisions: u64,
    /// Bytes that they took, packed.
    pub bytes: u64,
}

/// A batch that is to go.
struct Old {
    number: i64,
    bytes: u64,
    text: Vec<u8>,
}

impl Store {
    /// Lets decisions go that are kept no longer, the oldest first, batch by batch: one goes when its newest decision may.
    /// What was admitted last stays known to reschedules and the inventory.
    pub fn expire_decisions(&self, retention: Retention) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        loop {
            let some = self.transaction(Mode::Exclusive, |session| expire_some(session, retention))?;
            if some.decisions == 0 {
                return Ok(expired);
            }
            expired.decisions += some.decisions;
            expired.bytes += some.bytes;
        }
    }

    /// Bytes that decisions take, packed.
    pub fn decision_bytes(&self) -> Result<u64, StoreError> {
        self.read(stored_bytes)
    }

    /// Hands over the decisions from `since` until before `until`, oldest first. What comes meanwhile may be among them or
    /// not. The first error of `take` ends it.
    pub fn each_decision<E: From<StoreError>>(
        &self,
        since: Timestamp,
        until: Timestamp,
        mut take: impl FnMut(DecisionRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let (since, until) = (micros(since), micros(until));
        // Batches are taken in the order of their last decision, and those of several servers overlap: what is later
        // than the next batch's beginning waits.
        let mut waiting: Vec<DecisionRecord> = Vec::new();
        let mut after = (since, i64::MIN);
        loop {
            let next = self.read(|session| {
                session.row(
                    "SELECT last, number, body, size,
                         (SELECT min(first) FROM decision_batch later WHERE (later.last, later.number) > (b.last, b.number))
                     FROM decision_batch b WHERE (last, number) > (?1, ?2) AND first < ?3
                     ORDER BY last, number LIMIT 1",
                    &values![after.0, after.1, until],
                    |row| {
                        let place = (row.integer(0)?, row.integer(1)?);
                        Ok((place, decision_batch::unpack(row.bytes(2)?, row.integer(3)?)?, row.optional_integer(4)?))
                    },
                )
            })?;
            let Some((place, text, later)) = next else { break };
            after = place;
            for line in decision_batch::lines(&text) {
                let record: DecisionRecord = decode("decision", line)?;
                if (since..until).contains(&micros(record.at)) {
                    waiting.push(record);
                }
            }
            waiting.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
            let certain = waiting.partition_point(|record| later.is_none_or(|later| micros(record.at) < later));
            for record in waiting.drain(..certain) {
                take(record)?;
            }
        }
        waiting.into_iter().try_for_each(take)
    }
}

fn stored_bytes(session: &mut dyn Session) -> Result<u64, StoreError> {
    let sql = "SELECT CAST(coalesce(sum(length(body)), 0) AS BIGINT) FROM decision_batch";
    Ok(session.row(sql, &[], |row| row.integer(0))?.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
}

/// Removes a few of the oldest batches that may go.
fn expire_some(session: &mut dyn Session, retention: Retention) -> Result<Expired, StoreError> {
    let mut over = match retention.bytes {
        Some(most) => stored_bytes(session)?.saturating_sub(most),
        None => 0,
    };
    let before = retention.before.map_or(i64::MIN, micros);
    let mut old: Vec<Old> = Vec::new();
    let mut place = (i64::MIN, i64::MIN);
    while old.len() < AT_ONCE {
        let next = session.row(
            "SELECT last, number, body, size FROM decision_batch WHERE (last, number) > (?1, ?2)
             ORDER BY last, number LIMIT 1",
            &values![place.0, place.1],
            |row| {
                let found = (row.integer(0)?, row.integer(1)?);
                let body = row.bytes(2)?;
                let bytes = body.len() as u64;
                // What cannot be read any more goes as well: its keys stay, and lead nowhere.
                let text = decision_batch::unpack(body, row.integer(3)?).unwrap_or_default();
                Ok((found, Old { number: found.1, bytes, text }))
            },
        )?;
        let Some((found, batch)) = next else { break };
        if found.0 >= before && over == 0 {
            break;
        }
        place = found;
        over = over.saturating_sub(batch.bytes);
        old.push(batch);
    }
    let mut expired = Expired::default();
    for batch in old {
        let (mut ids, mut digests, mut uses): (Vec<Id>, Vec<_>, Vec<_>) = (Vec::new(), Vec::new(), Vec::new());
        for keys in decision_batch::lines(&batch.text).filter_map(decision_batch::Keys::read) {
            ids.push(keys.id);
            digests.extend(keys.digests);
            uses.extend(keys.exceptions.into_iter().map(|exception| (exception, hex::encode(keys.id))));
        }
        digests.sort_unstable();
        digests.dedup();
        expired.decisions += (ids.len() as u64).max(1);
        expired.bytes += batch.bytes;
        let rows: Vec<_> = ids.iter().map(|id| values![id.as_slice()].into()).collect();
        session.execute_each("DELETE FROM decision WHERE id = ?1", &rows)?;
        let rows: Vec<_> = digests.iter().map(|digest| values![digest.as_bytes(), batch.number].into()).collect();
        session.execute_each("DELETE FROM decision_digest WHERE digest = ?1 AND batch = ?2", &rows)?;
        let rows: Vec<_> = uses.iter().map(|(exception, id)| values![exception, id].into()).collect();
        session.execute_each("DELETE FROM exception_use WHERE exception = ?1 AND decision = ?2", &rows)?;
        session.execute("DELETE FROM decision_batch WHERE number = ?1", &values![batch.number])?;
    }
    Ok(expired)
}
