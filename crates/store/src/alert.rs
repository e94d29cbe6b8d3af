//! Alerts, and the outbox through which they leave.
//!
//! An alert is open once for an owner, a subject and an environment, however often it is raised. What becomes of it
//! (opened, worse, resolved) is put into the outbox in the same transaction, so that nothing is said that did not
//! happen, and nothing that happened is forgotten. Whoever delivers takes what is due for a while: two replicas do not
//! deliver the same at the same time, and what a killed one had taken comes back. A receiver may still hear twice of
//! the same, with the same id.

use std::time::Duration;

use assay_model::{Severity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::backend::{Mode, Row, Session, Value, values};
use crate::database::{Store, decode, micros, parse, time};

/// After the first failure; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// Longest reason of a failure that is kept.
const REASON_MAX: usize = 300;

/// The owner of what nobody owns: whoever runs Assay.
pub const PLATFORM_OWNER: &str = "platform";

/// What an alert is about: one is open for each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertKey {
    /// Who is to act.
    pub owner: String,
    /// What it is about: a workload, a digest, an Exception.
    pub subject: String,
    /// Where; empty where it is about no Environment.
    pub environment: String,
}

/// An alert to be raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub key: AlertKey,
    /// Which part of Assay watches this: it alone resolves it.
    pub source: String,
    /// How bad.
    pub severity: Severity,
    /// One sentence for people.
    pub summary: String,
}

/// An alert that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenAlert {
    /// What it is about.
    #[serde(flatten)]
    pub key: AlertKey,
    /// Which part of Assay watches this.
    pub source: String,
    /// How bad.
    pub severity: Severity,
    /// One sentence for people.
    pub summary: String,
    /// Since when.
    pub opened: Timestamp,
    /// When it was raised last.
    pub seen: Timestamp,
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertEvent {
    /// It was raised, and none was open.
    Opened,
    /// It was raised again, and is worse.
    Worse,
    /// It is over.
    Resolved,
}

/// What is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The same whenever it is tried again.
    pub id: i64,
    /// JSON of schema `assay.dev/alert/v1`.
    pub body: String,
    /// How often it failed.
    pub failures: u32,
}

/// The body of a delivery.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    schema: &'static str,
    event: AlertEvent,
    at: Timestamp,
    alert: &'a OpenAlert,
}

impl Store {
    /// Raises an alert; what became of it, nothing where it was open and is no worse.
    pub fn raise_alert(&self, alert: &Alert, at: Timestamp) -> Result<Option<AlertEvent>, StoreError> {
        self.transaction(Mode::Exclusive, |session| {
            let severity = alert.severity.to_string();
            let Some((id, mut known)) = open_alert(session, &alert.key)? else {
                let AlertKey { owner, subject, environment } = &alert.key;
                let id = session.row(
                    "INSERT INTO alert(owner, subject, environment, source, severity, summary, opened, seen)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
                    &values![
                        owner,
                        subject,
                        environment,
                        &alert.source,
                        severity,
                        &alert.summary,
                        micros(at),
                        micros(at)
                    ],
                    |row| row.integer(0),
                )?;
                let opened = OpenAlert {
                    key: alert.key.clone(),
                    source: alert.source.clone(),
                    severity: alert.severity,
                    summary: alert.summary.clone(),
                    opened: at,
                    seen: at,
                };
                tell(session, id.unwrap_or_default(), AlertEvent::Opened, &opened, at)?;
                return Ok(Some(AlertEvent::Opened));
            };
            let worse = alert.severity > known.severity;
            known.severity = known.severity.max(alert.severity);
            (known.summary, known.seen) = (alert.summary.clone(), at);
            session.execute(
                "UPDATE alert SET seen = ?2, summary = ?3, severity = ?4 WHERE id = ?1",
                &values![id, micros(at), &known.summary, known.severity.to_string()],
            )?;
            if worse {
                tell(session, id, AlertEvent::Worse, &known, at)?;
            }
            Ok(worse.then_some(AlertEvent::Worse))
        })
    }

    /// Closes an alert; false where none was open.
    pub fn resolve_alert(&self, key: &AlertKey, at: Timestamp) -> Result<bool, StoreError> {
        self.transaction(Mode::Exclusive, |session| {
            let Some((id, known)) = open_alert(session, key)? else { return Ok(false) };
            resolve(session, id, &known, at)?;
            Ok(true)
        })
    }

    /// Closes every alert of a source that is not among those that stand: what is no longer found is over. Returns those.
    pub fn resolve_other_alerts(
        &self,
        source: &str,
        standing: &[AlertKey],
        at: Timestamp,
    ) -> Result<Vec<AlertKey>, StoreError> {
        self.transaction(Mode::Exclusive, |session| {
            let open = session.rows(&format!("{OPEN} AND source = ?1 ORDER BY id"), &values![source], read)?;
            let mut over = Vec::new();
            for (id, known) in open {
                if !standing.contains(&known.key) {
                    resolve(session, id, &known, at)?;
                    over.push(known.key);
                }
            }
            Ok(over)
        })
    }

