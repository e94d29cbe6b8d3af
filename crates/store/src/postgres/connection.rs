//! One connection: startup, authentication, statements.
//!
//! BEGIN is sent together with the first statement after it, and the rows of one statement together, so that a
//! transaction of one statement costs two round trips whatever it writes.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufReader, Write as _};

use super::scram::Scram;
use super::stream::Stream;
use super::wire::{self, Body};
use crate::StoreError;
use crate::backend::{Row, Value};
use crate::location::PostgresLocation;

/// Rows that are sent before their answers are read: small enough for the answers to fit into the socket's buffers.
const ROWS_AT_ONCE: usize = 256;
/// Said once on each connection: nothing hangs for ever, and a replica that vanished holds no lock for long.
const SETTINGS: &str =
    "SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'";
/// SQLSTATE classes and codes by which the server says that it cannot be used at the moment: connection exceptions, too
/// many connections, shutting down, starting up.
const AWAY: [&str; 3] = ["08", "53300", "57P"];
/// SQLSTATEs after which the same work may go well: serialisation failure, deadlock, and a statement whose table was
/// changed by a newer version since it was prepared.
pub(super) const SERIALIZATION_FAILURES: [&str; 4] = ["40001", "40P01", "0A000", "26000"];

pub(crate) struct Connection {
    stream: BufReader<Stream>,
    server: String,
    out: Vec<u8>,
    statements: HashMap<Key, Statement>,
    number: u64,
    /// Answers that belong to what was sent ahead.
    ahead: usize,
    /// Whether a transaction is under way, as the server says.
    busy: bool,
    broken: bool,
}

/// A statement, and the types of its parameters.
type Key = (String, Vec<u32>);

struct Statement {
    name: String,
    columns: Vec<u32>,
}

/// What an answer is due to.
enum Sent {
    Prepared(Key, String),
    Run(Key),
}

impl Connection {
    pub(super) fn open(location: &PostgresLocation) -> Result<Self, StoreError> {
        let server = location.to_string();
        let unreachable = |error: io::Error| StoreError::Unreachable { server: server.clone(), why: error.to_string() };
        let stream = BufReader::new(Stream::open(location).map_err(unreachable)?);
        let mut connection = Self {
            stream,
            server: server.clone(),
            out: Vec::new(),
            statements: HashMap::new(),
            number: 0,
            ahead: 0,
            busy: false,
            broken: false,
        };
        connection.authenticate(location)?;
        connection.begin(SETTINGS);
        connection.catch_up()?;
        Ok(connection)
    }

    /// Whether it can be used for another transaction.
    pub(super) fn is_idle(&self) -> bool {
        !self.broken && !self.busy && self.ahead == 0
    }

    fn authenticate(&mut self, location: &PostgresLocation) -> Result<(), StoreError> {
        let server = self.server.clone();
        let refused = |why: &str| StoreError::Refused { server: server.clone(), why: why.to_owned() };
        let password = || location.password.as_ref().ok_or_else(|| refused("it wants a password"));
        let (user, database) = (location.user.as_str(), location.database.as_str());
        wire::startup(
            &mut self.out,
            &[("user", user), ("database", database), ("application_name", "assay"), ("client_encoding", "UTF8")],
        );
        let (mut scram, mut expected, mut proven) = (None, None, true);
        loop {
            self.flush()?;
            let (kind, body) = self.read()?;
            let mut body = Body(&body);
            match kind {
                b'R' => match self.got(body.long())? {
                    // A server that was to prove itself and did not is somebody else.
                    0 if !proven => return Err(refused("it skipped its own proof of the password")),
                    0 => {}
                    3 if location.encrypted || location.host.is_local() => {
                        wire::password(&mut self.out, password()?.expose());
                    }
                    3 => return Err(refused("it wants the password in the clear")),
                    5 => return Err(refused("it stores the password as MD5")),
                    10 => {
                        if !body.0.split(|byte| *byte == 0).any(|name| name == b"SCRAM-SHA-256") {
                            return Err(refused("it knows no SCRAM-SHA-256"));
                        }
                        let begun = Scram::new().map_err(|why| refused(&why))?;
                        wire::sasl_first(&mut self.out, "SCRAM-SHA-256", &begun.first());
                        (scram, proven) = (Some(begun), false);
                    }
                    11 => {
                        let begun = scram.take().ok_or_else(|| refused("its messages are out of order"))?;
                        let said = String::from_utf8_lossy(body.0);
                        let (last, expect) = begun.last(&said, password()?).map_err(|why| refused(&why))?;
                        wire::sasl_next(&mut self.out, &last);
                        expected = Some(expect);
                    }
                    12 => {
                        let expect = expected.take().ok_or_else(|| refused("its messages are out of order"))?;
                        expect.verify(&String::from_utf8_lossy(body.0)).map_err(|why| refused(&why))?;
                        proven = true;
                    }
                    _ => return Err(refused("it wants an authentication that is not supported: use scram-sha-256")),
                },
                b'E' => {
                    let (code, said) = self.got(wire::error(body.0))?;
                    return Err(self.said(code, said));
                }
                b'Z' => return Ok(()),
                // Parameters, the key for cancelling, notices.
                b'S' | b'K' | b'N' => {}
                _ => return Err(self.failed(&wire::broken("something else than an authentication"))),
            }
        }
    }

    /// Sends what begins a transaction, ahead of its first statement.
    pub(super) fn begin(&mut self, sql: &str) {
        wire::query(&mut self.out, sql);
        self.ahead += 1;
    }

