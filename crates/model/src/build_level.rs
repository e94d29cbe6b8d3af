//! Levels of the SLSA Build track (slsa.dev/spec/v1.0/levels).

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How much a build platform keeps its provenance from being forged. The Build track ends at L3.
///
/// ```
/// use assay_model::BuildLevel;
///
/// assert_eq!(BuildLevel::from_word("SLSA_BUILD_LEVEL_3"), Some(BuildLevel::L3));
/// assert!(BuildLevel::L2 < BuildLevel::L3);
/// // The wording of SLSA 0.1 had four levels, of which the last two differ in what v1 leaves to other tracks.
/// assert_eq!(BuildLevel::from_older_word("SLSA_LEVEL_4"), Some(BuildLevel::L3));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuildLevel {
    /// Nothing is promised.
    #[default]
    L0,
    /// Provenance exists: it says how the artifact was built.
    L1,
    /// A hosted platform built it and signed the provenance.
    L2,
    /// The platform keeps builds from each other and its signing key from the build's own steps.
    L3,
}

impl BuildLevel {
    /// All levels, lowest first.
    pub const ALL: [Self; 4] = [Self::L0, Self::L1, Self::L2, Self::L3];

    /// `L0` to `L3`.
    pub fn name(self) -> &'static str {
        match self {
            Self::L0 => "L0",
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
        }
    }

    /// The word of a verification summary, for example `SLSA_BUILD_LEVEL_3`.
    pub fn word(self) -> &'static str {
        match self {
            Self::L0 => "SLSA_BUILD_LEVEL_0",
            Self::L1 => "SLSA_BUILD_LEVEL_1",
            Self::L2 => "SLSA_BUILD_LEVEL_2",
            Self::L3 => "SLSA_BUILD_LEVEL_3",
        }
    }

    /// Reads `L3` and `SLSA_BUILD_LEVEL_3`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == word || level.word() == word)
    }

    /// Reads the wording of SLSA 0.1 and of summaries 0.2, `SLSA_LEVEL_0` to `SLSA_LEVEL_4`. What its level 4 asks above
    /// level 3 (two-person review, hermetic and reproducible builds) is no part of the v1 Build track.
    pub fn from_older_word(word: &str) -> Option<Self> {
        match word {
            "SLSA_LEVEL_0" => Some(Self::L0),
            "SLSA_LEVEL_1" => Some(Self::L1),
            "SLSA_LEVEL_2" => Some(Self::L2),
            "SLSA_LEVEL_3" | "SLSA_LEVEL_4" => Some(Self::L3),
            _ => None,
        }
    }

    /// What the next level asks beyond this one; none at the end of the track.
    pub fn missing(self) -> Option<&'static str> {
        match self {
            Self::L0 => Some("L1 needs provenance that says how it was built"),
            Self::L1 => Some("L2 needs provenance that a hosted build platform signed"),
            Self::L2 => Some("L3 needs a platform that keeps builds apart and its signing key out of their reach"),
            Self::L3 => None,
        }
    }
}

impl fmt::Display for BuildLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for BuildLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for BuildLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LevelVisitor;
        impl Visitor<'_> for LevelVisitor {
            type Value = BuildLevel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a level of the SLSA Build track, L0 to L3")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<BuildLevel, E> {
                self.visit_str(&format!("L{number}"))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<BuildLevel, E> {
                self.visit_str(&format!("L{number}"))
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<BuildLevel, E> {
                BuildLevel::from_word(word).ok_or_else(|| {
                    let older = BuildLevel::from_older_word(word);
                    let older = older.or_else(|| (word == "L4").then_some(BuildLevel::L3));
                    match older {
                        Some(level) => E::custom(format!(
                            "`{word}` is the wording of SLSA 0.1, which had four levels; in the v1 Build track it is {level}"
                        )),
                        None => E::custom(format!("`{word}` is no level of the SLSA Build track, which has L0 to L3")),
                    }
                })
            }
        }
        deserializer.deserialize_any(LevelVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_level_is_read_and_the_older_wording_is_explained() {
        for (json, level) in
            [("3", BuildLevel::L3), ("\"L2\"", BuildLevel::L2), ("\"SLSA_BUILD_LEVEL_1\"", BuildLevel::L1)]
        {
            assert_eq!(serde_json::from_str::<BuildLevel>(json).unwrap(), level);
        }
        for older in ["4", "\"L4\"", "\"SLSA_LEVEL_4\""] {
            let error = serde_json::from_str::<BuildLevel>(older).unwrap_err().to_string();
            assert!(error.contains("in the v1 Build track it is L3"), "{error}");
        }
        assert!(serde_json::from_str::<BuildLevel>("\"L9\"").unwrap_err().to_string().contains("L0 to L3"));
    }

    #[test]
    fn each_level_says_what_the_next_one_asks() {
        for level in BuildLevel::ALL {
            let next = BuildLevel::ALL.into_iter().find(|other| *other > level);
            assert_eq!(level.missing().map(|text| text.split(' ').next()), next.map(|next| Some(next.name())));
        }
    }
}
