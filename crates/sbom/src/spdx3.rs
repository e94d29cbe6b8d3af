//! SPDX 3.0 as JSON-LD: the part of the model that Assay writes and reads (SPDX 3.0.1, profiles Core, Software and
//! SimpleLicensing; serialised as "SPDX 3 JSON-LD", one context and one flat graph).
//!
//! Every element has an identifier of its own; packages, agents, licences and relationships are elements beside each other.

pub(crate) mod read;
pub(crate) mod write;

/// Where the context of 3.0.1 is; other 3.0 documents have their own number in it.
pub(crate) const CONTEXT: &str = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
