//! Options that every command has.

use std::path::PathBuf;

use clap::Args;

use crate::output::Output;
use crate::settings::Flags;

/// Options that every command has.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Result format, and perhaps a file to write it to; may be repeated
    #[arg(short, long, global = true, value_name = "FORMAT[=FILE]")]
    pub(crate) output: Vec<Output>,
    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; repeat for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Colour: auto, always or never
    #[arg(long, global = true, value_name = "WHEN")]
    pub(crate) color: Option<String>,
    /// File or folder with Environments, Exceptions and other kinds; may be repeated
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config: Vec<PathBuf>,
    /// Use no network
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// Folder of things that can be made again
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// The store: sqlite:FILE, or postgres://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Folder of the store; for one in PostgreSQL, of the key of its seals and of decisions on their way
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Certificates (PEM) of registries' own authorities
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Ask the identity of this process for credentials of a cloud's registries: ecr, acr or gar; may be repeated
    #[arg(long, global = true, value_name = "CLOUD")]
    pub(crate) registry_identity: Vec<String>,
    /// The kubelet's CredentialProviderConfig, whose plugins give registry credentials
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) credential_provider_config: Option<PathBuf>,
    /// Folder of these plugins
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) credential_provider_bin_dir: Option<PathBuf>,
    /// Speak to this registry without TLS (loopback needs no permission); may be repeated
    #[arg(long, global = true, value_name = "REGISTRY")]
    pub(crate) plain_http: Vec<String>,
    /// No progress line
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

impl Global {
    /// The values of these flags by setting.
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = Flags::new();
        let mut set = |name, values: Vec<String>| {
            if !values.is_empty() {
                flags.insert(name, values);
            }
        };
        let path = |path: &PathBuf| path.display().to_string();
        set("color", self.color.iter().cloned().collect());
        set("config", self.config.iter().map(path).collect());
        set("offline", if self.offline { vec!["true".to_owned()] } else { Vec::new() });
        set("progress", if self.no_progress { vec!["false".to_owned()] } else { Vec::new() });
        set("cache-dir", self.cache_dir.iter().map(path).collect());
        set("store", self.store.iter().cloned().collect());
        set("state-dir", self.state_dir.iter().map(path).collect());
        set("ca-file", self.ca_file.iter().map(path).collect());
        set("registry-identity", self.registry_identity.clone());
        set("credential-provider-config", self.credential_provider_config.iter().map(path).collect());
        set("credential-provider-bin-dir", self.credential_provider_bin_dir.iter().map(path).collect());
        set("plain-http", self.plain_http.clone());
        flags
    }
}
