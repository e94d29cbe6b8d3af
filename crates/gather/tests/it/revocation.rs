//! Fetching what authorities say about revocation, from a server on loopback.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use assay_gather::{RevocationFetcher, RevocationOptions};
use assay_model::Timestamp;
use assay_trust::notation::{Level, NotationOutcome};
use assay_trust::{RevocationData, RevocationRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A list that holds until 2124 (notation's end-to-end suite, see the sample's SOURCE).
const LIST: &[u8] = include_bytes!("../data/leaf.crl");

/// Answers every request alike, and counts them.
struct Server {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// `None` answers nothing at all.
    async fn start(answer: Option<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/leaf.crl", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let Some(answer) = answer.clone() else {
                    held.push(stream);
                    continue;
                };
                tokio::spawn(async move {
                    let mut request = vec![0; 4096];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(&answer).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { address, requests }
    }

    async fn of(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        Self::start(Some([head.into_bytes(), body.to_vec()].concat())).await
    }

    fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn list(&self) -> RevocationRequest {
        RevocationRequest::Crl { url: self.address.clone() }
    }
}

fn local(cache: Option<PathBuf>) -> RevocationFetcher {
    let options = RevocationOptions {
        cache,
        local: true,
        ocsp_timeout: Duration::from_millis(200),
        list_timeout: Duration::from_millis(200),
        total: Duration::from_secs(5),
    };
    RevocationFetcher::new(options).unwrap()
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn outcome(wanted: Vec<RevocationRequest>) -> NotationOutcome {
    NotationOutcome {
        statement: "test".to_owned(),
        level: Level::Strict,
        results: Vec::new(),
        details: None,
        evidence: None,
        wanted,
    }
}

/// Asks for one thing and gives how often the judge was asked.
async fn settle(fetcher: &RevocationFetcher, request: &RevocationRequest) -> (usize, RevocationData) {
    let (mut judged, mut last) = (0, RevocationData::new());
    fetcher
        .settle(now(), |data| {
            judged += 1;
            last = data.clone();
            outcome(if data.contains(request) { Vec::new() } else { vec![request.clone()] })
        })
        .await;
    (judged, last)
}

#[tokio::test]
async fn what_is_asked_for_is_fetched_once_and_judged_again() {
    let server = Server::of("200 OK", "", LIST).await;
    let (judged, data) = settle(&local(None), &server.list()).await;
    assert_eq!((judged, server.count()), (2, 1));
    assert_eq!(data.answer(&server.list()).unwrap().unwrap(), LIST);
}

#[tokio::test]
async fn answers_that_are_none_are_reasons() {
    let large = vec![0; 70_000];
    for (server, words) in [
        (Server::of("404 Not Found", "", b"").await, "404"),
        (Server::of("302 Found", "location: http://127.0.0.1:9/\r\n", b"").await, "302"),
        (Server::start(None).await, "in time"),
        (Server::start(Some(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort".to_vec())).await, ""),
    ] {
        let (_, data) = settle(&local(None), &server.list()).await;
        let reason = data.answer(&server.list()).unwrap().unwrap_err();
        assert!(reason.contains(words), "{words}: {reason}");
    }
    let server = Server::of("200 OK", "", &large).await;
    let request = RevocationRequest::Ocsp { url: server.address.clone(), request: vec![0x30, 0] };
    let (_, data) = settle(&local(None), &request).await;
    assert!(data.answer(&request).unwrap().unwrap_err().contains("more than 65536 bytes"));
}

#[tokio::test]
async fn lists_are_kept_until_they_expire() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::of("200 OK", "", LIST).await;
    let fetcher = local(Some(folder.path().join("revocation")));
    settle(&fetcher, &server.list()).await;
    let (_, data) = settle(&fetcher, &server.list()).await;
    assert_eq!(server.count(), 1);
    assert_eq!(data.answer(&server.list()).unwrap().unwrap(), LIST);
    // What was kept and is no list any more is fetched again.
    for entry in std::fs::read_dir(folder.path().join("revocation")).unwrap() {
        std::fs::write(entry.unwrap().path(), b"broken").unwrap();
    }
    settle(&fetcher, &server.list()).await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn cve_2024_51491_a_cache_that_cannot_be_written_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"a file where a folder is wanted").unwrap();
    let server = Server::of("200 OK", "", LIST).await;
    let (_, data) = settle(&local(Some(file)), &server.list()).await;
    assert_eq!(data.answer(&server.list()).unwrap().unwrap(), LIST);
}

#[tokio::test]
async fn questions_without_end_are_bounded() {
    let server = Server::of("200 OK", "", LIST).await;
    let mut asked = 0;
    local(None)
        .settle(now(), |_| {
            asked += 1;
            let wanted =
                (0..8).map(|part| RevocationRequest::Crl { url: format!("{}?{asked}-{part}", server.address) });
            outcome(wanted.collect())
        })
        .await;
    assert!(server.count() <= 64, "{}", server.count());
}

#[tokio::test]
async fn by_default_this_machine_is_not_asked() {
    let server = Server::of("200 OK", "", LIST).await;
    let fetcher = RevocationFetcher::new(RevocationOptions::default()).unwrap();
    let (_, data) = settle(&fetcher, &server.list()).await;
    assert!(data.answer(&server.list()).unwrap().unwrap_err().contains("is not asked"));
    assert_eq!(server.count(), 0);
}
