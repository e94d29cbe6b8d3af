//! Dockerfiles as BuildKit reads them (Dockerfile reference; moby/buildkit, frontend/dockerfile/parser): instructions with
//! the place of every word, stages, here-documents, build arguments.
//!
//! It builds nothing, and looks at no file but the text it is given.

mod checks;
mod from;
mod parse;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::report::Report;
use crate::rule::{Check, Mark, Marks, Rule};
use crate::shell::ShellScript;

pub use from::FromImage;

/// Largest Dockerfile that is read, in bytes.
pub const DOCKERFILE_BYTES_MAX: usize = 1 << 20;

/// A Dockerfile, read.
#[derive(Debug)]
pub struct Dockerfile {
    /// Its instructions, in order.
    pub(crate) instructions: Vec<Instruction>,
    /// Its stages, in order.
    pub(crate) stages: Vec<Stage>,
    /// The images that stages start from.
    pub(crate) images: Vec<FromImage>,
    /// What `# syntax=` names.
    pub(crate) frontend: Option<Word>,
    /// What could not be read, in words, and where.
    pub(crate) problems: Vec<(Range<usize>, String)>,
}

/// One instruction.
#[derive(Debug)]
pub(crate) struct Instruction {
    /// Its keyword in capitals.
    pub(crate) keyword: String,
    /// All of it, here-documents included.
    pub(crate) bytes: Range<usize>,
    /// `--name=value` in front of its arguments.
    pub(crate) flags: Vec<Flag>,
    /// The words of its arguments, or the texts of its JSON form.
    pub(crate) words: Vec<Word>,
    /// Whether its arguments are in JSON form.
    pub(crate) is_json: bool,
    /// What `RUN` runs in a shell: its arguments, and the bodies of here-documents.
    pub(crate) scripts: Vec<ShellScript>,
    /// The stage it belongs to; none before the first `FROM`.
    pub(crate) stage: Option<usize>,
    /// Whether it is for builds that start from this image.
    pub(crate) is_trigger: bool,
}

/// `--name=value`.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) bytes: Range<usize>,
}

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) bytes: Range<usize>,
}

/// From one `FROM` to the next.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Its name in lower case.
    pub(crate) name: Option<Word>,
    /// The word behind `FROM`.
    pub(crate) image: Word,
    /// The image, arguments replaced; `None` where one has no value.
    pub(crate) resolved: Option<String>,
    /// The earlier stage it starts from.
    pub(crate) base: Option<usize>,
    /// The whole `FROM`.
    pub(crate) bytes: Range<usize>,
}

type DockerCheck = Check<fn(&Dockerfile, &mut Marks<'_>)>;

impl Dockerfile {
    /// Reads a Dockerfile. What cannot be read is passed over and named in the report.
    pub fn parse(text: &str) -> Self {
        parse::parse(text)
    }

    /// The images that stages start from, and where a digest is to be written behind each. Earlier stages, `scratch`, and
    /// names made of arguments without a default are none: what they are is not in the file.
    pub fn images(&self) -> &[FromImage] {
        &self.images
    }

    /// The instructions with this keyword.
    pub(crate) fn all<'d>(&'d self, keyword: &'static str) -> impl Iterator<Item = &'d Instruction> {
        self.instructions.iter().filter(move |instruction| instruction.keyword == keyword)
    }

    /// The instructions of a stage.
    pub(crate) fn of_stage(&self, stage: usize) -> impl DoubleEndedIterator<Item = &Instruction> {
        self.instructions.iter().filter(move |instruction| instruction.stage == Some(stage) && !instruction.is_trigger)
    }

    /// The last stage and those it starts from, itself first.
    pub(crate) fn final_chain(&self) -> Vec<usize> {
        let last = self.stages.len().checked_sub(1);
        let earlier = |at: &usize| self.stages.get(*at)?.base.filter(|base| base < at);
        std::iter::successors(last, earlier).collect()
    }

    /// Every script that `RUN` runs.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = (&Instruction, &ShellScript)> {
        self.instructions
            .iter()
            .flat_map(|instruction| instruction.scripts.iter().map(move |script| (instruction, script)))
    }
}

impl Instruction {
    /// `NAME=value` and `NAME value` of `ENV`, `NAME[=default]` of `ARG`: name, value, and where both stand.
    pub(crate) fn variables(&self) -> Vec<(String, Option<String>, Range<usize>)> {
        let Some(first) = self.words.first() else { return Vec::new() };
        if self.keyword == "ENV" && !first.text.contains('=') {
            let value = self.words.iter().skip(1).map(|word| unquoted(&word.text)).collect::<Vec<_>>().join(" ");
            return vec![(first.text.clone(), Some(value), self.bytes.clone())];
        }
        let pair = |word: &Word| match word.text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(unquoted(value)), word.bytes.clone()),
            None => (word.text.clone(), None, word.bytes.clone()),
        };
        self.words.iter().map(pair).collect()
    }

    /// The value of a flag.
    pub(crate) fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().find(|flag| flag.name == name)
    }
}

/// A value without the quotes around it or in it.
pub(crate) fn unquoted(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\'' => {}
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

/// The defaults of arguments that count in a `FROM`: those before the first one.
pub(crate) type Defaults = BTreeMap<String, Word>;

/// The rules for Dockerfiles.
pub(crate) fn rules() -> impl Iterator<Item = &'static Rule> {
    checks::all().map(|check| &check.rule)
}

/// What breaks the rules.
pub(crate) fn lint(text: &str, known: &dyn Fn(&str) -> bool) -> Report {
    let file = Dockerfile::parse(text);
    let mut found: Vec<Mark> = Vec::new();
    for check in checks::all() {
        (check.run)(&file, &mut Marks::of(&check.rule, &mut found));
    }
    let extents: Vec<_> = file.instructions.iter().map(|instruction| instruction.bytes.clone()).collect();
    Report::new(text, found, &extents, known)
}

#[cfg(test)]
mod tests;
