//! `trust`: what signatures are verified against.

use std::path::PathBuf;

use assay_sign::TufInstance;
use clap::{Args, Subcommand, ValueEnum};

use crate::Result;
use crate::commands::root::{RootOptions, custom};
use crate::failure::{CliError, read_file};

/// `assay trust`
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Trusted roots of Sigstore instances
    #[command(subcommand)]
    Root(RootCommand),
}

/// `assay trust root`
#[derive(Debug, Subcommand)]
pub(crate) enum RootCommand {
    /// Fetch the newest trusted root over TUF; the last good one stays if that fails
    Update {
        /// File to write the trusted root to, for --trusted-root and TrustRoots
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        root: RootArguments,
    },
    /// Show the last good trusted root, without asking anybody
    Show(RootArguments),
}

/// Whose root.
#[derive(Debug, Args)]
pub(crate) struct RootArguments {
    /// Sigstore instance
    #[arg(long, value_enum, default_value_t = InstanceArgument::PublicGood, conflicts_with = "tuf_root")]
    pub(crate) instance: InstanceArgument,
    /// TUF mirror to ask instead of the instance's own
    #[arg(long, value_name = "URL")]
    pub(crate) tuf_mirror: Option<String>,
    /// TUF root (root.json) of an instance of your own
    #[arg(long, value_name = "FILE", requires = "tuf_mirror")]
    pub(crate) tuf_root: Option<PathBuf>,
}

/// The instances whose first root is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InstanceArgument {
    /// Sigstore's public-good instance
    PublicGood,
    /// Sigstore's staging instance, for tests
    Staging,
    /// GitHub's own, for attestations of private repositories
    Github,
}

impl RootArguments {
    pub(crate) fn resolve(self, to: Option<PathBuf>) -> Result<RootOptions> {
        let mut instance = match (&self.tuf_root, self.instance) {
            (Some(file), _) => {
                let root = read_file(file)?;
                let Some(mirror) = &self.tuf_mirror else {
                    let message = "--tuf-root needs the address of its mirror".to_owned();
                    return Err(CliError::Usage { message, next: "add --tuf-mirror URL".to_owned() }.into());
                };
                custom(mirror, root)
            }
            (None, InstanceArgument::PublicGood) => TufInstance::public_good(),
            (None, InstanceArgument::Staging) => TufInstance::staging(),
            (None, InstanceArgument::Github) => TufInstance::github(),
        };
        if let Some(mirror) = &self.tuf_mirror {
            instance = instance.with_mirror(mirror);
        }
        Ok(RootOptions { instance, to })
    }
}
