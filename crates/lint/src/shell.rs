//! Shell scripts as far as rules ask: simple commands with their words, pipelines, and what is nested in substitutions
//! (POSIX.1-2017, Shell Command Language, sections 2.2, 2.3, 2.9).
//!
//! It is no interpreter: nothing is expanded, and keywords such as `if` and `then` are taken off the front of a command.

pub(crate) mod rules;

use std::ops::Range;

use crate::script::Script;

/// Deepest nesting of substitutions and of `sh -c` texts.
const DEPTH_MAX: usize = 8;
/// Most commands of one script.
const COMMANDS_MAX: usize = 5_000;
/// Words that stand before a command and are none.
const KEYWORDS: [&str; 13] =
    ["if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!", "{", "}", "time"];
/// Commands that run the command behind them.
const WRAPPERS: [&str; 9] = ["sudo", "env", "exec", "command", "nice", "nohup", "timeout", "xargs", "doas"];
/// What runs the text it is given.
const INTERPRETERS: [&str; 14] =
    ["sh", "bash", "dash", "zsh", "ash", "ksh", "python", "python3", "python2", "perl", "ruby", "node", "php", "pwsh"];

/// The commands of a script, in its order; those nested in a word follow the command they stand in.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    pub(crate) all: Vec<Command>,
}

/// A simple command.
#[derive(Debug, Default)]
pub(crate) struct Command {
    /// Its words, assignments in front and redirections left out, wrappers such as `sudo` taken off.
    pub(crate) words: Vec<Word>,
    /// `NAME=value` in front of it, or all of it.
    pub(crate) assignments: Vec<Word>,
    /// The wrappers it is run by.
    pub(crate) wrappers: Vec<Word>,
    /// Files that `>`, `>>` and the like name.
    pub(crate) redirections: Vec<Word>,
    /// Commands of one pipeline have the same number.
    pub(crate) pipeline: usize,
    /// The command in a word of which this one stands, by its index.
    pub(crate) parent: Option<usize>,
}

/// A word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    /// Its text without quotes; expansions as written.
    pub(crate) text: String,
    /// Where it stands in the script's text.
    pub(crate) range: Range<usize>,
}

impl Command {
    /// The command's name without its folder, `""` for an assignment alone.
    pub(crate) fn name(&self) -> &str {
        let name = self.words.first().map_or("", |word| word.text.as_str());
        name.rsplit('/').next().unwrap_or(name)
    }

    /// Its words behind the name.
    pub(crate) fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Arguments that are no options.
    pub(crate) fn operands(&self) -> impl Iterator<Item = &Word> {
        self.arguments().iter().filter(|word| !word.text.starts_with('-') && !word.text.is_empty())
    }

    /// Whether an option is there: `--long`, `--long=value`, or `-x` perhaps among other letters.
    pub(crate) fn has(&self, option: &str) -> bool {
        self.arguments().iter().any(|word| is_option(&word.text, option))
    }

    /// The first operand is this word: `apt-get install`.
    pub(crate) fn is(&self, name: &str, subcommand: &str) -> bool {
        self.name() == name && self.operands().next().is_some_and(|word| word.text == subcommand)
    }

    /// From its first word to its last.
    pub(crate) fn range(&self) -> Range<usize> {
        let words = || self.wrappers.iter().chain(&self.assignments).chain(&self.words);
        let start = words().map(|word| word.range.start).min().unwrap_or(0);
        start..words().map(|word| word.range.end).max().unwrap_or(start)
    }

    /// Whether it runs a text that it is given.
    pub(crate) fn is_interpreter(&self) -> bool {
        INTERPRETERS.contains(&self.name())
    }

    /// Whether it fetches something and hands it on.
    pub(crate) fn is_fetcher(&self) -> bool {
        matches!(self.name(), "curl" | "wget" | "fetch" | "aria2c" | "http")
    }
}

