//! `no-privileged`: nothing that is one step from the node.

use std::borrow::Cow;

use assay_case::{ContainerRole, ImageUse, Node, Target};
use assay_model::Reference;
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters};
use crate::evidence::Prefix;
use crate::pod::{Container, NoPod, Pod, boolean};
use crate::report::{Report, Said};

/// Sockets that command a container runtime: whoever writes to one starts privileged containers.
const RUNTIME_SOCKETS: [&str; 4] = ["docker.sock", "containerd.sock", "crio.sock", "podman.sock"];
/// Image builders that need more than an ordinary container, by the last segments of their repository.
const BUILDERS: [&str; 6] =
    ["kaniko-project/executor", "moby/buildkit", "library/docker", "buildah/stable", "podman/stable", "docker/dind"];
/// Kinds of volumes that leave the node alone (Pod Security Standards, Restricted, Volume Types). What an image volume
/// holds is judged like any image.
const HARMLESS_VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
/// The namespaces of the node that a Pod can ask for.
const HOST_NAMESPACES: [&str; 3] = ["hostNetwork", "hostPID", "hostIPC"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    allowed_capabilities: Vec<String>,
    builder_images: Vec<String>,
    restricted: bool,
    read_only_root_filesystem: bool,
    limits: Vec<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            allowed_capabilities: vec!["NET_BIND_SERVICE".to_owned()],
            builder_images: Vec::new(),
            restricted: false,
            read_only_root_filesystem: false,
            limits: Vec::new(),
        }
    }
}

struct Rules {
    capabilities: Vec<String>,
    builders: Vec<Prefix>,
    restricted: bool,
    read_only_root: bool,
    limits: Vec<String>,
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    let builder = |text: &String| {
        Prefix::parse(text).ok_or_else(|| ParameterError(format!("builderImages: `{text}` is not a repository prefix")))
    };
    let builders = wanted.builder_images.iter().map(builder).collect::<Result<_, _>>()?;
    let Wanted {
        allowed_capabilities: capabilities,
        restricted,
        read_only_root_filesystem: read_only_root,
        limits,
        ..
    } = wanted;
    let rules = Rules { capabilities, builders, restricted, read_only_root, limits };
    Ok(Control::workload(move |context, report| {
        let pod = match Pod::of(&context.case().request) {
            Ok(pod) => pod,
            Err(NoPod::Absent) => return report.skip("there is no Pod in this request"),
            Err(NoPod::Malformed(why)) => return report.error(why),
        };
        let before = report.drafts.len();
        Rules::pod(&pod, report);
        rules.volumes(&pod, report);
        match pod.containers() {
            Ok(containers) => {
                let images = &context.case().request.images;
                for container in &containers {
                    rules.container(&pod, container, images, report);
                    rules.wanted(&pod, container, report);
                }
            }
            Err(NoPod::Absent) => {}
            Err(NoPod::Malformed(why)) => report.error(why),
        }
        if report.drafts.len() == before {
            report.pass("nothing that reaches for the node");
        }
    }))
}

impl Rules {
    fn pod(pod: &Pod<'_>, report: &mut Report<'_>) {
        for name in HOST_NAMESPACES {
            let target = || Target { field: pod.field(name), ..Target::default() };
            flag(pod.spec.get(name), name, "shares a namespace with the node", target, report);
        }
        let host_process = pod.spec.at(&["securityContext", "windowsOptions", "hostProcess"]);
        let field = || Target { field: pod.field("securityContext.windowsOptions.hostProcess"), ..Target::default() };
        flag(host_process, "hostProcess", "runs on the node itself", field, report);
        for (index, volume) in pod.spec.get("volumes").items().iter().enumerate() {
            let host_path = volume.get("hostPath");
            if host_path.is_null() {
                continue;
            }
            let path = host_path.get("path").as_str().unwrap_or("an unnamed path");
            let socket = RUNTIME_SOCKETS.iter().any(|socket| path.trim_end_matches('/').ends_with(socket));
            let why = if socket {
                format!("mounts {path}: whoever has the container runtime's socket has the node")
            } else {
                format!("mounts {path} of the node")
            };
            let target = Target { field: pod.field(&format!("volumes[{index}].hostPath")), ..Target::default() };
            report.fail(Said::from(why).fix("use a volume of another kind").target(target));
        }
    }

