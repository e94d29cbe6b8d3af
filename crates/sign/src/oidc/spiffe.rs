//! A JWT-SVID from the SPIFFE Workload API (SPIFFE specifications, `SPIFFE_Workload_API.md`, `FetchJWTSVID`).
//!
//! One gRPC call without a gRPC library: a message of two protobuf fields over HTTP/2 on a Unix socket.

use std::time::Duration;

use assay_model::Secret;
use bytes::Bytes;
use http::{Method, Request};
use tokio::net::UnixStream;

use super::{Ambient, TokenSourceError, failed};

const FROM: Ambient = Ambient::Spiffe;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer, in bytes.
const ANSWER_MAX: usize = 1 << 20;
/// Without this header an endpoint must refuse (section 6.1): it keeps browsers and proxies out.
const SECURITY_HEADER: &str = "workload.spiffe.io";

/// Asks the endpoint behind `SPIFFE_ENDPOINT_SOCKET`, `unix:///path`.
pub(super) async fn fetch(socket: &str, audience: &str) -> Result<Secret<String>, TokenSourceError> {
    let path = socket.strip_prefix("unix://").or_else(|| socket.strip_prefix("unix:"));
    let path = path.ok_or_else(|| failed(FROM, "SPIFFE_ENDPOINT_SOCKET is not unix:PATH"))?;
    tokio::time::timeout(TIMEOUT, call(path, audience)).await.map_err(|_| failed(FROM, "no answer within 10 s"))?
}

async fn call(path: &str, audience: &str) -> Result<Secret<String>, TokenSourceError> {
    let broken = |error: h2::Error| failed(FROM, error);
    let stream = UnixStream::connect(path).await.map_err(|error| failed(FROM, format!("{path}: {error}")))?;
    let (client, connection) = h2::client::handshake(stream).await.map_err(broken)?;
    // Ends when the last request does.
    let driver = tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri("http://localhost/SpiffeWorkloadAPI/FetchJWTSVID")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header(SECURITY_HEADER, "true")
        .body(())
        .map_err(|error| failed(FROM, error))?;
    let mut client = client.ready().await.map_err(broken)?;
    let (response, mut body) = client.send_request(request, false).map_err(broken)?;
    body.send_data(frame(&message(audience)), true).map_err(broken)?;
    let response = response.await.map_err(broken)?;
    let refused = |headers: &http::HeaderMap| {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        text("grpc-status").filter(|status| status != "0").map(|status| {
            let message: String = text("grpc-message").unwrap_or_default().chars().take(200).collect();
            failed(FROM, format!("status {status}: {message}"))
        })
    };
    if let Some(error) = refused(response.headers()) {
        return Err(error);
    }
    if !response.status().is_success() {
        return Err(failed(FROM, format!("status {}", response.status())));
    }
    let mut body = response.into_body();
    let mut answer = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(broken)?;
        // Flow control: what was read may be sent again. It fails only when the stream is gone, which the next read says.
        let _ = body.flow_control().release_capacity(chunk.len());
        answer.extend_from_slice(&chunk);
        if answer.len() > ANSWER_MAX {
            return Err(failed(FROM, format!("the answer is longer than {ANSWER_MAX} bytes")));
        }
    }
    if let Some(error) = body.trailers().await.map_err(broken)?.as_ref().and_then(refused) {
        return Err(error);
    }
    driver.abort();
    token(&answer).map(Secret::new).ok_or_else(|| failed(FROM, "the answer holds no JWT-SVID"))
}

/// `JWTSVIDRequest { repeated string audience = 1; }`
fn message(audience: &str) -> Vec<u8> {
    // Field 1, length-delimited.
    let mut out = vec![0x0a];
    put_varint(&mut out, audience.len() as u64);
    out.extend_from_slice(audience.as_bytes());
    out
}

