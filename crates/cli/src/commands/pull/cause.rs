//! The causes for which an image is not pulled, and by which words they are known.

use assay_model::Reference;
use serde::Serialize;

use super::probe::Probed;

/// Why an image is not pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PullCause {
    /// The registry wants a login, or does not let this one in.
    Authentication,
    /// The registry's name is not known.
    Dns,
    /// Nothing came in time.
    TimeOut,
    /// Somebody takes no connections there.
    Connection,
    /// The registry's certificate is not accepted.
    Certificate,
    /// A policy refuses the image.
    Policy,
    /// The registry has no such repository.
    NotFound,
    /// The repository has no such tag or digest.
    ManifestUnknown,
    /// The image is for other machines.
    Architecture,
    /// The registry wants to be asked less.
    RateLimited,
    /// The registry itself failed.
    Registry,
    /// The image's name is none.
    InvalidName,
    /// It is not on the node, and may not be pulled.
    NeverPulled,
    /// None of these could be told.
    Unknown,
}

/// Words of the kubelet, of containerd, CRI-O and Docker, and of registries, as they write them; the first that is found
/// counts. What is wrong below comes before what follows from it above.
const WORDS: [(PullCause, &[&str]); 11] = [
    (PullCause::Policy, &["denied the request", "Source image rejected", "SignatureValidationFailed"]),
    (
        PullCause::Architecture,
        &[
            "no match for platform",
            "no matching manifest for",
            "exec format error",
            "no image found in manifest list for architecture",
            "no image found in image index for architecture",
        ],
    ),
    (PullCause::Dns, &["no such host", "server misbehaving", "emporary failure in name resolution"]),
    (PullCause::RateLimited, &["toomanyrequests", "429 Too Many Requests"]),
    (
        PullCause::Certificate,
        &["x509:", "certificate signed by unknown authority", "server gave HTTP response to HTTPS client"],
    ),
    (
        PullCause::TimeOut,
        &[
            "i/o timeout",
            "context deadline exceeded",
            "TLS handshake timeout",
            "Client.Timeout exceeded",
            "connection timed out",
        ],
    ),
    (PullCause::Connection, &["connection refused", "no route to host", "connection reset", "network is unreachable"]),
    (
        PullCause::Authentication,
        &[
            "401 Unauthorized",
            "403 Forbidden",
            "authentication required",
            "authorization failed",
            "no basic auth credentials",
            "insufficient_scope",
            "unauthorized",
            "pull access denied",
        ],
    ),
    (PullCause::NotFound, &["NAME_UNKNOWN", "name unknown", "repository name not known", "RepositoryNotFound"]),
    (PullCause::ManifestUnknown, &["MANIFEST_UNKNOWN", "manifest unknown", ": not found", "code = NotFound"]),
    (
        PullCause::Registry,
        &[
            "500 Internal Server Error",
            "502 Bad Gateway",
            "503 Service Unavailable",
            "504 Gateway",
            "RegistryUnavailable",
        ],
    ),
];

/// What a reason and a message mean.
pub(super) fn of(reason: &str, message: &str) -> PullCause {
    match reason {
        "InvalidImageName" => return PullCause::InvalidName,
        "ErrImageNeverPull" => return PullCause::NeverPulled,
        _ => {}
    }
    let is_said = |words: &&[&str]| words.iter().any(|words| message.contains(words) || reason == *words);
    WORDS.iter().find(|(_, words)| is_said(words)).map_or(PullCause::Unknown, |(cause, _)| *cause)
}

