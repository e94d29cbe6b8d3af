//! Package URLs: one name for a package across tools.

mod types;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Explain;

/// A package URL (purl-spec, PURL-SPECIFICATION.rst), normalised: `pkg:type/namespace/name@version?qualifiers#subpath`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purl {
    /// Lowercase type, for example `deb`, `npm`, `golang`.
    pub kind: String,
    /// Decoded namespace segments joined by `/`.
    pub namespace: Option<String>,
    /// Decoded name.
    pub name: String,
    /// Decoded version.
    pub version: Option<String>,
    /// Decoded qualifiers by lowercase key; empty values do not exist.
    pub qualifiers: BTreeMap<String, String>,
    /// Decoded subpath.
    pub subpath: Option<String>,
}

impl Purl {
    /// Builds a purl from decoded parts and normalises by the rules of its type.
    pub fn new(kind: &str, namespace: Option<&str>, name: &str, version: Option<&str>) -> Self {
        let mut purl = Self {
            kind: kind.to_ascii_lowercase(),
            namespace: namespace.filter(|text| !text.is_empty()).map(str::to_owned),
            name: name.to_owned(),
            version: version.filter(|text| !text.is_empty()).map(str::to_owned),
            qualifiers: BTreeMap::new(),
            subpath: None,
        };
        types::normalise(&mut purl);
        purl
    }

    /// Adds a qualifier; an empty value adds nothing.
    #[must_use]
    pub fn with_qualifier(mut self, key: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.qualifiers.insert(key.to_ascii_lowercase(), value.to_owned());
        }
        self
    }

    /// The same package without version, qualifiers and subpath.
    #[must_use]
    pub fn without_version(&self) -> Self {
        Self { version: None, qualifiers: BTreeMap::new(), subpath: None, ..self.clone() }
    }

    /// Checks parts that came from somewhere else, and normalises them as purl-spec and the rules of their type say.
    ///
    /// # Errors
    /// The type is not one, the name is missing, a qualifier's key has characters that it may not have, or the type has no
    /// place for a part (or calls for one that is missing).
    pub fn build(mut parts: Self) -> Result<Self, PurlError> {
        parts.kind.make_ascii_lowercase();
        let kind_ok = parts.kind.starts_with(|c: char| c.is_ascii_alphabetic())
            && parts.kind.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        if !kind_ok {
            return Err(PurlError::BadType { kind: parts.kind });
        }
        if types::name_is_path(&parts.kind) {
            parts.name = segments(&parts.name, |segment| !segment.is_empty());
        }
        if parts.name.is_empty() {
            return Err(PurlError::NoName);
        }
        let key_ok = |key: &str| {
            key.starts_with(|c: char| c.is_ascii_lowercase())
                && key.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
        };
        if let Some((key, value)) = parts.qualifiers.iter().find(|(key, _)| !key_ok(key)) {
            return Err(PurlError::BadQualifier { pair: format!("{key}={value}") });
        }
        parts.qualifiers.retain(|_, value| !value.is_empty());
        parts.namespace =
            parts.namespace.map(|text| segments(&text, |segment| !segment.is_empty())).filter(|text| !text.is_empty());
        parts.subpath = parts
            .subpath
            .map(|text| segments(&text, |segment| !matches!(segment, "" | "." | "..")))
            .filter(|text| !text.is_empty());
        parts.version = parts.version.filter(|text| !text.is_empty());
        types::normalise(&mut parts);
        types::check(&parts)?;
        Ok(parts)
    }
}

/// The segments of a path that count, joined again.
fn segments(path: &str, counts: impl Fn(&str) -> bool) -> String {
    path.split('/').filter(|segment| counts(segment)).collect::<Vec<_>>().join("/")
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}/", self.kind)?;
        if let Some(namespace) = &self.namespace {
            for segment in namespace.split('/').filter(|segment| !segment.is_empty()) {
                write!(f, "{}/", Encoded(segment))?;
            }
        }
        if types::name_is_path(&self.kind) {
            write!(f, "{}", encoded_path(&self.name))?;
        } else {
            write!(f, "{}", Encoded(&self.name))?;
        }
        if let Some(version) = &self.version {
            write!(f, "@{}", Encoded(version))?;
        }
        for (index, (key, value)) in self.qualifiers.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            write!(f, "{separator}{key}={}", Encoded(value))?;
        }
        if let Some(subpath) = &self.subpath {
            write!(f, "#{}", encoded_path(subpath))?;
        }
        Ok(())
    }
}

fn encoded_path(path: &str) -> String {
    path.split('/').map(|segment| Encoded(segment).to_string()).collect::<Vec<_>>().join("/")
}

