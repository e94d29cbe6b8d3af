//! How objects are reached, what Namespaces enforce, and what ConfigMaps and webhooks say.

use assay_model::Severity::{High, Low, Medium};
use assay_yaml::Marked;

use super::{Object, ObjectCheck, bytes};
use crate::credential;
use crate::rule::Standard::{Cis, Cwe, Nsa, PodSecurity};
use crate::rule::{Check, Marks, Rule};

pub(super) static CHECKS: &[ObjectCheck] = &[
    Check::new(
        Rule::new(
            "kubernetes-external-ips",
            High,
            "No Service takes addresses by externalIPs",
            "It can take traffic for any address, that of another Service included (CVE-2020-8554)",
            "remove externalIPs; use a Service of type LoadBalancer",
        )
        .also(&[Cwe(283)]),
        external_ips,
    ),
    Check::new(
        Rule::new(
            "kubernetes-node-port",
            Low,
            "No Service opens a port on every node",
            "It is reached on every node, past the load balancer and its filters",
            "type ClusterIP behind an Ingress or a Gateway",
        )
        .also(&[Nsa("Network separation and hardening")]),
        node_port,
    ),
    Check::new(
        Rule::new(
            "kubernetes-open-load-balancer",
            Low,
            "A load balancer says from where it may be reached",
            "Without a range it is open to the internet, on most clouds",
            "loadBalancerSourceRanges, or the annotation that makes it internal",
        )
        .also(&[Nsa("Network separation and hardening")]),
        open_load_balancer,
    ),
    Check::new(
        Rule::new(
            "kubernetes-ingress-without-tls",
            Medium,
            "Every Ingress has TLS",
            "Anybody on the way can read and change what passes",
            "spec.tls with the host",
        )
        .also(&[Cwe(319)]),
        ingress_without_tls,
    ),
    Check::new(
        Rule::new(
            "kubernetes-ingress-wildcard",
            Low,
            "An Ingress names its hosts",
            "It answers for names that nobody thought of",
            "spec.rules[].host without a star",
        )
        .also(&[Cwe(284)]),
        ingress_wildcard,
    ),
    Check::new(
        Rule::new(
            "kubernetes-ingress-snippet",
            High,
            "No Ingress brings configuration of nginx along",
            "A snippet can read every Secret that the controller may read (CVE-2021-25742)",
            "remove the annotation, and set allow-snippet-annotations: \"false\" in the controller",
        )
        .also(&[Cwe(94)]),
        ingress_snippet,
    ),
    Check::new(
        Rule::new(
            "kubernetes-policy-open-ingress",
            Medium,
            "A NetworkPolicy says from where",
            "An empty rule lets everybody in: the policy protects nothing",
            "from with a podSelector or namespaceSelector",
        )
        .also(&[Cis("5.3.2"), Nsa("Network policies")]),
        |object, marks| open_policy(object, marks, "ingress", "from"),
    ),
    Check::new(
        Rule::new(
            "kubernetes-policy-open-egress",
            Low,
            "A NetworkPolicy says to where",
            "An empty rule lets everything out, stolen data included",
            "to with a selector or a range of addresses",
        )
        .also(&[Cis("5.3.2"), Nsa("Network policies")]),
        |object, marks| open_policy(object, marks, "egress", "to"),
    ),
    Check::new(
        Rule::new(
            "kubernetes-policy-any-address",
            Medium,
            "A NetworkPolicy does not name the whole internet",
            "0.0.0.0/0 is everybody",
            "a narrower range, or except for private ranges",
        )
        .also(&[Nsa("Network policies")]),
        any_address,
    ),
    Check::new(
        Rule::new(
            "kubernetes-namespace-without-level",
            Medium,
            "Every Namespace enforces a Pod Security level",
            "Without the label anything runs in it, as far as the API server is concerned",
            "label pod-security.kubernetes.io/enforce: restricted, or baseline",
        )
        .also(&[PodSecurity("baseline"), Cis("5.2.1"), Nsa("Kubernetes Pod security")]),
        namespace_without_level,
    ),
    Check::new(
        Rule::new(
            "kubernetes-credential-in-configuration",
            High,
            "No ConfigMap holds a credential",
            "ConfigMaps are neither encrypted nor hidden from those who may read the namespace",
            "a Secret, or better an external store of secrets",
        )
        .also(&[Cis("5.4.1"), Nsa("Secrets"), Cwe(312)]),
        credential_in_configuration,
    ),
    Check::new(
        Rule::new(
            "kubernetes-secret-in-manifest",
            High,
            "No Secret stands in a file with its contents",
            "base64 hides nothing: whoever reads the file has it",
            "a sealed or external Secret, or create it outside the repository",
        )
        .also(&[Nsa("Secrets"), Cwe(312)]),
        secret_in_manifest,
    ),
    Check::new(
        Rule::new(
            "kubernetes-webhook-ignores-failure",
            Medium,
            "A webhook that protects does not let everything pass when it is down",
            "Whoever can stop the webhook, or wait for it, gets past it",
            "failurePolicy: Fail, with an exemption for the namespaces of the system",
        )
        .also(&[Cwe(636)]),
        webhook_ignores_failure,
    ),
    Check::new(
        Rule::new(
            "kubernetes-api-service-unchecked",
            High,
            "The certificate of an extension API is checked",
            "Anybody on the way can answer in its place",
            "remove insecureSkipTLSVerify, and set caBundle",
        )
        .also(&[Cwe(295)]),
        api_service_unchecked,
    ),
];