    fn container(&self, pod: &Pod<'_>, container: &Container<'_>, images: &[ImageUse], report: &mut Report<'_>) {
        let context = container.node.get("securityContext");
        let field = |name: &str| container.target(&format!("securityContext.{name}"));
        if !matches!(context, Node::Null | Node::Object(_)) {
            let why = format!("securityContext is {}, which cannot be judged", context.kind());
            return report.error(Said::from(why).target(container.target("securityContext")));
        }
        let privileged = context.get("privileged");
        flag(privileged, "privileged", "is root on the node", || field("privileged"), report);
        let escalation = context.get("allowPrivilegeEscalation");
        let target = || field("allowPrivilegeEscalation");
        if escalation.is_null() && *privileged != Node::Bool(true) {
            let why = "allowPrivilegeEscalation is not set, which Kubernetes reads as true";
            let said = Said::from(why).fix("set securityContext.allowPrivilegeEscalation: false").target(target());
            if self.restricted && !is_windows(pod) { report.fail(said) } else { report.warn(said) }
        } else {
            flag(
                escalation,
                "allowPrivilegeEscalation",
                "lets a process gain more than its parent has",
                target,
                report,
            );
        }
        let host_process = context.at(&["windowsOptions", "hostProcess"]);
        let target = || field("windowsOptions.hostProcess");
        flag(host_process, "hostProcess", "runs on the node itself", target, report);
        self.capabilities(context.at(&["capabilities", "add"]), || field("capabilities.add"), report);
        match context.get("procMount").as_str() {
            None | Some("" | "Default") => {}
            Some(other) => {
                let why = format!("procMount {other} shows what the kernel hides from containers");
                report.fail(Said::from(why).fix("remove procMount").target(field("procMount")));
            }
        }
        if container.role != ContainerRole::Release {
            self.builder(container, images, report);
        }
    }

    fn volumes(&self, pod: &Pod<'_>, report: &mut Report<'_>) {
        if !self.restricted {
            return;
        }
        for (index, volume) in pod.spec.get("volumes").items().iter().enumerate() {
            // A volume of no kind is an emptyDir. One on a path of the node has been named already.
            let kind = volume.fields().iter().map(|(key, _)| key.as_ref()).find(|key| *key != "name");
            let Some(kind) = kind.filter(|kind| *kind != "hostPath" && !HARMLESS_VOLUMES.contains(kind)) else {
                continue;
            };
            let target = Target { field: pod.field(&format!("volumes[{index}].{kind}")), ..Target::default() };
            let why = format!("mounts a volume of the kind {kind}");
            report.fail(Said::from(why).fix("use a persistentVolumeClaim").target(target));
        }
    }

