//! What each container says for itself.

use assay_model::Severity::{High, Low, Medium, Negligible};
use assay_yaml::Marked;

use super::{Container, Pod, PodCheck, bytes};
use crate::credential;
use crate::rule::Standard::{Cis, Cwe, Nsa, PodSecurity};
use crate::rule::{Check, Marks, Rule};

pub(super) static CHECKS: &[PodCheck] = &[
    Check::new(
        Rule::new(
            "kubernetes-writable-root",
            Medium,
            "The container's root file system cannot be written",
            "Whoever gets in can put tools there, and change the programs that run",
            "securityContext: {readOnlyRootFilesystem: true}, with an emptyDir where files have to be written",
        )
        .also(&[Nsa("Immutable container file systems")]),
        writable_root,
    ),
    Check::new(
        Rule::new(
            "kubernetes-capabilities-kept",
            Medium,
            "All capabilities are dropped",
            "A runtime leaves some to every container, NET_RAW among them, which nearly none needs",
            "securityContext: {capabilities: {drop: [ALL]}}",
        )
        .also(&[PodSecurity("restricted"), Cis("5.2.8"), Cis("5.2.10"), Nsa("Kubernetes Pod security")]),
        capabilities_kept,
    ),
    Check::new(
        Rule::new(
            "kubernetes-escalation-unset",
            Medium,
            "allowPrivilegeEscalation is written as false",
            "Unset means true: a setuid program then gives more than the container started with",
            "securityContext: {allowPrivilegeEscalation: false}",
        )
        .also(&[PodSecurity("restricted"), Cis("5.2.6"), Nsa("Kubernetes Pod security")]),
        escalation_unset,
    ),
    Check::new(
        Rule::new(
            "kubernetes-host-port",
            Medium,
            "No port of the node is taken",
            "It is reached past NetworkPolicies, and binds the Pod to a node",
            "use a Service",
        )
        .also(&[PodSecurity("baseline"), Cis("5.2.13"), Nsa("Kubernetes Pod security")]),
        host_port,
    ),
    Check::new(
        Rule::new(
            "kubernetes-low-user-id",
            Low,
            "User and group are numbers above 10000",
            "Lower ones are accounts of the node: whoever breaks out is that user there",
            "runAsUser and runAsGroup above 10000",
        )
        .also(&[Cwe(250)]),
        low_user,
    ),
    Check::new(
        Rule::new(
            "kubernetes-no-memory-limit",
            Low,
            "Every container has a limit of memory",
            "One that leaks, or is made to, takes the node down with everything on it",
            "resources: {limits: {memory: ...}}",
        )
        .also(&[Nsa("Resource policies"), Cwe(770)]),
        |pod, marks| resources(pod, marks, "limits", "memory"),
    ),
    Check::new(
        Rule::new(
            "kubernetes-no-cpu-limit",
            Negligible,
            "Every container has a limit of CPU, or its namespace does",
            "One that runs in circles, or mines, takes the time of its neighbours",
            "resources: {limits: {cpu: ...}}, or a LimitRange",
        )
        .also(&[Nsa("Resource policies"), Cwe(770)]),
        |pod, marks| resources(pod, marks, "limits", "cpu"),
    ),
    Check::new(
        Rule::new(
            "kubernetes-no-memory-request",
            Negligible,
            "Every container says how much memory it needs",
            "The scheduler packs nodes too full, and the kernel kills what should not die",
            "resources: {requests: {memory: ...}}",
        )
        .also(&[Nsa("Resource policies")]),
        |pod, marks| resources(pod, marks, "requests", "memory"),
    ),
    Check::new(
        Rule::new(
            "kubernetes-no-cpu-request",
            Negligible,
            "Every container says how much CPU it needs",
            "The scheduler packs nodes too full",
            "resources: {requests: {cpu: ...}}",
        )
        .also(&[Nsa("Resource policies")]),
        |pod, marks| resources(pod, marks, "requests", "cpu"),
    ),
    Check::new(
        Rule::new(
            "kubernetes-no-readiness-probe",
            Negligible,
            "A container that serves says when it can",
            "Requests reach one that has not started, or that hangs",
            "readinessProbe",
        ),
        |pod, marks| probe(pod, marks, "readinessProbe"),
    ),
    Check::new(
        Rule::new(
            "kubernetes-no-liveness-probe",
            Negligible,
            "A container that serves says whether it lives",
            "One that hangs stays",
            "livenessProbe",
        ),
        |pod, marks| probe(pod, marks, "livenessProbe"),
    ),
    Check::new(
        Rule::new(
            "kubernetes-literal-credential",
            High,
            "No credential is written in a manifest",
            "Everybody who can read the manifest, the repository or the Pod can use it",
            "valueFrom: {secretKeyRef: ...}, or better a mounted file",
        )
        .also(&[Cis("5.4.1"), Nsa("Secrets"), Cwe(798)]),
        literal_credential,
    ),
    Check::new(
        Rule::new(
            "kubernetes-secret-in-environment",
            Negligible,
            "Secrets are files and not variables",
            "Variables are inherited by every process, and end up in crash reports and debug pages",
            "mount the Secret as a volume",
        )
        .also(&[Cis("5.4.1")]),
        secret_in_environment,
    ),
    Check::new(
        Rule::new(
            "kubernetes-fetch-and-run",
            High,
            "No container fetches and runs something when it starts",
            "What runs is not what was scanned and signed",
            "put it into the image",
        )
        .also(&[Cwe(494)]),
        fetch_and_run,
    ),
    Check::new(
        Rule::new(
            "kubernetes-remote-login",
            Medium,
            "No container listens for remote log-in",
            "It is another way in, with its own accounts; kubectl exec needs none",
            "remove the port",
        ),
        remote_login,
    ),
    Check::new(
        Rule::new(
            "kubernetes-bidirectional-mount",
            High,
            "No mount is passed on to the node",
            "What the container mounts there appears on the node",
            "mountPropagation: HostToContainer, or none",
        )
        .also(&[Cwe(668)]),
        bidirectional_mount,
    ),
];

