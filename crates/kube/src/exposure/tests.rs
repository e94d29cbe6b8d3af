use proptest::prelude::*;

use assay_case::Namespace;

use super::*;
use crate::Manifests;

const WORKLOAD: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api, namespace: shop}\nspec:\n  template:\n    \
                        metadata: {labels: {app: api, tier: web}}\n    spec: {containers: [{name: api, image: api:1}]}\n";

/// The exposure of `Deployment/api` in `shop` with these objects around it.
fn of(workload: &str, around: &[&str]) -> Option<Exposure> {
    let text = [&[workload], around].concat().join("\n---\n");
    let manifests = Manifests::parse(text.as_bytes(), &[]).unwrap();
    let all = manifests.workloads.iter().chain(&manifests.surroundings);
    let objects: Vec<_> = all.map(|manifest| manifest.object("default")).collect();
    let found = exposure(&objects).get("shop/Deployment/api").copied();
    // Asked one workload after the other, the answer is the same.
    let namespace = Namespace { name: "shop".to_owned(), labels: None };
    let request = manifests.workloads[0].request(namespace).unwrap();
    assert_eq!(Routing::new(&objects, false).exposure(&request), found);
    let uncertain = found.filter(|own| *own != Exposure::Internal);
    assert_eq!(
        Routing::new(&objects, true).exposure(&request),
        uncertain,
        "a router that is not read may lead anywhere"
    );
    found
}

fn with(around: &[&str]) -> Option<Exposure> {
    of(WORKLOAD, around)
}

fn service(name: &str, spec: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {spec}")
}

const INTERNET: Option<Exposure> = Some(Exposure::InternetFacing);
const INTERNAL: Option<Exposure> = Some(Exposure::Internal);

#[test]
fn what_nothing_selects_is_not_known() {
    assert_eq!(with(&[]), None);
    assert_eq!(with(&[&service("other", "{selector: {app: web}}")]), None);
    // One label of two is not enough, and the labels of the Deployment itself are not those of its Pods.
    assert_eq!(with(&[&service("api", "{selector: {app: api, tier: backend}}")]), None);
    let elsewhere =
        "apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: other}\nspec: {selector: {app: api}}";
    assert_eq!(with(&[elsewhere]), None);
}

#[test]
fn the_type_of_a_service_decides() {
    for (spec, expected) in [
        ("{selector: {app: api}}", INTERNAL),
        ("{type: ClusterIP, selector: {app: api, tier: web}}", INTERNAL),
        ("{clusterIP: None, selector: {app: api}}", INTERNAL),
        ("{type: LoadBalancer, selector: {app: api}}", INTERNET),
        ("{type: NodePort, selector: {app: api}}", INTERNET),
        ("{externalIPs: [192.0.2.7], selector: {app: api}}", INTERNET),
        // What selects nothing reaches nothing that is known.
        ("{type: ClusterIP}", None),
        ("{type: ExternalName, externalName: example.com, selector: {app: api}}", None),
    ] {
        assert_eq!(with(&[&service("api", spec)]), expected, "{spec}");
    }
}

#[test]
fn the_widest_of_several_services_counts() {
    let (inner, outer) =
        (service("a", "{selector: {app: api}}"), service("b", "{type: NodePort, selector: {tier: web}}"));
    assert_eq!(with(&[&inner, &outer]), INTERNET);
    assert_eq!(with(&[&outer, &inner]), INTERNET);
}

#[test]
fn an_ingress_of_every_version_leads_to_its_services() {
    let inner = service("api", "{selector: {app: api}}");
    let ingress = |version: &str, spec: &str| {
        format!("apiVersion: {version}\nkind: Ingress\nmetadata: {{name: i, namespace: shop}}\nspec: {spec}")
    };
    let path = |backend: &str| format!("{{rules: [{{http: {{paths: [{{path: /, backend: {backend}}}]}}}}]}}");
    for (version, spec, expected) in [
        ("networking.k8s.io/v1", path("{service: {name: api, port: {number: 80}}}"), INTERNET),
        ("networking.k8s.io/v1", "{defaultBackend: {service: {name: api}}}".to_owned(), INTERNET),
        ("networking.k8s.io/v1beta1", path("{serviceName: api, servicePort: 80}"), INTERNET),
        ("extensions/v1beta1", "{backend: {serviceName: api}}".to_owned(), INTERNET),
        ("networking.k8s.io/v1", path("{resource: {kind: Bucket, name: api}}"), INTERNAL),
        // The way to a Service that is not here may end at any Pod of the namespace.
        ("networking.k8s.io/v1", path("{service: {name: elsewhere}}"), None),
    ] {
        assert_eq!(with(&[&inner, &ingress(version, &spec)]), expected, "{version} {spec}");
    }
}

