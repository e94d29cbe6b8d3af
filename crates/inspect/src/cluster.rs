//! What a cluster itself is made of (a KBOM): its control plane, its nodes and its add-ons, of what `kubectl get -o json`
//! writes.
//!
//! Sources: Kubernetes API reference, `core/v1` NodeSystemInfo, Pod and PodStatus; kubeadm, "Static Pods" (the label
//! `component` of control plane Pods). Nothing is asked of a cluster here.
//!
//! A component is a package of the module that it is built of, so that what is known of that module's vulnerabilities counts
//! for it: a kubelet 1.31.2 is `pkg:golang/k8s.io/kubernetes@v1.31.2`. Where it runs stands in its path.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::{Bound, Contents, EvidenceTier, OsRelease, Package, PackageType, Partial};
use serde_json::Value;

use crate::ecosystems::{self, image_package, list, text};
use crate::error::ClusterError;
use crate::limits::Limits;

/// Deepest nesting of lists inside lists.
const LISTS: usize = 4;
/// Namespaces whose Pods are the cluster's own. Others hold what runs on it, which `scan` and `inventory` are for.
const SYSTEM: [&str; 6] =
    ["kube-system", "kube-flannel", "calico-system", "tigera-operator", "cilium", "gatekeeper-system"];

/// Images whose Go module is known, by the end of their repository.
const MODULES: [(&str, &str); 32] = [
    ("kube-apiserver", "k8s.io/kubernetes"),
    ("kube-controller-manager", "k8s.io/kubernetes"),
    ("kube-scheduler", "k8s.io/kubernetes"),
    ("kube-proxy", "k8s.io/kubernetes"),
    ("etcd", "go.etcd.io/etcd/v3"),
    ("coredns", "github.com/coredns/coredns"),
    ("metrics-server", "sigs.k8s.io/metrics-server"),
    ("flannel", "github.com/flannel-io/flannel"),
    ("cilium", "github.com/cilium/cilium"),
    ("operator-generic", "github.com/cilium/cilium"),
    ("hubble-relay", "github.com/cilium/cilium"),
    ("calico/node", "github.com/projectcalico/calico"),
    ("calico/cni", "github.com/projectcalico/calico"),
    ("calico/kube-controllers", "github.com/projectcalico/calico"),
    ("calico/typha", "github.com/projectcalico/calico"),
    ("ingress-nginx/controller", "k8s.io/ingress-nginx"),
    ("traefik", "github.com/traefik/traefik/v3"),
    ("cert-manager-controller", "github.com/cert-manager/cert-manager"),
    ("cert-manager-webhook", "github.com/cert-manager/cert-manager"),
    ("cert-manager-cainjector", "github.com/cert-manager/cert-manager"),
    ("csi-provisioner", "github.com/kubernetes-csi/external-provisioner"),
    ("csi-attacher", "github.com/kubernetes-csi/external-attacher"),
    ("csi-snapshotter", "github.com/kubernetes-csi/external-snapshotter"),
    ("csi-resizer", "github.com/kubernetes-csi/external-resizer"),
    ("csi-node-driver-registrar", "github.com/kubernetes-csi/node-driver-registrar"),
    ("livenessprobe", "github.com/kubernetes-csi/livenessprobe"),
    ("node-problem-detector", "k8s.io/node-problem-detector"),
    ("k8s-dns-node-cache", "k8s.io/dns"),
    ("cluster-autoscaler", "k8s.io/autoscaler/cluster-autoscaler"),
    ("local-path-provisioner", "github.com/rancher/local-path-provisioner"),
    ("gatekeeper", "github.com/open-policy-agent/gatekeeper"),
    ("kyverno", "github.com/kyverno/kyverno"),
];

/// What a cluster is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// The version of its API server, where something says it.
    pub version: Option<String>,
    /// Nodes that were read.
    pub nodes: usize,
    /// Components: [`Package::path`] says where, `node/NAME/kubelet` or `pod/NAMESPACE/NAME/CONTAINER`.
    pub contents: Contents,
}

