//! Tokens that OpenSSL made, see `tests/data/rfc3161/SOURCE`.

use super::*;

const RSA: &[u8] = include_bytes!("../../tests/data/rfc3161/rsa-sha256.tsr");
const RSA_TOKEN: &[u8] = include_bytes!("../../tests/data/rfc3161/rsa-sha384-token.der");
const RSA_ROOT: &str = include_str!("../../tests/data/rfc3161/rsa-root.pem");
const P384: &[u8] = include_bytes!("../../tests/data/rfc3161/p384-sha512.tsr");
const P384_ROOT: &str = include_str!("../../tests/data/rfc3161/p384-root.pem");

fn authority(root: &str) -> TimestampAuthority {
    TimestampAuthority::of_anchors(anchors(root))
}

fn anchors(root: &str) -> Vec<Anchor> {
    Certificate::parse_pem(root, 1).unwrap().into_iter().map(Anchor::new).collect()
}

#[test]
fn rsa_and_ecdsa_tokens_with_fractions_of_a_second_verify() {
    for (token, root) in [(RSA, RSA_ROOT), (RSA_TOKEN, RSA_ROOT), (P384, P384_ROOT)] {
        let verified = verify(token, b"stamped", &authority(root)).unwrap();
        assert_ne!(verified.at.subsec_millisecond(), 0);
        assert_eq!(verified.accuracy, SignedDuration::from_micros(1_500_100));
        assert!(verified.earliest() < verified.at && verified.at < verified.latest());
        assert_eq!(verified.chain.len(), 2);
    }
}

#[test]
fn a_pinned_signer_is_the_only_one_and_its_window_counts() {
    let token = Token::parse(RSA).unwrap();
    let leaf = || Certificate::parse(token.certificates.first().unwrap()).unwrap();
    let root = || Certificate::parse_pem(RSA_ROOT, 1).unwrap().remove(0);
    let pinned = TimestampAuthority::of_chain(vec![leaf(), root()], None, None).unwrap();
    let verified = verify(RSA, b"stamped", &pinned).unwrap();
    assert_eq!(verified.chain.len(), 2);
    let before = verified.at - SignedDuration::from_secs(1);
    let closed = TimestampAuthority::of_chain(vec![leaf(), root()], None, Some(before)).unwrap();
    assert_eq!(verify(RSA, b"stamped", &closed), Err(TimestampError::OutsideAuthority { at: verified.at }));
    // The root alone lets any of its signers stamp; another authority's root none.
    let root_only = TimestampAuthority::of_chain(vec![root()], None, None).unwrap();
    assert!(verify(RSA, b"stamped", &root_only).is_ok());
    assert_eq!(verify(P384, b"stamped", &pinned), Err(TimestampError::NoSigner));
    let other_root = Certificate::parse_pem(P384_ROOT, 1).unwrap().remove(0);
    assert!(TimestampAuthority::of_chain(vec![leaf(), other_root], None, None).is_err());
    assert!(TimestampAuthority::of_chain(Vec::new(), None, None).is_err());
}

#[test]
fn other_bytes_and_other_authorities_are_refused() {
    assert_eq!(verify(RSA, b"other", &authority(RSA_ROOT)), Err(TimestampError::OtherContent));
    let foreign = verify(RSA, b"stamped", &authority(P384_ROOT));
    assert!(matches!(foreign, Err(TimestampError::Chain(X509Error::UnknownIssuer { .. }))), "{foreign:?}");
    let nobody = TimestampAuthority::of_anchors(Vec::new());
    assert!(matches!(verify(RSA, b"stamped", &nobody), Err(TimestampError::Chain(_))));
    // PKIStatus 2: rejection, with nothing in it.
    assert_eq!(Token::parse(&[0x30, 5, 0x30, 3, 2, 1, 2]).unwrap_err(), TimestampError::NotGranted { status: 2 });
}

#[test]
fn no_changed_byte_changes_what_a_token_says() {
    for (token, root) in [(RSA, RSA_ROOT), (P384, P384_ROOT)] {
        let authority = authority(root);
        let original = verify(token, b"stamped", &authority).unwrap();
        for place in 0..token.len() {
            let mut changed = token.to_vec();
            changed[place] ^= 1;
            if let Ok(verified) = verify(&changed, b"stamped", &authority) {
                assert_eq!(verified, original, "byte {place}");
            }
        }
    }
}

#[test]
fn cve_2025_66564_a_cut_off_or_swollen_token_is_an_error() {
    for length in 0..RSA.len() {
        assert!(Token::parse(&RSA[..length]).is_err(), "{length}");
    }
    assert!(Token::parse(&[RSA, &[0]].concat()).is_err());
    assert!(matches!(Token::parse(&vec![0x30; TOKEN_MAX + 1]), Err(TimestampError::Malformed { .. })));
}
