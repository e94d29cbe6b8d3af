//! One object, parsed once, borrowed by every control and dialect.

mod plain;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use assay_model::Explain;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Largest object, in bytes: the API server's own request limit is about 3 MiB.
const BYTES_MAX: usize = 8 << 20;

/// A JSON value whose strings borrow from the text it was read from, where they hold no escapes.
#[derive(Clone, Debug, PartialEq)]
pub enum Node<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    String(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// An object, in document order. Keys are unique: a document with a doubled key is refused.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// The `null` that a missing field reads as.
const NULL: Node<'static> = Node::Null;

impl<'a> Node<'a> {
    /// Reads JSON. Doubled keys, trailing text and nesting deeper than 128 are errors.
    pub fn from_json(text: &'a str) -> serde_json::Result<Self> {
        plain::read(text).map_or_else(|| serde_json::from_str(text), Ok)
    }

    /// The field `key`, `Null` where there is none or this is no object.
    pub fn get(&self, key: &str) -> &Node<'a> {
        match self {
            Self::Object(fields) => fields.iter().find(|(name, _)| name == key).map_or(&NULL, |(_, value)| value),
            _ => &NULL,
        }
    }

    /// The value at a path of fields.
    pub fn at(&self, path: &[&str]) -> &Node<'a> {
        path.iter().fold(self, |node, key| node.get(key))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of an integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The items of a list; empty for anything else.
    pub fn items(&self) -> &[Node<'a>] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The fields of an object; empty for anything else.
    pub fn fields(&self) -> &[(Cow<'a, str>, Node<'a>)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    /// Whether it is `null` or missing.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The same value with all strings owned.
    pub fn into_owned(self) -> Node<'static> {
        match self {
            Self::Null => Node::Null,
            Self::Bool(value) => Node::Bool(value),
            Self::Integer(value) => Node::Integer(value),
            Self::Float(value) => Node::Float(value),
            Self::String(text) => Node::String(Cow::Owned(text.into_owned())),
            Self::List(items) => Node::List(items.into_iter().map(Node::into_owned).collect()),
            Self::Object(fields) => Node::Object(
                fields.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect(),
            ),
        }
    }
}

impl serde::Serialize for Node<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(fields) => serializer.collect_map(fields.iter().map(|(key, value)| (key, value))),
        }
    }
}

/// An object that somebody wants to create or change, parsed once.
#[derive(Clone, Debug, PartialEq)]
pub struct Document<'a> {
    root: Node<'a>,
}

impl<'a> Document<'a> {
    /// Reads JSON. Doubled keys, trailing text, nesting deeper than 128 and more than 8 MiB are errors.
    pub fn from_json(text: &'a [u8]) -> Result<Self, DocumentError> {
        if text.len() > BYTES_MAX {
            return Err(DocumentError::TooLarge { bytes: text.len() });
        }
        // serde_json itself stops at a depth of 128.
        let plain = std::str::from_utf8(text).ok().and_then(plain::read);
        plain
            .map_or_else(|| serde_json::from_slice(text), Ok)
            .map(|root| Self { root })
            .map_err(|source| DocumentError::Json { line: source.line(), column: source.column(), source })
    }

    /// Wraps a value that was read elsewhere, for example from YAML.
    pub fn new(root: Node<'a>) -> Self {
        Self { root }
    }

    /// An empty document: a request without an object.
    pub fn empty() -> Self {
        Self { root: Node::Null }
    }

