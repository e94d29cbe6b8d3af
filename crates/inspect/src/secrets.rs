//! Finds secrets in text: an Aho-Corasick pass over keywords, then one regular expression around each hit.
//!
//! Only what a rule describes exactly is reported; entropy is asked of values that are assigned to something called a
//! secret, never of arbitrary strings, whose false alarms drown real leaks. The secret itself is never kept: a finding has a redacted line and a fingerprint.

use std::collections::BTreeSet;
use std::sync::Arc;

use assay_model::{Digest, FileReference, SecretMatch};

mod rules;
mod ruleset;

pub use ruleset::{SecretRules, SecretRulesError};

/// Paths whose files are not searched, because what looks like a secret there is documentation, a translation, a public
/// test key of the package itself, or a package manager's own record. Everything else that is text is searched.
pub const SKIPPED_PATHS: &[&str] = &[
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/info/",
    "usr/share/locale/",
    "usr/share/i18n/",
    "usr/share/zoneinfo/",
    "usr/share/perl/",
    "usr/share/mime/",
    "usr/share/icons/",
    "usr/share/fonts/",
    "usr/include/",
    "usr/lib/ruby/",
    "usr/lib/go/src/crypto/",
    "usr/local/go/src/crypto/",
    "var/lib/dpkg/",
    "var/lib/rpm/",
    "lib/apk/db/",
    "proc/",
    "sys/",
];

/// Folders of a library that a package manager installed (below [`INSTALLED_LIBRARIES`]) which are not searched: the keys
/// in a library's own tests are as public as the library. An application's tests are searched.
pub const LIBRARY_TEST_FOLDERS: &[&str] = &["test", "tests", "__tests__"];
/// Folders that hold installed libraries.
pub const INSTALLED_LIBRARIES: &[&str] = &["site-packages/", "dist-packages/", "node_modules/"];

/// Bytes that are searched at once; longer files go through window by window.
const WINDOW: usize = 1 << 20;
/// Bytes in front of and behind a keyword that an expression sees.
const BEFORE: usize = 256;
const BEHIND: usize = 4096;
/// Findings of one file that are kept.
const PER_FILE: usize = 1000;
/// Keyword hits of one file that are looked into.
const HITS_PER_FILE: usize = 100_000;
const EXCERPT_CHARACTERS: usize = 120;

/// Whether the file at this path is searched if it is text: not in [`SKIPPED_PATHS`], nor among a library's own tests.
pub(crate) fn searches(path: &str) -> bool {
    let is_library_test = || {
        let inside = INSTALLED_LIBRARIES.iter().find_map(|folder| path.split_once(folder)).map(|(_, inside)| inside);
        let mut folders = inside.unwrap_or_default().split('/').rev().skip(1);
        folders.any(|folder| LIBRARY_TEST_FOLDERS.contains(&folder))
    };
    !SKIPPED_PATHS.iter().any(|skipped| path.starts_with(skipped)) && !is_library_test()
}

/// Whether a file that begins like this is text: no NUL byte in the first kilobyte.
pub(crate) fn is_text(first: &[u8]) -> bool {
    !first.is_empty() && memchr::memchr(0, first.get(..1024).unwrap_or(first)).is_none()
}

/// A secret in the text: places count from the beginning of the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: u64,
    end: u64,
    rule: usize,
}

struct Raw {
    span: Span,
    line: u32,
    fingerprint: Digest,
    /// The line around the secret, cut, with the place of the secret in the file's bytes.
    context: Vec<u8>,
    context_start: u64,
}

/// Searches one text after the other.
pub(crate) struct Scanner {
    rules: Arc<SecretRules>,
    buffer: Vec<u8>,
    /// Place of the buffer's first byte in the file, and the line it is in, counted from 0.
    offset: u64,
    line: u32,
    /// Bytes of the buffer in which keywords were already looked for.
    done: usize,
    hits: usize,
    found: Vec<Raw>,
    spans: BTreeSet<Span>,
    cut: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new(SecretRules::built_in())
    }
}

