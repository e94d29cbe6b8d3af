//! Reads JSON as the API server writes it, in a third of the time. What is unusual it does not read at all, so that
//! serde_json says what it is, or what is wrong with it: whatever comes from here is what would come from there.

use std::borrow::Cow;

use super::{Fields, Node};

/// Deepest nesting, as serde_json has it.
const DEPTH_MAX: u8 = 127;
/// Most digits of a number that is surely within 64 bits.
const DIGITS_MAX: usize = 18;

/// The value that a text is; none where serde_json has to look.
pub(super) fn read(text: &str) -> Option<Node<'_>> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let node = reader.value()?;
    reader.blanks();
    (reader.at == text.len()).then_some(node)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes past white space (RFC 8259, section 2).
    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        self.blanks();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn value(&mut self) -> Option<Node<'a>> {
        match self.next()? {
            b'"' => self.string().map(Node::String),
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::list),
            b't' => self.word("rue", Node::Bool(true)),
            b'f' => self.word("alse", Node::Bool(false)),
            b'n' => self.word("ull", Node::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => None,
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Node<'a>>) -> Option<Node<'a>> {
        if self.depth >= DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let node = read(self);
        self.depth -= 1;
        node
    }

    fn word(&mut self, rest: &str, node: Node<'a>) -> Option<Node<'a>> {
        let end = self.at + rest.len();
        (self.text.as_bytes().get(self.at..end)? == rest.as_bytes()).then(|| {
            self.at = end;
            node
        })
    }

    /// An integer of a usual size; the rest is serde_json's.
    fn number(&mut self) -> Option<Node<'a>> {
        let begin = self.at - 1;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        let digits = self.text.get(begin..self.at)?;
        let plain = digits.trim_start_matches('-');
        let usual = (1..=DIGITS_MAX).contains(&plain.len()) && (plain == "0" || !plain.starts_with('0'));
        if !usual || digits == "-0" || matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        digits.parse().ok().map(Node::Integer)
    }

    /// The text up to the closing quote.
    fn string(&mut self) -> Option<Cow<'a, str>> {
        let begin = self.at;
        let mut escaped = false;
        loop {
            self.at += plain_length(self.text.as_bytes().get(self.at..)?);
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                _ => return None,
            }
        }
        let end = self.at;
        self.at += 1;
        if escaped {
            return serde_json::from_str(self.text.get(begin - 1..=end)?).ok().map(Cow::Owned);
        }
        self.text.get(begin..end).map(Cow::Borrowed)
    }

    fn list(&mut self) -> Option<Node<'a>> {
        let mut items = Vec::new();
        self.blanks();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(Node::List(items));
        }
        loop {
            items.push(self.value()?);
            match self.next()? {
                b',' => {}
                b']' => return Some(Node::List(items)),
                _ => return None,
            }
        }
    }

    fn object(&mut self) -> Option<Node<'a>> {
        let mut fields = Fields::default();
        let mut first = self.next()?;
        if first == b'}' {
            return Some(Node::Object(fields.list));
        }
        loop {
            if first != b'"' {
                return None;
            }
            let key = self.string()?;
            if self.next()? != b':' {
                return None;
            }
            let value = self.value()?;
            fields.add(key, value).ok()?;
            match self.next()? {
                b',' => first = self.next()?,
                b'}' => return Some(Node::Object(fields.list)),
                _ => return None,
            }
        }
    }
}

/// How many bytes stand for themselves in a string: no quote, no backslash, no control character (RFC 8259, section 7).
/// Eight at a time.
fn plain_length(text: &[u8]) -> usize {
    const LOW: u64 = u64::from_le_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The high bit of the first byte that is below 0x20, or is one of the two; perhaps with some after it.
        let is = |byte: u8| (word ^ (LOW * u64::from(byte))).wrapping_sub(LOW);
        let found = (word.wrapping_sub(LOW * 0x20) | is(b'"') | is(b'\\')) & !word & HIGH;
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let special = rest.iter().position(|byte| *byte < 0x20 || matches!(*byte, b'"' | b'\\'));
    words.len() * 8 + special.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slowly(text: &str) -> Option<Node<'_>> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn what_an_api_server_writes_is_read_here() {
        for text in [
            "{}",
            "[]",
            " [ 1 , -2 , 0 , true , false , null , \"\" ] ",
            r#"{"a":{"b":[{"c":"d\n\u00e9\""},{}]},"long key of an object":"a string of more than eight bytes, é"}"#,
            "999999999999999999",
        ] {
            assert_eq!(read(text), slowly(text), "{text}");
            assert!(read(text).is_some(), "{text}");
        }
        let many = (0..40).fold(String::from("{"), |text, n| text + &format!("\"k{n}\":{n},")) + "\"last\":[]}";
        assert_eq!(read(&many), slowly(&many));
        let deep = "[".repeat(127) + &"]".repeat(127);
        assert!(
            read(&deep).is_some() && read(&format!("[{deep}]")).is_none() && slowly(&format!("[{deep}]")).is_none()
        );
    }

    #[test]
    fn what_is_unusual_or_wrong_is_left_to_others() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{a:1}",
            "01",
            "-",
            "-0",
            "1.5",
            "1e3",
            "12345678901234567890",
            "\"\u{1}\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "tru",
            "nul",
            "[1] 2",
            "{\"a\":1,\"a\":2}",
            "\"abc",
            "\"abc\\",
            "\u{feff}{}",
            "[\u{b}1]",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    /// Texts of JSON's own characters, so that many are nearly right.
    fn texts() -> impl Strategy<Value = String> {
        let piece = proptest::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\\"", "\\u0041", " ", "\n", "0", "1", "-", "23", ".", "e",
            "true", "null", "\"a\"", "\"b\":", "é", "\u{1}", "abcdefgh", "\"a\":1",
        ]);
        proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_is_read_here_is_read_so_elsewhere(text in texts(), around in 0_usize..3) {
            let text = match around {
                0 => text,
                1 => format!("[{text}]"),
                _ => format!("{{{text}}}"),
            };
            if let Some(node) = read(&text) {
                prop_assert_eq!(Some(node), slowly(&text), "{}", text);
            }
        }

        #[test]
        fn strings_end_where_they_end(text in ".{0,40}") {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(read(&written), Some(Node::String(Cow::Owned(text))));
        }
    }
}