/// Percent-encodes everything but the characters that purl-spec leaves alone (`A-Za-z0-9.-_~:`).
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~' | b':') {
                write!(f, "{}", char::from(byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

fn decode(text: &str) -> Result<String, PurlError> {
    let bad = || PurlError::BadEncoding { part: text.to_owned() };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next().ok_or_else(bad)?, rest.next().ok_or_else(bad)?];
            let mut decoded = [0];
            hex::decode_to_slice(pair, &mut decoded).map_err(|_| bad())?;
            bytes.push(decoded[0]);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

impl FromStr for Purl {
    type Err = PurlError;

    /// Parses right to left as purl-spec's "How to parse" orders.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, subpath) = text.split_once('#').map_or((text, None), |(rest, sub)| (rest, Some(sub)));
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (scheme, rest) = rest.split_once(':').ok_or(PurlError::NoScheme)?;
        if !scheme.eq_ignore_ascii_case("pkg") {
            return Err(PurlError::NoScheme);
        }
        let (kind, rest) = rest.trim_matches('/').split_once('/').ok_or(PurlError::NoName)?;
        // An npm scope may be written with a bare `@`, so a version separator comes after the last slash.
        let name_at = rest.rfind('/').map_or(0, |at| at + 1);
        let (path, version) = match rest[name_at..].rfind('@') {
            Some(at) => (&rest[..name_at + at], Some(&rest[name_at + at + 1..])),
            None => (rest, None),
        };
        let (namespace, name) = path.rsplit_once('/').map_or((None, path), |(space, name)| (Some(space), name));
        let mut qualifiers = BTreeMap::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let bad = || PurlError::BadQualifier { pair: pair.to_owned() };
            let (key, value) = pair.split_once('=').ok_or_else(bad)?;
            qualifiers.insert(key.to_ascii_lowercase(), decode(value)?);
        }
        Self::build(Self {
            kind: kind.to_owned(),
            namespace: namespace.map(decode).transpose()?,
            name: decode(name)?,
            version: version.map(decode).transpose()?,
            qualifiers,
            subpath: subpath.map(decode).transpose()?,
        })
    }
}

impl Serialize for Purl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Purl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text is not a package URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PurlError {
    /// It does not begin with `pkg:`.
    #[error("a package URL begins with `pkg:`")]
    NoScheme,
    /// Type or name is missing.
    #[error("a package URL has a type and a name, as in pkg:npm/left-pad@1.3.0")]
    NoName,
    /// The type has characters that it may not have.
    #[error("`{kind}` is not a package type")]
    BadType {
        /// The type as written.
        kind: String,
    },
    /// A percent sign is not followed by two hexadecimal digits, or the bytes are not UTF-8.
    #[error("`{part}` is not valid percent-encoded UTF-8")]
    BadEncoding {
        /// The part as written.
        part: String,
    },
    /// The type has no place for a part, or calls for one that is missing (purl-spec, type definitions).
    #[error("a package URL of type `{kind}`: {rule}")]
    AgainstType {
        /// The type.
        kind: String,
        /// Its rule.
        rule: &'static str,
    },
    /// A qualifier is not `key=value`, or its key has characters that it may not have.
    #[error("`{pair}` is not a qualifier (key=value)")]
    BadQualifier {
        /// The pair as written.
        pair: String,
    },
}

impl Explain for PurlError {
    fn code(&self) -> &'static str {
        "purl-invalid"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn purls_normalise_by_their_type() {
        for (text, normal) in [
            (
                "pkg:deb/Debian/Curl@7.50.3-1?distro=debian-12&arch=i386",
                "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=debian-12",
            ),
            ("pkg:PyPI/Django_package@1.11", "pkg:pypi/django-package@1.11"),
            ("pkg:npm/%40angular/animation@12.3.1", "pkg:npm/%40angular/animation@12.3.1"),
            ("pkg:npm/@angular/animation@12.3.1", "pkg:npm/%40angular/animation@12.3.1"),
            (
                "pkg://golang/google.golang.org/genproto#/googleapis/../api",
                "pkg:golang/google.golang.org/genproto#googleapis/api",
            ),
            ("pkg:maven/org.apache/batik@1?classifier=", "pkg:maven/org.apache/batik@1"),
        ] {
            let purl: Purl = text.parse().unwrap();
            assert_eq!(purl.to_string(), normal);
        }
    }

    #[test]
    fn what_is_not_a_purl_is_refused() {
        for text in
            ["", "npm/a", "pkg:", "pkg:npm", "pkg:npm/", "pkg:1x/a", "pkg:npm/a%G0", "pkg:npm/a?b", "pkg:npm/a?1=x"]
        {
            assert!(text.parse::<Purl>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_parts_survive_their_text(namespace in "[a-z./ ]{0,8}", name in "[a-z@%+ é]{1,8}", version in ".{0,8}") {
            let purl = Purl::new("generic", Some(namespace.trim_matches('/')), &name, Some(&version));
            let text = purl.to_string();
            let again: Purl = text.parse().map_err(|e| TestCaseError::fail(format!("{text}: {e}")))?;
            prop_assert_eq!(again.to_string(), text);
            prop_assert_eq!(again.name, purl.name);
        }

        #[test]
        fn no_text_panics(text in "(pkg:)?\\PC{0,60}") {
            let _ = text.parse::<Purl>();
        }
    }
}
