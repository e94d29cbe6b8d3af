//! Identifiers, sorted and front-coded: `CVE-2024-3094` after `CVE-2024-3086` takes four bytes.
//!
//! They come in buckets. The first of a bucket is whole; each that follows says how many bytes it shares with the one before:
//!
//! ```text
//! first:  length, bytes
//! others: shared length, length of the rest, the rest
//! ```
//! Lengths are single bytes, since no identifier has more than 128 ([`assay_model::VulnerabilityId`]). The order is that of the
//! lower case, then of the bytes: names are looked up without regard to case.

use std::cmp::Ordering;

/// Identifiers of a bucket: more take less room, fewer are found sooner.
pub(crate) const BUCKET: u32 = 16;

/// Longest identifier.
const MAX: usize = 255;

/// Walks over the identifiers of a bucket.
pub(crate) struct Bucket<'a> {
    bytes: &'a [u8],
    text: Vec<u8>,
    first: bool,
}

impl<'a> Bucket<'a> {
    /// At its first byte; the bytes may go on beyond the bucket.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, text: Vec::with_capacity(32), first: true }
    }

    /// The next one; `None` where the bytes end or are damaged.
    pub(crate) fn advance(&mut self) -> Option<&[u8]> {
        if std::mem::take(&mut self.first) {
            self.text.clear();
        } else {
            let (shared, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            if usize::from(*shared) > self.text.len() {
                return None;
            }
            self.text.truncate(usize::from(*shared));
        }
        let (length, rest) = self.bytes.split_first()?;
        let (own, rest) = rest.split_at_checked(usize::from(*length))?;
        self.bytes = rest;
        self.text.extend_from_slice(own);
        if self.text.len() > MAX { None } else { Some(&self.text) }
    }
}

/// The order in which they are looked up: that of their lower case.
pub(crate) fn compare(left: &[u8], right: &[u8]) -> Ordering {
    left.iter().map(u8::to_ascii_lowercase).cmp(right.iter().map(u8::to_ascii_lowercase))
}

/// Sorts identifiers and drops doubles.
pub(crate) fn sort(identifiers: &mut Vec<&str>) {
    identifiers.sort_unstable_by(|left, right| {
        compare(left.as_bytes(), right.as_bytes()).then_with(|| left.as_bytes().cmp(right.as_bytes()))
    });
    identifiers.dedup();
}

/// The bytes of sorted identifiers, and where each bucket begins. What is longer than an identifier can be is cut.
pub(crate) fn pack(identifiers: &[&str]) -> (Vec<u8>, Vec<u32>) {
    let (mut bytes, mut buckets) = (Vec::new(), Vec::new());
    for bucket in identifiers.chunks(BUCKET as usize) {
        buckets.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let mut before: Option<&[u8]> = None;
        for text in bucket {
            let text = text.as_bytes().get(..MAX).unwrap_or(text.as_bytes());
            let shared = before.map_or(0, |before| before.iter().zip(text).take_while(|(a, b)| a == b).count());
            if before.is_some() {
                bytes.push(shared as u8);
            }
            bytes.push((text.len() - shared) as u8);
            bytes.extend(text.iter().skip(shared));
            before = Some(text);
        }
    }
    (bytes, buckets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8], buckets: &[u32], count: usize) -> Vec<String> {
        let mut found = Vec::new();
        for start in buckets {
            let mut bucket = Bucket::new(&bytes[*start as usize..]);
            for _ in 0..BUCKET.min((count - found.len()) as u32) {
                found.push(String::from_utf8(bucket.advance().unwrap().to_vec()).unwrap());
            }
        }
        found
    }

    #[test]
    fn neighbours_share_their_beginnings() {
        let names: Vec<String> = (0..1000).map(|at| format!("CVE-2024-{at:04}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (bytes, buckets) = pack(&names);
        assert!(bytes.len() < 4_500, "{}", bytes.len());
        assert_eq!(all(&bytes, &buckets, names.len()), names);
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_again(mut names in proptest::collection::vec("[A-Ca-c0-1-]{1,12}", 0..60)) {
            names.push("Z".repeat(128));
            let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
            sort(&mut sorted);
            prop_assert!(sorted.windows(2).all(|pair| compare(pair[0].as_bytes(), pair[1].as_bytes()).is_le()));
            let (bytes, buckets) = pack(&sorted);
            prop_assert_eq!(all(&bytes, &buckets, sorted.len()), sorted);
        }

        #[test]
        fn damaged_bytes_end_and_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bucket = Bucket::new(&bytes);
            while bucket.advance().is_some() {}
        }
    }
}
