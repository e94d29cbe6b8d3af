//! Which workloads can be reached from outside the cluster, by the objects around them.
//!
//! A pure function over objects, for a folder of manifests and for a cluster alike. It never guesses downwards: a workload
//! is [`Exposure::Internal`] only where a Service of the cluster selects it and nothing that was seen leads to that Service
//! from outside; one that nothing selects, or that something unreadable may lead to, is left out, which counts as exposed.
//! Network policies and the addresses of a load balancer are not looked at.

use std::collections::{BTreeMap, BTreeSet};

use assay_case::{Exposure, Node, Request};

use crate::object::Object;
use crate::workload::{is_workload, pod_metadata, pod_spec};

/// The label or annotation by which a workload says itself that it is reachable (`internet`). It can only raise: whoever
/// may label a workload could otherwise switch a control off.
pub const EXPOSURE_LABEL: &str = "assay.dev/exposure";
/// Words of [`EXPOSURE_LABEL`] that claim less than the objects show, and so change nothing.
const CLAIMS_NOTHING: [&str; 3] = ["", "internal", "cluster"];
/// Kinds of the Gateway API that send traffic to Services (Gateway API, "API types").
const GATEWAY_ROUTES: [&str; 5] = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"];
/// API groups whose objects lead to Services in ways that are not read here: what they name may be reached by them.
const OTHER_ROUTERS: [&str; 12] = [
    "apisix.apache.org",
    "configuration.konghq.com",
    "gateway.networking.x-k8s.io",
    "gateway.solo.io",
    "getambassador.io",
    "k8s.nginx.org",
    "networking.istio.io",
    "projectcontour.io",
    "route.openshift.io",
    "traefik.containo.us",
    "traefik.io",
    "x.getambassador.io",
];

/// `namespace` and name of a Service.
type ServiceKey<'n> = (&'n str, &'n str);

/// A Service, by what matters here.
struct Service<'n> {
    /// Labels it selects Pods by; empty = its endpoints are somebody else's business.
    selector: Vec<(&'n str, &'n Node<'n>)>,
    /// Reachable from outside without anything in front of it.
    open: bool,
    /// The Service of this cluster that it is another name for (`ExternalName`).
    alias: Option<ServiceKey<'n>>,
}

/// Whether objects of this API group lead to Services in ways that are not read here. Where a cluster serves one, what
/// nothing else leads to may still be reached.
pub fn is_other_router(group: &str) -> bool {
    OTHER_ROUTERS.contains(&group)
}

/// Whether the objects of this group and kind say something about exposure.
pub(crate) fn concerns_exposure(group: &str, kind: &str) -> bool {
    match group {
        "" => kind == "Service",
        "networking.k8s.io" | "extensions" => kind == "Ingress",
        "gateway.networking.k8s.io" => GATEWAY_ROUTES.contains(&kind),
        other => OTHER_ROUTERS.contains(&other),
    }
}

/// The exposure of each workload that it is certain of, by `namespace/Kind/name`.
///
/// - A Service of type LoadBalancer or NodePort or with external IPs, a host port, the host's network, an Ingress or a
///   Gateway API route to a Service, and the label [`EXPOSURE_LABEL`] make a workload internet-facing.
/// - A Service that only the cluster reaches, headless ones included, makes it internal.
/// - Routes whose parent is a Service are traffic within the cluster and change nothing.
pub fn exposure(objects: &[Object<'_>]) -> BTreeMap<String, Exposure> {
    let services = services(objects);
    let reached = reached(objects, &services);
    let uncertain = uncertain(&reached, &services);
    let named = named_by_other_routers(objects, &services);
    let workloads = objects.iter().filter(|object| is_workload(&object.group, &object.kind));
    let judged = workloads.filter_map(|object| {
        let own = || services.iter().filter(|((namespace, _), _)| *namespace == object.namespace);
        let selecting: Vec<_> = own().filter(|(_, service)| service.selects(object)).map(|(key, _)| key).collect();
        let pod = pod_metadata(&object.group, &object.kind, &object.node);
        let spec = pod_spec(&object.group, &object.kind, &object.node);
        let exposure = if says_exposed(pod, object.node.get("metadata"), spec)
            || selecting.iter().any(|key| reached.contains(*key))
        {
            Exposure::InternetFacing
        } else if selecting.is_empty()
            || uncertain.contains(object.namespace.as_str())
            || selecting.iter().any(|key| named.contains(*key))
        {
            return None;
        } else {
            Exposure::Internal
        };
        Some((object.key(), exposure))
    });
    judged.collect()
}

/// What leads to the Services of a cluster, made ready to be asked about one workload after the other: the same answers as
/// [`exposure`] gives, for a cost that depends on the Services of one namespace only.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    namespaces: BTreeMap<String, Door>,
    /// Something that is not read may lead anywhere: nothing is internal for certain.
    others: bool,
}

/// The Services of a namespace.
#[derive(Clone, Debug, Default)]
struct Door {
    services: Vec<Selecting>,
    /// An open Service whose endpoints are not seen: it may lead to any Pod.
    is_uncertain: bool,
}

