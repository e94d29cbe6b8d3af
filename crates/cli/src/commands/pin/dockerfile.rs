//! The images of `FROM` instructions (Dockerfile reference), and where a digest is to be written behind each.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// An image that a Dockerfile starts from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FromImage {
    /// The image, build arguments replaced by their defaults.
    pub(super) written: String,
    /// Line of the instruction, counted from 1.
    pub(super) line: usize,
    /// The byte behind which the digest goes: the end of the image, or of the argument's default that ends it.
    pub(super) end: usize,
}

/// A word of an instruction.
#[derive(Clone, Debug)]
struct Word {
    text: String,
    bytes: Range<usize>,
}

/// A text that makes a part of an image's name, and where it stands.
struct Piece {
    text: String,
    bytes: Range<usize>,
    /// The build argument whose default it is.
    argument: Option<String>,
}

/// The images that stages start from. Earlier stages, `scratch`, and names made of arguments without a default are none:
/// what they are is not in the file.
pub(super) fn images(text: &str) -> Vec<FromImage> {
    let mut arguments: BTreeMap<String, Word> = BTreeMap::new();
    let mut stages: BTreeSet<String> = BTreeSet::from(["scratch".to_owned()]);
    let mut found: Vec<(Vec<Piece>, usize, usize)> = Vec::new();
    let mut is_global = true;
    for (line, words) in instructions(text) {
        let mut words = words.into_iter();
        let Some(instruction) = words.next() else { continue };
        if instruction.text.eq_ignore_ascii_case("arg") {
            // Only what stands before the first FROM counts in a FROM.
            if is_global {
                arguments.extend(words.filter_map(|word| default_of(&word)));
            }
            continue;
        }
        if !instruction.text.eq_ignore_ascii_case("from") {
            continue;
        }
        is_global = false;
        let Some(image) = words.by_ref().find(|word| !word.text.starts_with("--")) else { continue };
        let is_stage = stages.contains(&image.text.to_ascii_lowercase());
        if words.next().is_some_and(|word| word.text.eq_ignore_ascii_case("as"))
            && let Some(stage) = words.next()
        {
            stages.insert(stage.text.to_ascii_lowercase());
        }
        if !is_stage && let Some(pieces) = expand(&image, &arguments) {
            found.push((pieces, line, image.bytes.end));
        }
    }
    // One default that ends several different images cannot carry the digest of each.
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (pieces, ..) in &found {
        for argument in pieces.iter().filter_map(|piece| piece.argument.clone()) {
            uses.entry(argument).or_default().insert(written(pieces));
        }
    }
    let mut images = Vec::new();
    for (pieces, line, end) in &found {
        let own = written(pieces);
        let Some(last) = pieces.last().filter(|_| !stages.contains(&own.to_ascii_lowercase())) else { continue };
        let is_shared = last.argument.as_ref().and_then(|name| uses.get(name)).is_some_and(|images| images.len() > 1);
        images.push(FromImage { written: own, line: *line, end: if is_shared { *end } else { last.bytes.end } });
    }
    images
}

fn written(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect()
}

/// The image with its arguments replaced: `$NAME`, `${NAME}`, `${NAME:-default}`. `None` where one has no value.
fn expand(image: &Word, arguments: &BTreeMap<String, Word>) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let (mut rest, mut at) = (image.text.as_str(), image.bytes.start);
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

/// The instructions as words, with the line where each begins: continued lines are joined, comments and the bodies of
/// here-documents left out.
fn instructions(text: &str) -> Vec<(usize, Vec<Word>)> {
    let escape = if text.lines().take_while(|line| line.starts_with('#')).any(is_backtick_escape) { '`' } else { '\\' };
    let mut found: Vec<(usize, Vec<Word>)> = Vec::new();
    let mut continued = false;
    let mut bodies: Vec<String> = Vec::new();
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let start = offset;
        offset += line.len();
        if let Some(end) = bodies.first() {
            if line.trim() == end {
                bodies.remove(0);
            }
            continue;
        }
        let trimmed = line.trim();
        if trimmed.starts_with('#') || (trimmed.is_empty() && continued) {
            continue;
        }
        if !continued {
            found.push((index + 1, Vec::new()));
        }
        continued = trimmed.ends_with(escape);
        let mut words: Vec<Word> = words_of(line, start);
        if continued && let Some(last) = words.last_mut() {
            last.text.pop();
            last.bytes.end -= 1;
        }
        words.retain(|word| !word.text.is_empty());
        if let Some((_, all)) = found.last_mut() {
            all.extend(words);
            if !continued && takes_here_documents(all) {
                bodies = all.iter().filter_map(here_document).collect();
            }
        }
    }
    found
}

fn is_backtick_escape(comment: &str) -> bool {
    let text: String = comment.chars().filter(|c| !c.is_whitespace()).collect();
    text.eq_ignore_ascii_case("#escape=`")
}

