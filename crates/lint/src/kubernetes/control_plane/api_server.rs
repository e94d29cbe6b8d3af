//! Flags of the API server (CIS Kubernetes Benchmark 1.10, section 1.2).

use assay_model::Severity::{Critical, High, Low, Medium};

use super::{AUDIT, FlagRule, PROFILE, WEAK, Wanted, flag, rule};
use crate::rule::Standard::{Cis, Nsa};

const API: &str = "kube-apiserver";

pub(super) static FLAGS: &[FlagRule] = &[
    flag(
        API,
        "anonymous-auth",
        Wanted::OneOf(&["false"]),
        rule(
            "kubernetes-api-anonymous",
            Medium,
            "The API server answers nobody whom it does not know",
            "Whoever reaches it may ask without a name",
            "--anonymous-auth=false",
        )
        .also(&[Cis("1.2.1"), Nsa("Authentication and authorization")]),
    ),
    flag(
        API,
        "token-auth-file",
        Wanted::Unset,
        rule(
            "kubernetes-api-static-tokens",
            High,
            "The API server takes no tokens from a file",
            "They are in clear text, and valid until it is restarted",
            "remove --token-auth-file",
        )
        .also(&[Cis("1.2.2")]),
    ),
    flag(
        API,
        "basic-auth-file",
        Wanted::Unset,
        rule(
            "kubernetes-api-basic-authentication",
            High,
            "The API server takes no passwords from a file",
            "They are in clear text, and valid until it is restarted",
            "remove --basic-auth-file",
        )
        .also(&[Cis("1.2.2")]),
    ),
    flag(
        API,
        "kubelet-https",
        Wanted::OneOf(&["", "true"]),
        rule(
            "kubernetes-api-kubelet-plain",
            High,
            "The API server reaches kubelets over TLS",
            WEAK,
            "remove --kubelet-https",
        )
        .also(&[Cis("1.2.4")]),
    ),
    flag(
        API,
        "kubelet-client-certificate",
        Wanted::Set,
        rule(
            "kubernetes-api-kubelet-certificate",
            High,
            "The API server shows kubelets a certificate",
            "A kubelet that asks for none takes orders from everybody",
            "--kubelet-client-certificate and --kubelet-client-key",
        )
        .also(&[Cis("1.2.4")]),
    ),
    flag(
        API,
        "kubelet-client-key",
        Wanted::Set,
        rule(
            "kubernetes-api-kubelet-key",
            High,
            "The API server has the key of the certificate for kubelets",
            "A kubelet that asks for none takes orders from everybody",
            "--kubelet-client-certificate and --kubelet-client-key",
        )
        .also(&[Cis("1.2.4")]),
    ),
    flag(
        API,
        "kubelet-certificate-authority",
        Wanted::Set,
        rule(
            "kubernetes-api-kubelet-authority",
            High,
            "The API server checks the certificates of kubelets",
            WEAK,
            "--kubelet-certificate-authority=FILE",
        )
        .also(&[Cis("1.2.5")]),
    ),
    flag(
        API,
        "authorization-mode",
        Wanted::Without("AlwaysAllow"),
        rule(
            "kubernetes-api-always-allow",
            Critical,
            "The API server asks who may do what",
            "Everybody who is known may do everything",
            "--authorization-mode=Node,RBAC",
        )
        .also(&[Cis("1.2.6"), Nsa("Authentication and authorization")]),
    ),
    flag(
        API,
        "authorization-mode",
        Wanted::With("Node"),
        rule(
            "kubernetes-api-without-node-mode",
            Medium,
            "Kubelets may touch what is on their node only",
            "A node that is taken over reads the Secrets of every other one",
            "--authorization-mode=Node,RBAC",
        )
        .also(&[Cis("1.2.7")]),
    ),
    flag(
        API,
        "authorization-mode",
        Wanted::With("RBAC"),
        rule(
            "kubernetes-api-without-rbac",
            High,
            "Rights are given by Roles",
            "Other modes cannot be read from the cluster, and change with a restart only",
            "--authorization-mode=Node,RBAC",
        )
        .also(&[Cis("1.2.8"), Nsa("Authentication and authorization")]),
    ),
    flag(
        API,
        "enable-admission-plugins",
        Wanted::With("EventRateLimit"),
        rule(
            "kubernetes-api-event-flood",
            Low,
            "Events are limited",
            "One Pod that makes Events without end fills etcd",
            "--enable-admission-plugins=...,EventRateLimit with a configuration",
        )
        .also(&[Cis("1.2.9")]),
    ),
    flag(
        API,
        "enable-admission-plugins",
        Wanted::Without("AlwaysAdmit"),
        rule(
            "kubernetes-api-always-admit",
            High,
            "Admission is not switched off",
            "Everything is let in",
            "remove AlwaysAdmit",
        )
        .also(&[Cis("1.2.10")]),
    ),
    flag(
        API,
        "enable-admission-plugins",
        Wanted::With("AlwaysPullImages"),
        rule(
            "kubernetes-api-cached-images",
            Low,
            "An image on a node is used by those who may pull it",
            "A Pod uses what another tenant's pull left on the node, without its own right to",
            "--enable-admission-plugins=...,AlwaysPullImages where tenants share nodes",
        )
        .also(&[Cis("1.2.11")]),
    ),
    flag(
        API,
        "enable-admission-plugins",
        Wanted::With("DenyServiceExternalIPs"),
        rule(
            "kubernetes-api-external-ips",
            Low,
            "Services cannot take external addresses",
            "Any tenant can take the traffic of any address (CVE-2020-8554)",
            "--enable-admission-plugins=...,DenyServiceExternalIPs",
        )
        .also(&[Cis("1.2.3")]),
    ),
    flag(
        API,
        "disable-admission-plugins",
        Wanted::Without("ServiceAccount"),
        rule(
            "kubernetes-api-without-accounts",
            Medium,
            "Pods get a ServiceAccount",
            "Pods run without an identity, or with one that they choose",
            "remove ServiceAccount from --disable-admission-plugins",
        )
        .also(&[Cis("1.2.12")]),
    ),
    flag(
        API,
        "disable-admission-plugins",
        Wanted::Without("NamespaceLifecycle"),
        rule(
            "kubernetes-api-without-lifecycle",
            Medium,
            "Objects are made in Namespaces that exist",
            "Objects outlive their Namespace, unseen",
            "remove NamespaceLifecycle from --disable-admission-plugins",
        )
        .also(&[Cis("1.2.13")]),
    ),
    flag(
        API,
        "disable-admission-plugins",
        Wanted::Without("PodSecurity"),
        rule(
            "kubernetes-api-without-pod-security",
            High,
            "Pod Security is not switched off",
            "The labels of Namespaces do nothing",
            "remove PodSecurity from --disable-admission-plugins",
        )
        .also(&[Cis("5.2.1"), Nsa("Kubernetes Pod security")]),
    ),
    flag(
        API,
        "enable-admission-plugins",
        Wanted::With("NodeRestriction"),
        rule(
            "kubernetes-api-without-node-restriction",
            Medium,
            "Kubelets change their own node only",
            "A node that is taken over changes labels and draws Pods with Secrets to itself",
            "--enable-admission-plugins=NodeRestriction",
        )
        .also(&[Cis("1.2.14")]),
    ),
    flag(
        API,
        "secure-port",
        Wanted::Without("0"),
        rule(
            "kubernetes-api-plain-port",
            Critical,
            "The API server is reached over TLS",
            WEAK,
            "remove --secure-port=0",
        )
        .also(&[Cis("1.2.15")]),
    ),
    flag(
        API,
        "insecure-port",
        Wanted::OneOf(&["", "0"]),
        rule(
            "kubernetes-api-insecure-port",
            Critical,
            "The API server has no port without checks",
            "Whoever reaches it is administrator",
            "remove --insecure-port",
        )
        .also(&[Cis("1.2.15")]),
    ),
    flag(
        API,
        "insecure-bind-address",
        Wanted::Unset,
        rule(
            "kubernetes-api-insecure-address",
            Critical,
            "The API server has no address without checks",
            "Whoever reaches it is administrator",
            "remove --insecure-bind-address",
        )
        .also(&[Cis("1.2.15")]),
    ),
    flag(
        API,
        "profiling",
        Wanted::OneOf(&["false"]),
        rule("kubernetes-api-profiling", Low, "The API server shows no profiles", PROFILE, "--profiling=false")
            .also(&[Cis("1.2.15")]),
    ),
    flag(
        API,
        "audit-log-path",
        Wanted::Set,
        rule(
            "kubernetes-api-no-audit",
            Medium,
            "The API server writes an audit log",
            AUDIT,
            "--audit-log-path=FILE and --audit-policy-file=FILE",
        )
        .also(&[Cis("1.2.16"), Nsa("Audit logging and threat detection")]),
    ),
    flag(
        API,
        "audit-log-maxage",
        Wanted::AtLeast(30),
        rule("kubernetes-api-audit-age", Low, "The audit log is kept for 30 days", AUDIT, "--audit-log-maxage=30")
            .also(&[Cis("1.2.17")]),
    ),
    flag(
        API,
        "audit-log-maxbackup",
        Wanted::AtLeast(10),
        rule(
            "kubernetes-api-audit-files",
            Low,
            "Ten files of the audit log are kept",
            AUDIT,
            "--audit-log-maxbackup=10",
        )
        .also(&[Cis("1.2.18")]),
    ),
    flag(
        API,
        "audit-log-maxsize",
        Wanted::AtLeast(100),
        rule(
            "kubernetes-api-audit-size",
            Low,
            "Files of the audit log grow to 100 MB",
            AUDIT,
            "--audit-log-maxsize=100",
        )
        .also(&[Cis("1.2.19")]),
    ),
    flag(
        API,
        "audit-policy-file",
        Wanted::Set,
        rule(
            "kubernetes-api-no-audit-policy",
            Medium,
            "The API server has an audit policy",
            AUDIT,
            "--audit-policy-file=FILE",
        )
        .also(&[Cis("3.2.1"), Nsa("Audit logging and threat detection")]),
    ),
    flag(
        API,
        "service-account-lookup",
        Wanted::OneOf(&["", "true"]),
        rule(
            "kubernetes-api-deleted-accounts",
            Medium,
            "Tokens of deleted ServiceAccounts do not count",
            "A token stays valid when its ServiceAccount is gone",
            "remove --service-account-lookup=false",
        )
        .also(&[Cis("1.2.21")]),
    ),
    flag(
        API,
        "service-account-key-file",
        Wanted::Set,
        rule(
            "kubernetes-api-account-key",
            Low,
            "Tokens of ServiceAccounts have a key of their own",
            "Otherwise they hang on the key of TLS, and cannot be changed alone",
            "--service-account-key-file=FILE",
        )
        .also(&[Cis("1.2.22")]),
    ),
    flag(
        API,
        "service-account-extend-token-expiration",
        Wanted::OneOf(&["false"]),
        rule(
            "kubernetes-api-long-tokens",
            Low,
            "Tokens of ServiceAccounts last as long as they say",
            "By default one that says an hour is taken for a year",
            "--service-account-extend-token-expiration=false",
        )
        .also(&[Cis("1.2.30")]),
    ),
    flag(
        API,
        "etcd-certfile",
        Wanted::Set,
        rule(
            "kubernetes-api-etcd-certificate",
            High,
            "The API server shows etcd a certificate",
            "An etcd that asks for none gives everybody everything",
            "--etcd-certfile and --etcd-keyfile",
        )
        .also(&[Cis("1.2.23")]),
    ),
    flag(
        API,
        "etcd-keyfile",
        Wanted::Set,
        rule(
            "kubernetes-api-etcd-key",
            High,
            "The API server has the key of the certificate for etcd",
            "An etcd that asks for none gives everybody everything",
            "--etcd-certfile and --etcd-keyfile",
        )
        .also(&[Cis("1.2.23")]),
    ),
    flag(
        API,
        "etcd-cafile",
        Wanted::Set,
        rule(
            "kubernetes-api-etcd-authority",
            High,
            "The API server checks the certificate of etcd",
            WEAK,
            "--etcd-cafile=FILE",
        )
        .also(&[Cis("1.2.26")]),
    ),
    flag(
        API,
        "tls-cert-file",
        Wanted::Set,
        rule(
            "kubernetes-api-certificate",
            Medium,
            "The API server has a certificate of its own",
            "One that it makes for itself cannot be checked by clients",
            "--tls-cert-file and --tls-private-key-file",
        )
        .also(&[Cis("1.2.24")]),
    ),
    flag(
        API,
        "tls-private-key-file",
        Wanted::Set,
        rule(
            "kubernetes-api-certificate-key",
            Medium,
            "The API server has the key of its certificate",
            "One that it makes for itself cannot be checked by clients",
            "--tls-cert-file and --tls-private-key-file",
        )
        .also(&[Cis("1.2.24")]),
    ),
    flag(
        API,
        "client-ca-file",
        Wanted::Set,
        rule(
            "kubernetes-api-client-authority",
            Medium,
            "The API server knows certificates of clients",
            "Components fall back to weaker ways to say who they are",
            "--client-ca-file=FILE",
        )
        .also(&[Cis("1.2.25")]),
    ),
    flag(
        API,
        "encryption-provider-config",
        Wanted::Set,
        rule(
            "kubernetes-api-secrets-in-clear",
            High,
            "Secrets are encrypted in etcd",
            "Whoever has a backup or the disk of etcd has every Secret",
            "--encryption-provider-config=FILE with a KMS",
        )
        .also(&[Cis("1.2.27"), Nsa("Secrets")]),
    ),
    flag(
        API,
        "tls-min-version",
        Wanted::OneOf(&["", "VersionTLS12", "VersionTLS13"]),
        rule(
            "kubernetes-api-old-tls",
            Medium,
            "The API server speaks TLS 1.2 and newer",
            WEAK,
            "--tls-min-version=VersionTLS12",
        )
        .also(&[Cis("1.2.29")]),
    ),
];
