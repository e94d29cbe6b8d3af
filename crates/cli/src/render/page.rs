//! Colour and width of what is written to.

use std::fmt;

use anstyle::{AnsiColor, Style};

/// What is written to: a terminal, a pipe or a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// Whether colour sequences are wanted. Colour only underlines what the words already say.
    pub(crate) colour: bool,
    /// Columns.
    pub(crate) width: usize,
    /// Whether what is in order, or only a warning, is shown too (`-v`).
    pub(crate) detail: bool,
}

impl Page {
    /// A file: no colour, and nothing left out.
    pub(crate) fn file() -> Self {
        Self { colour: false, width: 80, detail: true }
    }

    /// What stands in the way.
    pub(crate) fn bad(self, text: impl fmt::Display) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// What to look at.
    pub(crate) fn warn(self, text: impl fmt::Display) -> String {
        self.paint(AnsiColor::Yellow.on_default(), text)
    }

    /// What is in order.
    pub(crate) fn good(self, text: impl fmt::Display) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// What is only there to be looked up.
    pub(crate) fn dim(self, text: impl fmt::Display) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// The thing itself.
    pub(crate) fn strong(self, text: impl fmt::Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    fn paint(self, style: Style, text: impl fmt::Display) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    /// Breaks `text` at spaces so that each line fits behind `indent` columns. Words longer than a line stay whole:
    /// a digest that is cut cannot be copied.
    pub(crate) fn wrap(self, text: &str, indent: usize) -> String {
        let room = self.width.saturating_sub(indent).max(20);
        let mut out = String::new();
        let mut used = 0;
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if used > 0 && used + 1 + length > room {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', indent));
                used = 0;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += length;
        }
        out
    }
}

/// The first `width` characters, the last of them `…` where something was left out.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// `1 image`, `2 images`.
pub(crate) fn count(number: usize, one: &str) -> String {
    let stem = one.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (number, stem) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        _ => format!("{number} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_long_words_stay_whole() {
        let page = Page { width: 30, ..Page::file() };
        assert_eq!(page.wrap("one two three four five six seven", 4), "one two three four five\n    six seven");
        let digest = "sha256:".to_owned() + &"a".repeat(64);
        assert_eq!(page.wrap(&digest, 4), digest);
    }

    #[test]
    fn numbers_and_their_words_agree() {
        let counted = ["image", "entry", "good deploy"].map(|word| (count(1, word), count(2, word)));
        let words = counted.map(|(one, two)| format!("{one}, {two}"));
        assert_eq!(words, ["1 image, 2 images", "1 entry, 2 entries", "1 good deploy, 2 good deploys"]);
    }

    #[test]
    fn without_colour_the_words_are_the_same() {
        let (plain, coloured) = (Page::file(), Page { colour: true, ..Page::file() });
        assert_eq!(plain.bad("denied"), "denied");
        assert!(coloured.bad("denied").contains("denied"));
    }
}
