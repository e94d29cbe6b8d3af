//! Alpine and its relatives: `digits{.digits}[letter]{_suffix[digits]}[~hash][-rN]`, in the order of apk-tools 3
//! (apk-package(5), "Package version").
//!
//! A version is read as a sequence of tokens, and the first that differs decides. Where the kinds of token differ, a
//! pre-release suffix loses, and else the kind that comes later in a version loses: `1.0` (which ends) is below `1.0.1`.

use std::cmp::Ordering;

use crate::digits;

/// Orders two apk versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (Tokens::of(left), Tokens::of(right));
    loop {
        let (a, b) = (left.next(), right.next());
        match (&a, &b) {
            (Token::End, Token::End) => return Ordering::Equal,
            (Token::Invalid(a), Token::Invalid(b)) => {
                // What follows a dash that is no revision was never meant to be ordered.
                return if a.starts_with('-') || b.starts_with('-') { Ordering::Equal } else { a.cmp(b) };
            }
            _ if a.kind() != b.kind() => return compare_kinds(&a, &b),
            _ => {
                let order = compare_values(&a, &b);
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

fn compare_kinds(left: &Token<'_>, right: &Token<'_>) -> Ordering {
    if matches!(left, Token::Suffix(suffix) if *suffix < NO_SUFFIX) {
        return Ordering::Less;
    }
    if matches!(right, Token::Suffix(suffix) if *suffix < NO_SUFFIX) {
        return Ordering::Greater;
    }
    right.kind().cmp(&left.kind())
}

fn compare_values(left: &Token<'_>, right: &Token<'_>) -> Ordering {
    match (left, right) {
        (Token::Digits(a), Token::Digits(b)) if a.starts_with('0') || b.starts_with('0') => a.cmp(b),
        (Token::Number(a) | Token::Digits(a), Token::Number(b) | Token::Digits(b))
        | (Token::SuffixNumber(a), Token::SuffixNumber(b))
        | (Token::Revision(a), Token::Revision(b)) => digits::compare(a, b),
        (Token::Letter(a), Token::Letter(b)) => a.cmp(b),
        (Token::Suffix(a), Token::Suffix(b)) => a.cmp(b),
        (Token::Hash(a), Token::Hash(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

/// The suffixes in order; those before [`NO_SUFFIX`] mark a pre-release.
const SUFFIXES: [&str; 9] = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"];
const NO_SUFFIX: usize = 4;

enum Token<'a> {
    /// The first number.
    Number(&'a str),
    /// A later number: where one side has a leading zero, both compare as text (`1.01` is below `1.1`).
    Digits(&'a str),
    Letter(u8),
    /// Index into [`SUFFIXES`].
    Suffix(usize),
    SuffixNumber(&'a str),
    Hash(&'a str),
    Revision(&'a str),
    End,
    /// The rest, which follows no grammar.
    Invalid(&'a str),
}

impl Token<'_> {
    fn kind(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Digits(_) => 1,
            Self::Letter(_) => 2,
            Self::Suffix(_) => 3,
            Self::SuffixNumber(_) => 4,
            Self::Hash(_) => 5,
            Self::Revision(_) => 6,
            Self::End => 7,
            Self::Invalid(_) => 8,
        }
    }
}

struct Tokens<'a> {
    rest: &'a str,
    /// Kind of the token before, `None` at the start.
    last: Option<u8>,
}

impl<'a> Tokens<'a> {
    fn of(version: &'a str) -> Self {
        Self { rest: version, last: None }
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.read();
        self.last = Some(token.kind());
        token
    }

    fn read(&mut self) -> Token<'a> {
        let rest = self.rest;
        let last = self.last.unwrap_or(0);
        let Some(first) = rest.bytes().next() else { return Token::End };
        match first {
            b'0'..=b'9' => {
                let (number, after) = digits::split(rest);
                self.rest = after;
                match self.last {
                    None => Token::Number(number),
                    Some(3) => Token::SuffixNumber(number),
                    // A number straight after a letter (`9.8p1`) is outside the grammar, and common.
                    Some(0..=2) => Token::Digits(number),
                    Some(_) => Token::Invalid(rest),
                }
            }
            b'.' if last <= 1 => {
                let (number, after) = digits::split(rest.get(1..).unwrap_or_default());
                if number.is_empty() && !after.starts_with('.') && !after.is_empty() {
                    return Token::Invalid(rest);
                }
                self.rest = after;
                Token::Digits(number)
            }
            b'a'..=b'z' if last <= 1 => {
                self.rest = rest.get(1..).unwrap_or_default();
                Token::Letter(first)
            }
            b'_' if last <= 4 => {
                let name = rest.get(1..).unwrap_or_default();
                let end = name.bytes().position(|byte| !byte.is_ascii_lowercase()).unwrap_or(name.len());
                let (name, after) = name.split_at(end);
                match SUFFIXES.iter().position(|suffix| *suffix == name) {
                    Some(index) => {
                        self.rest = after;
                        Token::Suffix(index)
                    }
                    None => Token::Invalid(rest),
                }
            }
            b'~' if last <= 4 => {
                let hash = rest.get(1..).unwrap_or_default();
                let end = hash.bytes().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(hash.len());
                let (hash, after) = hash.split_at(end);
                self.rest = after;
                Token::Hash(hash)
            }
            b'-' if last <= 5 => {
                let Some(number) = rest.strip_prefix("-r") else { return Token::Invalid(rest) };
                let (number, after) = digits::split(number);
                if number.is_empty() && after.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    return Token::Invalid(rest);
                }
                self.rest = after;
                Token::Revision(number)
            }
            _ => Token::Invalid(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_letters_and_revisions_order_as_apk_does() {
        for (low, high) in [
            ("1.2.3-r0", "1.2.3-r1"),
            ("1.2_alpha1", "1.2_beta"),
            ("1.2_rc4-r9", "1.2-r0"),
            ("1.2", "1.2_p1"),
            ("9.8_p1-r0", "9.8_p1-r10"),
            ("1.1.1f-r0", "1.1.1g-r0"),
            ("3.0.9", "3.0.10"),
            ("1.01", "1.1"),
        ] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
        }
    }
}
