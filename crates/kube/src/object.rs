//! An object of a manifest set or a cluster, with the namespace that applies to it.

use assay_case::Node;

/// An object and where it is.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    /// API group, empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Its namespace, or the one that applies without.
    pub namespace: String,
    /// All of it.
    pub node: Node<'a>,
}

impl Object<'_> {
    /// `metadata.name`, empty where there is none.
    pub fn name(&self) -> &str {
        self.node.at(&["metadata", "name"]).as_str().unwrap_or_default()
    }

    /// `namespace/Kind/name`, by which a [`World`](assay_case::World) lists it.
    pub(crate) fn key(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.kind, self.name())
    }
}
