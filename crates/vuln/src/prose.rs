//! Summaries, as numbers of words: advisories are written with few.
//!
//! A summary is split at its spaces. Its bytes follow their number (two bytes), and each word is
//!
//! ```text
//! 0 to 223        this word of the table
//! 224 to 254, n   word 224 + 256 * (first - 224) + n of the table
//! 255, n          n bytes of a word that is not in the table; longer ones come in parts, of which all but the last have 254 bytes
//! ```
//! So a summary is read where it lies, without its neighbours: a match shows many, from anywhere.

use std::collections::HashMap;

/// Words with a code of one byte.
const SHORT: usize = 224;
/// Words in the table.
pub(crate) const MOST_WORDS: usize = SHORT + 31 * 256;
/// How often a word occurs before it is worth a place in the table.
const OFTEN: usize = 3;
/// Most bytes of one part of a word, and the length that says that another part follows.
const PART: usize = 254;

/// The words that are written as numbers, the most frequent first.
pub(crate) fn words<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in texts.flat_map(|text| text.split(' ')) {
        *counts.entry(word).or_default() += 1;
    }
    let mut words: Vec<(&str, usize)> =
        counts.into_iter().filter(|(word, count)| *count >= OFTEN && word.len() <= PART).collect();
    words.sort_unstable_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(right.0)));
    words.truncate(MOST_WORDS);
    words.into_iter().map(|(word, _)| word).collect()
}

/// Writes summaries with a table of words.
pub(crate) struct Writer<'a> {
    numbers: HashMap<&'a str, usize>,
    written: HashMap<String, u32>,
    pub(crate) bytes: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(words: &[&'a str]) -> Self {
        let numbers = words.iter().enumerate().map(|(number, word)| (*word, number)).collect();
        // Offset 0 is the empty text.
        Self { numbers, written: HashMap::from([(String::new(), 0)]), bytes: vec![0, 0] }
    }

    /// Where the summary is, which is written once.
    pub(crate) fn add(&mut self, text: &str) -> u32 {
        if let Some(offset) = self.written.get(text) {
            return *offset;
        }
        let mut codes = Vec::new();
        for word in text.split(' ') {
            match self.numbers.get(word) {
                Some(number) if *number < SHORT => codes.push(*number as u8),
                Some(number) => {
                    let number = number - SHORT;
                    codes.extend([(SHORT + number / 256) as u8, (number % 256) as u8]);
                }
                None => {
                    let mut parts = word.as_bytes().chunks(PART).peekable();
                    if word.is_empty() {
                        codes.extend([255, 0]);
                    }
                    while let Some(part) = parts.next() {
                        codes.extend([255, if parts.peek().is_some() { 255 } else { part.len() as u8 }]);
                        codes.extend_from_slice(part);
                    }
                }
            }
        }
        let offset = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        // Summaries are one line of at most 160 characters: their codes fit.
        codes.truncate(0xffff);
        self.bytes.extend_from_slice(&(codes.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(&codes);
        self.written.insert(text.to_owned(), offset);
        offset
    }
}

/// Reads the summary at the start of `bytes`, with the words that `word` gives. `None` where the bytes are damaged.
pub(crate) fn read<'a>(bytes: &[u8], word: impl Fn(u32) -> Option<&'a [u8]>) -> Option<String> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let mut codes = rest.get(..usize::from(u16::from_le_bytes(*length)))?;
    let mut text = Vec::with_capacity(160);
    let (mut first, mut inside) = (true, false);
    while let Some((code, rest)) = codes.split_first() {
        if !first && !inside {
            text.push(b' ');
        }
        (first, inside) = (false, false);
        codes = rest;
        let code = usize::from(*code);
        if code < SHORT {
            text.extend_from_slice(word(code as u32)?);
            continue;
        }
        let (second, rest) = codes.split_first()?;
        codes = rest;
        if code < 255 {
            text.extend_from_slice(word((SHORT + (code - SHORT) * 256) as u32 + u32::from(*second))?);
            continue;
        }
        inside = *second == 255;
        let (own, rest) = codes.split_at_checked(usize::from(*second).min(PART))?;
        codes = rest;
        text.extend_from_slice(own);
    }
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn again(texts: &[String]) -> Vec<String> {
        let table = words(texts.iter().map(String::as_str));
        let mut writer = Writer::new(&table);
        let offsets: Vec<u32> = texts.iter().map(|text| writer.add(text)).collect();
        let word = |number: u32| table.get(number as usize).map(|word| word.as_bytes());
        offsets.into_iter().map(|offset| read(&writer.bytes[offset as usize..], word).unwrap()).collect()
    }

    #[test]
    fn frequent_words_are_numbers() {
        let mut texts: Vec<String> =
            (0..20_000).map(|at| format!("Denial of service in package{} through word{at}", at / 4)).collect();
        texts.push(format!("a  b {} \u{e4}{}", "x".repeat(700), "y".repeat(254)));
        texts.push(" ".into());
        texts.push(String::new());
        assert_eq!(again(&texts), texts);
        let table = words(texts.iter().map(String::as_str));
        assert_eq!((table.len(), table[0]), (5_006, "Denial"), "{:?}", &table[..6]);
        let mut writer = Writer::new(&table);
        let before = writer.bytes.len();
        writer.add("Denial of service in package17 through");
        assert!(writer.bytes.len() - before <= 2 + 7);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(texts in proptest::collection::vec("([a-c]{0,2}|\\PC{0,300}| ){0,9}", 0..30)) {
            prop_assert_eq!(again(&texts), texts);
        }

        #[test]
        fn damaged_bytes_give_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, |number| (number < 300).then_some(&b"word"[..]));
        }
    }
}
