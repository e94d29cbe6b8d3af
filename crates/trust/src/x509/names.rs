//! Name constraints: which names an authority may vouch for (RFC 5280, section 4.2.1.10).
//!
//! A name of a kind that is constrained must be in one of the permitted subtrees of that kind and in none of the excluded
//! ones. Subjects count as directory names, and e-mail addresses in them as addresses. DNS names, addresses, URIs,
//! directory names and IP addresses are compared; a constraint on another kind of name refuses certificates that have one.

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _, Tag, Tagged as _};
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};
use x509_cert::name::{Name, RelativeDistinguishedName};

use super::{Certificate, X509Error, extension};

/// Most subtrees of one authority.
const SUBTREES_MAX: usize = 256;
/// Most names of one certificate.
const NAMES_MAX: usize = 256;
/// `emailAddress` in a subject (PKCS #9).
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// What an authority may vouch for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Constraints {
    permitted: Vec<GeneralName>,
    excluded: Vec<GeneralName>,
}

impl Constraints {
    /// Reads the extension's value.
    pub(super) fn parse(value: &[u8]) -> Result<Self, String> {
        let read = NameConstraints::from_der(value).map_err(|error| error.to_string())?;
        let (permitted, excluded) = (read.permitted_subtrees, read.excluded_subtrees);
        if permitted.is_none() && excluded.is_none() {
            return Err("it constrains nothing".to_owned());
        }
        Ok(Self { permitted: bases(permitted)?, excluded: bases(excluded)? })
    }

    /// Whether every name of a certificate may stand there.
    pub(super) fn check(&self, certificate: &Certificate, authority: &Certificate) -> Result<(), X509Error> {
        let refuse = |name: String, reason| X509Error::NameConstraint {
            subject: certificate.subject_text(),
            authority: authority.subject_text(),
            name,
            reason,
        };
        let subject = &certificate.fields().subject;
        if !subject.0.is_empty() {
            self.check_name(&GeneralName::DirectoryName(subject.clone())).map_err(|(name, why)| refuse(name, why))?;
        }
        for address in addresses(subject) {
            self.check_address(&address).map_err(|(name, why)| refuse(name, why))?;
        }
        let Some(value) = certificate.extension(extension::SUBJECT_ALT_NAME) else { return Ok(()) };
        let names = SubjectAltName::from_der(value)
            .map_err(|error| X509Error::Malformed { reason: format!("its alternative names: {error}") })?;
        if names.0.len() > NAMES_MAX {
            return Err(X509Error::TooMany { what: "alternative names", limit: NAMES_MAX });
        }
        names.0.iter().try_for_each(|name| self.check_name(name).map_err(|(name, why)| refuse(name, why)))
    }

    fn check_name(&self, name: &GeneralName) -> Result<(), (String, &'static str)> {
        let of_kind = |base: &&GeneralName| std::mem::discriminant(*base) == std::mem::discriminant(name);
        let permitted: Vec<_> = self.permitted.iter().filter(of_kind).collect();
        let excluded: Vec<_> = self.excluded.iter().filter(of_kind).collect();
        if permitted.is_empty() && excluded.is_empty() {
            return Ok(());
        }
        let inside = |base: &GeneralName| match (base, name) {
            (GeneralName::DnsName(base), GeneralName::DnsName(name)) => Some(dns_within(name.as_str(), base.as_str())),
            (GeneralName::Rfc822Name(base), GeneralName::Rfc822Name(name)) => {
                address_within(name.as_str(), base.as_str())
            }
            (GeneralName::UniformResourceIdentifier(base), GeneralName::UniformResourceIdentifier(name)) => {
                host_of(name.as_str()).map(|host| host_within(host, base.as_str()))
            }
            (GeneralName::DirectoryName(base), GeneralName::DirectoryName(name)) => Some(directory_within(name, base)),
            (GeneralName::IpAddress(base), GeneralName::IpAddress(name)) => ip_within(name.as_bytes(), base.as_bytes()),
            _ => None,
        };
        judge(text(name), &permitted, &excluded, inside)
    }

    fn check_address(&self, address: &str) -> Result<(), (String, &'static str)> {
        let of_kind = |base: &&GeneralName| matches!(base, GeneralName::Rfc822Name(_));
        let permitted: Vec<_> = self.permitted.iter().filter(of_kind).collect();
        let excluded: Vec<_> = self.excluded.iter().filter(of_kind).collect();
        let inside = |base: &GeneralName| match base {
            GeneralName::Rfc822Name(base) => address_within(address, base.as_str()),
            _ => None,
        };
        judge(address.to_owned(), &permitted, &excluded, inside)
    }
}

