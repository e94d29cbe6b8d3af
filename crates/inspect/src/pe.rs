//! Windows executables as far as .NET needs them: whether one is managed, and what its version resource says.
//!
//! Sources: Microsoft, "PE Format" (headers, section table, `.rsrc`); Windows SDK, `VS_VERSIONINFO`, `StringFileInfo`,
//! `StringTable`, `String`. All offsets are checked; nothing is followed twice.

use std::collections::BTreeMap;

/// Entries of one resource directory that are looked at.
const ENTRIES: usize = 64;
/// Texts of a version resource.
const TEXTS: usize = 64;
/// Place of the resource table and of the CLR header among the data directories.
const RESOURCES: usize = 2;
const CLR: usize = 14;
/// Type of version resources (`RT_VERSION`).
const VERSION: u32 = 16;

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn usize_at(bytes: &[u8], at: usize) -> Option<usize> {
    u32_at(bytes, at).and_then(|number| usize::try_from(number).ok())
}

/// The texts of the version resource of a managed executable, by their names. None where the file is no such thing.
pub(crate) fn version_texts(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let image = Image::parse(bytes)?;
    image.directory(CLR).filter(|(address, _)| *address != 0)?;
    let (address, _) = image.directory(RESOURCES).filter(|(address, _)| *address != 0)?;
    let base = image.offset(address)?;
    // Three levels: type, name, language.
    let types = base;
    let names = base.checked_add(subdirectory(bytes, types, Some(VERSION))?)?;
    let languages = base.checked_add(subdirectory(bytes, names, None)?)?;
    let entry = base.checked_add(leaf(bytes, languages)?)?;
    let start = image.offset(usize_at(bytes, entry)?)?;
    let size = usize_at(bytes, entry.checked_add(4)?)?;
    let mut texts = BTreeMap::new();
    read_texts(bytes.get(start..start.checked_add(size)?)?, 0, &mut texts);
    Some(texts)
}

/// The headers of a file.
struct Image<'b> {
    bytes: &'b [u8],
    directories: usize,
    directory_count: usize,
    sections: usize,
    section_count: usize,
}

impl<'b> Image<'b> {
    fn parse(bytes: &'b [u8]) -> Option<Self> {
        let header = usize_at(bytes, 0x3c).filter(|_| bytes.starts_with(b"MZ"))?;
        let coff = header.checked_add(4).filter(|coff| bytes.get(header..*coff) == Some(b"PE\0\0"))?;
        let optional = coff.checked_add(20)?;
        let directories = match u16_at(bytes, optional)? {
            0x10b => optional.checked_add(96)?,
            0x20b => optional.checked_add(112)?,
            _ => return None,
        };
        Some(Self {
            bytes,
            directories,
            directory_count: usize_at(bytes, directories.checked_sub(4)?)?,
            sections: optional.checked_add(usize::from(u16_at(bytes, coff.checked_add(16)?)?))?,
            section_count: usize::from(u16_at(bytes, coff.checked_add(2)?)?),
        })
    }

    /// Address and size of a data directory.
    fn directory(&self, place: usize) -> Option<(usize, usize)> {
        let at = self.directories.checked_add(place.checked_mul(8)?).filter(|_| place < self.directory_count)?;
        Some((usize_at(self.bytes, at)?, usize_at(self.bytes, at.checked_add(4)?)?))
    }

    /// Where in the file an address is.
    fn offset(&self, address: usize) -> Option<usize> {
        (0..self.section_count.min(ENTRIES)).find_map(|number| {
            let section = self.sections.checked_add(number.checked_mul(40)?)?;
            let start = usize_at(self.bytes, section.checked_add(12)?)?;
            let (size, raw) = (usize_at(self.bytes, section + 16)?, usize_at(self.bytes, section + 20)?);
            let inside = address.checked_sub(start).filter(|inside| *inside < size)?;
            raw.checked_add(inside)
        })
    }
}

/// The entries of a resource directory: identifier, and where it leads.
fn entries(bytes: &[u8], directory: usize) -> impl Iterator<Item = (u32, u32)> {
    let count = |at: usize| directory.checked_add(at).and_then(|at| u16_at(bytes, at)).map_or(0, usize::from);
    (0..(count(12) + count(14)).min(ENTRIES)).filter_map(move |number| {
        let at = directory.checked_add(16 + number * 8)?;
        Some((u32_at(bytes, at)?, u32_at(bytes, at.checked_add(4)?)?))
    })
}

/// The first subdirectory, or the one of this identifier.
fn subdirectory(bytes: &[u8], directory: usize, wanted: Option<u32>) -> Option<usize> {
    let found =
        entries(bytes, directory).find(|(id, to)| to >> 31 == 1 && wanted.is_none_or(|wanted| *id == wanted))?;
    usize::try_from(found.1 & 0x7fff_ffff).ok()
}

/// The first leaf.
fn leaf(bytes: &[u8], directory: usize) -> Option<usize> {
    entries(bytes, directory).find(|(_, to)| to >> 31 == 0).and_then(|(_, to)| usize::try_from(to).ok())
}

