//! YAML events to values that know their place.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{Event, Options, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::{YamlError, scalar};

/// Deepest nesting, alias expansion included. The API server takes no object anywhere near it.
const DEPTH_MAX: usize = 100;
/// Most values of one file, alias expansion included.
const VALUES_MAX: usize = 1_000_000;
/// Most documents of one file.
const DOCUMENTS_MAX: usize = 10_000;

/// Where a value stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Byte offset of its first byte.
    pub start: usize,
    /// Byte offset after its last byte.
    pub end: usize,
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1 in characters.
    pub column: usize,
}

/// Whose reading of YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `kubectl`'s: YAML 1.1 by go-yaml v2. What readers disagree on is refused.
    Kubernetes,
    /// The core schema of YAML 1.2 with merges, in which the mapping's own key wins and tags of applications are left
    /// aside: pipelines of GitHub and GitLab.
    Core,
}

/// One that is neither list nor object.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar<'a> {
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
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Marked<'a> {
    /// The value.
    pub value: Value<'a>,
    /// Where it stands; that of an alias is where its anchor stands.
    pub place: Place,
    /// Values in it, itself included, aliases expanded.
    values: usize,
    /// Levels in it, itself included.
    height: usize,
}

/// A value.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// Neither list nor object.
    Scalar(Scalar<'a>),
    /// A sequence.
    List(Vec<Marked<'a>>),
    /// A mapping, in the order of the file; each key once.
    Object(Vec<Field<'a>>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// The key as text.
    pub key: Cow<'a, str>,
    /// Where the key stands.
    pub key_place: Place,
    /// Its value.
    pub value: Marked<'a>,
}

impl<'a> Marked<'a> {
    /// A scalar at a place.
    pub fn scalar(node: Scalar<'a>, place: Place) -> Self {
        Self { value: Value::Scalar(node), place, values: 1, height: 1 }
    }

    /// The field `key`, where this is an object that has it.
    pub fn field(&self, key: &str) -> Option<&Field<'a>> {
        match &self.value {
            Value::Object(fields) => fields.iter().find(|field| field.key == key),
            _ => None,
        }
    }

    /// The value of the field `key`.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.field(key).map(|field| &field.value)
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The fields of an object; none of anything else.
    pub fn fields(&self) -> &[Field<'a>] {
        match &self.value {
            Value::Object(fields) => fields,
            _ => &[],
        }
    }

    /// The value at a path of fields.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }

    /// The value of a boolean.
    pub fn flag(&self) -> Option<bool> {
        match &self.value {
            Value::Scalar(Scalar::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// The value of an integer.
    pub fn integer(&self) -> Option<i64> {
        match &self.value {
            Value::Scalar(Scalar::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Scalar(Scalar::Null))
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(Scalar::String(text)) => Some(text),
            _ => None,
        }
    }
}

/// A document and where the text before it begins, for comments that name its source.
#[derive(Debug)]
pub struct Document<'a> {
    /// The value.
    pub root: Marked<'a>,
    /// The bytes between the document before and this one's first value.
    pub head: std::ops::Range<usize>,
}

/// Reads all documents of a file.
pub fn parse(text: &str, dialect: Dialect) -> Result<Vec<Document<'_>>, YamlError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader {
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        values: 0,
        dialect,
    };
    let mut documents = Vec::new();
    let mut head = 0;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::DocumentStart(..) => {
                if documents.len() >= DOCUMENTS_MAX {
                    return Err(bound("documents", DOCUMENTS_MAX, &span));
                }
                // Anchors do not outlive their document.
                reader.anchors.clear();
                let (event, span) = reader.next()?;
                let root = reader.value(event, &span, 1)?;
                documents.push(Document { head: head..root.place.start, root });
            }
            Event::DocumentEnd => head = place(&span).end,
            _ => {}
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Marked<'a>>,
    values: usize,
    dialect: Dialect,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(YamlError::Invalid {
                line: error.marker().line(),
                column: error.marker().col() + 1,
                message: error.info(),
            }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn count(&mut self, values: usize, span: &Span) -> Result<(), YamlError> {
        self.values = self.values.saturating_add(values);
        if self.values > VALUES_MAX { Err(bound("values, aliases expanded", VALUES_MAX, span)) } else { Ok(()) }
    }

    fn value(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Marked<'a>, YamlError> {
        if depth > DEPTH_MAX {
            return Err(bound("levels", DEPTH_MAX, span));
        }
        let start = place(span);
        let (anchor, marked) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(1, span)?;
                let node = self.scalar(text, style, tag.as_deref(), span)?;
                (anchor, Marked::scalar(node, start))
            }
            Event::SequenceStart(_, anchor, _) => {
                self.count(1, span)?;
                let mut items = Vec::new();
                let end = loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break place(&span).end;
                    }
                    items.push(self.value(event, &span, depth + 1)?);
                };
                (anchor, marked_list(items, Place { end, ..start }))
            }
            Event::MappingStart(_, anchor, _) => {
                self.count(1, span)?;
                (anchor, self.mapping(start, depth)?)
            }
            Event::Alias(id) => {
                let target =
                    self.anchors.get(&id).ok_or_else(|| refused(span, "an alias to something that holds it"))?;
                let (values, height) = (target.values, target.height);
                if depth + height > DEPTH_MAX {
                    return Err(bound("levels", DEPTH_MAX, span));
                }
                self.count(values, span)?;
                let target = self.anchors.get(&id).cloned();
                return target.ok_or_else(|| refused(span, "an alias to something that holds it"));
            }
            _ => return Err(refused(span, "a value is missing")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, marked.clone());
            self.count(marked.values, span)?;
        }
        Ok(marked)
    }

    fn scalar(
        &self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<Scalar<'a>, YamlError> {
        let plain = style == ScalarStyle::Plain;
        if self.dialect == Dialect::Core {
            return Ok(if plain && tag.is_none() { scalar::resolve_core(text) } else { Scalar::String(text) });
        }
        let resolve = |text| scalar::resolve(text).ok_or_else(|| refused(span, "a number that JSON does not have"));
        match tag.map(|tag| tag.core_suffix()) {
            None if plain => resolve(text),
            None | Some(Some("str")) => Ok(Scalar::String(text)),
            Some(Some(suffix @ ("int" | "float" | "bool" | "null"))) => {
                let node = resolve(text)?;
                match (suffix, &node) {
                    ("int" | "float", Scalar::Integer(_))
                    | ("float", Scalar::Float(_))
                    | ("bool", Scalar::Bool(_))
                    | ("null", Scalar::Null) => Ok(node),
                    _ => Err(refused(span, "a value that is not what its tag says")),
                }
            }
            Some(_) => Err(refused(span, "a tag other than those of the core schema")),
        }
    }

    fn mapping(&mut self, start: Place, depth: usize) -> Result<Marked<'a>, YamlError> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        // Keys that a merge brought in, which a key of the mapping itself may replace.
        let mut merged: Vec<Field<'a>> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let end = loop {
            let (event, key_span) = self.next()?;
            if event == Event::MappingEnd {
                break place(&key_span).end;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.value(event, &key_span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.value(event, &span, depth + 1)?;
            if is_merge {
                for field in merge(value, &span)? {
                    // YAML says that the mapping's own key wins; go-yaml v2 lets a later merge win.
                    if self.dialect == Dialect::Kubernetes && seen.contains(&field.key) {
                        let why = format!(
                            "`{}` stands before a merge (<<) that also has it: readers disagree on which counts",
                            field.key
                        );
                        return Err(refused(&span, &why));
                    }
                    if !merged.iter().any(|earlier| earlier.key == field.key) {
                        merged.push(field);
                    }
                }
                continue;
            }
            let key_place = key.place;
            let key = key_text(key, &key_span)?;
            if !seen.insert(key.clone()) {
                return Err(YamlError::DoubledKey {
                    key: key.into_owned(),
                    line: key_place.line,
                    column: key_place.column,
                });
            }
            fields.push(Field { key, key_place, value });
        };
        fields.extend(merged.into_iter().filter(|field| !seen.contains(&field.key)));
        let values = 1 + fields.iter().map(|field| field.value.values).sum::<usize>();
        let height = 1 + fields.iter().map(|field| field.value.height).max().unwrap_or(0);
        Ok(Marked { value: Value::Object(fields), place: Place { end, ..start }, values, height })
    }
}

