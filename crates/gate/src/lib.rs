//! The Gate: one pure function that decides, and the Policy that it decides by.
//!
//! [`decide`] takes a compiled [`Policy`], a [`Case`](assay_case::Case) and the time, and gives a
//! [`Verdict`](assay_case::Verdict). It does no I/O and reads no clock: the same inputs give the same Verdict, byte for
//! byte. Nothing else in Assay decides.
//!
//! A control is one file in `src/controls` and its row in `policies/controls.yaml`.
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//! use assay_case::{Case, Document, Namespace, Operation, Request, User, Workload, World};
//! use assay_gate::{Policy, PolicyInput, decide, starter_environments};
//!
//! let input = PolicyInput { environments: starter_environments()?, ..PolicyInput::default() };
//! let policy = Policy::compile(input)?;
//! let request = Request {
//!     operation: Operation::Create,
//!     workload: Workload { kind: "Pod".into(), name: "api".into(), owner: None },
//!     namespace: Namespace { name: "payments".into(), labels: None },
//!     environment: Some("prod".parse()?),
//!     service_account: None,
//!     user: User::default(),
//!     images: Vec::new(),
//!     document: Document::from_json(br#"{"spec": {"hostNetwork": true, "containers": [{"name": "api"}]}}"#)?,
//!     pod_spec: Some(&["spec"]),
//!     pod_metadata: Some(&["metadata"]),
//! };
//! let case = Case { request, facts: BTreeMap::new(), world: Arc::new(World::unknown()) };
//! let verdict = decide(&policy, &case, "2026-11-21T08:00:00Z".parse()?);
//! assert!(!verdict.allowed);
//! assert!(verdict.denials().any(|outcome| outcome.control.as_str() == "no-privileged"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod catalogue;
mod clock;
mod constraints;
mod controls;
mod decide;
mod evidence;
mod exception;
mod findings;
mod memory;
mod pod;
mod policy;
mod popular;
mod report;
mod select;
mod starters;
mod vouched;

pub use catalogue::{ControlEntry, ParameterEntry, Protects, TierActions, catalogue};
pub use decide::{decide, decide_remembering};
pub use exception::ExceptionProblem;
pub use memory::Memory;
pub use policy::{ApprovalState, ExceptionInput, Loosening, Policy, PolicyError, PolicyInput, TrustRootInput};
pub use starters::starter_environments;
pub use vouched::build_level;
