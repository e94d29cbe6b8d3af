//! What a Pod says about all of its containers.

use assay_model::Severity::{High, Low, Medium, Negligible};
use assay_yaml::Marked;

use super::{Pod, PodCheck, bytes};
use crate::rule::Standard::{Cis, Cwe, Nsa, PodSecurity};
use crate::rule::{Check, Marks, Rule};

/// Sysctls that are the Pod's own (Pod Security Standards, Baseline, "Sysctls").
const SAFE_SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
];
/// Kinds of volumes that the Restricted level allows.
const PLAIN_VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
    "image",
];
/// SELinux types that the Baseline level allows.
const SELINUX_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

pub(super) static CHECKS: &[PodCheck] = &[
    Check::new(
        Rule::new(
            "kubernetes-unsafe-sysctl",
            Medium,
            "Only kernel settings of the Pod's own are changed",
            "The others change the node for every Pod on it",
            "remove the sysctl, or set it on the node",
        )
        .also(&[PodSecurity("baseline")]),
        unsafe_sysctl,
    ),
    Check::new(
        Rule::new(
            "kubernetes-selinux-options",
            Medium,
            "SELinux types are those for containers, users and roles are left alone",
            "Another type takes the fence away that SELinux puts around a container",
            "remove seLinuxOptions",
        )
        .also(&[PodSecurity("baseline"), Nsa("Kubernetes Pod security")]),
        selinux_options,
    ),
    Check::new(
        Rule::new(
            "kubernetes-apparmor-off",
            Medium,
            "AppArmor is not switched off",
            "Without a profile a process may do everything that its capabilities allow",
            "remove the annotation, or appArmorProfile: {type: RuntimeDefault}",
        )
        .also(&[PodSecurity("baseline"), Nsa("Kubernetes Pod security")]),
        apparmor_off,
    ),
    Check::new(
        Rule::new(
            "kubernetes-seccomp-off",
            Medium,
            "System calls are filtered",
            "Without a seccomp profile every call of the kernel is open, with its defects",
            "securityContext: {seccompProfile: {type: RuntimeDefault}}",
        )
        .also(&[
            PodSecurity("baseline"),
            PodSecurity("restricted"),
            Cis("5.7.2"),
            Nsa("Kubernetes Pod security"),
        ]),
        seccomp_off,
    ),
    Check::new(
        Rule::new(
            "kubernetes-volume-type",
            Medium,
            "Volumes are of kinds that do not lead around storage classes",
            "A volume that names its server itself is reached with the node's rights, past the cluster's policies",
            "use a PersistentVolumeClaim",
        )
        .also(&[PodSecurity("restricted")]),
        volume_type,
    ),
    Check::new(
        Rule::new(
            "kubernetes-service-account-token",
            Low,
            "A token for the API is mounted only where it is used",
            "Whoever gets into the container has the ServiceAccount's rights",
            "automountServiceAccountToken: false",
        )
        .also(&[Cis("5.1.6"), Nsa("Protecting Pod service account tokens")]),
        service_account_token,
    ),
    Check::new(
        Rule::new(
            "kubernetes-default-service-account",
            Low,
            "A Pod that talks to the API has a ServiceAccount of its own",
            "Rights that one Pod needs are given to every Pod of the namespace",
            "serviceAccountName with its own Role",
        )
        .also(&[Cis("5.1.5")]),
        default_service_account,
    ),
    Check::new(
        Rule::new(
            "kubernetes-default-namespace",
            Low,
            "Nothing runs in the namespace default",
            "Policies, quotas and roles are given to namespaces; there everything is mixed",
            "metadata.namespace of its own",
        )
        .also(&[Cis("5.7.4")]),
        default_namespace,
    ),
    Check::new(
        Rule::new(
            "kubernetes-system-namespace",
            Medium,
            "Nothing of one's own runs in the namespaces of the system",
            "There policies are off, so that the cluster can start",
            "metadata.namespace of its own",
        )
        .also(&[Nsa("Namespaces")]),
        system_namespace,
    ),
    Check::new(
        Rule::new(
            "kubernetes-host-aliases",
            Low,
            "A Pod does not write its own /etc/hosts",
            "A name can be made to mean another host, past DNS and its logs",
            "remove hostAliases, and put the name into DNS",
        )
        .also(&[Cwe(350)]),
        host_aliases,
    ),
    Check::new(
        Rule::new(
            "kubernetes-shared-processes",
            Low,
            "Containers of a Pod do not see each other's processes",
            "Memory, environment and files of one container can be read from another",
            "remove shareProcessNamespace",
        )
        .also(&[Cwe(653)]),
        shared_processes,
    ),
    Check::new(
        Rule::new(
            "kubernetes-tiller",
            High,
            "No Tiller of Helm 2 is installed",
            "It takes orders from everything that reaches it, with the rights of the whole cluster",
            "use Helm 3 or later",
        )
        .also(&[Cwe(284)]),
        tiller,
    ),
    Check::new(
        Rule::new(
            "kubernetes-shared-group",
            Low,
            "Files belong to no group that is root's",
            "Group 0 may write what images give to root's group",
            "runAsGroup and fsGroup with a number above 0",
        )
        .also(&[Nsa("Kubernetes Pod security")]),
        root_group,
    ),
    Check::new(
        Rule::new(
            "kubernetes-tolerates-everything",
            Negligible,
            "A Pod tolerates the taints that it names",
            "It is scheduled on nodes of the control plane, too",
            "name the key of the taint",
        )
        .also(&[Cwe(653)]),
        tolerates_everything,
    ),
];