    /// Lets alerts go that were over before this and of which nothing waits to be delivered. How many went.
    pub fn expire_alerts(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.transaction(Mode::Exclusive, |session| {
            let gone = session.row(
                "SELECT count(*) FROM alert WHERE resolved < ?1
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.alert = alert.id)",
                &values![micros(before)],
                |row| row.integer(0),
            )?;
            session.execute(
                "DELETE FROM alert WHERE resolved < ?1
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.alert = alert.id)",
                &values![micros(before)],
            )?;
            Ok(gone.and_then(|gone| u64::try_from(gone).ok()).unwrap_or(0))
        })
    }

    /// The alerts that are open, oldest first.
    pub fn open_alerts(&self) -> Result<Vec<OpenAlert>, StoreError> {
        let open = self.read(|session| session.rows(&format!("{OPEN} ORDER BY opened, id"), &[], read))?;
        Ok(open.into_iter().map(|(_, alert)| alert).collect())
    }

    /// Takes what is due, at most `limit`, the oldest first: until `lease` is over, nobody else gets it. What became of one
    /// alert is given in its order, one at a time.
    pub fn take_deliveries(&self, now: Timestamp, lease: Duration, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        // Nothing is put off for so long: that was written by a clock which ran ahead.
        let beyond = now.checked_add(LONGEST_PAUSE.max(lease) * 2).unwrap_or(Timestamp::MAX);
        self.transaction(Mode::Exclusive, |session| {
            let due = session.rows(
                "SELECT id, body, failures FROM outbox WHERE (due <= ?1 OR due > ?3) AND NOT EXISTS
                     (SELECT 1 FROM outbox before WHERE before.alert = outbox.alert AND before.id < outbox.id)
                 ORDER BY id LIMIT ?2",
                &values![micros(now), i64::try_from(limit).unwrap_or(i64::MAX), micros(beyond)],
                |row| {
                    let (id, body) = (row.integer(0)?, row.text(1)?);
                    Ok(Delivery { id, body, failures: u32::try_from(row.integer(2)?).unwrap_or(u32::MAX) })
                },
            )?;
            let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
            let rows: Vec<_> = due.iter().map(|delivery| values![delivery.id, micros(until)].into()).collect();
            session.execute_each("UPDATE outbox SET due = ?2 WHERE id = ?1", &rows)?;
            Ok(due)
        })
    }

    /// Says that a delivery arrived.
    pub fn delivered(&self, id: i64) -> Result<(), StoreError> {
        self.transaction(Mode::Record, |session| {
            session.execute("DELETE FROM outbox WHERE id = ?1", &values![id])?;
            Ok(())
        })
    }

    /// Says that a delivery did not arrive: it is due again after a pause that doubles each time, up to an hour.
    pub fn delivery_failed(&self, delivery: &Delivery, why: &str, now: Timestamp) -> Result<(), StoreError> {
        let pause =
            FIRST_PAUSE.saturating_mul(1_u32.checked_shl(delivery.failures).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
        let due = now.checked_add(pause).unwrap_or(Timestamp::MAX);
        let why: String = why.chars().take(REASON_MAX).collect();
        self.transaction(Mode::Record, |session| {
            session.execute(
                "UPDATE outbox SET due = ?2, failures = failures + 1, failure = ?3 WHERE id = ?1",
                &values![delivery.id, micros(due), &why],
            )?;
            Ok(())
        })
    }

    /// Since when the oldest waits that is to be delivered; none where nothing waits.
    pub fn oldest_undelivered(&self) -> Result<Option<Timestamp>, StoreError> {
        #[derive(Deserialize)]
        struct At {
            at: Timestamp,
        }
        let body =
            self.read(|session| session.row("SELECT body FROM outbox ORDER BY id LIMIT 1", &[], |row| row.text(0)))?;
        body.map(|body| decode::<At>("alert", body.as_bytes()).map(|own| own.at)).transpose()
    }

    /// How much waits to be delivered, and why the oldest does not arrive.
    pub fn undelivered(&self) -> Result<(u64, Option<String>), StoreError> {
        self.read(|session| {
            let count = session.row("SELECT count(*) FROM outbox", &[], |row| row.integer(0))?.unwrap_or(0);
            let sql = "SELECT failure FROM outbox ORDER BY id LIMIT 1";
            let why = session.row(sql, &[], |row| row.optional_text(0))?.flatten();
            Ok((u64::try_from(count).unwrap_or(0), why))
        })
    }
}

/// The alerts that are open.
const OPEN: &str = "SELECT id, owner, subject, environment, source, severity, summary, opened, seen FROM alert \
                    WHERE resolved IS NULL";

fn read(row: &mut Row) -> Result<(i64, OpenAlert), StoreError> {
    Ok((
        row.integer(0)?,
        OpenAlert {
            key: AlertKey { owner: row.text(1)?, subject: row.text(2)?, environment: row.text(3)? },
            source: row.text(4)?,
            severity: parse("severity", row.text(5)?)?,
            summary: row.text(6)?,
            opened: time(row.integer(7)?),
            seen: time(row.integer(8)?),
        },
    ))
}

fn open_alert(session: &mut dyn Session, key: &AlertKey) -> Result<Option<(i64, OpenAlert)>, StoreError> {
    let sql = format!("{OPEN} AND owner = ?1 AND subject = ?2 AND environment = ?3");
    session.row(&sql, &values![&key.owner, &key.subject, &key.environment], read)
}

fn resolve(session: &mut dyn Session, id: i64, known: &OpenAlert, at: Timestamp) -> Result<(), StoreError> {
    session.execute("UPDATE alert SET resolved = ?2 WHERE id = ?1", &values![id, micros(at)])?;
    tell(session, id, AlertEvent::Resolved, known, at)
}

/// Puts what became of an alert into the outbox.
fn tell(
    session: &mut dyn Session,
    id: i64,
    event: AlertEvent,
    alert: &OpenAlert,
    at: Timestamp,
) -> Result<(), StoreError> {
    let body = crate::database::encode("alert", &Body { schema: "assay.dev/alert/v1", event, at, alert })?;
    let row: [Value<'_>; 3] = values![id, &body, micros(at)];
    session.execute("INSERT INTO outbox(alert, body, due, failures) VALUES (?1, ?2, ?3, 0)", &row)?;
    Ok(())
}
