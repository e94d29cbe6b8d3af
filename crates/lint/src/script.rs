//! A text put together from pieces of a file, which remembers where each piece stood: a continued instruction, the body of a
//! here-document, a block scalar.

use std::ops::Range;

/// A text and where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Script {
    text: String,
    /// Offset in the text, offset in the file; sorted by both.
    pieces: Vec<(usize, usize)>,
}

impl Script {
    /// The text, continued lines joined.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Adds text that stands at `offset` of the file.
    pub(crate) fn push(&mut self, text: &str, offset: usize) {
        self.pieces.push((self.text.len(), offset));
        self.text.push_str(text);
    }

    /// A part of it.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let mut part = Self::default();
        let text = self.text.get(range.clone()).unwrap_or_default();
        let end = range.start + text.len();
        let starts = self.pieces.iter().map(|(at, _)| *at).filter(|at| range.start < *at && *at < end);
        let mut from = range.start;
        for to in starts.chain([end]).collect::<Vec<_>>() {
            part.push(self.text.get(from..to).unwrap_or_default(), self.offset(from));
            from = to;
        }
        part
    }

    /// Where a byte of the text stands in the file.
    pub(crate) fn offset(&self, at: usize) -> usize {
        let after = self.pieces.partition_point(|(start, _)| *start <= at);
        self.pieces.get(after.saturating_sub(1)).map_or(0, |(start, offset)| offset + at.saturating_sub(*start))
    }

    /// The bytes of the file that `range` of the text covers.
    pub(crate) fn bytes(&self, range: &Range<usize>) -> Range<usize> {
        let start = self.offset(range.start);
        let last = self.offset(range.end.saturating_sub(1).max(range.start));
        start..(last + 1).max(start)
    }

    /// The value of a YAML scalar, each of its lines looked up in the `source` that it was read from at `place`; of lines
    /// that were folded, each of their words.
    pub(crate) fn of_scalar(value: &str, source: &str, place: Range<usize>) -> Self {
        let mut script = Self::default();
        let mut at = place.start;
        for line in value.split_inclusive('\n') {
            if script.push_found(line, source, &mut at, place.end) {
                continue;
            }
            let whole = line.split_inclusive(' ').all(|word| script.push_found(word, source, &mut at, place.end));
            if !whole {
                // Escapes make a text that stands nowhere: the rest is said to be where reading got to.
                let rest = value.get(script.text.len()..).unwrap_or_default();
                script.push(rest, at);
                break;
            }
        }
        script
    }

    /// Adds `part` where it stands behind `at`, which moves behind it; says whether it stands there.
    fn push_found(&mut self, part: &str, source: &str, at: &mut usize, end: usize) -> bool {
        let trimmed = part.trim();
        let indent = part.len() - part.trim_start().len();
        let Some(ahead) = source.get(*at..end).and_then(|rest| rest.find(trimmed)) else { return false };
        let start = *at + ahead;
        self.push(part, start.saturating_sub(indent));
        *at = start + trimmed.len();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_knows_where_it_stood() {
        let file = "RUN a \\\n    b && c";
        let mut script = Script::default();
        script.push("a ", 4);
        script.push("    b && c", 8);
        let at = script.text().find('b').unwrap();
        assert_eq!(&file[script.bytes(&(at..at + 1))], "b");
        let part = script.slice(at..script.text().len());
        assert_eq!(part.text(), "b && c");
        assert_eq!(&file[part.bytes(&(5..6))], "c");
    }

    #[test]
    fn the_lines_of_a_block_scalar_are_found_again() {
        let file = "run: |\n    echo one\n\n    echo two\n";
        let script = Script::of_scalar("echo one\n\necho two\n", file, 5..file.len());
        let at = script.text().find("two").unwrap();
        assert_eq!(&file[script.bytes(&(at..at + 3))], "two");
        let escaped = Script::of_scalar("a\tb\nc\n", "run: \"a\\tb\\nc\\n\"", 5..16);
        assert_eq!(escaped.text(), "a\tb\nc\n");
        assert_eq!(escaped.bytes(&(0..1)).start, 5);
    }
}
