//! Lines to instructions.

use std::collections::BTreeSet;
use std::ops::Range;

use super::from::{Pending, arguments_of, expand, finish, written};
use super::{Defaults, Dockerfile, Flag, Instruction, Stage, Word};
use crate::script::Script;
use crate::shell::ShellScript;

/// Most instructions of one file.
const INSTRUCTIONS_MAX: usize = 10_000;
/// Most here-documents of one instruction.
const HEREDOCS_MAX: usize = 100;
/// What an instruction can begin with (Dockerfile reference, "Overview").
const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// The lines of an instruction put together.
struct Logical {
    script: Script,
    bytes: Range<usize>,
    heredocs: Vec<Heredoc>,
}

/// A here-document, its body not yet read.
struct Heredoc {
    delimiter: String,
    strips_tabs: bool,
    body: Script,
}

pub(super) fn parse(text: &str) -> Dockerfile {
    let mut file = Dockerfile {
        instructions: Vec::new(),
        stages: Vec::new(),
        images: Vec::new(),
        frontend: None,
        problems: Vec::new(),
    };
    let escape = directives(text, &mut file);
    let logical = lines(text, escape, &mut file.problems);
    let mut defaults = Defaults::new();
    let mut names: BTreeSet<String> = BTreeSet::from(["scratch".to_owned()]);
    let mut pending: Vec<Pending> = Vec::new();
    for line in logical {
        if file.instructions.len() >= INSTRUCTIONS_MAX {
            file.problems
                .push((line.bytes.clone(), format!("more than {INSTRUCTIONS_MAX} instructions; the rest is not read")));
            break;
        }
        let Some(mut instruction) = instruction(line, escape, &mut file.problems) else { continue };
        match instruction.keyword.as_str() {
            "FROM" => from(text, &instruction, &defaults, &mut names, &mut pending, &mut file),
            // Only what stands before the first FROM counts in a FROM.
            "ARG" if file.stages.is_empty() => defaults.extend(arguments_of(text, &instruction)),
            _ => {}
        }
        instruction.stage = file.stages.len().checked_sub(1);
        file.instructions.push(instruction);
    }
    file.images = finish(&pending, &names);
    file
}

/// Parser directives: comments `# name=value` before anything else. The escape character is what comes back.
fn directives(text: &str, file: &mut Dockerfile) -> char {
    let mut escape = '\\';
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let Some((name, value)) = line.trim_start().strip_prefix('#').and_then(|rest| rest.split_once('=')) else {
            break;
        };
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            break;
        }
        let value = value.trim();
        match name.as_str() {
            "escape" if value == "`" => escape = '`',
            "syntax" if !value.is_empty() => {
                let at = start + line.find(value).unwrap_or(0);
                file.frontend = Some(Word { text: value.to_owned(), bytes: at..at + value.len() });
            }
            _ => {}
        }
    }
    escape
}

/// Continued lines joined, comments left out, here-documents taken up.
fn lines(text: &str, escape: char, problems: &mut Vec<(Range<usize>, String)>) -> Vec<Logical> {
    let mut found: Vec<Logical> = Vec::new();
    let mut continued = false;
    // The here-document that is being read, by its place in the last instruction.
    let mut reading: Option<usize> = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        if let (Some(at), Some(last)) = (reading, found.last_mut()) {
            last.bytes.end = offset;
            let Some(heredoc) = last.heredocs.get_mut(at) else { continue };
            let plain = line.trim_end_matches(['\n', '\r']);
            let stripped = if heredoc.strips_tabs { plain.trim_start_matches('\t') } else { plain };
            if stripped == heredoc.delimiter {
                reading = Some(at + 1).filter(|next| *next < last.heredocs.len());
            } else {
                heredoc.body.push(line, start);
            }
            continue;
        }
        let trimmed = line.trim();
        if trimmed.starts_with('#') || (trimmed.is_empty() && (continued || found.is_empty())) {
            continue;
        }
        if trimmed.is_empty() {
            continued = false;
            continue;
        }
        if !continued {
            found.push(Logical { script: Script::default(), bytes: start..start, heredocs: Vec::new() });
        }
        let Some(last) = found.last_mut() else { continue };
        let content = line.trim_end();
        continued = content.ends_with(escape);
        let kept = if continued { content.strip_suffix(escape).unwrap_or(content) } else { content };
        let indent = if last.script.text().is_empty() { kept.len() - kept.trim_start().len() } else { 0 };
        if last.script.text().is_empty() {
            last.bytes.start = start + indent;
        }
        last.script.push(kept.get(indent..).unwrap_or_default(), start + indent);
        last.bytes.end = start + content.len();
        if !continued {
            last.heredocs = heredocs(last.script.text());
            reading = (!last.heredocs.is_empty()).then_some(0);
        }
    }
    if let (Some(at), Some(last)) = (reading, found.last()) {
        let delimiter = last.heredocs.get(at).map_or("", |heredoc| heredoc.delimiter.as_str());
        problems.push((last.bytes.clone(), format!("the here-document {delimiter} has no end")));
    }
    found
}

