//! Decisions in the database: records packed together, found through small tables.
//!
//! A record has some thousand bytes, and most of them stand in the record before it, too. So a row holds some hundred of
//! them as one Zstandard stream (RFC 8878), a JSON line each, and beside them stands what they are looked up by: id,
//! digest, used Exception, and what was admitted for whom. The stream is made once, while the records are written to their
//! segment: each ends with a flush, so that what stands in the file is always whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};

use assay_case::{ExceptionNote, PriorAdmission, Workload};
use assay_model::{Digest, Timestamp};
use serde::Deserialize;

use crate::backend::{Mode, Session, values};
use crate::database::{Store, decode, micros, parse, time};
use crate::{DecisionRecord, StoreError, record_text};

/// The lowest of the ordinary levels: a record shrinks to a thirtieth by what stands before it, a higher level saves little.
const LEVEL: i32 = 1;
/// Largest batch that is unpacked. A batch holds about a mebibyte; one record may be as large as an AdmissionReview.
const UNPACKED_MAX: usize = 64 << 20;
/// A Pod makes no other Pods, so that no later request is the same rollout as a Pod's own.
const OWNS_NOTHING: &str = "Pod";

/// A decision id as the database has it: eight bytes, sixteen hexadecimal digits.
pub(crate) type Id = [u8; 8];

/// What the tables need to know of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) id: Id,
    at: i64,
    pub(crate) digests: Vec<Digest>,
    /// Where something was admitted for good.
    admitted: Option<Place>,
    pub(crate) exceptions: Vec<String>,
}

/// A namespace, and `Kind/name` of a workload in it; no workload for a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    namespace: String,
    workload: Option<String>,
}

/// The part of a record's text that [`Keys`] are read from; the rest is only skipped over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    at: Timestamp,
    dry_run: bool,
    #[serde(borrow)]
    request: WrittenRequest<'a>,
    verdict: WrittenVerdict,
}

#[derive(Deserialize)]
struct WrittenRequest<'a> {
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    workload: Workload,
    images: Vec<WrittenImage>,
}

#[derive(Deserialize)]
struct WrittenImage {
    digests: Vec<Digest>,
    #[serde(default)]
    covering: Vec<Digest>,
}

#[derive(Deserialize)]
struct WrittenVerdict {
    allowed: bool,
    #[serde(default)]
    exceptions: Vec<ExceptionNote>,
}

impl Keys {
    /// Of a record; none where its id is none.
    pub(crate) fn of(record: &DecisionRecord) -> Option<Self> {
        let request = &record.request;
        Some(Self {
            id: id(&record.id)?,
            at: micros(record.at),
            digests: distinct(request.images.iter().flat_map(|image| image.digests.iter().chain(&image.covering))),
            admitted: admitted(
                record.verdict.allowed && !record.dry_run,
                || request.namespace.clone(),
                &request.workload,
            ),
            exceptions: used(&record.verdict.exceptions),
        })
    }

    /// Of a record's text; none where that is no record.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        let written: Written<'_> = serde_json::from_slice(line).ok()?;
        let request = &written.request;
        Some(Self {
            id: id(&written.id)?,
            at: micros(written.at),
            digests: distinct(request.images.iter().flat_map(|image| image.digests.iter().chain(&image.covering))),
            admitted: admitted(
                written.verdict.allowed && !written.dry_run,
                || request.namespace.clone().into_owned(),
                &request.workload,
            ),
            exceptions: used(&written.verdict.exceptions),
        })
    }
}

fn id(text: &str) -> Option<Id> {
    let mut id = Id::default();
    hex::decode_to_slice(text, &mut id).ok()?;
    Some(id)
}

fn distinct<'d>(digests: impl Iterator<Item = &'d Digest>) -> Vec<Digest> {
    let mut digests: Vec<Digest> = digests.copied().collect();
    digests.sort_unstable();
    digests.dedup();
    digests
}

fn admitted(for_good: bool, namespace: impl FnOnce() -> String, workload: &Workload) -> Option<Place> {
    for_good.then(|| Place {
        namespace: namespace(),
        workload: (workload.kind != OWNS_NOTHING).then(|| format!("{}/{}", workload.kind, workload.name)),
    })
}

fn used(notes: &[ExceptionNote]) -> Vec<String> {
    notes.iter().filter(|note| note.ignored.is_none()).map(|note| note.name.clone()).collect()
}

