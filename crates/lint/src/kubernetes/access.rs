//! Roles and who has them (Kubernetes, "Role Based Access Control Good Practices").

use assay_model::Severity::{Critical, High, Low, Medium};
use assay_yaml::Marked;

use super::{Object, ObjectCheck, bytes};
use crate::rule::Standard::{Cis, Cwe, Nsa};
use crate::rule::{Check, Marks, Rule};

/// What a rule of a Role gives away: on which resources, by which verbs; `""` is the core group.
struct Grant {
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
}

const READ: &[&str] = &["get", "list", "watch"];
const WRITE: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];
const MAKE: &[&str] = &["create", "update", "patch"];
const RBAC: &str = "rbac.authorization.k8s.io";

macro_rules! grant_rule {
    ($id:literal, $severity:expr, $title:literal, $why:literal, $fix:literal, [$($standard:expr),*], $what:literal, $($grant:expr),+) => {
        Check::new(
            Rule::new($id, $severity, $title, $why, $fix).also(&[$($standard),*]),
            |object, marks| granted(object, marks, &[$($grant),+], $what),
        )
    };
}

pub(super) static CHECKS: &[ObjectCheck] = &[
    Check::new(
        Rule::new(
            "kubernetes-role-everything",
            Critical,
            "No Role gives every verb on every resource",
            "Whoever has it is the cluster's administrator, under another name",
            "name groups, resources and verbs",
        )
        .also(&[Cis("5.1.3"), Nsa("Role-based access control")]),
        everything,
    ),
    Check::new(
        Rule::new(
            "kubernetes-role-wildcard-verb",
            High,
            "Roles name their verbs",
            "A star includes escalate, impersonate, bind, and whatever comes later",
            "name the verbs",
        )
        .also(&[Cis("5.1.3"), Nsa("Role-based access control")]),
        |object, marks| wildcard(object, marks, "verbs"),
    ),
    Check::new(
        Rule::new(
            "kubernetes-role-wildcard-resource",
            High,
            "Roles name their resources",
            "A star includes secrets, and whatever is installed later",
            "name the resources",
        )
        .also(&[Cis("5.1.3"), Nsa("Role-based access control")]),
        |object, marks| wildcard(object, marks, "resources"),
    ),
    grant_rule!(
        "kubernetes-role-reads-secrets",
        High,
        "No Role reads all Secrets",
        "list and watch show their contents, too; with the token of a ServiceAccount its rights go along",
        "resourceNames, with get only",
        [Cis("5.1.2"), Nsa("Role-based access control")],
        "reads Secrets",
        Grant { group: "", resources: &["secrets"], verbs: READ }
    ),
    grant_rule!(
        "kubernetes-role-writes-secrets",
        Medium,
        "No Role changes Secrets without need",
        "A Secret of the type service-account-token is a way to any ServiceAccount of the namespace",
        "resourceNames, or no right to write",
        [Cis("5.1.2")],
        "changes Secrets",
        Grant { group: "", resources: &["secrets"], verbs: WRITE }
    ),
    grant_rule!(
        "kubernetes-role-makes-pods",
        Medium,
        "Only deployers make Pods",
        "Whoever makes a Pod has every Secret and every ServiceAccount of its namespace",
        "give it to the deployer in one namespace, and enforce Pod Security there",
        [Cis("5.1.4"), Nsa("Role-based access control")],
        "makes workloads",
        Grant { group: "", resources: &["pods", "replicationcontrollers"], verbs: MAKE },
        Grant { group: "apps", resources: &["deployments", "daemonsets", "statefulsets", "replicasets"], verbs: MAKE },
        Grant { group: "batch", resources: &["jobs", "cronjobs"], verbs: MAKE }
    ),
    grant_rule!(
        "kubernetes-role-exec",
        High,
        "No Role opens shells in Pods",
        "Whoever may exec or attach has everything that the container has",
        "remove pods/exec and pods/attach, or give them for an hour",
        [Nsa("Role-based access control")],
        "opens shells in Pods",
        Grant {
            group: "",
            resources: &["pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers"],
            verbs: &["create", "get", "update", "patch"]
        }
    ),
    grant_rule!(
        "kubernetes-role-reads-logs",
        Low,
        "Logs of Pods are read by those who need them",
        "Logs hold what programs print, and that is more than they should",
        "remove pods/log",
        [Cwe(532)],
        "reads the logs of Pods",
        Grant { group: "", resources: &["pods/log"], verbs: READ }
    ),
    grant_rule!(
        "kubernetes-role-escalates",
        Critical,
        "No Role gives more than it has",
        "escalate, bind and impersonate go around the rule that nobody gives what they have not got",
        "remove the verb",
        [Cis("5.1.8")],
        "escalates, binds or impersonates",
        Grant {
            group: RBAC,
            resources: &["roles", "clusterroles", "rolebindings", "clusterrolebindings"],
            verbs: &["escalate", "bind"]
        },
        Grant { group: "", resources: &["users", "groups", "serviceaccounts"], verbs: &["impersonate"] },
        Grant { group: "authentication.k8s.io", resources: &["userextras", "uids"], verbs: &["impersonate"] }
    ),
    grant_rule!(
        "kubernetes-role-manages-roles",
        High,
        "Only administrators manage Roles and their bindings",
        "Whoever binds a Role to themselves has it",
        "leave it to the administrators of the cluster",
        [Cis("5.1.8")],
        "manages Roles or their bindings",
        Grant {
            group: RBAC,
            resources: &["roles", "clusterroles", "rolebindings", "clusterrolebindings"],
            verbs: WRITE
        }
    ),
    grant_rule!(
        "kubernetes-role-makes-tokens",
        High,
        "No Role makes tokens of ServiceAccounts",
        "A token of any ServiceAccount of the namespace is had for the asking",
        "resourceNames with the one ServiceAccount",
        [Cis("5.1.13")],
        "makes tokens of ServiceAccounts",
        Grant { group: "", resources: &["serviceaccounts/token"], verbs: &["create"] }
    ),
    grant_rule!(
        "kubernetes-role-nodes-proxy",
        High,
        "No Role reaches kubelets through the API",
        "Commands in any Pod of the node, past admission and audit",
        "remove nodes/proxy",
        [Cis("5.1.10")],
        "reaches kubelets",
        Grant { group: "", resources: &["nodes/proxy"], verbs: &["get", "create", "update", "patch", "delete"] }
    ),
    grant_rule!(
        "kubernetes-role-approves-certificates",
        High,
        "No Role approves certificates",
        "A certificate of the group system:masters is beyond every check and cannot be taken back",
        "leave it to the controllers",
        [Cis("5.1.11")],
        "approves or signs certificates",
        Grant {
            group: "certificates.k8s.io",
            resources: &["certificatesigningrequests/approval", "certificatesigningrequests/status"],
            verbs: MAKE
        },
        Grant { group: "certificates.k8s.io", resources: &["signers"], verbs: &["approve", "sign"] }
    ),
    grant_rule!(
        "kubernetes-role-changes-webhooks",
        High,
        "No Role changes admission",
        "Whoever changes a webhook or policy switches the checks off, or reads every object that passes",
        "leave it to the administrators of the cluster",
        [Cis("5.1.12")],
        "changes admission",
        Grant {
            group: "admissionregistration.k8s.io",
            resources: &[
                "validatingwebhookconfigurations",
                "mutatingwebhookconfigurations",
                "validatingadmissionpolicies",
                "validatingadmissionpolicybindings",
                "mutatingadmissionpolicies"
            ],
            verbs: WRITE
        }
    ),
    grant_rule!(
        "kubernetes-role-makes-volumes",
        Medium,
        "Only administrators make PersistentVolumes",
        "A PersistentVolume with hostPath is the node's file system",
        "leave it to the storage classes",
        [Cis("5.1.9")],
        "makes PersistentVolumes",
        Grant { group: "", resources: &["persistentvolumes"], verbs: &["create"] }
    ),
    grant_rule!(
        "kubernetes-role-changes-network",
        Medium,
        "No application changes how it is reached",
        "Whoever changes a NetworkPolicy, a Service or an Ingress opens what was closed, or takes the traffic of others",
        "leave it to the deployer",
        [Nsa("Network separation and hardening")],
        "changes the network",
        Grant { group: "networking.k8s.io", resources: &["networkpolicies", "ingresses"], verbs: WRITE },
        Grant { group: "", resources: &["services", "endpoints"], verbs: WRITE },
        Grant { group: "discovery.k8s.io", resources: &["endpointslices"], verbs: WRITE }
    ),
    grant_rule!(
        "kubernetes-role-changes-configuration",
        Low,
        "No Role changes every ConfigMap",
        "Programs do what their configuration says",
        "resourceNames",
        [Cwe(284)],
        "changes ConfigMaps",
        Grant { group: "", resources: &["configmaps"], verbs: WRITE }
    ),
    grant_rule!(
        "kubernetes-role-changes-namespaces",
        Medium,
        "No application changes Namespaces",
        "Labels of a Namespace say which policies apply in it",
        "leave it to the administrators of the cluster",
        [Cwe(284)],
        "changes Namespaces",
        Grant { group: "", resources: &["namespaces"], verbs: WRITE }
    ),
    grant_rule!(
        "kubernetes-role-deletes-events",
        Low,
        "No Role deletes Events",
        "They show what happened",
        "remove the verbs",
        [Cwe(778)],
        "deletes Events",
        Grant { group: "", resources: &["events"], verbs: &["delete", "deletecollection"] },
        Grant { group: "events.k8s.io", resources: &["events"], verbs: &["delete", "deletecollection"] }
    ),
    Check::new(
        Rule::new(
            "kubernetes-cluster-admin",
            High,
            "cluster-admin is bound to nobody by manifest",
            "Whoever has it may do everything, in every namespace",
            "a Role with what is needed",
        )
        .also(&[Cis("5.1.1"), Nsa("Role-based access control")]),
        cluster_admin,
    ),
    Check::new(
        Rule::new(
            "kubernetes-anonymous-binding",
            Critical,
            "Nothing is given to everybody",
            "system:anonymous, system:unauthenticated and system:authenticated are everybody who reaches the API",
            "name a group of your own",
        )
        .also(&[Cis("5.1.1"), Cwe(306)]),
        anonymous_binding,
    ),
    Check::new(
        Rule::new(
            "kubernetes-masters-binding",
            High,
            "The group system:masters is not used",
            "It is beyond every check, and what it may cannot be taken back",
            "a group of your own, bound to a Role",
        )
        .also(&[Cis("5.1.7")]),
        masters_binding,
    ),
    Check::new(
        Rule::new(
            "kubernetes-default-account-binding",
            Medium,
            "The ServiceAccount default has no rights",
            "Every Pod that names no other one has them",
            "a ServiceAccount of its own",
        )
        .also(&[Cis("5.1.5")]),
        default_account_binding,
    ),
    Check::new(
        Rule::new(
            "kubernetes-account-token",
            Low,
            "A ServiceAccount does not mount its token everywhere",
            "Every Pod that uses it gets the token, needed or not",
            "automountServiceAccountToken: false, and true in the Pod that needs it",
        )
        .also(&[Cis("5.1.6"), Nsa("Protecting Pod service account tokens")]),
        account_token,
    ),
    Check::new(
        Rule::new(
            "kubernetes-lasting-token",
            Medium,
            "No token of a ServiceAccount lasts for ever",
            "A Secret of this type is valid until somebody deletes it",
            "kubectl create token, or a projected volume",
        )
        .also(&[Cis("5.1.6"), Cwe(613)]),
        lasting_token,
    ),
];