fn unsafe_sysctl(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    let sysctls = pod.spec.at(&["securityContext", "sysctls"]).map_or(&[][..], Marked::items);
    for name in sysctls.iter().filter_map(|sysctl| sysctl.get("name")) {
        if let Some(text) = name.text().filter(|text| !SAFE_SYSCTLS.contains(text)) {
            marks.add(bytes(name), format!("{text} is not safe to change"));
        }
    }
}

/// A field of the Pod's securityContext and of each container's.
fn contexts<'m, 't>(pod: &Pod<'m, 't>, field: &str) -> Vec<&'m Marked<'t>> {
    let of_pod = pod.spec.get("securityContext").and_then(|context| context.get(field));
    let of_containers =
        pod.containers().into_iter().filter_map(|container| container.node.get("securityContext")?.get(field));
    of_pod.into_iter().chain(of_containers).collect()
}

fn selinux_options(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for options in contexts(pod, "seLinuxOptions") {
        for field in options.fields() {
            let text = field.value.text().unwrap_or_default();
            let bad = match field.key.as_ref() {
                "type" => !SELINUX_TYPES.contains(&text),
                "user" | "role" => !text.is_empty(),
                _ => false,
            };
            if bad {
                marks.add(
                    field.key_place.start..field.value.place.end,
                    format!("seLinuxOptions.{} is {text}", field.key),
                );
            }
        }
    }
}

fn apparmor_off(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    let annotations = pod.metadata.and_then(|metadata| metadata.get("annotations")).map_or(&[][..], Marked::fields);
    for field in
        annotations.iter().filter(|field| field.key.starts_with("container.apparmor.security.beta.kubernetes.io/"))
    {
        let text = field.value.text().unwrap_or_default();
        if text != "runtime/default" && !text.starts_with("localhost/") {
            marks.add(bytes(&field.value), format!("the AppArmor profile is {text}"));
        }
    }
    for kind in contexts(pod, "appArmorProfile").into_iter().filter_map(|profile| profile.get("type")) {
        if kind.text() == Some("Unconfined") {
            marks.add(bytes(kind), "the AppArmor profile is Unconfined");
        }
    }
}

fn seccomp_off(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    if pod.is_windows() {
        return;
    }
    let annotation =
        pod.metadata.and_then(|metadata| metadata.at(&["annotations", "seccomp.security.alpha.kubernetes.io/pod"]));
    for container in pod.containers() {
        let profile = pod.effective(&container, &["seccompProfile", "type"]);
        match profile.and_then(Marked::text) {
            Some("RuntimeDefault" | "Localhost") => {}
            Some(other) => {
                let place = profile.map_or(container.head(), bytes);
                marks.add(place, format!("the seccomp profile of {} is {other}", container.title()));
            }
            None if annotation.and_then(Marked::text).is_some_and(|text| text != "unconfined") => {}
            None => marks.add(container.head(), format!("{} has no seccomp profile", container.title())),
        }
    }
}

