//! Model files: what the header of GGUF and safetensors files says. The weights are not read.
//!
//! Sources: ggml, `docs/gguf.md` (version 2 and 3); safetensors, "Format".

use assay_model::{EvidenceTier, PackageType};
use serde_json::Value;

use super::{File, Found, Reader, optional, package, text};

/// Bytes at the beginning that are read: names stand before the vocabulary.
const START: usize = 4 << 20;
/// Keys of a GGUF header that are looked at.
const KEYS: u64 = 10_000;

pub(crate) static GGUF: Reader =
    Reader { start: START, ..Reader::installed("GGUF models", EvidenceTier::ArchiveMetadata, &["*.gguf"], read_gguf) };
pub(crate) static SAFETENSORS: Reader = Reader {
    start: START,
    ..Reader::installed("Safetensors models", EvidenceTier::ArchiveMetadata, &["*.safetensors"], read_safetensors)
};

/// A place in a GGUF header. Numbers are little-endian.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (now, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(now)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.u64()?;
        self.take(length)
    }

    /// Steps over a value; gives it where it is a string, else nothing.
    fn value(&mut self, kind: u32) -> Option<&'a [u8]> {
        const STRING: u32 = 8;
        const ARRAY: u32 = 9;
        if kind == STRING {
            return self.string();
        }
        if kind != ARRAY {
            return self.take(width(kind)?).map(|_| &b""[..]);
        }
        // The lists of one header are not nested.
        let (inner, count) = (self.u32()?, self.u64()?);
        if inner == STRING {
            // Each takes 8 bytes at least, so the bytes at hand bound the loop.
            for _ in 0..count {
                self.string()?;
            }
        } else {
            self.take(width(inner)?.checked_mul(count)?)?;
        }
        Some(b"")
    }
}

fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

fn read_gguf(file: &File<'_>, found: &mut Found) {
    let mut cursor = Cursor(file.bytes);
    if cursor.take(4) != Some(b"GGUF") {
        return;
    }
    let header = (cursor.u32(), cursor.u64(), cursor.u64());
    let (Some(2 | 3), Some(_tensors), Some(keys)) = header else { return found.malformed(file.path) };
    let mut values = serde_json::Map::new();
    for _ in 0..keys.min(KEYS) {
        let Some(key) = cursor.string() else { break };
        // A list that goes on behind what is kept ends the look: names come first.
        let Some(value) = cursor.u32().and_then(|kind| cursor.value(kind)) else { break };
        if key.starts_with(b"general.") && !value.is_empty() {
            values.insert(String::from_utf8_lossy(key).into_owned(), String::from_utf8_lossy(value).into());
        }
    }
    let values = Value::Object(values);
    let stem = crate::path::split(file.path).1.trim_end_matches(".gguf");
    let named = optional(text(&values, "general.name"));
    let tier = if named.is_some() { EvidenceTier::ArchiveMetadata } else { EvidenceTier::Heuristic };
    let name = named.unwrap_or_else(|| stem.to_owned()).replace('/', "-");
    let mut package = model(&name, text(&values, "general.version"), text(&values, "general.repo_url"), tier, file);
    package.licence = optional(text(&values, "general.license"));
    package.supplier =
        optional(text(&values, "general.organization")).or_else(|| optional(text(&values, "general.author")));
    found.add(file, package);
}

/// A model; one that names its repository at Hugging Face is that.
fn model(name: &str, version: &str, url: &str, tier: EvidenceTier, file: &File<'_>) -> assay_model::Package {
    match url.split_once("huggingface.co/") {
        Some((_, repository)) if repository.trim_end_matches('/').split('/').count() == 2 => {
            package(PackageType::Huggingface, repository.trim_end_matches('/'), version, tier, file.path)
        }
        _ => package(PackageType::Generic, name, version, tier, file.path),
    }
}

