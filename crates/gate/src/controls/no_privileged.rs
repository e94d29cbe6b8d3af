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
/// The namespaces of the node that a Pod can ask for.
const HOST_NAMESPACES: [&str; 3] = ["hostNetwork", "hostPID", "hostIPC"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    allowed_capabilities: Vec<String>,
    builder_images: Vec<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { allowed_capabilities: vec!["NET_BIND_SERVICE".to_owned()], builder_images: Vec::new() }
    }
}

struct Rules {
    capabilities: Vec<String>,
    builders: Vec<Prefix>,
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    let builder = |text: &String| {
        Prefix::parse(text).ok_or_else(|| ParameterError(format!("builderImages: `{text}` is not a repository prefix")))
    };
    let builders = wanted.builder_images.iter().map(builder).collect::<Result<_, _>>()?;
    let rules = Rules { capabilities: wanted.allowed_capabilities, builders };
    Ok(Control::workload(move |context, report| {
        let pod = match Pod::of(&context.case.request) {
            Ok(pod) => pod,
            Err(NoPod::Absent) => return report.skip("there is no Pod in this request"),
            Err(NoPod::Malformed(why)) => return report.error(why),
        };
        let before = report.drafts.len();
        Rules::pod(&pod, report);
        match pod.containers() {
            Ok(containers) => {
                let images = &context.case.request.images;
                for container in &containers {
                    rules.container(container, images, report);
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

    fn container(&self, container: &Container<'_>, images: &[ImageUse], report: &mut Report<'_>) {
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
            report.warn(Said::from(why).fix("set securityContext.allowPrivilegeEscalation: false").target(target()));
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
