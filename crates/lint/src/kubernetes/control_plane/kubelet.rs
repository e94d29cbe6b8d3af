//! Fields of KubeletConfiguration (CIS Kubernetes Benchmark 1.10, section 4.2).

use assay_model::Severity::{Critical, High, Low, Medium};

use super::{FieldRule, Wanted, rule};
use crate::rule::Standard::{Cis, Nsa};

pub(super) static FIELDS: &[FieldRule] = &[
    FieldRule {
        path: &["authentication", "anonymous", "enabled"],
        wanted: Wanted::OneOf(&["", "false"]),
        rule: rule(
            "kubernetes-kubelet-anonymous",
            Critical,
            "The kubelet answers nobody whom it does not know",
            "Whoever reaches the node runs commands in its Pods",
            "authentication: {anonymous: {enabled: false}}",
        )
        .also(&[Cis("4.2.1"), Nsa("Authentication and authorization")]),
    },
    FieldRule {
        path: &["authorization", "mode"],
        wanted: Wanted::OneOf(&["", "Webhook"]),
        rule: rule(
            "kubernetes-kubelet-always-allow",
            Critical,
            "The kubelet asks who may do what",
            "Everybody who is known may run commands in Pods",
            "authorization: {mode: Webhook}",
        )
        .also(&[Cis("4.2.2")]),
    },
    FieldRule {
        path: &["authentication", "x509", "clientCAFile"],
        wanted: Wanted::Set,
        rule: rule(
            "kubernetes-kubelet-client-authority",
            High,
            "The kubelet knows certificates of clients",
            "It cannot tell the API server from others",
            "authentication: {x509: {clientCAFile: FILE}}",
        )
        .also(&[Cis("4.2.3")]),
    },
    FieldRule {
        path: &["readOnlyPort"],
        wanted: Wanted::OneOf(&["", "0"]),
        rule: rule(
            "kubernetes-kubelet-read-only-port",
            High,
            "The kubelet has no port without checks",
            "Everybody sees which Pods run there, with their environment",
            "readOnlyPort: 0",
        )
        .also(&[Cis("4.2.4")]),
    },
    FieldRule {
        path: &["streamingConnectionIdleTimeout"],
        wanted: Wanted::Without("0"),
        rule: rule(
            "kubernetes-kubelet-no-time-out",
            Low,
            "A connection that is idle ends",
            "A shell stays open for ever",
            "remove streamingConnectionIdleTimeout: 0",
        )
        .also(&[Cis("4.2.5")]),
    },
    FieldRule {
        path: &["makeIPTablesUtilChains"],
        wanted: Wanted::OneOf(&["", "true"]),
        rule: rule(
            "kubernetes-kubelet-chains",
            Low,
            "The kubelet keeps its chains of iptables",
            "Rules that Services need go missing",
            "makeIPTablesUtilChains: true",
        )
        .also(&[Cis("4.2.6")]),
    },
    FieldRule {
        path: &["protectKernelDefaults"],
        wanted: Wanted::OneOf(&["true"]),
        rule: rule(
            "kubernetes-kubelet-kernel-defaults",
            Low,
            "The kubelet does not change settings of the kernel",
            "Settings that somebody hardened are put back",
            "protectKernelDefaults: true",
        )
        .also(&[Cis("4.2.6")]),
    },
    FieldRule {
        path: &["rotateCertificates"],
        wanted: Wanted::OneOf(&["", "true"]),
        rule: rule(
            "kubernetes-kubelet-certificate-rotation",
            Medium,
            "The kubelet renews its certificate",
            "It runs out, or is made to last for years",
            "rotateCertificates: true",
        )
        .also(&[Cis("4.2.10")]),
    },
    FieldRule {
        path: &["serverTLSBootstrap"],
        wanted: Wanted::OneOf(&["true"]),
        rule: rule(
            "kubernetes-kubelet-own-certificate",
            Low,
            "The kubelet has a certificate of the cluster's authority",
            "One that it makes for itself cannot be checked",
            "serverTLSBootstrap: true",
        )
        .also(&[Cis("4.2.11")]),
    },
    FieldRule {
        path: &["eventRecordQPS"],
        wanted: Wanted::Without("0"),
        rule: rule(
            "kubernetes-kubelet-event-flood",
            Low,
            "Events are limited",
            "0 is without end",
            "eventRecordQPS: 50",
        )
        .also(&[Cis("4.2.8")]),
    },
    FieldRule {
        path: &["podPidsLimit"],
        wanted: Wanted::AtLeast(1),
        rule: rule(
            "kubernetes-kubelet-no-process-limit",
            Medium,
            "A Pod has a limit of processes",
            "One that makes processes without end takes the node down",
            "podPidsLimit: 4096",
        )
        .also(&[Cis("4.2.13"), Nsa("Resource policies")]),
    },
    FieldRule {
        path: &["seccompDefault"],
        wanted: Wanted::OneOf(&["true"]),
        rule: rule(
            "kubernetes-kubelet-no-seccomp",
            Low,
            "Pods have a seccomp profile where they name none",
            "Every call of the kernel is open to them",
            "seccompDefault: true",
        )
        .also(&[Cis("4.2.14")]),
    },
];
