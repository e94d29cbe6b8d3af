//! The vendor's test suite: every case that normalises paths, which all services but S3 do.

use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// Cases in `tests/data/sigv4`.
const CASES: usize = 31;

#[derive(Deserialize)]
struct Context {
    credentials: Keys,
    region: String,
    service: String,
    timestamp: Timestamp,
    sign_body: bool,
    #[serde(default)]
    omit_session_token: bool,
}

#[derive(Deserialize)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
}

/// A request in the suite's form: request line, headers, empty line, body. A header line that begins with a space
/// continues the one before.
fn split(text: &str) -> (String, String, Vec<(String, String)>, String) {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end_matches('\n'), ""));
    let mut lines = head.split('\n');
    let first = lines.next().unwrap().trim_end();
    let (method, rest) = first.split_once(' ').unwrap();
    let target = rest.rsplit_once(' ').unwrap().0.to_owned();
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with(' ') {
            let last = headers.last_mut().unwrap();
            last.1 = format!("{} {}", last.1, line.trim());
        } else {
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    (method.to_owned(), target, headers, body.to_owned())
}

#[test]
fn the_vendors_test_suite_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sigv4");
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    for case in &cases {
        let text = |name: &str| std::fs::read_to_string(case.join(name)).unwrap();
        let context: Context = serde_json::from_str(&text("context.json")).unwrap();
        let request_text = text("request.txt");
        let (method, target, headers, body) = split(&request_text);
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let payload = Digest::of(body.as_bytes()).hex();
        if context.sign_body {
            headers.push(("x-amz-content-sha256", &payload));
        }
        let credentials = AwsCredentials {
            access_key_id: context.credentials.access_key_id,
            secret_access_key: Secret::new(context.credentials.secret_access_key),
            session_token: context.credentials.token.filter(|_| !context.omit_session_token).map(Secret::new),
        };
        let request = AwsRequest { method: &method, path, query, headers: &headers, body: body.as_bytes() };
        let mut signed = headers.clone();
        let time = context.timestamp.strftime("%Y%m%dT%H%M%SZ").to_string();
        signed.push(("x-amz-date", &time));
        if let Some(token) = &credentials.session_token {
            signed.push(("x-amz-security-token", token.expose()));
        }
        assert_eq!(canonical::request(&request, &signed).0, text("header-canonical-request.txt"), "{}", case.display());
        let scope = AwsScope { region: &context.region, service: &context.service };
        let signature = credentials.sign(&request, scope, context.timestamp);
        let expected = format!("Signature={}", text("header-signature.txt").trim());
        assert!(signature.authorization.expose().ends_with(&expected), "{}", case.display());
        assert_eq!(signature.date, time);
    }
    assert_eq!(cases.len(), CASES);
}

#[test]
fn a_signature_does_not_print() {
    let credentials = AwsCredentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("hunter2".to_owned()),
        session_token: Some(Secret::new("hunter3".to_owned())),
    };
    let request = AwsRequest { method: "GET", path: "/", query: "", headers: &[("host", "a")], body: b"" };
    let scope = AwsScope { region: "eu-central-1", service: "kms" };
    let signature = credentials.sign(&request, scope, "2026-11-21T08:00:00Z".parse().unwrap());
    let shown = format!("{credentials:?} {signature:?}");
    assert!(!shown.contains("hunter") && !shown.contains("Signature="), "{shown}");
}

proptest! {
    #[test]
    fn any_path_and_query_can_be_signed(path in ".{0,40}", query in ".{0,40}") {
        let credentials = AwsCredentials {
            access_key_id: String::new(),
            secret_access_key: Secret::new(String::new()),
            session_token: None,
        };
        let request = AwsRequest { method: "GET", path: &path, query: &query, headers: &[("host", "a")], body: b"" };
        let signature = credentials.sign(&request, AwsScope { region: "", service: "" }, Timestamp::UNIX_EPOCH);
        prop_assert!(signature.authorization.expose().is_ascii());
    }
}
