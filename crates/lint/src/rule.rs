//! What a rule is, and how one is run.

use std::fmt;
use std::ops::Range;

use assay_model::Severity;

/// One rule, as the reference and every report name it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable for ever, kebab-case; its first word is what it looks at.
    pub id: &'static str,
    /// How bad it is to break it.
    pub severity: Severity,
    /// What it demands, one line.
    pub title: &'static str,
    /// What can happen otherwise.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// Where others demand the same.
    pub standards: &'static [Standard],
}

/// A place in somebody else's book of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// Kubernetes Pod Security Standards, the level that asks for it.
    PodSecurity(&'static str),
    /// CIS Kubernetes Benchmark 1.10, recommendation number.
    Cis(&'static str),
    /// NSA and CISA, Kubernetes Hardening Guide 1.2 (August 2022), the section.
    Nsa(&'static str),
    /// A rule number of hadolint that has the same intent.
    Hadolint(&'static str),
    /// CWE number.
    Cwe(u16),
}

impl fmt::Display for Standard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PodSecurity(level) => write!(out, "Pod Security Standards {level}"),
            Self::Cis(number) => write!(out, "CIS {number}"),
            Self::Nsa(section) => write!(out, "NSA: {section}"),
            Self::Hadolint(number) => out.write_str(number),
            Self::Cwe(number) => write!(out, "CWE-{number}"),
        }
    }
}

impl Rule {
    /// A rule that no other book has.
    pub(crate) const fn new(
        id: &'static str,
        severity: Severity,
        title: &'static str,
        why: &'static str,
        fix: &'static str,
    ) -> Self {
        Self { id, severity, title, why, fix, standards: &[] }
    }

    /// The same rule, with where others demand it.
    pub(crate) const fn also(mut self, standards: &'static [Standard]) -> Self {
        self.standards = standards;
        self
    }
}

/// A rule and the function `F` that finds where it is broken.
pub(crate) struct Check<F> {
    pub(crate) rule: Rule,
    pub(crate) run: F,
}

impl<F> Check<F> {
    pub(crate) const fn new(rule: Rule, run: F) -> Self {
        Self { rule, run }
    }
}

/// A broken rule, before anything is known of lines.
#[derive(Debug)]
pub(crate) struct Mark {
    pub(crate) rule: &'static Rule,
    /// Bytes of the file that it is about.
    pub(crate) bytes: Range<usize>,
    pub(crate) what: String,
}

/// Most marks of one file. More are a generated file, of which the first say enough.
const MARKS_MAX: usize = 10_000;

/// Where a check writes down what it finds.
pub(crate) struct Marks<'m> {
    rule: &'static Rule,
    found: &'m mut Vec<Mark>,
}

impl<'m> Marks<'m> {
    pub(crate) fn of(rule: &'static Rule, found: &'m mut Vec<Mark>) -> Self {
        Self { rule, found }
    }

    /// The rule is broken at `bytes`: `what` says how, in one sentence without a period.
    pub(crate) fn add(&mut self, bytes: Range<usize>, what: impl Into<String>) {
        if self.found.len() < MARKS_MAX {
            self.found.push(Mark { rule: self.rule, bytes, what: what.into() });
        }
    }
}

/// Whether so much was found that nothing more was written down.
pub(crate) fn is_full(found: &[Mark]) -> bool {
    found.len() >= MARKS_MAX
}
