//! Paths of archive entries, made comparable. Nothing here touches a file system.

/// Bytes of one path: Linux's `PATH_MAX`.
pub(crate) const PATH_BYTES: usize = 4096;

/// The path relative to the root: no leading `./` or `/`, no empty, `.` or `..` segments (`..` cannot leave the root),
/// control characters replaced so that no report can be forged. `None` where it is longer than [`PATH_BYTES`].
pub(crate) fn normalise(raw: &[u8]) -> Option<String> {
    if raw.len() > PATH_BYTES {
        return None;
    }
    let text = String::from_utf8_lossy(raw);
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let path = segments.join("/");
    if path.contains(char::is_control) {
        return Some(path.replace(char::is_control, "\u{fffd}"));
    }
    Some(path)
}

/// `directory` and `name` of a normalised path; the directory is empty at the root.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// `directory/name`, or `name` at the root.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// Where a link at `path` points to, as a normalised path.
pub(crate) fn resolve(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        normalise(target.as_bytes())
    } else {
        normalise(join(split(path).0, target).as_bytes())
    }
}

/// The proper ancestors of a normalised path, nearest first, without the root.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = path.trim_end_matches('/');
    std::iter::from_fn(move || {
        rest = rest.rsplit_once('/')?.0;
        Some(rest)
    })
}

/// The spelling of a path on a system whose `/bin`, `/sbin`, `/lib` and `/lib64` are links into `/usr`.
pub(crate) fn merged_usr(path: &str) -> std::borrow::Cow<'_, str> {
    let first = path.split('/').next().unwrap_or_default();
    if matches!(first, "bin" | "sbin" | "lib" | "lib64") && first.len() < path.len() {
        format!("usr/{path}").into()
    } else {
        path.into()
    }
}

/// 64-bit FNV-1a of a path's merged-`/usr` spelling. It only decides which of an image's own files a package of the same
/// image claims, so whoever could craft a collision could as well list the file itself.
pub(crate) fn ownership_key(path: &str) -> u64 {
    merged_usr(path)
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        for (raw, expected) in [
            ("./usr//bin/./env", "usr/bin/env"),
            ("/etc/passwd", "etc/passwd"),
            ("../../etc/shadow", "etc/shadow"),
            ("a/../../b", "b"),
            ("a\nb", "a\u{fffd}b"),
            ("./", ""),
        ] {
            assert_eq!(normalise(raw.as_bytes()).as_deref(), Some(expected));
        }
        assert_eq!(normalise(&[b'a'; PATH_BYTES + 1]), None);
    }

    #[test]
    fn links_resolve_against_their_directory() {
        assert_eq!(resolve("etc/os-release", "../usr/lib/os-release").as_deref(), Some("usr/lib/os-release"));
        assert_eq!(resolve("etc/os-release", "/usr/lib/os-release").as_deref(), Some("usr/lib/os-release"));
        assert_eq!(resolve("a", "../../../b").as_deref(), Some("b"));
    }

    #[test]
    fn ancestors_and_merged_spelling() {
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a/b", "a"]);
        assert_eq!(merged_usr("bin/sh"), "usr/bin/sh");
        assert_eq!(merged_usr("binary/sh"), "binary/sh");
        assert_eq!(ownership_key("lib/x.jar"), ownership_key("usr/lib/x.jar"));
        assert_ne!(ownership_key("opt/x.jar"), ownership_key("usr/lib/x.jar"));
    }

    proptest! {
        #[test]
        fn no_path_escapes(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            let path = normalise(&raw).unwrap();
            prop_assert!(!path.starts_with('/'));
            prop_assert!(path.split('/').all(|segment| segment != ".." && segment != "."));
            prop_assert_eq!(normalise(path.as_bytes()), Some(path));
        }
    }
}
