//! The few DER forms that are written by hand.

/// One element: tag, length, content (X.690, sections 8.1 and 10.1).
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend(bytes.iter().skip(skip));
    }
    out.extend_from_slice(content);
    out
}

/// A UTF8String.
pub(super) fn utf8_string(text: &str) -> Vec<u8> {
    element(0x0c, text.as_bytes())
}

/// An OCTET STRING.
pub(super) fn octet_string(bytes: &[u8]) -> Vec<u8> {
    element(0x04, bytes)
}

/// A SEQUENCE of encoded elements.
pub(super) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(0x30, &elements.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_minimal() {
        assert_eq!(element(4, &[0; 0x7f])[..2], [4, 0x7f]);
        assert_eq!(element(4, &[0; 0x80])[..3], [4, 0x81, 0x80]);
        assert_eq!(element(4, &[0; 0x100])[..4], [4, 0x82, 1, 0]);
        assert_eq!(sequence(&[&utf8_string("a"), &octet_string(b"b")]), [0x30, 6, 0x0c, 1, b'a', 4, 1, b'b']);
    }
}
