//! The bytes: a socket, with TLS where the location wants it.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConnection, StreamOwned};

use crate::location::{Host, PostgresLocation};

/// For the connection to be made, each address.
const CONNECT: Duration = Duration::from_secs(3);
/// For the next bytes of an answer. The server itself gives up earlier on a statement.
const READ: Duration = Duration::from_secs(15);
/// SSLRequest (PostgreSQL documentation, "Message Formats").
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

pub(super) enum Stream {
    Plain(TcpStream),
    Local(UnixStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    pub(super) fn open(location: &PostgresLocation) -> io::Result<Self> {
        let (name, port) = match &location.host {
            Host::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(READ))?;
                stream.set_write_timeout(Some(READ))?;
                return Ok(Self::Local(stream));
            }
            Host::Network(name, port) => (name, *port),
        };
        let mut stream = connect(name, port)?;
        stream.set_read_timeout(Some(READ))?;
        stream.set_write_timeout(Some(READ))?;
        stream.set_nodelay(true)?;
        if !location.encrypted {
            return Ok(Self::Plain(stream));
        }
        stream.write_all(&SSL_REQUEST)?;
        // One byte and no more: what a third party sent ahead of the handshake is not read as the server's.
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        if answer != *b"S" {
            return Err(io::Error::other("the server offers no TLS; `?sslmode=disable` goes without"));
        }
        let name = ServerName::try_from(name.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(tls(location)?, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self::Encrypted(Box::new(stream)))
    }
}

/// The first address that answers.
fn connect(name: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (name, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn tls(location: &PostgresLocation) -> io::Result<Arc<rustls::ClientConfig>> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = &location.authority {
        let told = |why: String| io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|error| told(error.to_string()))?;
        // Whoever names an authority trusts that one.
        roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| told(error.to_string()))?;
            roots.add(certificate).map_err(|error| told(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(told("has no PEM certificate".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(Arc::new(builder.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth()))
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Local(stream) => stream.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Local(stream) => stream.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Local(stream) => stream.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}
