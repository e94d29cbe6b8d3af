//! A log as static files (C2SP `tlog-tiles`): hash tiles and entry bundles of 256 each.

use super::Refusal;
use super::merkle::{self, Hash};

/// Hashes of a full tile, entries of a full bundle.
const WIDTH: usize = 256;
/// Levels of tiles that a tree of 2^64 leaves has.
const LEVELS: u32 = 8;

/// The bytes at `path` below the log's prefix: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`; none if the log has
/// no such tile (yet).
pub(super) fn read(path: &str, leaves: &[Hash], entries: &[Vec<u8>]) -> Result<Option<Vec<u8>>, Refusal> {
    let rest = path.strip_prefix("tile/").ok_or_else(|| Refusal::request("no tile"))?;
    let (level, rest) = rest.split_once('/').ok_or_else(|| Refusal::request("no tile index"))?;
    let (index, width) = index(rest).ok_or_else(|| Refusal::request("no tile index"))?;
    let range = index.checked_mul(WIDTH).and_then(|from| Some(from..from.checked_add(width)?));
    let Some(range) = range else { return Ok(None) };
    if level == "entries" {
        return entries.get(range).map(bundle).transpose();
    }
    let level: u32 = level.parse().ok().filter(|level| *level < LEVELS).ok_or_else(|| Refusal::request("no level"))?;
    let hashes = at_level(leaves, level);
    Ok(hashes.get(range).map(|tile| tile.iter().flat_map(|hash| hash.as_bytes().to_vec()).collect()))
}

/// The roots of all complete subtrees of 256^level leaves.
fn at_level(leaves: &[Hash], level: u32) -> Vec<Hash> {
    let Some(width) = WIDTH.checked_pow(level) else { return Vec::new() };
    leaves.chunks_exact(width).map(merkle::root).collect()
}

/// Entries with their lengths before them, 16 bits big-endian.
fn bundle(entries: &[Vec<u8>]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| Refusal::internal("an entry of more than 64 KiB"))?;
        out.extend(length.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Ok(out)
}

/// Index and width: groups of three digits, all but the last with an `x` before them, and for partial tiles `.p/W`.
fn index(path: &str) -> Option<(usize, usize)> {
    let (path, width) = match path.split_once(".p/") {
        Some((path, width)) => (path, width.parse().ok().filter(|width| (1..WIDTH).contains(width))?),
        None => (path, WIDTH),
    };
    let mut groups = path.split('/').peekable();
    let mut index: usize = 0;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some((index, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(size: u32) -> (Vec<Hash>, Vec<Vec<u8>>) {
        let entries: Vec<Vec<u8>> = (0..size).map(|n| n.to_be_bytes().to_vec()).collect();
        (entries.iter().map(|entry| merkle::leaf(entry)).collect(), entries)
    }

    #[test]
    fn indices_are_written_in_groups_of_three() {
        assert_eq!(index("000"), Some((0, 256)));
        assert_eq!(index("x001/x234/067"), Some((1_234_067, 256)));
        assert_eq!(index("x001/234.p/7"), Some((1_234, 7)));
        for wrong in ["", "0", "0000", "001/002", "x001", "000.p/0", "000.p/256", "000.p/", "../000", "x00a/000"] {
            assert_eq!(index(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn tiles_are_full_or_partial_and_lead_to_the_root() {
        let (leaves, entries) = log(600);
        let read = |path: &str| read(path, &leaves, &entries).unwrap();
        assert_eq!(read("tile/0/000").unwrap().len(), 256 * 32);
        assert_eq!(read("tile/0/001").unwrap().len(), 256 * 32);
        assert_eq!(read("tile/0/002.p/88").unwrap().len(), 88 * 32);
        assert_eq!(read("tile/0/002"), None, "it is not full yet");
        assert_eq!(read("tile/0/002.p/89"), None);
        // Level 1 holds the roots of the two full tiles.
        let roots = read("tile/1/000.p/2").unwrap();
        assert_eq!(roots[..32], *merkle::root(&leaves[..256]).as_bytes());
        assert_eq!(roots[32..], *merkle::root(&leaves[256..512]).as_bytes());
        assert_eq!(read("tile/1/000.p/3"), None);
        assert_eq!(read("tile/7/000.p/1"), None);
    }

    #[test]
    fn bundles_hold_the_entries() {
        let (leaves, entries) = log(258);
        let bundle = read("tile/entries/001.p/2", &leaves, &entries).unwrap().unwrap();
        assert_eq!(bundle, [0, 4, 0, 0, 1, 0, 0, 4, 0, 0, 1, 1]);
        for wrong in ["tile/8/000", "tile/-1/000", "tile/entries", "tile/entries/", "checkpoint"] {
            assert!(read(wrong, &leaves, &entries).is_err(), "{wrong}");
        }
    }
}
