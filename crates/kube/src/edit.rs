//! Edits of a text by byte range: everything outside the ranges stays byte for byte.

use assay_model::Explain;

/// Bytes to replace, and what by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Which bytes.
    pub bytes: std::ops::Range<usize>,
    /// The new text.
    pub text: String,
}

/// The text with all replacements made. They may come in any order; the same one twice (an anchor used twice) counts once.
///
/// ```
/// use assay_kube::{Replacement, apply};
///
/// let text = "image: nginx:1 # web";
/// let edits = [Replacement { bytes: 7..14, text: "nginx@sha256:0".into() }];
/// assert_eq!(apply(text, &edits)?, "image: nginx@sha256:0 # web");
/// # Ok::<(), assay_kube::EditError>(())
/// ```
pub fn apply(text: &str, replacements: &[Replacement]) -> Result<String, EditError> {
    let mut ordered: Vec<&Replacement> = replacements.iter().collect();
    ordered.sort_by(|a, b| (a.bytes.start, a.bytes.end, &a.text).cmp(&(b.bytes.start, b.bytes.end, &b.text)));
    ordered.dedup();
    let mut edited = String::with_capacity(text.len() + ordered.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut done = 0;
    for edit in ordered {
        if edit.bytes.start < done {
            return Err(EditError::Overlap { offset: edit.bytes.start });
        }
        let outside = || EditError::Outside { start: edit.bytes.start, end: edit.bytes.end };
        edited.push_str(text.get(done..edit.bytes.start).ok_or_else(outside)?);
        text.get(edit.bytes.clone()).ok_or_else(outside)?;
        edited.push_str(&edit.text);
        done = edit.bytes.end;
    }
    edited.push_str(text.get(done..).unwrap_or_default());
    Ok(edited)
}

/// Why edits do not fit a text. The text has changed since it was read, or two edits want the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Two different edits of the same bytes: one anchor, used for images that resolve differently.
    #[error("two different edits of byte {offset}")]
    Overlap {
        /// Where.
        offset: usize,
    },
    /// The range does not lie in the text, or cuts a character in two.
    #[error("bytes {start} to {end} are not a range of the text")]
    Outside {
        /// Start of the range.
        start: usize,
        /// End of the range.
        end: usize,
    },
}

impl Explain for EditError {
    fn code(&self) -> &'static str {
        match self {
            Self::Overlap { .. } => "edit-overlap",
            Self::Outside { .. } => "edit-outside",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some("Edit this file by hand; nothing was written".into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edit(bytes: std::ops::Range<usize>, text: &str) -> Replacement {
        Replacement { bytes, text: text.into() }
    }

    #[test]
    fn edits_apply_in_any_order_and_once() {
        let edits = [edit(4..5, "E"), edit(0..1, "A!"), edit(4..5, "E")];
        assert_eq!(apply("abcde", &edits).unwrap(), "A!bcdE");
    }

    #[test]
    fn edits_that_do_not_fit_change_nothing() {
        assert_eq!(apply("abc", &[edit(0..2, "x"), edit(1..3, "y")]).unwrap_err().code(), "edit-overlap");
        assert_eq!(apply("abc", &[edit(0..2, "x"), edit(0..2, "y")]).unwrap_err().code(), "edit-overlap");
        assert_eq!(apply("abc", &[edit(2..9, "x")]).unwrap_err().code(), "edit-outside");
        assert_eq!(apply("é", &[edit(0..1, "x")]).unwrap_err().code(), "edit-outside");
    }

    proptest! {
        #[test]
        fn no_range_panics(text in ".{0,12}", start in 0usize..20, end in 0usize..20) {
            let _ = apply(&text, &[edit(start..end, "x")]);
        }
    }
}
