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
    /// How the private key is kept
    #[arg(long, value_enum, default_value_t = KeyFormatArgument::Pkcs8)]
    pub(crate) format: KeyFormatArgument,
    /// Read the password of an encrypted key from standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// Forms of private keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyFormatArgument {
    /// PKCS#8, not encrypted
    Pkcs8,
    /// Encrypted with a password, as cosign does it
    Cosign,
}

/// Signature algorithms that keys are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlgorithmArgument {
    /// ECDSA on the curve P-256, what most verifiers know
    EcdsaP256,
    /// ECDSA on the curve P-384
    EcdsaP384,
    /// Ed25519
    Ed25519,
    /// RSA of 3072 bits
    #[value(name = "rsa-3072")]
    Rsa3072,
}
