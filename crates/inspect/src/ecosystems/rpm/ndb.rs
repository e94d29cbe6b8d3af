//! SUSE's `Packages.db`: slot pages that point to header blobs (rpm, `lib/backend/ndb/rpmpkg.cc`, numbers little-endian).

const MAGIC: &[u8] = b"RpmP";
const SLOT: &[u8] = b"Slot";
const BLOB: &[u8] = b"BlbS";
const PAGE_BYTES: usize = 4096;
/// The file header takes the place of the first two slots.
const FIRST_SLOT: usize = 32;
const BLOCK_BYTES: usize = 16;

/// Calls `each` with every blob; whether all of them could be read.
pub(super) fn read(bytes: &[u8], each: &mut dyn FnMut(&[u8])) -> bool {
    if !bytes.starts_with(MAGIC) {
        return false;
    }
    let Some(end) = u32_at(bytes, 12).and_then(|pages| usize::try_from(pages).ok()?.checked_mul(PAGE_BYTES)) else {
        return false;
    };
    let Some(slots) = bytes.get(FIRST_SLOT..end) else { return false };
    let mut complete = true;
    // Every slot's blob lies in the file, and slots take 16 bytes of it each; overlapping blobs cannot multiply the work
    // beyond this sum.
    let mut budget = bytes.len().saturating_mul(2);
    for slot in slots.chunks_exact(BLOCK_BYTES) {
        let (Some(package), Some(block)) = (u32_at(slot, 4), u32_at(slot, 8)) else { continue };
        if !slot.starts_with(SLOT) || package == 0 {
            continue;
        }
        match blob(bytes, package, block).filter(|blob| blob.len() <= budget) {
            Some(blob) => {
                budget -= blob.len();
                each(blob);
            }
            None => complete = false,
        }
    }
    complete
}

fn blob(bytes: &[u8], package: u32, block: u32) -> Option<&[u8]> {
    let start = usize::try_from(block).ok()?.checked_mul(BLOCK_BYTES)?;
    let head = bytes.get(start..)?;
    if !head.starts_with(BLOB) || u32_at(head, 4)? != package {
        return None;
    }
    let length = usize::try_from(u32_at(head, 12)?).ok()?;
    head.get(BLOCK_BYTES..BLOCK_BYTES.checked_add(length)?)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..).and_then(|b| b.first_chunk()).map(|raw| u32::from_le_bytes(*raw))
}
