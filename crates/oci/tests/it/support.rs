use std::time::Duration;

use assay_credentials::{Credential, Keychain};
use assay_model::{Reference, Repository};
use assay_oci::{Client, ClientOptions, RetryOptions};
use assay_sandbox::{Authentication, BuiltImage, ImageBuilder, Registry, RegistryOptions};

/// Tries without a wait worth mentioning.
pub(crate) const QUICK: RetryOptions =
    RetryOptions { tries: 3, wait: Duration::from_millis(1), total: Duration::from_secs(20) };

pub(crate) async fn registry() -> Registry {
    Registry::start(RegistryOptions::default()).await.unwrap()
}

pub(crate) async fn registry_with(change: impl FnOnce(&mut RegistryOptions)) -> Registry {
    let mut options = RegistryOptions::default();
    change(&mut options);
    Registry::start(options).await.unwrap()
}

pub(crate) fn client() -> Client {
    Client::new(ClientOptions { retry: QUICK, ..ClientOptions::default() }).unwrap()
}

pub(crate) fn client_of(registry: &Registry, credential: Credential) -> Client {
    let keychain = Keychain::anonymous().with(&registry.host(), credential).unwrap();
    Client::new(ClientOptions { keychain, retry: QUICK, ..ClientOptions::default() }).unwrap()
}

pub(crate) fn bearer(anonymous_pull: bool) -> Authentication {
    Authentication::Bearer { username: "ci".into(), password: "hunter2".into(), anonymous_pull, expires_in: 300 }
}

pub(crate) fn image() -> BuiltImage {
    ImageBuilder::new().layer([("etc/os-release", "ID=debian\n", 0o644)]).layer([("app", "binary", 0o755)]).build()
}

pub(crate) fn repository(registry: &Registry, path: &str) -> Repository {
    Repository::new(&registry.host(), path).unwrap()
}

pub(crate) fn reference(registry: &Registry, rest: &str) -> Reference {
    format!("{}/{rest}", registry.host()).parse().unwrap()
}
