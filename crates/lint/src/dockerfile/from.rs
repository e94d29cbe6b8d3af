//! The image of a `FROM`: its arguments replaced, and where a digest is to be written behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Defaults, Instruction, Word};

/// An image that a Dockerfile starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FromImage {
    /// The image, build arguments replaced by their defaults.
    pub written: String,
    /// The bytes of the image as it stands in its `FROM`.
    pub bytes: Range<usize>,
    /// The byte behind which the digest goes: the end of the image, or of the argument's default that ends it.
    pub end: usize,
}

/// A text that makes a part of an image's name, and where it stands.
pub(super) struct Piece {
    text: String,
    bytes: Range<usize>,
    /// The build argument whose default it is.
    argument: Option<String>,
}

/// An image whose end is not yet known.
pub(super) struct Pending {
    pub(super) pieces: Vec<Piece>,
    pub(super) bytes: Range<usize>,
}

/// The whole name.
pub(super) fn written(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect()
}

/// Where the digests go. One default that ends several different images cannot carry the digest of each.
pub(super) fn finish(found: &[Pending], stages: &BTreeSet<String>) -> Vec<FromImage> {
    let mut uses: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for image in found {
        for argument in image.pieces.iter().filter_map(|piece| piece.argument.as_deref()) {
            uses.entry(argument).or_default().insert(written(&image.pieces));
        }
    }
    let mut images = Vec::new();
    for Pending { pieces, bytes } in found {
        let own = written(pieces);
        let Some(last) = pieces.last().filter(|_| !stages.contains(&own.to_ascii_lowercase())) else { continue };
        let argument = last.argument.as_deref();
        let is_shared = argument.and_then(|name| uses.get(name)).is_some_and(|images| images.len() > 1);
        let end = if is_shared { bytes.end } else { last.bytes.end };
        images.push(FromImage { written: own, bytes: bytes.clone(), end });
    }
    images
}

/// The image with its arguments replaced: `$NAME`, `${NAME}`, `${NAME:-default}`. `None` where one has no value.
/// A name that goes on behind a line break has none either: no one place in `source` is the whole of it.
pub(super) fn expand(source: &str, image: &Word, arguments: &Defaults) -> Option<Vec<Piece>> {
    source.get(image.bytes.clone()).filter(|text| *text == image.text)?;
    let mut pieces = Vec::new();
    let quoted = |quote: char| image.text.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote));
    let (mut rest, mut at) = match quoted('"').or_else(|| quoted('\'')) {
        Some(inner) => (inner, image.bytes.start + 1),
        None => (image.text.as_str(), image.bytes.start),
    };
    while !rest.is_empty() {
        let literal = rest.find('$').unwrap_or(rest.len());
        if literal > 0 {
            let (text, after) = rest.split_at(literal);
            pieces.push(Piece { text: text.to_owned(), bytes: at..at + literal, argument: None });
            (rest, at) = (after, at + literal);
            continue;
        }
        let (name, default, length) = if let Some(braced) = rest.strip_prefix("${") {
            let inner = braced.split_once('}')?.0;
            let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, text)| (name, Some(text)));
            (name, default, inner.len() + 3)
        } else {
            let name = rest.get(1..)?;
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            (name.get(..end)?, None, end + 1)
        };
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match (is_name, arguments.get(name), default) {
            (true, Some(value), _) => pieces.push(Piece {
                text: value.text.clone(),
                bytes: value.bytes.clone(),
                argument: Some(name.to_owned()),
            }),
            (true, None, Some(text)) if !text.contains('$') => {
                let start = at + length - 1 - text.len();
                pieces.push(Piece { text: text.to_owned(), bytes: start..start + text.len(), argument: None });
            }
            _ => return None,
        }
        (rest, at) = (rest.get(length..)?, at + length);
    }
    Some(pieces)
}

/// The defaults that an `ARG` gives.
pub(super) fn arguments_of(source: &str, instruction: &Instruction) -> impl Iterator<Item = (String, Word)> {
    let whole = |word: &&Word| source.get(word.bytes.clone()).is_some_and(|text| text == word.text);
    instruction.words.iter().filter(whole).filter_map(default_of)
}

/// `NAME=default` of an `ARG`, its quotes left out; one that is made of other arguments is no default here.
fn default_of(word: &Word) -> Option<(String, Word)> {
    let (name, value) = word.text.split_once('=')?;
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|inner| inner.strip_suffix(quote));
    let (inner, skipped) = match quoted('"').or_else(|| quoted('\'')) {
        Some(inner) => (inner, 1),
        None => (value, 0),
    };
    let start = word.bytes.start + name.len() + 1 + skipped;
    let plain = !inner.is_empty() && !inner.contains(['$', '"', '\'', '\\']);
    plain.then(|| (name.to_owned(), Word { text: inner.to_owned(), bytes: start..start + inner.len() }))
}
