//! in-toto statements, versions 0.1 and 1 (in-toto/attestation, `spec/v1/statement.md`).
//!
//! Parsed from the very bytes that the signature covers, never from a copy that was serialised again.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use assay_model::Digest;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::VerifyError;

/// Subjects of one statement: release workflows of large projects attest some hundred files at once.
const SUBJECTS_MAX: usize = 10_000;

/// Digests of one subject.
const DIGESTS_MAX: usize = 32;

const TYPES: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// Reads a field that is an object. By itself a derived struct would take an array of its fields as well, which no format
/// of ours means.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Fields<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(fields))
        }
    }

    deserializer.deserialize_map(Fields(PhantomData))
}

/// An object by [`object`]'s rule, where one may stand in a list or be left out.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// The same for a field that may be null.
pub(crate) fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(read)| read))
}

/// The same for a list.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Object<T>>::deserialize(deserializer)?.into_iter().map(|Object(read)| read).collect())
}

/// The same for a list that may be null.
pub(crate) fn optional_objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let list = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(list.map(|list| list.into_iter().map(|Object(read)| read).collect()))
}

/// A statement whose predicate is still text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statement<'a> {
    #[serde(rename = "_type")]
    statement_type: String,
    #[serde(deserialize_with = "objects")]
    subject: Vec<Subject>,
    pub(crate) predicate_type: String,
    /// Absent in statements of some signers, which accept a type alone as a statement.
    #[serde(borrow, default)]
    pub(crate) predicate: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Subject {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    digest: DigestSet,
}

/// A digest set in which no algorithm stands twice: with two values, two readers could see two subjects.
#[derive(Debug, Default)]
struct DigestSet(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for DigestSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Set;
        impl<'de> Visitor<'de> for Set {
            type Value = DigestSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest set")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DigestSet, A::Error> {
                let mut digests = BTreeMap::new();
                while let Some((algorithm, value)) = map.next_entry::<String, String>()? {
                    if digests.len() >= DIGESTS_MAX {
                        return Err(A::Error::custom("too many digests of one subject"));
                    }
                    if let Some(_earlier) = digests.insert(algorithm, value) {
                        return Err(A::Error::custom("a digest algorithm stands twice"));
                    }
                }
                Ok(DigestSet(digests))
            }
        }
        deserializer.deserialize_map(Set)
    }
}

impl<'a> Statement<'a> {
    /// Parses the payload of an envelope.
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self, VerifyError> {
        let statement: Self = serde_json::from_slice(payload)
            .map_err(|error| VerifyError::Malformed { part: "statement", reason: error.to_string() })?;
        if !TYPES.contains(&statement.statement_type.as_str()) {
            return Err(VerifyError::Unsupported { what: format!("statement type `{}`", statement.statement_type) });
        }
        if statement.subject.len() > SUBJECTS_MAX {
            let found = statement.subject.len();
            return Err(VerifyError::TooLarge { what: "subjects of the statement", found, limit: SUBJECTS_MAX });
        }
        if statement.predicate_type.is_empty() {
            return Err(VerifyError::Malformed { part: "statement", reason: "its predicate type is empty".to_owned() });
        }
        Ok(statement)
    }

    /// Whether one subject has this digest.
    pub(crate) fn is_about(&self, digest: &Digest) -> bool {
        let (algorithm, hex) = (digest.algorithm().name(), digest.hex());
        self.subject.iter().any(|subject| subject.digest.0.get(algorithm).is_some_and(|value| *value == hex))
    }

    /// The name of the subject, where there is exactly one.
    pub(crate) fn only_subject(&self) -> Option<&str> {
        match self.subject.as_slice() {
            [subject] => subject.name.as_deref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn statement(subject: &str) -> String {
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","subject":{subject},"predicateType":"p","predicate":{{}}}}"#
        )
    }

    #[test]
    fn the_subject_is_found_by_its_algorithm() {
        let digest = Digest::of(b"a");
        let right =
            statement(&format!(r#"[{{"digest":{{"sha1":"00"}}}},{{"digest":{{"sha256":"{}"}}}}]"#, digest.hex()));
        assert!(Statement::parse(right.as_bytes()).unwrap().is_about(&digest));
        let under_another_name = statement(&format!(r#"[{{"digest":{{"sha512":"{}"}}}}]"#, digest.hex()));
        assert!(!Statement::parse(under_another_name.as_bytes()).unwrap().is_about(&digest));
        assert!(!Statement::parse(statement("[]").as_bytes()).unwrap().is_about(&digest));
    }

    #[test]
    fn digests_of_commits_and_files_stand_side_by_side() {
        let mut hasher = assay_model::Hasher::new(assay_model::Algorithm::Sha512);
        hasher.update(b"a");
        let long = hasher.finish();
        let text = statement(&format!(
            r#"[{{"name":"source","digest":{{"gitCommit":"{}"}}}},{{"name":"a.tgz","digest":{{"sha512":"{}"}}}}]"#,
            "0".repeat(40),
            long.hex()
        ));
        let parsed = Statement::parse(text.as_bytes()).unwrap();
        assert!(parsed.is_about(&long) && !parsed.is_about(&Digest::of(b"a")));
        assert_eq!(parsed.only_subject(), None, "there are two");
    }

    #[test]
    fn a_commit_is_no_file_whatever_its_digest_looks_like() {
        // Git names commits by SHA-1, or by SHA-256 over other bytes than a file's: neither is the digest of an artifact.
        let digest = Digest::of(b"a");
        for algorithm in ["gitCommit", "gitTree", "dirHash", "SHA256", "sha-256"] {
            let text = statement(&format!(r#"[{{"digest":{{"{algorithm}":"{}"}}}}]"#, digest.hex()));
            assert!(!Statement::parse(text.as_bytes()).unwrap().is_about(&digest), "{algorithm}");
        }
    }

    #[test]
    fn a_subject_is_an_object() {
        for subject in [r#"[["a",{}]]"#, "[null]", r#"["a"]"#, "{}", "null"] {
            assert!(Statement::parse(statement(subject).as_bytes()).is_err(), "{subject}");
        }
    }

    #[test]
    fn a_statement_may_have_no_predicate() {
        let text = r#"{"_type":"https://in-toto.io/Statement/v0.1","subject":[],"predicateType":"p"}"#;
        assert!(Statement::parse(text.as_bytes()).unwrap().predicate.is_none());
    }

    #[test]
    fn repeated_names_are_refused() {
        let (one, two) = (Digest::of(b"1").hex(), Digest::of(b"2").hex());
        let twice = statement(&format!(r#"[{{"digest":{{"sha256":"{one}","sha256":"{two}"}}}}]"#));
        assert!(matches!(Statement::parse(twice.as_bytes()), Err(VerifyError::Malformed { .. })));
        let two_subjects =
            r#"{"_type":"https://in-toto.io/Statement/v1","subject":[],"subject":[],"predicateType":"p"}"#;
        assert!(matches!(Statement::parse(two_subjects.as_bytes()), Err(VerifyError::Malformed { .. })));
    }

    #[test]
    fn other_statement_types_and_floods_are_refused() {
        let link = r#"{"_type":"https://in-toto.io/Link/v1","subject":[],"predicateType":"p"}"#;
        assert!(matches!(Statement::parse(link.as_bytes()), Err(VerifyError::Unsupported { .. })));
        let flood = statement(&format!("[{}]", vec!["{}"; SUBJECTS_MAX + 1].join(",")));
        assert!(matches!(Statement::parse(flood.as_bytes()), Err(VerifyError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_err(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Statement::parse(&bytes);
        }
    }
}
