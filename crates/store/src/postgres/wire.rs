//! Messages of PostgreSQL's protocol 3.0 (PostgreSQL documentation, chapter "Frontend/Backend Protocol"): ours written,
//! the server's read. What the server says is as untrusted as any other input.

use std::io::{self, Read};

use crate::backend::{Row, Value};

/// Largest message that is read. The largest row that is written is a batch of decisions, a few mebibytes.
const MESSAGE_MAX: usize = 128 << 20;
/// Protocol 3.0.
const VERSION: u32 = 196_608;
/// Types as `pg_type` numbers them.
pub(super) mod oid {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const VARCHAR: u32 = 1043;
}

/// The type under which a value is sent; zero leaves it to the server.
pub(super) fn type_of(value: &Value<'_>) -> u32 {
    match value {
        Value::Null => 0,
        Value::Integer(_) => oid::INT8,
        Value::Text(_) => oid::TEXT,
        Value::Bytes(_) => oid::BYTEA,
    }
}

/// Appends a message of this kind; `body` writes what follows the length.
fn message(out: &mut Vec<u8>, kind: Option<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend(kind);
    let begin = out.len();
    out.extend([0; 4]);
    body(out);
    let length = u32::try_from(out.len() - begin).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(place) = out.get_mut(begin..begin + 4) {
        place.copy_from_slice(&length);
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    // A null byte would end it: PostgreSQL has none in any text.
    out.extend(text.bytes().filter(|byte| *byte != 0));
    out.push(0);
}

pub(super) fn startup(out: &mut Vec<u8>, parameters: &[(&str, &str)]) {
    message(out, None, |out| {
        out.extend(VERSION.to_be_bytes());
        for (name, value) in parameters {
            text(out, name);
            text(out, value);
        }
        out.push(0);
    });
}

pub(super) fn password(out: &mut Vec<u8>, password: &str) {
    message(out, Some(b'p'), |out| text(out, password));
}

pub(super) fn sasl_first(out: &mut Vec<u8>, mechanism: &str, first: &str) {
    message(out, Some(b'p'), |out| {
        text(out, mechanism);
        out.extend((first.len() as u32).to_be_bytes());
        out.extend(first.bytes());
    });
}

pub(super) fn sasl_next(out: &mut Vec<u8>, next: &str) {
    message(out, Some(b'p'), |out| out.extend(next.bytes()));
}

pub(super) fn query(out: &mut Vec<u8>, sql: &str) {
    message(out, Some(b'Q'), |out| text(out, sql));
}

/// Parse and Describe.
pub(super) fn prepare(out: &mut Vec<u8>, name: &str, sql: &str, types: &[u32]) {
    message(out, Some(b'P'), |out| {
        text(out, name);
        // The one difference between the two dialects that is left in our statements.
        text(out, &sql.replace('?', "$"));
        out.extend((types.len() as u16).to_be_bytes());
        for of in types {
            out.extend(of.to_be_bytes());
        }
    });
    message(out, Some(b'D'), |out| {
        out.push(b'S');
        text(out, name);
    });
}

/// Bind and Execute: all values binary, in both directions.
pub(super) fn run(out: &mut Vec<u8>, name: &str, values: &[Value<'_>]) {
    message(out, Some(b'B'), |out| {
        text(out, "");
        text(out, name);
        out.extend([0, 1, 0, 1]);
        out.extend((values.len() as u16).to_be_bytes());
        for value in values {
            let mut bytes = |bytes: &[u8]| {
                out.extend((bytes.len() as u32).to_be_bytes());
                out.extend(bytes);
            };
            match value {
                Value::Null => out.extend((-1_i32).to_be_bytes()),
                Value::Integer(value) => bytes(&value.to_be_bytes()),
                Value::Text(value) => bytes(value.as_bytes()),
                Value::Bytes(value) => bytes(value),
            }
        }
        out.extend([0, 1, 0, 1]);
    });
    message(out, Some(b'E'), |out| {
        text(out, "");
        out.extend([0; 4]);
    });
}

pub(super) fn sync(out: &mut Vec<u8>) {
    message(out, Some(b'S'), |_| {});
}

pub(super) fn terminate(out: &mut Vec<u8>) {
    message(out, Some(b'X'), |_| {});
}

/// Reads one message: its kind and body.
pub(super) fn read(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = u32::from_be_bytes(length) as usize;
    let length = length.checked_sub(4).filter(|length| *length <= MESSAGE_MAX);
    let length = length.ok_or_else(|| broken("a message of impossible length"))?;
    // Grows with what arrives, not with what is announced.
    let mut body = Vec::with_capacity(length.min(64 << 10));
    stream.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((kind, body))
}

pub(super) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

/// The rest of a message's body.
pub(super) struct Body<'b>(pub(super) &'b [u8]);

impl<'b> Body<'b> {
    fn bytes(&mut self, length: usize) -> io::Result<&'b [u8]> {
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(|| broken("a message that ends too early"))?;
        self.0 = rest;
        Ok(head)
    }

    fn short(&mut self) -> io::Result<u16> {
        Ok(self.bytes(2)?.iter().fold(0, |number, byte| number << 8 | u16::from(*byte)))
    }

    pub(super) fn long(&mut self) -> io::Result<u32> {
        Ok(self.bytes(4)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    pub(super) fn text(&mut self) -> io::Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or_else(|| broken("a text without an end"))?;
        let text = String::from_utf8_lossy(self.bytes(end)?).into_owned();
        self.bytes(1)?;
        Ok(text)
    }
}

/// Code and text of an ErrorResponse.
pub(super) fn error(body: &[u8]) -> io::Result<(String, String)> {
    let (mut body, mut code, mut said) = (Body(body), String::new(), String::new());
    while let [kind, rest @ ..] = body.0 {
        if *kind == 0 {
            break;
        }
        body.0 = rest;
        let text = body.text()?;
        match kind {
            b'C' => code = text,
            b'M' => said = text,
            _ => {}
        }
    }
    Ok((code, said))
}

/// The types of a RowDescription.
pub(super) fn columns(body: &[u8]) -> io::Result<Vec<u32>> {
    let mut body = Body(body);
    let count = body.short()?;
    let column = |_| {
        body.text()?;
        body.bytes(6)?;
        let of = body.long()?;
        body.bytes(8)?;
        Ok(of)
    };
    (0..count).map(column).collect()
}

/// A DataRow.
pub(super) fn row(body: &[u8], types: &[u32]) -> io::Result<Row> {
    let mut body = Body(body);
    if usize::from(body.short()?) != types.len() {
        return Err(broken("a row with other columns than it described"));
    }
    let value = |of: &u32| {
        let length = body.long()?;
        if length == u32::MAX {
            return Ok(Value::Null);
        }
        value(*of, body.bytes(length as usize)?)
    };
    Ok(Row(types.iter().map(value).collect::<io::Result<_>>()?))
}

fn value(of: u32, bytes: &[u8]) -> io::Result<Value<'static>> {
    let integer = || {
        let negative = bytes.first().is_some_and(|byte| *byte > 127);
        let begin = if negative { -1_i64 } else { 0 };
        (bytes.len() <= 8).then(|| bytes.iter().fold(begin, |number, byte| number << 8 | i64::from(*byte)))
    };
    Ok(match of {
        oid::BOOL => Value::Integer(i64::from(bytes != [0])),
        oid::INT2 | oid::INT4 | oid::INT8 => Value::Integer(integer().ok_or_else(|| broken("a large integer"))?),
        oid::TEXT | oid::VARCHAR | oid::NAME => {
            Value::Text(String::from_utf8(bytes.to_vec()).map_err(|_| broken("text that is not UTF-8"))?.into())
        }
        oid::BYTEA => Value::Bytes(bytes.to_vec().into()),
        _ => return Err(broken("a type that nobody asked for")),
    })
}

