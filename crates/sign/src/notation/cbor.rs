//! As much of CBOR (RFC 8949) as a signature needs to be written: integers, text, bytes, arrays, maps and tags of known
//! length, each number in its shortest form.

/// Writes items one after the other.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The first bytes of an item: major type and argument (section 3).
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        let bytes = argument.to_be_bytes();
        let width = match argument {
            0..=23 => 0,
            24..=0xff => 1,
            0x100..=0xffff => 2,
            0x1_0000..=0xffff_ffff => 4,
            _ => 8,
        };
        self.0.push(match width {
            0 => major | argument as u8,
            1 => major | 0x18,
            2 => major | 0x19,
            4 => major | 0x1a,
            _ => major | 0x1b,
        });
        self.0.extend(bytes.iter().skip(8 - width));
    }

    pub(super) fn integer(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(positive) => self.head(0, positive),
            Err(_) => self.head(1, !value as u64),
        }
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.head(2, value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, value: &str) {
        self.head(3, value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(super) fn array(&mut self, length: usize) {
        self.head(4, length as u64);
    }

    pub(super) fn map(&mut self, pairs: usize) {
        self.head(5, pairs as u64);
    }

    pub(super) fn tag(&mut self, tag: u64) {
        self.head(6, tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_specification() {
        // RFC 8949, appendix A.
        for (value, encoded) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (-1, "20"),
            (-10, "29"),
            (-100, "3863"),
            (-1000, "3903e7"),
        ] {
            let mut writer = Writer::default();
            writer.integer(value);
            assert_eq!(hex::encode(writer.into_bytes()), encoded);
        }
        let mut writer = Writer::default();
        writer.array(2);
        writer.map(1);
        writer.text("a");
        writer.tag(1);
        writer.integer(1_363_896_240);
        writer.bytes(&[1, 2, 3, 4]);
        assert_eq!(hex::encode(writer.into_bytes()), "82a16161c11a514b67b04401020304");
    }
}
