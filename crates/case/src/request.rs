//! Who asks for what, where.

use std::collections::BTreeMap;

use assay_model::{EnvironmentName, Reference, ReferenceError};
use serde::{Deserialize, Serialize};

use crate::{Document, Node};

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Something new shall run.
    Create,
    /// Something that runs shall change.
    Update,
    /// A digest moves to an environment.
    Promote,
    /// An environment goes back to an earlier digest.
    Rollback,
    /// A built-in controller makes a Pod again from a template and digest already admitted (architecture, promise 9).
    Reschedule,
    /// Somebody looks at what runs.
    Audit,
}

impl Operation {
    /// The lowercase word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Reschedule => "reschedule",
            Self::Audit => "audit",
        }
    }
}

/// The object that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// Kind as Kubernetes writes it, for example `Deployment`.
    pub kind: String,
    /// Name, or the generateName prefix with a `*`.
    pub name: String,
    /// The controller above it, `Kind/name`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Where it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Namespace name.
    pub name: String,
    /// Its labels; `None` where they could not be looked up (in a file, or because the look-up failed): an Environment
    /// selected by labels is then unknown, which counts as the strictest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// Who asks, as the API server vouches for it. Empty for files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// User name.
    pub name: String,
    /// Groups.
    pub groups: Vec<String>,
}

/// How an image is used in a Pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerRole {
    /// `spec.containers`.
    Container,
    /// `spec.initContainers`.
    InitContainer,
    /// `spec.ephemeralContainers`.
    EphemeralContainer,
    /// `spec.volumes[].image`.
    ImageVolume,
    /// No Pod at all: a promotion or rollback names the image itself.
    Release,
}

impl ContainerRole {
    /// The words for people: `container`, `init container`, ...
    pub fn title(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::InitContainer => "init container",
            Self::EphemeralContainer => "ephemeral container",
            Self::ImageVolume => "image volume",
            Self::Release => "release",
        }
    }
}

/// One image that the request would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageUse {
    /// How it is used.
    pub role: ContainerRole,
    /// Name of the container or volume.
    pub name: String,
    /// Where in the object it stands, for example `spec.template.spec.containers[0].image`.
    pub field: String,
    /// The text of the image field, empty where there is none.
    pub written: String,
    /// That text as a reference, or why it is none.
    pub reference: Result<Reference, ReferenceError>,
    /// `imagePullPolicy` as written.
    pub pull_policy: Option<String>,
}

/// Who asks for what, where.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What is being done.
    pub operation: Operation,
    /// The object.
    pub workload: Workload,
    /// Where.
    pub namespace: Namespace,
    /// The Environment named by the caller (`check --env`, promotions); otherwise the namespace selects it.
    pub environment: Option<EnvironmentName>,
    /// ServiceAccount of the Pod.
    pub service_account: Option<String>,
    /// Who asks.
    pub user: User,
    /// The images, in document order.
    pub images: Vec<ImageUse>,
    /// The whole object.
    pub document: Document<'a>,
    /// Path of fields from the object to the Pod specification; `None` where there is none.
    pub pod_spec: Option<&'static [&'static str]>,
    /// Path of fields from the object to the Pod's metadata (labels and annotations of what will run).
    pub pod_metadata: Option<&'static [&'static str]>,
}

impl<'a> Request<'a> {
    /// The Pod specification in the object, `Null` where there is none.
    pub fn pod_spec(&self) -> &Node<'a> {
        self.pod_spec.map_or(&Node::Null, |path| self.document.root().at(path))
    }

    /// The labels of what will run: of the Pod (template), else of the object.
    pub fn labels(&self) -> &Node<'a> {
        let pod = self.pod_metadata.map_or(&Node::Null, |path| self.document.root().at(path).get("labels"));
        if pod.is_null() { self.document.root().at(&["metadata", "labels"]) } else { pod }
    }
}