    /// Ends the transaction.
    pub(super) fn end(&mut self, sql: &str) -> Result<(), StoreError> {
        wire::query(&mut self.out, sql);
        self.ahead += 1;
        self.catch_up()
    }

    /// Several statements without parameters, for the schema.
    pub(crate) fn script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.end(sql)
    }

    /// Reads the answers to what was sent ahead.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        self.flush()?;
        let mut first = Ok(());
        while self.ahead > 0 {
            let result = self.answers(&mut VecDeque::new(), &mut |_| Ok(()), &mut Vec::new());
            self.ahead -= 1;
            first = first.and(result);
            if self.broken {
                break;
            }
        }
        first
    }

    pub(super) fn execute_each(&mut self, sql: &str, rows: &[Vec<Value<'_>>]) -> Result<Vec<u64>, StoreError> {
        let mut changed = Vec::with_capacity(rows.len());
        for rows in rows.chunks(ROWS_AT_ONCE) {
            let mut sent = VecDeque::new();
            for row in rows {
                self.send(sql, row, &mut sent);
            }
            self.exchange(sent, &mut |_| Ok(()), &mut changed)?;
        }
        Ok(changed)
    }

    pub(crate) fn query(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut sent = VecDeque::new();
        self.send(sql, values, &mut sent);
        self.exchange(sent, take, &mut Vec::new())
    }

    fn send(&mut self, sql: &str, values: &[Value<'_>], sent: &mut VecDeque<Sent>) {
        let key = (sql.to_owned(), values.iter().map(wire::type_of).collect::<Vec<_>>());
        let under_way = sent.iter().find_map(|sent| match sent {
            Sent::Prepared(prepared, name) if *prepared == key => Some(name.clone()),
            _ => None,
        });
        let known = self.statements.get(&key).map(|statement| statement.name.clone()).or(under_way);
        let name = known.unwrap_or_else(|| {
            self.number += 1;
            let name = format!("s{}", self.number);
            wire::prepare(&mut self.out, &name, sql, &key.1);
            sent.push_back(Sent::Prepared(key.clone(), name.clone()));
            name
        });
        wire::run(&mut self.out, &name, values);
        sent.push_back(Sent::Run(key));
    }

    fn exchange(
        &mut self,
        mut sent: VecDeque<Sent>,
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
        changed: &mut Vec<u64>,
    ) -> Result<(), StoreError> {
        wire::sync(&mut self.out);
        let before = self.catch_up();
        if self.broken {
            return before;
        }
        let result = self.answers(&mut sent, take, changed);
        before.and(result)
    }

    /// Reads answers up to the end of what was synchronised. The first error is the one that counts.
    fn answers(
        &mut self,
        sent: &mut VecDeque<Sent>,
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
        changed: &mut Vec<u64>,
    ) -> Result<(), StoreError> {
        // Rows of what was sent ahead are nobody's.
        let (mut first, mut current) = (Ok(()), None);
        loop {
            let (kind, body) = self.read()?;
            match kind {
                b'T' | b'n' => {
                    let columns = if kind == b'T' { self.got(wire::columns(&body))? } else { Vec::new() };
                    if let Some(Sent::Prepared(key, name)) = sent.pop_front() {
                        self.statements.insert(key, Statement { name, columns });
                    }
                }
                b'2' => {
                    if let Some(Sent::Run(key)) = sent.pop_front() {
                        current = self.statements.get(&key).map(|known| known.columns.clone());
                    }
                }
                b'D' => {
                    if let (Ok(()), Some(columns)) = (&first, &current) {
                        let row = wire::row(&body, columns);
                        first = take(self.got(row)?);
                    }
                }
                b'C' => changed.push(wire::changed(&body)),
                b'E' => {
                    let (code, said) = self.got(wire::error(&body))?;
                    first = first.and(Err(self.said(code, said)));
                }
                b'Z' => {
                    self.busy = body.first() != Some(&b'I');
                    return first;
                }
                // Parse complete, parameters' types, empty statement, notices, settings.
                b'1' | b't' | b'I' | b'N' | b'S' | b'A' => {}
                _ => return Err(self.failed(&wire::broken("an unknown message"))),
            }
        }
    }

    /// What the server said, as an error.
    fn said(&mut self, code: String, message: String) -> StoreError {
        if matches!(code.as_str(), "0A000" | "26000") {
            self.broken = true;
        }
        if AWAY.iter().any(|away| code.starts_with(away)) {
            self.broken = true;
            return StoreError::Unreachable { server: self.server.clone(), why: message };
        }
        // Invalid authorisation, unknown database.
        if code.starts_with("28") || code.starts_with("3D") {
            return StoreError::Refused { server: self.server.clone(), why: message };
        }
        StoreError::Postgres { code, message }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.broken {
            return Err(self.failed(&io::ErrorKind::NotConnected.into()));
        }
        let out = std::mem::take(&mut self.out);
        let stream = self.stream.get_mut();
        let written = stream.write_all(&out).and_then(|()| stream.flush());
        self.got(written)
    }

    fn read(&mut self) -> Result<(u8, Vec<u8>), StoreError> {
        let message = wire::read(&mut self.stream);
        self.got(message)
    }

    /// After a failure nobody knows what the next byte means.
    fn got<T>(&mut self, result: io::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| self.failed(&error))
    }

    fn failed(&mut self, error: &io::Error) -> StoreError {
        self.broken = true;
        StoreError::Unreachable { server: self.server.clone(), why: error.to_string() }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.broken {
            self.out.clear();
            wire::terminate(&mut self.out);
            // It ends either way.
            let _ = self.flush();
        }
    }
}
