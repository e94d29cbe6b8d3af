//! A bounded map that forgets what was used longest ago.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Values by key, at most `capacity` of them.
pub(crate) struct Memory<K, V> {
    capacity: usize,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    clock: u64,
    entries: HashMap<K, (V, u64)>,
}

impl<K: Eq + Hash + Clone, V: Clone> Memory<K, V> {
    /// An empty one. A capacity of 0 remembers nothing.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, inner: Mutex::new(Inner { clock: 0, entries: HashMap::new() }) }
    }

    /// The value of `key`, which counts as used now.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let clock = inner.clock;
        let (value, used) = inner.entries.get_mut(key)?;
        *used = clock;
        Some(value.clone())
    }

    /// Remembers a value. Where there is no room, the eighth that was used longest ago goes: one pass now and then is
    /// cheaper than a list kept in order on every read.
    pub(crate) fn put(&self, key: K, value: V) {
        if self.capacity == 0 {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.clock += 1;
        let clock = inner.clock;
        if inner.entries.len() >= self.capacity && !inner.entries.contains_key(&key) {
            let mut times: Vec<u64> = inner.entries.values().map(|(_, used)| *used).collect();
            times.sort_unstable();
            let limit = times.get(self.capacity / 8).copied().unwrap_or(u64::MAX);
            inner.entries.retain(|_, (_, used)| *used > limit);
        }
        inner.entries.insert(key, (value, clock));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let memory = Memory::new(8);
        for key in 0..8 {
            memory.put(key, key);
        }
        assert_eq!(memory.get(&0), Some(0));
        memory.put(8, 8);
        assert_eq!(memory.get(&0), Some(0), "used a moment ago");
        assert_eq!(memory.get(&1), None, "used longest ago");
        assert_eq!(memory.get(&8), Some(8));
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        for capacity in [0, 1, 3, 100] {
            let memory = Memory::new(capacity);
            for key in 0..1000 {
                memory.put(key, ());
                assert!(memory.inner.lock().unwrap().entries.len() <= capacity);
            }
        }
    }
}
