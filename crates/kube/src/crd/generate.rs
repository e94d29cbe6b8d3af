//! The definitions, from the types.
//!
//! The schemas come from the Rust types by way of `schemars`, made structural by [`structural`]; what a type cannot say
//! (which fields a cluster insists on, rules between fields, immutability) is added by [`rules`], path by path. What no
//! schema can know, such as an expiry against now, is left to Assay's own webhook.

use assay_kinds::{
    API_VERSION, EnvironmentSpec, ExceptionSpec, OLDER_VERSION, ReleaseArtifactSpec, Spec, TrustRootSpec,
};
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{ENVIRONMENTS, EXCEPTIONS, RELEASE_ARTIFACTS, TRUST_ROOTS, rules, structural};

/// What stands above them in the file.
const HEADER: &str = "# The kinds of assay.dev/v1, written by .ci/generated. The same as `assay crds`.\n";

/// The file.
pub(super) fn file() -> String {
    let documents =
        all().into_iter().map(|each| format!("---\n{}", serde_saphyr::to_string(&each).unwrap_or_default()));
    HEADER.to_owned() + &documents.collect::<String>()
}

/// How a kind is called and shown.
struct Names {
    plural: &'static str,
    short: &'static [&'static str],
    description: &'static str,
    /// Header, type and JSON path of the columns of `kubectl get`; the age comes last in any case.
    columns: &'static [(&'static str, &'static str, &'static str)],
}

const READY: (&str, &str, &str) = ("Ready", "string", r#".status.conditions[?(@.type=="Ready")].status"#);
const REASON: (&str, &str, &str) = ("Reason", "string", r#".status.conditions[?(@.type=="Ready")].reason"#);

/// All of them, in the order of their names. Equal builds give equal bytes.
pub(super) fn all() -> Vec<Value> {
    vec![
        definition::<EnvironmentSpec>(&Names {
            plural: ENVIRONMENTS.plural,
            short: &["env"],
            description: "Which namespaces are judged how: for each control an action with its parameters.",
            columns: &[("Tier", "string", ".spec.tier"), READY, REASON],
        }),
        definition::<ExceptionSpec>(&Names {
            plural: EXCEPTIONS.plural,
            short: &["exc"],
            description: "A scoped, owned, approved, expiring permission to fail named controls.",
            columns: &[
                ("Owner", "string", ".spec.owner"),
                ("Expires", "string", ".spec.expiresAt"),
                ("Break-Glass", "boolean", ".spec.breakGlass"),
                ("Active", "string", r#".status.conditions[?(@.type=="Active")].status"#),
                ("Reason", "string", r#".status.conditions[?(@.type=="Active")].reason"#),
            ],
        }),
        definition::<ReleaseArtifactSpec>(&Names {
            plural: RELEASE_ARTIFACTS.plural,
            short: &["release"],
            description: "The contract of one release: source, image digest, evidence, risk.",
            columns: &[
                ("Service", "string", ".spec.service"),
                ("Digest", "string", ".spec.image.digest"),
                READY,
                REASON,
            ],
        }),
        definition::<TrustRootSpec>(&Names {
            plural: TRUST_ROOTS.plural,
            short: &[],
            description: "The material that evidence is verified against.",
            columns: &[READY, REASON],
        }),
    ]
}

fn definition<S: Spec + JsonSchema>(names: &Names) -> Value {
    let (group, version) = API_VERSION.split_once('/').unwrap_or((API_VERSION, "v1"));
    let kind = S::KIND;
    let mut spec = structural::schema::<S>();
    rules::add(kind, &mut spec);
    let age = ("Age", "date", ".metadata.creationTimestamp");
    let columns: Vec<Value> = names
        .columns
        .iter()
        .chain([&age])
        .map(|(name, column, path)| json!({"name": name, "type": column, "jsonPath": path}))
        .collect();
    let mut called = json!({
        "kind": kind, "listKind": format!("{kind}List"), "plural": names.plural, "singular": kind.to_lowercase(),
        "categories": ["assay"],
    });
    if !names.short.is_empty() {
        called["shortNames"] = json!(names.short);
    }
    let served = json!({
        "name": version,
        "served": true,
        "storage": true,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": {
            "type": "object",
            "description": names.description,
            "required": ["spec"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
                "spec": spec,
                "status": status(),
            },
        }},
    });
    // What an older version stored is read as it stands: the fields are the same, so that nothing has to be converted.
    let (_, older) = OLDER_VERSION.split_once('/').unwrap_or((group, OLDER_VERSION));
    let mut before = served.clone();
    before["name"] = json!(older);
    before["storage"] = json!(false);
    before["deprecated"] = json!(true);
    before["deprecationWarning"] =
        json!(format!("{OLDER_VERSION} {kind} is old; write {API_VERSION}: the fields are the same"));
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{group}", names.plural), "labels": {"app.kubernetes.io/part-of": "assay"}},
        "spec": {
            "group": group,
            "names": called,
            "scope": "Cluster",
            "versions": [served, before],
        },
    })
}

/// What the controllers say of an object (Kubernetes "API conventions", "Typical status properties").
fn status() -> Value {
    json!({
        "type": "object",
        "description": "What Assay makes of it.",
        "properties": {
            "observedGeneration": {"type": "integer", "format": "int64", "description": "The generation that this is about."},
            "policy": {"type": "string", "description": "Digest of the policy that holds it."},
            "conditions": {
                "type": "array",
                "maxItems": 16,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
                "items": {
                    "type": "object",
                    "required": ["type", "status", "lastTransitionTime", "reason", "message"],
                    "properties": {
                        "type": {"type": "string", "maxLength": 316},
                        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                        "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
                        "lastTransitionTime": {"type": "string", "format": "date-time"},
                        "reason": {"type": "string", "minLength": 1, "maxLength": 1024},
                        "message": {"type": "string", "maxLength": 32768},
                    },
                },
            },
        },
    })
}
