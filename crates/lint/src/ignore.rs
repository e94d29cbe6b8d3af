//! `# assay:ignore RULE reason`: one rule at one place is let pass, by somebody who says why.
//!
//! A comment on a line of its own speaks for the next line of code (of a Dockerfile: the next instruction); one behind code
//! for its own line; `# assay:ignore-file RULE reason` for the whole file. Without a reason, or for a rule that does not
//! exist, it does nothing and is listed as such.

use std::ops::Range;

use crate::report::Finding;

/// Fewest characters that a reason has.
const REASON_MIN: usize = 3;
/// Most comments of one file that are read.
const COMMENTS_MAX: usize = 1000;

/// A finding that was let pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// What would have been reported.
    pub finding: Finding,
    /// The reason as written.
    pub reason: String,
    /// Line of the comment.
    pub line: usize,
}

/// A comment that does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Void {
    /// Line of the comment.
    pub line: usize,
    /// The rule it names, perhaps none that exists.
    pub rule: String,
    /// Why it does nothing.
    pub why: VoidReason,
}

/// Why a comment does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoidReason {
    /// It gives no reason.
    NoReason,
    /// There is no such rule.
    UnknownRule,
    /// The rule is not broken there.
    NothingToIgnore,
}

impl VoidReason {
    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::NoReason => "gives no reason",
            Self::UnknownRule => "names no rule that exists",
            Self::NothingToIgnore => "has nothing to ignore",
        }
    }
}

/// A comment that was read.
#[derive(Debug)]
pub(crate) struct Comment {
    pub(crate) line: usize,
    pub(crate) reason: String,
    pub(crate) used: bool,
    rule: String,
    /// Lines it speaks for.
    lines: Range<usize>,
    void: Option<VoidReason>,
}

impl Comment {
    pub(crate) fn covers(&self, finding: &Finding) -> bool {
        self.void.is_none() && self.rule == finding.rule.id && self.lines.contains(&finding.position.line)
    }

    pub(crate) fn into_void(self) -> Option<Void> {
        let why = self.void.or((!self.used).then_some(VoidReason::NothingToIgnore))?;
        Some(Void { line: self.line, rule: self.rule, why })
    }
}

/// The comments of a file. `extents` are runs of lines that count as one.
pub(crate) fn read_comments(text: &str, extents: &[Range<usize>], known: &dyn Fn(&str) -> bool) -> Vec<Comment> {
    let mut found: Vec<Comment> = Vec::new();
    let all: Vec<&str> = text.lines().collect();
    for (index, line) in all.iter().enumerate() {
        let Some(at) = line.find("assay:ignore") else { continue };
        let (before, rest) = line.split_at(at);
        let Some(before) = before.trim_end().strip_suffix('#') else { continue };
        // In YAML a `#` begins a comment only behind a blank.
        if !before.is_empty() && !before.ends_with([' ', '\t']) {
            continue;
        }
        if found.len() >= COMMENTS_MAX {
            break;
        }
        let rest = rest.strip_prefix("assay:ignore").unwrap_or_default();
        let (whole_file, rest) = rest.strip_prefix("-file").map_or((false, rest), |rest| (true, rest));
        let mut words = rest.split_whitespace();
        let rule = words.next().unwrap_or_default().to_owned();
        let reason = words.collect::<Vec<_>>().join(" ");
        let lines = if whole_file {
            1..usize::MAX
        } else if before.trim().is_empty() {
            following(&all, index, extents)
        } else {
            index + 1..index + 2
        };
        let void = if !known(&rule) {
            Some(VoidReason::UnknownRule)
        } else if reason.chars().filter(|c| c.is_alphanumeric()).count() < REASON_MIN {
            Some(VoidReason::NoReason)
        } else {
            None
        };
        found.push(Comment { line: index + 1, reason, used: false, rule, lines, void });
    }
    found
}

/// The lines that a comment on line `index` (from 0) speaks for.
fn following(all: &[&str], index: usize, extents: &[Range<usize>]) -> Range<usize> {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let Some(ahead) = all.iter().skip(index + 1).position(is_code) else { return 0..0 };
    let line = index + 1 + ahead + 1;
    extents.iter().find(|extent| extent.contains(&line)).cloned().unwrap_or(line..line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, Range<usize>, Option<VoidReason>)> {
        let extents = vec![5..8, 100..101];
        let comments = read_comments(text, &extents, &|rule| rule == "a-rule");
        comments.into_iter().map(|comment| (comment.line, comment.lines, comment.void)).collect()
    }

    #[test]
    fn a_comment_speaks_for_its_line_or_the_next_code() {
        let text = "# assay:ignore a-rule because so\n\n# other\ncode\n# assay:ignore a-rule the extent\n- x\n  y\nz # assay:ignore a-rule behind\n";
        let found = read(text);
        assert_eq!(found[0], (1, 4..5, None));
        assert_eq!(found[1], (5, 5..8, None));
        assert_eq!(found[2], (8, 8..9, None));
    }

    #[test]
    fn without_reason_or_rule_it_does_nothing() {
        let found = read(
            "# assay:ignore a-rule\ncode\n# assay:ignore a-rule ...\n# assay:ignore b because so\nx#assay:ignore a-rule no\n",
        );
        let why: Vec<_> = found.into_iter().map(|(.., void)| void).collect();
        assert_eq!(why, [Some(VoidReason::NoReason), Some(VoidReason::NoReason), Some(VoidReason::UnknownRule)]);
    }
}
