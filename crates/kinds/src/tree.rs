//! A YAML value with the place of each of its parts, and serde over it, so that every error has a line and a column.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_saphyr::Spanned;

/// Line and column, counted from 1. Zero = not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl From<serde_saphyr::Location> for Position {
    fn from(location: serde_saphyr::Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) at: Position,
    pub(crate) node: Node,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    String(String),
    List(Vec<Tree>),
    Object(Vec<(Key, Tree)>),
}

/// A field name and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) at: Position,
    pub(crate) name: String,
}

impl Tree {
    /// The field `name` of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Tree> {
        self.fields().iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// The fields of an object, none for anything else.
    pub(crate) fn fields(&self) -> &[(Key, Tree)] {
        match &self.node {
            Node::Object(fields) => fields,
            _ => &[],
        }
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.node {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// Where a path such as `signers[1].name` leads, as far as it can be followed.
    pub(crate) fn nearest(&self, path: &str) -> Position {
        let mut tree = self;
        for part in path.split(['.', '[']) {
            let index = part.strip_suffix(']').and_then(|digits| digits.parse::<usize>().ok());
            let next = match (&tree.node, index) {
                (Node::List(items), Some(index)) => items.get(index),
                _ => tree.get(part),
            };
            match next {
                Some(next) => tree = next,
                None => break,
            }
        }
        tree.at
    }

    /// Reads a typed value.
    pub(crate) fn read<'de, T: Deserialize<'de>>(&'de self) -> Result<T, TreeError> {
        T::deserialize(self)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Node>::deserialize(deserializer)?;
        Ok(Self { at: spanned.referenced.into(), node: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(i64::try_from(value).map_or(Node::Unsigned(value), Node::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, value)) = access.next_entry::<Spanned<String>, Tree>()? {
            fields.push((Key { at: key.referenced.into(), name: key.value }, value));
        }
        Ok(Node::Object(fields))
    }
}

/// Why a tree is not the value that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TreeError {
    /// Where.
    pub(crate) at: Position,
    /// Path of fields from the object, innermost first.
    pub(crate) path: Vec<String>,
    /// What is wrong.
    pub(crate) cause: TreeCause,
}

/// What is wrong with a tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TreeCause {
    UnknownField { field: String, expected: &'static [&'static str] },
    MissingField { field: &'static str },
    Other { message: String },
}

impl TreeError {
    fn new(cause: TreeCause) -> Self {
        Self { at: Position::default(), path: Vec::new(), cause }
    }

    /// Adds the place, unless a deeper one is known.
    fn located(mut self, at: Position) -> Self {
        if self.at == Position::default() {
            self.at = at;
        }
        self
    }

    fn below(mut self, field: impl Into<String>) -> Self {
        self.path.push(field.into());
        self
    }

    /// The path as text, `spec.signers[0].for`.
    pub(crate) fn path(&self) -> String {
        let mut text = String::new();
        for part in self.path.iter().rev() {
            if !text.is_empty() && !part.starts_with('[') {
                text.push('.');
            }
            text.push_str(part);
        }
        text
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            TreeCause::UnknownField { field, .. } => write!(f, "unknown field `{field}`"),
            TreeCause::MissingField { field } => write!(f, "missing field `{field}`"),
            TreeCause::Other { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for TreeError {}

impl de::Error for TreeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(TreeCause::Other { message: message.to_string() })
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(TreeCause::UnknownField { field: field.to_owned(), expected })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(TreeCause::MissingField { field })
    }
}

impl<'de> Deserializer<'de> for &'de Tree {
    type Error = TreeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        let value = match &self.node {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Integer(value) => visitor.visit_i64(*value),
            Node::Unsigned(value) => visitor.visit_u64(*value),
            Node::Float(value) => visitor.visit_f64(*value),
            Node::String(text) => visitor.visit_borrowed_str(text),
            Node::List(items) => visitor.visit_seq(Items { items: items.iter().enumerate() }),
            Node::Object(fields) => visitor.visit_map(Fields { fields: fields.iter(), value: None }),
        };
        value.map_err(|error| error.located(self.at))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        if matches!(self.node, Node::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, TreeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        let value = match &self.node {
            Node::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Node::Object(fields) => match fields.as_slice() {
                [(key, value)] => visitor.visit_enum(Variant { key, value }),
                _ => Err(de::Error::custom(format_args!("exactly one field is needed here, not {}", fields.len()))),
            },
            _ => Err(de::Error::invalid_type(self.unexpected(), &"a word, or an object with one field")),
        };
        value.map_err(|error| error.located(self.at))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl Tree {
    fn unexpected(&self) -> de::Unexpected<'_> {
        match &self.node {
            Node::Null => de::Unexpected::Unit,
            Node::Bool(value) => de::Unexpected::Bool(*value),
            Node::Integer(value) => de::Unexpected::Signed(*value),
            Node::Unsigned(value) => de::Unexpected::Unsigned(*value),
            Node::Float(value) => de::Unexpected::Float(*value),
            Node::String(text) => de::Unexpected::Str(text),
            Node::List(_) => de::Unexpected::Seq,
            Node::Object(_) => de::Unexpected::Map,
        }
    }
}

struct Items<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Tree>>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = TreeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, TreeError> {
        let Some((index, item)) = self.items.next() else { return Ok(None) };
        seed.deserialize(item).map(Some).map_err(|error| error.located(item.at).below(format!("[{index}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Fields<'de> {
    fields: std::slice::Iter<'de, (Key, Tree)>,
    value: Option<&'de (Key, Tree)>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = TreeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, TreeError> {
        let Some(field) = self.fields.next() else { return Ok(None) };
        self.value = Some(field);
        let key = &field.0;
        seed.deserialize(de::value::BorrowedStrDeserializer::new(&key.name))
            .map(Some)
            .map_err(|error: TreeError| error.located(key.at))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, TreeError> {
        let Some((key, value)) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        seed.deserialize(value).map_err(|error| error.located(value.at).below(&key.name))
    }
}

struct Variant<'de> {
    key: &'de Key,
    value: &'de Tree,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = TreeError;
    type Variant = &'de Tree;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, &'de Tree), TreeError> {
        let name = seed
            .deserialize(de::value::BorrowedStrDeserializer::new(&self.key.name))
            .map_err(|error: TreeError| error.located(self.key.at))?;
        Ok((name, self.value))
    }
}

impl<'de> de::VariantAccess<'de> for &'de Tree {
    type Error = TreeError;

    fn unit_variant(self) -> Result<(), TreeError> {
        <()>::deserialize(self)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, TreeError> {
        seed.deserialize(self).map_err(|error| error.located(self.at))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, TreeError> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, TreeError> {
        self.deserialize_any(visitor)
    }
}
