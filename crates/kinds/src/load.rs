//! From text to objects, strictly.

use std::fmt;
use std::sync::Arc;

use assay_model::Explain;
use serde::Deserialize;
use serde_saphyr::options::DuplicateKeyPolicy;

use crate::tree::{Key, Node, Position, Tree, TreeCause, TreeError};
use crate::{
    API_VERSION, Environment, EnvironmentSpec, Exception, ExceptionSpec, Metadata, OLDER_VERSION, Object, Problem,
    ReleaseArtifact, ReleaseArtifactSpec, Spec, TrustRoot, TrustRootSpec, suggestion,
};

/// Largest text that is read, in bytes: far above any folder of policies written by people.
const BYTES_MAX: usize = 4 << 20;
/// Most values in one text.
const NODES_MAX: usize = 250_000;
/// Most aliases in one text: people write a handful.
const ALIASES_MAX: usize = 1_000;
/// The group of our kinds, whatever the version.
const GROUP: &str = "assay.dev/";

/// One object of this group.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// An Environment.
    Environment(Box<Environment>),
    /// An Exception.
    Exception(Box<Exception>),
    /// A ReleaseArtifact.
    ReleaseArtifact(Box<ReleaseArtifact>),
    /// A TrustRoot.
    TrustRoot(Box<TrustRoot>),
}

impl Kind {
    /// The kinds that this version knows.
    pub const NAMES: [&'static str; 4] =
        [EnvironmentSpec::KIND, ExceptionSpec::KIND, ReleaseArtifactSpec::KIND, TrustRootSpec::KIND];

    /// The object's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Environment(object) => &object.metadata.name,
            Self::Exception(object) => &object.metadata.name,
            Self::ReleaseArtifact(object) => &object.metadata.name,
            Self::TrustRoot(object) => &object.metadata.name,
        }
    }

    /// The object's kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Environment(_) => EnvironmentSpec::KIND,
            Self::Exception(_) => ExceptionSpec::KIND,
            Self::ReleaseArtifact(_) => ReleaseArtifactSpec::KIND,
            Self::TrustRoot(_) => TrustRootSpec::KIND,
        }
    }
}

/// A place in a text, line and column counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// File name or what else names the text.
    pub source: Arc<str>,
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// A value and where it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where its document begins.
    pub place: Place,
}

/// What a text holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The objects of this group, in document order.
    pub objects: Vec<Located<Kind>>,
    /// Documents of other groups, and documents that are no Kubernetes objects.
    pub skipped: usize,
}

/// Reads all documents of a YAML (or JSON) text. `source_name` is used in messages. A `v1` List is read item by item.
pub fn load_yaml(text: &str, source_name: &str) -> Result<Loaded, KindsError> {
    if text.len() > BYTES_MAX {
        return Err(KindsError::TooLarge { source_name: source_name.to_owned(), bytes: text.len() });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: NODES_MAX, max_aliases: ALIASES_MAX },
        duplicate_keys: DuplicateKeyPolicy::Error,
        // As kubectl reads it: 0644 is an octal number.
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let documents: Vec<Tree> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let at = error.location().map_or(Position { line: 1, column: 1 }, Position::from);
        KindsError::Syntax { place: place(source_name, at), message: first_line(&error.to_string()) }
    })?;
    let mut loaded = Loaded { objects: Vec::new(), skipped: 0 };
    for document in &documents {
        read_document(document, source_name, &mut loaded)?;
    }
    Ok(loaded)
}

fn place(source_name: &str, at: Position) -> Place {
    Place { source: source_name.into(), line: at.line, column: at.column }
}

/// The parser's messages end with the position and more lines; the position is ours to print.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or("not YAML");
    line.rsplit_once(" at line ").map_or(line, |(text, _)| text).trim_start_matches("error: ").to_owned()
}

fn read_document(document: &Tree, source_name: &str, loaded: &mut Loaded) -> Result<(), KindsError> {
    let text_of = |field| document.get(field).and_then(Tree::as_str);
    let kind = text_of("kind");
    match text_of("apiVersion") {
        Some("v1") if kind == Some("List") => {
            if let Some(Tree { node: Node::List(items), .. }) = document.get("items") {
                for item in items {
                    read_document(item, source_name, loaded)?;
                }
            }
            return Ok(());
        }
        Some(API_VERSION | OLDER_VERSION) => {}
        Some(version) if version.starts_with(GROUP) || version == GROUP.trim_end_matches('/') => {
            return Err(KindsError::UnsupportedVersion {
                place: place(source_name, document.at),
                version: version.to_owned(),
            });
        }
        None if kind.is_some_and(|kind| Kind::NAMES.contains(&kind)) => {
            return Err(KindsError::MissingField {
                place: place(source_name, document.at),
                path: String::new(),
                field: "apiVersion",
            });
        }
        Some(_) | None => {
            loaded.skipped += 1;
            return Ok(());
        }
    }
    let Some(kind) = kind else {
        return Err(KindsError::MissingField {
            place: place(source_name, document.at),
            path: String::new(),
            field: "kind",
        });
    };
    let value = match kind {
        EnvironmentSpec::KIND => Kind::Environment(Box::new(read_object(document, source_name)?)),
        ExceptionSpec::KIND => Kind::Exception(Box::new(read_object(document, source_name)?)),
        ReleaseArtifactSpec::KIND => Kind::ReleaseArtifact(Box::new(read_object(document, source_name)?)),
        TrustRootSpec::KIND => Kind::TrustRoot(Box::new(read_object(document, source_name)?)),
        _ => {
            let at = document.get("kind").map_or(document.at, |tree| tree.at);
            return Err(KindsError::UnknownKind {
                place: place(source_name, at),
                kind: kind.to_owned(),
                suggestion: suggestion(kind, Kind::NAMES).map(str::to_owned),
            });
        }
    };
    loaded.objects.push(Located { value, place: place(source_name, document.at) });
    Ok(())
}