fn read_safetensors(file: &File<'_>, found: &mut Found) {
    let header = file.bytes.first_chunk().map(|raw| u64::from_le_bytes(*raw));
    let (Some(1..), Some(b'{')) = (header, file.bytes.get(8)) else { return found.malformed(file.path) };
    const METADATA: &[u8] = b"\"__metadata__\":";
    let metadata = memchr::memmem::find(file.bytes, METADATA)
        .and_then(|at| file.bytes.get(at + METADATA.len()..))
        .and_then(|rest| serde_json::Deserializer::from_slice(rest).into_iter::<Value>().next())
        .and_then(Result::ok)
        .unwrap_or_default();
    let (folder, name) = crate::path::split(file.path);
    let stem = name.trim_end_matches(".safetensors");
    let named = optional(text(&metadata, "modelspec.title"));
    let tier = if named.is_some() { EvidenceTier::ArchiveMetadata } else { EvidenceTier::Heuristic };
    // `model.safetensors` and its numbered parts say nothing, the folder does.
    let generic = if stem.starts_with("model") { crate::path::split(folder).1 } else { stem };
    let name = named.unwrap_or_else(|| if generic.is_empty() { stem } else { generic }.to_owned());
    let mut package = model(&name.replace('/', "-"), text(&metadata, "modelspec.version"), "", tier, file);
    package.licence = optional(text(&metadata, "modelspec.license"));
    package.supplier = optional(text(&metadata, "modelspec.author"));
    // The parts of one model are one model.
    if stem.starts_with("model-") && stem.contains("-of-") && !stem.starts_with("model-00001-") {
        return;
    }
    found.add(file, package);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ecosystems::testing::{lines, read};

    fn string(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn gguf(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        out.extend(0u64.to_le_bytes());
        out.extend((pairs.len() as u64 + 1).to_le_bytes());
        out.extend(string("list"));
        out.extend([9u32.to_le_bytes(), 4u32.to_le_bytes()].concat());
        out.extend(2u64.to_le_bytes());
        out.extend([0; 8]);
        for (key, value) in pairs {
            out.extend(string(key));
            out.extend(8u32.to_le_bytes());
            out.extend(string(value));
        }
        out
    }

    #[test]
    fn a_gguf_header_names_the_model() {
        let file =
            gguf(&[("general.name", "Tiny Llama"), ("general.version", "v1.1"), ("general.license", "apache-2.0")]);
        let found = read(&GGUF, "models/x.gguf", &file);
        assert_eq!(found.packages[0].purl.to_string(), "pkg:generic/Tiny%20Llama@v1.1");
        assert_eq!(found.packages[0].licence.as_deref(), Some("apache-2.0"));
        let hub = gguf(&[("general.repo_url", "https://huggingface.co/org/model")]);
        assert_eq!(lines(&GGUF, "x.gguf", hub), ["pkg:huggingface/org/model"]);
        assert_eq!(read(&GGUF, "x.gguf", b"GGUF\x09\0\0\0").partial.len(), 1);
    }

    #[test]
    fn safetensors_are_named_by_metadata_or_folder() {
        let with = |json: &str| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &[0; 16]].concat();
        let named = with(
            r#"{"__metadata__":{"modelspec.title":"Stable Thing","modelspec.license":"MIT"},"w":{"dtype":"F16"}}"#,
        );
        assert_eq!(lines(&SAFETENSORS, "m/x.safetensors", named), ["pkg:generic/Stable%20Thing"]);
        let plain = with(r#"{"w":{"dtype":"F16"}}"#);
        let found = read(&SAFETENSORS, "models/bert-base/model-00001-of-00002.safetensors", &plain);
        assert_eq!((found.packages[0].name.as_str(), found.packages[0].tier), ("bert-base", EvidenceTier::Heuristic));
        assert!(read(&SAFETENSORS, "bert-base/model-00002-of-00002.safetensors", &plain).packages.is_empty());
        assert_eq!(read(&SAFETENSORS, "x.safetensors", b"").partial.len(), 1);
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&GGUF, "x.gguf", [&b"GGUF\x03\0\0\0"[..], &bytes].concat());
            read(&SAFETENSORS, "x.safetensors", bytes);
        }
    }
}
