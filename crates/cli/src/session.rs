//! What commands share: a runtime, a registry client, the store, each made when it is first needed.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use assay_case::{Facts, Known};
use assay_credentials::{Keychain, KubeletPlugins, Sources};
use assay_gather::{Access, Gatherer, Options, RevocationFetcher, RevocationOptions, Wanted};
use assay_oci::{Client, ClientOptions, ImageSource, Source};
use assay_sign::{Environment, Http, RegistryIdentity};
use assay_store::{Store, StoreError, StoreLocation};
use assay_trust::TrustMaterial;
use tokio::runtime::Runtime;

use crate::Result;
use crate::commands::database;
use crate::failure::{CliError, Failure};
use crate::printer::Printer;
use crate::settings::Settings;

/// What commands share.
pub(crate) struct Session<'a> {
    /// The settings.
    pub(crate) settings: &'a Settings,
    /// The printer.
    pub(crate) printer: &'a Printer,
    store: OnceLock<Arc<Store>>,
}

impl<'a> Session<'a> {
    /// A session that has made nothing yet.
    pub(crate) fn new(settings: &'a Settings, printer: &'a Printer) -> Self {
        Self { settings, printer, store: OnceLock::new() }
    }
}

impl Session<'_> {
    /// Runs asynchronous work.
    #[expect(clippy::unused_self, reason = "commands ask the session for everything that reaches outside")]
    pub(crate) fn run<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        runtime()?.block_on(work)
    }

    /// The registry client, with the credentials of docker and Podman.
    pub(crate) fn client(&self) -> Result<Client> {
        let home = std::env::home_dir();
        let sources = Sources::from_environment(|name| std::env::var_os(name), home.as_deref());
        Ok(Client::new(ClientOptions {
            keychain: self.keychain(sources)?,
            ca_file: self.settings.ca_file.value.clone(),
            plain_http: self.settings.plain_http.value.iter().cloned().collect(),
            ..ClientOptions::default()
        })?)
    }

    /// What opens registries: files, then the plugins of a node, then the identity that a cloud gives this process.
    fn keychain(&self, sources: Sources) -> Result<Keychain> {
        let mut keychain = Keychain::new(sources);
        let (config, folder) = (&self.settings.credential_provider_config, &self.settings.credential_provider_bin_dir);
        match (&config.value, &folder.value) {
            (Some(config), Some(folder)) => {
                keychain = keychain.with_provider(Arc::new(KubeletPlugins::read(config, folder)?));
            }
            (None, None) => {}
            _ => {
                return Err(CliError::Usage {
                    message: "credential-provider-config and credential-provider-bin-dir belong together".to_owned(),
                    next: "both, as the kubelet has them".to_owned(),
                }
                .into());
            }
        }
        let clouds = &self.settings.registry_identity;
        if !clouds.value.is_empty() {
            let http = Http::new(None).map_err(|message| CliError::Setting {
                origin: clouds.origin.to_string(),
                message,
                suggestion: None,
            })?;
            let identity = RegistryIdentity::new(clouds.value.iter().copied(), Environment::of_process(), http);
            keychain = keychain.with_provider(Arc::new(identity));
        }
        Ok(keychain)
    }

    /// The registry client, where the network may be used.
    pub(crate) fn online(&self, what: &str) -> Result<Client> {
        if self.settings.offline.value {
            return Err(CliError::Usage {
                message: format!("{what} needs the network, and --offline forbids it"),
                next: "without --offline, or with oci:DIR or oci-archive:FILE instead of a registry".to_owned(),
            }
            .into());
        }
        self.client()
    }

    /// Where the store is.
    fn location(&self) -> Result<StoreLocation> {
        let setting = &self.settings.store;
        setting.value.parse().map_err(|error: StoreError| {
            let (message, suggestion) = (error.to_string(), assay_model::Explain::next_step(&error));
            CliError::Setting { origin: setting.origin.to_string(), message, suggestion }.into()
        })
    }

    /// The folder of what belongs to this machine and not into a shared store.
    fn state_folder(&self) -> Result<PathBuf> {
        let folder = self.settings.state_dir.value.clone();
        std::fs::create_dir_all(&folder).map_err(CliError::unwritable(&folder))?;
        Ok(folder)
    }

    /// The store, made if there is none yet. Opened once.
    pub(crate) fn store(&self) -> Result<Arc<Store>> {
        if let Some(store) = self.store.get() {
            return Ok(Arc::clone(store));
        }
        let store = Arc::new(match self.location()? {
            StoreLocation::Sqlite(path) => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(CliError::unwritable(folder))?;
                }
                Store::open(&path)?
            }
            StoreLocation::Postgres(location) => Store::postgres(&location, &self.state_folder()?.join("store.key"))?,
        });
        Ok(Arc::clone(self.store.get_or_init(|| store)))
    }

    /// The store, if there is one: looking something up does not make a file.
    pub(crate) fn existing_store(&self) -> Result<Option<Arc<Store>>> {
        match self.location()? {
            StoreLocation::Sqlite(path) if !path.exists() => Ok(None),
            _ => self.store().map(Some),
        }
    }

    /// The store that a question is asked of.
    pub(crate) fn asked_store(&self, next: &str) -> Result<Arc<Store>> {
        self.existing_store()?.ok_or_else(|| {
            let what = format!("a store at {}", self.settings.store.value.trim_start_matches("sqlite:"));
            CliError::NotFound { what, suggestion: None, next: next.to_owned() }.into()
        })
    }

    /// Where decisions are written before they are answered: beside the file, or in the state folder.
    pub(crate) fn decision_directory(&self) -> Result<PathBuf> {
        Ok(match self.location()? {
            StoreLocation::Sqlite(path) => path.with_extension("decisions"),
            StoreLocation::Postgres(_) => self.state_folder()?.join("decisions"),
        })
    }

    /// A gatherer over the registry, the pack in use and, if given, the store.
    pub(crate) fn gatherer(&self, materials: Vec<TrustMaterial>, store: Option<Arc<Store>>) -> Result<Gatherer> {
        self.gatherer_of(materials, store, false)
    }

    /// The same for a look at contents that decides nothing: layers by their table of contents, where that is asked for.
    pub(crate) fn looking_gatherer(&self, store: Option<Arc<Store>>) -> Result<Gatherer> {
        self.gatherer_of(Vec::new(), store, self.settings.by_table.value)
    }

    fn gatherer_of(
        &self,
        materials: Vec<TrustMaterial>,
        store: Option<Arc<Store>>,
        by_table: bool,
    ) -> Result<Gatherer> {
        let pack = Some(database::open(self.settings.pack.value.as_deref())?);
        let revocation = self.authorities()?;
        Ok(Gatherer::new(Options { pack, materials, revocation, store, by_table, ..Options::default() }))
    }

    /// Who asks certificate authorities about revocation; nobody where the network may not be used.
    pub(crate) fn authorities(&self) -> Result<Option<Arc<RevocationFetcher>>> {
        if self.settings.offline.value {
            return Ok(None);
        }
        let cache = Some(self.settings.cache_dir.value.join("revocation"));
        let fetcher = RevocationFetcher::new(RevocationOptions { cache, ..RevocationOptions::default() });
        let what = "certificate authorities cannot be asked";
        Ok(Some(Arc::new(fetcher.map_err(|source| CliError::System { what, source })?)))
    }

    /// What a gatherer finds out about an image, in a registry or on disk.
    pub(crate) fn facts(
        &self,
        gatherer: &Gatherer,
        image: &ImageSource,
        wanted: &Wanted,
    ) -> Result<Known<Vec<Arc<Facts>>>> {
        let registry = matches!(image, ImageSource::Registry(_));
        let client = if registry { self.online("reading a registry")? } else { self.client()? };
        self.run(async {
            Ok(match image {
                ImageSource::Registry(reference) => gatherer.facts(&Access::new(client), reference, wanted).await,
                local => {
                    let opened = Source::open(&client, local).await;
                    let source = opened.map_err(|error| Failure::from(error).about(local))?;
                    gatherer.facts_of_source(&source, wanted).await
                }
            })
        })
    }

    /// Access to registries with the credentials of this process.
    pub(crate) fn access(&self) -> Result<Access> {
        Ok(Access::new(self.client()?))
    }
}

fn runtime() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(|source| CliError::System { what: "the runtime could not be started", source })?)
}
