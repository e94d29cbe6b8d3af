//! A real PostgreSQL beside the tests, of this crate and of others.
#![allow(clippy::print_stdout, dead_code, reason = "says when it is not there; not everybody needs all of it")]

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

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

    /// A new database.
    pub(crate) fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("assay_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
        name
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