/// The fields of an object; `status` belongs to the controllers and is not read.
const OBJECT_FIELDS: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];

fn read_object<'de, S: Spec + Deserialize<'de>>(
    document: &'de Tree,
    source_name: &str,
) -> Result<Object<S>, KindsError> {
    let unknown = document.fields().iter().find(|(key, _)| !OBJECT_FIELDS.contains(&key.name.as_str()));
    if let Some((Key { at, name }, _)) = unknown {
        return Err(unknown_field(place(source_name, *at), String::new(), name, OBJECT_FIELDS));
    }
    let part = |field: &'static str| {
        document.get(field).ok_or_else(|| KindsError::MissingField {
            place: place(source_name, document.at),
            path: String::new(),
            field,
        })
    };
    let (metadata, spec) = (part("metadata")?, part("spec")?);
    let metadata: Metadata = metadata.read().map_err(|error| explain(error, source_name, "metadata"))?;
    if metadata.name.is_empty() {
        return Err(KindsError::MissingField {
            place: place(source_name, document.at),
            path: "metadata".to_owned(),
            field: "name",
        });
    }
    let value: S = spec.read().map_err(|error| explain(error, source_name, "spec"))?;
    if let Some(Problem { path, message }) = value.problem() {
        let place = place(source_name, spec.nearest(&path));
        return Err(KindsError::Invalid { place, path: format!("spec.{path}"), message });
    }
    Ok(Object { metadata, spec: value })
}

fn explain(error: TreeError, source_name: &str, below: &str) -> KindsError {
    let place = place(source_name, error.at);
    let inner = error.path();
    let path = if inner.is_empty() { below.to_owned() } else { format!("{below}.{inner}") };
    match error.cause {
        TreeCause::UnknownField { field, expected } => unknown_field(place, path, &field, expected),
        TreeCause::MissingField { field } => KindsError::MissingField { place, path, field },
        TreeCause::Other { message } => KindsError::Invalid { place, path, message },
    }
}

fn unknown_field(place: Place, path: String, field: &str, expected: &'static [&'static str]) -> KindsError {
    let suggestion = suggestion(field, expected.iter().copied()).map(str::to_owned);
    KindsError::UnknownField { place, path, field: field.to_owned(), suggestion, expected }
}

/// Why a text was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindsError {
    /// The text is not YAML, holds a key twice, or exceeds a bound of nesting, size or aliases.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
    },
    /// The text is larger than any set of policies written by people.
    #[error("{source_name}: {bytes} bytes, at most {BYTES_MAX} are read")]
    TooLarge {
        /// File name or what else names the text.
        source_name: String,
        /// Bytes found.
        bytes: usize,
    },
    /// An object of this group has a kind that this version does not know. It is refused: skipping it might skip a rule.
    #[error("{place}: `{kind}` is not a kind of {API_VERSION}{}", meant(.suggestion.as_deref()))]
    UnknownKind {
        /// Where.
        place: Place,
        /// The kind as written.
        kind: String,
        /// The nearest kind.
        suggestion: Option<String>,
    },
    /// An object of this group has a version that this program does not know.
    #[error("{place}: `{version}` is not read here, only {API_VERSION}")]
    UnsupportedVersion {
        /// Where.
        place: Place,
        /// The version as written.
        version: String,
    },
    /// A field that does not exist. It is refused: what it was meant to say would not be done.
    #[error("{place}: unknown field `{field}`{}{}", within(.path), meant(.suggestion.as_deref()))]
    UnknownField {
        /// Where.
        place: Place,
        /// The object it stands in, `spec.signers[0]`.
        path: String,
        /// The field as written.
        field: String,
        /// The nearest field.
        suggestion: Option<String>,
        /// The fields that exist there.
        expected: &'static [&'static str],
    },
    /// A field that must be there is not.
    #[error("{place}: missing field `{field}`{}", within(.path))]
    MissingField {
        /// Where the object begins that lacks it.
        place: Place,
        /// That object.
        path: String,
        /// The field.
        field: &'static str,
    },
    /// A value has the wrong type or form.
    #[error("{place}: {path}: {message}")]
    Invalid {
        /// Where.
        place: Place,
        /// The field, `spec.exceptions.maximumDuration`.
        path: String,
        /// What is wrong with it.
        message: String,
    },
}

fn meant(suggestion: Option<&str>) -> String {
    suggestion.map(|word| format!(", did you mean `{word}`?")).unwrap_or_default()
}

fn within(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" in {path}") }
}

impl Explain for KindsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "yaml-invalid",
            Self::TooLarge { .. } => "yaml-too-large",
            Self::UnknownKind { .. } => "kind-unknown",
            Self::UnsupportedVersion { .. } => "kind-version-unsupported",
            Self::UnknownField { .. } => "field-unknown",
            Self::MissingField { .. } => "field-missing",
            Self::Invalid { .. } => "field-invalid",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::UnknownKind { .. } => Some(format!("the kinds are {}", Kind::NAMES.join(", "))),
            Self::UnknownField { expected, .. } if !expected.is_empty() => {
                Some(format!("the fields there are {}", expected.join(", ")))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
