//! An OpenVEX or CycloneDX document, applied to a finding.
#![no_main]

use assay_vuln::vex::{Origin, VexDocument};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let _ = VexDocument::read("vex.json", document, Origin::Given);
    let marked = [br#"{"statements": "#.as_slice(), document, b"}"].concat();
    let _ = VexDocument::read("vex.json", &marked, Origin::Unsigned);
});