fn is_option(word: &str, option: &str) -> bool {
    if option.starts_with("--") {
        return word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    }
    let letters = option.trim_start_matches('-');
    let is_group = |word: &str| {
        letters.len() == 1 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()) && word.contains(letters)
    };
    word.strip_prefix('-').is_some_and(|word| !word.starts_with('-') && (word == letters || is_group(word)))
}

impl Commands {
    /// Reads a script.
    pub(crate) fn read(script: &str) -> Self {
        let mut commands = Self::default();
        let mut pipelines = 0;
        Reader { text: script, at: 0, base: 0, depth: 0, parent: None, pipelines: &mut pipelines }
            .run(&mut commands.all);
        commands
    }

    /// What is fetched and run in one go: the fetching command with what runs it.
    pub(crate) fn piped_into_interpreters(&self) -> Vec<(&Command, &Command)> {
        let mut found = Vec::new();
        for (index, command) in self.all.iter().enumerate().filter(|(_, command)| command.is_fetcher()) {
            let later = self.all.iter().skip(index + 1);
            let runner = later
                .take_while(|other| other.pipeline == command.pipeline || other.parent.is_some())
                .find(|other| other.pipeline == command.pipeline && other.is_interpreter());
            let around = std::iter::successors(command.parent, |at| self.all.get(*at)?.parent)
                .filter_map(|at| self.all.get(at))
                .find(|parent| parent.is_interpreter() || matches!(parent.name(), "eval" | "source" | "."));
            found.extend(runner.or(around).map(|runner| (command, runner)));
        }
        found
    }

    /// Arguments that go round the checks of TLS or of repositories, with the command.
    pub(crate) fn unchecked_fetches(&self) -> Vec<(&Command, String)> {
        let mut found = Vec::new();
        for command in &self.all {
            if let Some(how) = unchecked(command) {
                found.push((command, how));
            }
            let assigned = command.assignments.iter().chain(match command.name() {
                "export" => command.arguments(),
                _ => &[],
            });
            for word in assigned {
                if let Some((name, value)) = word.text.split_once('=')
                    && let Some(how) = unchecked_variable(name, value)
                {
                    found.push((command, how));
                }
            }
        }
        found
    }
}

/// What a command is told not to check.
fn unchecked(command: &Command) -> Option<String> {
    let has = |options: &[&str]| options.iter().find(|option| command.has(option)).map(|option| (*option).to_owned());
    let words = || command.arguments().iter().map(|word| word.text.as_str());
    let option = match command.name() {
        "curl" => has(&["-k", "--insecure", "--proxy-insecure"])?,
        "wget" => has(&["--no-check-certificate"])?,
        "git" => {
            words().find(|word| word.eq_ignore_ascii_case("http.sslVerify=false")).map(str::to_owned).or_else(|| {
                let all: Vec<&str> = words().collect();
                let sets = all.windows(2).any(|pair| {
                    matches!(pair, [key, value] if key.eq_ignore_ascii_case("http.sslVerify") && *value == "false")
                });
                sets.then(|| "http.sslVerify false".to_owned())
            })?
        }
        "pip" | "pip3" => has(&["--trusted-host"])?,
        "npm" | "yarn" | "pnpm" => {
            let all: Vec<&str> = words().collect();
            let sets = all.windows(2).any(|pair| matches!(pair, ["strict-ssl", "false"]));
            (sets || all.contains(&"strict-ssl=false") || all.contains(&"--strict-ssl=false"))
                .then(|| "strict-ssl false".to_owned())?
        }
        _ => return None,
    };
    Some(format!("{} {option} does not check who answers", command.name()))
}

