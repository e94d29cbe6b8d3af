//! The TUF client against repositories that are honest, broken or hostile.
//!
//! The scenarios are those of the tuf-conformance suite (github.com/theupdateframework/tuf-conformance): the same
//! situations, built with the sandbox's repository. `docs/conformance.md` says how the suite itself ran.

mod advisories;
mod basic;
mod delegations;
mod downloads;
mod expiration;
mod instance;
mod keys;
mod refresher;
mod rollback;
mod rotations;

use std::future::Future;
use std::pin::Pin;

use assay_model::Timestamp;
use assay_sandbox::tuf::{Repository, Server};
use assay_sign::{TufClient, TufError, TufInstance, TufOptions, TufSession};

/// A day in seconds.
const DAY: i64 = 86_400;

/// A named situation that asserts what a client must do in it.
type Scenario = (String, Pin<Box<dyn Future<Output = ()> + Send>>);

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}
use said;

/// Makes scenarios of functions, under the functions' names.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        vec![$((stringify!($name).to_owned(), Box::pin($name()) as _)),*]
    };
}
use scenarios;

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn repository() -> Repository {
    Repository::new(now())
}

/// A client with an empty folder, and the mirror that it asks.
struct Client {
    server: Server,
    folder: tempfile::TempDir,
    tuf: TufClient,
}

impl Client {
    /// Begins with the repository's first root.
    async fn new(repository: Repository) -> Self {
        let root = repository.first_root();
        Self::with_root(repository, root).await
    }

    async fn with_root(repository: Repository, root: Vec<u8>) -> Self {
        let server = Server::start(repository).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let instance = TufInstance::custom("sandbox", &server.url(), root);
        let tuf = TufClient::new(instance, folder.path().to_owned(), &TufOptions::default()).unwrap();
        Self { server, folder, tuf }
    }

    fn with<T>(&self, use_it: impl FnOnce(&mut Repository) -> T) -> T {
        self.server.with(use_it)
    }

    /// Changes the repository and publishes roles.
    fn publish(&self, roles: &[&str]) {
        self.with(|repository| repository.publish(roles));
    }

    async fn session(&self) -> Result<TufSession, TufError> {
        self.tuf.session(now()).await
    }

    /// Refreshes metadata.
    async fn refresh(&self) -> Result<(), TufError> {
        self.session().await.map(drop)
    }

    async fn refresh_after(&self, days: i64) -> Result<(), TufError> {
        let later = Timestamp::from_second(now().as_second() + days * DAY).unwrap();
        self.tuf.session(later).await.map(drop)
    }

    /// Refreshes and fetches a target.
    async fn target(&self, name: &str) -> Result<Vec<u8>, TufError> {
        self.session().await?.target(name).await
    }

    /// The bytes that the client trusts for a role.
    fn trusted(&self, role: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.path().join(format!("metadata/{role}.json"))).ok()
    }

    /// Their version.
    fn version(&self, role: &str) -> Option<u64> {
        let document: serde_json::Value = serde_json::from_slice(&self.trusted(role)?).unwrap();
        document["signed"]["version"].as_u64()
    }

    /// Versions of root, timestamp, snapshot and targets.
    fn versions(&self) -> [Option<u64>; 4] {
        ["root", "timestamp", "snapshot", "targets"].map(|role| self.version(role))
    }

    /// What the client trusts is byte for byte what the repository published last.
    fn assert_newest(&self, role: &str) {
        let newest = self.with(|repository| repository.latest(role).map(<[u8]>::to_vec));
        assert_eq!(self.trusted(role), newest, "{role}");
    }
}

/// Matches a refusal by its cause.
macro_rules! refused {
    ($result:expr, $cause:pat $(if $guard:expr)?) => {
        match $result {
            Err($cause) $(if $guard)? => {}
            Err(other) => panic!("another cause: {other:?}"),
            Ok(_) => panic!("accepted"),
        }
    };
}
use refused;

/// Runs all scenarios of the suite and says how many hold.
#[tokio::test]
async fn every_scenario_of_the_conformance_suite_holds() {
    let scenarios: Vec<Scenario> = [
        basic::scenarios(),
        expiration::scenarios(),
        downloads::scenarios(),
        keys::scenarios(),
        rollback::scenarios(),
        delegations::scenarios(),
        rotations::scenarios(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let (all, mut failed) = (scenarios.len(), Vec::new());
    for (name, scenario) in scenarios {
        // A panic within a task is an error of the task.
        if tokio::spawn(scenario).await.is_err() {
            failed.push(name);
        }
    }
    said!("tuf-conformance scenarios: {} of {all} passed", all - failed.len());
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(all, 108);
}
