//! What was found in a file: positions instead of bytes, in the order of the file.

use std::ops::Range;

use crate::ignore::{Comment, Ignored, Void, read_comments};
use crate::rule::{Mark, Rule, is_full};

/// Everything that one file breaks.
#[derive(Debug, Default)]
pub struct Report {
    /// Broken rules, in the order of the file.
    pub findings: Vec<Finding>,
    /// Broken rules that a comment with a reason lets pass. They are counted and shown, never forgotten.
    pub ignored: Vec<Ignored>,
    /// Comments that ask to ignore something and do nothing.
    pub void: Vec<Void>,
    /// Why not everything was looked at, where that is so.
    pub partial: Option<&'static str>,
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Where.
    pub position: Position,
    /// How, in one sentence.
    pub what: String,
}

/// A place in a file and the line it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1, in characters.
    pub column: usize,
    /// Characters that it is about, at least 1, on this line.
    pub length: usize,
}

/// Where the lines of a text begin.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The line, counted from 1, of a byte.
    pub(crate) fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).max(1)
    }

    fn position(&self, bytes: &Range<usize>) -> Position {
        let line = self.line(bytes.start);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        let column = self.text.get(start..bytes.start).map_or(0, |before| before.chars().count()) + 1;
        let marked = self.text.get(bytes.start..bytes.end.min(end).max(bytes.start)).unwrap_or_default();
        Position { line, column, length: marked.trim_end().chars().count().max(1) }
    }
}

impl Report {
    /// `extents` are runs of bytes that one comment before them speaks for, beyond its next line.
    pub(crate) fn new(
        text: &str,
        mut marks: Vec<Mark>,
        extents: &[Range<usize>],
        known: &dyn Fn(&str) -> bool,
    ) -> Self {
        let lines = Lines::of(text);
        let partial = is_full(&marks).then_some("more than 10,000 findings");
        marks.sort_by(|left, right| {
            (left.bytes.start, left.rule.id, &left.what).cmp(&(right.bytes.start, right.rule.id, &right.what))
        });
        marks.dedup_by(|left, right| {
            left.rule.id == right.rule.id && left.bytes == right.bytes && left.what == right.what
        });
        let extents: Vec<Range<usize>> =
            extents.iter().map(|bytes| lines.line(bytes.start)..lines.line(bytes.end.saturating_sub(1)) + 1).collect();
        let mut comments = read_comments(text, &extents, known);
        let mut report = Self { partial, ..Self::default() };
        for mark in marks {
            let finding = Finding { rule: mark.rule, position: lines.position(&mark.bytes), what: mark.what };
            match comments.iter_mut().find(|comment| comment.covers(&finding)) {
                Some(comment) => {
                    comment.used = true;
                    report.ignored.push(Ignored { reason: comment.reason.clone(), line: comment.line, finding });
                }
                None => report.findings.push(finding),
            }
        }
        report.void = comments.into_iter().filter_map(Comment::into_void).collect();
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_end_with_the_line() {
        let text = "eins\nzwei größe drei\nvier\n";
        let lines = Lines::of(text);
        let start = text.find("größe").unwrap();
        let position = lines.position(&(start..start + "größe".len()));
        assert_eq!(position, Position { line: 2, column: 6, length: 5 });
        let over = lines.position(&(start..text.len()));
        assert_eq!(over.length, "größe drei".chars().count());
        assert_eq!(lines.position(&(text.len()..text.len() + 9)).length, 1);
    }
}