impl Scanner {
    pub(crate) fn new(rules: Arc<SecretRules>) -> Self {
        Self {
            rules,
            buffer: Vec::new(),
            offset: 0,
            line: 0,
            done: 0,
            hits: 0,
            found: Vec::new(),
            spans: BTreeSet::new(),
            cut: false,
        }
    }

    /// Starts a new text.
    pub(crate) fn begin(&mut self) {
        self.buffer.clear();
        (self.offset, self.line, self.done, self.hits, self.cut) = (0, 0, 0, 0, false);
        self.found.clear();
        self.spans.clear();
    }

    /// Adds bytes to the text.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let take = bytes.len().min((WINDOW + BEHIND).saturating_sub(self.buffer.len()).max(1));
            let (now, later) = bytes.split_at(take);
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= WINDOW + BEHIND {
                let until = self.buffer.len() - BEHIND;
                self.search(until);
                self.forget(until.saturating_sub(2 * BEFORE));
            }
        }
    }

    /// The findings of the text at `path`, and whether there were more than are kept.
    pub(crate) fn finish(&mut self, path: &str) -> (Vec<SecretMatch>, bool) {
        self.search(self.buffer.len());
        let found = std::mem::take(&mut self.found);
        let matches = found
            .into_iter()
            .filter_map(|raw| {
                let rule = self.rules.rules.get(raw.span.rule).filter(|rule| self.rules.reports(rule, path))?;
                if rule.is_general() && self.is_known_better(&raw.span) {
                    return None;
                }
                Some(SecretMatch {
                    rule: rule.name.clone(),
                    severity: rule.severity,
                    file: FileReference { path: path.to_owned(), layer: None },
                    line: raw.line,
                    excerpt: self.excerpt(&raw),
                    fingerprint: raw.fingerprint,
                    deleted_later: false,
                })
            })
            .collect();
        (matches, self.cut)
    }

    /// Whether a rule of a single kind of secret found something in the same place.
    fn is_known_better(&self, span: &Span) -> bool {
        let general = |rule: usize| self.rules.rules.get(rule).is_none_or(ruleset::Compiled::is_general);
        self.spans.iter().any(|other| other.start < span.end && span.start < other.end && !general(other.rule))
    }

    /// The whole text, given once more, with every secret in it as `***`.
    pub(crate) fn redact(&mut self, text: &str) -> String {
        self.search(self.buffer.len());
        String::from_utf8_lossy(&self.masked(text.as_bytes(), 0)).into_owned()
    }

    /// Looks into keywords that begin before `until`.
    fn search(&mut self, until: usize) {
        let text = std::mem::take(&mut self.buffer);
        let from = self.done.min(text.len());
        let rules = Arc::clone(&self.rules);
        let searched = text.get(from..).unwrap_or_default();
        for keywords in [&rules.exact, &rules.folded] {
            let Some(automaton) = &keywords.automaton else { continue };
            // A keyword may begin before and end behind; the next window sees it again, and the span is kept once.
            for hit in automaton.find_overlapping_iter(searched) {
                let start = from + hit.start();
                if start >= until {
                    continue;
                }
                self.hits += 1;
                if self.hits > HITS_PER_FILE || self.found.len() >= PER_FILE {
                    self.cut = true;
                    break;
                }
                if let Some(&rule) = keywords.rules.get(hit.pattern().as_usize()) {
                    self.look(&text, start, rule);
                }
            }
        }
        for &rule in &rules.everywhere {
            let begin = from.saturating_sub(BEFORE);
            self.look_between(&text, begin, text.len(), rule);
        }
        self.done = until;
        self.buffer = text;
    }

    fn look(&mut self, text: &[u8], hit: usize, index: usize) {
        let Some(rule) = self.rules.rules.get(index) else { return };
        let line_start = memchr::memrchr(b'\n', text.get(..hit).unwrap_or_default()).map_or(0, |at| at + 1);
        let line_end = memchr::memchr(b'\n', text.get(hit..).unwrap_or_default()).map_or(text.len(), |at| hit + at);
        let from = line_start.max(hit.saturating_sub(BEFORE));
        let to = hit.saturating_add(BEHIND).min(text.len());
        let to = if rule.spans_lines { to } else { to.min(line_end) };
        self.look_between(text, from, to, index);
    }

    fn look_between(&mut self, text: &[u8], from: usize, to: usize, index: usize) {
        let rules = Arc::clone(&self.rules);
        let Some(rule) = rules.rules.get(index) else { return };
        let (Some(expression), Some(region)) = (rule.regex(), text.get(from..to)) else { return };
        for captures in expression.captures_iter(region) {
            let group = rule.group.map(|group| captures.get(group));
            let first = || captures.iter().skip(1).flatten().next();
            let Some(whole) = captures.get(0) else { continue };
            let secret = group.unwrap_or_else(first).unwrap_or(whole);
            let line = {
                let (before, behind) = region.split_at_checked(secret.start()).unwrap_or((region, &[]));
                let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
                let end = memchr::memchr(b'\n', behind).map_or(region.len(), |at| secret.start() + at);
                region.get(start..end).unwrap_or_default()
            };
            if !rules.accepts(rule, secret.as_bytes(), whole.as_bytes(), line) {
                continue;
            }
            if self.found.len() >= PER_FILE {
                self.cut = true;
                return;
            }
            let (start, end) = (from + secret.start(), from + secret.end());
            let span = Span { start: self.offset + start as u64, end: self.offset + end as u64, rule: index };
            if !self.spans.insert(span.clone()) {
                continue;
            }
            let before = text.get(..start).unwrap_or_default();
            let line = self.line.saturating_add(memchr::memchr_iter(b'\n', before).count() as u32).saturating_add(1);
            let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1).max(start.saturating_sub(BEFORE));
            let line_end =
                memchr::memchr(b'\n', text.get(start..).unwrap_or_default()).map_or(text.len(), |at| start + at);
            let context_end = line_end.min(end.saturating_add(BEFORE)).max(start);
            self.found.push(Raw {
                span,
                line,
                fingerprint: Digest::of(secret.as_bytes()),
                context: text.get(line_start..context_end).unwrap_or_default().to_vec(),
                context_start: self.offset + line_start as u64,
            });
        }
    }

    /// Drops the first bytes of the buffer.
    fn forget(&mut self, bytes: usize) {
        let bytes = bytes.min(self.buffer.len());
        let gone = self.buffer.get(..bytes).unwrap_or_default();
        self.line = self.line.saturating_add(memchr::memchr_iter(b'\n', gone).count() as u32);
        self.offset += bytes as u64;
        self.done = self.done.saturating_sub(bytes);
        self.buffer.drain(..bytes);
    }

    /// `text`, which begins at `start` of the file, with every known secret as `***`.
    fn masked(&self, text: &[u8], start: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0usize;
        for span in &self.spans {
            let from = usize::try_from(span.start.saturating_sub(start)).unwrap_or(usize::MAX);
            let to = usize::try_from(span.end.saturating_sub(start)).unwrap_or(usize::MAX).min(text.len());
            if from >= text.len() || to <= at {
                continue;
            }
            if from >= at {
                out.extend_from_slice(text.get(at..from).unwrap_or_default());
                out.extend_from_slice(b"***");
            }
            at = to;
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
        out
    }

    fn excerpt(&self, raw: &Raw) -> String {
        let masked = self.masked(&raw.context, raw.context_start);
        let text = String::from_utf8_lossy(&masked).replace(char::is_control, " ");
        let text = text.trim();
        // What comes before the secret names it; at least half of the excerpt is that.
        let star = text.find("***").map_or(0, |at| text.get(..at).unwrap_or_default().chars().count());
        let skip = star.saturating_sub(EXCERPT_CHARACTERS / 2);
        text.chars().skip(skip).take(EXCERPT_CHARACTERS).collect()
    }
}

#[cfg(test)]
mod tests;