    /// The whole value.
    pub fn root(&self) -> &Node<'a> {
        &self.root
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// Object keys, borrowed where the text allows.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct NodeVisitor;

/// Objects with more fields than this check for doubled keys through a set instead of pair by pair.
const LINEAR_KEYS_MAX: usize = 16;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Node::Float(value as f64), Node::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Node::Float(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Node::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Node::String(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Node::String(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        while let Some((Key(key), value)) = access.next_entry::<Key<'de>, Node<'de>>()? {
            if let Err(key) = fields.add(key, value) {
                return Err(serde::de::Error::custom(format_args!("the key `{key}` stands twice in one object")));
            }
        }
        Ok(Node::Object(fields.list))
    }
}

/// The fields of an object while it is read.
#[derive(Default)]
struct Fields<'a> {
    list: Vec<(Cow<'a, str>, Node<'a>)>,
    /// The keys of all of them, once they are many.
    seen: HashSet<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// Gives back a key that is there already.
    fn add(&mut self, key: Cow<'a, str>, value: Node<'a>) -> Result<(), Cow<'a, str>> {
        let is_doubled = if self.list.len() < LINEAR_KEYS_MAX {
            self.list.iter().any(|(name, _)| *name == key)
        } else {
            if self.seen.is_empty() {
                self.seen.extend(self.list.iter().map(|(name, _)| name.clone()));
            }
            !self.seen.insert(key.clone())
        };
        if is_doubled {
            return Err(key);
        }
        self.list.push((key, value));
        Ok(())
    }
}

/// Why a text is not a document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not JSON, holds a key twice, or nests too deeply.
    #[error("the object is not valid JSON at line {line}, column {column}: {source}")]
    Json {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// It is larger than any Kubernetes object can be.
    #[error("the object has {bytes} bytes, at most {BYTES_MAX} are read")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
    },
}

impl Explain for DocumentError {
    fn code(&self) -> &'static str {
        match self {
            Self::Json { .. } => "document-invalid",
            Self::TooLarge { .. } => "document-too-large",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_by_path_and_missing_ones_are_null() {
        let document = Document::from_json(br#"{"a": {"b": [1, "x", null, true, 1.5]}}"#).unwrap();
        let list = document.root().at(&["a", "b"]);
        assert_eq!(list.items()[0].as_integer(), Some(1));
        assert_eq!(list.items()[1].as_str(), Some("x"));
        assert!(list.items()[2].is_null());
        assert!(document.root().at(&["a", "none", "deeper"]).is_null());
    }

    #[test]
    fn plain_strings_borrow_and_escaped_ones_are_decoded() {
        let document = Document::from_json(br#"{"plain": "abc", "esc\u0061ped": "a\nb"}"#).unwrap();
        assert!(matches!(document.root().get("plain"), Node::String(Cow::Borrowed("abc"))));
        assert_eq!(document.root().get("escaped").as_str(), Some("a\nb"));
    }

    #[test]
    fn a_doubled_key_is_refused_however_it_is_spelt() {
        let many = (0..30).fold(String::new(), |text, i| text + &format!("\"k{i}\":0,"));
        for text in [
            r#"{"image": "good", "image": "evil"}"#.to_owned(),
            r#"{"image": "good", "im\u0061ge": "evil"}"#.to_owned(),
            format!("{{{many}\"k3\": 1}}"),
            format!("{{{many}\"k29\": 1}}"),
        ] {
            let error = Document::from_json(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains("stands twice"), "{error}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for text in ["", "{", "{}x", "{\"a\": \u{1}}", &"[".repeat(200)] {
            assert_eq!(Document::from_json(text.as_bytes()).unwrap_err().code(), "document-invalid");
        }
        assert!(Document::from_json(b"\"\xff\"").is_err());
    }

    fn any_node() -> impl Strategy<Value = Node<'static>> {
        let leaf = prop_oneof![
            Just(Node::Null),
            any::<bool>().prop_map(Node::Bool),
            any::<i64>().prop_map(Node::Integer),
            ".{0,8}".prop_map(|text| Node::String(Cow::Owned(text))),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Node::List),
                proptest::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|map| Node::Object(map.into_iter().map(|(k, v)| (Cow::Owned(k), v)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_survives_its_text(node in any_node()) {
            let text = serde_json::to_vec(&node).unwrap();
            let read = Document::from_json(&text).unwrap();
            prop_assert_eq!(read.root(), &node);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Document::from_json(&bytes);
        }
    }
}
