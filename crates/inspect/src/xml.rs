//! The part of XML that manifests are made of: elements, attributes and text, as events, without a document in memory.
//!
//! Source: Extensible Markup Language 1.0, sections 2 and 3.1. Entities other than the five predefined ones and character
//! references stay as written, so nothing is ever fetched or expanded; document type declarations are passed over.

/// Elements inside each other that are followed.
const DEPTH: usize = 256;

/// What a document has next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// An element begins; an empty one is followed by its end.
    Start {
        name: &'a str,
        /// What stands behind the name: [`attribute`] reads it.
        attributes: &'a str,
    },
    /// Text, trimmed, as written.
    Text(&'a str),
    /// An element ends.
    End(&'a str),
}

/// Calls `each` with what a document holds, in order; whether it is whole, and not nested deeper than 256 elements.
pub(crate) fn read(text: &str, each: &mut dyn FnMut(Event<'_>)) -> bool {
    let mut rest = text.trim_start_matches('\u{feff}');
    let mut open: Vec<&str> = Vec::new();
    let mut seen = false;
    loop {
        let Some((before, from)) = rest.split_once('<') else { return seen && open.is_empty() };
        let before = before.trim();
        if !before.is_empty() {
            each(Event::Text(before));
        }
        let skip = |end: &str| from.split_once(end).map(|(_, behind)| behind);
        if let Some(comment) = from.strip_prefix("!--") {
            let Some((_, behind)) = comment.split_once("-->") else { return false };
            rest = behind;
        } else if let Some(data) = from.strip_prefix("![CDATA[") {
            let Some((data, behind)) = data.split_once("]]>") else { return false };
            each(Event::Text(data.trim()));
            rest = behind;
        } else if from.starts_with('?') {
            let Some(behind) = skip("?>") else { return false };
            rest = behind;
        } else if from.starts_with('!') {
            let Some(behind) = skip(">") else { return false };
            rest = behind;
        } else if let Some(end) = from.strip_prefix('/') {
            let Some((name, behind)) = end.split_once('>') else { return false };
            let name = local(name.trim());
            if open.pop() != Some(name) {
                return false;
            }
            each(Event::End(name));
            rest = behind;
        } else {
            let Some(end) = end_of_tag(from) else { return false };
            let (tag, behind) = from.split_at(end);
            rest = behind.get(1..).unwrap_or_default();
            let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
            let name = local(name);
            seen = true;
            each(Event::Start { name, attributes });
            if is_empty {
                each(Event::End(name));
            } else if open.len() >= DEPTH {
                return false;
            } else {
                open.push(name);
            }
        }
    }
}

/// Without a namespace prefix.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// The place of the `>` that is not inside quotes.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => return Some(at),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// The value of an attribute, unescaped.
pub(crate) fn attribute(attributes: &str, key: &str) -> Option<String> {
    let mut rest = attributes;
    while let Some((name, behind)) = rest.split_once('=') {
        let behind = behind.trim_start();
        let quote = behind.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, after) = behind.get(1..)?.split_once(quote)?;
        if local(name.trim()) == key {
            return Some(unescape(value));
        }
        rest = after;
    }
    None
}

/// Text with the five predefined entities and character references as what they stand for.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('&') {
        out.push_str(before);
        let known = from.split_once(';').filter(|(name, _)| name.len() <= 8).and_then(|(name, behind)| {
            let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
            let c = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                _ => match name.strip_prefix("#x") {
                    Some(digits) => number(digits, 16)?,
                    None => number(name.strip_prefix('#')?, 10)?,
                },
            };
            Some((c, behind))
        });
        if let Some((c, behind)) = known {
            out.push(c);
            rest = behind;
        } else {
            out.push('&');
            rest = from;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(text: &str) -> (Vec<String>, bool) {
        let mut out = Vec::new();
        let whole = read(text, &mut |event| {
            out.push(match event {
                Event::Start { name, attributes } => {
                    format!("<{name}{}", attribute(attributes, "a").unwrap_or_default())
                }
                Event::Text(text) => unescape(text),
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
        assert_eq!(events, ["<r>A", "<e2", "/e", "t <", "<c>", "/r"]);
    }

    #[test]
    fn broken_and_deep_documents_are_not_whole() {
        for text in ["", "text", "<a>", "<a></b>", "<a", "<a b='", "<!-- x", "</a>"] {
            assert!(!events(text).1, "{text}");
        }
        assert!(!events(&"<a>".repeat(DEPTH + 1)).1);
    }

    #[test]
    fn entities_of_the_document_are_not_expanded() {
        assert_eq!(unescape("&lol; &amp;amp; &#xzz; &"), "&lol; &amp; &#xzz; &");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[<>a/!=\"'& ?\\[\\]-]{0,60}") {
            let _ = events(&text);
        }
    }
}