#[derive(Clone, Debug)]
struct Selecting {
    selector: Vec<(String, Node<'static>)>,
    is_reached: bool,
    /// A router that is not read names it.
    is_named: bool,
}

impl Routing {
    /// By these Services, Ingresses and routes; `others` where the cluster has routers that are not among them.
    pub fn new(objects: &[Object<'_>], others: bool) -> Self {
        let services = services(objects);
        let (reached, named) = (reached(objects, &services), named_by_other_routers(objects, &services));
        let mut namespaces: BTreeMap<String, Door> = BTreeMap::new();
        for namespace in uncertain(&reached, &services) {
            namespaces.entry(namespace.to_owned()).or_default().is_uncertain = true;
        }
        for (key, service) in services.iter().filter(|(_, service)| !service.selector.is_empty()) {
            let selector = service.selector.iter();
            namespaces.entry(key.0.to_owned()).or_default().services.push(Selecting {
                selector: selector.map(|(name, value)| ((*name).to_owned(), (*value).clone().into_owned())).collect(),
                is_reached: reached.contains(key),
                is_named: named.contains(key),
            });
        }
        Self { namespaces, others }
    }

    /// The exposure of what a request would make run; `None` where it is not certain.
    pub fn exposure(&self, request: &Request<'_>) -> Option<Exposure> {
        let (own, labels) = (request.document.root().get("metadata"), request.labels());
        let pod = request.pod_metadata.map_or(&Node::Null, |path| request.document.root().at(path));
        if says_exposed(pod, own, request.pod_spec()) {
            return Some(Exposure::InternetFacing);
        }
        let door = self.namespaces.get(&request.namespace.name)?;
        let selects = |own: &&Selecting| own.selector.iter().all(|(key, value)| labels.get(key) == value);
        let mut selecting = door.services.iter().filter(selects).peekable();
        selecting.peek()?;
        let (mut reached, mut named) = (false, false);
        for service in selecting {
            (reached, named) = (reached || service.is_reached, named || service.is_named);
        }
        if reached {
            Some(Exposure::InternetFacing)
        } else if self.others || door.is_uncertain || named {
            None
        } else {
            Some(Exposure::Internal)
        }
    }
}

/// The Services among these.
fn services<'n>(objects: &'n [Object<'_>]) -> BTreeMap<ServiceKey<'n>, Service<'n>> {
    objects
        .iter()
        .filter(|object| object.group.is_empty() && object.kind == "Service")
        .map(|object| ((object.namespace.as_str(), object.name()), Service::read(&object.node)))
        .collect()
}

/// The namespaces with an open door to endpoints that are not seen, which may be any Pod of theirs.
fn uncertain<'n>(
    reached: &BTreeSet<ServiceKey<'n>>,
    services: &BTreeMap<ServiceKey<'n>, Service<'n>>,
) -> BTreeSet<&'n str> {
    reached
        .iter()
        .filter(|key| services.get(*key).is_none_or(|service| service.selector.is_empty() && service.alias.is_none()))
        .map(|(namespace, _)| *namespace)
        .collect()
}

/// The Services, seen or not, that something outside leads to.
fn reached<'n>(
    objects: &'n [Object<'_>],
    services: &BTreeMap<ServiceKey<'n>, Service<'n>>,
) -> BTreeSet<ServiceKey<'n>> {
    let open = services.iter().filter(|(_, service)| service.open).map(|(key, _)| *key);
    let mut todo: Vec<ServiceKey<'n>> = open.chain(objects.iter().flat_map(routed)).collect();
    let mut reached = BTreeSet::new();
    while let Some(key) = todo.pop() {
        if reached.insert(key) {
            todo.extend(services.get(&key).and_then(|service| service.alias));
        }
    }
    reached
}

/// The Services that an Ingress or a route leads to.
fn routed<'n>(object: &'n Object<'_>) -> Vec<ServiceKey<'n>> {
    let spec = object.node.get("spec");
    let namespace = object.namespace.as_str();
    match (object.group.as_str(), object.kind.as_str()) {
        ("networking.k8s.io" | "extensions", "Ingress") => {
            let rules = spec.get("rules").items().iter();
            let paths = rules.flat_map(|rule| rule.at(&["http", "paths"]).items()).map(|path| path.get("backend"));
            // `backend` is what `defaultBackend` was called before networking.k8s.io/v1.
            let backends = paths.chain([spec.get("defaultBackend"), spec.get("backend")]);
            let named = |backend: &'n Node<'_>| {
                backend.at(&["service", "name"]).as_str().or(backend.get("serviceName").as_str())
            };
            backends.filter_map(named).map(|name| (namespace, name)).collect()
        }
        ("gateway.networking.k8s.io", kind) if GATEWAY_ROUTES.contains(&kind) => {
            let parents = spec.get("parentRefs").items();
            // A parent that is a Service makes it a rule of the mesh (GAMMA, GEP-1324).
            if !parents.is_empty() && parents.iter().all(|parent| parent.get("kind").as_str() == Some("Service")) {
                return Vec::new();
            }
            let rules = spec.get("rules").items().iter();
            rules.flat_map(backend_references).filter_map(|reference| service_of(reference, namespace)).collect()
        }
        _ => Vec::new(),
    }
}

