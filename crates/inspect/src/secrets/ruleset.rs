//! A set of rules, ready to be applied: the built-in ones, those of a gitleaks configuration, or both.
//!
//! Source: gitleaks 8, `config/gitleaks.toml` and "Configuration" (rules with `regex`, `secretGroup`, `entropy`, `keywords`,
//! `path` and allow-lists; `extend.useDefault`). Rules that name only a path have nothing to be found in a text.

use std::sync::{Arc, LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use assay_model::{Explain, Severity};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::Value;

use super::rules::{self, Check, Rule, entropy};
use crate::ecosystems::{clip, list, text};

/// Rules that are taken from one configuration; gitleaks' own has 222.
const RULES: usize = 5000;
/// Bytes of a configuration.
const CONFIGURATION_BYTES: usize = 4 << 20;
/// Bytes that one compiled expression may take.
const EXPRESSION_BYTES: usize = 8 << 20;

/// What secrets look like.
#[derive(Debug)]
pub struct SecretRules {
    pub(super) rules: Vec<Compiled>,
    /// Keywords as written, and without regard to their case.
    pub(super) exact: Keywords,
    pub(super) folded: Keywords,
    /// Rules without a keyword, which are tried everywhere.
    pub(super) everywhere: Vec<usize>,
    allowed: Allowed,
    /// Names of imported rules that say nothing about text.
    left_out: Vec<String>,
}

/// An automaton over keywords, with the rule of each.
#[derive(Debug, Default)]
pub(super) struct Keywords {
    pub(super) automaton: Option<AhoCorasick>,
    pub(super) rules: Vec<usize>,
}

impl Keywords {
    fn new(pairs: &[(usize, String)], fold: bool) -> Self {
        // A table of all transitions is searched at memory speed; keywords may overlap, and none may hide another.
        let automaton = (!pairs.is_empty()).then(|| {
            AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::DFA))
                .ascii_case_insensitive(fold)
                .build(pairs.iter().map(|(_, word)| word))
                .ok()
        });
        Self { automaton: automaton.flatten(), rules: pairs.iter().map(|(rule, _)| *rule).collect() }
    }
}

/// One rule.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) name: String,
    pub(super) severity: Severity,
    pub(super) spans_lines: bool,
    /// The group that is the secret; the first where there is one.
    pub(super) group: Option<usize>,
    expression: String,
    compiled: OnceLock<Option<Regex>>,
    check: Option<Check>,
    entropy: Option<f64>,
    path: Option<Regex>,
    allowed: Allowed,
}

impl Compiled {
    /// Built-in expressions are compiled when their keyword is seen for the first time. The tests compile them all.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&self.expression).ok()).as_ref()
    }

    /// Whether it knows a secret by where it stands and how random it is, not by its form.
    pub(super) fn is_general(&self) -> bool {
        matches!(self.check, Some(Check::Entropy))
    }

    fn accepts(&self, secret: &[u8], whole: &[u8], line: &[u8]) -> bool {
        self.check.as_ref().is_none_or(|check| check.accepts(secret))
            && self.entropy.is_none_or(|least| entropy(secret) > least)
            && !self.allowed.covers(secret, whole, line)
    }
}

/// What is not reported.
#[derive(Debug, Default)]
struct Allowed {
    secrets: Vec<Regex>,
    matches: Vec<Regex>,
    lines: Vec<Regex>,
    stop_words: Vec<String>,
    paths: Vec<Regex>,
}

impl Allowed {
    fn covers(&self, secret: &[u8], whole: &[u8], line: &[u8]) -> bool {
        let any = |list: &[Regex], text: &[u8]| list.iter().any(|regex| regex.is_match(text));
        if any(&self.secrets, secret) || any(&self.matches, whole) || any(&self.lines, line) {
            return true;
        }
        if self.stop_words.is_empty() {
            return false;
        }
        let lower = secret.to_ascii_lowercase();
        self.stop_words.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
    }

    fn covers_path(&self, path: &str) -> bool {
        self.paths.iter().any(|regex| regex.is_match(path.as_bytes()))
    }

    /// `[allowlist]` and `[[allowlists]]` of a table. Those that ask for two conditions at once are left out: what is
    /// reported too much is better than what is not.
    fn import(table: &Value, rule: &str) -> Result<Self, SecretRulesError> {
        let mut allowed = Self::default();
        for entry in table.get("allowlist").into_iter().chain(list(table, "allowlists")) {
            if text(entry, "condition").eq_ignore_ascii_case("and") {
                continue;
            }
            let regexes = strings(entry, "regexes").map(|expression| compile(rule, expression));
            let target = match text(entry, "regexTarget") {
                "match" => &mut allowed.matches,
                "line" => &mut allowed.lines,
                _ => &mut allowed.secrets,
            };
            for regex in regexes {
                target.push(regex?);
            }
            for path in strings(entry, "paths") {
                allowed.paths.push(compile(rule, path)?);
            }
            allowed.stop_words.extend(strings(entry, "stopwords").map(str::to_lowercase));
        }
        Ok(allowed)
    }
}

fn strings<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v str> {
    list(value, key).iter().filter_map(Value::as_str)
}

fn compile(rule: &str, expression: &str) -> Result<Regex, SecretRulesError> {
    RegexBuilder::new(expression).size_limit(EXPRESSION_BYTES).build().map_err(|error| {
        let message = error.to_string();
        let message = message.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        SecretRulesError::Expression { rule: rule.to_owned(), message: clip(message) }
    })
}

static BUILT_IN: LazyLock<Arc<SecretRules>> = LazyLock::new(|| Arc::new(SecretRules::new(Vec::new(), true)));