/// Records on their way into one row: their text, a line each, and what they are looked up by.
pub(crate) struct Batch {
    packer: zstd::stream::write::Encoder<'static, Vec<u8>>,
    /// Bytes of text.
    size: usize,
    /// With the offset at which the text of each begins.
    records: Vec<(Keys, usize)>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("size", &self.size).field("records", &self.records.len()).finish_non_exhaustive()
    }
}

/// A batch that nothing is added to.
pub(crate) struct Packed {
    body: Vec<u8>,
    size: usize,
    records: Vec<(Keys, usize)>,
}

impl Batch {
    pub(crate) fn new() -> io::Result<Self> {
        let packer = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
        Ok(Self { packer, size: 0, records: Vec::new() })
    }

    /// Adds a record. `line` ends with a line feed and holds no other one. Returns the bytes that are new in the stream:
    /// with those before them, they give the text back.
    pub(crate) fn push(&mut self, keys: Keys, line: &[u8]) -> io::Result<&[u8]> {
        let begin = self.packer.get_ref().len();
        self.packer.write_all(line)?;
        self.packer.flush()?;
        self.records.push((keys, self.size));
        self.size += line.len();
        Ok(self.packer.get_ref().get(begin..).unwrap_or_default())
    }

    /// Bytes of text.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Ends the stream.
    pub(crate) fn close(self) -> io::Result<Packed> {
        Ok(Packed { body: self.packer.finish()?, size: self.size, records: self.records })
    }
}

impl Packed {
    /// The same without the records that begin there.
    fn without(&self, known: &BTreeSet<usize>) -> Result<Self, StoreError> {
        let text = zstd::bulk::decompress(&self.body, self.size).map_err(damaged)?;
        let mut rest = Batch::new().map_err(damaged)?;
        for (keys, begin) in self.records.iter().filter(|(_, begin)| !known.contains(begin)) {
            rest.push(keys.clone(), &[line_at(&text, *begin), b"\n"].concat()).map_err(damaged)?;
        }
        rest.close().map_err(damaged)
    }
}

