//! What a control is. Each one is a file in the folder beside this one; the build script lists them.
//!
//! A control is compiled once per Environment, with its parameters checked, and then only reads: it judges the whole
//! object, one image reference, or one Subject with its Facts, and reports.

use assay_case::{Facts, ImageUse};
use assay_model::Reference;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

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

/// A compiled control, by what it looks at.
pub(crate) enum Control {
    /// The whole object, once.
    Workload(JudgeWorkload),
    /// Each image reference, before anything was looked up.
    Image(JudgeImage),
    /// Each Subject: every platform of every image.
    Subject(JudgeSubject),
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

    pub(crate) fn subject(judge: impl Fn(&Context<'_>, &Facts, &mut Report<'_>) + Send + Sync + 'static) -> Self {
        Self::Subject(Box::new(judge))
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