fn is_role(object: &Object<'_, '_>) -> bool {
    object.group == RBAC && matches!(object.kind, "Role" | "ClusterRole")
}

fn rules_of<'m, 't>(object: &Object<'m, 't>) -> &'m [Marked<'t>] {
    if is_role(object) { object.root.get("rules").map_or(&[], Marked::items) } else { &[] }
}

fn words<'m>(rule: &'m Marked<'_>, field: &str) -> Vec<&'m str> {
    rule.get(field).map_or(&[][..], Marked::items).iter().filter_map(Marked::text).collect()
}

fn is_everything(rule: &Marked<'_>) -> bool {
    words(rule, "verbs").contains(&"*") && words(rule, "resources").contains(&"*")
}

fn everything(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    for rule in rules_of(object).iter().filter(|rule| is_everything(rule)) {
        marks.add(bytes(rule), format!("{} gives everything", object.name()));
    }
}

fn wildcard(object: &Object<'_, '_>, marks: &mut Marks<'_>, field: &str) {
    for rule in rules_of(object).iter().filter(|rule| !is_everything(rule)) {
        let star = rule.get(field).map_or(&[][..], Marked::items).iter().find(|item| item.text() == Some("*"));
        if let Some(star) = star {
            marks.add(bytes(star), format!("{} gives all {field}", object.name()));
        }
    }
}

