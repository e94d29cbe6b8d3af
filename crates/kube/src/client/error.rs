//! Why the API server gave no usable answer.

use assay_model::Explain;
use serde_json::Value;

/// Characters of an answer that is no Status which are shown.
const MESSAGE_MAX: usize = 300;

/// Why the API server gave no usable answer. None of these texts holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// There is no kubeconfig, and this does not run in a Pod.
    #[error("no cluster is configured: there is no kubeconfig, and this does not run in a Pod")]
    NotConfigured,
    /// A kubeconfig, a ServiceAccount or what they name cannot be used.
    #[error("{place}: {message}")]
    Configuration {
        /// The file.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// The program that a kubeconfig names for credentials failed.
    #[error("the credential plugin {command} {message}")]
    Plugin {
        /// The program.
        command: String,
        /// What came of it.
        message: String,
    },
    /// No answer.
    #[error("{server}: {reason}")]
    Unreachable {
        /// The API server.
        server: String,
        /// Why.
        reason: String,
    },
    /// The API server said no.
    #[error("the API server answers {code} {reason}: {message}")]
    Status {
        /// HTTP status.
        code: u16,
        /// A word of `metav1.StatusReason`.
        reason: String,
        /// Its sentence.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("the API server's answer cannot be read: {message}")]
    Malformed {
        /// What is wrong.
        message: String,
    },
}

impl ApiError {
    /// The HTTP status, where the API server answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// There is no such object, or no such resource.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Somebody else was quicker.
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }
}

impl Explain for ApiError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured => "cluster-not-configured",
            Self::Configuration { .. } => "kubeconfig-invalid",
            Self::Plugin { .. } => "kubeconfig-plugin",
            Self::Unreachable { .. } => "cluster-unreachable",
            Self::Status { code: 401 | 403, .. } => "cluster-forbidden",
            Self::Status { .. } => "cluster-refused",
            Self::Malformed { .. } => "cluster-answer-malformed",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::NotConfigured => Some("--kubeconfig FILE, or set KUBECONFIG".to_owned()),
            Self::Configuration { .. } => Some("kubectl config view shows what kubectl makes of it".to_owned()),
            Self::Unreachable { .. } => Some("kubectl get --raw /readyz with the same kubeconfig".to_owned()),
            Self::Status { code: 403, .. } => {
                Some("the roles that Assay needs are in docs/guide/cluster.md".to_owned())
            }
            _ => None,
        }
    }
}

/// What a failed request says: a Status (Kubernetes API reference, meta/v1), or whatever stands in between.
pub(super) fn refusal(code: u16, body: &[u8]) -> ApiError {
    let status: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |field: &str| status[field].as_str().map(str::to_owned);
    let message = text("message").unwrap_or_else(|| {
        String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect()
    });
    ApiError::Status { code, reason: text("reason").unwrap_or_default(), message }
}
