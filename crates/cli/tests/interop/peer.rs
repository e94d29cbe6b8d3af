//! Where the programs of others are.

use std::path::PathBuf;

/// What `tests/peers/install.sh` reads as well: name|way|module|version|package.
const VERSIONS: &str = include_str!("../../../../tests/peers/versions");

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}
pub(crate) use said;

/// The pinned version of a peer.
pub(crate) fn version(name: &str) -> &'static str {
    let row = VERSIONS.lines().find(|line| line.split('|').next() == Some(name));
    row.and_then(|line| line.split('|').nth(3)).unwrap_or_else(|| panic!("{name} has no row in tests/peers/versions"))
}

/// Where `tests/peers/install.sh` puts it.
pub(crate) fn path(name: &str) -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    if let Some(ready) =
        variable("KUBEBUILDER_ASSETS").map(|folder| folder.join(name)).filter(|program| program.is_file())
    {
        return ready;
    }
    let peers = variable("ASSAY_PEERS").or_else(|| Some(cache()?.join("assay/peers")));
    peers.unwrap_or_default().join(format!("{name}-{}", version(name))).join(name)
}

/// Whether all of these are there, by `ASSAY_INTEROP`.
pub(crate) fn installed(names: &[&str]) -> bool {
    present("ASSAY_INTEROP", names)
}

/// Whether all of these are there. If not, says which are missing; where they are required (`variable` says so), that is
/// a failure.
pub(crate) fn present(variable: &str, names: &[&str]) -> bool {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !path(name).is_file()).collect();
    let required = std::env::var(variable).is_ok_and(|value| value == "required");
    assert!(!required || missing.is_empty(), "missing: tests/peers/install.sh {}", missing.join(" "));
    for name in &missing {
        said!("skipped: peer {name} not installed");
    }
    missing.is_empty()
}

#[test]
fn every_peer_has_a_row_of_five_parts() {
    let rows: Vec<&str> = VERSIONS.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(rows.len() >= 12);
    for row in rows {
        let parts: Vec<&str> = row.split('|').collect();
        let numbered =
            parts.len() == 5 && (["debian", "wheel", "python"].contains(&parts[1]) || parts[3].starts_with('v'));
        assert!(numbered && parts.iter().all(|part| !part.is_empty()), "{row}");
    }
}
