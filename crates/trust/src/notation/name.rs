//! Distinguished names as trust policies write them, and as certificates have them.

use std::collections::BTreeMap;
use std::fmt;

use const_oid::ObjectIdentifier;
use x509_cert::name::Name;

/// Longest distinguished name that is read, bytes.
const NAME_MAX: usize = 4 << 10;

/// The attribute types that have a short name here (RFC 4514 section 3, with what certificates use besides).
const TYPES: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.17", "POSTALCODE"),
];

/// What an identity must at least name (notaryproject/specifications, trust-store-trust-policy.md, trusted identities
/// constraints).
const MANDATORY: [&str; 3] = ["C", "ST", "O"];

/// A distinguished name with one value an attribute type. The order of its parts does not count.
///
/// ```
/// use assay_trust::notation::DistinguishedName;
///
/// let wanted = DistinguishedName::parse("C=US, ST=WA, O=wabbit-networks.io")?;
/// let found = DistinguishedName::parse("CN=SecureBuilder,OU=Finance,O=wabbit-networks.io,S=WA,C=US")?;
/// assert!(wanted.is_part_of(&found) && !found.is_part_of(&wanted));
/// # Ok::<(), assay_trust::notation::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DistinguishedName(BTreeMap<String, String>);

impl DistinguishedName {
    /// Reads the text of an identity: RFC 4514, `S` is `ST`, and C, ST and O must be there.
    ///
    /// # Errors
    /// See [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > NAME_MAX {
            return Err(NameError::Malformed { reason: format!("it has more than {NAME_MAX} bytes") });
        }
        let mut attributes = BTreeMap::new();
        for part in split(text, &[',', ';'])? {
            if split(part, &['+'])?.len() > 1 {
                return Err(NameError::MultiValued);
            }
            let (kind, value) = part.split_once('=').ok_or_else(|| NameError::Malformed {
                reason: format!("`{}` has no attribute type and value", part.trim()),
            })?;
            if value.trim_start().starts_with('#') {
                return Err(NameError::Hexadecimal);
            }
            insert(&mut attributes, kind.trim(), unescape(value)?)?;
        }
        Self::with_mandatory(attributes)
    }

    /// The subject of a certificate. Attribute types without a short name are kept under their object identifier.
    pub(crate) fn of(name: &Name) -> Result<Self, NameError> {
        let mut attributes = BTreeMap::new();
        for part in &name.0 {
            if part.0.len() > 1 {
                return Err(NameError::MultiValued);
            }
            for attribute in part.0.iter() {
                insert(&mut attributes, &kind_of(attribute.oid), text_of(&attribute.value))?;
            }
        }
        Self::with_mandatory(attributes)
    }

    fn with_mandatory(attributes: BTreeMap<String, String>) -> Result<Self, NameError> {
        let missing = |wanted: &&str| attributes.get(*wanted).is_none_or(String::is_empty);
        match MANDATORY.into_iter().find(missing) {
            Some(attribute) => Err(NameError::Missing { attribute }),
            None => Ok(Self(attributes)),
        }
    }

    /// Whether `subject` has every attribute of this name, with the same values.
    pub fn is_part_of(&self, subject: &Self) -> bool {
        self.0.iter().all(|(kind, value)| subject.0.get(kind) == Some(value))
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{kind}={}", value.replace('\\', "\\\\").replace(',', "\\,"))?;
        }
        Ok(())
    }
}

fn insert(attributes: &mut BTreeMap<String, String>, kind: &str, value: String) -> Result<(), NameError> {
    let kind = if kind == "S" { "ST" } else { kind };
    if kind.is_empty() {
        return Err(NameError::Malformed { reason: "an attribute has no type".to_owned() });
    }
    match attributes.insert(kind.to_owned(), value) {
        Some(_) => Err(NameError::Repeated { attribute: kind.to_owned() }),
        None => Ok(()),
    }
}

fn kind_of(oid: ObjectIdentifier) -> String {
    let dotted = oid.to_string();
    TYPES.iter().find(|(known, _)| *known == dotted).map_or(dotted.clone(), |(_, short)| (*short).to_owned())
}

