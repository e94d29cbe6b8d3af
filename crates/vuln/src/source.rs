//! Where records come from: files and folders of JSON, JSON lines, zip archives and zstd streams of either.
//!
//! What a file is, is read from its first bytes, not from its name. Everything is bounded.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use assay_model::Explain;
use serde_json::value::RawValue;

use crate::osv::{MAX_RECORD_BYTES, RecordError, without_position};

/// Most bytes of one file, also after inflating. The largest export (Ubuntu) has 8.3 GB in 60,000 files.
const MAX_FILE_BYTES: u64 = 4 << 30;
/// Most inflated bytes for each compressed one, beyond a first 16 MiB. Real exports reach 75.
const MAX_RATIO: u64 = 200;
/// Most entries of one archive or folder tree.
const MAX_ENTRIES: usize = 2_000_000;
/// Deepest nesting of folders.
const MAX_DEPTH: usize = 16;

/// Why records could not be read from a file.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operating system refused to open or read it.
    #[error("{path}: {cause}")]
    Read {
        /// The file or folder.
        path: String,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// An archive or stream is damaged.
    #[error("{path}: not readable as {format}: {message}")]
    Archive {
        /// The file.
        path: String,
        /// `zip`, `zstd` or `gzip`.
        format: &'static str,
        /// What the decoder says.
        message: String,
    },
    /// The file is larger, inflates further or has more entries than allowed: a mistake or an attack.
    #[error("{path}: more {what} than allowed ({limit})")]
    Bound {
        /// The file.
        path: String,
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// The JSON is malformed.
    #[error("{path}:{line}:{column}: {message}")]
    Json {
        /// The file, with the entry behind `!` inside archives.
        path: String,
        /// Line, counted from 1.
        line: usize,
        /// Column in bytes, counted from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A feed is not of the shape that its kind has: a field is missing, or of another type.
    #[error("{path}: not a {feed}: {message}")]
    Feed {
        /// The file, with the entry behind `!` inside archives.
        path: String,
        /// The kind of feed that it looked like.
        feed: &'static str,
        /// What does not fit.
        message: String,
    },
    /// A record is not an OSV record.
    #[error("{path}:{line}: {cause}")]
    Record {
        /// The file, with the entry behind `!` inside archives.
        path: String,
        /// Line of the record's start, counted from 1.
        line: usize,
        /// Why not.
        cause: RecordError,
    },
}

impl Explain for SourceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "osv-file-unreadable",
            Self::Archive { .. } => "osv-archive-damaged",
            Self::Bound { .. } => "osv-file-too-large",
            Self::Json { .. } => "osv-json-malformed",
            Self::Feed { .. } => "feed-malformed",
            Self::Record { cause, .. } => cause.code(),
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::Read { .. } => Some("check the path and its permissions".into()),
            Self::Archive { .. } => Some("download the export again".into()),
            Self::Bound { .. } => Some("split the input into several files".into()),
            Self::Feed { .. } => Some("fetch the feed again, or leave it out; nothing was built".into()),
            Self::Json { .. } | Self::Record { .. } => Some("remove or repair the record; nothing was built".into()),
        }
    }
}

/// Takes a file as it is once it is out of its archives: its name, and its bytes.
pub(crate) type VisitFile<'a> = dyn FnMut(&str, &[u8]) -> Result<(), SourceError> + 'a;

/// Takes a document: the name of its file, the line it starts on, and its bytes.
pub(crate) type Visit<'a> = dyn FnMut(&str, usize, &[u8]) -> Result<(), SourceError> + 'a;

/// Calls `visit` with a file, or with all files of a folder in the order of their names, out of their archives.
pub(crate) fn read(path: &Path, visit: &mut VisitFile<'_>) -> Result<(), SourceError> {
    for file in files(path)? {
        let name = file.display().to_string();
        let bytes = read_bounded(&file, &name)?;
        read_bytes(&name, &bytes, visit)?;
    }
    Ok(())
}

/// As [`read`], of bytes in memory.
pub(crate) fn read_bytes(name: &str, bytes: &[u8], visit: &mut VisitFile<'_>) -> Result<(), SourceError> {
    if bytes.starts_with(b"PK\x03\x04") {
        return read_zip(name, bytes, visit);
    }
    if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let plain = inflate_zstd(name, bytes)?;
        if plain.starts_with(b"PK\x03\x04") {
            return read_zip(name, &plain, visit);
        }
        return visit(name, &plain);
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return visit(name, &inflate_gzip(name, bytes)?);
    }
    visit(name, bytes)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut found = Vec::new();
    let mut folders = vec![(path.to_path_buf(), 0)];
    while let Some((path, depth)) = folders.pop() {
        let name = path.display().to_string();
        let fail = |cause| SourceError::Read { path: name.clone(), cause };
        if !std::fs::metadata(&path).map_err(fail)?.is_dir() {
            found.push(path);
        } else if depth == MAX_DEPTH {
            return Err(SourceError::Bound { path: name, what: "nested folders", limit: MAX_DEPTH as u64 });
        } else {
            for entry in std::fs::read_dir(&path).map_err(fail)? {
                let entry = entry.map_err(fail)?;
                // Links are not followed below the folder that was named: they may lead in circles.
                let kind = entry.file_type().map_err(fail)?;
                let lower = entry.file_name().to_string_lossy().to_ascii_lowercase();
                let wanted = [".json", ".jsonl", ".ndjson", ".zip", ".zst", ".gz", ".xml", ".csv"]
                    .iter()
                    .any(|end| lower.ends_with(end));
                if kind.is_dir() && !lower.starts_with('.') {
                    folders.push((entry.path(), depth + 1));
                } else if kind.is_file() && wanted {
                    found.push(entry.path());
                }
            }
        }
        if found.len() > MAX_ENTRIES {
            return Err(SourceError::Bound { path: name, what: "files", limit: MAX_ENTRIES as u64 });
        }
    }
    found.sort();
    Ok(found)
}