fn is(object: &Object<'_, '_>, group: &str, kind: &str) -> bool {
    object.group == group && object.kind == kind
}

fn external_ips(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if is(object, "", "Service")
        && let Some(addresses) =
            object.root.at(&["spec", "externalIPs"]).filter(|addresses| !addresses.items().is_empty())
    {
        marks.add(bytes(addresses), format!("{} takes external addresses", object.name()));
    }
}

fn service_type<'m, 't>(object: &Object<'m, 't>, wanted: &str) -> Option<&'m Marked<'t>> {
    let kind = object.root.at(&["spec", "type"]).filter(|_| is(object, "", "Service"))?;
    (kind.text() == Some(wanted)).then_some(kind)
}

fn node_port(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if let Some(kind) = service_type(object, "NodePort") {
        marks.add(bytes(kind), format!("{} opens a port on every node", object.name()));
    }
}

fn open_load_balancer(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    let Some(kind) = service_type(object, "LoadBalancer") else { return };
    let ranges = object.root.at(&["spec", "loadBalancerSourceRanges"]).map_or(&[][..], Marked::items);
    let annotations = object.root.at(&["metadata", "annotations"]).map_or(&[][..], Marked::fields);
    let internal = annotations.iter().any(|field| {
        let value = field.value.text().unwrap_or_default();
        let key = field.key.to_ascii_lowercase();
        key.contains("load-balancer") && (key.contains("internal") || value.eq_ignore_ascii_case("internal"))
    });
    let open = ranges.is_empty() || ranges.iter().any(|range| range.text() == Some("0.0.0.0/0"));
    if open && !internal {
        marks.add(bytes(kind), format!("{} may be reached from everywhere", object.name()));
    }
}

fn is_ingress(object: &Object<'_, '_>) -> bool {
    matches!(object.group, "networking.k8s.io" | "extensions") && object.kind == "Ingress"
}

fn ingress_without_tls(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if is_ingress(object) && object.root.at(&["spec", "tls"]).is_none_or(|tls| tls.items().is_empty()) {
        marks.add(object.head(), format!("{} has no TLS", object.name()));
    }
}

fn ingress_wildcard(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if !is_ingress(object) {
        return;
    }
    for rule in object.root.at(&["spec", "rules"]).map_or(&[][..], Marked::items) {
        match rule.get("host") {
            None => marks.add(bytes(rule), format!("a rule of {} is for every host", object.name())),
            Some(host) if host.text().is_some_and(|text| text.contains('*')) => {
                marks.add(bytes(host), format!("a rule of {} is for many hosts", object.name()));
            }
            Some(_) => {}
        }
    }
}

fn ingress_snippet(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if !is_ingress(object) {
        return;
    }
    for field in object.root.at(&["metadata", "annotations"]).map_or(&[][..], Marked::fields) {
        if field.key.ends_with("-snippet") && field.key.contains("ingress.kubernetes.io") {
            marks.add(
                field.key_place.start..field.key_place.end,
                format!("{} brings configuration along", object.name()),
            );
        }
    }
}

fn policy_rules<'m, 't>(object: &Object<'m, 't>, direction: &str) -> &'m [Marked<'t>] {
    if !is(object, "networking.k8s.io", "NetworkPolicy") {
        return &[];
    }
    object.root.at(&["spec", direction]).map_or(&[], Marked::items)
}

