//! `release`, `inventory`, `who-runs`, `trace`, `explain`, `serve`: where it may run, and where it runs.

use std::net::SocketAddr;
use std::path::PathBuf;

use assay_model::{EnvironmentName, Reference, Repository};
use clap::{Args, Subcommand, ValueEnum};

use super::{RetentionArguments, SaidArguments, SignerArguments};

/// `assay release`
#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// Record what is to be promoted: one digest of one service
    Create(ReleaseCreateArguments),
    /// Approve a promotion that somebody else is to make: sign what goes where
    Approve(Box<ReleaseApproveArguments>),
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
    /// File with the approval of somebody else: assay release approve
    #[arg(long, value_name = "FILE")]
    pub(crate) approval: Option<PathBuf>,
}

/// `assay release approve`
#[derive(Debug, Args)]
pub(crate) struct ReleaseApproveArguments {
    /// Name of the release
    pub(crate) name: String,
    /// Environment it may go to
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) to: EnvironmentName,
    /// Approve that it is rolled back to, not promoted
    #[arg(long)]
    pub(crate) rollback: bool,
    /// File that takes the signature, for assay release promote --approval
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) signer: SignerArguments,
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
    /// Match what runs against the data in use, and open or close an alert for each owner
    Rescan {
        /// What is alerted about: a severity, kev, fixable, risk:70, age:30d, joined by + where all must hold
        #[arg(long, value_name = "THRESHOLD", value_delimiter = ',', default_value = "critical,kev")]
        alert_on: Vec<assay_vuln::Threshold>,
        /// Vulnerability pack instead of the one in use
        #[arg(long, value_name = "FILE")]
        pack: Option<PathBuf>,
        #[command(flatten)]
        said: Box<SaidArguments>,
    },
}

/// `assay who-runs`
#[derive(Debug, Args)]
pub(crate) struct WhoRunsArguments {
    /// PACKAGE, PACKAGE@RANGE (zlib@'<1.3.1'), a CVE or other advisory, or a digest
    pub(crate) what: String,
}

/// `assay rebuild-list`
#[derive(Debug, Args)]
pub(crate) struct RebuildListArguments {
    /// The vulnerability; everything that has a fix where missing
    #[arg(value_name = "ID")]
    pub(crate) vulnerability: Option<String>,
    /// Vulnerability pack instead of the one in use
    #[arg(long, value_name = "FILE")]
    pub(crate) pack: Option<PathBuf>,
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
    /// Kubeconfig of the cluster that is asked why the images of NAMESPACE/POD are not pulled
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

/// Whose tags `--mutate` pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MutationArgument {
    /// Those of new Pods
    Pods,
    /// Those of Deployments and all other templates, too
    Templates,
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
    /// Authority of the certificate (PEM), where somebody else keeps both: written into the webhook configurations
    #[arg(long, value_name = "FILE", requires_all = ["certificate", "register"])]
    pub(crate) authority: Option<PathBuf>,
    /// Make a certificate for these names that lives as long as the process
    #[arg(long, value_name = "NAME", conflicts_with = "certificate", value_delimiter = ',')]
    pub(crate) development_certificate: Vec<String>,
    /// Serve /mutate too, which writes digests behind the tags of Pods, or of templates as well
    #[arg(long, value_name = "WHOSE", num_args = 0..=1, require_equals = true, default_missing_value = "pods")]
    pub(crate) mutate: Option<MutationArgument>,
    /// Write the webhook configuration to standard output, for an API server that calls this host or service (NAME.NAMESPACE.svc)
    #[arg(long, value_name = "NAME")]
    pub(crate) print_webhook_configuration: Option<String>,
    /// Follow a cluster's objects, and register the webhook, which its API server calls by this name: a host, or a service (NAME.NAMESPACE.svc)
    #[arg(long, value_name = "NAME[:PORT]", conflicts_with_all = ["development_certificate", "namespaces", "print_webhook_configuration"])]
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
    /// What the cluster is called in the inventory and in findings
    #[arg(long, value_name = "NAME", requires = "register", default_value = "default")]
    pub(crate) cluster: String,
    /// Read with the imagePullSecrets of this namespace's Pods and ServiceAccounts; may be repeated. Nobody's Secrets are read otherwise
    #[arg(long, value_name = "NAMESPACE", requires = "register")]
    pub(crate) pull_secrets: Vec<String>,
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
    /// What is alerted about when a vulnerability pack arrives: a severity, kev, fixable, risk:70, age:30d, joined by + where
    /// all must hold
    #[arg(long, value_name = "THRESHOLD", value_delimiter = ',', default_value = "critical,kev")]
    pub(crate) alert_on: Vec<assay_vuln::Threshold>,
    #[command(flatten)]
    pub(crate) said: SaidArguments,
    /// Platform that nodes of the cluster run; may be repeated
    #[arg(long)]
    pub(crate) platform: Vec<assay_model::Platform>,
}

/// `assay readiness`
#[derive(Debug, Args)]
pub(crate) struct ReadinessArguments {
    /// How many days a control has to have been clean, and how far back decisions are looked at
    #[arg(long, value_name = "DAYS", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=365))]
    pub(crate) days: u16,
    /// One Environment only; the one to flip in
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) env: Option<EnvironmentName>,
    /// One namespace only
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "flip")]
    pub(crate) namespace: Option<String>,
    /// What the cluster is called in findings
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) cluster: String,
    /// Enforce this control in the Environment of --env; refused while something would break
    #[arg(long, value_name = "CONTROL", requires = "env")]
    pub(crate) flip: Option<assay_model::ControlId>,
    /// Flip although something would break
    #[arg(long, requires_all = ["flip", "reason"])]
    pub(crate) force: bool,
    /// Why; kept on record
    #[arg(long, value_name = "TEXT", requires = "force")]
    pub(crate) reason: Option<String>,
    /// Who flips; the user of this process where missing
    #[arg(long, value_name = "WHO", requires = "flip")]
    pub(crate) by: Option<String>,
    /// Kubeconfig of the cluster whose Environment is changed; the change is printed where neither this nor --context is given
    #[arg(long, value_name = "FILE", requires = "flip")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", requires = "flip")]
    pub(crate) context: Option<String>,
}

/// `assay drill`
#[cfg(feature = "lab")]
#[derive(Debug, Args)]
pub(crate) struct DrillArguments {
    /// Context of the kubeconfig; the current one where missing
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Kubeconfig of the cluster; as kubectl finds it where missing
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Namespace that the attacks aim at
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: String,
    /// Throwaway repository for the images of the attacks, below a prefix that the Environment allows
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) registry: Repository,
    /// Drill this control only; may be repeated
    #[arg(long, value_name = "CONTROL")]
    pub(crate) control: Vec<assay_model::ControlId>,
}
