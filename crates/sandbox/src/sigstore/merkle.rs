//! The Merkle tree of a log (RFC 6962, section 2.1).

use assay_model::{Algorithm, Digest, Hasher};

/// One node's hash.
pub(super) type Hash = Digest;

/// The hash of a leaf.
pub(super) fn leaf(bytes: &[u8]) -> Hash {
    hash(&[&[0], bytes])
}

/// The root of a tree of these leaf hashes.
pub(super) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Digest::of(b""),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(root(left), root(right))
        }
    }
}

/// The hashes that lead from the leaf at `index` to the root, lowest first.
pub(super) fn inclusion(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, sibling) =
        if index < at { (inclusion(left, index), root(right)) } else { (inclusion(right, index - at), root(left)) };
    path.push(sibling);
    path
}

/// The largest power of two below `length`.
fn split(length: usize) -> usize {
    length.next_power_of_two() / 2
}

fn node(left: Hash, right: Hash) -> Hash {
    hash(&[&[1], left.as_bytes(), right.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for part in parts {
        hasher.update(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows a path as a verifier does (RFC 9162, section 2.1.3.2).
    fn climb(leaf: Hash, mut index: usize, size: usize, path: &[Hash]) -> Option<Hash> {
        let (mut last, mut current) = (size - 1, leaf);
        for sibling in path {
            if last == 0 {
                return None;
            }
            if index % 2 == 1 || index == last {
                current = node(*sibling, current);
                while index.is_multiple_of(2) && index != 0 {
                    index /= 2;
                    last /= 2;
                }
            } else {
                current = node(current, *sibling);
            }
            index /= 2;
            last /= 2;
        }
        (last == 0).then_some(current)
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proven() {
        let leaves: Vec<Hash> = (0..20u8).map(|n| leaf(&[n])).collect();
        for size in 1..=leaves.len() {
            let tree = &leaves[..size];
            for index in 0..size {
                let path = inclusion(tree, index);
                assert_eq!(climb(tree[index], index, size, &path), Some(root(tree)), "{index} of {size}");
            }
        }
    }
}
