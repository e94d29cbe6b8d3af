//! Where a test's store is: SQLite or PostgreSQL. Each test is listed once and runs on both.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use assay_store::{Store, StoreLocation};
use tempfile::TempDir;

/// Runs tests, each a function of a [`Place`], on both databases.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $test() { super::$test(&crate::place::Place::sqlite()); })*
        }
        mod postgres {
            $(#[test] fn $test() { crate::place::Place::postgres().iter().for_each(super::$test); })*
        }
    };
}
pub(crate) use on_both;

/// A place for one store, empty at first. What a test needs beside it goes into its folder.
pub(crate) struct Place {
    folder: TempDir,
    server: Option<(&'static Server, String)>,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), server: None }
    }

    /// A database of its own in the one server; none where there is no PostgreSQL.
    pub(crate) fn postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = Server::get()?;
        let name = format!("assay_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        server.ask("postgres", &format!("CREATE DATABASE {name}"));
        Some(Self { folder: tempfile::tempdir().unwrap(), server: Some((server, name)) })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What `--store` says.
    pub(crate) fn url(&self) -> String {
        match &self.server {
            None => format!("sqlite:{}", self.path().join("store.db").display()),
            Some((server, name)) => server.url(name),
        }
    }

    /// The store, opened once more.
    pub(crate) fn open(&self) -> Store {
        open(&self.url(), self.path()).unwrap()
    }

    /// Says something to the database behind the store's back; returns the lines of the answer, columns with a bar between.
    pub(crate) fn ask(&self, sql: &str) -> Vec<String> {
        if let Some((server, name)) = &self.server {
            return server.ask(name, sql);
        }
        let connection = rusqlite::Connection::open(self.path().join("store.db")).unwrap();
        if !sql.starts_with("SELECT") {
            connection.execute_batch(sql).unwrap();
            return Vec::new();
        }
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let text = |row: &rusqlite::Row<'_>, column| match row.get_ref_unwrap(column) {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().unwrap().to_owned(),
        };
        let rows = statement
            .query_map([], |row| Ok((0..columns).map(|column| text(row, column)).collect::<Vec<_>>().join("|")));
        rows.unwrap().map(Result::unwrap).collect()
    }
}

/// Opens a store as `--store` names it; the key of a database lies in `folder`.
pub(crate) fn open(url: &str, folder: &Path) -> Result<Store, assay_store::StoreError> {
    match url.parse()? {
        StoreLocation::Sqlite(path) => Store::open(&path),
        StoreLocation::Postgres(location) => Store::postgres(&location, &folder.join("store.key")),
    }
}

/// A PostgreSQL that ends with this process, whichever way that ends.
pub(crate) struct Server {
    _child: Child,
    /// It stops when this is closed.
    _input: ChildStdin,
    pub(crate) port: u16,
    folder: PathBuf,
    programs: PathBuf,
    /// Who signed its certificate, PEM.
    pub(crate) authority: String,
}

impl Server {
    /// The one server of this process.
    pub(crate) fn get() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        SERVER.get_or_init(Self::start).as_ref()
    }

    fn start() -> Option<Self> {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers");
        let required = std::env::var_os("ASSAY_POSTGRES").is_some_and(|value| value == "required");
        let there = std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut versions| versions.next().is_some());
        if !there && !required {
            println!("skipped: no PostgreSQL is installed (tests/peers/install.sh postgresql)");
            return None;
        }
        let found = Command::new(peers.join("install.sh")).arg("postgresql").output().unwrap();
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        let program = PathBuf::from(String::from_utf8(found.stdout).unwrap().trim());
        let folder = tempfile::tempdir().unwrap().keep();
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("server.crt"), certificate.cert.pem()).unwrap();
        std::fs::write(folder.join("server.key"), certificate.signing_key.serialize_pem()).unwrap();
        let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        std::fs::set_permissions(folder.join("server.key"), mode).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut child = Command::new(peers.join("postgresql"))
            .arg(&folder)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "PostgreSQL did not start");
        let input = child.stdin.take().unwrap();
        let programs = program.parent().unwrap().to_owned();
        Some(Self { _child: child, _input: input, port, folder, programs, authority: certificate.cert.pem() })
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://assay:assay@127.0.0.1:{}/{database}", self.port)
    }

    /// The same over its Unix socket.
    pub(crate) fn socket_url(&self, database: &str) -> String {
        format!("postgres://assay:assay@:{}/{database}?host={}", self.port, self.folder.display())
    }

    pub(crate) fn ask(&self, database: &str, sql: &str) -> Vec<String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, &self.url(database)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}