/// The here-documents that an instruction announces: `<<EOF`, `<<-EOF`, `<<"EOF"`, with a descriptor in front or without.
fn heredocs(text: &str) -> Vec<Heredoc> {
    let keyword = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let takes = match keyword.as_str() {
        "RUN" | "COPY" | "ADD" => true,
        "ONBUILD" => text
            .split_whitespace()
            .nth(1)
            .is_some_and(|word| ["RUN", "COPY", "ADD"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))),
        _ => false,
    };
    if !takes {
        return Vec::new();
    }
    let mut found = Vec::new();
    for word in split_words(text) {
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let Some(rest) = word.strip_prefix("<<") else { continue };
        let (strips_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let end = rest.find([';', '|', '&', '>', ')']).unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default().trim_matches(['"', '\'']);
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if is_name && found.len() < HEREDOCS_MAX {
            found.push(Heredoc { delimiter: name.to_owned(), strips_tabs, body: Script::default() });
        }
    }
    found
}

/// Words by blanks, quotes kept with what is in them.
fn split_words(text: &str) -> Vec<&str> {
    word_ranges(text, '\\').into_iter().filter_map(|range| text.get(range)).collect()
}

fn word_ranges(text: &str, escape: char) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, character) {
            (None, c) if c.is_whitespace() => {
                if let Some(start) = start.take() {
                    found.push(start..at);
                }
                continue;
            }
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None | Some('"'), c) if c == escape => escaped = true,
            _ => {}
        }
        start.get_or_insert(at);
    }
    found.extend(start.map(|start| start..text.len()));
    found
}

/// A logical line as an instruction.
fn instruction(line: Logical, escape: char, problems: &mut Vec<(Range<usize>, String)>) -> Option<Instruction> {
    let Logical { script, bytes, heredocs } = line;
    let mut script = script;
    let (mut keyword, mut rest) = split_keyword(&script);
    let is_trigger = keyword == "ONBUILD";
    if is_trigger {
        script = script.slice(rest..script.text().len());
        (keyword, rest) = split_keyword(&script);
    }
    if !KEYWORDS.contains(&keyword.as_str()) {
        let shown: String = keyword.chars().take(40).collect();
        problems.push((bytes, format!("{shown} is no instruction")));
        return None;
    }
    let mut arguments = script.slice(rest..script.text().len());
    let mut flags = Vec::new();
    while matches!(keyword.as_str(), "FROM" | "RUN" | "COPY" | "ADD" | "HEALTHCHECK")
        && let Some(range) = word_ranges(arguments.text(), escape).into_iter().next()
        && let Some(flag) = arguments.text().get(range.clone()).and_then(|word| word.strip_prefix("--"))
    {
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        flags.push(Flag { name: name.to_ascii_lowercase(), value: value.to_owned(), bytes: arguments.bytes(&range) });
        arguments = arguments.slice(range.end..arguments.text().len());
    }
    let json =
        arguments.text().trim_start().starts_with('[').then(|| serde_json::from_str::<Vec<String>>(arguments.text()));
    let json = json.and_then(Result::ok);
    let is_json = json.is_some();
    let all = arguments.text().len() - arguments.text().trim_start().len()..arguments.text().trim_end().len();
    let words: Vec<Word> = match json {
        Some(texts) => {
            let place = arguments.bytes(&all);
            texts.into_iter().map(|text| Word { text, bytes: place.clone() }).collect()
        }
        None => word_ranges(arguments.text(), escape)
            .into_iter()
            .map(|range| {
                let text = arguments.text().get(range.clone()).unwrap_or_default().to_owned();
                Word { text, bytes: arguments.bytes(&range) }
            })
            .collect(),
    };
    let mut scripts = Vec::new();
    if keyword == "RUN" {
        scripts = run_scripts(&arguments, &words, is_json, heredocs);
    }
    Some(Instruction { keyword, bytes, flags, words, is_json, scripts, stage: None, is_trigger })
}

