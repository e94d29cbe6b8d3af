//! One flight per key: whoever asks for what is already being fetched waits for that.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// What is being fetched right now. Nothing stays here once it is there: keeping is the cache's business.
pub(crate) struct Flights<K, V> {
    running: Mutex<HashMap<K, Arc<OnceCell<V>>>>,
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self { running: Mutex::new(HashMap::new()) }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Flights<K, V> {
    /// The value of `key`: of the flight under way, else of `fetch`. Where the one who fetches gives up (a deadline), the
    /// next one waiting takes over, so that one impatient caller costs the others nothing but time.
    pub(crate) async fn join<F: Future<Output = V>>(&self, key: K, fetch: impl FnOnce() -> F) -> V {
        let cell = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(running.entry(key.clone()).or_default())
        };
        let landing = Landing { flights: self, key, cell: Arc::clone(&cell) };
        let value = cell.get_or_init(fetch).await.clone();
        drop(landing);
        value
    }

    #[cfg(test)]
    fn under_way(&self) -> usize {
        self.running.lock().unwrap().len()
    }
}

/// Takes a flight off the map when it has landed, or when the last one waiting has gone.
struct Landing<'a, K: Eq + Hash, V> {
    flights: &'a Flights<K, V>,
    key: K,
    cell: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V> Drop for Landing<'_, K, V> {
    fn drop(&mut self) {
        let mut running = self.flights.running.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = running.get(&self.key).is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        // Held by the map, by this landing and by the caller's own handle: nobody else waits.
        let last = Arc::strong_count(&self.cell) <= 3;
        if ours && (self.cell.initialized() || last) {
            running.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_fetch_once() {
        let flights = Arc::new(Flights::<u8, usize>::default());
        let (fetched, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let (flights, fetched, gate) = (Arc::clone(&flights), Arc::clone(&fetched), Arc::clone(&gate));
                tokio::spawn(async move {
                    flights
                        .join(7, || async move {
                            fetched.fetch_add(1, Ordering::SeqCst);
                            gate.acquire().await.unwrap().forget();
                            42
                        })
                        .await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.add_permits(1);
        for task in tasks {
            assert_eq!(task.await.unwrap(), 42);
        }
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
        assert_eq!(flights.under_way(), 0);
    }

    #[tokio::test]
    async fn one_who_gives_up_does_not_take_the_others_along() {
        let flights = Arc::new(Flights::<u8, usize>::default());
        let first = {
            let flights = Arc::clone(&flights);
            tokio::spawn(async move { flights.join(1, std::future::pending).await })
        };
        tokio::task::yield_now().await;
        let second = {
            let flights = Arc::clone(&flights);
            tokio::spawn(async move { flights.join(1, || async { 2 }).await })
        };
        tokio::task::yield_now().await;
        first.abort();
        assert_eq!(second.await.unwrap(), 2);
        assert_eq!(flights.under_way(), 0);
    }

    #[tokio::test]
    async fn what_has_landed_is_fetched_anew() {
        let flights = Flights::<u8, usize>::default();
        assert_eq!(flights.join(1, || async { 1 }).await, 1);
        assert_eq!(flights.join(1, || async { 2 }).await, 2);
    }
}
