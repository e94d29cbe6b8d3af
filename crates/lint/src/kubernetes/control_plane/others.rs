//! Flags of the controller manager, the scheduler and etcd (CIS Kubernetes Benchmark 1.10, sections 1.3, 1.4, 2).

use assay_model::Severity::{Critical, High, Low, Medium};

use super::{FlagRule, PROFILE, WEAK, Wanted, flag, rule};
use crate::rule::Standard::{Cis, Nsa};

const MANAGER: &str = "kube-controller-manager";
const SCHEDULER: &str = "kube-scheduler";
const ETCD: &str = "etcd";

pub(super) static FLAGS: &[FlagRule] = &[
    flag(
        MANAGER,
        "terminated-pod-gc-threshold",
        Wanted::Set,
        rule(
            "kubernetes-manager-garbage",
            Low,
            "Pods that have ended are removed",
            "They fill etcd until the cluster stands",
            "--terminated-pod-gc-threshold=1000",
        )
        .also(&[Cis("1.3.1")]),
    ),
    flag(
        MANAGER,
        "profiling",
        Wanted::OneOf(&["false"]),
        rule(
            "kubernetes-manager-profiling",
            Low,
            "The controller manager shows no profiles",
            PROFILE,
            "--profiling=false",
        )
        .also(&[Cis("1.3.2")]),
    ),
    flag(
        MANAGER,
        "use-service-account-credentials",
        Wanted::OneOf(&["true"]),
        rule(
            "kubernetes-manager-one-account",
            Medium,
            "Each controller has a ServiceAccount of its own",
            "All of them have the rights of all of them",
            "--use-service-account-credentials=true",
        )
        .also(&[Cis("1.3.3")]),
    ),
    flag(
        MANAGER,
        "service-account-private-key-file",
        Wanted::Set,
        rule(
            "kubernetes-manager-account-key",
            Medium,
            "Tokens of ServiceAccounts are signed with a key of their own",
            "Otherwise they cannot be changed alone",
            "--service-account-private-key-file=FILE",
        )
        .also(&[Cis("1.3.4")]),
    ),
    flag(
        MANAGER,
        "root-ca-file",
        Wanted::Set,
        rule(
            "kubernetes-manager-root-authority",
            Medium,
            "Pods are given the API server's authority",
            "A Pod cannot check whom it talks to",
            "--root-ca-file=FILE",
        )
        .also(&[Cis("1.3.5")]),
    ),
    flag(
        MANAGER,
        "feature-gates",
        Wanted::Without("RotateKubeletServerCertificate=false"),
        rule(
            "kubernetes-manager-certificate-rotation",
            Medium,
            "Certificates of kubelets are renewed",
            "They run out, and are then switched off",
            "remove RotateKubeletServerCertificate=false",
        )
        .also(&[Cis("1.3.6")]),
    ),
    flag(
        MANAGER,
        "bind-address",
        Wanted::OneOf(&["", "127.0.0.1", "::1"]),
        rule(
            "kubernetes-manager-open-address",
            Medium,
            "The controller manager is reached from its node only",
            "Its metrics and profiles are open to the network",
            "--bind-address=127.0.0.1",
        )
        .also(&[Cis("1.3.7")]),
    ),
    flag(
        SCHEDULER,
        "profiling",
        Wanted::OneOf(&["false"]),
        rule("kubernetes-scheduler-profiling", Low, "The scheduler shows no profiles", PROFILE, "--profiling=false")
            .also(&[Cis("1.4.1")]),
    ),
    flag(
        SCHEDULER,
        "bind-address",
        Wanted::OneOf(&["", "127.0.0.1", "::1"]),
        rule(
            "kubernetes-scheduler-open-address",
            Medium,
            "The scheduler is reached from its node only",
            "Its metrics and profiles are open to the network",
            "--bind-address=127.0.0.1",
        )
        .also(&[Cis("1.4.2")]),
    ),
    flag(
        ETCD,
        "cert-file",
        Wanted::Set,
        rule("kubernetes-etcd-certificate", High, "etcd speaks TLS", WEAK, "--cert-file and --key-file")
            .also(&[Cis("2.1"), Nsa("Control plane hardening")]),
    ),
    flag(
        ETCD,
        "key-file",
        Wanted::Set,
        rule("kubernetes-etcd-key", High, "etcd has the key of its certificate", WEAK, "--cert-file and --key-file")
            .also(&[Cis("2.1")]),
    ),
    flag(
        ETCD,
        "client-cert-auth",
        Wanted::OneOf(&["true"]),
        rule(
            "kubernetes-etcd-open",
            Critical,
            "etcd asks who its clients are",
            "Whoever reaches it has every Secret, and can write every object",
            "--client-cert-auth=true",
        )
        .also(&[Cis("2.2"), Nsa("Control plane hardening")]),
    ),
    flag(
        ETCD,
        "auto-tls",
        Wanted::OneOf(&["", "false"]),
        rule(
            "kubernetes-etcd-own-certificates",
            Medium,
            "etcd has certificates of an authority",
            "Those that it makes for itself cannot be checked",
            "remove --auto-tls",
        )
        .also(&[Cis("2.3")]),
    ),
    flag(
        ETCD,
        "peer-cert-file",
        Wanted::Set,
        rule(
            "kubernetes-etcd-peer-certificate",
            High,
            "Members of etcd speak TLS",
            WEAK,
            "--peer-cert-file and --peer-key-file",
        )
        .also(&[Cis("2.4")]),
    ),
    flag(
        ETCD,
        "peer-key-file",
        Wanted::Set,
        rule(
            "kubernetes-etcd-peer-key",
            High,
            "Members of etcd have the keys of their certificates",
            WEAK,
            "--peer-cert-file and --peer-key-file",
        )
        .also(&[Cis("2.4")]),
    ),
    flag(
        ETCD,
        "peer-client-cert-auth",
        Wanted::OneOf(&["true"]),
        rule(
            "kubernetes-etcd-peer-open",
            Critical,
            "Members of etcd ask who the others are",
            "Whoever joins has everything",
            "--peer-client-cert-auth=true",
        )
        .also(&[Cis("2.5")]),
    ),
    flag(
        ETCD,
        "peer-auto-tls",
        Wanted::OneOf(&["", "false"]),
        rule(
            "kubernetes-etcd-peer-own-certificates",
            Medium,
            "Members of etcd have certificates of an authority",
            "Those that they make for themselves cannot be checked",
            "remove --peer-auto-tls",
        )
        .also(&[Cis("2.6")]),
    ),
    flag(
        ETCD,
        "trusted-ca-file",
        Wanted::Set,
        rule(
            "kubernetes-etcd-authority",
            High,
            "etcd has an authority of its own",
            "A certificate of another authority gives access to everything",
            "--trusted-ca-file=FILE, with an authority for etcd alone",
        )
        .also(&[Cis("2.7")]),
    ),
];