fn marked_list(items: Vec<Marked<'_>>, place: Place) -> Marked<'_> {
    let values = 1 + items.iter().map(|item| item.values).sum::<usize>();
    let height = 1 + items.iter().map(|item| item.height).max().unwrap_or(0);
    Marked { value: Value::List(items), place, values, height }
}

/// The fields that `<<` brings in: of one mapping, or of a list of them of which the first wins.
fn merge<'a>(value: Marked<'a>, span: &Span) -> Result<Vec<Field<'a>>, YamlError> {
    match value.value {
        Value::Object(fields) => Ok(fields),
        Value::List(items) => {
            let mut fields = Vec::new();
            for item in items {
                match item.value {
                    Value::Object(more) => fields.extend(more),
                    _ => return Err(refused(span, "a merge (<<) of something that is no mapping")),
                }
            }
            Ok(fields)
        }
        Value::Scalar(_) => Err(refused(span, "a merge (<<) of something that is no mapping")),
    }
}

/// JSON has string keys only; kubectl turns booleans and numbers into text.
fn key_text<'a>(key: Marked<'a>, span: &Span) -> Result<Cow<'a, str>, YamlError> {
    match key.value {
        Value::Scalar(Scalar::String(text)) => Ok(text),
        Value::Scalar(Scalar::Bool(value)) => Ok(Cow::Owned(value.to_string())),
        Value::Scalar(Scalar::Integer(value)) => Ok(Cow::Owned(value.to_string())),
        Value::Scalar(Scalar::Float(value)) => Ok(Cow::Owned(value.to_string())),
        _ => Err(refused(span, "a key that is no text")),
    }
}

fn place(span: &Span) -> Place {
    let range = span.byte_range().unwrap_or(0..0);
    Place { start: range.start, end: range.end, line: span.start.line(), column: span.start.col() + 1 }
}

fn refused(span: &Span, why: &str) -> YamlError {
    YamlError::Invalid { line: span.start.line(), column: span.start.col() + 1, message: why.to_owned() }
}

fn bound(what: &'static str, limit: usize, span: &Span) -> YamlError {
    YamlError::Bound { what, limit, line: span.start.line() }
}
