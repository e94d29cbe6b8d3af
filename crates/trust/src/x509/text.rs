//! Distinguished names as text (RFC 4514).

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::Tag;
use x509_cert::der::Tagged as _;
use x509_cert::der::asn1::ObjectIdentifier as Oid;
use x509_cert::name::Name;

/// The attribute types that nearly all certificates use. `x509-cert` writes the same, but goes through all the names that
/// there are for each, which takes as long as a signature.
const TYPES: [(Oid, &str); 10] = [
    (Oid::new_unwrap("2.5.4.3"), "CN"),
    (Oid::new_unwrap("2.5.4.6"), "C"),
    (Oid::new_unwrap("2.5.4.7"), "L"),
    (Oid::new_unwrap("2.5.4.8"), "ST"),
    (Oid::new_unwrap("2.5.4.9"), "STREET"),
    (Oid::new_unwrap("2.5.4.10"), "O"),
    (Oid::new_unwrap("2.5.4.11"), "OU"),
    (Oid::new_unwrap("2.5.4.5"), "SERIALNUMBER"),
    (Oid::new_unwrap("0.9.2342.19200300.100.1.25"), "DC"),
    (Oid::new_unwrap("0.9.2342.19200300.100.1.1"), "UID"),
];

/// The text of a name, its last part first.
pub(super) fn text(name: &Name) -> String {
    let mut text = String::new();
    for (index, part) in name.0.iter().rev().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.0.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            match plain(attribute) {
                Some((kind, value)) => text.extend([kind, "=", value]),
                None => text.push_str(&attribute.to_string()),
            }
        }
    }
    text
}

/// Type and value, where the type is well known and nothing in the value needs a backslash.
fn plain(attribute: &AttributeTypeAndValue) -> Option<(&'static str, &str)> {
    let (_, kind) = TYPES.iter().find(|(oid, _)| *oid == attribute.oid)?;
    if !matches!(attribute.value.tag(), Tag::PrintableString | Tag::Utf8String | Tag::Ia5String) {
        return None;
    }
    let bytes = attribute.value.value();
    let outer = [bytes.first(), bytes.last()];
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" -._:/@()'*=?".contains(byte);
    let good = bytes.iter().all(plain) && !outer.contains(&Some(&b' '));
    Some((kind, std::str::from_utf8(bytes).ok().filter(|_| good)?))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use proptest::prelude::*;
    use x509_cert::der::asn1::{Any, SetOfVec};
    use x509_cert::name::RelativeDistinguishedName;

    use super::*;

    #[test]
    fn the_table_names_what_x509_cert_names() {
        for (oid, _) in TYPES {
            let value = Any::new(Tag::Utf8String, *b"x").unwrap();
            let one = SetOfVec::try_from(vec![AttributeTypeAndValue { oid, value }]).unwrap();
            let name: Name = vec![RelativeDistinguishedName::from(one)].into();
            assert_eq!(text(&name), name.to_string());
        }
    }

    proptest! {
        #[test]
        fn it_is_the_text_that_x509_cert_writes(values in prop::collection::vec(("CN|O|OU|C|ST|L|DC|UID|STREET", ".{0,12}"), 0..5)) {
            let parts = values.iter().map(|(kind, value)| {
                let (oid, _) = TYPES.iter().find(|(_, known)| known == kind).unwrap();
                let value = Any::new(Tag::Utf8String, value.as_bytes()).unwrap();
                RelativeDistinguishedName::from(SetOfVec::try_from(vec![AttributeTypeAndValue { oid: *oid, value }]).unwrap())
            });
            let name: Name = parts.collect::<Vec<_>>().into();
            prop_assert_eq!(text(&name), name.to_string());
        }
    }

    #[test]
    fn several_values_of_one_part_stand_together() {
        let name = Name::from_str("CN=a+OU=b,O=c\\, d,C=US").unwrap();
        assert_eq!(text(&name), name.to_string());
    }
}
