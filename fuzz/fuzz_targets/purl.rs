//! A package URL: its canonical form is its own canonical form.
#![no_main]

use assay_model::Purl;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(purl) = text.parse::<Purl>() {
        let canonical = purl.to_string();
        let again: Purl = canonical.parse().expect("the canonical form parses");
        assert_eq!(again.to_string(), canonical);
    }
});
