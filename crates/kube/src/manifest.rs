//! Manifest files with the place of every value: multi-document YAML, JSON, Lists, `helm template` output.
//!
//! Read as `kubectl` reads them (YAML 1.1 by go-yaml v2, see `assay-yaml`), except where readers disagree with each other:
//! doubled keys, ambiguous merges and unknown tags are refused instead of guessed.

use std::collections::BTreeMap;

use assay_case::{ContainerRole, Namespace, Node, Operation, Request, User};
use assay_model::Explain;
use assay_yaml::{Dialect, Document, Field, Marked, Place, Scalar, Value, YamlError};

use crate::credential::concerns_credentials;
use crate::exposure::concerns_exposure;
use crate::kustomize::{KustomizeImage, kustomize_images};
use crate::object::Object;
use crate::values::{ValuesImage, values_images};
use crate::workload::{Origin, is_workload, request_of};

/// Largest manifest file that is read, in bytes. `helm template` of a large platform is about 5 MiB.
pub const FILE_BYTES_MAX: usize = 32 << 20;
/// The API group of Assay's own kinds.
pub const ASSAY_GROUP: &str = "assay.dev";
/// Longest line prefix by which Helm names the template that made a document.
const SOURCE_COMMENT: &str = "# Source: ";

/// What a manifest file holds.
#[derive(Debug, Default)]
pub struct Manifests<'a> {
    /// Objects with a Pod template, in file order.
    pub workloads: Vec<Manifest<'a>>,
    /// Objects of `assay.dev`, in file order.
    pub assay: Vec<Manifest<'a>>,
    /// `Kustomization` files.
    pub kustomizations: Vec<Manifest<'a>>,
    /// What is no object at all, but holds fields: the values of a chart. They stand among what is skipped, too.
    pub values: Vec<Manifest<'a>>,
    /// What says how workloads can be reached and what they pull with: Services, Ingresses, routes, Secrets,
    /// ServiceAccounts. They stand among what is skipped, too.
    pub surroundings: Vec<Manifest<'a>>,
    /// Everything else.
    pub skipped: Vec<Skipped>,
    /// Labels of the Namespace objects in the file, by name.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

/// An object that holds nothing to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// `apiVersion`, empty where there is none.
    pub api_version: String,
    /// `kind`, empty where it is no Kubernetes object at all.
    pub kind: String,
    /// Line of its first value.
    pub line: usize,
}

/// One object of a file.
#[derive(Debug)]
pub struct Manifest<'a> {
    /// `apiVersion` as written.
    pub api_version: String,
    /// `kind` as written.
    pub kind: String,
    /// Position of its document in the file, counted from 0.
    pub document: usize,
    /// The template that made it, where Helm says so.
    pub source: Option<String>,
    pub(crate) root: Marked<'a>,
    text: &'a str,
}

/// An image field and how to change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageField {
    /// Path of the field, as in [`ImageUse::field`](assay_case::ImageUse).
    pub field: String,
    /// Its text.
    pub written: String,
    /// Where it stands, quotes included. For an alias, where the anchor is.
    pub place: Place,
    /// The bytes to replace by another reference, quotes left alone; `None` for block scalars and the like.
    pub editable: Option<std::ops::Range<usize>>,
}

