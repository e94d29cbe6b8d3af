//! How long a decision takes: a Pod with ten verified images.

use std::time::Instant;

use assay_gate::decide;
use serde_json::json;

use crate::fixture::Fixture;

/// Far above what an optimised build needs, so that this only fails when something became much slower: an unoptimised
/// build on a busy machine is allowed a hundred times the target of 100 microseconds.
const MICROSECONDS_MAX: u128 = 10_000;

#[test]
fn ten_verified_images_are_decided_quickly() {
    let base = Fixture::base();
    let platforms = base.value["facts"]["registry.example.com/release/payments/api@sha256:index"].clone();
    let images: Vec<String> =
        (0..10).map(|n| format!("registry.example.com/release/payments/api-{n}@sha256:index")).collect();
    let container = |(n, image): (usize, &String)| json!({"name": format!("c{n}"), "image": image, "securityContext": {"allowPrivilegeEscalation": false}});
    let containers: Vec<_> = images.iter().enumerate().map(container).collect();
    let facts: serde_json::Map<_, _> = images.iter().map(|image| (image.clone(), platforms.clone())).collect();
    let mut value = base.value.clone();
    value["object"]["spec"]["containers"] = json!(containers);
    value["facts"] = facts.into();
    value["policy"]["environments"]["prod"]["signers"][0]["repositories"] =
        json!(["registry.example.com/release/payments/"]);
    let fixture = Fixture::new(value);
    let (policy, case, now) = (fixture.policy(), fixture.case(), fixture.now());
    // The signer's prefix ends at a path boundary, which `payments/api-0` lies below.
    assert!(decide(&policy, &case, now).allowed, "{:?}", decide(&policy, &case, now).denials().next());
    let best = (0..50)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(decide(&policy, &case, now));
            start.elapsed().as_micros()
        })
        .min()
        .unwrap();
    eprintln!("decide() for ten verified images: {best} microseconds at best");
    assert!(best < MICROSECONDS_MAX, "{best} microseconds");
}
