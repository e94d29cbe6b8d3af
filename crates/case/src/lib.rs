//! What goes into a decision and what comes out: [`Request`], [`Facts`], [`World`], [`Verdict`].
//!
//! A [`Case`] holds everything that the Gate may know. Nothing here looks anything up; where something could not be
//! found out, that is a value too ([`Known::Unknown`]), and it is never the same as "fine".

mod document;
mod facts;
mod known;
mod request;
mod verdict;
mod world;

pub use assay_model::Action;
pub use document::{Document, DocumentError, Node};
pub use facts::{EvidenceSet, FactNeeds, FactParts, Facts, RejectedClaim, Resolution};
pub use known::{Cause, Known};
pub use request::{ContainerRole, ImageUse, Namespace, Operation, Request, User, Workload};
pub use verdict::{ControlOutcome, ExceptionNote, Outcome, Statement, Target, Verdict};
pub use world::{Exposure, PriorAdmission, Promotion, PromotionApproval, Promotions, PullSecret, World};

use std::collections::BTreeMap;
use std::sync::Arc;

/// What is to be judged: who asks for what, and all that is known about it.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// Who asks for what, where.
    pub request: Request<'a>,
    /// For each image reference of the request, as written: the facts of every platform that may run, or why there are none.
    pub facts: BTreeMap<String, Known<Vec<Arc<Facts>>>>,
    /// What else is known.
    pub world: Arc<World>,
}

impl Case<'_> {
    /// The facts of an image, or why there are none.
    pub fn facts_of(&self, written: &str) -> Known<&[Arc<Facts>]> {
        match self.facts.get(written) {
            Some(Known::Known { value, at }) => Known::Known { value: value.as_slice(), at: *at },
            Some(Known::Unknown { cause }) => Known::Unknown { cause: cause.clone() },
            None => Known::Unknown { cause: Cause::new("facts-not-gathered", "nothing was gathered about this image") },
        }
    }
}
