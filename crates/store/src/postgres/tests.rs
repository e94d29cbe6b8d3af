//! Servers that are none: each says a few scripted things on loopback. Whatever it is, the answer is a typed error.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use assay_model::Explain as _;

use super::connection::Connection;
use super::driver::Driver;
use crate::StoreError;
use crate::location::{PostgresLocation, StoreLocation};

/// What a server says to what it was sent.
type Step = Box<dyn Fn(&str) -> Vec<u8> + Send>;

const READY: &[u8] = b"Z\0\0\0\x05I";

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], (body.len() as u32 + 4).to_be_bytes().as_slice(), body].concat()
}

fn says(parts: &[&[u8]]) -> Step {
    let bytes = parts.concat();
    Box::new(move |_| bytes.clone())
}

fn asks(method: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&method.to_be_bytes(), rest].concat())
}

/// A connection that is let in, and whose settings are taken.
fn lets_in() -> Vec<Step> {
    vec![says(&[&asks(0, b""), READY]), says(&[&message(b'C', b"SET\0"), READY])]
}

/// Answers to a statement without parameters and with one column.
fn describes(type_number: u32) -> Step {
    let column =
        [b"\0\x01a\0\0\0\0\0\0\0".as_slice(), &type_number.to_be_bytes(), b"\0\x08\xff\xff\xff\xff\0\0"].concat();
    says(&[b"1\0\0\0\x04", &message(b't', b"\0\0"), &message(b'T', &column), READY])
}

/// Says each step after it was sent something; then hangs up, or waits until the client does. Returns what it was sent in
/// the end.
fn server(steps: Vec<Step>, hangs_up: bool) -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut sent = [0; 4096];
        for step in steps {
            let length = stream.read(&mut sent).unwrap();
            stream.write_all(&step(&String::from_utf8_lossy(&sent[..length]))).unwrap();
        }
        if hangs_up {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    });
    (port, thread)
}

fn location(text: &str) -> PostgresLocation {
    match text.parse().unwrap() {
        StoreLocation::Postgres(location) => *location,
        StoreLocation::Sqlite(_) => unreachable!(),
    }
}

fn connect(place: &str, limit: Duration) -> Result<Connection, StoreError> {
    Connection::open(&location(&format!("postgres://assay:s3cret@{place}")), &Arc::new(Driver::start().unwrap()), limit)
}

/// How the client fails with this server, and what it sent after the last step.
fn failure(steps: Vec<Step>) -> (StoreError, String) {
    let (port, thread) = server(steps, true);
    let error = connect(&format!("127.0.0.1:{port}/assay"), Duration::from_mins(1)).map(drop).unwrap_err();
    (error, thread.join().unwrap())
}

/// How a query fails with this server.
fn query_failure(steps: Vec<Step>) -> StoreError {
    let (port, thread) = server(lets_in().into_iter().chain(steps).collect(), true);
    let mut connection = connect(&format!("127.0.0.1:{port}/assay"), Duration::from_mins(1)).unwrap();
    let mut taken = 0;
    let error = connection.query("SELECT a", &[], &mut |mut row| {
        taken += row.integer(0)?;
        Ok(())
    });
    assert!(!connection.is_idle(), "nobody uses it again");
    let again = connection.query("SELECT a", &[], &mut |_| Ok(())).unwrap_err();
    assert_eq!(again.code(), "store-unreachable");
    drop(connection);
    thread.join().unwrap();
    error.unwrap_err()
}

#[test]
fn what_is_no_postgresql_is_an_error() {
    for nonsense in
        [b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), b"", b"\0\0\0\0\0\0\0\0", &message(b'D', b"\0\0"), b"R\0\0"]
    {
        let (error, _) = failure(vec![says(&[nonsense])]);
        assert_eq!(error.code(), "store-unreachable", "{nonsense:?}: {error}");
        assert!(!error.to_string().contains("s3cret"));
    }
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    for mut steps in [vec![], vec![says(&[&asks(0, b"")])], lets_in()] {
        steps.truncate(1);
        let (port, thread) = server(steps, false);
        let error = connect(&format!("127.0.0.1:{port}/assay"), Duration::from_millis(100)).map(drop).unwrap_err();
        assert!(matches!(&error, StoreError::Unreachable { why, .. } if why.contains("100ms")), "{error}");
        thread.join().unwrap();
    }
}

#[test]
fn a_statement_that_is_never_answered_is_given_up_with_its_connection() {
    let (port, thread) = server(lets_in(), false);
    let mut connection = connect(&format!("127.0.0.1:{port}/assay"), Duration::from_millis(200)).unwrap();
    connection.begin("BEGIN");
    assert_eq!(connection.script("SELECT 1").unwrap_err().code(), "store-unreachable");
    assert!(!connection.is_idle());
    drop(connection);
    let sent = thread.join().unwrap();
    assert!(sent.find("BEGIN").unwrap() < sent.find("SELECT 1").unwrap(), "{sent:?}");
}