impl SecretRules {
    /// The rules that Assay brings along.
    pub fn built_in() -> Arc<Self> {
        Arc::clone(&BUILT_IN)
    }

    /// The rules of a gitleaks configuration of at most 4 MiB, with the built-in ones where it says `extend.useDefault`.
    ///
    /// ```
    /// let rules = assay_inspect::SecretRules::from_gitleaks(
    ///     "[[rules]]\nid = \"acme\"\nregex = '''acme_[0-9]{8}'''\nkeywords = [\"acme_\"]\n",
    /// )?;
    /// assert_eq!(rules.names().collect::<Vec<_>>(), ["acme"]);
    /// # Ok::<(), assay_inspect::SecretRulesError>(())
    /// ```
    pub fn from_gitleaks(configuration: &str) -> Result<Self, SecretRulesError> {
        if configuration.len() > CONFIGURATION_BYTES {
            return Err(SecretRulesError::TooLarge { bytes: configuration.len(), limit: CONFIGURATION_BYTES });
        }
        let document: Value = toml::from_str(configuration)
            .map_err(|error: toml::de::Error| SecretRulesError::Syntax { message: clip(error.message()) })?;
        let tables = list(&document, "rules");
        if tables.len() > RULES {
            return Err(SecretRulesError::TooMany { rules: tables.len(), limit: RULES });
        }
        let mut imported = Vec::new();
        let mut left_out = Vec::new();
        for table in tables {
            let name = clip(text(table, "id"));
            let expression = text(table, "regex");
            if expression.is_empty() {
                left_out.push(name);
                continue;
            }
            let regex = compile(&name, expression)?;
            let path = text(table, "path");
            let rule = Compiled {
                severity: Severity::High,
                spans_lines: true,
                group: table.get("secretGroup").and_then(Value::as_u64).and_then(|group| usize::try_from(group).ok()),
                expression: expression.to_owned(),
                compiled: OnceLock::from(Some(regex)),
                check: None,
                entropy: table.get("entropy").and_then(Value::as_f64),
                path: if path.is_empty() { None } else { Some(compile(&name, path)?) },
                allowed: Allowed::import(table, &name)?,
                name,
            };
            imported.push((rule, strings(table, "keywords").map(str::to_owned).collect()));
        }
        let with_built_in =
            document.get("extend").and_then(|extend| extend.get("useDefault")).and_then(Value::as_bool) == Some(true);
        let mut rules = Self::new(imported, with_built_in);
        rules.allowed = Allowed::import(&document, "allowlist")?;
        rules.left_out = left_out;
        Ok(rules)
    }

    fn new(imported: Vec<(Compiled, Vec<String>)>, with_built_in: bool) -> Self {
        let (mut all, mut exact, mut folded, mut everywhere) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let tables = if with_built_in { &rules::TABLES[..] } else { &[] };
        for rule in tables.iter().copied().flatten() {
            exact.extend(rule.keywords.iter().map(|word| (all.len(), (*word).to_owned())));
            all.push(Compiled::from(rule));
        }
        for (rule, keywords) in imported {
            if keywords.is_empty() {
                everywhere.push(all.len());
            }
            folded.extend(keywords.into_iter().map(|word| (all.len(), word)));
            all.push(rule);
        }
        Self {
            rules: all,
            exact: Keywords::new(&exact, false),
            folded: Keywords::new(&folded, true),
            everywhere,
            allowed: Allowed::default(),
            left_out: Vec::new(),
        }
    }

    /// Names of the rules, in the order in which they are applied.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.name.as_str())
    }

    /// Names of imported rules that name no expression, and so find nothing in a text.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Whether findings of a rule at this path are reported.
    pub(super) fn reports(&self, rule: &Compiled, path: &str) -> bool {
        rule.path.as_ref().is_none_or(|regex| regex.is_match(path.as_bytes()))
            && !rule.allowed.covers_path(path)
            && !self.allowed.covers_path(path)
    }

    /// Whether a finding is reported.
    pub(super) fn accepts(&self, rule: &Compiled, secret: &[u8], whole: &[u8], line: &[u8]) -> bool {
        rule.accepts(secret, whole, line) && !self.allowed.covers(secret, whole, line)
    }
}

impl From<&Rule> for Compiled {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.to_owned(),
            severity: rule.severity,
            spans_lines: rule.spans_lines,
            group: None,
            expression: rule.expression.to_owned(),
            compiled: OnceLock::new(),
            check: Some(rule.check),
            entropy: None,
            path: None,
            allowed: Allowed::default(),
        }
    }
}

/// Why a configuration has no rules.
#[derive(Debug, thiserror::Error)]
pub enum SecretRulesError {
    /// The file is larger than any of its kind.
    #[error("the rules have {bytes} bytes, at most {limit} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// There are more rules than anybody writes.
    #[error("there are {rules} rules, at most {limit} are taken")]
    TooMany {
        /// Their number.
        rules: usize,
        /// The bound.
        limit: usize,
    },
    /// The file is not TOML.
    #[error("the rules are not TOML: {message}")]
    Syntax {
        /// What is wrong.
        message: String,
    },
    /// An expression is not one, or is too large when compiled.
    #[error("rule `{rule}`: {message}")]
    Expression {
        /// The rule.
        rule: String,
        /// What is wrong.
        message: String,
    },
}

impl Explain for SecretRulesError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "secret-rules-too-large",
            Self::TooMany { .. } => "secret-rules-too-many",
            Self::Syntax { .. } => "secret-rules-malformed",
            Self::Expression { .. } => "secret-rule-expression",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::Expression { .. } => "write the expression without look-around and back-references".to_owned(),
            _ => "name a configuration of gitleaks, in TOML".to_owned(),
        })
    }
}