impl<'a> Manifests<'a> {
    /// Reads a file. `assay_kinds` are the kinds of `assay.dev` that the caller can read; any other one is refused by name.
    pub fn parse(bytes: &'a [u8], assay_kinds: &[&str]) -> Result<Self, ManifestError> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes.iter().take(error.valid_up_to()).filter(|&&byte| byte == b'\n').count() + 1;
            ManifestError::NotUtf8 { line }
        })?;
        let mut manifests = Self::default();
        for (document, Document { root, head }) in assay_yaml::parse(text, Dialect::Kubernetes)?.into_iter().enumerate()
        {
            let source = text.get(head).and_then(|head| {
                head.lines().find_map(|line| line.strip_prefix(SOURCE_COMMENT)).map(|path| path.trim().to_owned())
            });
            manifests.add(root, document, source.as_deref(), text, assay_kinds, true)?;
        }
        Ok(manifests)
    }

    fn add(
        &mut self,
        root: Marked<'a>,
        document: usize,
        source: Option<&str>,
        text: &'a str,
        assay_kinds: &[&str],
        unwrap: bool,
    ) -> Result<(), ManifestError> {
        if matches!(root.value, Value::Scalar(Scalar::Null)) {
            return Ok(());
        }
        let word = |key| root.get(key).and_then(Marked::text).unwrap_or_default().to_owned();
        let (api_version, kind) = (word("apiVersion"), word("kind"));
        let group = group_of(&api_version);
        let line = root.place.line;
        if unwrap
            && kind.ends_with("List")
            && root.get("items").is_some_and(|items| matches!(items.value, Value::List(_)))
        {
            let Value::Object(fields) = root.value else { return Ok(()) };
            let item_kind = kind.strip_suffix("List").unwrap_or_default();
            let items = fields.into_iter().find(|field| field.key == "items").map(|field| field.value.value);
            if let Some(Value::List(items)) = items {
                for mut item in items {
                    inherit(&mut item, &api_version, item_kind);
                    self.add(item, document, source, text, assay_kinds, false)?;
                }
            }
            return Ok(());
        }
        let manifest = Manifest { api_version, kind, document, source: source.map(str::to_owned), root, text };
        if group == ASSAY_GROUP {
            if !assay_kinds.contains(&manifest.kind.as_str()) {
                return Err(ManifestError::UnknownAssayKind {
                    kind: manifest.kind,
                    line,
                    known: assay_kinds.join(", "),
                });
            }
            self.assay.push(manifest);
        } else if is_workload(&group, &manifest.kind) {
            self.workloads.push(manifest);
        } else if manifest.kind == "Kustomization" || is_bare_kustomization(&manifest) {
            self.kustomizations.push(manifest);
        } else {
            if manifest.kind == "Namespace" && group.is_empty() {
                let node = manifest.node();
                if let Some(name) = node.at(&["metadata", "name"]).as_str() {
                    self.namespaces.insert(name.to_owned(), labels(node.at(&["metadata", "labels"])));
                }
            }
            let (api_version, kind) = (manifest.api_version.clone(), manifest.kind.clone());
            self.skipped.push(Skipped { api_version, kind, line });
            if concerns_exposure(&group, &manifest.kind) || concerns_credentials(&group, &manifest.kind) {
                self.surroundings.push(manifest);
            } else if manifest.kind.is_empty() && manifest.api_version.is_empty() {
                self.values.push(manifest);
            }
        }
        Ok(())
    }
}

/// Items of typed lists (`PodList`) carry neither version nor kind of their own.
fn inherit(item: &mut Marked<'_>, api_version: &str, kind: &str) {
    if kind.is_empty() || item.field("kind").is_some() {
        return;
    }
    let place = item.place;
    if let Value::Object(fields) = &mut item.value {
        for (key, text) in [("apiVersion", api_version), ("kind", kind)] {
            fields.push(Field {
                key: key.into(),
                key_place: place,
                value: Marked::scalar(Scalar::String(text.to_owned().into()), place),
            });
        }
    }
}

/// The value alone, its strings borrowed from the file.
fn to_node<'a>(marked: &Marked<'a>) -> Node<'a> {
    match &marked.value {
        Value::Scalar(Scalar::Null) => Node::Null,
        Value::Scalar(Scalar::Bool(value)) => Node::Bool(*value),
        Value::Scalar(Scalar::Integer(value)) => Node::Integer(*value),
        Value::Scalar(Scalar::Float(value)) => Node::Float(*value),
        Value::Scalar(Scalar::String(text)) => Node::String(text.clone()),
        Value::List(items) => Node::List(items.iter().map(to_node).collect()),
        Value::Object(fields) => {
            Node::Object(fields.iter().map(|field| (field.key.clone(), to_node(&field.value))).collect())
        }
    }
}

/// kustomize reads a `kustomization.yaml` without version and kind.
fn is_bare_kustomization(manifest: &Manifest<'_>) -> bool {
    let has = |key| manifest.root.field(key).is_some();
    manifest.kind.is_empty()
        && manifest.api_version.is_empty()
        && has("resources")
        && (has("images") || has("namespace"))
}

fn group_of(api_version: &str) -> String {
    api_version.split_once('/').map_or("", |(group, _)| group).to_owned()
}

fn labels(node: &Node<'_>) -> BTreeMap<String, String> {
    node.fields().iter().filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned()))).collect()
}

/// The namespace that an object names, or the one that applies without.
pub fn namespace_of<'n>(object: &'n Node<'_>, default: &'n str) -> &'n str {
    object.at(&["metadata", "namespace"]).as_str().filter(|name| !name.is_empty()).unwrap_or(default)
}

