//! Conda: `[epoch!]version[+local]` (docs.conda.io, "Version ordering").
//!
//! A version is cut at dots, dashes and underscores, each piece at every change between digits and letters. Words are older
//! than numbers, `dev` is older than all other words, and `post` newer than any number; a piece that begins with a word
//! begins with a zero, and a missing part is a zero.

use std::cmp::Ordering;

use crate::digits;

/// Orders two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.to_ascii_lowercase(), right.to_ascii_lowercase());
    let (left, right) = (Parsed::of(&left), Parsed::of(&right));
    digits::compare(left.epoch, right.epoch)
        .then_with(|| compare_pieces(&left.version, &right.version))
        .then_with(|| compare_pieces(&left.local, &right.local))
}

struct Parsed<'a> {
    epoch: &'a str,
    version: Vec<Vec<&'a str>>,
    local: Vec<Vec<&'a str>>,
}

impl<'a> Parsed<'a> {
    fn of(text: &'a str) -> Self {
        let (epoch, rest) = match text.split_once('!') {
            Some((epoch, rest)) if digits::all(epoch) => (epoch, rest),
            _ => ("", text),
        };
        let (version, local) = rest.split_once('+').unwrap_or((rest, ""));
        Self { epoch, version: pieces(version), local: if local.is_empty() { Vec::new() } else { pieces(local) } }
    }
}

fn pieces(version: &str) -> Vec<Vec<&str>> {
    // An underscore at the very end belongs to the last piece: OpenSSL's `1.0.1_` is before `1.0.1a`.
    let (body, tail) = match version.strip_suffix('_') {
        Some(body) => (body, version.get(body.len()..)),
        None => (version, None),
    };
    let mut pieces: Vec<Vec<&str>> = body.split(['.', '-', '_']).map(runs).collect();
    if let (Some(last), Some(tail)) = (pieces.last_mut(), tail) {
        last.push(tail);
    }
    pieces
}

/// Runs of digits and of anything else; a number first.
fn runs(piece: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let mut rest = piece;
    while let Some(first) = rest.bytes().next() {
        let numeric = first.is_ascii_digit();
        if runs.is_empty() && !numeric {
            runs.push("0");
        }
        let end = rest.bytes().position(|byte| byte.is_ascii_digit() != numeric).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        runs.push(run);
        rest = after;
    }
    runs
}

fn compare_pieces(left: &[Vec<&str>], right: &[Vec<&str>]) -> Ordering {
    let nothing = Vec::new();
    for at in 0..left.len().max(right.len()) {
        let (a, b) = (left.get(at).unwrap_or(&nothing), right.get(at).unwrap_or(&nothing));
        for at in 0..a.len().max(b.len()) {
            let run = |runs: &[&str]| runs.get(at).map_or_else(|| "0".to_owned(), |run| (*run).to_owned());
            let (a, b) = (run(a), run(b));
            let order = rank(&a)
                .cmp(&rank(&b))
                .then_with(|| if digits::all(&a) && digits::all(&b) { digits::compare(&a, &b) } else { a.cmp(&b) });
            if order != Ordering::Equal {
                return order;
            }
        }
    }
    Ordering::Equal
}

fn rank(run: &str) -> u8 {
    match run {
        "dev" => 0,
        "post" => 3,
        run if digits::all(run) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_as_the_documentation_lists_them() {
        let ordered = [
            "0.4",
            "0.4.1.rc",
            "0.4.1",
            "0.5a1",
            "0.5b3",
            "0.5C1",
            "0.5",
            "0.9.6",
            "0.960923",
            "1.0",
            "1.1dev1",
            "1.1_",
            "1.1a1",
            "1.1.0dev1",
            "1.1.a1",
            "1.1.0rc1",
            "1.1.0",
            "1.1.0post1",
            "1.1post1",
            "1996.07.12",
            "1!0.4.1",
            "1!3.1.1.6",
            "2!0.4.1",
        ];
        for (at, low) in ordered.iter().enumerate() {
            for high in ordered.iter().skip(at + 1) {
                assert_eq!(compare(low, high), Ordering::Less, "{low} < {high}");
                assert_eq!(compare(high, low), Ordering::Greater, "{high} > {low}");
            }
        }
        for (left, right) in [
            ("0.4", "0.4.0"),
            ("0.4.1.rc", "0.4.1.RC"),
            ("1.1.0dev1", "1.1.dev1"),
            ("1.1.0post1", "1.1.post1"),
            ("1-2", "1_2"),
        ] {
            assert_eq!(compare(left, right), Ordering::Equal, "{left} = {right}");
        }
    }
}