/// `inside` says whether a name is in a subtree; none where that cannot be told, which is a refusal either way.
fn judge(
    name: String,
    permitted: &[&GeneralName],
    excluded: &[&GeneralName],
    inside: impl Fn(&GeneralName) -> Option<bool>,
) -> Result<(), (String, &'static str)> {
    let mut allowed = permitted.is_empty();
    for base in permitted {
        match inside(base) {
            Some(within) => allowed |= within,
            None => return Err((name, "it cannot be compared with what is permitted")),
        }
    }
    if !allowed {
        return Err((name, "it is not among what is permitted"));
    }
    for base in excluded {
        match inside(base) {
            Some(false) => {}
            Some(true) => return Err((name, "it is excluded")),
            None => return Err((name, "it cannot be compared with what is excluded")),
        }
    }
    Ok(())
}

/// The bases of subtrees. RFC 5280 knows no depths: minimum is zero and maximum absent.
fn bases(subtrees: Option<Vec<GeneralSubtree>>) -> Result<Vec<GeneralName>, String> {
    let subtrees = subtrees.unwrap_or_default();
    if subtrees.len() > SUBTREES_MAX {
        return Err(format!("it has more than {SUBTREES_MAX} subtrees"));
    }
    let base = |subtree: GeneralSubtree| {
        if subtree.minimum != 0 || subtree.maximum.is_some() {
            return Err("it names depths of subtrees".to_owned());
        }
        if let GeneralName::IpAddress(range) = &subtree.base
            && !matches!(range.as_bytes().len(), 8 | 32)
        {
            return Err("an address range has neither 8 nor 32 bytes".to_owned());
        }
        Ok(subtree.base)
    };
    subtrees.into_iter().map(base).collect()
}

/// E-mail addresses in a subject.
fn addresses(subject: &Name) -> impl Iterator<Item = String> + '_ {
    let attributes = subject.0.iter().flat_map(|part| part.0.iter());
    attributes.filter(|attribute| attribute.oid == EMAIL_ADDRESS).map(|attribute| {
        // What is no text is compared as what it is, and is in no subtree.
        String::from_utf8_lossy(attribute.value.value()).into_owned()
    })
}

/// The same name, or labels added to its left. A base with a dot in front, which some authorities write, wants at least one.
fn dns_within(name: &str, base: &str) -> bool {
    let (name, base) = (name.trim_end_matches('.'), base.trim_end_matches('.'));
    if base.is_empty() {
        return true;
    }
    if base.starts_with('.') {
        is_below(name, base)
    } else {
        name.eq_ignore_ascii_case(base) || is_below(name, &format!(".{base}"))
    }
}

/// A host, or with a dot in front every host below it.
fn host_within(host: &str, base: &str) -> bool {
    if base.starts_with('.') { is_below(host, base) } else { host.eq_ignore_ascii_case(base) }
}

/// `base` begins with a dot.
fn is_below(name: &str, base: &str) -> bool {
    let split = name.len().checked_sub(base.len()).filter(|split| *split > 0);
    split.and_then(|split| name.get(split..)).is_some_and(|end| end.eq_ignore_ascii_case(base))
}

/// A mailbox, all mailboxes of a host, or with a dot in front all of the hosts below. None where `address` is none.
fn address_within(address: &str, base: &str) -> Option<bool> {
    let (mailbox, host) = address.rsplit_once('@').filter(|(mailbox, host)| !mailbox.is_empty() && !host.is_empty())?;
    Some(match base.rsplit_once('@') {
        // The part before the `@` is the host's business (RFC 5321, section 2.4): its case counts.
        Some((wanted, at)) => mailbox == wanted && host.eq_ignore_ascii_case(at),
        None => host_within(host, base),
    })
}

/// The host of a URI. None where it has none, or an address, which no constraint can name.
fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let is_name = !host.is_empty() && !host.starts_with('[') && host.parse::<std::net::Ipv4Addr>().is_err();
    is_name.then_some(host)
}

/// Whether the parts of `base` are the first of `name`.
fn directory_within(name: &Name, base: &Name) -> bool {
    base.0.len() <= name.0.len() && base.0.iter().zip(&name.0).all(|(base, own)| same_part(base, own))
}

/// The same attributes with the same values, texts compared as people read them (RFC 5280, section 7.1).
fn same_part(one: &RelativeDistinguishedName, other: &RelativeDistinguishedName) -> bool {
    one.0.len() == other.0.len()
        && one.0.iter().all(|wanted| {
            other.0.iter().any(|own| {
                own.oid == wanted.oid
                    && match (readable(&own.value), readable(&wanted.value)) {
                        (Some(own), Some(wanted)) => own == wanted,
                        (None, None) => own.value == wanted.value,
                        _ => false,
                    }
            })
        })
}