#[test]
fn an_answer_that_ends_in_the_middle_of_a_row_is_an_error() {
    let row = message(b'D', b"\0\x01\0\0\0\x08\0\0\0\0\0\0\0\x01");
    let error = query_failure(vec![describes(20), says(&[b"2\0\0\0\x04", &row, &row[..9]])]);
    assert_eq!(error.code(), "store-unreachable", "{error}");
}

#[test]
fn rustsec_2026_0178_a_row_with_fewer_columns_than_were_described_is_an_error() {
    let error = query_failure(vec![describes(20), says(&[b"2\0\0\0\x04", &message(b'D', b"\0\0"), READY])]);
    assert_eq!(error.code(), "store-unreachable", "{error}");
}

#[test]
fn a_value_of_a_type_that_nobody_asked_for_is_an_error() {
    let point = message(b'D', b"\0\x01\0\0\0\x01\0");
    let error =
        query_failure(vec![describes(600), says(&[b"2\0\0\0\x04", &point, &message(b'C', b"SELECT 1\0"), READY])]);
    assert_eq!(error.code(), "store-unreachable", "{error}");
}

#[test]
fn a_message_out_of_order_is_an_error() {
    let error = query_failure(vec![says(&[&message(b'C', b"SELECT 1\0"), READY])]);
    assert_eq!(error.code(), "store-unreachable", "{error}");
}

#[test]
fn a_password_as_md5_is_not_given_even_to_this_machine() {
    let (error, sent) = failure(vec![says(&[&asks(5, b"salt")])]);
    assert!(matches!(&error, StoreError::Refused { why, .. } if why.contains("MD5")), "{error}");
    assert_eq!(sent, "");
}

#[test]
fn a_password_in_the_clear_does_not_leave_this_machine() {
    let steps = || vec![says(&[&asks(3, b"")])];
    let (_, sent) = failure(steps());
    assert!(sent.contains("s3cret"), "nobody listens on loopback: {sent:?}");
    // The same server, by a name of which it is not known where it leads.
    let (port, thread) = server(steps(), true);
    let error = connect(&format!("127.1:{port}/assay?sslmode=disable"), Duration::from_mins(1)).map(drop).unwrap_err();
    assert!(matches!(&error, StoreError::Refused { why, .. } if why.contains("in the clear")), "{error}");
    assert_eq!(thread.join().unwrap(), "");
}

#[test]
fn a_server_without_tls_gets_nothing_where_the_connection_is_to_be_encrypted() {
    let (port, thread) = server(vec![says(&[b"N"])], true);
    let error =
        connect(&format!("127.0.0.1:{port}/assay?sslmode=require"), Duration::from_mins(1)).map(drop).unwrap_err();
    assert!(matches!(&error, StoreError::Unreachable { why, .. } if why.contains("TLS")), "{error}");
    assert_eq!(thread.join().unwrap(), "");
}

/// SCRAM (RFC 5802): the server's first message, over the client's nonce.
fn challenges(rest: &'static str) -> Step {
    Box::new(move |sent| {
        let nonce = sent.split("r=").nth(1).unwrap();
        asks(11, format!("r={nonce}more,{rest}").as_bytes())
    })
}

#[test]
fn a_server_that_does_not_know_the_password_is_refused() {
    let scram = || says(&[&asks(10, b"SCRAM-SHA-256\0\0")]);
    let proof = asks(12, b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let (error, _) = failure(vec![scram(), challenges("s=c2FsdA==,i=4096"), says(&[&proof])]);
    assert_eq!(error.code(), "store-refused", "{error}");
    // One that skips its own proof.
    let (error, _) = failure(vec![scram(), challenges("s=c2FsdA==,i=4096"), says(&[&asks(0, b""), READY])]);
    assert_eq!(error.code(), "store-unreachable", "{error}");
    let (error, _) = failure(vec![scram(), says(&[&asks(11, b"r=another,s=c2FsdA==,i=4096")])]);
    assert_eq!(error.code(), "store-refused", "{error}");
    let (error, _) = failure(vec![says(&[&asks(10, b"SCRAM-SHA-1\0\0")])]);
    assert_eq!(error.code(), "store-refused", "{error}");
}

#[test]
fn rustsec_2026_0179_a_server_cannot_have_us_count_for_ever() {
    let steps = vec![says(&[&asks(10, b"SCRAM-SHA-256\0\0")]), challenges("s=c2FsdA==,i=4294967295")];
    assert_eq!(failure(steps).0.code(), "store-refused");
}