/// Each rule of a Role that gives one of `grants` and is not limited to named objects. What a star gives is said by other
/// rules.
fn granted(object: &Object<'_, '_>, marks: &mut Marks<'_>, grants: &[Grant], what: &str) {
    for rule in rules_of(object) {
        if is_everything(rule) || !words(rule, "resourceNames").is_empty() {
            continue;
        }
        let (groups, verbs) = (words(rule, "apiGroups"), words(rule, "verbs"));
        let resources = rule.get("resources").map_or(&[][..], Marked::items);
        let hit = resources.iter().find(|resource| {
            let name = resource.text().unwrap_or_default();
            grants.iter().any(|grant| {
                (groups.contains(&grant.group) || groups.contains(&"*"))
                    && grant.resources.contains(&name)
                    && verbs.iter().any(|verb| grant.verbs.contains(verb) || *verb == "*")
            })
        });
        if let Some(resource) = hit {
            marks.add(bytes(resource), format!("{} {what}", object.name()));
        }
    }
}

fn is_binding(object: &Object<'_, '_>) -> bool {
    object.group == RBAC && matches!(object.kind, "RoleBinding" | "ClusterRoleBinding")
}

fn subjects<'m, 't>(object: &Object<'m, 't>) -> &'m [Marked<'t>] {
    if is_binding(object) { object.root.get("subjects").map_or(&[], Marked::items) } else { &[] }
}

