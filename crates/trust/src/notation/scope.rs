//! Registry scopes: full names of repositories, as trust policies write them.
//!
//! The grammar is that of distribution's references without its defaults: a scope is never completed, so that
//! `registry` does not come to mean `docker.io/library/registry`.

/// Whether the text is `REGISTRY/REPOSITORY`.
pub(super) fn is_scope(text: &str) -> bool {
    text.split_once('/').is_some_and(|(host, path)| is_host(host) && path.split('/').all(is_component))
}

/// `name(.name)*(:port)?`
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.split('.').all(label)
        && port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Lower-case letters and digits, between them one of `.`, `_`, `__`, or any number of `-`.
fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    if !bytes.first().copied().is_some_and(word) || !bytes.last().copied().is_some_and(word) {
        return false;
    }
    text.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_are_scopes() {
        for scope in [
            "registry.example.com/a",
            "localhost:5000/a/b",
            "local/e2e",
            "10.0.0.1/a.b_c__d--e/f0",
            "REGISTRY.example.com/a",
        ] {
            assert!(is_scope(scope), "{scope}");
        }
    }

    #[test]
    fn all_else_is_none() {
        for scope in [
            "",
            "a",
            "/",
            "a/",
            "/a",
            "registry",
            "localhost:5000\\a",
            "a/*",
            "*/a",
            "https://a/b",
            "a/b:tag",
            "a/b@sha256:00",
            "a/B",
            "a//b",
            "a/b/",
            "a/-b",
            "a/b..c",
            "a/b___c",
            "a:/b",
            "a:x/b",
            "-a/b",
            "a..b/c",
            "a/b c",
        ] {
            assert!(!is_scope(scope), "{scope}");
        }
    }
}
