//! Maven: the "Version Order Specification" of the POM reference (maven.apache.org/pom.html).
//!
//! Where that text and Maven's own `ComparableVersion` differ, this follows the code: an underscore is a letter like any other,
//! and `.qualifier` sorts before `-qualifier`.
//!
//! A version is split at dots, dashes and every change between digits and letters; null values are trimmed
//! before each dash; the shorter one is padded with null values, and tokens are compared one after the other.

use std::cmp::Ordering;

use crate::digits;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (tokens(left), tokens(right));
    for at in 0..left.len().max(right.len()) {
        let (a, b) = match (left.get(at), right.get(at)) {
            (Some(a), Some(b)) => (a.clone(), b.clone()),
            (Some(a), None) => (a.clone(), a.null()),
            (None, Some(b)) => (b.null(), b.clone()),
            (None, None) => break,
        };
        let order = a.compare(&b);
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

#[derive(Clone, Debug)]
struct Token {
    /// Preceded by a dash, or by a change between digits and letters.
    dash: bool,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Number(String),
    /// A qualifier by rank; rank [`UNKNOWN`] orders by its text.
    Word(u8, String),
}

/// Rank of the empty qualifier, which `ga`, `final` and `release` equal.
const RELEASE: u8 = 5;
/// Rank of a qualifier without a meaning of its own.
const UNKNOWN: u8 = 7;

impl Value {
    fn word(text: &str, before_digit: bool) -> Self {
        let rank = match text {
            "alpha" => 0,
            "a" if before_digit => 0,
            "beta" => 1,
            "b" if before_digit => 1,
            "milestone" => 2,
            "m" if before_digit => 2,
            "rc" | "cr" => 3,
            "snapshot" => 4,
            "" | "ga" | "final" | "release" => RELEASE,
            "sp" => 6,
            _ => UNKNOWN,
        };
        Self::Word(rank, if rank == UNKNOWN { text.to_owned() } else { String::new() })
    }

    fn is_null(&self) -> bool {
        match self {
            Self::Number(digits) => digits.is_empty(),
            Self::Word(rank, _) => *rank == RELEASE,
        }
    }
}

impl Token {
    /// What a missing token counts as beside this one.
    fn null(&self) -> Self {
        let value = match self.value {
            Value::Number(_) => Value::Number(String::new()),
            Value::Word(..) => Value::Word(RELEASE, String::new()),
        };
        Self { dash: self.dash, value }
    }

    fn compare(&self, other: &Self) -> Ordering {
        // `.qualifier` < `-qualifier` < `-number` < `.number`
        let class = |token: &Self| match (&token.value, token.dash) {
            (Value::Word(..), false) => 0,
            (Value::Word(..), true) => 1,
            (Value::Number(_), true) => 2,
            (Value::Number(_), false) => 3,
        };
        class(self).cmp(&class(other)).then_with(|| match (&self.value, &other.value) {
            (Value::Number(a), Value::Number(b)) => digits::compare(a, b),
            (Value::Word(a, a_text), Value::Word(b, b_text)) => a.cmp(b).then_with(|| a_text.cmp(b_text)),
            _ => Ordering::Equal,
        })
    }
}

fn tokens(version: &str) -> Vec<Token> {
    let lower = version.to_lowercase();
    let mut tokens = Vec::new();
    let mut rest = lower.as_str();
    let mut dash = false;
    loop {
        let numeric = rest.starts_with(|c: char| c.is_ascii_digit());
        let end = rest.find(|c: char| matches!(c, '.' | '-') || c.is_ascii_digit() != numeric).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        let change = after.starts_with(|c: char| !matches!(c, '.' | '-'));
        let value = if numeric {
            Value::Number(text.trim_start_matches('0').to_owned())
        } else if text.is_empty() {
            // An empty token is a zero.
            Value::Number(String::new())
        } else {
            Value::word(text, change)
        };
        tokens.push(Token { dash, value });
        if after.is_empty() {
            break;
        }
        dash = change || !after.starts_with('.');
        rest = if change { after } else { after.get(1..).unwrap_or_default() };
    }
    trim(tokens)
}

/// Removes null values from the end of each run that a dash begins.
fn trim(tokens: Vec<Token>) -> Vec<Token> {
    let mut kept: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        if token.dash {
            trim_end(&mut kept);
        }
        kept.push(token);
    }
    trim_end(&mut kept);
    kept
}

fn trim_end(tokens: &mut Vec<Token>) {
    while tokens.last().is_some_and(|token| token.value.is_null()) {
        tokens.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_order_as_the_pom_reference_says() {
        let ordered = ["1-alpha-1", "1-beta", "1-m2", "1-rc1", "1-SNAPSHOT", "1", "1-sp", "1-abc", "1-1", "1.1"];
        for pair in ordered.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{} < {}", pair[0], pair[1]);
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{} > {}", pair[1], pair[0]);
        }
        for (left, right) in
            [("1.0.0", "1"), ("1-ga", "1"), ("1.0-FINAL", "1.0"), ("1a1", "1-alpha-1"), ("2-cr1", "2-rc1")]
        {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} = {right}");
        }
    }
}