fn cluster_admin(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    let name = object.root.at(&["roleRef", "name"]).filter(|_| is_binding(object));
    if let Some(name) = name.filter(|name| matches!(name.text(), Some("cluster-admin"))) {
        marks.add(bytes(name), format!("{} gives cluster-admin", object.name()));
    }
}

fn subject_named(object: &Object<'_, '_>, marks: &mut Marks<'_>, names: &[&str]) {
    for name in subjects(object).iter().filter_map(|subject| subject.get("name")) {
        if let Some(text) = name.text().filter(|text| names.contains(text)) {
            marks.add(bytes(name), format!("{} gives rights to {text}", object.name()));
        }
    }
}

fn anonymous_binding(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    subject_named(object, marks, &["system:anonymous", "system:unauthenticated", "system:authenticated"]);
}

fn masters_binding(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    subject_named(object, marks, &["system:masters"]);
}

fn default_account_binding(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    for subject in subjects(object) {
        let is_account = subject.get("kind").and_then(Marked::text) == Some("ServiceAccount");
        if let Some(name) = subject.get("name").filter(|name| is_account && name.text() == Some("default")) {
            marks.add(bytes(name), format!("{} gives rights to the ServiceAccount default", object.name()));
        }
    }
}

fn account_token(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if object.group.is_empty() && object.kind == "ServiceAccount" {
        let value = object.root.get("automountServiceAccountToken");
        if value.and_then(Marked::flag) != Some(false) {
            marks.add(value.map_or(object.head(), bytes), format!("{} mounts its token", object.name()));
        }
    }
}

fn lasting_token(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    let kind = object.root.get("type").filter(|_| object.group.is_empty() && object.kind == "Secret");
    if let Some(kind) = kind.filter(|kind| kind.text() == Some("kubernetes.io/service-account-token")) {
        marks.add(bytes(kind), format!("{} is a token that lasts", object.name()));
    }
}