fn words_of(line: &str, offset: usize) -> Vec<Word> {
    let mut words = Vec::new();
    let mut begin = None;
    for (index, character) in line.char_indices().chain([(line.len(), ' ')]) {
        match (character.is_whitespace(), begin) {
            (false, None) => begin = Some(index),
            (true, Some(start)) => {
                let text = line.get(start..index).unwrap_or_default().to_owned();
                words.push(Word { text, bytes: offset + start..offset + index });
                begin = None;
            }
            _ => {}
        }
    }
    words
}

fn takes_here_documents(words: &[Word]) -> bool {
    let first = words.first().map(|word| word.text.to_ascii_lowercase()).unwrap_or_default();
    matches!(first.as_str(), "run" | "copy" | "add")
}

/// `<<EOF`, `<<-EOF`, `<<"EOF"`: the line that ends the body.
fn here_document(word: &Word) -> Option<String> {
    let name = word.text.split_once("<<")?.1;
    let name = name.strip_prefix('-').unwrap_or(name).trim_matches(['"', '\'']);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each image and its line, and the text with `@D` behind each.
    fn pinned(text: &str) -> (Vec<(String, usize)>, String) {
        let found = images(text);
        let mut ends: Vec<_> = found.iter().map(|image| image.end).collect();
        ends.sort_unstable();
        ends.dedup();
        let mut after = text.to_owned();
        for end in ends.into_iter().rev() {
            after.insert_str(end, "@D");
        }
        (found.into_iter().map(|image| (image.written, image.line)).collect(), after)
    }

    #[test]
    fn stages_scratch_and_comments_are_no_images() {
        let text = "# FROM commented\nFROM --platform=linux/amd64 node:22 AS build\nRUN x\nfrom Build\nFROM scratch\n\
                    FROM debian:12 # note\n";
        let (found, after) = pinned(text);
        assert_eq!(found, [("node:22".to_owned(), 2), ("debian:12".to_owned(), 6)]);
        assert_eq!(after, text.replace("node:22", "node:22@D").replace("debian:12", "debian:12@D"));
    }

    #[test]
    fn the_default_of_an_argument_carries_the_digest() {
        for (text, written, after) in [
            ("ARG BASE=debian:12\nFROM $BASE\n", "debian:12", "ARG BASE=debian:12@D\nFROM $BASE\n"),
            ("ARG V=12\nFROM debian:${V} AS a\n", "debian:12", "ARG V=12@D\nFROM debian:${V} AS a\n"),
            ("ARG V=\"12\" W=1\nFROM debian:$V\n", "debian:12", "ARG V=\"12@D\" W=1\nFROM debian:$V\n"),
            (
                "ARG R=r.example\nFROM ${R}/debian:12\n",
                "r.example/debian:12",
                "ARG R=r.example\nFROM ${R}/debian:12@D\n",
            ),
            ("FROM ${B:-debian:12}\n", "debian:12", "FROM ${B:-debian:12@D}\n"),
            ("ARG B=alpine:3\nFROM ${B:-debian:12}\n", "alpine:3", "ARG B=alpine:3@D\nFROM ${B:-debian:12}\n"),
        ] {
            assert_eq!(pinned(text), (vec![(written.to_owned(), text.lines().count())], after.to_owned()));
        }
    }

    #[test]
    fn a_default_that_ends_several_images_is_left_to_them() {
        let text = "ARG V=1\nFROM a:$V\nFROM b:$V\n";
        assert_eq!(pinned(text).1, "ARG V=1\nFROM a:$V@D\nFROM b:$V@D\n");
        let same = "ARG V=1\nFROM a:$V AS x\nFROM a:$V\n";
        assert_eq!(pinned(same).1, "ARG V=1@D\nFROM a:$V AS x\nFROM a:$V\n");
    }

    #[test]
    fn what_the_build_decides_is_left_alone() {
        for text in [
            "ARG B\nFROM $B\n",
            "FROM a:${V}\n",
            "ARG A=1\nARG B=a:$A\nFROM $B\n",
            "FROM scratch\nARG B=a:1\nFROM $B\n",
            "FROM ${B:+a:1}\n",
            "FROM ${\n",
            "FROM\n",
            "ARG B=scratch\nFROM $B\n",
        ] {
            assert_eq!(pinned(text), (Vec::new(), text.to_owned()), "{text}");
        }
    }

    #[test]
    fn continued_lines_and_here_documents_are_read_as_docker_does() {
        let text = "FROM --platform=$BUILDPLATFORM \\\n  # why\n  node:22 AS build\nRUN <<EOF\nFROM no:1\nEOF\nFROM debian:12\n";
        assert_eq!(pinned(text).0, [("node:22".to_owned(), 1), ("debian:12".to_owned(), 7)]);
        let backtick = "# escape=`\nFROM `\n  a:1\nRUN dir c:\\\nFROM b:1\n";
        assert_eq!(pinned(backtick).0, [("a:1".to_owned(), 2), ("b:1".to_owned(), 5)]);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_ends_are_in_it(text in "(FROM|ARG|RUN|[ $={}:\\\\\"\n<a-c-]|\\PC){0,40}") {
            for image in images(&text) {
                prop_assert!(text.is_char_boundary(image.end));
            }
        }
    }
}
