//! How an identity is to be matched, as written.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A plain text matches itself and nothing else; `{glob: ...}` and `{regexp: ...}` say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternSpec {
    /// The very text.
    Exact(String),
    /// `*` within a path segment, `**` across segments.
    Glob(String),
    /// A regular expression, which must be anchored at both ends.
    Regexp(String),
}

impl Serialize for PatternSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, text) = match self {
            Self::Exact(text) => return serializer.serialize_str(text),
            Self::Glob(text) => ("glob", text),
            Self::Regexp(text) => ("regexp", text),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(key, text)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for PatternSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PatternVisitor;
        impl<'de> Visitor<'de> for PatternVisitor {
            type Value = PatternSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text to match exactly, or one of {exact: ...}, {glob: ...}, {regexp: ...}")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(PatternSpec::Exact(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                #[derive(Deserialize)]
                #[serde(rename_all = "lowercase")]
                enum Form {
                    Exact,
                    Glob,
                    Regexp,
                }
                let error = || serde::de::Error::custom("a pattern holds exactly one of exact, glob, regexp");
                let (form, text) = access.next_entry::<Form, String>()?.ok_or_else(error)?;
                if access.next_key::<Form>()?.is_some() {
                    return Err(error());
                }
                Ok(match form {
                    Form::Exact => PatternSpec::Exact(text),
                    Form::Glob => PatternSpec::Glob(text),
                    Form::Regexp if text.starts_with('^') && text.ends_with('$') && !text.ends_with("\\$") => {
                        PatternSpec::Regexp(text)
                    }
                    Form::Regexp => {
                        let message = "is not anchored: it would match whatever contains it";
                        return Err(serde::de::Error::custom(format!("`{text}` {message}; write `^{text}$`")));
                    }
                })
            }
        }
        deserializer.deserialize_any(PatternVisitor)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for PatternSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A text to match exactly, or one of {exact}, {glob}, {regexp}.",
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {
                        "exact": {"type": "string"}, "glob": {"type": "string"}, "regexp": {"type": "string"}
                    },
                    "additionalProperties": false, "minProperties": 1, "maxProperties": 1
                }
            ]
        })
    }
}
