use std::convert::Infallible;
use std::io::Write as _;

use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;
use crate::zip::{Archive, Source};

/// Content that comes in pieces, as a tar gives it.
struct Pieces<'b>(&'b [u8], usize);

impl Body for Pieces<'_> {
    type Error = Infallible;

    fn peek(&mut self) -> Result<&[u8], Infallible> {
        Ok(&self.0[..self.1.min(self.0.len())])
    }

    fn consume(&mut self, bytes: usize) {
        self.0 = &self.0[bytes..];
    }
}

fn interest(name: &[u8]) -> Interest {
    if name.ends_with(b".jar") {
        Interest::Archive
    } else if name.ends_with(b".txt") {
        Interest::Content
    } else {
        Interest::None
    }
}

fn captured(bytes: &[u8]) -> Captured {
    let Ok(captured) = capture(&mut Pieces(bytes, 5000), bytes.len() as u64, 4, interest);
    captured
}

const CLASS: usize = 100_000;

/// An archive with a text, a class, and another archive where one is given. Sizes are in the headers, or after the data
/// as a writer leaves them that cannot go back.
fn sample(sizes_follow: bool, stored: bool, inner: Option<&[u8]>) -> Vec<u8> {
    let method = if stored { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
    let options = SimpleFileOptions::default().compression_method(method);
    fn fill<W: std::io::Write + std::io::Seek>(
        writer: &mut ZipWriter<W>,
        options: SimpleFileOptions,
        inner: Option<&[u8]>,
    ) {
        // Hardly compressible, and the same each time.
        let class: Vec<u8> = (0..CLASS as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
        for (name, content) in [("a.class", &class[..]), ("a.txt", b"text"), ("b.class", &class)] {
            writer.start_file(name, options).unwrap();
            writer.write_all(content).unwrap();
        }
        if let Some(inner) = inner {
            let stored = options.compression_method(zip::CompressionMethod::Stored);
            writer.start_file("inner.jar", stored).unwrap();
            writer.write_all(inner).unwrap();
        }
    }
    if sizes_follow {
        let mut writer = ZipWriter::new_stream(Vec::new());
        fill(&mut writer, options, inner);
        return writer.finish().unwrap().into_inner();
    }
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    fill(&mut writer, options, inner);
    writer.finish().unwrap().into_inner()
}

/// The text in an archive.
fn text(source: Source<'_>) -> String {
    let archive = Archive::open(source).unwrap();
    let entry = archive.entries().map(Result::unwrap).find(|entry| entry.name == b"a.txt").unwrap();
    String::from_utf8(archive.read(&entry, 100).unwrap().into_owned()).unwrap()
}

#[test]
fn what_is_read_is_kept_and_classes_go_by() {
    for (sizes_follow, stored) in [(false, false), (false, true), (true, false)] {
        let bytes = sample(sizes_follow, stored, None);
        let captured = captured(&bytes);
        let source = Source::Within { file: &captured, at: 0, length: captured.length() };
        assert_eq!((captured.length(), text(source).as_str()), (bytes.len() as u64, "text"));
        assert_eq!(source.digest(), Some(Digest::of(&bytes)), "all of it is hashed");
        assert!(captured.kept() < 2000, "{sizes_follow} {stored}: {} of {}", captured.kept(), bytes.len());
        let archive = Archive::open(source).unwrap();
        let class = archive.entries().map(Result::unwrap).find(|entry| entry.name == b"b.class").unwrap();
        assert!(archive.read(&class, 1 << 20).is_err(), "what went by counts as damage");
    }
}

#[test]
fn archives_that_are_stored_inside_are_followed_and_hashed() {
    let innermost = sample(false, false, None);
    let inner = sample(false, false, Some(&innermost));
    let bytes = sample(false, false, Some(&inner));
    let captured = captured(&bytes);
    let mut source = Source::Within { file: &captured, at: 0, length: captured.length() };
    for expected in [&bytes, &inner, &innermost] {
        assert_eq!((text(source).as_str(), source.digest()), ("text", Some(Digest::of(expected))));
        let archive = Archive::open(source).unwrap();
        let nested = archive.entries().map(Result::unwrap).find(|entry| entry.name == b"inner.jar");
        if let Some(nested) = nested {
            source = archive.stored(&nested, 1 << 30).unwrap().unwrap();
        }
    }
    assert!(captured.kept() < 4000, "{}", captured.kept());
}

#[test]
fn what_is_not_understood_is_kept() {
    // Stored, and its length after it: where it ends cannot be known.
    let mut bytes = sample(false, true, None);
    bytes[6] |= 8;
    assert_eq!(captured(&bytes).kept(), bytes.len());
    let encrypted = {
        let mut bytes = sample(true, false, None);
        bytes[6] |= 1;
        bytes
    };
    assert_eq!(captured(&encrypted).kept(), encrypted.len());
}

/// What stands in an entry for the length that follows it, in all four forms, with headers in the data that are none.
#[test]
fn the_end_of_data_is_where_its_length_says_so() {
    for (width, signed) in [(4, true), (4, false), (8, true), (8, false)] {
        for padding in 0..40 {
            let mut data = vec![b'x'; 4960 + padding];
            data.extend_from_slice(LOCAL);
            data.extend_from_slice(&[7; 40]);
            data.extend_from_slice(CENTRAL);
            data.extend_from_slice(DESCRIPTOR);
            let mut bytes = data.clone();
            if signed {
                bytes.extend_from_slice(DESCRIPTOR);
            }
            bytes.extend_from_slice(&[1, 2, 3, 4]);
            for size in [data.len() as u64, 9] {
                bytes.extend_from_slice(&size.to_le_bytes()[..width]);
            }
            let end = bytes.len() as u64;
            bytes.extend_from_slice(CENTRAL);
            bytes.extend_from_slice(&[0; 60]);
            let mut pieces = Pieces(&bytes, 5000);
            let mut reader =
                Reader { body: &mut pieces, at: 0, open: Vec::new(), captured: Captured::default(), ended: false };
            let Ok(found) = reader.described(bytes.len() as u64, false);
            assert_eq!((found, reader.at), (true, end), "{width} {signed} {padding}");
        }
    }
}

#[test]
fn a_file_that_ends_early_or_claims_too_much_ends_the_reading() {
    let bytes = sample(false, false, Some(&sample(true, false, None)));
    for length in (0..bytes.len()).step_by(997) {
        let captured = captured(&bytes[..length]);
        assert_eq!(captured.length(), length as u64);
    }
    let Ok(captured) = capture(&mut Pieces(&bytes, 5000), u64::MAX, 4, interest);
    assert_eq!(captured.length(), bytes.len() as u64);
    let mut longer = bytes.clone();
    longer.extend_from_slice(&bytes);
    let Ok(captured) = capture(&mut Pieces(&longer, 5000), bytes.len() as u64, 4, interest);
    assert_eq!(captured.length(), longer.len() as u64, "everything that comes is read");
}