/// Where a rule sends requests, copies of them included.
fn backend_references<'n, 'a>(rule: &'n Node<'a>) -> impl Iterator<Item = &'n Node<'a>> {
    let mirrors = |holder: &'n Node<'a>| {
        holder.get("filters").items().iter().map(|filter| filter.at(&["requestMirror", "backendRef"]))
    };
    let backends = rule.get("backendRefs").items().iter();
    backends.clone().chain(mirrors(rule)).chain(backends.flat_map(mirrors))
}

/// The Service that a backendRef is, by the defaults of the Gateway API.
fn service_of<'n>(reference: &'n Node<'_>, namespace: &'n str) -> Option<ServiceKey<'n>> {
    let word = |key, default| reference.get(key).as_str().unwrap_or(default);
    let is_service = word("group", "").is_empty() && word("kind", "Service") == "Service";
    let name = reference.get("name").as_str()?;
    is_service.then(|| (word("namespace", namespace), name))
}

/// The Services whose names stand somewhere in an object of a router that is not read here.
fn named_by_other_routers<'n>(
    objects: &'n [Object<'_>],
    services: &BTreeMap<ServiceKey<'n>, Service<'n>>,
) -> BTreeSet<ServiceKey<'n>> {
    let mut words = Vec::new();
    let others = objects.iter().filter(|object| OTHER_ROUTERS.contains(&object.group.as_str()));
    others.for_each(|object| collect_words(&object.node, &mut words));
    let names = |key: &ServiceKey<'_>, word: &str| {
        // `api`, `api:80`, `http://api.payments.svc.cluster.local:80`
        let host = word.split_once("://").map_or(word, |(_, host)| host);
        let host = host.split([':', '/']).next().unwrap_or_default();
        match host.split_once('.') {
            None => host == key.1,
            Some((name, rest)) => name == key.1 && rest.split('.').next() == Some(key.0),
        }
    };
    services.keys().filter(|key| words.iter().any(|word| names(key, word))).copied().collect()
}

fn collect_words<'n>(node: &'n Node<'_>, words: &mut Vec<&'n str>) {
    match node {
        Node::String(text) => words.push(text),
        Node::List(items) => items.iter().for_each(|item| collect_words(item, words)),
        Node::Object(fields) => fields.iter().for_each(|(_, value)| collect_words(value, words)),
        Node::Null | Node::Bool(_) | Node::Integer(_) | Node::Float(_) => {}
    }
}

impl<'n> Service<'n> {
    fn read(node: &'n Node<'n>) -> Self {
        let spec = node.get("spec");
        let kind = spec.get("type").as_str().unwrap_or("ClusterIP");
        let is_alias = kind == "ExternalName";
        let selector = spec.get("selector").fields().iter().filter(|_| !is_alias);
        Self {
            selector: selector.map(|(key, value)| (key.as_ref(), value)).collect(),
            open: !matches!(kind, "ClusterIP" | "ExternalName") || !spec.get("externalIPs").items().is_empty(),
            alias: spec.get("externalName").as_str().filter(|_| is_alias).and_then(service_of_name),
        }
    }

    fn selects(&self, workload: &Object<'_>) -> bool {
        let labels = pod_metadata(&workload.group, &workload.kind, &workload.node).get("labels");
        !self.selector.is_empty() && self.selector.iter().all(|(key, value)| labels.get(key) == *value)
    }
}

/// `api.payments.svc.cluster.local` as a Service (Kubernetes, "DNS for Services and Pods").
fn service_of_name(name: &str) -> Option<ServiceKey<'_>> {
    let (service, rest) = name.split_once('.')?;
    let (namespace, rest) = rest.split_once('.')?;
    (rest == "svc" || rest.starts_with("svc.")).then_some((namespace, service))
}

/// Whether the workload is reachable without any Service: it says so, or listens on its node's own address.
fn says_exposed(pod: &Node<'_>, own: &Node<'_>, spec: &Node<'_>) -> bool {
    let said = [pod, own].into_iter().flat_map(|metadata| [metadata.get("labels"), metadata.get("annotations")]);
    let mut said = said.filter_map(|holder| holder.get(EXPOSURE_LABEL).as_str());
    let containers = ["containers", "initContainers"].into_iter().flat_map(|list| spec.get(list).items());
    let mut ports = containers.flat_map(|container| container.get("ports").items());
    said.any(|word| !CLAIMS_NOTHING.contains(&word))
        || spec.get("hostNetwork").as_bool() == Some(true)
        || ports.any(|port| port.get("hostPort").as_integer().is_some_and(|port| port != 0))
}

#[cfg(test)]
mod tests;
