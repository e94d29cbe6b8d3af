//! XML as a small tree, for the one format that comes in it, and its writing.
//!
//! Read by `quick-xml`. No entity but XML's own five and character references is expanded, none is fetched; the bounds are
//! those of JSON documents.

use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::SbomError;
use crate::read::{MAX_DEPTH, MAX_OBJECTS};

/// What the errors call the format.
const FORMAT: &str = "CycloneDX XML";

/// An element with all that is in it. Names are without their prefixes.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// Its own text; only what has no elements in it has one that matters.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
    /// The namespace that it declares.
    pub(crate) namespace: Option<String>,
}

impl Element {
    /// The value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first element of this name in it.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All elements of a name inside the first element of another: `<hashes><hash/></hashes>`.
    pub(crate) fn list(&self, outer: &str, inner: &'static str) -> impl Iterator<Item = &Self> {
        self.child(outer).into_iter().flat_map(|list| &list.children).filter(move |child| child.name == inner)
    }

    /// The text of the first element of this name in it.
    pub(crate) fn text_of(&self, name: &str) -> Option<String> {
        self.child(name).map(|child| child.text.clone())
    }
}

/// Reads a whole document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element, SbomError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| SbomError::NotAnSbom { reason: "it is XML, and not in UTF-8".to_owned() })?;
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    let mut elements = 0_usize;
    loop {
        let event = match reader.read_event() {
            Ok(event) => event,
            Err(error) => return Err(malformed(text, reader.error_position(), &error.to_string())),
        };
        let at = reader.buffer_position();
        match event {
            Event::Start(_) | Event::Empty(_) if elements == MAX_OBJECTS => {
                return Err(SbomError::TooMany { what: "elements", limit: MAX_OBJECTS });
            }
            Event::Start(start) => {
                elements += 1;
                if open.len() > MAX_DEPTH {
                    return Err(SbomError::TooDeep { limit: MAX_DEPTH });
                }
                open.push(element(&start).ok_or_else(|| malformed(text, at, "its attributes cannot be read"))?);
            }
            Event::Empty(start) => {
                elements += 1;
                let empty = element(&start).ok_or_else(|| malformed(text, at, "its attributes cannot be read"))?;
                if let Some(parent) = open.last_mut() {
                    parent.children.push(empty);
                }
            }
            Event::End(_) => {
                if let (Some(done), Some(parent)) = (open.pop(), open.last_mut()) {
                    parent.children.push(done);
                }
            }
            Event::Text(more) => append(&mut open, &String::from_utf8_lossy(&more)),
            Event::CData(more) => append(&mut open, &String::from_utf8_lossy(&more)),
            Event::GeneralRef(reference) => {
                let name = String::from_utf8_lossy(&reference);
                match (reference.resolve_char_ref(), quick_xml::escape::resolve_predefined_entity(&name)) {
                    (Ok(Some(character)), _) => append(&mut open, character.encode_utf8(&mut [0; 4])),
                    (_, Some(known)) => append(&mut open, known),
                    _ => append(&mut open, &format!("&{name};")),
                }
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            Event::Eof => break,
        }
    }
    let end = text.len() as u64;
    match (open.pop(), open.is_empty()) {
        (Some(document), true) => {
            document.children.into_iter().next().ok_or_else(|| malformed(text, end, "it is empty"))
        }
        _ => Err(malformed(text, end, "it ends inside an element")),
    }
}

fn append(open: &mut [Element], more: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(more);
    }
}

fn element(start: &BytesStart<'_>) -> Option<Element> {
    let local = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut element = Element { name: local(start.local_name().as_ref()), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let value = attribute.unescape_value().ok()?.into_owned();
        if attribute.key.as_ref() == b"xmlns" || attribute.key.prefix().is_some_and(|p| p.as_ref() == b"xmlns") {
            // The prefix says which namespace is meant; a document has one of CycloneDX's.
            if value.starts_with("http://cyclonedx.org/schema/bom/") {
                element.namespace = Some(value);
            }
        } else {
            element.attributes.push((local(attribute.key.local_name().as_ref()), value));
        }
    }
    Some(element)
}

