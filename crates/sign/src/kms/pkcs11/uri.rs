//! The PKCS #11 URI scheme (RFC 7512).

use assay_model::Secret;

/// What a URI says. Attributes that do not choose a key (`type`, `library-*`) are read over, unknown ones refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pkcs11Uri {
    pub(super) token: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) slot_id: Option<u64>,
    pub(super) object: Option<String>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) module_path: Option<String>,
    pub(super) pin_value: Option<Secret<String>>,
    pub(super) pin_source: Option<String>,
}

impl Pkcs11Uri {
    /// Reads a URI. The reason of a refusal never holds a value: one of them is the PIN.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("pkcs11:").ok_or("it does not begin with pkcs11:")?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        let parts = path.split(';').map(|part| (part, true)).chain(query.split('&').map(|part| (part, false)));
        for (part, in_path) in parts.filter(|(part, _)| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| "an attribute has no value".to_owned())?;
            let bytes = decode(value).ok_or_else(|| format!("{name}: a % without two hexadecimal digits"))?;
            let text = || String::from_utf8(bytes.clone()).map_err(|_| format!("{name}: it is not UTF-8"));
            let twice = match (in_path, name) {
                (true, "token") => uri.token.replace(text()?).is_some(),
                (true, "serial") => uri.serial.replace(text()?).is_some(),
                (true, "manufacturer") => uri.manufacturer.replace(text()?).is_some(),
                (true, "model") => uri.model.replace(text()?).is_some(),
                (true, "object") => uri.object.replace(text()?).is_some(),
                (true, "id") => uri.id.replace(bytes).is_some(),
                (true, "slot-id") => {
                    let number = text()?.parse().map_err(|_| "slot-id is no number".to_owned())?;
                    uri.slot_id.replace(number).is_some()
                }
                (true, "type" | "slot-description" | "slot-manufacturer") => false,
                (true, name) if name.starts_with("library-") => false,
                (false, "module-path") => uri.module_path.replace(text()?).is_some(),
                (false, "pin-value") => uri.pin_value.replace(Secret::new(text()?)).is_some(),
                (false, "pin-source") => uri.pin_source.replace(text()?).is_some(),
                (false, "module-name") => return Err("module-name is not looked up: give module-path".to_owned()),
                // Section 2.3: vendor attributes begin with x-.
                (_, name) if name.starts_with("x-") => false,
                (_, name) => return Err(format!("attribute {name} is not known")),
            };
            if twice {
                return Err(format!("{name} is given twice"));
            }
        }
        Ok(uri)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            out.push(high << 4 | low);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_uri_is_read() {
        let uri = Pkcs11Uri::parse(
            "pkcs11:token=Software%20PKCS%2311;object=release;id=%01%FF;slot-id=7;type=private\
             ?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-value=12%3B34",
        );
        let uri = uri.unwrap();
        assert_eq!(uri.token.as_deref(), Some("Software PKCS#11"));
        assert_eq!((uri.id.as_deref(), uri.slot_id), (Some(&[1, 255][..]), Some(7)));
        assert_eq!(uri.pin_value.as_ref().map(|pin| pin.expose().as_str()), Some("12;34"));
        assert!(!format!("{uri:?}").contains("12;34"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "pkcs12:token=a",
            "pkcs11:token",
            "pkcs11:token=%4",
            "pkcs11:token=%ZZ",
            "pkcs11:token=%FF",
            "pkcs11:slot-id=x",
            "pkcs11:token=a;token=b",
            "pkcs11:pin-value=1",
            "pkcs11:colour=red",
            "pkcs11:token=a?module-name=softhsm2",
        ] {
            assert!(Pkcs11Uri::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "pkcs11:.{0,80}") {
            let _ = Pkcs11Uri::parse(&text);
        }

        #[test]
        fn what_was_encoded_comes_back(name in "[^\u{0}]{1,20}") {
            let encoded = name.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02x}"));
            let uri = Pkcs11Uri::parse(&format!("pkcs11:object={encoded}")).unwrap();
            prop_assert_eq!(uri.object, Some(name));
        }
    }
}
