//! `key`: what signs without a certificate.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `assay key`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key pair: PREFIX.key, which nobody else may read, and PREFIX.pub
    New(KeyNewArguments),
}

/// `assay key new`
#[derive(Debug, Args)]
pub(crate) struct KeyNewArguments {
    /// Beginning of the two file names
    #[arg(long, value_name = "PREFIX", default_value = "assay")]
    pub(crate) to: PathBuf,
    /// Signature algorithm
    #[arg(long, value_enum, default_value_t = AlgorithmArgument::EcdsaP256)]
    pub(crate) algorithm: AlgorithmArgument,
}

/// Signature algorithms that keys are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlgorithmArgument {
    /// ECDSA on the curve P-256, what most verifiers know
    EcdsaP256,
    /// Ed25519
    Ed25519,
}