fn writable_root(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers().iter().filter(|_| !pod.is_windows()) {
        let value = container.node.at(&["securityContext", "readOnlyRootFilesystem"]);
        if value.and_then(Marked::flag) != Some(true) {
            marks.add(
                value.map_or(container.head(), bytes),
                format!("{} can write its root file system", container.title()),
            );
        }
    }
}

fn capabilities_kept(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers().iter().filter(|_| !pod.is_windows()) {
        let drop = container.node.at(&["securityContext", "capabilities", "drop"]);
        let all = drop
            .map_or(&[][..], Marked::items)
            .iter()
            .any(|name| name.text().is_some_and(|text| text.eq_ignore_ascii_case("all")));
        if !all {
            marks.add(drop.map_or(container.head(), bytes), format!("{} keeps capabilities", container.title()));
        }
    }
}

fn escalation_unset(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers().iter().filter(|_| !pod.is_windows()) {
        let value =
            container.node.at(&["securityContext", "allowPrivilegeEscalation"]).filter(|value| !value.is_null());
        // true is the Gate's: no-privileged.
        if value.is_none() {
            marks.add(container.head(), format!("{} does not say allowPrivilegeEscalation", container.title()));
        }
    }
}

fn ports<'c>(container: &'c Container<'_, '_>) -> &'c [Marked<'c>] {
    container.node.get("ports").map_or(&[][..], Marked::items)
}

fn host_port(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers() {
        for port in ports(&container).iter().filter_map(|port| port.get("hostPort")) {
            if port.integer().is_some_and(|number| number != 0) {
                marks.add(bytes(port), format!("{} takes a port of the node", container.title()));
            }
        }
    }
}