impl<'a> Manifest<'a> {
    /// The object, its strings borrowed from the file.
    pub fn node(&self) -> Node<'a> {
        to_node(&self.root)
    }

    /// The object with its group and namespace, `default` where it names none.
    pub fn object(&self, default: &str) -> Object<'a> {
        let node = self.node();
        let namespace = namespace_of(&node, default).to_owned();
        Object { group: group_of(&self.api_version), kind: self.kind.clone(), namespace, node }
    }

    /// The request that applying it is. `None` for kinds without a Pod template.
    pub fn request(&self, namespace: Namespace) -> Option<Request<'a>> {
        let origin = Origin { operation: Operation::Create, namespace, user: User::default(), name: String::new() };
        request_of(&group_of(&self.api_version), &self.kind, self.node(), origin)
    }

    /// Where the value of a field such as `spec.containers[0].image` stands; where it is missing, the nearest thing
    /// around it that is there.
    pub fn place(&self, field: &str) -> Place {
        let mut at = &self.root;
        for segment in field.split('.').filter(|segment| !segment.is_empty()) {
            let (key, indices) = segment.split_once('[').map_or((segment, ""), |(key, rest)| (key, rest));
            let Some(next) = at.get(key) else { break };
            at = next;
            for index in indices.split('[').filter(|index| !index.is_empty()) {
                let item = index.trim_end_matches(']').parse().ok().and_then(|index: usize| at.items().get(index));
                match item {
                    Some(item) => at = item,
                    None => return at.place,
                }
            }
        }
        at.place
    }

    /// The image fields of a workload, in the order of [`Request::images`].
    pub fn images(&self) -> Vec<ImageField> {
        let namespace = Namespace { name: String::new(), labels: None };
        let images = self.request(namespace).map(|request| request.images).unwrap_or_default();
        images
            .into_iter()
            .filter(|image| image.role != ContainerRole::Release)
            .map(|image| {
                let place = self.place(&image.field);
                let editable = self.editable(place, &image.written);
                ImageField { field: image.field, written: image.written, place, editable }
            })
            .collect()
    }

    /// The entries of a Kustomization's `images`.
    pub fn kustomize_images(&self) -> Vec<KustomizeImage> {
        kustomize_images(self)
    }

    /// The images of a chart's values.
    pub fn values_images(&self) -> Vec<ValuesImage> {
        values_images(self)
    }

    /// The text at a place.
    pub(crate) fn source_of(&self, place: Place) -> Option<&'a str> {
        self.text.get(place.start..place.end)
    }

    /// The bytes that hold exactly `written`, within quotes or without.
    pub(crate) fn editable(&self, place: Place, written: &str) -> Option<std::ops::Range<usize>> {
        if written.is_empty() {
            return None;
        }
        let raw = self.text.get(place.start..place.end)?;
        let inner = match raw.as_bytes().first()? {
            b'"' | b'\'' => 1,
            _ => 0,
        };
        let start = place.start.checked_add(inner)?;
        let end = start.checked_add(written.len())?;
        (self.text.get(start..end)? == written && raw.trim_end().len() == written.len() + 2 * inner)
            .then_some(start..end)
    }
}

/// Why a file could not be read as manifests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Larger than any manifest.
    #[error("the file has {bytes} bytes, at most {FILE_BYTES_MAX} are read")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
    },
    /// YAML and JSON are UTF-8 here, as in Kubernetes.
    #[error("line {line} is not UTF-8")]
    NotUtf8 {
        /// Line, counted from 1.
        line: usize,
    },
    /// Not YAML, YAML that readers disagree on, or too much of it.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A kind of `assay.dev` that this version does not know: a typing error would switch a control off.
    #[error("line {line}: `{kind}` is not a kind of assay.dev/v1 (known: {known})")]
    UnknownAssayKind {
        /// Kind found.
        kind: String,
        /// Line of the object.
        line: usize,
        /// The kinds there are.
        known: String,
    },
}

impl Explain for ManifestError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "manifest-too-large",
            Self::NotUtf8 { .. } => "manifest-not-utf8",
            Self::Yaml(error) => error.code(),
            Self::UnknownAssayKind { .. } => "unknown-kind",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::TooLarge { .. } => Some("Split the file, or check the rendered objects one by one".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
