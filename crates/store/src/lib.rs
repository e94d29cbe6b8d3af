//! What Assay remembers: facts by digest, what runs where, decisions, releases and the promotion ledger.
//!
//! One SQLite file (write-ahead log, one writer) or one PostgreSQL database (several replicas) behind [`Store`]: the same
//! statements, the same tables, the same tests. Digest-keyed facts never change, so that a cached one
//! needs no expiry; history is kept as rollout intervals, never as Pod rows. Decisions go through [`DecisionLog`]: to a
//! segment file before the answer, to the database in batches.
//!
//! It decides nothing, and Evidence leaves it only through [`Evidence::restore`](assay_trust::Evidence::restore).
//!
//! ```
//! use assay_model::{Contents, Digest};
//! use assay_store::Store;
//!
//! let store = Store::in_memory()?;
//! let digest = Digest::of(b"a manifest");
//! assert!(store.contents(digest, 1)?.is_none());
//! # Ok::<(), assay_store::StoreError>(())
//! ```

mod alert;
mod audit;
mod backend;
mod database;
mod decision;
mod decision_batch;
mod decision_log;
mod error;
mod facts;
mod inventory;
mod ledger;
mod location;
mod postgres;
mod query;
mod record_text;
mod recorded_verdict;
mod retention;
mod schema;
mod sqlite;

pub use alert::{Alert, AlertEvent, AlertKey, Delivery, OpenAlert, PLATFORM_OWNER};
pub use audit::{ChangeState, FindingKind, FindingRecord, PolicyChange};
pub use database::Store;
pub use decision::{DecisionRecord, ImageRecord, RedactedObject, RequestProjection, decision_id};
pub use decision_log::DecisionLog;
pub use error::StoreError;
pub use inventory::{InventoryRow, RunningContainer, RunningPod, RunningRisk, SignatureState};
pub use ledger::{LedgerEntry, LedgerEvent, LedgerStatus, Release};
pub use location::{PostgresLocation, StoreLocation};
pub use query::{RunningImage, VersionMatch};
pub use retention::{Expired, Retention};
