//! An image reference: what parses is written back as something that means the same.
#![no_main]

use assay_model::Reference;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        let again: Reference = reference.to_string().parse().expect("what is written back parses");
        assert_eq!(again.repository(), reference.repository());
        assert_eq!(again.effective_tag(), reference.effective_tag());
        assert_eq!(again.digest(), reference.digest());
    }
});
