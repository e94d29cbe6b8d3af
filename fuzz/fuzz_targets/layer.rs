//! A layer blob: decompression, tar, package databases, archives inside, binaries, secrets.
#![no_main]

use assay_inspect::{Limits, inspect_layer, merge};
use assay_model::Digest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|blob: &[u8]| {
    // Small bounds, so that the fuzzer meets them.
    let limits = Limits {
        layer_bytes: 16 << 20,
        ratio_floor: 1 << 20,
        entries: 10_000,
        path_bytes: 1 << 20,
        file_bytes: 4 << 20,
        nested_bytes: 8 << 20,
        archive_entries: 1_000,
        packages: 1_000,
        secrets: 100,
        ..Limits::default()
    };
    let digest = Digest::of(blob);
    if let Ok(layer) = inspect_layer(blob, &digest, "", &limits) {
        let contents = merge(&[layer], None);
        assert_eq!(contents.layers.len(), 1);
        assert_eq!(contents.layers[0].digest, digest);
    }
    let other = Digest::of(b"another blob");
    assert!(inspect_layer(blob, &other, "", &limits).is_err() || digest == other, "the digest is always checked");
});
