//! Layers read by their table of contents: only the files that say something of packages are fetched.
//!
//! Sources: stargz-snapshotter, `docs/estargz.md` (eStargz: footer, TOC, chunks); containers/storage, `pkg/chunked` (the
//! manifest of zstd:chunked). The table is checked against the digest in the image's manifest, each chunk against the
//! digest in the table. Whether the table says the same as the tar beside it is not known: a result made this way says so,
//! is `partial`, and never stands for the layer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read};

use assay_model::{Bound, Digest, Hasher};
use serde::Deserialize;

use crate::directory::{Bytes, DirectoryOptions};
use crate::ecosystems::Scope;
use crate::error::TableError;
use crate::layer::{LayerResult, Walk};
use crate::limits::Limits;
use crate::tar::{Entry, Kind};

/// Digest of the table of eStargz, on the layer's descriptor.
const ESTARGZ: &str = "containerd.io/snapshot/stargz/toc.digest";
/// Digest and place of the table of zstd:chunked.
const CHUNKED: &str = "io.github.containers.zstd-chunked.manifest-checksum";
const CHUNKED_PLACE: &str = "io.github.containers.zstd-chunked.manifest-position";
/// Bytes of eStargz's footer: an empty gzip member whose extra field says where the table is.
const FOOTER: u64 = 51;
/// The only file of the table's own tar.
const INDEX: &[u8] = b"stargz.index.json";
/// Bytes of a table, compressed or not.
const TABLE_BYTES: u64 = 64 << 20;
/// Bytes between two chunks that are fetched rather than asked for in two questions.
const GAP: u64 = 32 << 10;
/// Bytes of one question.
const RUN: u64 = 8 << 20;

/// Where a layer's table of contents is, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePlace {
    digest: Digest,
    /// Offset and length, where the annotation says them; else the footer does.
    position: Option<(u64, u64)>,
}

impl TablePlace {
    /// What the annotations of a layer's descriptor say; none where the layer has no table.
    pub fn of(annotations: &BTreeMap<String, String>) -> Option<Self> {
        if let Some(digest) = annotations.get(CHUNKED).and_then(|digest| digest.parse().ok()) {
            let mut parts = annotations.get(CHUNKED_PLACE)?.split(':').map(|part| part.parse::<u64>().ok());
            return Some(Self { digest, position: Some((parts.next()??, parts.next()??)) });
        }
        Some(Self { digest: annotations.get(ESTARGZ)?.parse().ok()?, position: None })
    }
}

#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    entries: Vec<Row>,
}

/// One row: a file with its first chunk, or a further chunk of the file before.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Row {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    size: u64,
    mode: i64,
    #[serde(alias = "linkName")]
    link_name: String,
    digest: String,
    offset: u64,
    inner_offset: u64,
    chunk_offset: u64,
    chunk_size: u64,
    chunk_digest: String,
    /// zstd:chunked: `zeros` for a chunk that is nothing else and is not there.
    chunk_type: String,
}

/// Compressed bytes of a file's part.
struct Chunk {
    start: u64,
    end: u64,
    inner: u64,
    size: u64,
    digest: Digest,
}

/// A file that may be fetched.
struct Content {
    path: String,
    mode: u32,
    size: u64,
    chunks: Vec<Chunk>,
}