impl PullCause {
    /// The word for it, as JSON has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Dns => "dns",
            Self::TimeOut => "time-out",
            Self::Connection => "connection",
            Self::Certificate => "certificate",
            Self::Policy => "policy",
            Self::NotFound => "not-found",
            Self::ManifestUnknown => "manifest-unknown",
            Self::Architecture => "architecture",
            Self::RateLimited => "rate-limited",
            Self::Registry => "registry",
            Self::InvalidName => "invalid-name",
            Self::NeverPulled => "never-pulled",
            Self::Unknown => "unknown",
        }
    }

    /// What is wrong, in a sentence.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Authentication => "the registry does not let this Pod in",
            Self::Dns => "the name of the registry is not known",
            Self::TimeOut => "the registry does not answer in time",
            Self::Connection => "the registry takes no connection",
            Self::Certificate => "the certificate of the registry is not accepted",
            Self::Policy => "a policy refuses the image",
            Self::NotFound => "the registry has no such repository",
            Self::ManifestUnknown => "the repository has no such tag or digest",
            Self::Architecture => "the image is for other machines than this node",
            Self::RateLimited => "the registry wants to be asked less",
            Self::Registry => "the registry failed",
            Self::InvalidName => "this is not the name of an image",
            Self::NeverPulled => "it is not on the node, and imagePullPolicy is Never",
            Self::Unknown => "it could not be found out why",
        }
    }

    /// Whether another witness may know better: runtimes say "not found" for a repository and a tag alike, and registries
    /// say "unauthorized" for what does not exist.
    pub(super) fn is_vague(self) -> bool {
        matches!(self, Self::Unknown | Self::ManifestUnknown | Self::Authentication | Self::Registry)
    }

    /// Whether asking the registry again may come to something else.
    pub(super) fn is_of_the_registry(self) -> bool {
        !matches!(self, Self::Policy | Self::InvalidName | Self::NeverPulled)
    }

    /// What to do.
    pub(super) fn fix(self, image: &str, namespace: &str, probed: Option<&Probed>) -> String {
        let reference = image.parse::<Reference>().ok();
        let registry = reference.as_ref().map_or("the registry", |reference| reference.repository().registry());
        let repository = reference.as_ref().map_or(image.to_owned(), |reference| reference.repository().to_string());
        match self {
            Self::Authentication => match probed.and_then(|probed| probed.by.as_deref()) {
                Some(secret) => format!("put a login that may read {repository} into Secret {namespace}/{secret}"),
                None => format!(
                    "kubectl create secret docker-registry pull -n {namespace} --docker-server={registry} \
                     --docker-username=USER --docker-password=PASSWORD, and name it in the Pod's or its ServiceAccount's \
                     imagePullSecrets"
                ),
            },
            Self::Dns => format!("check the spelling of {registry}, and on the node: nslookup {registry}"),
            Self::TimeOut => {
                format!(
                    "check firewall, NetworkPolicy and proxy between the node and {registry}: curl -v https://{registry}/v2/"
                )
            }
            Self::Connection => format!("check that {registry} runs and that its port is the right one"),
            Self::Certificate => {
                format!(
                    "give the nodes' container runtime the authority of {registry} (containerd: certs.d/{registry}/hosts.toml)"
                )
            }
            Self::Policy => {
                "assay check -f FILE, with the file of the workload; assay explain ID, with the id that the message \
                             names"
                    .to_owned()
            }
            Self::NotFound => {
                format!("check the spelling of {repository}; a private one may look like this without a login")
            }
            Self::ManifestUnknown => {
                let tags = probed.map(|probed| probed.tags.join(", ")).filter(|tags| !tags.is_empty());
                tags.map_or_else(
                    || format!("push it, or name another one: assay tree {repository}"),
                    |tags| format!("push it, or name one that is there: {tags}"),
                )
            }
            Self::Architecture => {
                "build it for that platform, too (docker buildx build --platform linux/amd64,linux/arm64), or \
                                   choose nodes by kubernetes.io/arch"
                    .to_owned()
            }
            Self::RateLimited => format!("pull with a login, or through a mirror of {registry}"),
            Self::Registry => format!("ask whoever runs {registry}; the kubelet tries again by itself"),
            Self::InvalidName => "write registry/repository:tag@digest".to_owned(),
            Self::NeverPulled => "imagePullPolicy: IfNotPresent, or load the image onto the node".to_owned(),
            Self::Unknown => format!("kubectl describe pod -n {namespace}; journalctl -u kubelet on the node"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as containerd 1.7 and 2.0, CRI-O 1.30 and Docker 27 write them, shortened.
    #[test]
    fn the_words_of_runtimes_are_known() {
        for (message, cause) in [
            (
                "failed to pull and unpack image \"r.example.com/a:1\": failed to resolve reference \"r.example.com/a:1\": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://r.example.com/token: 401 Unauthorized",
                PullCause::Authentication,
            ),
            (
                "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
                PullCause::Authentication,
            ),
            (
                "failed to do request: Head \"https://r.example.com/v2/a/manifests/1\": dial tcp: lookup r.example.com on 10.0.0.10:53: no such host",
                PullCause::Dns,
            ),
            ("lookup r.example.com: Temporary failure in name resolution", PullCause::Dns),
            (
                "failed to do request: Head \"https://r.example.com\": dial tcp 192.0.2.1:443: i/o timeout",
                PullCause::TimeOut,
            ),
            ("rpc error: code = DeadlineExceeded desc = context deadline exceeded", PullCause::TimeOut),
            ("dial tcp 192.0.2.1:443: connect: connection refused", PullCause::Connection),
            (
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                PullCause::Certificate,
            ),
            (
                "rpc error: code = NotFound desc = failed to pull and unpack image: failed to resolve reference \"r.example.com/a:2\": r.example.com/a:2: not found",
                PullCause::ManifestUnknown,
            ),
            ("reading manifest 2 in r.example.com/a: manifest unknown", PullCause::ManifestUnknown),
            (
                "reading manifest 1 in r.example.com/b: name unknown: repository name not known to registry",
                PullCause::NotFound,
            ),
            ("failed to pull and unpack image: no match for platform in manifest: not found", PullCause::Architecture),
            (
                "choosing image instance: no image found in manifest list for architecture amd64, variant \"\", OS linux",
                PullCause::Architecture,
            ),
            ("no matching manifest for linux/arm64/v8 in the manifest list entries", PullCause::Architecture),
            (
                "429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit",
                PullCause::RateLimited,
            ),
            ("unexpected status from HEAD request: 503 Service Unavailable", PullCause::Registry),
            ("Source image rejected: A signature was required, but no signature exists", PullCause::Policy),
            ("the cat sat on the cable", PullCause::Unknown),
        ] {
            assert_eq!(of("ErrImagePull", message), cause, "{message}");
        }
        assert_eq!(of("InvalidImageName", "x"), PullCause::InvalidName);
        assert_eq!(of("ErrImageNeverPull", ""), PullCause::NeverPulled);
        assert_eq!(of("SignatureValidationFailed", ""), PullCause::Policy);
    }

    #[test]
    fn every_cause_says_what_to_do() {
        let causes = WORDS.iter().map(|(cause, _)| *cause);
        for cause in causes.chain([PullCause::InvalidName, PullCause::NeverPulled, PullCause::Unknown]) {
            let fix = cause.fix("r.example.com/a:1", "shop", None);
            assert!(!fix.is_empty() && !fix.ends_with('.'), "{fix}");
            assert_eq!(serde_json::json!(cause), cause.name());
        }
    }
}