/// The line that begins there, without its end.
fn line_at(text: &[u8], begin: usize) -> &[u8] {
    let rest = text.get(begin..).unwrap_or_default();
    rest.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// Makes damage in a row an error.
fn damaged(why: impl std::fmt::Display) -> StoreError {
    StoreError::Row { what: "decision", source: serde::de::Error::custom(why) }
}

/// The text of a batch. One that begins like a record is not compressed: those of the first schema.
pub(crate) fn unpack(body: Vec<u8>, size: i64) -> Result<Vec<u8>, StoreError> {
    if body.first() == Some(&b'{') {
        return Ok(body);
    }
    let size = usize::try_from(size).ok().filter(|size| *size <= UNPACKED_MAX);
    let size = size.ok_or_else(|| damaged("its batch is larger than any that is written"))?;
    zstd::bulk::decompress(&body, size).map_err(damaged)
}

/// The first and last id that begin so; none where nothing can.
fn range(prefix: &str) -> Option<(Id, Id)> {
    let digits = size_of::<Id>() * 2;
    let filled = |digit: char| {
        let rest = digits.checked_sub(prefix.len())?;
        id(&(prefix.to_owned() + &digit.to_string().repeat(rest)))
    };
    if prefix.is_empty() { None } else { Some((filled('0')?, filled('f')?)) }
}

impl Store {
    /// Keeps decisions, all or none. One that is there already is left alone: segments may be replayed.
    pub fn put_decisions(&self, records: &[DecisionRecord]) -> Result<(), StoreError> {
        let mut batch = Batch::new().map_err(damaged)?;
        for record in records {
            let keys = Keys::of(record).ok_or_else(|| damaged(format!("`{}` is no decision id", record.id)))?;
            let line = record_text::line(record).map_err(|source| StoreError::Row { what: "decision", source })?;
            batch.push(keys, &line).map_err(damaged)?;
        }
        self.put_batch(&batch.close().map_err(damaged)?)
    }

    /// The same with records as they stand in a segment, whose text is kept as it is.
    pub(crate) fn put_batch(&self, batch: &Packed) -> Result<(), StoreError> {
        let known = self.try_put_batch(batch)?;
        // Only after a crash: the segment was stored, and not yet removed.
        if known.is_empty() { Ok(()) } else { self.put_batch(&batch.without(&known)?) }
    }

    /// Keeps a batch; or nothing of it, and tells where those of its records begin that are there already.
    fn try_put_batch(&self, batch: &Packed) -> Result<BTreeSet<usize>, StoreError> {
        let times = batch.records.iter().map(|(keys, _)| keys.at);
        let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { return Ok(BTreeSet::new()) };
        // In the order of the key, so that neighbours meet on a page that is at hand.
        let mut records: Vec<&(Keys, usize)> = batch.records.iter().collect();
        records.sort_by_key(|(keys, _)| keys.id);
        let mut known = BTreeSet::new();
        let result = self.transaction(Mode::Record, |session| {
            let number = session.row(
                "INSERT INTO decision_batch(first, last, size, body) VALUES (?1, ?2, ?3, ?4) RETURNING number",
                &values![first, last, batch.size as i64, batch.body.as_slice()],
                |row| row.integer(0),
            )?;
            let number = number.ok_or_else(|| damaged("its batch was not kept"))?;
            let rows: Vec<_> =
                records.iter().map(|(keys, begin)| values![keys.id.as_slice(), number, *begin as i64].into()).collect();
            let added =
                session.execute_each("INSERT INTO decision VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", &rows)?;
            let there = records.iter().zip(added).filter(|(_, added)| *added == 0);
            known = there.map(|((_, begin), _)| *begin).collect();
            if !known.is_empty() {
                return Err(damaged("a part of it is there already"));
            }
            put_keys(session, number, &records)
        });
        if known.is_empty() { result.map(|()| known) } else { Ok(known) }
    }

    /// The decision whose id begins so.
    pub fn decision(&self, prefix: &str) -> Result<Option<DecisionRecord>, StoreError> {
        let Some((first, last)) = range(prefix) else { return Ok(None) };
        self.read(|session| {
            let found = session.rows(
                "SELECT number, place FROM decision JOIN decision_batch ON number = batch WHERE id BETWEEN ?1 AND ?2 LIMIT 100",
                &values![first.as_slice(), last.as_slice()],
                |row| Ok((row.integer(0)?, row.integer(1)?)),
            )?;
            match found.as_slice() {
                [] => Ok(None),
                [(number, place)] => {
                    let sql = "SELECT body, size FROM decision_batch WHERE number = ?1";
                    let text = session.row(sql, &values![*number], |row| unpack(row.bytes(0)?, row.integer(1)?))?;
                    let text = text.unwrap_or_default();
                    let line = line_at(&text, usize::try_from(*place).unwrap_or(usize::MAX));
                    decode("decision", line).map(Some)
                }
                many => Err(StoreError::Ambiguous { prefix: prefix.to_ascii_lowercase(), count: many.len() }),
            }
        })
    }

    /// The newest decisions, newest first.
    pub fn decisions(&self, limit: usize) -> Result<Vec<DecisionRecord>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        self.read(|session| {
            let mut newest: Vec<DecisionRecord> = Vec::new();
            let mut before = (i64::MAX, i64::MAX);
            loop {
                // Several servers write batches, so that their times overlap: one more may hold something newer.
                let oldest = newest.last().filter(|_| newest.len() >= limit).map(|record| micros(record.at));
                let next = session.row(
                    "SELECT last, number, body, size FROM decision_batch
                     WHERE (last, number) < (?1, ?2) AND last >= ?3 ORDER BY last DESC, number DESC LIMIT 1",
                    &values![before.0, before.1, oldest.unwrap_or(i64::MIN)],
                    |row| Ok(((row.integer(0)?, row.integer(1)?), unpack(row.bytes(2)?, row.integer(3)?)?)),
                )?;
                let Some((place, text)) = next else { return Ok(newest) };
                before = place;
                for line in lines(&text) {
                    newest.push(decode("decision", line)?);
                }
                newest_first(&mut newest);
                newest.truncate(limit);
            }
        })
    }

    /// The decisions about an image, newest first.
    pub fn decisions_of(&self, digest: Digest) -> Result<Vec<DecisionRecord>, StoreError> {
        self.read(|session| {
            let mut found = Vec::new();
            session.query(
                "SELECT body, size FROM decision_digest JOIN decision_batch ON number = batch WHERE digest = ?1",
                &values![digest.as_bytes()],
                &mut |mut row| {
                    for line in lines(&unpack(row.bytes(0)?, row.integer(1)?)?) {
                        // Its keys cost a fraction of the whole record.
                        if Keys::read(line).is_some_and(|keys| keys.digests.contains(&digest)) {
                            found.push(decode("decision", line)?);
                        }
                    }
                    Ok(())
                },
            )?;
            newest_first(&mut found);
            Ok(found)
        })
    }

    /// What was admitted since, for good and not as a dry run, for anything but a Pod itself: of each workload and digest
    /// the last time, oldest first.
    pub fn admissions_since(&self, since: Timestamp) -> Result<Vec<PriorAdmission>, StoreError> {
        self.read(|session| {
            session.rows(
                "SELECT digest, namespace, workload, decision, at FROM admission WHERE at >= ?1
                 ORDER BY at, decision, digest",
                &values![micros(since)],
                |row| {
                    Ok(PriorAdmission {
                        digest: parse("digest", row.text(0)?)?,
                        namespace: row.text(1)?,
                        workload: row.text(2)?,
                        decision: row.text(3)?,
                        at: time(row.integer(4)?),
                    })
                },
            )
        })
    }

    /// How often each Exception was used, and when last.
    pub fn exceptions_used(&self) -> Result<BTreeMap<String, (u64, Timestamp)>, StoreError> {
        let used = self.read(|session| {
            session.rows("SELECT exception, count(*), max(at) FROM exception_use GROUP BY exception", &[], |row| {
                Ok((row.text(0)?, (u64::try_from(row.integer(1)?).unwrap_or(0), time(row.integer(2)?))))
            })
        })?;
        Ok(used.into_iter().collect())
    }
}

