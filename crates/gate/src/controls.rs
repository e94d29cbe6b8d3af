//! What a control is. Each one is a file in the folder beside this one; the build script lists them.
//!
//! A control is compiled once per Environment, with its parameters checked, and then only reads: it judges the whole
//! object, one image reference, or one Subject with its Facts, and reports.

use assay_case::{FactNeeds, Facts, ImageUse};
use assay_kinds::SignerPurpose;
use assay_model::Reference;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::policy::CompiledEnvironment;
use crate::report::{Context, Report};

include!(concat!(env!("OUT_DIR"), "/controls.rs"));

/// How a control is compiled.
pub(crate) type Compile = fn(Parameters) -> Result<Control, ParameterError>;

/// Judges the whole object.
type JudgeWorkload = Box<dyn Fn(&Context<'_>, &mut Report<'_>) + Send + Sync>;
/// Judges one image reference.
type JudgeImage = Box<dyn Fn(&Context<'_>, &ImageUse, &Reference, &mut Report<'_>) + Send + Sync>;
/// Judges one Subject.
type JudgeSubject = Box<dyn Fn(&Context<'_>, &Facts, &mut Report<'_>) + Send + Sync>;

/// What a control reads of a Subject's facts. Nothing else need be gathered for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// What it is: the rest stands in the promotion ledger.
    Subject,
    /// What is in it.
    Contents,
    /// What is vulnerable in it, and which VEX excuses that.
    Findings,
    /// Who signed it, or a summary that stands for that.
    Signatures,
    /// What is attested about it.
    Attestations,
    /// What is attested about it, and what is in it.
    AttestedContents,
    /// What is attested about it, where the Environment asks for anything of that.
    Asked,
}

impl Reads {
    /// What has to be gathered. Where an Environment names no signer for anything but signatures, no attestation counts for it.
    pub(crate) fn needs(self, environment: &CompiledEnvironment) -> FactNeeds {
        let attested =
            environment.signers.iter().flat_map(|signer| &signer.purposes).any(|own| *own != SignerPurpose::Signature);
        let subject = FactNeeds { subject: true, ..FactNeeds::default() };
        match self {
            Self::Subject => subject,
            Self::Contents => FactNeeds { contents: true, ..subject },
            Self::Findings => FactNeeds { contents: true, evidence: attested, attestation_tags: attested, ..subject },
            Self::Signatures => FactNeeds { evidence: true, attestation_tags: attested, ..subject },
            Self::Attestations => FactNeeds { evidence: true, attestation_tags: true, ..subject },
            Self::AttestedContents => FactNeeds::ALL,
            Self::Asked if environment.asked.is_empty() => subject,
            Self::Asked => Self::Attestations.needs(environment),
        }
    }
}

/// A compiled control, by what it looks at.
pub(crate) enum Control {
    /// The whole object, once.
    Workload(JudgeWorkload),
    /// Each image reference, before anything was looked up.
    Image(JudgeImage),
    /// Each Subject: every platform of every image.
    Subject(Reads, JudgeSubject),
    /// The Exceptions that were looked at, after everything else.
    Exceptions,
}

impl Control {
    pub(crate) fn workload(judge: impl Fn(&Context<'_>, &mut Report<'_>) + Send + Sync + 'static) -> Self {
        Self::Workload(Box::new(judge))
    }

    pub(crate) fn image(
        judge: impl Fn(&Context<'_>, &ImageUse, &Reference, &mut Report<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::Image(Box::new(judge))
    }

    pub(crate) fn subject(
        reads: Reads,
        judge: impl Fn(&Context<'_>, &Facts, &mut Report<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::Subject(reads, Box::new(judge))
    }
}

/// The parameters of a control, as an Environment gives them.
pub(crate) struct Parameters(pub(crate) Map<String, Value>);

impl Parameters {
    /// Reads them into the control's own type.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, ParameterError> {
        serde_json::from_value(Value::Object(self.0)).map_err(|error| ParameterError(error.to_string()))
    }

    /// For controls without parameters. What the catalogue does not list was refused before.
    pub(crate) fn none(self) -> Result<(), ParameterError> {
        match self.0.keys().next() {
            Some(name) => Err(ParameterError(format!("`{name}` is not a parameter of it"))),
            None => Ok(()),
        }
    }
}

/// What is wrong with a parameter.
#[derive(Debug)]
pub(crate) struct ParameterError(pub(crate) String);
