//! The containers of a Pod specification, in every list that holds them and in every shape they come in.

use assay_case::{ContainerRole, Node, Request, Target};

/// The lists of containers, with the role of what is in them.
const LISTS: [(&str, ContainerRole); 3] = [
    ("containers", ContainerRole::Container),
    ("initContainers", ContainerRole::InitContainer),
    ("ephemeralContainers", ContainerRole::EphemeralContainer),
];

/// A Pod specification and where it stands in the object.
#[derive(Clone, Copy)]
pub(crate) struct Pod<'a> {
    pub(crate) spec: &'a Node<'a>,
    path: &'static [&'static str],
}

/// One container.
pub(crate) struct Container<'a> {
    pub(crate) node: &'a Node<'a>,
    pub(crate) role: ContainerRole,
    pub(crate) name: &'a str,
    /// Where it stands.
    pod: Pod<'a>,
    list: &'static str,
    index: usize,
}

/// What a Pod specification is not.
pub(crate) enum NoPod {
    /// The request has none: a promotion, for example.
    Absent,
    /// It cannot be read.
    Malformed(String),
}

impl<'a> Pod<'a> {
    /// The Pod specification of a request.
    pub(crate) fn of(request: &'a Request<'a>) -> Result<Self, NoPod> {
        let path = request.pod_spec.ok_or(NoPod::Absent)?;
        let spec = request.pod_spec();
        match spec {
            Node::Object(_) => Ok(Self { spec, path }),
            other => Err(NoPod::Malformed(format!("{} is {}, not a Pod specification", path.join("."), other.kind()))),
        }
    }

    /// The field `name` of the Pod specification, as the whole path.
    pub(crate) fn field(&self, name: &str) -> String {
        let mut path = self.path.join(".");
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        path
    }

    /// Every container. An entry that is no object, or a list that is none, is an error: it cannot be judged.
    pub(crate) fn containers(&self) -> Result<Vec<Container<'a>>, NoPod> {
        let mut containers = Vec::new();
        for (list, role) in LISTS {
            let items = match self.spec.get(list) {
                Node::Null => continue,
                Node::List(items) => items,
                other => return Err(NoPod::Malformed(format!("{} is {}", self.field(list), other.kind()))),
            };
            for (index, node) in items.iter().enumerate() {
                if !matches!(node, Node::Object(_)) {
                    let field = self.field(list);
                    return Err(NoPod::Malformed(format!("{field}[{index}] is {}, not a container", node.kind())));
                }
                let name = node.get("name").as_str().unwrap_or_default();
                containers.push(Container { node, role, name, pod: *self, list, index });
            }
        }
        if containers.is_empty() {
            return Err(NoPod::Malformed("the Pod has no containers".to_owned()));
        }
        Ok(containers)
    }
}

impl Container<'_> {
    /// What an outcome about a field of this container is about.
    pub(crate) fn target(&self, field: &str) -> Target {
        Target {
            role: Some(self.role),
            name: self.name.to_owned(),
            image: self.node.get("image").as_str().unwrap_or_default().to_owned(),
            field: format!("{}[{}].{field}", self.pod.field(self.list), self.index),
            ..Target::default()
        }
    }
}

/// A field that is true, false or not set; anything else is no boolean and cannot be judged.
pub(crate) fn boolean(node: &Node<'_>) -> Result<Option<bool>, &'static str> {
    match node {
        Node::Null => Ok(None),
        Node::Bool(value) => Ok(Some(*value)),
        other => Err(other.kind()),
    }
}
