//! What the client itself does not refuse: a server that wants the password in a form that gives it away, and a message
//! of a length that only a fault or an attack announces.
//!
//! The guard reads along with what arrives (PostgreSQL documentation, "Message Formats": kind, length, body) and lets
//! everything else pass as it is.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsStream};

/// Largest message that is read. The largest row that is written is a batch of decisions, a few mebibytes.
const MESSAGE_MAX: u32 = 128 << 20;

/// Why a server gets no password.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) &'static str);

/// What a server may ask for.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// The password as it is: nobody listens, or only the server that showed its certificate.
    pub(super) clear_text: bool,
    /// There is a password.
    pub(super) password: bool,
}

/// A stream whose messages are looked at.
pub(super) struct Guard<S> {
    stream: S,
    watch: Option<Watch>,
}

impl<S> Guard<S> {
    /// Without rules, what passes is no messages: it is encrypted.
    pub(super) fn new(stream: S, rules: Option<Rules>) -> Self {
        Self { stream, watch: rules.map(Watch::new) }
    }
}

/// Where in the server's messages the stream is.
struct Watch {
    rules: Rules,
    /// Kind and length of the message that begins, and of an authentication its method.
    head: Vec<u8>,
    /// Bytes left of the message under way.
    rest: usize,
}

impl Watch {
    fn new(rules: Rules) -> Self {
        Self { rules, head: Vec::with_capacity(9), rest: 0 }
    }

    fn look(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some((byte, behind)) = bytes.split_first() {
            if self.rest > 0 {
                let passed = self.rest.min(bytes.len());
                self.rest -= passed;
                bytes = bytes.get(passed..).unwrap_or_default();
                continue;
            }
            self.head.push(*byte);
            bytes = behind;
            let Some((kind, numbers)) = self.head.split_first() else { continue };
            let Some((length, method)) = numbers.split_first_chunk() else { continue };
            let length = u32::from_be_bytes(*length);
            if !(4..=MESSAGE_MAX).contains(&length) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the server sent a message of impossible length",
                ));
            }
            let read = if *kind == b'R' && length >= 8 {
                let Ok(method) = method.try_into() else { continue };
                let refused = |why| io::Error::new(io::ErrorKind::PermissionDenied, why);
                self.rules.judge(u32::from_be_bytes(method)).map_err(refused)?;
                8
            } else {
                4
            };
            self.rest = (length - read) as usize;
            self.head.clear();
        }
        Ok(())
    }
}

impl Rules {
    /// Whether an authentication of this number may go on.
    fn judge(self, method: u32) -> Result<(), Refusal> {
        match method {
            3 | 10 if !self.password => Err(Refusal("it wants a password")),
            3 if !self.clear_text => Err(Refusal("it wants the password in the clear")),
            5 => Err(Refusal("it stores the password as MD5")),
            // Done, and the three steps of SASL.
            0 | 3 | 10 | 11 | 12 => Ok(()),
            _ => Err(Refusal("it wants an authentication that is not supported: use scram-sha-256")),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if let Some(watch) = &mut self.watch {
            watch.look(buffer.filled().get(before..).unwrap_or_default())?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Guard<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPEN: Rules = Rules { clear_text: true, password: true };
    const NETWORK: Rules = Rules { clear_text: false, password: true };

    fn asks(method: u32) -> Vec<u8> {
        [b"R\0\0\0\x0c".as_slice(), &method.to_be_bytes(), b"salt"].concat()
    }

    fn told(rules: Rules, method: u32) -> Option<String> {
        Watch::new(rules).look(&asks(method)).err().map(|error| error.to_string())
    }

    #[test]
    fn a_password_is_given_to_whom_it_does_not_betray() {
        assert_eq!(told(OPEN, 3), None);
        assert!(told(NETWORK, 3).unwrap().contains("in the clear"));
        for rules in [OPEN, NETWORK] {
            assert!(told(rules, 5).unwrap().contains("MD5"));
            assert!(told(rules, 7).unwrap().contains("not supported"), "GSSAPI");
            assert_eq!([0, 10, 11, 12].map(|method| told(rules, method)), [const { None }; 4]);
        }
        let none = Rules { password: false, ..OPEN };
        assert!([3, 10].iter().all(|method| told(none, *method).unwrap().contains("wants a password")));
        assert_eq!(told(none, 0), None);
    }

    #[test]
    fn an_impossible_length_is_refused() {
        for head in [b"D\0\0\0\x03", b"D\xff\xff\xff\xff", b"HTTP/"] {
            assert_eq!(Watch::new(OPEN).look(head).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }

    proptest! {
        #[test]
        fn a_question_is_found_however_the_bytes_arrive(
            before in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..6),
            step in 1..12_usize,
        ) {
            let mut bytes = Vec::new();
            for (kind, body) in before.iter().filter(|(kind, _)| *kind != b'R') {
                bytes.push(*kind);
                bytes.extend((body.len() as u32 + 4).to_be_bytes());
                bytes.extend(body);
            }
            bytes.extend(asks(5));
            let mut watch = Watch::new(OPEN);
            prop_assert!(bytes.chunks(step).try_for_each(|chunk| watch.look(chunk)).is_err());
        }

        #[test]
        fn any_bytes_are_looked_at_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Watch::new(NETWORK).look(&bytes);
        }
    }
}