/// A text without regard to case and to runs of blanks; none for what is no text of one byte a character or UTF-8.
fn readable(value: &x509_cert::der::Any) -> Option<String> {
    if !matches!(value.tag(), Tag::PrintableString | Tag::Utf8String | Tag::Ia5String) {
        return None;
    }
    let text = std::str::from_utf8(value.value()).ok()?;
    Some(text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" "))
}

/// An address in a range: base and mask. None where either has a length that no address has.
fn ip_within(address: &[u8], range: &[u8]) -> Option<bool> {
    if !matches!((address.len(), range.len()), (4 | 16, 8 | 32)) {
        return None;
    }
    // An address of one family is in no range of the other.
    let Some((base, mask)) = range.split_at_checked(address.len()).filter(|(base, mask)| base.len() == mask.len())
    else {
        return Some(false);
    };
    Some(address.iter().zip(base).zip(mask).all(|((own, base), mask)| own & mask == base & mask))
}

/// A name for people.
fn text(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name) | GeneralName::Rfc822Name(name) | GeneralName::UniformResourceIdentifier(name) => {
            name.to_string()
        }
        GeneralName::DirectoryName(name) => name.to_string(),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes() {
            [a, b, c, d] => std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string(),
            other => <[u8; 16]>::try_from(other)
                .map_or_else(|_| hex::encode(other), |octets| std::net::Ipv6Addr::from(octets).to_string()),
        },
        other => hex::encode(other.to_der().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_names_grow_to_the_left() {
        for (name, base, within) in [
            ("host.example.com", "host.example.com", true),
            ("www.host.example.com", "host.example.com", true),
            ("HOST.Example.com", "host.example.COM", true),
            ("host1.example.com", "host.example.com", false),
            ("xhost.example.com", "host.example.com", false),
            ("example.com", "host.example.com", false),
            ("a.example.com", ".example.com", true),
            ("example.com", ".example.com", false),
            ("example.com.", "example.com", true),
            ("anything", "", true),
        ] {
            assert_eq!(dns_within(name, base), within, "{name} in {base}");
        }
    }

    #[test]
    fn addresses_are_of_a_mailbox_a_host_or_a_domain() {
        for (address, base, within) in [
            ("root@example.com", "root@example.com", Some(true)),
            ("Root@example.com", "root@example.com", Some(false)),
            ("root@EXAMPLE.com", "root@example.com", Some(true)),
            ("ada@example.com", "example.com", Some(true)),
            ("ada@mail.example.com", "example.com", Some(false)),
            ("ada@mail.example.com", ".example.com", Some(true)),
            ("ada@example.com", ".example.com", Some(false)),
            ("ada@badexample.com", "example.com", Some(false)),
            ("ada", "example.com", None),
            ("@example.com", "example.com", None),
        ] {
            assert_eq!(address_within(address, base), within, "{address} in {base}");
        }
    }

    #[test]
    fn the_host_of_a_uri_counts_and_nothing_around_it() {
        for (uri, host) in [
            ("https://github.com/company/app", Some("github.com")),
            ("https://github.com:443", Some("github.com")),
            ("https://user@evil.example@github.com?x", Some("github.com")),
            ("spiffe://trust.example/ns/a", Some("trust.example")),
            ("https://evil.example#@github.com", Some("evil.example")),
            ("https://evil.example?@github.com", Some("evil.example")),
            ("https://10.0.0.1/", None),
            ("https://[::1]/", None),
            ("urn:a:b", None),
            ("https:///path", None),
        ] {
            assert_eq!(host_of(uri), host, "{uri}");
        }
        assert!(host_within("a.example.com", ".example.com") && !host_within("example.com", ".example.com"));
        assert!(host_within("Example.com", "example.com") && !host_within("a.example.com", "example.com"));
    }

    #[test]
    fn ip_addresses_are_in_ranges_of_their_family() {
        let range = [192, 0, 2, 0, 255, 255, 255, 0];
        assert_eq!(ip_within(&[192, 0, 2, 7], &range), Some(true));
        assert_eq!(ip_within(&[192, 0, 3, 7], &range), Some(false));
        assert_eq!(ip_within(&[0; 16], &range), Some(false));
        assert_eq!(ip_within(&[0; 5], &range), None);
        assert_eq!(ip_within(&[192, 0, 2, 7], &[0; 32]), Some(false));
        assert_eq!(ip_within(&[1; 16], &[0; 32]), Some(true));
    }
}