/// How many rows a CommandComplete speaks of.
pub(super) fn changed(body: &[u8]) -> u64 {
    let tag = String::from_utf8_lossy(body);
    tag.trim_end_matches('\0').rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_as_the_protocol_has_them() {
        let mut out = Vec::new();
        startup(&mut out, &[("user", "a")]);
        assert_eq!(out, b"\0\0\0\x10\0\x03\0\0user\0a\0\0");
        out.clear();
        prepare(&mut out, "s1", "SELECT ?1", &[20]);
        assert_eq!(out, b"P\0\0\0\x17s1\0SELECT $1\0\0\x01\0\0\0\x14D\0\0\0\x08Ss1\0");
        out.clear();
        run(&mut out, "s1", &[Value::Null, Value::Integer(1), Value::Text("a".into())]);
        let bind =
            b"B\0\0\0\x27\0s1\0\0\x01\0\x01\0\x03\xff\xff\xff\xff\0\0\0\x08\0\0\0\0\0\0\0\x01\0\0\0\x01a\0\x01\0\x01";
        assert!(out.starts_with(&bind[..]), "{out:?}");
        assert!(out.ends_with(b"E\0\0\0\x09\0\0\0\0\0"));
    }

    #[test]
    fn integers_of_every_size_keep_their_sign() {
        for (bytes, expected) in [
            (&[0xff, 0xff][..], -1),
            (&[0, 0, 1, 0], 256),
            (&(-2_i64).to_be_bytes(), -2),
            (&i64::MIN.to_be_bytes(), i64::MIN),
            (&i64::MAX.to_be_bytes(), i64::MAX),
        ] {
            assert_eq!(value(oid::INT8, bytes).unwrap(), Value::Integer(expected));
        }
        assert!(value(oid::INT8, &[0; 9]).is_err());
        assert!(value(600, &[]).is_err(), "a point");
    }

    #[test]
    fn what_a_command_changed_is_the_last_word_of_its_tag() {
        assert_eq!(changed(b"INSERT 0 3\0"), 3);
        assert_eq!(changed(b"UPDATE 12\0"), 12);
        assert_eq!(changed(b"BEGIN\0"), 0);
    }

    #[test]
    fn a_length_that_cannot_be_is_refused() {
        for head in [b"D\0\0\0\x03", b"D\xff\xff\xff\xff"] {
            assert!(read(&mut &head[..]).is_err());
        }
        assert!(read(&mut &b"D\0\0\0\x06a"[..]).is_err(), "cut off");
        assert_eq!(read(&mut &b"D\0\0\0\x05ab"[..]).unwrap(), (b'D', b"a".to_vec()));
    }

    proptest! {
        #[test]
        fn any_message_is_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&mut body.as_slice());
            let _ = error(&body);
            let _ = columns(&body);
            let _ = row(&body, &[oid::TEXT, oid::INT8, oid::BYTEA]);
            let _ = changed(&body);
        }
    }
}
