//! One file of each kind that the registry of package ecosystems lists: the first byte chooses which.
#![no_main]

use assay_inspect::{DirectoryOptions, Limits, inspect_bytes, registry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let patterns: Vec<&str> = registry().flat_map(|row| row.files).copied().collect();
    let pattern = patterns[usize::from(choice) % patterns.len()];
    let path = pattern.replace("**", "some/place").replace('*', "x-1.0");
    // Small bounds, so that the fuzzer meets them.
    let limits =
        Limits { file_bytes: 4 << 20, nested_bytes: 8 << 20, archive_entries: 1_000, packages: 1_000, ..Limits::default() };
    let options = DirectoryOptions { limits, ..DirectoryOptions::default() };
    let contents = inspect_bytes(&path, bytes, &options);
    assert_eq!(contents, inspect_bytes(&path, bytes, &options), "the same bytes say the same");
    for package in &contents.packages {
        assert!(!package.name.is_empty() || !package.path.is_empty());
        assert!(!package.name.contains('\n') && !package.version.contains('\n'), "names are one line");
    }
});
