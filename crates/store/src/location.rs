//! Where a store is: `sqlite:FILE`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS`.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use assay_model::Secret;

use crate::StoreError;

/// PostgreSQL's port.
const PORT: u16 = 5432;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// A file of SQLite's.
    Sqlite(PathBuf),
    /// A database of PostgreSQL's.
    Postgres(Box<PostgresLocation>),
}

/// A database of a PostgreSQL server, and as whom to use it.
///
/// The connection is encrypted, and certificate and name are checked (`sslmode=verify-full`; `require` means the same
/// here, and there is no way to encrypt without checking). A loopback address or a Unix socket (`?host=/run/postgresql`)
/// needs none; anything else in the clear takes `sslmode=disable`. `sslrootcert=FILE` (PEM) names the authority where it
/// is none of Mozilla's.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresLocation {
    pub(crate) user: String,
    pub(crate) password: Option<Secret<String>>,
    pub(crate) host: Host,
    pub(crate) database: String,
    pub(crate) encrypted: bool,
    pub(crate) authority: Option<PathBuf>,
}

/// Who listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// A name or address, and its port.
    Network(String, u16),
    /// A socket in the file system.
    Socket(PathBuf),
}

impl Host {
    /// Whether what is sent stays on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Network(name, _) => {
                name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl fmt::Display for PostgresLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Network(name, port) => write!(f, "postgres://{}@{name}:{port}/{}", self.user, self.database),
            Host::Socket(path) => write!(f, "postgres://{}@{}/{}", self.user, path.display(), self.database),
        }
    }
}

impl fmt::Debug for PostgresLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for StoreLocation {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        // No more of it is repeated: where it is not well-formed, nobody can tell which part is the password.
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let wrong = |why: String| StoreError::Location { scheme: scheme.to_owned(), why };
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", rest)) => {
                let rest = rest.strip_prefix("//").ok_or_else(|| wrong("`//` is missing".into()))?;
                Ok(Self::Postgres(Box::new(postgres(rest).map_err(wrong)?)))
            }
            _ => Err(wrong("it is neither sqlite:FILE nor postgres://USER@HOST/DATABASE".into())),
        }
    }
}

/// What stands after `postgres://`.
fn postgres(rest: &str) -> Result<PostgresLocation, String> {
    let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, place) = authority.rsplit_once('@').ok_or("the user is missing")?;
    let (user, password) = match user.split_once(':') {
        Some((user, password)) => (decoded(user)?, Some(Secret::new(decoded(password)?))),
        None => (decoded(user)?, None),
    };
    if user.is_empty() {
        return Err("the user is missing".to_owned());
    }
    let database = if database.is_empty() { user.clone() } else { decoded(database)? };
    if [&user, &database].into_iter().any(|name| name.contains('\0')) {
        return Err("a name holds a null byte".to_owned());
    }
    let (name, port) = split_port(place)?;
    let (mut socket, mut mode, mut root) = (None, None, None);
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = decoded(value)?;
        match name {
            "host" if Path::new(&value).is_absolute() => socket = Some(value),
            "sslmode" => mode = Some(value),
            "sslrootcert" => root = Some(PathBuf::from(value)),
            other => return Err(format!("`{other}` is none of sslmode, sslrootcert and host=/FOLDER")),
        }
    }
    let host = match (socket, name.is_empty()) {
        (Some(folder), true) => Host::Socket(Path::new(&folder).join(format!(".s.PGSQL.{port}"))),
        (None, false) => Host::Network(name, port),
        (Some(_), false) => return Err("there are two hosts".to_owned()),
        (None, true) => return Err("the host is missing".to_owned()),
    };
    let encrypted = match (mode.as_deref(), &host) {
        (Some("require" | "verify-full"), Host::Socket(_)) => return Err("a socket is not encrypted".to_owned()),
        (Some("require" | "verify-full"), Host::Network(..)) => true,
        (Some("disable"), _) => false,
        (None, host) => !host.is_local(),
        (Some(other), _) => return Err(format!("sslmode `{other}` is neither verify-full nor disable")),
    };
    Ok(PostgresLocation { user, password, host, database, encrypted, authority: root })
}

/// Host and port; an IPv6 address stands in brackets.
fn split_port(place: &str) -> Result<(String, u16), String> {
    let (name, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or("a bracket is not closed")?;
            (address.to_owned(), rest.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((name, port)) => (decoded(name)?, Some(port)),
            None => (decoded(place)?, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("`{port}` is no port"))?,
        None => PORT,
    };
    Ok((name, port))
}

/// Without percent-encoding (RFC 3986, section 2.1).
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap_or(0), rest.next().unwrap_or(0)];
            let mut decoded = [0];
            hex::decode_to_slice(digits, &mut decoded).map_err(|_| "a percent sign is not followed by two digits")?;
            bytes.extend(decoded);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> PostgresLocation {
        match text.parse().unwrap() {
            StoreLocation::Postgres(location) => *location,
            StoreLocation::Sqlite(_) => panic!("{text}"),
        }
    }

    #[test]
    fn a_file_and_a_database_are_told_apart() {
        assert_eq!("sqlite:/a/b.db".parse::<StoreLocation>().unwrap(), StoreLocation::Sqlite("/a/b.db".into()));
        let location = parse("postgres://assay:p%40ss%2F@db.example.com/store?sslrootcert=/ca.pem");
        assert_eq!(location.password.as_ref().unwrap().expose(), "p@ss/");
        assert_eq!(location.host, Host::Network("db.example.com".into(), 5432));
        assert_eq!((location.database.as_str(), location.authority), ("store", Some("/ca.pem".into())));
        assert_eq!(parse("postgresql://a@[::1]:6000").host, Host::Network("::1".into(), 6000));
        assert_eq!(parse("postgres://a@/?host=/run/p").host, Host::Socket("/run/p/.s.PGSQL.5432".into()));
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_it_is_said_otherwise() {
        let encrypted = |text: &str| parse(text).encrypted;
        assert!(encrypted("postgres://a@db.example.com/b"));
        assert!(encrypted("postgres://a@10.0.0.1/b"));
        assert!(encrypted("postgres://a@localhost.example.com/b"));
        assert!(encrypted("postgres://a@127.0.0.1/b?sslmode=require"));
        assert!(!encrypted("postgres://a@127.0.0.1/b"));
        assert!(!encrypted("postgres://a@localhost/b"));
        assert!(!encrypted("postgres://a@db.example.com/b?sslmode=disable"));
    }

    #[test]
    fn what_is_no_location_is_refused_without_its_password() {
        for text in [
            "postgres:a",
            "postgres://host/db",
            "postgres://:s3cret@host/db",
            "postgres://a:s3cret@/db",
            "postgres://a:s3cret@host:0/db",
            "postgres://a:s3cret@host/db?sslmode=prefer",
            "postgres://a:s3cret@host/db?sslmode=allow",
            "postgres://a:s3cret@host/db?host=/run",
            "postgres://a:s3cret@host/db?options=x",
            "postgres://a:s3cret@host/%00",
            "postgres://a:%zzs3cret@host/db",
            "mysql://a:s3cret@host/db",
            "sqlite:",
            "",
        ] {
            let error = text.parse::<StoreLocation>().unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
        assert!(!format!("{:?}", parse("postgres://a:s3cret@host/db")).contains("s3cret"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "(postgres://)?.{0,60}") {
            let _ = text.parse::<StoreLocation>();
        }
    }
}
