//! Rules of the source that no compiler checks.

use std::path::{Path, PathBuf};

/// Longest file; aim for 300.
const LINES_MAX: usize = 800;

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![crates()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && name != "data" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 50, "the walk finds the sources");
    found
}

#[test]
fn no_file_is_too_long_and_none_is_called_mod_rs() {
    for (path, text) in sources() {
        assert!(text.lines().count() <= LINES_MAX, "{} has {} lines", path.display(), text.lines().count());
        let name = path.file_stem().unwrap().to_string_lossy();
        assert!(!["mod", "utils", "util", "helpers", "common", "misc"].contains(&&*name), "{}", path.display());
    }
}

/// The text before the inline test module, without comments, for files that ship.
fn production(path: &Path, text: &str) -> Option<String> {
    let path = path.strip_prefix(crates()).unwrap();
    let test =
        path.components().any(|part| ["tests", "benches", "examples"].contains(&&*part.as_os_str().to_string_lossy()));
    // A build script speaks to cargo on standard output.
    if test || path.ends_with("tests.rs") || path.ends_with("build.rs") {
        return None;
    }
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn production_code_does_not_panic_by_design() {
    let forbidden = [".unwrap()", ".expect(\"", "panic!(", "todo!(", "unimplemented!(", "unreachable!("];
    let mut scanned = 0;
    for (path, text) in sources() {
        // The sandbox is a test double: the server image is built without it.
        let Some(code) = production(&path, &text).filter(|_| !path.starts_with(crates().join("sandbox"))) else {
            continue;
        };
        scanned += 1;
        for word in forbidden {
            assert!(!code.contains(word), "{} has {word}", path.display());
        }
    }
    assert!(scanned > 40);
}

#[test]
fn only_the_printer_prints() {
    for (path, text) in sources() {
        let Some(code) = production(&path, &text) else { continue };
        let printer = path.ends_with("cli/src/printer.rs");
        for word in ["println!(", "eprintln!(", "print!(", "io::stdout()", "std::io::stdout"] {
            assert!(printer || !code.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn the_scan_itself_sees_what_it_should() {
    let text = "fn a() { b.unwrap(); }\n// c.unwrap()\n#[cfg(test)]\nmod tests { d.unwrap() }\n";
    let code = production(&crates().join("x/src/a.rs"), text).unwrap();
    assert_eq!(code.matches(".unwrap()").count(), 1);
    assert!(production(&crates().join("x/tests/it/a.rs"), text).is_none());
}
