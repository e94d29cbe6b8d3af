//! Which cluster a command speaks to.

use std::path::PathBuf;

use assay_kube::{Client, Config};

use crate::Result;

/// A cluster by a kubeconfig. Nothing said: as kubectl finds it, or that of the Pod.
#[derive(Debug, Default)]
pub(crate) struct ClusterTarget {
    /// The file.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context in it.
    pub(crate) context: Option<String>,
}

impl ClusterTarget {
    /// A client of the cluster.
    pub(crate) fn client(&self) -> Result<Client> {
        let config = Config::find(
            self.kubeconfig.as_deref(),
            self.context.as_deref(),
            |name| std::env::var_os(name),
            std::env::home_dir().as_deref(),
        )?;
        Ok(Client::new(config)?)
    }
}