fn low_user(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers() {
        // 0 is the Gate's: run-as-non-root.
        if let Some(user) = pod.effective(&container, &["runAsUser"])
            && user.integer().is_some_and(|number| (1..=10_000).contains(&number))
        {
            marks.add(bytes(user), format!("{} runs as an account that nodes have", container.title()));
        }
    }
}

fn resources(pod: &Pod<'_, '_>, marks: &mut Marks<'_>, kind: &str, resource: &str) {
    let of_pod = pod.spec.at(&["resources", kind, resource]).is_some();
    for container in pod.containers().iter().filter(|container| container.is_main() && !of_pod) {
        let value = container.node.at(&["resources", kind, resource]).filter(|value| !value.is_null());
        // A request that is missing is the limit (Kubernetes, "Resource Management for Pods and Containers").
        let limit = container.node.at(&["resources", "limits", resource]).is_some();
        if value.is_none() && !(kind == "requests" && limit) {
            marks.add(container.head(), format!("{} has no {resource} in {kind}", container.title()));
        }
    }
}

fn probe(pod: &Pod<'_, '_>, marks: &mut Marks<'_>, probe: &str) {
    if matches!(pod.object.kind, "Job" | "CronJob") {
        return;
    }
    for container in pod.containers() {
        if container.is_main() && !ports(&container).is_empty() && container.node.get(probe).is_none() {
            marks.add(container.head(), format!("{} has no {probe}", container.title()));
        }
    }
}

fn literal_credential(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers() {
        for variable in container.node.get("env").map_or(&[][..], Marked::items) {
            let (Some(name), Some(value)) = (variable.get("name").and_then(Marked::text), variable.get("value")) else {
                continue;
            };
            let text = value.text().unwrap_or_default();
            if (credential::is_name(name) && credential::is_literal(text))
                || credential::is_value(text)
                || credential::in_url(text)
            {
                marks.add(bytes(value), format!("{name} of {} is written out", container.title()));
            }
        }
        for key in ["command", "args"] {
            for word in container.node.get(key).map_or(&[][..], Marked::items) {
                if word.text().is_some_and(|text| credential::is_value(text) || credential::in_url(text)) {
                    marks.add(bytes(word), format!("{} is given a credential as an argument", container.title()));
                }
            }
        }
    }
}

fn secret_in_environment(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers() {
        let of_keys = container.node.get("env").map_or(&[][..], Marked::items).iter();
        let of_keys = of_keys.filter_map(|variable| variable.at(&["valueFrom", "secretKeyRef"]));
        let whole = container
            .node
            .get("envFrom")
            .map_or(&[][..], Marked::items)
            .iter()
            .filter_map(|from| from.get("secretRef"));
        for reference in of_keys.chain(whole) {
            marks.add(bytes(reference), format!("{} has a Secret in its environment", container.title()));
        }
    }
}

fn fetch_and_run(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers() {
        let words = ["command", "args"].iter().filter_map(|key| container.node.get(key)).flat_map(Marked::items);
        for word in words {
            let commands = crate::shell::Commands::read(word.text().unwrap_or_default());
            if !commands.piped_into_interpreters().is_empty() {
                marks.add(bytes(word), format!("{} runs what it fetches", container.title()));
            }
        }
    }
}

fn remote_login(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers() {
        for port in ports(&container).iter().filter_map(|port| port.get("containerPort")) {
            if matches!(port.integer(), Some(22 | 23)) {
                marks.add(bytes(port), format!("{} listens for log-in", container.title()));
            }
        }
    }
}

fn bidirectional_mount(pod: &Pod<'_, '_>, marks: &mut Marks<'_>) {
    for container in pod.containers() {
        for mount in container.node.get("volumeMounts").map_or(&[][..], Marked::items) {
            if let Some(value) = mount.get("mountPropagation").filter(|value| value.text() == Some("Bidirectional")) {
                marks.add(bytes(value), format!("{} passes mounts on to the node", container.title()));
            }
        }
    }
}
