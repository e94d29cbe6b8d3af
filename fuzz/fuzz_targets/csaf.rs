//! A CSAF document, as a feed and as VEX.
#![no_main]

use assay_vuln::PackBuilder;
use assay_vuln::vex::{Origin, VexDocument};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    // The feed is told by these words; the rest is the fuzzer's.
    let marked = [br#"{"document": {"csaf_version": "2.0", "tracking": {"id": "CVE-1"}}, "#, document].concat();
    let mut builder = PackBuilder::new();
    if builder.add_bytes("csaf.json", &marked, None).is_ok() {
        let _ = builder.build();
    }
    let _ = VexDocument::read("csaf.json", document, Origin::Given);
});