/// Reads a layer by its table. `fetch` gives the bytes of the blob from an offset on, exactly as many as asked for.
///
/// Fetched are the files that a reader of the registry wants, and the executables and shared libraries that no package of
/// the layer claims; all others are known by name only. The result's `diff_id` is the table's digest, which no layer has.
///
/// # Errors
/// Whatever is wrong with the table or a chunk: then the whole blob has to be read, which is checked by its own digest.
pub fn inspect_by_table(
    place: &TablePlace,
    digest: &Digest,
    size: u64,
    limits: &Limits,
    fetch: &mut dyn FnMut(u64, u64) -> io::Result<Vec<u8>>,
) -> Result<LayerResult, TableError> {
    let (json, table_start, is_zstd) = table(place, size, fetch)?;
    let table: Table = serde_json::from_slice(&json).map_err(|error| TableError::Malformed(error.to_string()))?;
    let options = DirectoryOptions { limits: *limits, ..DirectoryOptions::default() };
    let mut walk = Walk::new(&options, Scope::Image);
    let mut uncompressed = 0_u64;
    let files = walk_table(&table, table_start, &mut walk, &mut uncompressed)?;
    let mut reading = Reading { fetch, is_zstd, limits, walk };

    let (named, others): (Vec<Content>, Vec<Content>) =
        files.into_iter().partition(|file| reading.walk.analysis.is_wanted(&file.path));
    reading.read(named)?;
    let programs: Vec<Content> = others
        .into_iter()
        .filter(|file| file.mode & 0o111 != 0 || file.path.rsplit('/').next().is_some_and(|name| name.contains(".so")))
        .filter(|file| !reading.walk.analysis.is_owned(&file.path))
        .collect();
    reading.read(programs)?;

    let mut walk = reading.walk;
    for row in table.entries.iter().filter(|row| row.kind == "hardlink") {
        if let (Some(path), Some(target)) = (normal(&row.name), normal(&row.link_name)) {
            walk.analysis.hard_link(&path, &target);
        }
    }
    let what = format!("layer {}: read by its table of contents, other files were not fetched", digest.short());
    walk.analysis.partial(what, Bound::NotFetched);
    Ok(walk.finish(*digest, place.digest, size, uncompressed))
}

fn normal(path: &str) -> Option<String> {
    crate::path::normalise(path.as_bytes())
}

/// The table's JSON, checked, where it begins in the blob, and whether the blob is zstd.
fn table(
    place: &TablePlace,
    size: u64,
    fetch: &mut dyn FnMut(u64, u64) -> io::Result<Vec<u8>>,
) -> Result<(Vec<u8>, u64, bool), TableError> {
    let bad = |reason: &str| TableError::Malformed(reason.to_owned());
    if let Some((start, length)) = place.position {
        if length > TABLE_BYTES || start.checked_add(length).is_none_or(|end| end > size) {
            return Err(bad("the table lies outside of the blob, or is too large"));
        }
        let packed = fetch(start, length).map_err(TableError::Fetch)?;
        check(&packed, place.digest)?;
        let decoder = zstd::stream::read::Decoder::new(&packed[..]).map_err(TableError::Fetch)?;
        return Ok((bounded(decoder)?, start, true));
    }
    let footer_start = size.checked_sub(FOOTER).ok_or_else(|| bad("the blob is smaller than a footer"))?;
    let footer = fetch(footer_start, FOOTER).map_err(TableError::Fetch)?;
    // gzip's header (10), the length of the extra field (2), `SG` and its length (4), then 16 digits and `STARGZ`.
    let text =
        footer.get(16..38).and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| text.strip_suffix("STARGZ"));
    let start = text.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or_else(|| bad("it has no footer"))?;
    let length = footer_start.checked_sub(start).filter(|length| *length <= TABLE_BYTES);
    let packed = fetch(start, length.ok_or_else(|| bad("the table lies outside of the blob, or is too large"))?);
    let tar = bounded(flate2::read::MultiGzDecoder::new(&packed.map_err(TableError::Fetch)?[..]))?;
    let name = tar.get(..INDEX.len()).filter(|name| *name == INDEX);
    let digits = name.and_then(|_| tar.get(124..135)).and_then(|digits| std::str::from_utf8(digits).ok());
    let length = digits.and_then(|digits| usize::from_str_radix(digits.trim_matches(['\0', ' ']), 8).ok());
    let json = length.and_then(|length| tar.get(512..length.checked_add(512)?));
    let json = json.ok_or_else(|| bad("the table is no tar of one file"))?.to_vec();
    check(&json, place.digest)?;
    Ok((json, start, false))
}

