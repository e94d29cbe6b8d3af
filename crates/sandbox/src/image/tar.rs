//! A tar writer (POSIX ustar, with GNU long names): what layers need and no more.

use std::collections::BTreeSet;

const BLOCK: usize = 512;
const NAME_MAX: usize = 100;

/// An archive being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Tar {
    bytes: Vec<u8>,
    directories: BTreeSet<String>,
}

impl Tar {
    pub(super) fn file(&mut self, path: &str, content: &[u8], mode: u32) {
        self.parents(path);
        self.entry(path, content, mode, b'0', "");
    }

    /// A symbolic (`2`) or hard (`1`) link.
    pub(super) fn link(&mut self, path: &str, target: &str, kind: u8) {
        self.parents(path);
        self.entry(path, b"", 0o777, kind, target);
    }

    pub(super) fn finish(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(bytes.len() + 2 * BLOCK, 0);
        bytes
    }

    fn parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            let directory = format!("{}/", &path[..at]);
            if self.directories.insert(directory.clone()) {
                self.entry(&directory, b"", 0o755, b'5', "");
            }
        }
    }

    fn entry(&mut self, path: &str, content: &[u8], mode: u32, kind: u8, target: &str) {
        if path.len() > NAME_MAX {
            self.long_name(path, b'L');
        }
        if target.len() > NAME_MAX {
            self.long_name(target, b'K');
        }
        self.header(path, content.len(), mode, kind, target);
        self.content(content);
    }

    /// GNU: the next entry's name (`L`) or link target (`K`) is the content of this one.
    fn long_name(&mut self, name: &str, kind: u8) {
        let mut content = name.as_bytes().to_vec();
        content.push(0);
        self.header("././@LongLink", content.len(), 0o644, kind, "");
        self.content(&content);
    }

    fn content(&mut self, content: &[u8]) {
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }

    fn header(&mut self, path: &str, size: usize, mode: u32, kind: u8, target: &str) {
        let mut block = [0u8; BLOCK];
        put(&mut block, 0, NAME_MAX, path.as_bytes());
        put(&mut block, 100, 8, format!("{mode:07o}").as_bytes());
        put(&mut block, 108, 8, b"0000000");
        put(&mut block, 116, 8, b"0000000");
        put(&mut block, 124, 12, format!("{size:011o}").as_bytes());
        put(&mut block, 136, 12, b"00000000000");
        put(&mut block, 148, 8, b"        ");
        put(&mut block, 156, 1, &[kind]);
        put(&mut block, 157, NAME_MAX, target.as_bytes());
        put(&mut block, 257, 8, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut block, 148, 8, format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend_from_slice(&block);
    }
}

fn put(block: &mut [u8; BLOCK], at: usize, length: usize, bytes: &[u8]) {
    let length = length.min(bytes.len());
    block[at..at + length].copy_from_slice(&bytes[..length]);
}
