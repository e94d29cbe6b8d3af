//! The registries that signatures go through: the sandbox's, which lists referrers, and distribution, which does not.

use std::net::SocketAddr;
use std::sync::Arc;

use assay_sandbox::{ImageBuilder, Registry, RegistryOptions};
use tempfile::TempDir;

use crate::home::Home;
use crate::peer;
use crate::service::{Log, Service};

/// A registry with images in it.
pub(crate) enum Place {
    /// Has the referrers endpoint.
    Sandbox { registry: Registry, _runtime: tokio::runtime::Runtime },
    /// Answers 404 to it: signatures are found through the fallback tag.
    Distribution { address: SocketAddr, service: Service, _folder: TempDir },
}

impl Place {
    pub(crate) fn sandbox() -> Arc<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let registry = runtime.block_on(Registry::start(RegistryOptions::default())).unwrap();
        Arc::new(Self::Sandbox { registry, _runtime: runtime })
    }

    /// Keeps everything in memory.
    pub(crate) fn distribution() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("registry.yml");
        std::fs::write(&settings, "version: 0.1\nlog: {level: warn}\nstorage: {inmemory: {}}\nhttp: {}\n").unwrap();
        let (service, address) = Service::start(folder.path(), "registry", "/v2/", |[port]| {
            let mut command = Home::new(Vec::new()).command(&peer::path("registry"));
            command.arg("serve").arg(&settings).current_dir(folder.path());
            command.env("REGISTRY_HTTP_ADDR", format!("127.0.0.1:{port}")).env("OTEL_TRACES_EXPORTER", "none");
            command
        });
        Arc::new(Self::Distribution { address, service, _folder: folder })
    }

    pub(crate) fn host(&self) -> String {
        match self {
            Self::Sandbox { registry, .. } => registry.host(),
            Self::Distribution { address, .. } => address.to_string(),
        }
    }

    pub(crate) fn logs(&self) -> Vec<Log> {
        match self {
            Self::Sandbox { .. } => Vec::new(),
            Self::Distribution { service, .. } => vec![service.log.clone()],
        }
    }

    /// Puts a small image into a repository, and gives its reference by digest. Other content, other digest.
    pub(crate) fn push(&self, home: &Home, repository: &str, content: &str) -> String {
        let status = "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13.dfsg-1\n\n";
        let image = ImageBuilder::new().layer([
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n", 0o644),
            ("var/lib/dpkg/status", status, 0o644),
            ("app/content", content, 0o644),
        ]);
        let image = image.build();
        match self {
            Self::Sandbox { registry, .. } => {
                registry.put_image(repository, content, &image);
            }
            // It takes images by its API only: `copy` brings them there from a registry that takes them by hand.
            Self::Distribution { .. } => {
                let made = Self::sandbox();
                made.push(home, repository, content);
                let from = format!("{}/{repository}:{content}", made.host());
                home.assay(&["copy", &from, &format!("{}/{repository}:{content}", self.host())]).ok();
            }
        }
        format!("{}/{repository}@{}", self.host(), image.digest())
    }
}
