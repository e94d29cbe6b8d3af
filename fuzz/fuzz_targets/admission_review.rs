//! An AdmissionReview: parsed, and turned into what the Gate is asked.
#![no_main]

use assay_kube::Review;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(review) = Review::parse(body) {
        let _ = review.admission(None);
    }
});