/// gRPC over HTTP/2, "Length-Prefixed-Message": not compressed, four bytes of length.
fn frame(message: &[u8]) -> Bytes {
    let mut out = vec![0];
    out.extend_from_slice(&(message.len() as u32).to_be_bytes());
    out.extend_from_slice(message);
    out.into()
}

/// The first token of `JWTSVIDResponse { repeated JWTSVID svids = 1; }`, `JWTSVID { string svid = 2; }`.
fn token(answer: &[u8]) -> Option<String> {
    let (head, message) = answer.split_at_checked(5)?;
    let [compressed, length @ ..] = head else { return None };
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *compressed != 0 || u64::from(length) != message.len() as u64 {
        return None;
    }
    let svid = field(message, 1)?;
    let text = field(svid, 2)?;
    String::from_utf8(text.to_vec()).ok().filter(|text| !text.is_empty())
}

/// The first length-delimited field with this number (protobuf encoding).
fn field(mut message: &[u8], wanted: u64) -> Option<&[u8]> {
    while !message.is_empty() {
        let (key, rest) = varint(message)?;
        message = match key & 7 {
            0 => varint(rest)?.1,
            1 => rest.get(8..)?,
            2 => {
                let (length, rest) = varint(rest)?;
                let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                if key >> 3 == wanted {
                    return Some(value);
                }
                rest
            }
            5 => rest.get(4..)?,
            _ => return None,
        };
    }
    None
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(token: &str) -> Vec<u8> {
        let mut svid = vec![0x0a, 1, b's', 0x12];
        put_varint(&mut svid, token.len() as u64);
        svid.extend_from_slice(token.as_bytes());
        let mut message = vec![0x0a];
        put_varint(&mut message, svid.len() as u64);
        message.extend(svid);
        frame(&message).to_vec()
    }

    #[test]
    fn a_token_is_read_and_other_bytes_are_not() {
        assert_eq!(token(&answer("a.b.c")).as_deref(), Some("a.b.c"));
        assert_eq!(token(&answer(&"x".repeat(1000))).as_deref(), Some("x".repeat(1000).as_str()));
        let whole = answer("a.b.c");
        for end in 0..whole.len() {
            assert_eq!(token(&whole[..end]), None, "{end}");
        }
        let mut compressed = whole;
        compressed[0] = 1;
        assert_eq!(token(&compressed), None);
        assert_eq!(token(&answer("")), None);
    }

    #[tokio::test]
    async fn the_endpoint_is_asked_as_the_specification_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let server = tokio::spawn(async move {
            for status in ["0", "7"] {
                let (stream, _) = listener.accept().await.unwrap();
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(request) = connection.accept().await {
                    let (request, mut respond) = request.unwrap();
                    assert_eq!(request.uri().path(), "/SpiffeWorkloadAPI/FetchJWTSVID");
                    assert_eq!(request.headers()[SECURITY_HEADER], "true");
                    let response = http::Response::builder().header("content-type", "application/grpc");
                    let mut stream = respond.send_response(response.body(()).unwrap(), false).unwrap();
                    if status == "0" {
                        stream.send_data(answer("header.claims.signature").into(), false).unwrap();
                    }
                    let mut trailers = http::HeaderMap::new();
                    trailers.insert("grpc-status", status.parse().unwrap());
                    trailers.insert("grpc-message", "no identity issued".parse().unwrap());
                    stream.send_trailers(trailers).unwrap();
                }
            }
        });
        let socket = format!("unix://{}", path.display());
        assert_eq!(fetch(&socket, "sigstore").await.unwrap().expose(), "header.claims.signature");
        let refused = fetch(&socket, "sigstore").await.unwrap_err();
        assert!(refused.to_string().contains("no identity issued"), "{refused}");
        server.abort();
        for other in ["tcp://127.0.0.1:1", "/run/agent.sock", "unix:///nowhere/agent.sock"] {
            assert!(fetch(other, "sigstore").await.is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = token(&bytes);
            let _ = field(&bytes, 1);
        }
    }
}
