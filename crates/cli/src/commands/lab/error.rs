//! Why the lab could not go on. That an attack was not stopped is no error: it is the result.

use assay_model::Explain;

/// Why the lab could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LabError {
    /// A server or client of the lab could not be started. Loopback ports must be available.
    #[error("{what} could not be started: {reason}")]
    Start {
        /// Which one.
        what: &'static str,
        /// What the system says.
        reason: String,
    },
    /// The webhook answered something that is no answer to a review.
    #[error("the webhook did not answer the review: {reason}")]
    Webhook {
        /// What came instead.
        reason: String,
    },
    /// Something of the lab itself does not fit together: a defect of this build.
    #[error("the lab's own {what} cannot be used: {reason}")]
    Fixture {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A step of the good path did not hold what it promises.
    #[error("{step}: {reason}")]
    Path {
        /// The step.
        step: &'static str,
        /// What is not as it should be.
        reason: String,
    },
}

impl LabError {
    /// For `map_err`: a part of the lab is damaged.
    pub(crate) fn fixture<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Fixture { what, reason: error.to_string() }
    }

    /// For `map_err`: something did not start.
    pub(crate) fn start<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Start { what, reason: error.to_string() }
    }
}

impl Explain for LabError {
    fn code(&self) -> &'static str {
        match self {
            Self::Start { .. } => "lab-not-started",
            Self::Webhook { .. } => "lab-webhook",
            Self::Fixture { .. } => "lab-damaged",
            Self::Path { .. } => "lab-path-broken",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::Start { .. } => Some("check that this machine lets you listen on 127.0.0.1".to_owned()),
            Self::Webhook { .. } | Self::Fixture { .. } | Self::Path { .. } => {
                Some("this is a defect of Assay: please report it with the output of `assay lab -vv`".to_owned())
            }
        }
    }
}
