//! Why credentials could not be read.

use std::path::PathBuf;

use assay_model::Explain;

/// Why credentials could not be read. A registry without credentials is no error: it is asked anonymously.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CredentialError {
    /// A credentials file exists and cannot be read, or is larger than 1 MiB. Check its owner and mode.
    #[error("{}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A credentials file is not what docker or Podman write. The cause never repeats the file's content.
    #[error("{}: line {line}, column {column}: not a credentials file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The `auth` value of an entry is not base64 of `user:password`.
    #[error("{}: the entry `{entry}` has an `auth` that is not base64 of user:password", path.display())]
    BadEntry {
        /// The file.
        path: PathBuf,
        /// The entry's key.
        entry: String,
    },
    /// A scope given by the caller is not a registry host with an optional path.
    #[error("`{scope}` is not a registry, or a path below one")]
    BadScope {
        /// What was given.
        scope: String,
    },
    /// The configuration names a helper that is not on the search path, or whose name is not a plain word.
    #[error("credential helper `docker-credential-{helper}` was not found")]
    HelperMissing {
        /// The helper's name.
        helper: String,
    },
    /// The helper failed, took longer than 20 s, or answered something else than credentials.
    #[error("credential helper `docker-credential-{helper}` for {registry}: {cause}")]
    HelperFailed {
        /// The helper's name.
        helper: String,
        /// The registry that it was asked about.
        registry: String,
        /// What went wrong, without the helper's output.
        cause: String,
    },
    /// The kubelet's CredentialProviderConfig cannot be used.
    #[error("{}: {cause}", path.display())]
    PluginConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A credential-provider plugin failed, took too long, or answered something else than its protocol says.
    #[error("credential provider {plugin} for {image}: {cause}")]
    PluginFailed {
        /// The plugin's name.
        plugin: String,
        /// The image that it was asked about.
        image: String,
        /// What went wrong, without the plugin's output.
        cause: String,
    },
    /// A cloud did not give a credential for its registry.
    #[error("{cloud} gives no credential for {registry}: {cause}")]
    Cloud {
        /// The cloud.
        cloud: &'static str,
        /// The registry.
        registry: String,
        /// What went wrong, without any part of a credential.
        cause: String,
    },
    /// A pull Secret is neither of type `kubernetes.io/dockerconfigjson` nor `kubernetes.io/dockercfg`.
    #[error("the Secret {secret} holds no registry credentials: {cause}")]
    BadSecret {
        /// Namespace and name.
        secret: String,
        /// What is wrong, without its content.
        cause: String,
    },
}

impl Explain for CredentialError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "credentials-unreadable",
            Self::Malformed { .. } => "credentials-malformed",
            Self::BadEntry { .. } => "credentials-bad-entry",
            Self::BadScope { .. } => "credentials-bad-scope",
            Self::HelperMissing { .. } => "credential-helper-missing",
            Self::HelperFailed { .. } => "credential-helper-failed",
            Self::PluginConfig { .. } => "credential-provider-config",
            Self::PluginFailed { .. } => "credential-provider-failed",
            Self::Cloud { .. } => "credential-cloud",
            Self::BadSecret { .. } => "credential-secret",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { path, .. } => format!("Check the owner and mode of {}", path.display()),
            Self::Malformed { path, .. } | Self::BadEntry { path, .. } => {
                format!("Log in again with docker or podman, or remove the entry from {}", path.display())
            }
            Self::BadScope { .. } => {
                "Write a registry host, for example registry.example.com or registry.example.com/team".into()
            }
            Self::HelperMissing { helper } => {
                format!("Install docker-credential-{helper}, or remove it from credHelpers and credsStore")
            }
            Self::HelperFailed { helper, registry, .. } => {
                format!("Try it by hand: echo {registry} | docker-credential-{helper} get")
            }
            Self::PluginConfig { .. } => "Compare with the kubelet's --image-credential-provider-config".into(),
            Self::PluginFailed { plugin, .. } => {
                format!("Look into the log of {plugin}, as the kubelet of a node does")
            }
            Self::Cloud { .. } => "Check the role or workload identity of this process and its right to pull".into(),
            Self::BadSecret { .. } => "kubectl create secret docker-registry NAME --docker-server ...".into(),
        })
    }
}
