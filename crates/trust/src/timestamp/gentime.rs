//! Times of timestamps: GeneralizedTime with fractions of a second (RFC 3161, section 2.4.2), and Accuracy.

use assay_model::Timestamp;
use jiff::SignedDuration;
use x509_cert::der::{Decode, Encode, Reader, SliceReader};

/// Parses a DER GeneralizedTime: `YYYYMMDDhhmmss[.f...]Z`. Fractions beyond nanoseconds are cut off.
pub(super) fn parse(der: &[u8]) -> Option<Timestamp> {
    let [0x18, length, text @ ..] = der else { return None };
    if usize::from(*length) != text.len() || !text.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    if whole.len() != 14 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| whole.get(from..to)?.parse::<i8>().ok();
    // DER has no empty fraction and no trailing zero; signers write both, and they change nothing.
    let nanoseconds = match fraction {
        None => 0,
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let digits: String = digits.chars().chain("000000000".chars()).take(9).collect();
            digits.parse::<i32>().ok()?
        }
        Some(_) => return None,
    };
    let year = whole.get(0..4)?.parse::<i16>().ok()?;
    let date = jiff::civil::Date::new(year, number(4, 6)?, number(6, 8)?).ok()?;
    let time = jiff::civil::Time::new(number(8, 10)?, number(10, 12)?, number(12, 14)?, nanoseconds).ok()?;
    jiff::tz::Offset::UTC.to_timestamp(date.to_datetime(time)).ok()
}

/// Parses a DER Accuracy: seconds, milliseconds, microseconds, all of them optional.
pub(super) fn accuracy(der: &[u8]) -> x509_cert::der::Result<SignedDuration> {
    let mut reader = SliceReader::new(der)?;
    let sum = reader.sequence(|fields| {
        let mut sum = SignedDuration::ZERO;
        while !fields.is_finished() {
            let header = fields.peek_header()?;
            let field = fields.tlv_bytes()?;
            let content = field.get(usize::try_from(header.encoded_len()?)?..).unwrap_or_default();
            let part = match header.tag.octet() {
                0x02 => SignedDuration::from_secs(u32::from_der(field)?.into()),
                0x80 => SignedDuration::from_millis(small(content).into()),
                0x81 => SignedDuration::from_micros(small(content).into()),
                _ => return Err(header.tag.value_error()),
            };
            sum = sum.saturating_add(part);
        }
        Ok(sum)
    })?;
    reader.finish(sum)
}

/// An INTEGER of 1 to 999 whose tag is implicit; anything longer counts as the most there can be.
fn small(content: &[u8]) -> u16 {
    match *content {
        [one] => u16::from(one),
        [high, low] => u16::from_be_bytes([high, low]).min(999),
        _ => 999,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn der(text: &str) -> Vec<u8> {
        [&[0x18, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
    }

    #[test]
    fn fractions_are_read_and_zones_refused() {
        let read = |text: &str| parse(&der(text)).map(|at| at.to_string());
        assert_eq!(read("20261101080910Z").as_deref(), Some("2026-11-01T08:09:10Z"));
        assert_eq!(read("20261101080910.5Z").as_deref(), Some("2026-11-01T08:09:10.5Z"));
        assert_eq!(read("20261101080910.1234567891Z").as_deref(), Some("2026-11-01T08:09:10.123456789Z"));
        for wrong in ["20261101080910", "20261101080910+0100", "20261301080910Z", "2026110108Z", "20261101080910.Z"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn accuracy_adds_its_parts() {
        let parts = [0x30, 9, 0x02, 1, 1, 0x80, 1, 2, 0x81, 1, 3];
        assert_eq!(accuracy(&parts).unwrap(), SignedDuration::from_micros(1_002_003));
        assert_eq!(accuracy(&[0x30, 0]).unwrap(), SignedDuration::ZERO);
        assert!(accuracy(&[0x30, 3, 0x04, 1, 1]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&bytes);
            let _ = accuracy(&bytes);
        }
    }
}
