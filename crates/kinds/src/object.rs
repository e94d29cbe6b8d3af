//! What all kinds have in common: a name and a specification.

use std::collections::BTreeMap;

use assay_model::Digest;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::API_VERSION;

/// The part of Kubernetes' ObjectMeta that Assay reads. Other fields of it belong to Kubernetes and are passed over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Metadata {
    /// Name of the object.
    pub name: String,
    /// Namespace, where the object was read from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The specification of a kind.
pub trait Spec {
    /// The `kind` field of objects with this specification.
    const KIND: &'static str;

    /// What is wrong between its fields, if anything is: each of them is well formed by itself.
    fn problem(&self) -> Option<Problem> {
        None
    }
}

/// Something that cannot be meant as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field below `spec`, `require.signature.of[1]`.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// An object of one kind: `apiVersion` and `kind` follow from its type.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Object<S> {
    /// Name and labels.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: S,
}

impl<S: Spec + Serialize> Object<S> {
    /// An object with a name and a specification.
    pub fn new(name: impl Into<String>, spec: S) -> Self {
        Self { metadata: Metadata { name: name.into(), ..Metadata::default() }, spec }
    }

    /// The canonical bytes of what the object says: kind, name and specification as JSON, fields in the order of the type
    /// and map keys sorted. Labels, annotations and status are not part of it.
    pub fn canonical(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Canonical<'a, S> {
            #[serde(rename = "apiVersion")]
            api_version: &'static str,
            kind: &'static str,
            name: &'a str,
            spec: &'a S,
        }
        let canonical =
            Canonical { api_version: API_VERSION, kind: S::KIND, name: &self.metadata.name, spec: &self.spec };
        // Specifications are plain data with string keys, whose serialisation cannot fail; should one ever, the error
        // text still differs from every canonical form, so that no approval fits it.
        serde_json::to_vec(&canonical).unwrap_or_else(|error| format!("not canonical: {error}").into_bytes())
    }

    /// SHA-256 of [`Object::canonical`]: what an approval in a file signs.
    pub fn spec_digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }
}

impl<S: Spec + Serialize> Serialize for Object<S> {
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        let mut object = serializer.serialize_struct(S::KIND, 4)?;
        object.serialize_field("apiVersion", API_VERSION)?;
        object.serialize_field("kind", S::KIND)?;
        object.serialize_field("metadata", &self.metadata)?;
        object.serialize_field("spec", &self.spec)?;
        object.end()
    }
}
