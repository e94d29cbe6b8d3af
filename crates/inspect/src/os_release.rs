//! `os-release(5)`: which distribution and release a root file system is.

use assay_model::OsRelease;

use crate::limits::FIELD_BYTES;

/// Where it is looked for, first one first (`os-release(5)`, "Description").
pub(crate) const PATHS: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

pub(crate) fn is_path(path: &str) -> bool {
    path == "etc/os-release" || path.starts_with("usr/lib/os-release")
}

/// Reads the assignments; `None` where there is no `ID`.
pub(crate) fn parse(bytes: &[u8]) -> Option<OsRelease> {
    let text = String::from_utf8_lossy(bytes);
    let value = |key: &str| {
        text.lines().rev().find_map(|line| {
            let (found, value) = line.trim().split_once('=')?;
            (found == key).then(|| unquote(value)).filter(|value| !value.is_empty() && value.len() <= FIELD_BYTES)
        })
    };
    Some(OsRelease {
        id: value("ID")?.to_lowercase(),
        version_id: value("VERSION_ID"),
        pretty_name: value("PRETTY_NAME"),
        id_like: value("ID_LIKE").unwrap_or_default().split_whitespace().map(str::to_lowercase).collect(),
    })
}

/// Shell quoting as `os-release(5)` allows it: one pair of quotes, backslash escapes inside double ones.
fn unquote(value: &str) -> String {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.to_owned();
    }
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return value.to_owned() };
    let mut out = String::new();
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_bare_values() {
        let release =
            parse(b"NAME=\"X\"\nID=sles\nID_LIKE='suse opensuse'\nVERSION_ID=\"15.4\"\nPRETTY_NAME=\"A \\\"B\\\"\"\n");
        let release = release.unwrap();
        assert_eq!(release.id, "sles");
        assert_eq!(release.version_id.as_deref(), Some("15.4"));
        assert_eq!(release.pretty_name.as_deref(), Some("A \"B\""));
        assert_eq!(release.id_like, ["suse", "opensuse"]);
        assert_eq!(parse(b"NAME=nothing\n"), None);
    }
}
