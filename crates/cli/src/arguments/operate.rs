//! `release`, `inventory`, `who-runs`, `trace`, `explain`, `serve`: where it may run, and where it runs.

use std::net::SocketAddr;
use std::path::PathBuf;

use assay_model::{EnvironmentName, Reference, Repository};
use clap::{Args, Subcommand};

use super::RetentionArguments;

/// `assay release`
#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// Record what is to be promoted: one digest of one service
    Create(ReleaseCreateArguments),
    /// Ask the Gate, and write the promotion to the ledger
    Promote(ReleasePromoteArguments),
    /// Go back to an earlier release: a promotion through the same Gate, by what is known today
    Rollback(ReleasePromoteArguments),
    /// Show where releases stand, and whether the ledger holds
    Status {
        /// Release; all where missing
        name: Option<String>,
    },
    /// Read the promotion ledger from end to end
    VerifyLedger,
}

/// `assay release create`
#[derive(Debug, Args)]
pub(crate) struct ReleaseCreateArguments {
    /// Name of the release, for example payments-api-1-18-3
    pub(crate) name: String,
    /// Service it belongs to
    #[arg(long)]
    pub(crate) service: String,
    /// Image; a tag is resolved once, and the digest recorded
    #[arg(long)]
    pub(crate) image: Reference,
    /// Source repository, for example github.com/company/payments; what the verified provenance says where missing
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<String>,
    /// Source commit; what the verified provenance says where missing
    #[arg(long, value_name = "SHA")]
    pub(crate) commit: Option<String>,
}

/// `assay release promote`, `assay release rollback`
#[derive(Debug, Args)]
pub(crate) struct ReleasePromoteArguments {
    /// Name of the release
    pub(crate) name: String,
    /// Environment it goes to
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) to: EnvironmentName,
    /// Who promotes; the user of this process where missing
    #[arg(long, value_name = "WHO")]
    pub(crate) by: Option<String>,
    /// Repository that holds the digest for this environment, where it is another one
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) repository: Option<Repository>,
    /// Repository to copy it to, with all that hangs on it, if the Gate lets it
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) target: Option<Repository>,
    /// Image that is about to be deployed; refused where it is not the digest of the release
    #[arg(long)]
    pub(crate) image: Option<Reference>,
}

/// `assay inventory`
#[derive(Debug, Subcommand)]
pub(crate) enum InventoryCommand {
    /// Take in what runs in a cluster: kubectl get pods,jobs,namespaces -A -o json
    Sync {
        /// File with that, - for standard input
        #[arg(short, long = "file", value_name = "FILE")]
        file: PathBuf,
        /// Name of the cluster
        #[arg(long, default_value = "default")]
        cluster: String,
    },
    /// List what runs, container by container
    List,
}

/// `assay who-runs`
#[derive(Debug, Args)]
pub(crate) struct WhoRunsArguments {
    /// PACKAGE, PACKAGE@RANGE (zlib@'<1.3.1'), a CVE or other advisory, or a digest
    pub(crate) what: String,
}

/// `assay trace`
#[derive(Debug, Args)]
pub(crate) struct TraceArguments {
    /// Digest (a beginning is enough), or NAMESPACE/POD
    pub(crate) what: String,
}

/// `assay explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Decision (the beginning of its id is enough), or NAMESPACE/POD
    pub(crate) what: String,
}

/// `assay serve`
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub(crate) listen: SocketAddr,
    /// Certificate chain (PEM); read again when it changes
    #[arg(long, value_name = "FILE", requires = "private_key", required_unless_present_any = ["development_certificate", "register"])]
    pub(crate) certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) private_key: Option<PathBuf>,
    /// Make a certificate for these names that lives as long as the process
    #[arg(long, value_name = "NAME", conflicts_with = "certificate", value_delimiter = ',')]
    pub(crate) development_certificate: Vec<String>,
    /// Serve /mutate too, which pins the tags of Pods
    #[arg(long)]
    pub(crate) mutate: bool,
    /// Write the webhook configuration to standard output, for an API server that calls this host or service (NAME.NAMESPACE.svc)
    #[arg(long, value_name = "NAME")]
    pub(crate) print_webhook_configuration: Option<String>,
    /// Follow a cluster's objects, and register the webhook, which its API server calls by this name: a host, or a service (NAME.NAMESPACE.svc)
    #[arg(long, value_name = "NAME[:PORT]", conflicts_with_all = ["certificate", "development_certificate", "namespaces", "print_webhook_configuration"])]
    pub(crate) register: Option<String>,
    /// Kubeconfig of the cluster; as kubectl finds it, or the Pod's own ServiceAccount, where missing
    #[arg(long, value_name = "FILE", requires = "register")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", requires = "register")]
    pub(crate) context: Option<String>,
    /// Assay's own namespace: holds its certificate, and is not judged
    #[arg(long, value_name = "NAME", requires = "register")]
    pub(crate) own_namespace: Option<String>,
    /// Labels of the namespaces: kubectl get namespaces -o json
    #[arg(long, value_name = "FILE")]
    pub(crate) namespaces: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) retention: RetentionArguments,
    /// Deliver alerts to this webhook, signed (standardwebhooks.com)
    #[arg(long, value_name = "URL", requires = "alert_secret")]
    pub(crate) alert_webhook: Option<String>,
    /// File with the secret that alerts are signed with
    #[arg(long, value_name = "FILE", requires = "alert_webhook")]
    pub(crate) alert_secret: Option<PathBuf>,
    /// Platform that nodes of the cluster run; may be repeated
    #[arg(long)]
    pub(crate) platform: Vec<assay_model::Platform>,
}
