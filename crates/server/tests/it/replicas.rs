//! Two servers on one PostgreSQL, and what happens while it is away.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assay_store::{Store, StoreLocation};

use crate::fixture::{PINNED, Temper, pod, policy, review, start_on};
use crate::postgresql::Server;

/// A network that can be cut.
#[derive(Clone)]
struct Network {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Network {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let network = Self { address: listener.local_addr().unwrap(), cut: Arc::default() };
        let cut = Arc::clone(&network.cut);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if cut.load(Ordering::SeqCst) {
                    continue;
                }
                let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
                for (from, to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    let cut = Arc::clone(&cut);
                    std::thread::spawn(move || carry(from, to, &cut));
                }
            }
        });
        network
    }

    fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }
}

/// What comes after the cut goes nowhere, and ends the connection.
fn carry(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut buffer = [0; 1 << 14];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if cut.load(Ordering::SeqCst) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn store(url: &str, folder: &std::path::Path) -> Arc<Store> {
    let StoreLocation::Postgres(location) = url.parse().unwrap() else { panic!("{url}") };
    Arc::new(Store::postgres(&location, &folder.join("store.key")).unwrap())
}

#[tokio::test]
async fn two_replicas_share_a_store_and_go_on_while_it_is_away() {
    let Some(server) = Server::get() else { return };
    let network = Network::to(server.port);
    let url =
        server.url(&server.database()).replace(&format!(":{}/", server.port), &format!(":{}/", network.address.port()));
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut replicas = Vec::new();
    for folder in folders {
        let store = store(&url, folder.path());
        replicas.push(start_on(store, folder, Temper::Warm, |options| options.policy = Some(policy())).await);
    }
    let mut given = Vec::new();
    let mut decide = async |number: usize| {
        let mut asked = review("payments-prod", "", "Pod", pod(PINNED));
        asked["request"]["uid"] = format!("705ab4f5-6393-11e8-b7cc-{number:012}").into();
        let response = replicas[number % 2].validate(&asked).await;
        assert_eq!(response["allowed"], true, "{response}");
        given.push(response["auditAnnotations"]["decision"].as_str().unwrap().to_owned());
    };
    decide(0).await;
    decide(1).await;
    for replica in &replicas {
        assert!(replica.running.flush_decisions().await);
    }
    assert_eq!(replicas[0].store.decisions(10).unwrap().len(), 2, "each sees what the other decided");

    network.cut(true);
    for number in 2..8 {
        decide(number).await;
    }
    for replica in &replicas {
        assert!(!replica.running.flush_decisions().await, "the store is away");
        replica.running.refresh_world();
    }
    decide(8).await;
    network.cut(false);
    // An unreachable server is left alone for a moment; asking again ends it.
    for replica in &replicas {
        while !replica.running.flush_decisions().await {}
    }
    let stored: Vec<String> = replicas[1].store.decisions(20).unwrap().into_iter().map(|record| record.id).collect();
    assert_eq!(stored.len(), given.len());
    assert!(given.iter().all(|id| stored.contains(id)), "nothing is lost");
}

#[tokio::test]
async fn a_server_starts_while_the_store_is_away() {
    let Some(server) = Server::get() else { return };
    let network = Network::to(server.port);
    network.cut(true);
    let url =
        server.url(&server.database()).replace(&format!(":{}/", server.port), &format!(":{}/", network.address.port()));
    let folder = tempfile::tempdir().unwrap();
    let store = store(&url, folder.path());
    let replica = start_on(store, folder, Temper::Warm, |options| options.policy = Some(policy())).await;
    let response = replica.validate(&review("payments-prod", "", "Pod", pod(PINNED))).await;
    assert_eq!(response["allowed"], true, "{response}");
    network.cut(false);
    while !replica.running.flush_decisions().await {}
    assert_eq!(replica.store.decisions(10).unwrap().len(), 1);
}
