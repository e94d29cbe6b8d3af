//! OSV records as they are published (OSV schema 1.7, ossf.github.io/osv-schema), read leniently and within bounds.
//!
//! Nothing here is a closed enumeration: a third of the real records name ecosystems, severity types or fields that no list
//! foresaw. What is strict is the JSON itself: a key that occurs twice in an object is refused, because readers disagree
//! about which one counts.

use std::collections::BTreeSet;
use std::fmt;

use assay_model::Explain;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Most bytes of one record. The largest of the real ones has 94 KB.
pub const MAX_RECORD_BYTES: usize = 16 << 20;
/// Most affected packages of one record, and most ranges, events and versions of one package.
const MAX_LIST: usize = 100_000;

/// One advisory.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Record {
    /// The database's own name for it, for example `GO-2024-2687`.
    pub id: String,
    /// RFC 3339.
    #[serde(deserialize_with = "nullable")]
    pub modified: String,
    /// RFC 3339; empty where it is not given.
    #[serde(deserialize_with = "nullable")]
    pub published: String,
    /// RFC 3339; empty unless the record was taken back.
    #[serde(deserialize_with = "nullable")]
    pub withdrawn: String,
    /// Other names of the same vulnerability: symmetric and transitive.
    #[serde(deserialize_with = "nullable")]
    pub aliases: Vec<String>,
    /// Vulnerabilities that this record passes on to a downstream: directed.
    #[serde(deserialize_with = "nullable")]
    pub upstream: Vec<String>,
    /// Whatever the source thinks is close to it.
    #[serde(deserialize_with = "nullable")]
    pub related: Vec<String>,
    /// One line.
    #[serde(deserialize_with = "nullable")]
    pub summary: String,
    /// Markdown.
    #[serde(deserialize_with = "nullable")]
    pub details: String,
    /// Ratings of the vulnerability as a whole.
    #[serde(deserialize_with = "nullable")]
    pub severity: Vec<Severity>,
    /// What is affected.
    #[serde(deserialize_with = "nullable")]
    pub affected: Vec<Affected>,
    /// Where to read more.
    #[serde(deserialize_with = "nullable")]
    pub references: Vec<Reference>,
    /// The source's own fields.
    #[serde(deserialize_with = "nullable")]
    pub database_specific: Value,
}

/// A rating in some system.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Severity {
    /// `CVSS_V2`, `CVSS_V3`, `CVSS_V4`, `Ubuntu`, or what the source invents.
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub kind: String,
    /// A vector or a word.
    #[serde(deserialize_with = "nullable")]
    pub score: String,
}

/// A link.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Reference {
    /// The address.
    #[serde(deserialize_with = "nullable")]
    pub url: String,
}

/// One affected package.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Affected {
    /// Its name; absent in records that speak of commits only.
    pub package: Option<Package>,
    /// Ratings for this package.
    #[serde(deserialize_with = "nullable")]
    pub severity: Vec<Severity>,
    /// Affected version ranges.
    #[serde(deserialize_with = "nullable")]
    pub ranges: Vec<Range>,
    /// Affected versions one by one.
    #[serde(deserialize_with = "nullable")]
    pub versions: Vec<String>,
    /// The ecosystem's own fields.
    #[serde(deserialize_with = "nullable")]
    pub ecosystem_specific: Value,
    /// The source's own fields.
    #[serde(deserialize_with = "nullable")]
    pub database_specific: Value,
}

/// A package name within an ecosystem.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Package {
    /// For example `Debian:12` or `crates.io`.
    #[serde(deserialize_with = "nullable")]
    pub ecosystem: String,
    /// As the ecosystem writes it.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
}

/// A version range.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Range {
    /// `SEMVER`, `ECOSYSTEM` or `GIT`.
    #[serde(rename = "type", deserialize_with = "nullable")]
    pub kind: String,
    /// Events in any order.
    #[serde(deserialize_with = "nullable")]
    pub events: Vec<Event>,
}

/// One event; the schema wants exactly one field, real data sometimes has more.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Event {
    /// First affected version.
    pub introduced: Option<String>,
    /// First version with the fix.
    pub fixed: Option<String>,
    /// Last affected version.
    pub last_affected: Option<String>,
    /// End of what the range speaks about.
    pub limit: Option<String>,
}

/// `null` counts as absent.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads one record. This is the entry point for hostile bytes.
pub fn parse_record(bytes: &[u8]) -> Result<Record, RecordError> {
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(RecordError::TooLarge { bytes: bytes.len() });
    }
    let json = |error: serde_json::Error| RecordError::Json {
        line: error.line(),
        column: error.column(),
        message: without_position(&error),
    };
    serde_json::from_slice::<UniqueKeys>(bytes).map_err(json)?;
    // serde also reads a structure from an array of its fields.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(RecordError::Json { line: 1, column: 1, message: "a record is a JSON object".to_owned() });
    }
    let record: Record = serde_json::from_slice(bytes).map_err(json)?;
    if record.id.parse::<assay_model::VulnerabilityId>().is_err() {
        return Err(RecordError::Id { id: record.id.chars().take(80).collect() });
    }
    let too_long = |affected: &Affected| {
        let events = affected.ranges.iter().map(|range| range.events.len()).sum::<usize>();
        events.max(affected.versions.len()).max(affected.ranges.len()) > MAX_LIST
    };
    if record.affected.len() > MAX_LIST || record.affected.iter().any(too_long) {
        return Err(RecordError::TooMany);
    }
    Ok(record)
}

