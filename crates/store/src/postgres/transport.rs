//! The way to the server: a socket, TLS where the location wants it, and the guard over the plain bytes.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use assay_credentials::tls::{self, Authorities};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::either::Either;

use super::guard::{Guard, Rules};
use crate::location::{Host, PostgresLocation};

/// For the connection to be made, each address.
const CONNECT: Duration = Duration::from_secs(3);

type Plain = Guard<Either<TcpStream, UnixStream>>;
type Rustls = <MakeRustlsConnect as MakeTlsConnect<Plain>>::TlsConnect;
type Encrypted = Guard<<Rustls as TlsConnect<Plain>>::Stream>;

/// What reads and writes as long as the client is used.
pub(super) type Wire = tokio_postgres::Connection<Plain, Encrypted>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Transport(#[from] io::Error),
    #[error(transparent)]
    Server(#[from] tokio_postgres::Error),
}

/// Connects, encrypts and authenticates.
pub(super) async fn connect(location: PostgresLocation) -> Result<(Client, Wire), ConnectError> {
    let rules =
        Rules { clear_text: location.encrypted || location.host.is_local(), password: location.password.is_some() };
    let socket = match &location.host {
        Host::Socket(path) => Either::Right(UnixStream::connect(path).await?),
        Host::Network(name, port) => Either::Left(dial(name, *port).await?),
    };
    let mut config = Config::new();
    config.user(&location.user).dbname(&location.database).application_name("assay");
    if let Some(password) = &location.password {
        config.password(password.expose());
    }
    let encryption = match &location.host {
        Host::Network(name, _) if location.encrypted => {
            let mut rustls = MakeRustlsConnect::new(tls(location.authority.as_deref())?);
            let connect: Result<Rustls, _> = MakeTlsConnect::<Plain>::make_tls_connect(&mut rustls, name);
            Some(connect.map_err(io::Error::other)?)
        }
        _ => None,
    };
    config.ssl_mode(if encryption.is_some() { SslMode::Require } else { SslMode::Disable });
    // The guard stands where the messages are readable.
    let socket = Guard::new(socket, encryption.is_none().then_some(rules));
    Ok(config.connect_raw(socket, Encryption { rustls: encryption, rules }).await?)
}

/// The first address that answers.
async fn dial(name: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in tokio::net::lookup_host((name, port)).await? {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(late) => last = late.into(),
        }
    }
    Err(last)
}

/// Whoever names an authority trusts that one.
fn tls(authority: Option<&Path>) -> io::Result<rustls::ClientConfig> {
    let Some(path) = authority else {
        return Ok(tls::builder(Authorities::Public).map_err(io::Error::other)?.with_no_client_auth());
    };
    let told = |why: String| io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| told(error.to_string()))?;
    Ok(tls::builder(Authorities::Only(&pem)).map_err(|error| told(error.to_string()))?.with_no_client_auth())
}

/// rustls, and the guard over it.
struct Encryption {
    /// None where nothing is encrypted, and nobody asks.
    rustls: Option<Rustls>,
    rules: Rules,
}

impl TlsConnect<Plain> for Encryption {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted>> + Send>>;

    fn connect(self, stream: Plain) -> Self::Future {
        Box::pin(async move {
            let rustls = self.rustls.ok_or(io::ErrorKind::Unsupported)?;
            Ok(Guard::new(rustls.connect(stream).await?, Some(self.rules)))
        })
    }
}
