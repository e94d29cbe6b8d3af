//! Writes the small archives that the tests read.

use std::io::Write as _;

use assay_inspect::{LayerResult, Limits, inspect_layer};
use assay_model::Digest;

/// A tar in the making.
#[derive(Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(path, b'0', "", content.as_ref())
    }

    pub(crate) fn directory(self, path: &str) -> Self {
        self.entry(path, b'5', "", b"")
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.entry(path, b'2', target, b"")
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(path, b'1', target, b"")
    }

    /// A file with this mode, as octal digits.
    pub(crate) fn mode(mut self, path: &str, mode: &str) -> Self {
        let at = self.0.len();
        self = self.entry(path, b'0', "", b"#!");
        self.0[at + 100..at + 107].copy_from_slice(format!("{mode:0>7}").as_bytes());
        self.0[at + 148..at + 156].copy_from_slice(b"        ");
        let sum: u32 = self.0[at..at + 512].iter().map(|&byte| u32::from(byte)).sum();
        self.0[at + 148..at + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self
    }

    /// A ustar header, the content, and zeros up to the next block.
    pub(crate) fn entry(mut self, path: &str, flag: u8, link: &str, content: &[u8]) -> Self {
        let mut header = [0; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..108].copy_from_slice(b"0000755\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[156] = flag;
        header[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }

    /// The layer of this archive, uncompressed.
    pub(crate) fn layer(self) -> LayerResult {
        layer(&self.bytes())
    }
}

pub(crate) fn layer(bytes: &[u8]) -> LayerResult {
    inspect_layer(bytes, &Digest::of(bytes), "", &Limits::default()).unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}
