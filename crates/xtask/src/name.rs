//! Names of controls and ecosystems, and what they become in Rust.

use std::str::FromStr;

/// Longest name. The longest control id of the catalogue has 21 bytes.
const MAX_LENGTH: usize = 40;

/// Words that no module can be called (The Rust Reference, "Keywords"), and what the folders already use otherwise.
const RESERVED: [&str; 14] =
    ["as", "async", "await", "const", "crate", "dyn", "enum", "extern", "fn", "impl", "mod", "self", "type", "use"];

/// A kebab-case name: `require-owner`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The module, and its file without `.rs`: `require_owner`.
    pub fn module(&self) -> String {
        self.0.replace('-', "_")
    }

    /// The type: `RequireOwner`.
    pub fn type_name(&self) -> String {
        let mut out = String::new();
        for part in self.0.split('-') {
            let mut letters = part.chars();
            out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            out.push_str(letters.as_str());
        }
        out
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_word = |part: &str| {
            part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && part.starts_with(|first: char| first.is_ascii_lowercase())
        };
        if text.len() > MAX_LENGTH || !text.split('-').all(is_word) {
            return Err(NameError::NotKebabCase { name: text.to_owned() });
        }
        if RESERVED.contains(&text) {
            return Err(NameError::Reserved { name: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

/// Why something cannot be a name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Lowercase words, each beginning with a letter, joined by single dashes.
    #[error("`{name}` is not a kebab-case name of at most {MAX_LENGTH} letters, such as `require-owner`")]
    NotKebabCase {
        /// What was given.
        name: String,
    },
    /// A keyword of Rust.
    #[error("`{name}` is a keyword of Rust; choose a name that a module can have")]
    Reserved {
        /// What was given.
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kebab_case_is_a_name() {
        for good in ["nuget", "require-owner", "pep440"] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        let long = "a".repeat(MAX_LENGTH + 1);
        for bad in ["", "-a", "a-", "a--b", "A", "a_b", "../a", "a/b", "a.rs", "4a", "a-4", "é", long.as_str()] {
            assert!(matches!(bad.parse::<Name>(), Err(NameError::NotKebabCase { .. })), "{bad}");
        }
        assert!(matches!("type".parse::<Name>(), Err(NameError::Reserved { .. })));
    }
}