/// Reads what `kubectl get nodes -o json`, `kubectl get pods -A -o json` and `kubectl version -o json` write, in any number
/// of documents and in any order; other objects in them are passed over.
///
/// # Errors
/// A document that is not JSON, or larger than [`Limits::json_bytes`], and documents without any Node or Pod.
pub fn inspect_cluster<'d>(
    documents: impl IntoIterator<Item = &'d [u8]>,
    limits: &Limits,
) -> Result<Cluster, ClusterError> {
    let mut reading =
        Reading { limits, packages: BTreeSet::new(), partial: Vec::new(), version: None, nodes: 0, pods: 0 };
    for bytes in documents {
        if bytes.len() as u64 > limits.json_bytes {
            return Err(ClusterError::TooLarge { size: bytes.len() as u64, limit: limits.json_bytes });
        }
        let document: Value =
            serde_json::from_slice(bytes).map_err(|error| ClusterError::NotJson { reason: error.to_string() })?;
        reading.object(&document, LISTS);
    }
    if reading.nodes == 0 && reading.pods == 0 {
        return Err(ClusterError::Nothing);
    }
    let os = reading.os();
    let Reading { packages, partial, version, nodes, .. } = reading;
    let packages: Vec<Package> = packages.into_iter().collect();
    let contents = Contents { analyser: crate::ANALYSER, os, packages, partial, ..Contents::default() };
    Ok(Cluster { version, nodes, contents })
}

struct Reading<'l> {
    limits: &'l Limits,
    packages: BTreeSet<Package>,
    partial: Vec<Partial>,
    version: Option<String>,
    nodes: usize,
    pods: usize,
}

