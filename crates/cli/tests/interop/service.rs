//! Programs that run beside a test.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A machine that compiles beside us takes its time.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Starts, when another program was quicker to take a port.
const TRIES: usize = 3;
/// Bytes of a log that are shown.
const TAIL: usize = 3_000;

/// What a service writes.
#[derive(Clone)]
pub(crate) struct Log(PathBuf);

impl Log {
    fn text(&self) -> String {
        std::fs::read(&self.0).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let start = (text.len().saturating_sub(TAIL)..text.len()).find(|at| text.is_char_boundary(*at));
        writeln!(f, "{}\n{}", self.0.display(), &text[start.unwrap_or_default()..])
    }
}

/// A running program; it ends when this is dropped.
pub(crate) struct Service {
    child: Child,
    pub log: Log,
}

impl Service {
    /// Starts a program that listens on `N` free ports of 127.0.0.1, and waits until it answers a GET of `path` on the
    /// first. `command` is handed the ports.
    pub(crate) fn start<const N: usize>(
        folder: &Path,
        name: &str,
        path: &str,
        command: impl Fn([u16; N]) -> Command,
    ) -> (Self, SocketAddr) {
        let log = Log(folder.join(format!("{name}.log")));
        for _ in 0..TRIES {
            let ports = free_ports::<N>();
            let file = std::fs::File::create(&log.0).unwrap();
            let mut command = command(ports);
            command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
            let mut service = Self { child: command.spawn().unwrap(), log: log.clone() };
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[0]));
            if service.answers(address, path) {
                return (service, address);
            }
            assert!(log.text().contains("address already in use"), "{name} does not start: {log}");
        }
        panic!("{name} finds no free port: {log}");
    }

    /// Whether it answers before it ends.
    fn answers(&mut self, address: SocketAddr, path: &str) -> bool {
        let until = Instant::now() + READY_WITHIN;
        loop {
            if get(address, path).is_some() {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < until, "it does not get ready: {}", self.log);
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already where either fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// The body of a successful answer. HTTP/1.0: the answer ends with the connection and comes in one piece.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let status = String::from_utf8_lossy(answer.get(..12)?).into_owned();
    status.ends_with(" 200").then(|| answer[end + 4..].to_vec())
}