fn bounded(reader: impl Read) -> Result<Vec<u8>, TableError> {
    let mut bytes = Vec::new();
    reader.take(TABLE_BYTES + 1).read_to_end(&mut bytes).map_err(TableError::Fetch)?;
    if bytes.len() as u64 > TABLE_BYTES {
        return Err(TableError::Malformed("the table is too large".to_owned()));
    }
    Ok(bytes)
}

fn check(bytes: &[u8], expected: Digest) -> Result<(), TableError> {
    let mut hasher = Hasher::new(expected.algorithm());
    hasher.update(bytes);
    let found = hasher.finish();
    if found == expected {
        Ok(())
    } else {
        Err(TableError::Digest { expected: Box::new(expected), found: Box::new(found) })
    }
}

/// Notes all paths, and gives the files with their chunks.
fn walk_table(
    table: &Table,
    table_start: u64,
    walk: &mut Walk,
    uncompressed: &mut u64,
) -> Result<Vec<Content>, TableError> {
    let bad = |row: &Row, reason: &str| TableError::Malformed(format!("{}: {reason}", row.name));
    let mut starts: BTreeSet<u64> = table.entries.iter().map(|row| row.offset).collect();
    starts.insert(table_start);
    let end_of = |start: u64| starts.range(start.saturating_add(1)..).next().copied();
    let mut files: Vec<Content> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for row in &table.entries {
        let is_more = row.kind == "chunk";
        if !is_more {
            let kind = match row.kind.as_str() {
                "dir" => Kind::Directory,
                "reg" => Kind::Regular,
                "hardlink" => Kind::HardLink,
                "symlink" => Kind::SymbolicLink,
                _ => Kind::Special,
            };
            let entry = Entry {
                path: row.name.clone().into_bytes(),
                link: row.link_name.clone().into_bytes(),
                kind,
                mode: u32::try_from(row.mode & 0o7777).unwrap_or_default(),
                size: row.size,
                sparse: false,
            };
            if !walk.counts(&entry) {
                return Err(TableError::Malformed("the table has too many entries".to_owned()));
            }
            let Some(path) = walk.note(&entry) else { continue };
            match kind {
                Kind::SymbolicLink => walk.analysis.symbolic_link(&path, &row.link_name),
                Kind::Regular => {
                    *uncompressed = uncompressed.saturating_add(row.size);
                    // A path that comes twice is what its last entry says.
                    if let Some(before) = places.insert(path.clone(), files.len()).and_then(|at| files.get_mut(at)) {
                        before.chunks.clear();
                        before.size = 0;
                        before.path = String::new();
                    }
                    files.push(Content { path, mode: entry.mode, size: row.size, chunks: Vec::new() });
                }
                _ => {}
            }
        }
        let has_bytes = is_more || row.kind == "reg" && row.size > 0;
        if !has_bytes {
            continue;
        }
        let Some(file) = files.last_mut() else { return Err(bad(row, "a chunk without a file")) };
        let left = file.size.checked_sub(row.chunk_offset).ok_or_else(|| bad(row, "a chunk beyond its file"))?;
        let size = if row.chunk_size == 0 { left } else { row.chunk_size };
        let digest = if row.chunk_digest.is_empty() && row.chunk_offset == 0 && size == file.size {
            row.digest.parse()
        } else {
            row.chunk_digest.parse()
        };
        let digest = digest.map_err(|_| bad(row, "a chunk without a digest"))?;
        if row.chunk_type == "zeros" || size > left || row.offset >= table_start {
            return Err(bad(row, "a chunk that is not in the blob"));
        }
        let end = end_of(row.offset).ok_or_else(|| bad(row, "a chunk that is not in the blob"))?;
        file.chunks.push(Chunk { start: row.offset, end, inner: row.inner_offset, size, digest });
    }
    files.retain(|file| !file.path.is_empty());
    Ok(files)
}

