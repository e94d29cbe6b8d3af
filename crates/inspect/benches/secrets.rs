//! How fast text is searched for secrets, on one core: `cargo bench -p assay-inspect --bench secrets [-- FOLDER]`.
//!
//! With a folder, all text files below it; without, the sources of this repository, over and over.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use assay_inspect::{DirectoryOptions, inspect_bytes};

/// Bytes that are searched at least.
const BYTES: usize = 256 << 20;

fn files(folder: &Path, out: &mut Vec<Vec<u8>>, total: &mut usize) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_symlink() || path.ends_with("target") || *total > BYTES {
            continue;
        }
        if path.is_dir() {
            files(&path, out, total);
        } else if let Ok(bytes) = std::fs::read(&path)
            && !bytes.iter().take(1024).any(|byte| *byte == 0)
        {
            *total += bytes.len();
            out.push(bytes);
        }
    }
}

fn main() {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let folder = folder.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), PathBuf::from);
    let (mut texts, mut total) = (Vec::new(), 0);
    files(&folder, &mut texts, &mut total);
    let options = DirectoryOptions::default();
    let mut searched = 0usize;
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    // The first search builds the automaton and compiles expressions.
    inspect_bytes("warm.txt", &texts[0], &options);
    let start = Instant::now();
    while searched < BYTES {
        for text in &texts {
            // A name that no parser wants: only secrets are looked for.
            for secret in inspect_bytes("file.txt", text, &options).secrets {
                *found.entry(secret.rule).or_default() += 1;
            }
            searched += text.len();
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let megabytes = searched as f64 / 1e6;
    println!("{} files, {megabytes:.0} MB, {:.0} MB/s, found {found:?}", texts.len(), megabytes / seconds);
}