fn malformed(text: &str, position: u64, reason: &str) -> SbomError {
    let position = usize::try_from(position).unwrap_or(usize::MAX).min(text.len());
    let before = text.as_bytes().get(..position).unwrap_or_default();
    let line = before.split(|byte| *byte == b'\n').count();
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    SbomError::Malformed { format: FORMAT, line, column, reason: reason.to_owned() }
}

/// Writes elements, indented by two spaces.
pub(crate) struct Writer {
    out: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// A document that begins with its declaration.
    pub(crate) fn new() -> Self {
        Self { out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), open: Vec::new() }
    }

    /// An element with what `inside` writes; none where it writes nothing and there are no attributes.
    pub(crate) fn element(
        &mut self,
        name: &'static str,
        attributes: &[(&str, Option<&str>)],
        inside: impl FnOnce(&mut Self),
    ) {
        let start = self.out.len();
        self.tag(name, attributes);
        self.out.push_str(">\n");
        let empty = self.out.len();
        self.open.push(name);
        inside(self);
        self.open.pop();
        if self.out.len() > empty {
            self.indent();
            let _ = writeln!(self.out, "</{name}>");
        } else if attributes.iter().any(|(_, value)| value.is_some()) {
            self.out.truncate(empty - 2);
            self.out.push_str("/>\n");
        } else {
            self.out.truncate(start);
        }
    }

    /// An element with a text; none where there is no text.
    pub(crate) fn text(&mut self, name: &'static str, attributes: &[(&str, Option<&str>)], text: Option<&str>) {
        let Some(text) = text else { return };
        self.tag(name, attributes);
        self.out.push('>');
        escape(&mut self.out, text);
        let _ = writeln!(self.out, "</{name}>");
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, Option<&str>)]) {
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            let Some(value) = value else { continue };
            let _ = write!(self.out, " {key}=\"");
            escape(&mut self.out, value);
            self.out.push('"');
        }
    }

    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n("  ", self.open.len()));
    }

    /// The document.
    pub(crate) fn finish(self) -> String {
        self.out
    }
}

/// Text as it stands for itself in elements and attributes. What XML 1.0 has no way to write (section 2.2) is replaced.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Readers would normalise these (sections 2.11 and 3.3.3).
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entities_of_the_document_are_not_expanded() {
        let bomb = b"<!DOCTYPE a [<!ENTITY x \"xxxx\">]><a b=\"1\">&x;&lt;<c/></a>";
        let element = parse(bomb).unwrap();
        assert_eq!((element.text.as_str(), element.attribute("b"), element.children.len()), ("&x;<", Some("1"), 1));
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let Err(SbomError::Malformed { line: 2, .. }) = parse(b"<a>\n<b></a>") else { panic!() };
        assert!(parse(b"<a>").is_err() && parse(b"").is_err() && parse(b"<a b=1/>").is_err());
        let deep = "<a>".repeat(MAX_DEPTH + 1);
        assert_eq!(parse(deep.as_bytes()).unwrap_err(), SbomError::TooDeep { limit: MAX_DEPTH });
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "\\PC{0,30}[\n\r\t]?\\PC{0,5}", attribute in "\\PC{0,20}[\n]?") {
            let mut writer = Writer::new();
            writer.element("a", &[("k", Some(&attribute)), ("none", None)], |w| w.text("t", &[], Some(&text)));
            let element = parse(writer.finish().as_bytes()).unwrap();
            prop_assert_eq!(element.attribute("k"), Some(attribute.as_str()));
            prop_assert_eq!(element.text_of("t"), Some(text));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[<>a/!=\"'& ?\\[\\];#x-]{0,60}") {
            let _ = parse(text.as_bytes());
        }
    }
}