struct Reading<'f> {
    fetch: &'f mut dyn FnMut(u64, u64) -> io::Result<Vec<u8>>,
    is_zstd: bool,
    limits: &'f Limits,
    walk: Walk,
}

impl Reading<'_> {
    /// Fetches files, those that lie close to each other together, and hands each to its readers.
    fn read(&mut self, mut files: Vec<Content>) -> Result<(), TableError> {
        files.retain(|file| {
            let fits = file.size <= self.limits.file_bytes;
            if !fits {
                self.walk.analysis.partial(file.path.clone(), Bound::Bytes);
            }
            fits
        });
        files.sort_by_key(|file| file.chunks.first().map(|chunk| chunk.start));
        let mut run: Vec<Content> = Vec::new();
        let (mut start, mut end) = (0_u64, 0_u64);
        for file in files {
            let own = file.chunks.iter().map(|chunk| (chunk.start, chunk.end));
            let Some((from, to)) = own.reduce(|(from, to), (start, end)| (from.min(start), to.max(end))) else {
                self.hand(&file, &[])?;
                continue;
            };
            if !run.is_empty() && (from > end.saturating_add(GAP) || to.saturating_sub(start) > RUN) {
                self.run(std::mem::take(&mut run), start, end)?;
            }
            if run.is_empty() {
                (start, end) = (from, to);
            }
            end = end.max(to);
            run.push(file);
        }
        self.run(run, start, end)
    }

    fn run(&mut self, files: Vec<Content>, start: u64, end: u64) -> Result<(), TableError> {
        if files.is_empty() {
            return Ok(());
        }
        let length = end.saturating_sub(start);
        if length > self.limits.layer_bytes {
            return Err(TableError::Malformed("a file that is larger than a layer may be".to_owned()));
        }
        let packed = (self.fetch)(start, length).map_err(TableError::Fetch)?;
        for file in files {
            let mut bytes = Vec::with_capacity(usize::try_from(file.size).unwrap_or_default().min(1 << 20));
            for chunk in &file.chunks {
                let place = usize::try_from(chunk.start.saturating_sub(start)).unwrap_or(usize::MAX);
                let until = usize::try_from(chunk.end.saturating_sub(start)).unwrap_or(usize::MAX);
                let packed = packed.get(place..until).ok_or_else(|| TableError::Malformed(file.path.clone()))?;
                let part = self.unpack(packed, chunk)?;
                check(&part, chunk.digest)?;
                bytes.extend(part);
            }
            self.hand(&file, &bytes)?;
        }
        Ok(())
    }

    /// A chunk's own bytes: what stands before and behind it in the same compressed piece is not its.
    fn unpack(&self, packed: &[u8], chunk: &Chunk) -> Result<Vec<u8>, TableError> {
        let mut reader: Box<dyn Read + '_> = if self.is_zstd {
            Box::new(zstd::stream::read::Decoder::new(packed).map_err(TableError::Fetch)?)
        } else {
            Box::new(flate2::read::MultiGzDecoder::new(packed))
        };
        if chunk.inner > self.limits.layer_bytes {
            return Err(TableError::Malformed("a chunk too far inside".to_owned()));
        }
        io::copy(&mut reader.by_ref().take(chunk.inner), &mut io::sink()).map_err(TableError::Fetch)?;
        let mut bytes = Vec::new();
        reader.take(chunk.size).read_to_end(&mut bytes).map_err(TableError::Fetch)?;
        Ok(bytes)
    }

    fn hand(&mut self, file: &Content, bytes: &[u8]) -> Result<(), TableError> {
        if bytes.len() as u64 != file.size {
            return Err(TableError::Malformed(format!("{}: its chunks are not its size", file.path)));
        }
        match self.walk.analysis.file(&file.path, file.size, &mut Bytes(bytes)) {
            Ok(()) => Ok(()),
            Err(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests;