    /// What has to be set, where that is asked for (Pod Security Standards, Restricted).
    fn wanted(&self, pod: &Pod<'_>, container: &Container<'_>, report: &mut Report<'_>) {
        let own = container.node.get("securityContext");
        let mut fail = |field: &str, why: String, fix: String| {
            report.fail(Said::from(why).fix(fix).target(container.target(field)));
        };
        if self.restricted && !is_windows(pod) {
            let drop = own.at(&["capabilities", "drop"]).items();
            if !drop.iter().any(|name| name.as_str().is_some_and(|name| name.eq_ignore_ascii_case("ALL"))) {
                let fix = "set securityContext.capabilities.drop: [ALL]";
                fail(
                    "securityContext.capabilities.drop",
                    "keeps capabilities that it may not need".to_owned(),
                    fix.to_owned(),
                );
            }
            let path = ["seccompProfile", "type"];
            let profile = Some(own.at(&path)).filter(|profile| !profile.is_null());
            let profile = profile.unwrap_or_else(|| pod.spec.get("securityContext").at(&path));
            if !matches!(profile.as_str(), Some("RuntimeDefault" | "Localhost")) {
                let found = profile.as_str().unwrap_or("not set, here or in the Pod");
                let fix = "set securityContext.seccompProfile.type: RuntimeDefault";
                fail("securityContext.seccompProfile.type", format!("the seccomp profile is {found}"), fix.to_owned());
            }
        }
        if self.restricted {
            for (index, port) in container.node.get("ports").items().iter().enumerate() {
                let port = port.get("hostPort");
                if !matches!(port, Node::Null | Node::Integer(0)) {
                    let number = port.as_integer().map_or_else(|| port.kind().to_owned(), |number| number.to_string());
                    let why = format!("takes port {number} of the node");
                    fail(&format!("ports[{index}].hostPort"), why, "remove hostPort, and use a Service".to_owned());
                }
            }
        }
        if self.read_only_root && *own.get("readOnlyRootFilesystem") != Node::Bool(true) {
            let fix = "set securityContext.readOnlyRootFilesystem: true, and mount an emptyDir where it writes";
            let why = "may write to its root file system";
            fail("securityContext.readOnlyRootFilesystem", why.to_owned(), fix.to_owned());
        }
        // An ephemeral container cannot have any (Kubernetes core/v1, EphemeralContainerCommon).
        if container.role == ContainerRole::EphemeralContainer {
            return;
        }
        let limits = container.node.at(&["resources", "limits"]);
        for name in self.limits.iter().filter(|name| limits.get(name).is_null()) {
            let fix = format!("set resources.limits.{name}");
            fail(&format!("resources.limits.{name}"), format!("has no limit for {name}"), fix);
        }
    }

    fn capabilities(&self, add: &Node<'_>, target: impl FnOnce() -> Target, report: &mut Report<'_>) {
        if !matches!(add, Node::Null | Node::List(_)) {
            let why = format!("capabilities.add is {}, which cannot be judged", add.kind());
            return report.error(Said::from(why).target(target()));
        }
        let allowed = |name: &&str| {
            // Runtimes read capability names in any case, with and without the prefix CAP_.
            let name = name.to_ascii_uppercase();
            let name = name.strip_prefix("CAP_").unwrap_or(&name);
            self.capabilities.iter().any(|allowed| allowed == name)
        };
        let names = add.items().iter().map(|item| item.as_str().unwrap_or(item.kind()));
        let added: Vec<&str> = names.filter(|name| !allowed(name)).collect();
        if !added.is_empty() {
            let why = format!("adds {}", added.join(", "));
            report.fail(Said::from(why).fix("remove the capability").target(target()));
        }
    }

    fn builder(&self, container: &Container<'_>, images: &[ImageUse], report: &mut Report<'_>) {
        let Some(written) = container.node.get("image").as_str() else { return };
        // The request has read every image of the Pod already; the same text is the same reference.
        let read = images.iter().find(|image| image.written == written);
        let parsed =
            read.map_or_else(|| Cow::Owned(written.parse::<Reference>()), |image| Cow::Borrowed(&image.reference));
        let Ok(image) = parsed.as_ref() else { return };
        let repository = image.repository();
        let known = BUILDERS.iter().any(|builder| {
            repository.path().strip_suffix(builder).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        });
        if known || self.builders.iter().any(|prefix| prefix.holds(repository)) {
            let why = format!("{repository} builds images, which needs more than a container should have");
            report.fail(Said::from(why).fix("build outside the cluster's runtime").target(container.target("image")));
        }
    }
}

/// Windows has neither privilege escalation, nor seccomp, nor capabilities (Pod Security Standards, "Pod OS field").
fn is_windows(pod: &Pod<'_>) -> bool {
    pod.spec.at(&["os", "name"]).as_str() == Some("windows")
}

/// Fails where a field is true, and says so where it is neither true nor false.
fn flag(node: &Node<'_>, name: &str, consequence: &str, target: impl FnOnce() -> Target, report: &mut Report<'_>) {
    match boolean(node) {
        Ok(None | Some(false)) => {}
        Ok(Some(true)) => {
            let why = format!("{name} {consequence}");
            report.fail(Said::from(why).fix(format!("remove {name}")).target(target()));
        }
        Err(kind) => report.error(Said::from(format!("{name} is {kind}, which cannot be judged")).target(target())),
    }
}
