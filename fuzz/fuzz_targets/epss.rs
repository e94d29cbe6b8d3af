//! EPSS, plain and compressed.
#![no_main]

use assay_vuln::PackBuilder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|scores: &[u8]| {
    let mut builder = PackBuilder::new();
    if builder.add_exploit_predictions("epss.csv", scores).is_ok() {
        let _ = builder.build();
    }
});
