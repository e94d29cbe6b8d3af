//! `WWW-Authenticate` (RFC 9110, section 11.6.1; distribution, "Token Authentication Specification").

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// What the registry wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token from `realm`.
    Bearer {
        /// URL of the token server.
        realm: String,
        /// The name of the registry towards it.
        service: Option<String>,
    },
    /// User name and password.
    Basic,
}

/// The strongest challenge that is understood: a token before a password.
pub(super) fn read(headers: &HeaderMap) -> Option<Challenge> {
    let mut basic = None;
    for value in headers.get_all(WWW_AUTHENTICATE).iter().take(8) {
        let Ok(text) = value.to_str() else { continue };
        for challenge in parse(text) {
            match challenge {
                Challenge::Bearer { .. } => return Some(challenge),
                Challenge::Basic => basic = Some(Challenge::Basic),
            }
        }
    }
    basic
}

fn parse(text: &str) -> Vec<Challenge> {
    let mut found = Vec::new();
    // Each item is `Scheme`, `Scheme key=value` or `key=value`; commas separate both challenges and parameters.
    let mut current: Option<(String, Vec<(String, String)>)> = None;
    for item in split_quoted(text) {
        let item = item.trim();
        let (head, rest) = item.split_once(char::is_whitespace).unwrap_or((item, ""));
        let parameter = if head.contains('=') {
            item
        } else {
            found.extend(current.take().and_then(finish));
            current = Some((head.to_ascii_lowercase(), Vec::new()));
            rest
        };
        if let (Some((_, parameters)), Some((key, value))) = (current.as_mut(), parameter.trim().split_once('=')) {
            parameters.push((key.trim().to_ascii_lowercase(), unquote(value.trim())));
        }
    }
    found.extend(current.take().and_then(finish));
    found
}

fn finish((scheme, parameters): (String, Vec<(String, String)>)) -> Option<Challenge> {
    let get = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    match scheme.as_str() {
        "bearer" => Some(Challenge::Bearer { realm: get("realm")?, service: get("service") }),
        "basic" => Some(Challenge::Basic),
        _ => None,
    }
}

/// Splits at commas outside quotes.
fn split_quoted(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"') else { return text.to_owned() };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let mut result = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        result.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (WWW_AUTHENTICATE, value.parse().unwrap())).collect()
    }

    #[test]
    fn challenges_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.into(), service: service.map(str::to_owned) })
        };
        for (values, expected) in [
            (
                vec![
                    r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a:pull,push""#,
                ],
                bearer("https://auth.docker.io/token", Some("registry.docker.io")),
            ),
            (vec![r"bearer Realm=https://a/t"], bearer("https://a/t", None)),
            (vec![r#"Basic realm="a, b", Bearer realm="https://a/\"t""#], bearer("https://a/\"t", None)),
            (vec!["Basic realm=\"x\"", "Bearer realm=\"https://a\""], bearer("https://a", None)),
            (vec!["Basic"], Some(Challenge::Basic)),
            (vec!["Negotiate abc=="], None),
            (vec!["Bearer service=\"no realm\""], None),
            (vec![], None),
        ] {
            assert_eq!(read(&headers(&values)), expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(text in ".{0,120}") {
            let _ = parse(&text);
        }
    }
}