/// The text of a directory string; of another form, its bytes in hexadecimal, which no identity can name.
fn text_of(value: &der::Any) -> String {
    use der::Tagged as _;
    let bytes = value.value();
    let hexadecimal = || format!("#{}", hex::encode(bytes));
    match value.tag() {
        der::Tag::BmpString => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        der::Tag::TeletexString => bytes.iter().map(|byte| char::from(*byte)).collect(),
        der::Tag::Utf8String
        | der::Tag::PrintableString
        | der::Tag::Ia5String
        | der::Tag::VisibleString
        | der::Tag::NumericString => std::str::from_utf8(bytes).map_or_else(|_| hexadecimal(), str::to_owned),
        _ => hexadecimal(),
    }
}

/// Cuts at the separators that no backslash stands before.
fn split<'a>(text: &'a str, separators: &[char]) -> Result<Vec<&'a str>, NameError> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if separators.contains(&letter) {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + letter.len_utf8();
        }
    }
    if escaped {
        return Err(NameError::Malformed { reason: "it ends in a backslash".to_owned() });
    }
    parts.push(text.get(start..).unwrap_or_default());
    Ok(parts)
}

/// Takes the escapes out (RFC 4514 section 2.4), and the spaces that are not escaped off both ends.
fn unescape(value: &str) -> Result<String, NameError> {
    let malformed = |reason: &str| NameError::Malformed { reason: reason.to_owned() };
    let mut bytes = Vec::with_capacity(value.len());
    // Everything up to here was escaped or is no space.
    let mut kept = 0;
    let mut rest = value.trim_start_matches(' ').bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            if byte != b' ' {
                kept = bytes.len();
            }
            continue;
        }
        let first = rest.next().ok_or_else(|| malformed("it ends in a backslash"))?;
        if b" \"#+,;<=>\\".contains(&first) {
            bytes.push(first);
        } else {
            let second = rest.next().ok_or_else(|| malformed("an escape is cut off"))?;
            let pair = [first, second];
            let decoded = hex::decode(pair).map_err(|_| malformed("an escape is neither special nor hexadecimal"))?;
            bytes.extend(decoded);
        }
        kept = bytes.len();
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).map_err(|_| malformed("a value is not UTF-8"))
}