/// What `RUN` hands to a shell. A here-document alone is the script; behind an interpreter it is that one's.
fn run_scripts(arguments: &Script, words: &[Word], is_json: bool, heredocs: Vec<Heredoc>) -> Vec<ShellScript> {
    if is_json {
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let shell = matches!(texts.as_slice(), [shell, option, _] if shell.ends_with("sh") && option.starts_with('-'));
        let text = if shell { texts.get(2).map(|text| (*text).to_owned()) } else { Some(texts.join(" ")) };
        let mut script = Script::default();
        script.push(&text.unwrap_or_default(), words.first().map_or(0, |word| word.bytes.start));
        return vec![ShellScript::of(script)];
    }
    let mut scripts = vec![ShellScript::of(arguments.slice(0..arguments.text().len()))];
    // Behind `cat` or `python` the body is a file or another language.
    let is_shell =
        |script: &ShellScript| script.commands.all.first().is_none_or(|command| command.name().ends_with("sh"));
    if scripts.first().is_some_and(is_shell) {
        scripts.extend(heredocs.into_iter().map(|heredoc| ShellScript::of(heredoc.body)));
    }
    scripts
}

/// The keyword in capitals, and where what is behind it begins.
fn split_keyword(script: &Script) -> (String, usize) {
    let text = script.text();
    let start = text.len() - text.trim_start().len();
    let length = text.get(start..).and_then(|rest| rest.find(char::is_whitespace)).unwrap_or(text.len() - start);
    (text.get(start..start + length).unwrap_or_default().to_ascii_uppercase(), start + length)
}

fn from(
    text: &str,
    instruction: &Instruction,
    defaults: &Defaults,
    names: &mut BTreeSet<String>,
    pending: &mut Vec<Pending>,
    file: &mut Dockerfile,
) {
    let mut words = instruction.words.iter();
    let Some(image) = words.next() else {
        file.problems.push((instruction.bytes.clone(), "FROM names no image".to_owned()));
        return;
    };
    let name = words.next().filter(|word| word.text.eq_ignore_ascii_case("as")).and_then(|_| words.next());
    let name = name.map(|word| Word { text: word.text.to_ascii_lowercase(), bytes: word.bytes.clone() });
    let lower = image.text.to_ascii_lowercase();
    let base = file.stages.iter().rposition(|stage| stage.name.as_ref().is_some_and(|name| name.text == lower));
    let mut resolved = None;
    if base.is_none()
        && !names.contains(&lower)
        && let Some(pieces) = expand(text, image, defaults)
    {
        resolved = Some(written(&pieces));
        pending.push(Pending { pieces, bytes: image.bytes.clone() });
    } else if base.is_some() || lower == "scratch" {
        resolved = Some(image.text.clone());
    }
    let bytes = instruction.bytes.clone();
    let base = base.or_else(|| {
        let lower = resolved.as_ref()?.to_ascii_lowercase();
        file.stages.iter().rposition(|stage| stage.name.as_ref().is_some_and(|name| name.text == lower))
    });
    names.extend(name.iter().map(|name| name.text.clone()));
    file.stages.push(Stage { name, image: image.clone(), resolved, base, bytes });
}
