//! The bounds of a document, checked before anything is built from it.

use crate::SbomError;

/// Bytes of a document. The largest real ones seen (file listings included) have about 30 MB.
pub const MAX_BYTES: usize = 64 << 20;
/// Levels of objects and lists. CycloneDX nests components; real documents stay under 20.
pub const MAX_DEPTH: usize = 64;
/// Objects: a component is about ten, so that this is some 100,000 packages. Each one costs memory even where it is `{}`.
pub const MAX_OBJECTS: usize = 1_000_000;
/// Values of any kind.
pub const MAX_VALUES: usize = 8_000_000;

/// Counts levels, objects and values without building anything. Whether the text is JSON is not its business.
pub(super) fn check(bytes: &[u8]) -> Result<(), SbomError> {
    let (mut depth, mut objects, mut values) = (0_usize, 0_usize, 0_usize);
    let (mut in_text, mut escaped) = (false, false);
    for &byte in bytes {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                values += 1;
                objects += usize::from(byte == b'{');
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(SbomError::TooDeep { limit: MAX_DEPTH });
        }
        if objects > MAX_OBJECTS {
            return Err(SbomError::TooMany { what: "objects", limit: MAX_OBJECTS });
        }
        if values > MAX_VALUES {
            return Err(SbomError::TooMany { what: "values", limit: MAX_VALUES });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_do_not_count() {
        let text = format!(r#"{{"a":"{}\"{}"}}"#, "[".repeat(100), "{".repeat(100));
        assert_eq!(check(text.as_bytes()), Ok(()));
    }

    #[test]
    fn each_bound_is_enforced() {
        assert_eq!(check(&b"[".repeat(MAX_DEPTH)), Ok(()));
        assert_eq!(check(&b"[".repeat(MAX_DEPTH + 1)), Err(SbomError::TooDeep { limit: MAX_DEPTH }));
        assert!(matches!(check(&b"{}".repeat(MAX_OBJECTS + 1)), Err(SbomError::TooMany { what: "objects", .. })));
        assert!(matches!(check(&b",".repeat(MAX_VALUES + 1)), Err(SbomError::TooMany { what: "values", .. })));
        let size = MAX_BYTES + 1;
        assert_eq!(crate::read(&vec![b' '; size]), Err(SbomError::TooLarge { size, limit: MAX_BYTES }));
    }
}
