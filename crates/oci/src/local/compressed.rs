//! `docker save IMAGE | gzip`: an archive of images in gzip. Where its files lie is known only to who has read all of it, and
//! the list of layers may come last; so it is inflated into a file that goes when the image was read.

use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use tempfile::TempPath;

use crate::OciError;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const BUFFER: usize = 256 << 10;
/// Most bytes of an image.
const INFLATED_MAX: u64 = 64 << 30;
/// Inflated bytes for each that was read: layers are compressed already, or compress to a third.
const RATIO_MAX: u64 = 200;
/// Bytes that anything may inflate to.
const RATIO_FLOOR: u64 = 256 << 20;

/// Whether a file is gzip, by its first bytes.
pub(super) fn is(path: &Path) -> bool {
    let mut start = [0; 2];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == MAGIC
}

/// Whether the tar in a gzip file begins as those of images do: with blobs, or with what lists them. Archives of sources are
/// not inflated to find that out.
pub(super) fn begins_as_image(path: &Path) -> bool {
    let mut name = Vec::new();
    let read =
        File::open(path).and_then(|file| MultiGzDecoder::new(BufReader::new(file)).take(100).read_to_end(&mut name));
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let name = name.trim_start_matches("./");
    let first = name.split('/').next().unwrap_or_default();
    // `docker save` before version 25: a folder for each layer, and `DIGEST.json`.
    let hex = first.strip_suffix(".json").unwrap_or(first);
    let digest = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let listed = ["blobs", "oci-layout", "index.json", "manifest.json", "repositories"].contains(&first);
    read.is_ok() && (digest || listed)
}

/// The same file without gzip around it.
pub(super) fn inflated(path: &Path) -> Result<TempPath, OciError> {
    let bad = |reason: &str| OciError::BadArchive { path: path.to_owned(), reason: reason.to_owned() };
    let file = File::open(path).map_err(|error| OciError::file(path, &error))?;
    let compressed = file.metadata().map_err(|error| OciError::file(path, &error))?.len();
    let mut decoder = MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file));
    let target = tempfile::NamedTempFile::new().map_err(|error| OciError::file(&std::env::temp_dir(), &error))?;
    let (mut target, place) = target.into_parts();
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0u64;
    loop {
        let read = match decoder.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(bad("it does not inflate to its end")),
        };
        bytes = bytes.saturating_add(read as u64);
        if bytes > INFLATED_MAX || (bytes > RATIO_FLOOR && bytes / compressed.max(1) > RATIO_MAX) {
            return Err(bad("it inflates to far more than images do"));
        }
        let part = buffer.get(..read).unwrap_or_default();
        target.write_all(part).map_err(|error| OciError::file(&place, &error))?;
    }
    target.flush().map_err(|error| OciError::file(&place, &error))?;
    Ok(place)
}