/// Whether the record says that its vulnerability is disputed: the flag of OSV's CVE records, or the words with which NVD and
/// MITRE begin such descriptions.
pub(crate) fn is_disputed(record: &Record) -> bool {
    record.database_specific.get("isDisputed").and_then(Value::as_bool) == Some(true)
        || begins_with_mark(record, "DISPUTED")
}

/// Whether the CVE was rejected: such records are as good as withdrawn.
pub(crate) fn is_rejected(record: &Record) -> bool {
    begins_with_mark(record, "REJECT")
}

fn begins_with_mark(record: &Record, mark: &str) -> bool {
    [&record.summary, &record.details]
        .into_iter()
        .any(|text| text.trim_start().strip_prefix("** ").is_some_and(|text| text.starts_with(mark)))
}

/// serde_json's message without ` at line 1 column 2`, which [`RecordError`] carries as numbers.
pub(crate) fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_owned()
}

/// Any JSON value in which no object has a key twice. serde_json bounds the depth at 128.
pub(crate) struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self, A::Error> {
        while sequence.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value::<Self>()?;
            if let Some(key) = keys.replace(key) {
                return Err(A::Error::custom(format!("the key `{key}` occurs twice in one object")));
            }
        }
        Ok(self)
    }
}

/// Why bytes are not an OSV record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record is larger than any real one by far: a mistake or an attack.
    #[error("a record of {bytes} bytes is not read; the most is {MAX_RECORD_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The JSON is malformed, has a key twice, or a field has another shape than the schema's.
    #[error("line {line}, column {column}: {message}")]
    Json {
        /// Line, counted from 1 at the record's start.
        line: usize,
        /// Column in bytes, counted from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// There is no `id`, or it has characters that no identifier has.
    #[error("`{id}` is not an advisory identifier")]
    Id {
        /// The identifier as written, at most 80 characters of it.
        id: String,
    },
    /// More packages, events or versions than any real record lists.
    #[error("the record lists more than {MAX_LIST} packages, events or versions")]
    TooMany,
}

impl Explain for RecordError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "osv-record-too-large",
            Self::Json { .. } => "osv-record-malformed",
            Self::Id { .. } => "osv-record-id",
            Self::TooMany => "osv-record-too-many",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nulls_and_unknown_fields_are_let_through() {
        let record = parse_record(
            br#"{"id": "X-1", "severity": null, "aliases": null, "novel": {"a": [1.5, true]},
                "affected": [{"package": null, "ranges": [{"type": "NOVEL", "events": [{"introduced": "0"}]}]}]}"#,
        )
        .unwrap();
        assert_eq!(record.id, "X-1");
        assert_eq!(record.affected[0].ranges[0].kind, "NOVEL");
    }

    #[test]
    fn a_key_that_occurs_twice_is_named_with_its_line() {
        let error =
            parse_record(b"{\"id\": \"X-1\",\n \"affected\": [{\"versions\": [],\n \"versions\": []}]}").unwrap_err();
        assert!(
            matches!(&error, RecordError::Json { line: 3, message, .. } if message.contains("`versions`")),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_record_is_refused_with_its_cause() {
        for (bytes, code) in [
            (&b""[..], "osv-record-malformed"),
            (b"{", "osv-record-malformed"),
            (b"[]", "osv-record-malformed"),
            (b"{}", "osv-record-id"),
            (b"{\"id\": \"a b\"}", "osv-record-id"),
            (b"{\"id\": \"X-1\", \"affected\": 5}", "osv-record-malformed"),
            (b"{\"id\": \"\xff\"}", "osv-record-malformed"),
        ] {
            assert_eq!(parse_record(bytes).unwrap_err().code(), code, "{}", String::from_utf8_lossy(bytes));
        }
        let deep = [b"{\"id\": \"X-1\", \"x\": ".to_vec(), vec![b'['; 5000]].concat();
        assert_eq!(parse_record(&deep).unwrap_err().code(), "osv-record-malformed");
        assert_eq!(parse_record(&vec![b' '; MAX_RECORD_BYTES + 1]).unwrap_err().code(), "osv-record-too-large");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_record(&bytes);
        }

        #[test]
        fn no_json_panics(text in "\\{\"id\": ?\"[A-Z-]{1,4}\"(, ?\"(affected|severity|aliases)\": ?(\\[\\]|null|\\{\\}|1|\"x\")){0,2}\\}") {
            let _ = parse_record(text.as_bytes());
        }
    }
}