fn read_bounded(path: &Path, name: &str) -> Result<Vec<u8>, SourceError> {
    let fail = |cause| SourceError::Read { path: name.to_owned(), cause };
    let mut bytes = Vec::new();
    File::open(path).map_err(fail)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(SourceError::Bound { path: name.to_owned(), what: "bytes", limit: MAX_FILE_BYTES });
    }
    Ok(bytes)
}

fn most_inflated(compressed: u64) -> u64 {
    (16 << 20) + compressed.saturating_mul(MAX_RATIO).min(MAX_FILE_BYTES)
}

fn inflate_zstd(name: &str, bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
    let fail = |cause: std::io::Error| SourceError::Archive {
        path: name.to_owned(),
        format: "zstd",
        message: cause.to_string(),
    };
    let limit = most_inflated(bytes.len() as u64);
    let mut plain = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(bytes).map_err(fail)?;
    decoder.take(limit + 1).read_to_end(&mut plain).map_err(fail)?;
    if plain.len() as u64 > limit {
        return Err(SourceError::Bound { path: name.to_owned(), what: "inflated bytes", limit });
    }
    Ok(plain)
}

fn inflate_gzip(name: &str, bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
    let limit = most_inflated(bytes.len() as u64);
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(limit + 1)
        .read_to_end(&mut plain)
        .map_err(|cause| SourceError::Archive { path: name.to_owned(), format: "gzip", message: cause.to_string() })?;
    if plain.len() as u64 > limit {
        return Err(SourceError::Bound { path: name.to_owned(), what: "inflated bytes", limit });
    }
    Ok(plain)
}

fn read_zip(name: &str, bytes: &[u8], visit: &mut VisitFile<'_>) -> Result<(), SourceError> {
    let damaged = |message: String| SourceError::Archive { path: name.to_owned(), format: "zip", message };
    let bound = |what, limit| SourceError::Bound { path: name.to_owned(), what, limit };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(error.to_string()))?;
    if archive.len() > MAX_ENTRIES {
        return Err(bound("entries", MAX_ENTRIES as u64));
    }
    let limit = most_inflated(bytes.len() as u64);
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
        if !entry.is_file() {
            continue;
        }
        let inner = entry.name().map_or_else(|_| format!("entry {index}"), std::borrow::Cow::into_owned);
        let entry_name = format!("{name}!{inner}");
        let mut document = Vec::new();
        entry
            .take(limit.saturating_sub(total) + 1)
            .read_to_end(&mut document)
            .map_err(|cause| damaged(format!("{entry_name}: {cause}")))?;
        total += document.len() as u64;
        if total > limit {
            return Err(bound("inflated bytes", limit));
        }
        visit(&entry_name, &document)?;
    }
    Ok(())
}

/// JSON documents one after the other: a single one, or one on each line.
pub(crate) fn read_documents(name: &str, bytes: &[u8], visit: &mut Visit<'_>) -> Result<(), SourceError> {
    let mut documents = serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>();
    let (mut line, mut counted) = (1, 0);
    while let Some(document) = documents.next() {
        let end = documents.byte_offset();
        let document = document.map_err(|error| SourceError::Json {
            path: name.to_owned(),
            line: error.line(),
            column: error.column(),
            message: without_position(&error),
        })?;
        let text = document.get().as_bytes();
        let start = end.saturating_sub(text.len());
        line += bytes.get(counted..start).unwrap_or_default().split(|byte| *byte == b'\n').count() - 1;
        counted = start;
        if text.len() > MAX_RECORD_BYTES {
            let cause = RecordError::TooLarge { bytes: text.len() };
            return Err(SourceError::Record { path: name.to_owned(), line, cause });
        }
        visit(name, line, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(bytes: &[u8]) -> Result<Vec<(String, usize, String)>, SourceError> {
        let mut found = Vec::new();
        read_bytes("in", bytes, &mut |name, file| {
            read_documents(name, file, &mut |name, line, text| {
                found.push((name.to_owned(), line, String::from_utf8_lossy(text).into_owned()));
                Ok(())
            })
        })?;
        Ok(found)
    }

    #[test]
    fn lines_and_spread_out_documents_are_counted_by_line() {
        let found = documents(b"{\"a\":1}\n\n{\n\"b\":\n2}\n{}").unwrap();
        assert_eq!(found.iter().map(|(_, line, _)| *line).collect::<Vec<_>>(), [1, 3, 6]);
    }

    #[test]
    fn zstd_of_lines_is_seen_through() {
        let packed = zstd::stream::encode_all(&b"{}\n{}"[..], 1).unwrap();
        assert_eq!(documents(&packed).unwrap().len(), 2);
    }

    #[test]
    fn damage_is_named_with_file_and_line() {
        let error = documents(b"{}\n{\"a\" 1}").unwrap_err();
        assert!(error.to_string().starts_with("in:2:"), "{error}");
        assert_eq!(documents(b"PK\x03\x04nonsense").unwrap_err().code(), "osv-archive-damaged");
        assert_eq!(documents(&[0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3]).unwrap_err().code(), "osv-archive-damaged");
    }

    #[test]
    fn a_stream_that_inflates_without_end_is_refused() {
        let bomb = zstd::stream::encode_all(std::io::repeat(b' ').take(400 << 20), 1).unwrap();
        assert_eq!(documents(&bomb).unwrap_err().code(), "osv-file-too-large");
    }
}
