//! The keys of npm's registry, in the two forms that it publishes them.

use assay_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::MaterialError;
use crate::crypto::PublicKey;
use crate::material::KeyValidity;

/// Largest document read: the real one has less than 2 KiB.
const DOCUMENT_MAX: usize = 256 << 10;
/// What keys for attestations are marked with; others sign packages.
const USAGE: &str = "npm:attestations";

/// One key.
pub(crate) struct NpmKey {
    pub(crate) name: String,
    pub(crate) key: PublicKey,
    pub(crate) validity: KeyValidity,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Key {
    /// As Sigstore's TUF repository has it.
    Tuf {
        #[serde(rename = "keyId")]
        id: String,
        #[serde(rename = "keyUsage")]
        usage: String,
        #[serde(rename = "publicKey")]
        key: TufKey,
    },
    /// As the registry has it, for both uses.
    Registry {
        #[serde(rename = "keyid")]
        id: String,
        key: String,
        expires: Option<Timestamp>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TufKey {
    raw_bytes: String,
    valid_for: Option<Period>,
}

#[derive(Deserialize)]
struct Period {
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

/// Reads the keys for attestations.
pub(crate) fn parse(json: &[u8]) -> Result<Vec<NpmKey>, MaterialError> {
    let refuse = |reason: String| MaterialError::Key { reason };
    if json.len() > DOCUMENT_MAX {
        return Err(MaterialError::TooLarge { what: "bytes of npm's keys", limit: DOCUMENT_MAX });
    }
    let document: Document = serde_json::from_slice(json).map_err(|error| refuse(format!("npm's keys: {error}")))?;
    let mut keys = Vec::new();
    for key in document.keys {
        let (name, text, validity) = match key {
            Key::Tuf { usage, .. } if usage != USAGE => continue,
            Key::Tuf { id, key: TufKey { raw_bytes, valid_for }, .. } => {
                let (from, until) = valid_for.map_or((None, None), |period| (period.start, period.end));
                (id, raw_bytes, KeyValidity { from, until })
            }
            Key::Registry { id, key, expires } => (id, key, KeyValidity { from: None, until: expires }),
        };
        let der = STANDARD.decode(&text).map_err(|error| refuse(format!("npm's key {name}: base64: {error}")))?;
        let key = PublicKey::from_spki(&der).map_err(|error| refuse(format!("npm's key {name}: {error}")))?;
        keys.push(NpmKey { name, key, validity });
    }
    if keys.is_empty() {
        return Err(refuse("npm's keys: none is for attestations".to_owned()));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";

    #[test]
    fn both_forms_are_read_with_their_ends() {
        let tuf = format!(
            r#"{{"keys":[{{"keyId":"a","keyUsage":"npm:signatures","publicKey":{{"rawBytes":"{KEY}"}}}},
            {{"keyId":"b","keyUsage":"npm:attestations","publicKey":{{"rawBytes":"{KEY}","keyDetails":"x",
            "validFor":{{"start":"1999-01-01T00:00:00.000Z","end":"2025-01-29T00:00:00.000Z"}}}}}}]}}"#
        );
        let [key] = &parse(tuf.as_bytes()).unwrap()[..] else { panic!("one is for attestations") };
        assert_eq!(key.name, "b");
        let at = |text: &str| key.validity.covers(text.parse().unwrap());
        assert!(at("1999-01-01T00:00:00Z") && at("2025-01-29T00:00:00Z"));
        assert!(!at("1998-12-31T23:59:59Z") && !at("2025-01-29T00:00:01Z"));

        let registry = format!(
            r#"{{"keys":[{{"expires":null,"keyid":"c","keytype":"ed25519","scheme":"ed25519","key":"{KEY}"}},
            {{"expires":"2025-01-29T00:00:00.000Z","keyid":"d","key":"{KEY}"}}]}}"#
        );
        let [c, d] = &parse(registry.as_bytes()).unwrap()[..] else { panic!("two") };
        assert_eq!(c.validity, KeyValidity::default());
        assert!(d.validity.until.is_some());
    }

    #[test]
    fn what_is_no_list_of_keys_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"keyid":"a","key":"?","expires":null}]}"#,
            r#"{"keys":[{"keyid":"a","key":"AAAA","expires":null}]}"#,
            r#"{"keys":[{"keyid":"a","key":"AAAA","expires":"soon"}]}"#,
            r#"{"keys":[{"keyId":"a","keyUsage":"npm:signatures","publicKey":{"rawBytes":""}}]}"#,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
