//! One flight per key: whoever asks for what is already being fetched waits for that.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tracing::Instrument as _;

/// What is being fetched right now. Nothing stays here once it is there: keeping is the cache's business.
pub(crate) struct Flights<K, V> {
    running: Arc<Mutex<HashMap<K, watch::Receiver<Option<V>>>>>,
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self { running: Arc::default() }
    }
}

impl<K, V> Flights<K, V>
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The value of `key`: of the flight under way, else of `fetch`. A flight belongs to nobody: where the one who began it
    /// gives up (a deadline), it goes on, and its result is there for the next try. `None` where it came down in a panic.
    pub(crate) async fn join(&self, key: K, fetch: BoxFuture<'static, V>) -> Option<V> {
        self.begin(key, fetch).landed().await
    }

    /// Sees to it that a flight is under way, and gives a ticket for its value, which stays good when it has landed. Must
    /// be called within a tokio runtime.
    pub(crate) fn begin(&self, key: K, fetch: BoxFuture<'static, V>) -> Ticket<V> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(result) = running.get(&key) {
            return Ticket(result.clone());
        }
        let (sender, result) = watch::channel(None);
        running.insert(key.clone(), result.clone());
        let landing = Landing { running: Arc::clone(&self.running), key };
        // What is fetched belongs to the request that began it, as far as anybody traces it.
        let flight = async move {
            let value = fetch.await;
            // Whoever waits sees the value before the flight is off the map.
            sender.send_replace(Some(value));
            drop(landing);
        };
        tokio::spawn(flight.in_current_span());
        Ticket(result)
    }
}

/// The value of a flight, whenever it lands.
#[derive(Clone)]
pub(crate) struct Ticket<V>(watch::Receiver<Option<V>>);

impl<V: Clone> Ticket<V> {
    /// Waits for the value. `None` where the flight came down in a panic.
    pub(crate) async fn landed(mut self) -> Option<V> {
        self.0.wait_for(Option::is_some).await.ok().and_then(|value| value.clone())
    }
}

/// Takes a flight off the map when it has landed, however it ended.
struct Landing<K: Eq + Hash, V> {
    running: Arc<Mutex<HashMap<K, watch::Receiver<Option<V>>>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
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
                    let fetch = async move {
                        fetched.fetch_add(1, Ordering::SeqCst);
                        gate.acquire().await.unwrap().forget();
                        42
                    };
                    flights.join(7, Box::pin(fetch)).await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.add_permits(1);
        for task in tasks {
            assert_eq!(task.await.unwrap(), Some(42));
        }
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn one_who_gives_up_leaves_the_flight_to_the_others() {
        let flights = Arc::new(Flights::<u8, usize>::default());
        let gate = Arc::new(Semaphore::new(0));
        let first = {
            let (flights, gate) = (Arc::clone(&flights), Arc::clone(&gate));
            tokio::spawn(async move {
                let fetch = async move { gate.acquire().await.map(|_| 1).unwrap() };
                flights.join(1, Box::pin(fetch)).await
            })
        };
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.is_err());
        gate.add_permits(1);
        assert_eq!(flights.join(1, Box::pin(async { 2 })).await, Some(1), "the first flight went on");
        while flights.running.lock().unwrap().contains_key(&1) {
            tokio::task::yield_now().await;
        }
        assert_eq!(flights.join(1, Box::pin(async { 3 })).await, Some(3), "what has landed is fetched anew");
    }

    #[tokio::test]
    async fn a_ticket_is_good_after_the_landing() {
        let flights = Flights::<u8, usize>::default();
        let ticket = flights.begin(1, Box::pin(async { 7 }));
        while flights.running.lock().unwrap().contains_key(&1) {
            tokio::task::yield_now().await;
        }
        assert_eq!(ticket.clone().landed().await, Some(7));
        assert_eq!(flights.join(1, Box::pin(async { 8 })).await, Some(8), "another one flies anew");
    }

    #[tokio::test]
    async fn a_flight_that_comes_down_says_so_and_leaves_no_trace() {
        let flights = Flights::<u8, usize>::default();
        assert_eq!(flights.join(1, Box::pin(async { panic!("on purpose") })).await, None);
        assert_eq!(flights.join(1, Box::pin(async { 2 })).await, Some(2));
    }
}
