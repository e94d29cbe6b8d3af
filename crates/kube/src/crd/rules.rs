//! What the types cannot say: which fields a cluster insists on, forms of texts, rules between fields (CEL; Kubernetes
//! "CustomResourceDefinition", "Validation rules"), and what may never change.

use serde_json::{Map, Value, json};

/// A length of time in the form that `assay_kinds::Span` reads.
const SPAN: &str = "^([0-9]{1,6}w)?([0-9]{1,6}d)?([0-9]{1,7}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?$";
const DIGEST: &str = "^sha256:[0-9a-f]{64}$";
const CONTROL: &str = "^[a-z][a-z0-9-]*$";

/// Adds what is known beside the types to the schema of a kind's `spec`.
pub(super) fn add(kind: &str, spec: &mut Value) {
    for (of, path, more) in table() {
        if of == kind
            && let Some(schema) = at(spec, path)
        {
            schema.extend(more);
            // `null` takes away what stood there.
            schema.retain(|_, value| !value.is_null());
        }
    }
}

/// The schema at a path below `spec`: `a.b` for fields, `[]` for the items of a list, `{}` for the values of a map.
pub(super) fn at<'s>(spec: &'s mut Value, path: &str) -> Option<&'s mut Map<String, Value>> {
    let mut schema = spec;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        schema = match part {
            "[]" => schema.get_mut("items")?,
            "{}" => schema.get_mut("additionalProperties")?,
            name => schema.get_mut("properties")?.get_mut(name)?,
        };
    }
    schema.as_object_mut()
}

/// A rule in CEL and what is said where it does not hold.
fn rule(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}

/// Kind, path, and what is added there.
pub(super) fn table() -> Vec<(&'static str, &'static str, Map<String, Value>)> {
    let rows = [environment(), exception(), release(), trust_root()].into_iter().flatten();
    let object = |value| match value {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    rows.map(|(kind, path, more)| (kind, path, object(more))).collect()
}

type Row = (&'static str, &'static str, Value);

fn environment() -> Vec<Row> {
    let kind = "Environment";
    let named = || json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "maxItems": 256});
    let span = || json!({"pattern": SPAN, "minLength": 2, "maxLength": 32});
    vec![
        (kind, "registries", json!({"maxItems": 1024})),
        (kind, "registries.[]", json!({"minLength": 1, "maxLength": 1024})),
        (kind, "baseImages", json!({"maxItems": 1024})),
        (kind, "namespaces.names", json!({"maxItems": 5000})),
        (kind, "namespaces.names.[]", json!({"minLength": 1, "maxLength": 253})),
        (kind, "namespaces.matchExpressions", json!({"maxItems": 64})),
        (kind, "namespaces.matchExpressions.[].values", json!({"maxItems": 1024})),
        (
            kind,
            "namespaces.matchExpressions.[]",
            json!({"x-kubernetes-validations": [rule(
                "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
                "In and NotIn need values; Exists and DoesNotExist take none",
            )]}),
        ),
        (kind, "signers", named()),
        (kind, "signers.[].name", json!({"minLength": 1, "maxLength": 253})),
        (kind, "signers.[].for", json!({"minItems": 1, "maxItems": 16})),
        (
            kind,
            "signers.[]",
            json!({"x-kubernetes-validations": [rule(
                "[has(self.keyless), has(self.key), has(self.certificate)].filter(given, given).size() == 1",
                "a signer is exactly one of keyless, key and certificate",
            )]}),
        ),
        (kind, "require", json!({"maxProperties": 16})),
        (kind, "require.{}.of", json!({"minItems": 1, "maxItems": 16})),
        (kind, "require.{}.atLeast", json!({"minimum": 1})),
        (
            kind,
            "require.{}",
            json!({"x-kubernetes-validations": [rule(
                "!has(self.atLeast) || self.atLeast <= size(self.of)",
                "atLeast cannot be more than there are names in `of`",
            )]}),
        ),
        (kind, "controls", json!({"maxProperties": 128})),
        // `off` without quotes is false in YAML 1.1, which is how kubectl reads it.
        (
            kind,
            "controls.{}.action",
            json!({
                "type": null,
                "x-kubernetes-preserve-unknown-fields": true,
                "enum": ["off", "audit", "warn", "enforce-with-exception", "enforce", "enforce-always", false],
            }),
        ),
        (kind, "vsa.maxAge", span()),
        (kind, "exceptions.maximumDuration", span()),
        (kind, "exceptions.breakGlassMaximumDuration", span()),
        (kind, "exceptions.approvers", json!({"maxItems": 256})),
        (kind, "exceptions.approvers.[]", json!({"minLength": 1, "maxLength": 512})),
    ]
}

