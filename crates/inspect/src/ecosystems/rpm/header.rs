//! An RPM header as databases keep it: an index of typed tags over a store of their values (rpm, "Header Format"; without
//! the magic that package files have in front).

pub(super) const NAME: u32 = 1000;
pub(super) const VERSION: u32 = 1001;
pub(super) const RELEASE: u32 = 1002;
pub(super) const EPOCH: u32 = 1003;
pub(super) const VENDOR: u32 = 1011;
pub(super) const LICENCE: u32 = 1014;
pub(super) const PACKAGER: u32 = 1015;
pub(super) const ARCHITECTURE: u32 = 1022;
pub(super) const SOURCE_RPM: u32 = 1044;
pub(super) const PROVIDES: u32 = 1047;
pub(super) const REQUIRES: u32 = 1049;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;

const INT32: u32 = 4;
const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const I18N_STRING: u32 = 9;
/// rpm's own bounds are larger; no real header comes near these.
const TAGS: usize = 65_536;
const VALUES: usize = 1_000_000;

pub(super) struct Header<'a> {
    index: &'a [u8],
    store: &'a [u8],
}

impl<'a> Header<'a> {
    pub(super) fn parse(blob: &'a [u8]) -> Option<Self> {
        let count = usize::try_from(u32_at(blob, 0)?).ok().filter(|&count| count <= TAGS)?;
        let length = usize::try_from(u32_at(blob, 4)?).ok()?;
        let store_at = 8 + 16 * count;
        Some(Self { index: blob.get(8..store_at)?, store: blob.get(store_at..store_at.checked_add(length)?)? })
    }

    /// Type, count and the store from the value on.
    fn find(&self, tag: u32) -> Option<(u32, usize, &'a [u8])> {
        let entry = self.index.chunks_exact(16).find(|entry| u32_at(entry, 0) == Some(tag))?;
        let offset = usize::try_from(u32_at(entry, 8)?).ok()?;
        let count = usize::try_from(u32_at(entry, 12)?).ok()?.min(VALUES);
        Some((u32_at(entry, 4)?, count, self.store.get(offset..)?))
    }

    /// The first string of a tag.
    pub(super) fn text(&self, tag: u32) -> Option<String> {
        self.texts_of(tag, 1).into_iter().next()
    }

    pub(super) fn texts(&self, tag: u32) -> Vec<String> {
        self.texts_of(tag, VALUES)
    }

    fn texts_of(&self, tag: u32, most: usize) -> Vec<String> {
        let Some((kind, count, values)) = self.find(tag) else { return Vec::new() };
        if !matches!(kind, STRING | STRING_ARRAY | I18N_STRING) {
            return Vec::new();
        }
        let count = if kind == STRING { 1 } else { count };
        values
            .split(|&byte| byte == 0)
            .take(count.min(most))
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect()
    }

    pub(super) fn number(&self, tag: u32) -> Option<u32> {
        self.numbers(tag).next()
    }

    fn numbers(&self, tag: u32) -> impl Iterator<Item = u32> + use<'a> {
        let found = self.find(tag).filter(|(kind, ..)| *kind == INT32);
        let (count, values) = found.map_or((0, &[][..]), |(_, count, values)| (count, values));
        values.chunks_exact(4).take(count).filter_map(|raw| u32_at(raw, 0))
    }

    /// The package's files: base names, each with the index of its directory.
    pub(super) fn files(&self) -> impl Iterator<Item = String> + use<'a> {
        let directories = self.texts(DIRECTORY_NAMES);
        let names = self.texts(BASE_NAMES);
        let indexes: Vec<u32> = self.numbers(DIRECTORY_INDEXES).collect();
        names.into_iter().zip(indexes).filter_map(move |(name, index)| {
            let directory = directories.get(usize::try_from(index).ok()?)?;
            Some(format!("{directory}{name}"))
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..).and_then(|b| b.first_chunk()).map(|raw| u32::from_be_bytes(*raw))
}
