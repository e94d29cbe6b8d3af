//! PEM (RFC 7468), lines of any length: signers wrap at 64, at 76 and not at all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The first block of `text`, which nothing but white space may precede: label, DER, and what follows.
pub(crate) fn next(text: &str) -> Result<(&str, Vec<u8>, &str), &'static str> {
    let rest = text.trim_start().strip_prefix("-----BEGIN ").ok_or("it does not begin with a PEM block")?;
    let (label, rest) = rest.split_once("-----").ok_or("its label does not end")?;
    let (body, rest) = rest.split_once("-----END ").ok_or("its block does not end")?;
    let rest = rest.strip_prefix(label).and_then(|rest| rest.strip_prefix("-----"));
    let rest = rest.ok_or("its block ends with another label")?;
    let encoded: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(encoded).map_err(|_| "its block is not base64")?;
    Ok((label, der, rest))
}

/// The only block of `text`: label and DER.
pub(crate) fn only(text: &str) -> Result<(&str, Vec<u8>), &'static str> {
    match next(text)? {
        (label, der, rest) if rest.trim().is_empty() => Ok((label, der)),
        _ => Err("something follows its block"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blocks_follow_each_other() {
        let text = "\n-----BEGIN A-----\nAA\nAA\n-----END A-----\n-----BEGIN B-----AAAA-----END B-----";
        let (label, der, rest) = next(text).unwrap();
        assert_eq!((label, der.as_slice()), ("A", &[0, 0, 0][..]));
        assert_eq!(only(rest), Ok(("B", vec![0, 0, 0])));
        assert!(only(text).is_err());
        for wrong in ["", "text", "-----BEGIN A-----AAAA-----END B-----", "-----BEGIN A-----AAAA"] {
            assert!(next(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_parses_or_not(text in ".{0,120}") {
            let _ = next(&text);
        }
    }
}
