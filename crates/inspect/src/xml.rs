//! XML as a stream of elements and texts, for the manifests that come in it, without a document in memory.
//!
//! Read by `quick-xml`. No entity but XML's own five and character references is expanded: others stay as written, so that
//! nothing is fetched and nothing grows. Depth and the length of a text are bounded.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event as Raw};

/// Elements inside each other that are followed.
const DEPTH: usize = 256;
/// Bytes of one text; more is cut.
const TEXT_BYTES: usize = 64 << 10;

/// What a document has next. Names are without their prefixes.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// An element begins; an empty one is followed by its end.
    Start {
        /// Its name.
        name: &'a str,
        /// Its attributes: [`attribute`] reads them.
        element: &'a BytesStart<'a>,
    },
    /// What stands between two tags, trimmed, with references as what they stand for; never empty.
    Text(&'a str),
    /// An element ends.
    End(&'a str),
}

/// Calls `each` with what a document holds, in order; whether it is whole, and not nested deeper than 256 elements.
pub(crate) fn read(text: &str, each: &mut dyn FnMut(Event<'_>)) -> bool {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let (mut depth, mut seen, mut between) = (0_usize, false, String::new());
    loop {
        let Ok(event) = reader.read_event() else { return false };
        match &event {
            Raw::Text(more) => append(&mut between, &String::from_utf8_lossy(more)),
            Raw::CData(more) => append(&mut between, &String::from_utf8_lossy(more)),
            Raw::GeneralRef(reference) => refer(&mut between, reference),
            Raw::Comment(_) | Raw::Decl(_) | Raw::PI(_) | Raw::DocType(_) => {}
            Raw::Start(_) | Raw::Empty(_) | Raw::End(_) | Raw::Eof => {
                let whole = between.trim();
                // Text beside the root element is no XML.
                if !whole.is_empty() && depth == 0 {
                    return false;
                }
                if !whole.is_empty() {
                    each(Event::Text(whole));
                }
                between.clear();
            }
        }
        match &event {
            Raw::Start(element) | Raw::Empty(element) => {
                let is_empty = matches!(event, Raw::Empty(_));
                let local = element.local_name();
                let Ok(name) = std::str::from_utf8(local.as_ref()) else { return false };
                seen = true;
                each(Event::Start { name, element });
                if is_empty {
                    each(Event::End(name));
                } else if depth == DEPTH {
                    return false;
                } else {
                    depth += 1;
                }
            }
            Raw::End(element) => {
                let local = element.local_name();
                let Ok(name) = std::str::from_utf8(local.as_ref()) else { return false };
                depth = depth.saturating_sub(1);
                each(Event::End(name));
            }
            Raw::Eof => return seen && depth == 0,
            _ => {}
        }
    }
}

fn append(text: &mut String, more: &str) {
    if text.len() + more.len() <= TEXT_BYTES {
        text.push_str(more);
    }
}

/// Adds what a reference stands for; one that only the document itself would explain stays as written.
fn refer(text: &mut String, reference: &BytesRef<'_>) {
    let name = String::from_utf8_lossy(reference);
    match (reference.resolve_char_ref(), quick_xml::escape::resolve_predefined_entity(&name)) {
        (Ok(Some(character)), _) => append(text, character.encode_utf8(&mut [0; 4])),
        (_, Some(known)) => append(text, known),
        _ => append(text, &format!("&{name};")),
    }
}

/// The value of an attribute, with references as what they stand for; none where it is missing or damaged.
pub(crate) fn attribute(element: &BytesStart<'_>, key: &str) -> Option<String> {
    let found =
        element.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == key.as_bytes())?;
    Some(found.unescape_value().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(text: &str) -> (Vec<String>, bool) {
        let mut out = Vec::new();
        let whole = read(text, &mut |event| {
            out.push(match event {
                Event::Start { name, element } => format!("<{name}{}", attribute(element, "a").unwrap_or_default()),
                Event::Text(text) => text.to_owned(),
                Event::End(name) => format!("/{name}"),
            });
        });
        (out, whole)
    }

    #[test]
    fn elements_attributes_and_text_come_in_order() {
        let text = "\u{feff}<?xml version='1.0'?><!DOCTYPE x><!-- <no/> --><x:r a='>&#65;'><e b=\"1\" a=\"2\"/> t &lt; <![CDATA[<c>]]></x:r>";
        let (events, whole) = events(text);
        assert!(whole);
        assert_eq!(events, ["<r>A", "<e2", "/e", "t < <c>", "/r"]);
    }

    #[test]
    fn broken_and_deep_documents_are_not_whole() {
        for text in ["", "text", "<a>", "<a></b>", "<a", "<a b='", "<!-- x", "</a>", "<a/>text"] {
            assert!(!events(text).1, "{text}");
        }
        assert!(!events(&"<a>".repeat(DEPTH + 1)).1);
        let deep = format!("{}{}", "<a>".repeat(DEPTH), "</a>".repeat(DEPTH));
        assert!(events(&deep).1);
    }

    #[test]
    fn entities_of_the_document_are_not_expanded() {
        let bomb = "<!DOCTYPE a [<!ENTITY lol \"haha\"><!ENTITY lol2 \"&lol;&lol;\">]><a b='&lol2;'>&lol2; &amp;amp; &#xzz;</a>";
        assert_eq!(events(bomb), (vec!["<a".into(), "&lol2; &amp; &#xzz;".into(), "/a".into()], true));
    }

    #[test]
    fn a_text_is_cut_and_the_document_goes_on() {
        let long = format!("<a>{}<b/>x</a>", "&#65;".repeat(TEXT_BYTES + 10));
        let (events, whole) = events(&long);
        assert!(whole);
        assert_eq!((events[1].len(), events.len()), (TEXT_BYTES, 6));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[<>a/!=\"'& ?\\[\\];#x-]{0,60}") {
            let _ = events(&text);
        }
    }
}
