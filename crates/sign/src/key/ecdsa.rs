//! The two spellings of an ECDSA signature: ASN.1 (RFC 3279, section 2.2.3), which X.509 and Sigstore use, and the two
//! numbers at a fixed width (RFC 7518, section 3.4; RFC 9053, section 2.1), which JWS, COSE, PKCS#11 and Azure use.

use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};

#[derive(Sequence)]
struct Signature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// `None` where the bytes are not two numbers of this width.
pub(crate) fn to_asn1(fixed: &[u8], width: usize) -> Option<Vec<u8>> {
    if fixed.len() != width.checked_mul(2)? {
        return None;
    }
    let (r, s) = fixed.split_at(width);
    Signature { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
}

/// `None` where this is no such signature, or a number needs more than `width` bytes.
pub(crate) fn to_fixed(asn1: &[u8], width: usize) -> Option<Vec<u8>> {
    let signature = Signature::from_der(asn1).ok()?;
    let mut out = Vec::with_capacity(width * 2);
    for number in [signature.r, signature.s] {
        let bytes = number.as_bytes();
        out.resize(out.len() + width.checked_sub(bytes.len())?, 0);
        out.extend_from_slice(bytes);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_spellings_mean_the_same(fixed in proptest::collection::vec(any::<u8>(), 64)) {
            let asn1 = to_asn1(&fixed, 32).unwrap();
            prop_assert_eq!(to_fixed(&asn1, 32).unwrap(), fixed);
        }

        #[test]
        fn other_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(to_asn1(&bytes, 32).is_none());
            if let Some(fixed) = to_fixed(&bytes, 16) {
                prop_assert_eq!(to_asn1(&fixed, 16).unwrap(), bytes);
            }
        }
    }
}