/// What a variable switches off.
pub(crate) fn unchecked_variable(name: &str, value: &str) -> Option<String> {
    let value = value.trim_matches(['"', '\'']);
    let off = match name {
        "GIT_SSL_NO_VERIFY" => matches!(value, "1" | "true"),
        "NODE_TLS_REJECT_UNAUTHORIZED" | "PYTHONHTTPSVERIFY" => value == "0",
        "NPM_CONFIG_STRICT_SSL" | "npm_config_strict_ssl" => value == "false",
        "GOINSECURE" | "PIP_TRUSTED_HOST" => !value.is_empty(),
        "GONOSUMDB" | "GOFLAGS" => value.contains("-insecure") || (name == "GONOSUMDB" && value.contains('*')),
        "GONOSUMCHECK" => value == "1",
        "GOSUMDB" => value == "off",
        _ => false,
    };
    off.then(|| format!("{name}={value} switches a check off"))
}

struct Reader<'t, 'n> {
    text: &'t str,
    at: usize,
    /// Offset of `text` in the whole script.
    base: usize,
    depth: usize,
    parent: Option<usize>,
    pipelines: &'n mut usize,
}

/// What ends a command.
#[derive(PartialEq, Eq)]
enum Separator {
    Pipe,
    Other,
}

impl Reader<'_, '_> {
    fn run(mut self, all: &mut Vec<Command>) {
        *self.pipelines += 1;
        let mut pipeline = *self.pipelines;
        let mut words: Vec<Word> = Vec::new();
        let mut nested: Vec<Range<usize>> = Vec::new();
        let mut redirections: Vec<Word> = Vec::new();
        while self.at < self.text.len() && all.len() < COMMANDS_MAX {
            let Some(character) = self.peek() else { break };
            match character {
                ' ' | '\t' | '\r' => self.at += 1,
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                '>' | '<' if !self.rest().starts_with("<(") && !self.rest().starts_with(">(") => {
                    self.redirection(&mut words, &mut redirections, &mut nested);
                }
                // Behind a `|` the line goes on.
                '\n' if words.is_empty() && redirections.is_empty() => self.at += 1,
                '\n' | ';' | '&' | '|' | '(' | ')' => {
                    let separator = self.separator();
                    self.finish(&mut words, &mut redirections, &mut nested, pipeline, all);
                    if separator == Separator::Other {
                        *self.pipelines += 1;
                        pipeline = *self.pipelines;
                    }
                }
                _ => {
                    let word = self.word(&mut nested);
                    words.push(word);
                }
            }
        }
        self.finish(&mut words, &mut redirections, &mut nested, pipeline, all);
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn separator(&mut self) -> Separator {
        let rest = self.rest();
        let (separator, length) = if rest.starts_with("||") || rest.starts_with("&&") || rest.starts_with(";;") {
            (Separator::Other, 2)
        } else if rest.starts_with("|&") {
            (Separator::Pipe, 2)
        } else if rest.starts_with('|') {
            (Separator::Pipe, 1)
        } else {
            (Separator::Other, 1)
        };
        self.at += length;
        separator
    }

    /// `2>file`, `>>file`, `<file`, `2>&1`; a here-document's body is left where it is.
    fn redirection(&mut self, words: &mut Vec<Word>, redirections: &mut Vec<Word>, nested: &mut Vec<Range<usize>>) {
        // A number that touches the sign is a descriptor.
        let here = self.base + self.at;
        let is_descriptor = |word: &Word| word.range.end == here && word.text.bytes().all(|byte| byte.is_ascii_digit());
        if words.last().is_some_and(is_descriptor) {
            words.pop();
        }
        let is_output = self.rest().starts_with('>');
        let signs = self.rest().bytes().take_while(|byte| matches!(byte, b'<' | b'>' | b'&' | b'|' | b'-')).count();
        self.at += signs;
        self.at += self.rest().bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if self.peek().is_some_and(|c| !"\n;&|()<>#".contains(c)) {
            let word = self.word(nested);
            if is_output {
                redirections.push(word);
            }
        }
    }

    /// One word, quotes removed; the places of command substitutions are noted.
    fn word(&mut self, nested: &mut Vec<Range<usize>>) -> Word {
        let start = self.at;
        let mut text = String::new();
        while let Some(character) = self.peek() {
            match character {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | ')' => break,
                '(' if self.at > start => {
                    // `name()` of a function.
                    break;
                }
                '<' | '>' => {
                    if self.rest().get(1..).is_some_and(|rest| rest.starts_with('(')) {
                        self.at += 1;
                        self.substitution(&mut text, nested);
                    } else {
                        break;
                    }
                }
                '\'' => {
                    self.at += 1;
                    let length = self.rest().find('\'').unwrap_or(self.rest().len());
                    text.push_str(self.rest().get(..length).unwrap_or_default());
                    self.at = (self.at + length + 1).min(self.text.len());
                }
                '"' => self.double_quoted(&mut text, nested),
                '\\' => {
                    self.at += 1;
                    if let Some(next) = self.peek() {
                        if next != '\n' {
                            text.push(next);
                        }
                        self.at += next.len_utf8();
                    }
                }
                '$' => self.dollar(&mut text, nested),
                '`' => self.backticks(&mut text, nested),
                other => {
                    text.push(other);
                    self.at += other.len_utf8();
                }
            }
        }
        if self.at == start {
            // Nothing that a word can begin with: it is passed, so that reading ends.
            self.at += self.peek().map_or(1, char::len_utf8);
        }
        Word { text, range: self.base + start..self.base + self.at }
    }

    fn double_quoted(&mut self, text: &mut String, nested: &mut Vec<Range<usize>>) {
        self.at += 1;
        while let Some(character) = self.peek() {
            match character {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => {
                    self.at += 1;
                    if let Some(next) = self.peek() {
                        if !matches!(next, '$' | '`' | '"' | '\\' | '\n') {
                            text.push('\\');
                        }
                        if next != '\n' {
                            text.push(next);
                        }
                        self.at += next.len_utf8();
                    }
                }
                '$' => self.dollar(text, nested),
                '`' => self.backticks(text, nested),
                other => {
                    text.push(other);
                    self.at += other.len_utf8();
                }
            }
        }
    }

    /// `$(...)` is noted; `${...}` and `$NAME` are kept as written.
    fn dollar(&mut self, text: &mut String, nested: &mut Vec<Range<usize>>) {
        self.at += 1;
        text.push('$');
        let rest = self.rest();
        if rest.starts_with("((") {
            // Arithmetic holds no commands of interest.
            let length = rest.find("))").map_or(rest.len(), |at| at + 2);
            text.push_str(rest.get(..length).unwrap_or_default());
            self.at += length;
        } else if rest.starts_with('(') {
            self.substitution(text, nested);
        } else if rest.starts_with("{{") {
            // An expression of a workflow, blanks and all.
            let length = rest.find("}}").map_or(rest.len(), |at| at + 2);
            text.push_str(rest.get(..length).unwrap_or_default());
            self.at += length;
        } else if rest.starts_with('{') {
            let length = rest.find('}').map_or(rest.len(), |at| at + 1);
            text.push_str(rest.get(..length).unwrap_or_default());
            self.at += length;
        }
    }

    /// At `(`: the text up to its own `)` is a script of its own.
    fn substitution(&mut self, text: &mut String, nested: &mut Vec<Range<usize>>) {
        let inner = self.at + 1;
        let mut level = 0_usize;
        let mut quote = None;
        let mut escaped = false;
        let mut end = self.text.len();
        for (at, character) in self.rest().char_indices() {
            if escaped {
                escaped = false;
                continue;
            }
            match (quote, character) {
                (None | Some('"'), '\\') => escaped = true,
                (None, '\'' | '"') => quote = Some(character),
                (Some(open), close) if open == close => quote = None,
                (None, '(') => level += 1,
                (None, ')') => {
                    level = level.saturating_sub(1);
                    if level == 0 {
                        end = self.at + at;
                        break;
                    }
                }
                _ => {}
            }
        }
        nested.push(inner.min(end)..end);
        text.push_str(self.text.get(self.at..(end + 1).min(self.text.len())).unwrap_or_default());
        self.at = (end + 1).min(self.text.len());
    }

    fn backticks(&mut self, text: &mut String, nested: &mut Vec<Range<usize>>) {
        let inner = self.at + 1;
        let length = self.text.get(inner..).and_then(|rest| rest.find('`'));
        let end = length.map_or(self.text.len(), |length| inner + length);
        nested.push(inner..end);
        text.push_str(self.text.get(self.at..(end + 1).min(self.text.len())).unwrap_or_default());
        self.at = (end + 1).min(self.text.len());
    }

    /// Puts the words read so far together as a command, and reads what is nested in them.
    fn finish(
        &mut self,
        words: &mut Vec<Word>,
        redirections: &mut Vec<Word>,
        nested: &mut Vec<Range<usize>>,
        pipeline: usize,
        all: &mut Vec<Command>,
    ) {
        let words = std::mem::take(words);
        let redirections = std::mem::take(redirections);
        let nested = std::mem::take(nested);
        if words.is_empty() && redirections.is_empty() {
            return;
        }
        let index = all.len();
        let mut command = unwrapped(words);
        command.redirections = redirections;
        command.pipeline = pipeline;
        command.parent = self.parent;
        // `sh -c 'text'` runs its text.
        let inner =
            (command.is_interpreter() && command.has("-c")).then(|| command.operands().next().cloned()).flatten();
        all.push(command);
        if self.depth >= DEPTH_MAX {
            return;
        }
        let depth = self.depth + 1;
        for range in nested {
            let text = self.text.get(range.clone()).unwrap_or_default();
            let base = self.base + range.start;
            Reader { text, at: 0, base, depth, parent: Some(index), pipelines: self.pipelines }.run(all);
        }
        if let Some(word) = inner.filter(|word| !word.text.starts_with("$(")) {
            let base = word.range.start + 1;
            Reader { text: &word.text, at: 0, base, depth, parent: None, pipelines: self.pipelines }.run(all);
        }
    }
}

/// Assignments, keywords and wrappers taken off the front.
fn unwrapped(words: Vec<Word>) -> Command {
    let mut command = Command::default();
    let mut words = words.into_iter().peekable();
    loop {
        let Some(word) = words.peek() else { return command };
        let is_assignment = word.text.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        });
        let name = word.text.rsplit('/').next().unwrap_or_default();
        if is_assignment {
            command.assignments.extend(words.next());
        } else if KEYWORDS.contains(&word.text.as_str()) {
            words.next();
        } else if WRAPPERS.contains(&name) {
            let takes_value: &[&str] = match name {
                "sudo" | "doas" => &["-u", "-g", "-C", "-h", "-p", "-D"],
                "env" => &["-u", "-C"],
                "nice" => &["-n"],
                "xargs" => &["-n", "-I", "-P", "-L", "-d", "-s"],
                "timeout" => &["-s", "-k"],
                _ => &[],
            };
            let is_timeout = name == "timeout";
            command.wrappers.extend(words.next());
            while let Some(option) = words.peek().filter(|word| word.text.starts_with('-')) {
                let takes = takes_value.contains(&option.text.as_str());
                words.next();
                if takes {
                    words.next();
                }
            }
            if is_timeout {
                words.next();
            }
        } else {
            command.words = words.collect();
            return command;
        }
    }
}

/// A script of a file, read once: its text, its commands, where they stand.
#[derive(Debug)]
pub(crate) struct ShellScript {
    pub(crate) script: Script,
    pub(crate) commands: Commands,
}

impl ShellScript {
    pub(crate) fn of(script: Script) -> Self {
        let commands = Commands::read(script.text());
        Self { script, commands }
    }

    /// The bytes of the file that a command covers.
    pub(crate) fn bytes(&self, command: &Command) -> Range<usize> {
        self.script.bytes(&command.range())
    }

    /// The bytes of the file that a word covers.
    pub(crate) fn word(&self, word: &Word) -> Range<usize> {
        self.script.bytes(&word.range)
    }
}

#[cfg(test)]
mod tests;