/// Reads nodes of length, value length, type, name, value and children; only the texts are kept.
fn read_texts(mut bytes: &[u8], depth: usize, texts: &mut BTreeMap<String, String>) {
    while let (Some(length), Some(value_length)) = (u16_at(bytes, 0), u16_at(bytes, 2)) {
        let Some(node) = bytes.get(..usize::from(length)).filter(|node| node.len() > 6) else { return };
        let (name, end) = utf16(node.get(6..).unwrap_or_default());
        let value = aligned(6 + end);
        let rest = node.get(value..).unwrap_or_default();
        match depth {
            // VS_VERSION_INFO has a binary value before its children.
            0 => read_texts(rest.get(aligned(usize::from(value_length))..).unwrap_or_default(), 1, texts),
            1 if name == "StringFileInfo" => read_texts(rest, 2, texts),
            2 => read_texts(rest, 3, texts),
            3 if texts.len() < TEXTS => {
                let text = utf16(rest).0;
                texts.entry(name).or_insert_with(|| text.trim().to_owned());
            }
            _ => {}
        }
        let Some(next) = bytes.get(aligned(usize::from(length))..) else { return };
        bytes = next;
    }
}

/// The next multiple of four: every node begins at one.
fn aligned(at: usize) -> usize {
    at.next_multiple_of(4)
}

/// Text to its NUL, and how many bytes it takes with it.
fn utf16(bytes: &[u8]) -> (String, usize) {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .take_while(|unit| *unit != 0)
        .collect();
    (String::from_utf16_lossy(&units), (units.len() + 1) * 2)
}

#[cfg(test)]
pub(crate) mod testing {
    /// A managed library with these texts in its version resource.
    pub(crate) fn library(texts: &[(&str, &str)]) -> Vec<u8> {
        let resource = version_resource(texts);
        // Headers, then one section: three directories, a data entry, the resource.
        let (raw, address) = (0x200_usize, 0x2000_u32);
        let mut section = Vec::new();
        let directory = |section: &mut Vec<u8>, id: u32, to: u32| {
            section.extend([0; 12]);
            section.extend([0, 0, 1, 0]);
            section.extend(id.to_le_bytes());
            section.extend(to.to_le_bytes());
        };
        directory(&mut section, 16, 0x8000_0018);
        directory(&mut section, 1, 0x8000_0030);
        directory(&mut section, 1033, 0x48);
        section.extend((address + 0x58).to_le_bytes());
        section.extend((resource.len() as u32).to_le_bytes());
        section.extend([0; 8]);
        section.extend(resource);

        let mut file = vec![0; raw];
        file[..2].copy_from_slice(b"MZ");
        file[0x3c] = 0x80;
        file[0x80..0x84].copy_from_slice(b"PE\0\0");
        file[0x86] = 1;
        file[0x94] = 224;
        let optional = 0x98;
        file[optional..optional + 2].copy_from_slice(&0x10b_u16.to_le_bytes());
        file[optional + 92] = 16;
        let directories = optional + 96;
        file[directories + 16..directories + 20].copy_from_slice(&address.to_le_bytes());
        file[directories + 14 * 8..directories + 14 * 8 + 4].copy_from_slice(&address.to_le_bytes());
        let table = optional + 224;
        file[table + 12..table + 16].copy_from_slice(&address.to_le_bytes());
        file[table + 16..table + 20].copy_from_slice(&(section.len() as u32).to_le_bytes());
        file[table + 20..table + 24].copy_from_slice(&(raw as u32).to_le_bytes());
        file.extend(section);
        file
    }

    fn node(name: &str, value_length: u16, value: &[u8]) -> Vec<u8> {
        let mut node = vec![0; 2];
        node.extend(value_length.to_le_bytes());
        node.extend([1, 0]);
        node.extend(wide(name));
        node.resize(node.len().next_multiple_of(4), 0);
        node.extend_from_slice(value);
        let length = node.len() as u16;
        node[..2].copy_from_slice(&length.to_le_bytes());
        node.resize(node.len().next_multiple_of(4), 0);
        node
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    fn version_resource(texts: &[(&str, &str)]) -> Vec<u8> {
        let texts: Vec<u8> =
            texts.iter().flat_map(|(name, text)| node(name, text.len() as u16 + 1, &wide(text))).collect();
        let strings = node("StringFileInfo", 0, &node("040904b0", 0, &texts));
        let other = node("VarFileInfo", 0, &[]);
        node("VS_VERSION_INFO", 52, &[vec![7; 52], strings, other].concat())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::library;
    use super::*;

    #[test]
    fn the_texts_of_a_managed_library_are_read() {
        let file = library(&[("ProductVersion", "13.0.3+0a2e291c"), ("CompanyName", "Newtonsoft"), ("Empty", "")]);
        let texts = version_texts(&file).unwrap();
        assert_eq!(texts["ProductVersion"], "13.0.3+0a2e291c");
        assert_eq!((texts["CompanyName"].as_str(), texts["Empty"].as_str()), ("Newtonsoft", ""));
    }

    #[test]
    fn what_is_not_managed_is_none_of_it() {
        let mut native = library(&[("ProductVersion", "1")]);
        native[0x98 + 96 + 14 * 8..0x98 + 96 + 14 * 8 + 4].fill(0);
        assert_eq!(version_texts(&native), None);
        assert_eq!(version_texts(b"MZ"), None);
        assert_eq!(version_texts(&[]), None);
    }

    proptest! {
        #[test]
        fn damage_is_no_panic(changes in proptest::collection::vec((0_usize..900, any::<u8>()), 1..8), cut in 0_usize..900) {
            let mut file = library(&[("ProductVersion", "1.2.3"), ("InternalName", "a.dll")]);
            for (at, byte) in changes {
                if let Some(place) = file.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = version_texts(&file);
            file.truncate(cut);
            let _ = version_texts(&file);
        }
    }
}
