//! The canonical request: the one spelling of a request that both sides sign.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use assay_model::Digest;

use super::AwsRequest;

/// The canonical request, and the names of the signed headers.
pub(super) fn request(request: &AwsRequest<'_>, headers: &[(&str, &str)]) -> (String, String) {
    let mut by_name: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        by_name
            .entry(name.to_ascii_lowercase())
            .and_modify(|present| {
                present.push(',');
                present.push_str(&value);
            })
            .or_insert(value);
    }
    let names = by_name.keys().map(String::as_str).collect::<Vec<_>>().join(";");
    let mut out = format!("{}\n{}\n{}\n", request.method, path(request.path), query(request.query));
    for (name, value) in &by_name {
        let _ = writeln!(out, "{name}:{value}");
    }
    let _ = write!(out, "\n{names}\n{}", Digest::of(request.body).hex());
    (out, names)
}

/// The path without `.`, `..` and empty segments, percent-encoded.
fn path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut out = String::from("/");
    out.push_str(&segments.iter().map(|segment| encode(segment.as_bytes())).collect::<Vec<_>>().join("/"));
    if path.len() > 1 && path.ends_with('/') && !segments.is_empty() {
        out.push('/');
    }
    out
}

/// The parameters sorted by name, then by value, each encoded once.
fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(&decode(name)), encode(&decode(value)))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Percent-encodes everything but the unreserved characters (RFC 3986, section 2.3).
fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let escaped = (*byte == b'%')
            .then(|| text.get(index + 1..index + 3))
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(decoded) = escaped {
            out.push(decoded);
            index += 3;
        } else {
            out.push(*byte);
            index += 1;
        }
    }
    out
}
