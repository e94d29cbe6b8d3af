//! What leads to workloads from outside: Services, Ingresses and routes of the cluster.

use std::collections::{BTreeMap, BTreeSet};

use assay_case::{Exposure, Node};
use assay_kube::{Object, Resource, Routing, StoredObject, exposure, is_other_router};

use super::Population;

/// Everything in a cluster that exposure depends on.
#[derive(Debug, Default)]
pub struct Routes {
    objects: BTreeMap<(&'static str, String, String), Object<'static>>,
    /// Whether the cluster has routers that are not read: what nothing else leads to may be reached by them.
    others: bool,
}

impl Routes {
    /// Takes the API groups of the cluster in. Whether that changes anything.
    pub fn set_groups(&mut self, groups: &BTreeSet<String>) -> bool {
        let others = groups.iter().any(|group| is_other_router(group));
        std::mem::replace(&mut self.others, others) != others
    }

    /// A Service, an Ingress or a route was made or changed.
    pub fn apply(&mut self, resource: Resource, object: &StoredObject) {
        let key = (resource.plural, object.namespace().to_owned(), object.name().to_owned());
        // JSON that was written from JSON is read again.
        let Ok(node) = serde_json::from_str::<Node<'_>>(&object.0.to_string()).map(Node::into_owned) else { return };
        let kind = match resource.plural {
            "services" => "Service",
            "ingresses" => "Ingress",
            "grpcroutes" => "GRPCRoute",
            _ => "HTTPRoute",
        };
        let (group, namespace) = (resource.group.to_owned(), key.1.clone());
        self.objects.insert(key, Object { group, kind: kind.to_owned(), namespace, node });
    }

    /// One is gone.
    pub fn remove(&mut self, resource: Resource, object: &StoredObject) {
        self.objects.remove(&(resource.plural, object.namespace().to_owned(), object.name().to_owned()));
    }

    /// All of a resource are these.
    pub fn list(&mut self, resource: Resource, objects: &[StoredObject]) {
        self.objects.retain(|(plural, ..), _| *plural != resource.plural);
        for object in objects {
            self.apply(resource, object);
        }
    }

    /// The same, made ready to be asked about one workload after the other.
    pub fn routing(&self) -> Routing {
        let objects: Vec<Object<'_>> = self.objects.values().cloned().collect();
        Routing::new(&objects, self.others)
    }

    /// The exposure of each workload that it is certain of, by `namespace/Kind/name`. Of several templates of one workload
    /// the most exposed counts.
    pub fn exposure(&self, population: &Population) -> BTreeMap<String, Exposure> {
        let mut objects: Vec<Object<'_>> = self.objects.values().cloned().collect();
        let mut workloads: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, (_, group)) in population.groups().enumerate() {
            let Ok(mut node) = serde_json::from_str::<Node<'_>>(&group.object) else { continue };
            // Its name here is its number: nothing else about the object tells one template from another.
            let name = number.to_string();
            if let Node::Object(fields) = &mut node
                && let Some((_, Node::Object(metadata))) = fields.iter_mut().find(|(key, _)| key == "metadata")
            {
                metadata.push(("name".into(), Node::String(name.clone().into())));
            }
            let namespace = group.namespace.clone();
            workloads.entry(group.workload()).or_default().push(format!("{namespace}/Pod/{name}"));
            objects.push(Object { group: String::new(), kind: "Pod".to_owned(), namespace, node });
        }
        let by_template = exposure(&objects);
        let of = |(workload, templates): (String, Vec<String>)| {
            let found: Vec<Option<Exposure>> = templates.iter().map(|key| by_template.get(key).copied()).collect();
            let exposure = if found.contains(&Some(Exposure::InternetFacing)) {
                Exposure::InternetFacing
            } else if self.others || found.contains(&None) {
                return None;
            } else {
                Exposure::Internal
            };
            Some((workload, exposure))
        };
        workloads.into_iter().filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use assay_kube::{INGRESSES, SERVICES, reduced_pod, reduced_route};
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, app: &str) -> StoredObject {
        reduced_pod(StoredObject(json!({
            "metadata": {"name": name, "namespace": "shop", "labels": {"app": app}},
            "spec": {"containers": [{"name": app, "image": "registry.example.com/a:1"}]},
            "status": {"phase": "Running"},
        })))
    }

    fn service(name: &str, app: &str, kind: &str) -> StoredObject {
        let spec = json!({"selector": {"app": app}, "type": kind});
        reduced_route(StoredObject(json!({"metadata": {"name": name, "namespace": "shop"}, "spec": spec})))
    }

    #[test]
    fn a_workload_is_exposed_by_what_leads_to_it_and_internal_only_where_that_is_certain() {
        let mut population = Population::default();
        for (name, app) in [("api-1", "api"), ("db-1", "db"), ("job-1", "job")] {
            population.apply(&pod(name, app));
        }
        let mut routes = Routes::default();
        routes.list(SERVICES, &[service("api", "api", "ClusterIP"), service("db", "db", "ClusterIP")]);
        let found = |routes: &Routes| {
            let exposure = routes.exposure(&population);
            ["api", "db", "job"].map(|name| exposure.get(&format!("shop/Pod/{name}-1")).copied())
        };
        assert_eq!(found(&routes), [Some(Exposure::Internal), Some(Exposure::Internal), None]);
        let backend = json!({"service": {"name": "api", "port": {"number": 80}}});
        let ingress: Value =
            json!({"metadata": {"name": "api", "namespace": "shop"}, "spec": {"defaultBackend": backend}});
        routes.apply(INGRESSES, &StoredObject(ingress.clone()));
        assert_eq!(found(&routes), [Some(Exposure::InternetFacing), Some(Exposure::Internal), None]);
        routes.remove(INGRESSES, &StoredObject(ingress));
        routes.apply(SERVICES, &service("db", "db", "LoadBalancer"));
        assert_eq!(found(&routes), [Some(Exposure::Internal), Some(Exposure::InternetFacing), None]);
        // A router that is not read may lead anywhere: nothing is internal any more.
        assert!(routes.set_groups(&["traefik.io".to_owned()].into()));
        assert_eq!(found(&routes), [None, Some(Exposure::InternetFacing), None]);
        assert!(!routes.set_groups(&["traefik.io".to_owned(), "apps".to_owned()].into()));
    }
}