fn volume_type(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for volume in pod.spec.get("volumes").map_or(&[][..], Marked::items) {
        for field in volume.fields() {
            // A path of the node is the Gate's: no-privileged.
            if field.key != "name" && field.key != "hostPath" && !PLAIN_VOLUMES.contains(&field.key.as_ref()) {
                marks.add(field.key_place.start..field.key_place.end, format!("a volume of the kind {}", field.key));
            }
        }
    }
}

fn service_account_token(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    if pod.spec.get("automountServiceAccountToken").and_then(Marked::flag) != Some(false) {
        let place = pod.spec.get("automountServiceAccountToken").map_or(pod.head(), bytes);
        marks.add(place, "the ServiceAccount's token is mounted");
    }
}

fn default_service_account(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    let named = pod.spec.get("serviceAccountName").or_else(|| pod.spec.get("serviceAccount"));
    let is_default = named.and_then(Marked::text).is_none_or(|name| matches!(name, "" | "default"));
    let mounts = pod.spec.get("automountServiceAccountToken").and_then(Marked::flag) != Some(false);
    if is_default && mounts {
        marks.add(named.map_or(pod.head(), bytes), "the ServiceAccount is default");
    }
}

fn default_namespace(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    if let Some(namespace) = pod.object.namespace().filter(|namespace| namespace.text() == Some("default")) {
        marks.add(bytes(namespace), format!("{} runs in default", pod.object.name()));
    }
}

fn system_namespace(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    // A static Pod of the control plane belongs there.
    let is_tier = pod.metadata.and_then(|metadata| metadata.at(&["labels", "tier"])).and_then(Marked::text)
        == Some("control-plane");
    let is_system = |text: &str| matches!(text, "kube-system" | "kube-public" | "kube-node-lease");
    if let Some(namespace) =
        pod.object.namespace().filter(|namespace| namespace.text().is_some_and(is_system) && !is_tier)
    {
        marks.add(bytes(namespace), format!("{} runs in {}", pod.object.name(), namespace.text().unwrap_or_default()));
    }
}

fn host_aliases(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    if let Some(aliases) = pod.spec.get("hostAliases").filter(|aliases| !aliases.items().is_empty()) {
        marks.add(bytes(aliases), "names are given addresses past DNS");
    }
}

fn shared_processes(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    if let Some(shared) = pod.spec.get("shareProcessNamespace").filter(|shared| shared.flag() == Some(true)) {
        marks.add(bytes(shared), "processes are shared between containers");
    }
}

fn tiller(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for image in pod.containers().into_iter().filter_map(|container| container.node.get("image")) {
        if image.text().is_some_and(|text| text.rsplit('/').next().is_some_and(|name| name.starts_with("tiller"))) {
            marks.add(bytes(image), "Tiller of Helm 2");
        }
    }
}

fn root_group(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for field in ["runAsGroup", "fsGroup"] {
        for value in contexts(pod, field).into_iter().filter(|value| value.integer() == Some(0)) {
            marks.add(bytes(value), format!("{field} is 0"));
        }
    }
    let groups = pod.spec.at(&["securityContext", "supplementalGroups"]).map_or(&[][..], Marked::items);
    for group in groups.iter().filter(|group| group.integer() == Some(0)) {
        marks.add(bytes(group), "supplementalGroups has 0");
    }
}

fn tolerates_everything(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    // One Pod on each node is what a DaemonSet is for.
    if pod.object.kind == "DaemonSet" {
        return;
    }
    for toleration in pod.spec.get("tolerations").map_or(&[][..], Marked::items) {
        let exists = toleration.get("operator").and_then(Marked::text) == Some("Exists");
        if exists && toleration.get("key").and_then(Marked::text).is_none_or(str::is_empty) {
            marks.add(bytes(toleration), "every taint is tolerated");
        }
    }
}