/// Why a distinguished name cannot be matched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It is no RFC 4514 text. Write `C=..., ST=..., O=...`, with `\` before a comma in a value.
    #[error("it is no distinguished name: {reason}")]
    Malformed {
        /// What was wrong.
        reason: String,
    },
    /// A value is in hexadecimal form (`=#`), which identities may not use.
    #[error("a value has the hexadecimal form `=#`")]
    Hexadecimal,
    /// A part has several values (`A=x+B=y`), which identities may not use.
    #[error("a part of it has several values")]
    MultiValued,
    /// An attribute type occurs twice.
    #[error("{attribute} occurs more than once")]
    Repeated {
        /// Which.
        attribute: String,
    },
    /// An attribute that every identity must name is missing or empty.
    #[error("it has no {attribute}: C, ST (or S) and O are needed")]
    Missing {
        /// Which.
        attribute: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<DistinguishedName, NameError> {
        DistinguishedName::parse(text)
    }

    #[test]
    fn order_and_unescaped_spaces_do_not_count() {
        assert_eq!(parsed("C=US, ST=WA, O=Notary"), parsed(" O = Notary ;S=WA,C=US "));
        assert_ne!(parsed("C=US, ST=WA, O=Notary"), parsed("C=US, ST=WA, O=notary"));
    }

    #[test]
    fn escapes_are_taken_out() {
        let name = parsed(r"C=US,ST=WA,O=Wabbit\, Inc\;,CN=\ a\\b\ ,L=M\C3\BCnchen").unwrap();
        assert_eq!(name.0["O"], "Wabbit, Inc;");
        assert_eq!(name.0["CN"], " a\\b ");
        assert_eq!(name.0["L"], "München");
        for wrong in [r"C=US,ST=WA,O=x\", r"C=US,ST=WA,O=\z1", r"C=US,ST=WA,O=\FF", r"C=US,ST=WA,O=\4"] {
            assert!(matches!(parsed(wrong), Err(NameError::Malformed { .. })), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_matched_without_doubt_is_refused() {
        assert_eq!(parsed("ST=WA,O=x"), Err(NameError::Missing { attribute: "C" }));
        assert_eq!(parsed("C=US,O=x"), Err(NameError::Missing { attribute: "ST" }));
        assert_eq!(parsed("C=US,ST=WA"), Err(NameError::Missing { attribute: "O" }));
        assert_eq!(parsed("C=US,ST=WA,O="), Err(NameError::Missing { attribute: "O" }));
        assert_eq!(parsed("c=US,ST=WA,O=x"), Err(NameError::Missing { attribute: "C" }));
        assert_eq!(parsed("C=US,ST=WA,O=x,OU=a,OU=b"), Err(NameError::Repeated { attribute: "OU".to_owned() }));
        assert_eq!(parsed("C=US,ST=WA,S=WA,O=x"), Err(NameError::Repeated { attribute: "ST".to_owned() }));
        assert_eq!(parsed("C=US,ST=WA,O=x+OU=y"), Err(NameError::MultiValued));
        assert_eq!(parsed("C=US,ST=WA,O=#0401"), Err(NameError::Hexadecimal));
        for wrong in ["", "*", "C=US,ST=WA,O=x,", "C=US,ST=WA,O=x,y", "=US,ST=WA,O=x"] {
            assert!(matches!(parsed(wrong), Err(NameError::Malformed { .. })), "{wrong}");
        }
        assert!(matches!(parsed(&format!("C=US,ST=WA,O={}", "x".repeat(NAME_MAX))), Err(NameError::Malformed { .. })));
    }

    #[test]
    fn a_name_of_the_greatest_length_is_read() {
        let longest = format!("C=US,ST=WA,O={}", "x".repeat(NAME_MAX - "C=US,ST=WA,O=".len()));
        assert_eq!(parsed(&longest).unwrap().0["O"].len(), NAME_MAX - 13);
        assert!(matches!(parsed(&format!("{longest}x")), Err(NameError::Malformed { .. })));
    }

    /// Two attributes in one part of a certificate's subject: which of them an identity means cannot be said.
    #[test]
    fn a_subject_of_several_values_in_one_part_is_refused() {
        let subject = |text: &str| DistinguishedName::of(&text.parse::<Name>().unwrap());
        assert_eq!(subject("C=US,ST=WA,O=x,CN=y"), parsed("C=US,ST=WA,O=x,CN=y"));
        assert_eq!(subject("C=US,ST=WA,O=x+CN=y"), Err(NameError::MultiValued));
    }

    /// X.520 leaves the form of a directory string to the authority.
    #[test]
    fn subjects_are_read_in_each_form_of_text() {
        let text = |tag, bytes: &[u8]| text_of(&der::Any::new(tag, bytes).unwrap());
        assert_eq!(text(der::Tag::Utf8String, "Zürich".as_bytes()), "Zürich");
        assert_eq!(text(der::Tag::BmpString, b"\0Z\0\xfc"), "Zü");
        assert_eq!(text(der::Tag::TeletexString, b"Z\xfc"), "Zü");
        // A number is no text that an identity could name.
        assert_eq!(text(der::Tag::Integer, b"Z"), "#5a");
        assert_eq!(text(der::Tag::Utf8String, b"\xff"), "#ff");
    }

    #[test]
    fn a_name_is_written_as_it_can_be_read_again() {
        let name = parsed(r"ST=WA,C=US,O=Wabbit\, Inc").unwrap();
        assert_eq!(name.to_string(), r"C=US, O=Wabbit\, Inc, ST=WA");
        assert_eq!(parsed(&name.to_string()), Ok(name));
    }

    #[test]
    fn a_part_is_part_of_the_whole_and_not_the_other_way_round() {
        let part = parsed("C=US,ST=WA,O=x").unwrap();
        let whole = parsed("C=US,ST=WA,O=x,CN=y").unwrap();
        assert!(part.is_part_of(&whole) && part.is_part_of(&part) && !whole.is_part_of(&part));
        assert!(!part.is_part_of(&parsed("C=US,ST=OR,O=x,CN=y").unwrap()));
    }
}