#[test]
fn gateway_routes_lead_to_services_of_other_namespaces_too() {
    let inner = service("api", "{selector: {app: api}}");
    let route = |kind: &str, namespace: &str, spec: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\nmetadata: {{name: r, namespace: {namespace}}}\nspec: {spec}"
        )
    };
    let plain = "{rules: [{backendRefs: [{name: api, port: 80}]}]}";
    for kind in ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"] {
        assert_eq!(with(&[&inner, &route(kind, "shop", plain)]), INTERNET, "{kind}");
    }
    assert_eq!(with(&[&inner, &route("HTTPRoute", "edge", plain)]), INTERNAL, "another namespace's own `api`");
    for (spec, expected) in [
        ("{rules: [{backendRefs: [{name: api, namespace: shop}]}]}", INTERNET),
        ("{rules: [{filters: [{requestMirror: {backendRef: {name: api, namespace: shop}}}]}]}", INTERNET),
        ("{rules: [{backendRefs: [{name: api, namespace: shop, kind: Bucket, group: x.example}]}]}", INTERNAL),
        (
            "{parentRefs: [{kind: Service, name: api}], rules: [{backendRefs: [{name: api, namespace: shop}]}]}",
            INTERNAL,
        ),
        ("{parentRefs: [{name: gate}], rules: [{backendRefs: [{name: api, namespace: shop}]}]}", INTERNET),
    ] {
        assert_eq!(with(&[&inner, &route("HTTPRoute", "edge", spec)]), expected, "{spec}");
    }
}

#[test]
fn an_external_name_within_the_cluster_is_another_name_for_a_service() {
    let inner = service("api", "{selector: {app: api}}");
    let alias = "apiVersion: v1\nkind: Service\nmetadata: {name: front, namespace: edge}\n\
                 spec: {type: ExternalName, externalName: api.shop.svc.cluster.local}";
    assert_eq!(with(&[&inner, alias]), INTERNAL);
    let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: edge}\n\
                   spec: {defaultBackend: {service: {name: front}}}";
    assert_eq!(with(&[&inner, alias, ingress]), INTERNET);
    // Two aliases of each other are a circle that ends.
    let circle = "apiVersion: v1\nkind: Service\nmetadata: {name: front, namespace: edge}\n\
                  spec: {type: ExternalName, externalName: front.edge.svc}";
    assert_eq!(with(&[&inner, circle, ingress]), INTERNAL);
}

#[test]
fn an_open_service_without_selector_may_lead_anywhere_in_its_namespace() {
    let inner = service("api", "{selector: {app: api}}");
    assert_eq!(with(&[&inner, &service("endpoints", "{type: LoadBalancer}")]), None);
    assert_eq!(with(&[&inner, &service("endpoints", "{type: ClusterIP}")]), INTERNAL);
}

#[test]
fn a_router_that_is_not_read_makes_what_it_names_uncertain() {
    let inner = service("api", "{selector: {app: api}}");
    for host in ["api", "api.shop.svc.cluster.local", "http://api.shop:8080/path"] {
        let other = format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: v, namespace: edge}}\n\
             spec: {{http: [{{route: [{{destination: {{host: '{host}'}}}}]}}]}}"
        );
        assert_eq!(with(&[&inner, &other]), None, "{host}");
    }
    let stranger =
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: v}\nspec: {host: api.other.svc}";
    assert_eq!(with(&[&inner, stranger]), INTERNAL);
}

#[test]
fn a_label_raises_and_never_lowers() {
    let inner = service("api", "{selector: {app: api}}");
    let outer = service("api", "{type: NodePort, selector: {app: api}}");
    let labelled = |word: &str| WORKLOAD.replace("tier: web", &format!("tier: web, assay.dev/exposure: {word}"));
    assert_eq!(of(&labelled("internet"), &[&inner]), INTERNET);
    assert_eq!(of(&labelled("internal"), &[&inner]), INTERNAL);
    assert_eq!(of(&labelled("internal"), &[&outer]), INTERNET);
    assert_eq!(of(&labelled("internal"), &[]), None);
    let annotated = WORKLOAD.replace("namespace: shop", "namespace: shop, annotations: {assay.dev/exposure: internet}");
    assert_eq!(of(&annotated, &[]), INTERNET);
}

#[test]
fn the_address_of_the_node_is_outside() {
    let inner = service("api", "{selector: {app: api}}");
    let host_port = WORKLOAD.replace("image: api:1", "image: api:1, ports: [{containerPort: 80, hostPort: 80}]");
    assert_eq!(of(&host_port, &[&inner]), INTERNET);
    assert_eq!(of(&WORKLOAD.replace("spec: {containers", "spec: {hostNetwork: true, containers"), &[&inner]), INTERNET);
}

proptest! {
    /// One more object around a workload never makes it internal where it was not, unless it is a Service that selects it.
    #[test]
    fn what_is_added_never_lowers(kinds in proptest::collection::vec(0_usize..6, 0..6), extra in 1_usize..6) {
        let all = [
            service("api", "{selector: {app: api}}"),
            service("edge", "{type: LoadBalancer, selector: {tier: web}}"),
            service("loose", "{type: NodePort}"),
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: shop}\n\
             spec: {defaultBackend: {service: {name: api}}}".to_owned(),
            "apiVersion: traefik.io/v1alpha1\nkind: IngressRoute\nmetadata: {name: t, namespace: shop}\n\
             spec: {routes: [{services: [{name: api}]}]}".to_owned(),
            service("other", "{selector: {app: other}}"),
        ];
        let before: Vec<&str> = kinds.iter().map(|kind| all[*kind].as_str()).collect();
        let after = [&before[..], &[all[extra].as_str()]].concat();
        prop_assert!(with(&before) == INTERNAL || with(&after) != INTERNAL);
    }
}