fn exception() -> Vec<Row> {
    let kind = "Exception";
    let text = |most: u32| json!({"minLength": 1, "maxLength": most, "pattern": "\\S"});
    vec![
        (
            kind,
            "",
            json!({
                // Files may leave these out, and the Exception then does nothing; a cluster says so at once.
                "required": ["owner", "reason", "controls", "subjects", "scope", "expiresAt", "compensatingControl"],
                "x-kubernetes-validations": [
                    rule("!has(self.approval) || self.approval.at < self.expiresAt", "it expires before it is approved"),
                    rule(
                        "!has(self.approval) || !has(oldSelf.approval) || self.approval != oldSelf.approval || (\
                         self.controls == oldSelf.controls && self.subjects == oldSelf.subjects && self.scope == oldSelf.scope \
                         && self.expiresAt == oldSelf.expiresAt)",
                        "what was approved cannot change below its approval: remove the approval, and have it approved again",
                    ),
                ],
            }),
        ),
        (kind, "owner", text(253)),
        (kind, "requestedBy", text(512)),
        (kind, "reason", text(4096)),
        (kind, "compensatingControl", text(4096)),
        (kind, "controls", json!({"minItems": 1, "maxItems": 64})),
        (kind, "controls.[]", json!({"pattern": CONTROL, "maxLength": 63})),
        (kind, "subjects", json!({"minItems": 1, "maxItems": 64})),
        (kind, "subjects.[].digest", json!({"pattern": DIGEST, "maxLength": 71})),
        (kind, "subjects.[].repository", json!({"minLength": 1, "maxLength": 1024})),
        (kind, "subjects.[].package", json!({"minLength": 1, "maxLength": 1024})),
        (kind, "subjects.[].vulnerability", json!({"minLength": 1, "maxLength": 128})),
        (kind, "scope", json!({"required": ["namespaces"]})),
        (kind, "scope.namespaces", json!({"minItems": 1, "maxItems": 64})),
        (kind, "scope.namespaces.[]", json!({"minLength": 1, "maxLength": 63})),
        (kind, "scope.workloads", json!({"maxItems": 64})),
        (kind, "scope.workloads.[]", json!({"pattern": "^[A-Za-z]+/\\S+$", "maxLength": 320})),
        (kind, "expiresAt", json!({"format": "date-time", "maxLength": 40})),
        (kind, "approval.at", json!({"format": "date-time", "maxLength": 40})),
        (kind, "approval.by", text(512)),
        (kind, "approval.reference", json!({"maxLength": 1024})),
    ]
}

fn release() -> Vec<Row> {
    let kind = "ReleaseArtifact";
    vec![
        (
            kind,
            "",
            json!({"x-kubernetes-validations": [rule(
                "self.service == oldSelf.service && self.source == oldSelf.source && self.image == oldSelf.image",
                "a release is one digest of one source for ever: make another one",
            )]}),
        ),
        (kind, "service", json!({"minLength": 1, "maxLength": 253})),
        (kind, "source.repository", json!({"minLength": 1, "maxLength": 1024})),
        (kind, "source.commit", json!({"pattern": "^[0-9a-f]{7,64}$", "maxLength": 64})),
        (kind, "image.repository", json!({"minLength": 1, "maxLength": 1024})),
        (kind, "image.digest", json!({"pattern": DIGEST, "maxLength": 71})),
    ]
}

fn trust_root() -> Vec<Row> {
    let kind = "TrustRoot";
    vec![
        // `sigstore` is a word or an object, which CEL cannot see.
        (kind, "", json!({"minProperties": 1})),
        (
            kind,
            "keys",
            json!({"maxItems": 256, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
        ),
        (kind, "keys.[].name", json!({"minLength": 1, "maxLength": 253})),
        (kind, "keys.[].pem", json!({"maxLength": 65536})),
        (
            kind,
            "keys.[]",
            json!({"x-kubernetes-validations": [rule(
                "has(self.pem) && !has(self.file)",
                "a cluster has no files beside an object: write the key itself as `pem`",
            )]}),
        ),
        (kind, "notation.trustStores", json!({"maxItems": 64})),
        (
            kind,
            "notation.trustStores.[]",
            json!({"x-kubernetes-validations": [rule(
                "has(self.pem) && !has(self.files)",
                "a cluster has no files beside an object: write the certificates themselves as `pem`",
            )]}),
        ),
        (kind, "notation.trustStores.[].name", json!({"pattern": "^[A-Za-z0-9_.-]+$", "maxLength": 253})),
        (kind, "notation.trustStores.[].pem", json!({"maxLength": 262_144})),
        (kind, "notation.trustStores.[].files", json!({"maxItems": 64})),
        (kind, "notation.trustPolicies", json!({"maxItems": 256})),
    ]
}
