//! An OSV record, and the pack that it compiles to.
#![no_main]

use assay_vuln::{PackBuilder, osv};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|record: &[u8]| {
    let _ = osv::parse_record(record);
    let mut builder = PackBuilder::new();
    if builder.add_bytes("record.json", record, None).is_ok() {
        let _ = builder.build();
    }
});
