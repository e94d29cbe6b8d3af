//! XML as a stream of elements, for the feeds that come in it. No entity but XML's own five is expanded, and depth is bounded.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::malformed;
use crate::source::SourceError;

/// Deepest nesting. Real files have ten.
const MAX_DEPTH: usize = 64;
/// Most bytes of text of one element.
const MAX_TEXT: usize = 1 << 20;

/// What happens in a document; names are without their prefixes.
pub(super) enum Step<'a> {
    /// An element begins.
    Open { name: &'a str, attributes: &'a BTreeMap<String, String> },
    /// An element ends; its own text, trimmed.
    Close { name: &'a str, text: &'a str },
}

/// Walks a document, element by element.
pub(super) fn walk(
    file: &str,
    feed: &'static str,
    bytes: &[u8],
    mut visit: impl FnMut(Step<'_>),
) -> Result<(), SourceError> {
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(file, feed, error))?;
    let mut reader = Reader::from_str(text);
    // Open elements with their text so far.
    let mut open: Vec<(String, String)> = Vec::new();
    loop {
        let event = reader
            .read_event()
            .map_err(|error| malformed(file, feed, format_args!("at byte {}: {error}", reader.error_position())))?;
        match event {
            Event::Start(start) => {
                let (name, attributes) = element(file, feed, &start)?;
                visit(Step::Open { name: &name, attributes: &attributes });
                if open.len() == MAX_DEPTH {
                    return Err(malformed(file, feed, "elements are nested too deep"));
                }
                open.push((name, String::new()));
            }
            Event::Empty(start) => {
                let (name, attributes) = element(file, feed, &start)?;
                visit(Step::Open { name: &name, attributes: &attributes });
                visit(Step::Close { name: &name, text: "" });
            }
            Event::End(_) => {
                if let Some((name, text)) = open.pop() {
                    visit(Step::Close { name: &name, text: text.trim() });
                }
            }
            Event::Text(text) => append(&mut open, &String::from_utf8_lossy(&text)),
            Event::CData(text) => append(&mut open, &String::from_utf8_lossy(&text)),
            Event::GeneralRef(name) => append(
                &mut open,
                match &*name {
                    b"lt" => "<",
                    b"gt" => ">",
                    b"amp" => "&",
                    b"quot" => "\"",
                    b"apos" => "'",
                    // Entities of a document's own are not expanded: they are how a small file becomes a large one.
                    _ => "",
                },
            ),
            Event::Eof if open.is_empty() => return Ok(()),
            Event::Eof => return Err(malformed(file, feed, "the document ends inside an element")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn append(open: &mut [(String, String)], more: &str) {
    if let Some((_, text)) = open.last_mut()
        && text.len() + more.len() <= MAX_TEXT
    {
        text.push_str(more);
    }
}

fn element(
    file: &str,
    feed: &'static str,
    start: &BytesStart<'_>,
) -> Result<(String, BTreeMap<String, String>), SourceError> {
    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
    let mut attributes = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| malformed(file, feed, error))?;
        let key = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
        let value = attribute.unescape_value().map_err(|error| malformed(file, feed, error))?;
        attributes.insert(key, value.into_owned());
    }
    Ok((name, attributes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(xml: &str) -> Result<Vec<String>, SourceError> {
        let mut found = Vec::new();
        walk("in", "test", xml.as_bytes(), |step| {
            if let Step::Close { name, text } = step {
                found.push(format!("{name}={text}"));
            }
        })?;
        Ok(found)
    }

    #[test]
    fn entities_of_the_document_are_not_expanded() {
        let bomb = r#"<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;">]><a><b>1 &lt; 2</b><c>&y;</c></a>"#;
        assert_eq!(texts(bomb).unwrap(), ["b=1 < 2", "c=", "a="]);
    }

    #[test]
    fn what_is_no_document_is_an_error() {
        for xml in ["<a>", "<a></b>", "<a b=1/>", &format!("{}{}", "<a>".repeat(70), "</a>".repeat(70))] {
            assert!(texts(xml).is_err(), "{xml}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(<|>|/|a|b|=|\"|&|;|!|\\[|\\PC){0,60}") {
            let _ = texts(&text);
        }
    }
}
