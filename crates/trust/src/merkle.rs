//! Merkle trees of logs (RFC 6962, sections 2.1.1 and 2.1.2; algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2).
//!
//! Two questions: whether a leaf is in a tree, and whether a tree grew out of an earlier one. Hashes are SHA-256, 32 bytes;
//! a proof has at most 64 of them. Anything else is answered with no.
//!
//! ```
//! use assay_trust::merkle::{is_included, leaf_hash};
//!
//! // A tree of one leaf is that leaf.
//! let leaf = leaf_hash(b"entry");
//! assert!(is_included(&leaf, 0, 1, &[], &leaf));
//! assert!(!is_included(&leaf, 1, 1, &[], &leaf));
//! ```

use aws_lc_rs::digest::{Context, SHA256};

/// A hash of a leaf or of a tree.
pub type Hash = [u8; 32];

/// Levels of a tree of 2^64 leaves.
const PROOF_MAX: usize = 64;

/// Hash of a leaf.
pub fn leaf_hash(content: &[u8]) -> Hash {
    hash(&[&[0], content])
}

fn node(left: &[u8], right: &[u8]) -> Hash {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Whether `proof` leads from the leaf at `index` to `root` in a tree of `size` leaves.
pub fn is_included(leaf: &[u8], index: u64, size: u64, proof: &[Vec<u8>], root: &[u8]) -> bool {
    if index >= size || !are_hashes(proof) || leaf.len() != 32 {
        return false;
    }
    let (mut first, mut last) = (index, size - 1);
    let mut current = leaf.to_vec();
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if first & 1 == 1 || first == last {
            current = node(sibling, &current).to_vec();
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            current = node(&current, sibling).to_vec();
        }
        first >>= 1;
        last >>= 1;
    }
    last == 0 && current == root
}

/// Whether `proof` shows that the tree of `size` leaves with `root` grew out of that of `earlier_size` with
/// `earlier_root`.
pub fn is_consistent(earlier_size: u64, earlier_root: &[u8], size: u64, root: &[u8], proof: &[Vec<u8>]) -> bool {
    if earlier_size > size || !are_hashes(proof) {
        return false;
    }
    if earlier_size == size {
        return proof.is_empty() && earlier_root == root;
    }
    // Every tree grows out of the empty one: nothing can be proven about that, and nothing is.
    if earlier_size == 0 {
        return false;
    }
    let mut hashes = proof.iter().map(Vec::as_slice);
    let start = if earlier_size.is_power_of_two() { Some(earlier_root) } else { hashes.next() };
    let Some(start) = start else { return false };
    let (mut first, mut last) = (earlier_size - 1, size - 1);
    while first & 1 == 1 {
        first >>= 1;
        last >>= 1;
    }
    let (mut before, mut after) = (start.to_vec(), start.to_vec());
    let mut any = false;
    for sibling in hashes {
        any = true;
        if last == 0 {
            return false;
        }
        if first & 1 == 1 || first == last {
            before = node(sibling, &before).to_vec();
            after = node(sibling, &after).to_vec();
            while first & 1 == 0 && first != 0 {
                first >>= 1;
                last >>= 1;
            }
        } else {
            after = node(&after, sibling).to_vec();
        }
        first >>= 1;
        last >>= 1;
    }
    any && last == 0 && before == earlier_root && after == root
}

fn are_hashes(proof: &[Vec<u8>]) -> bool {
    proof.len() <= PROOF_MAX && proof.iter().all(|hash| hash.len() == 32)
}
