//! Weaknesses published for other scanners; each test is named after one.

use std::path::Path;

/// syft: temporary files were left behind when a scan failed. Inspection streams: nothing in this crate can write a file.
#[test]
fn cve_2026_33481_inspection_writes_no_file() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut scanned = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
            for word in ["File::create", "fs::write", "OpenOptions", "create_dir", "tempfile", "temp_dir"] {
                assert!(path.ends_with("tests.rs") || !code.contains(word), "{} has {word}", path.display());
            }
            scanned += 1;
        }
    }
    assert!(scanned > 20, "{scanned} files");
}