fn open_policy(object: &Object<'_, '_>, marks: &mut Marks<'_>, direction: &str, peers: &str) {
    for rule in policy_rules(object, direction) {
        let has_peers = rule.get(peers).is_some_and(|peers| !peers.items().is_empty());
        let every = rule.get(peers).map_or(&[][..], Marked::items).iter().find(|peer| {
            // An empty namespaceSelector alone is every Pod of every namespace.
            let selector = peer.get("namespaceSelector");
            peer.get("podSelector").is_none() && selector.is_some_and(|selector| selector.fields().is_empty())
        });
        // Ports without peers limit what is reached and not from where.
        if !has_peers && rule.get("ports").is_none() {
            marks.add(bytes(rule), format!("{} lets everything through", object.name()));
        } else if let Some(peer) = every {
            marks.add(bytes(peer), format!("{} lets every namespace through", object.name()));
        }
    }
}

fn any_address(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for peer in policy_rules(object, direction).iter().filter_map(|rule| rule.get(peers)).flat_map(Marked::items) {
            let Some(block) = peer.get("ipBlock") else { continue };
            let excepted = block.get("except").is_some_and(|except| !except.items().is_empty());
            if let Some(range) =
                block.get("cidr").filter(|range| matches!(range.text(), Some("0.0.0.0/0" | "::/0")) && !excepted)
            {
                marks.add(bytes(range), format!("{} names the whole internet", object.name()));
            }
        }
    }
}

fn namespace_without_level(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if !is(object, "", "Namespace") || matches!(object.name(), "kube-system" | "kube-public" | "kube-node-lease") {
        return;
    }
    let level = object.root.at(&["metadata", "labels", "pod-security.kubernetes.io/enforce"]);
    match level.and_then(Marked::text) {
        Some("restricted" | "baseline") => {}
        other => {
            let said = other.map_or_else(|| "enforces no level".to_owned(), |level| format!("enforces {level}"));
            marks.add(level.map_or(object.head(), bytes), format!("{} {said}", object.name()));
        }
    }
}

fn credential_in_configuration(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if !is(object, "", "ConfigMap") {
        return;
    }
    for field in object.root.get("data").map_or(&[][..], Marked::fields) {
        let text = field.value.text().unwrap_or_default();
        let one_line = !text.trim_end().contains('\n');
        let named = one_line && credential::is_name(&field.key) && credential::is_literal(text);
        let inside = text.lines().any(|line| {
            let (name, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
            let name = name.trim().trim_matches(['"', '\'']);
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
            credential::is_value(value.trim().trim_matches(['"', '\'']))
                || credential::in_url(line)
                || (!one_line
                    && plain
                    && credential::is_name(&name.replace('.', "_"))
                    && credential::is_literal(value)
                    && value.trim().len() > 3)
        });
        if named || inside || credential::is_value(text) {
            marks.add(
                field.key_place.start..field.key_place.end,
                format!("{} of {} is a credential", field.key, object.name()),
            );
        }
    }
}

fn secret_in_manifest(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if !is(object, "", "Secret") {
        return;
    }
    for data in ["data", "stringData"].iter().filter_map(|key| object.root.get(key)) {
        for field in data.fields() {
            // Certificates are public, and an empty value is filled in by somebody else.
            let is_public = matches!(field.key.as_ref(), "tls.crt" | "ca.crt" | "namespace" | "username");
            if !is_public && field.value.text().is_some_and(credential::is_literal) {
                marks.add(
                    field.key_place.start..field.key_place.end,
                    format!("{} of {} is in the file", field.key, object.name()),
                );
            }
        }
    }
}

fn webhook_ignores_failure(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if !is(object, "admissionregistration.k8s.io", "ValidatingWebhookConfiguration") {
        return;
    }
    for policy in
        object.root.get("webhooks").map_or(&[][..], Marked::items).iter().filter_map(|hook| hook.get("failurePolicy"))
    {
        if policy.text() == Some("Ignore") {
            marks.add(bytes(policy), format!("{} lets everything pass when it is down", object.name()));
        }
    }
}

fn api_service_unchecked(object: &Object<'_, '_>, marks: &mut Marks<'_>) {
    if is(object, "apiregistration.k8s.io", "APIService")
        && let Some(value) =
            object.root.at(&["spec", "insecureSkipTLSVerify"]).filter(|value| value.flag() == Some(true))
    {
        marks.add(bytes(value), format!("{} is not checked", object.name()));
    }
}