impl Reading<'_> {
    fn object(&mut self, object: &Value, lists: usize) {
        let field = |place: &'static str, key: &'static str| object.get(place).map(|value| text(value, key));
        if let Some(version) = field("serverVersion", "gitVersion").filter(|version| !version.is_empty()) {
            self.version = Some(ecosystems::clip(version));
            self.add("k8s.io/kubernetes", version, "control-plane/kube-apiserver");
        }
        match text(object, "kind") {
            "Node" => self.node(object),
            "Pod" => self.pod(object),
            kind if kind.ends_with("List") => {
                let Some(lists) = lists.checked_sub(1) else {
                    return self.bound("lists inside lists", Bound::Depth);
                };
                for item in list(object, "items") {
                    // Items of a typed list need not repeat their kind.
                    match kind {
                        "NodeList" => self.node(item),
                        "PodList" => self.pod(item),
                        _ => self.object(item, lists),
                    }
                }
            }
            _ => {}
        }
    }

    fn bound(&mut self, what: &str, bound: Bound) {
        let partial = Partial { what: what.to_owned(), bound };
        if !self.partial.contains(&partial) {
            self.partial.push(partial);
        }
    }

    fn insert(&mut self, package: Package) {
        if self.packages.len() >= self.limits.packages {
            self.bound("components of the cluster", Bound::Entries);
        } else {
            self.packages.insert(package);
        }
    }

    /// A component of a Go module.
    fn add(&mut self, module: &str, version: &str, path: &str) {
        // `v1.31.2+k3s1` and `v1.30.5-gke.1014001` are that release of Kubernetes with a vendor's changes.
        self.insert(ecosystems::package(PackageType::Golang, module, version, EvidenceTier::Installed, path));
    }

    fn node(&mut self, node: &Value) {
        self.nodes += 1;
        let empty = Value::Null;
        let name = ecosystems::clip(node.get("metadata").map(|metadata| text(metadata, "name")).unwrap_or_default());
        let info = node.get("status").and_then(|status| status.get("nodeInfo")).unwrap_or(&empty);
        let place = |what: &str| format!("node/{name}/{what}");
        let kubelet = text(info, "kubeletVersion");
        if !kubelet.is_empty() {
            self.add("k8s.io/kubernetes", kubelet, &place("kubelet"));
        }
        // Kubernetes stopped to know the version of kube-proxy (KEP-4004); where it is said, it is the kubelet's.
        let runtime = text(info, "containerRuntimeVersion");
        if let Some((engine, version)) = runtime.split_once("://") {
            let module = match engine {
                "containerd" => Some("github.com/containerd/containerd"),
                "cri-o" => Some("github.com/cri-o/cri-o"),
                "docker" => Some("github.com/docker/docker"),
                _ => None,
            };
            match module {
                Some(module) => {
                    // containerd 2 is another module (Go, "Module version numbering").
                    let is_second = engine == "containerd" && version.trim_start_matches('v').starts_with("2.");
                    let module = if is_second { format!("{module}/v2") } else { module.to_owned() };
                    self.add(&module, &format!("v{}", version.trim_start_matches('v')), &place("container-runtime"));
                }
                None => self.other(engine, version, &place("container-runtime")),
            }
        }
        let (kernel, image) = (text(info, "kernelVersion"), text(info, "osImage"));
        if !kernel.is_empty() {
            let package =
                ecosystems::package(PackageType::Generic, "linux", kernel, EvidenceTier::Installed, &place("kernel"));
            self.insert(Package { architecture: ecosystems::optional(text(info, "architecture")), ..package });
        }
        if let Some((id, version)) = operating_system(image) {
            self.other(&id, &version, &place("os"));
        }
        if info.is_null() {
            self.bound(&format!("node {name}: it says nothing about itself"), Bound::Malformed);
        }
    }

    fn other(&mut self, name: &str, version: &str, path: &str) {
        self.insert(ecosystems::package(PackageType::Generic, name, version, EvidenceTier::Installed, path));
    }

    fn pod(&mut self, pod: &Value) {
        self.pods += 1;
        let empty = Value::Null;
        let (metadata, spec) = (pod.get("metadata").unwrap_or(&empty), pod.get("spec").unwrap_or(&empty));
        let (namespace, name) = (text(metadata, "namespace"), text(metadata, "name"));
        let labels = metadata.get("labels").unwrap_or(&empty);
        let is_control_plane = text(labels, "tier") == "control-plane";
        if !is_control_plane && !SYSTEM.contains(&namespace) {
            return;
        }
        // What runs, by what the kubelet says it pulled.
        let mut pulled: BTreeMap<&str, &str> = BTreeMap::new();
        for status in ["containerStatuses", "initContainerStatuses"] {
            for status in pod.get("status").map(|all| list(all, status)).unwrap_or_default() {
                let id = text(status, "imageID");
                pulled.insert(text(status, "name"), id.rsplit_once("://").map_or(id, |(_, id)| id));
            }
        }
        for container in list(spec, "initContainers").iter().chain(list(spec, "containers")) {
            let container_name = text(container, "name");
            let path = ecosystems::clip(&format!("pod/{namespace}/{name}/{container_name}"));
            self.container(text(container, "image"), pulled.get(container_name).copied(), &path);
        }
    }

    fn container(&mut self, image: &str, pulled: Option<&str>, path: &str) {
        let digest = pulled.and_then(|id| id.rsplit_once('@')).map(|(_, digest)| digest);
        let named = if image.contains('@') {
            image.to_owned()
        } else {
            digest.map_or_else(|| image.to_owned(), |digest| format!("{image}@{digest}"))
        };
        let Some(package) = image_package(&named, path) else {
            return self.bound(&format!("{path}: its image cannot be read"), Bound::Malformed);
        };
        let tag = image.split('@').next().and_then(|name| name.rsplit_once(':')).map(|(_, tag)| tag);
        let tag = tag.filter(|tag| !tag.contains('/')).map(str::to_owned);
        let repository = image.split('@').next().unwrap_or_default();
        let repository =
            tag.as_ref().map_or(repository, |tag| repository.trim_end_matches(tag.as_str()).trim_end_matches(':'));
        let module = MODULES.iter().find(|(end, _)| {
            repository.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        });
        let mut package = package;
        package.tier = EvidenceTier::Installed;
        self.insert(package);
        if let (Some((_, module)), Some(tag)) = (module, tag) {
            // `3.5.15-0` is etcd's release with the image's own number behind it.
            let version = tag.trim_start_matches('v').split('-').next().unwrap_or_default();
            if version.starts_with(|first: char| first.is_ascii_digit()) {
                self.add(module, &format!("v{version}"), path);
            }
        }
    }

    /// The one operating system that all nodes have.
    fn os(&self) -> Option<OsRelease> {
        let is_os = |package: &&Package| package.path.starts_with("node/") && package.path.ends_with("/os");
        let mut systems = self.packages.iter().filter(is_os).map(|package| (&package.name, &package.version));
        let first = systems.next()?;
        systems.all(|other| other == first).then(|| OsRelease {
            id: first.0.clone(),
            version_id: Some(first.1.clone()).filter(|version| !version.is_empty()),
            pretty_name: None,
            id_like: Vec::new(),
        })
    }
}