/// What the records of a batch are looked up by, beside their ids.
fn put_keys(session: &mut dyn Session, number: i64, records: &[&(Keys, usize)]) -> Result<(), StoreError> {
    let mut digests: BTreeSet<&Digest> = BTreeSet::new();
    let (mut images, mut admissions, mut exceptions) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (keys, _) in records {
        digests.extend(&keys.digests);
        if let Some(Place { namespace, workload }) = &keys.admitted {
            let this = (keys.at, keys.id);
            for digest in &keys.digests {
                let newest = images.entry((namespace, digest)).or_insert(this);
                *newest = (*newest).max(this);
                if let Some(workload) = workload {
                    let newest = admissions.entry((namespace, workload, digest)).or_insert(this);
                    *newest = (*newest).max(this);
                }
            }
        }
        exceptions.extend(keys.exceptions.iter().map(|exception| (exception, hex::encode(keys.id), keys.at)));
    }
    // All in the order of their keys, so that two replicas never wait for each other.
    exceptions.sort();
    let rows: Vec<_> = exceptions.into_iter().map(|(exception, id, at)| values![exception, id, at].into()).collect();
    session.execute_each("INSERT INTO exception_use VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", &rows)?;
    let rows: Vec<_> = digests.iter().map(|digest| values![digest.as_bytes(), number].into()).collect();
    session.execute_each("INSERT INTO decision_digest VALUES (?1, ?2)", &rows)?;
    let rows: Vec<_> = images
        .into_iter()
        .map(|((namespace, digest), (at, id))| values![namespace, digest.to_string(), hex::encode(id), at].into())
        .collect();
    session.execute_each(
        "INSERT INTO admitted_image VALUES (?1, ?2, ?3, ?4) ON CONFLICT(namespace, digest) DO UPDATE
         SET decision = excluded.decision, at = excluded.at WHERE excluded.at >= admitted_image.at",
        &rows,
    )?;
    let rows: Vec<_> = admissions
        .into_iter()
        .map(|((namespace, workload, digest), (at, id))| {
            values![namespace, workload, digest.to_string(), hex::encode(id), at].into()
        })
        .collect();
    session.execute_each(
        "INSERT INTO admission VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(namespace, workload, digest) DO UPDATE
         SET decision = excluded.decision, at = excluded.at WHERE excluded.at >= admission.at",
        &rows,
    )?;
    Ok(())
}

pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn newest_first(records: &mut [DecisionRecord]) {
    records.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_by_its_beginning_in_any_case() {
        let (first, last) = range("7F3").unwrap();
        assert_eq!(first, [0x7f, 0x30, 0, 0, 0, 0, 0, 0]);
        assert_eq!(last, [0x7f, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        for nothing in ["", "x", "7f3%", "0123456789abcdef0", "é"] {
            assert_eq!(range(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_damaged_row_is_an_error() {
        assert_eq!(unpack(b"{}".to_vec(), 2).unwrap(), b"{}", "of the first schema");
        let packed = zstd::bulk::compress(b"{}\n", LEVEL).unwrap();
        assert_eq!(unpack(packed.clone(), 3).unwrap(), b"{}\n");
        assert!(unpack(packed.clone(), 2).is_err(), "larger than it says");
        assert!(unpack(packed, i64::MAX).is_err());
        assert!(unpack(b"(".to_vec(), 3).is_err());
    }
}