/// Identifier and version (`os-release(5)`) of what a node calls itself, `Ubuntu 22.04.5 LTS`.
fn operating_system(image: &str) -> Option<(String, String)> {
    const KNOWN: [(&str, &str); 14] = [
        ("Ubuntu", "ubuntu"),
        ("Debian GNU/Linux", "debian"),
        ("Alpine Linux", "alpine"),
        ("Red Hat Enterprise Linux CoreOS", "rhcos"),
        ("Red Hat Enterprise Linux", "rhel"),
        ("Rocky Linux", "rocky"),
        ("AlmaLinux", "almalinux"),
        ("Amazon Linux", "amzn"),
        ("Bottlerocket OS", "bottlerocket"),
        ("Flatcar Container Linux by Kinvolk", "flatcar"),
        ("Container-Optimized OS from Google", "cos"),
        ("Talos", "talos"),
        ("Azure Linux", "azurelinux"),
        ("SUSE Linux Enterprise Server", "sles"),
    ];
    let (words, id) = KNOWN.iter().find(|(words, _)| image.starts_with(words))?;
    let rest = image.get(words.len()..).unwrap_or_default();
    let version =
        rest.split([' ', '(', ')']).find(|word| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit()));
    let mut version = version.unwrap_or_default().trim_start_matches('v').to_owned();
    if *id == "ubuntu" {
        // Advisories are for 22.04, whatever the point release.
        version = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    }
    Some(((*id).to_owned(), version))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(documents: &[Value]) -> Vec<String> {
        let texts: Vec<Vec<u8>> = documents.iter().map(|document| document.to_string().into_bytes()).collect();
        let cluster = inspect_cluster(texts.iter().map(Vec::as_slice), &Limits::default()).unwrap();
        let mut lines: Vec<String> =
            cluster.contents.packages.iter().map(|package| format!("{} {}", package.path, package.purl)).collect();
        lines.sort();
        lines
    }

    fn node(name: &str) -> Value {
        json!({"kind": "Node", "metadata": {"name": name}, "status": {"nodeInfo": {
            "kubeletVersion": "v1.31.2", "containerRuntimeVersion": "containerd://1.7.22", "kernelVersion": "5.15.0-91-generic",
            "osImage": "Ubuntu 22.04.5 LTS", "architecture": "amd64"}}})
    }

    fn pod(namespace: &str, name: &str, image: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": namespace}, "spec": {"containers": [{"name": "c", "image": image}]},
            "status": {"containerStatuses": [{"name": "c", "imageID": format!("registry.k8s.io/x@sha256:{}", "a".repeat(64))}]}})
    }

    #[test]
    fn nodes_control_plane_and_add_ons_with_purls_that_advisories_are_about() {
        let pods = json!({"kind": "PodList", "items": [
            pod("kube-system", "etcd-a", "registry.k8s.io/etcd:3.5.15-0"),
            pod("kube-system", "coredns-1", "registry.k8s.io/coredns/coredns:v1.11.3"),
            pod("shop", "api-1", "shop/api:1")]});
        let version = json!({"serverVersion": {"gitVersion": "v1.31.2"}});
        let list = json!({"kind": "List", "items": [node("a")]});
        assert_eq!(
            lines(&[pods, version, list]),
            [
                "control-plane/kube-apiserver pkg:golang/k8s.io/kubernetes@v1.31.2".to_owned(),
                "node/a/container-runtime pkg:golang/github.com/containerd/containerd@v1.7.22".to_owned(),
                "node/a/kernel pkg:generic/linux@5.15.0-91-generic".to_owned(),
                "node/a/kubelet pkg:golang/k8s.io/kubernetes@v1.31.2".to_owned(),
                "node/a/os pkg:generic/ubuntu@22.04".to_owned(),
                format!(
                    "pod/kube-system/coredns-1/c pkg:docker/coredns/coredns@sha256:{}?repository_url=registry.k8s.io&tag=v1.11.3",
                    "a".repeat(64)
                ),
                "pod/kube-system/coredns-1/c pkg:golang/github.com/coredns/coredns@v1.11.3".to_owned(),
                format!(
                    "pod/kube-system/etcd-a/c pkg:docker/etcd@sha256:{}?repository_url=registry.k8s.io&tag=3.5.15-0",
                    "a".repeat(64)
                ),
                "pod/kube-system/etcd-a/c pkg:golang/go.etcd.io/etcd/v3@v3.5.15".to_owned(),
            ]
        );
    }

    #[test]
    fn the_operating_system_is_the_one_that_all_nodes_have() {
        let read = |documents: &[Value]| {
            let texts: Vec<Vec<u8>> = documents.iter().map(|document| document.to_string().into_bytes()).collect();
            inspect_cluster(texts.iter().map(Vec::as_slice), &Limits::default()).unwrap()
        };
        let mut other = node("b");
        other["status"]["nodeInfo"]["osImage"] = json!("Talos (v1.8.1)");
        assert_eq!(read(&[node("a"), node("c")]).contents.os.unwrap().id, "ubuntu");
        assert_eq!(read(&[node("a"), other.clone()]).contents.os, None);
        assert_eq!(operating_system("Talos (v1.8.1)"), Some(("talos".into(), "1.8.1".into())));
        assert_eq!(operating_system("Debian GNU/Linux 12 (bookworm)"), Some(("debian".into(), "12".into())));
        assert_eq!(operating_system("Plan 9"), None);
        let silent = read(&[json!({"kind": "Node", "metadata": {"name": "x"}})]);
        assert_eq!((silent.nodes, silent.contents.partial.len()), (1, 1), "a node that says nothing is no clean one");
    }

    #[test]
    fn what_is_no_cluster_is_an_error() {
        let read = |bytes: &[u8]| inspect_cluster([bytes], &Limits::default()).unwrap_err();
        assert!(matches!(read(b"{"), ClusterError::NotJson { .. }));
        assert!(matches!(read(b"{}"), ClusterError::Nothing));
        let deep = format!("{}{}", r#"{"kind":"List","items":["#.repeat(9), "]}".repeat(9));
        assert!(matches!(read(deep.as_bytes()), ClusterError::Nothing));
    }

    proptest::proptest! {
        #[test]
        fn any_json_is_read_or_refused(text in r#"(\{"kind":"(Node|Pod|List|PodList)",|"items":\[|"status":\{"nodeInfo":\{|"osImage":"U\PC"|\}|\]|,|"spec":\{"containers":\[\{"image":"\PC{0,9}"){0,12}"#) {
            let _ = inspect_cluster([text.as_bytes()], &Limits::default());
        }
    }
}
