//! Facts come back by exactly the key that they follow from.

use assay_model::Digest;

use crate::fixture::{at, contents, findings};
use crate::place::{Place, on_both};

on_both!(
    contents_come_back_by_digest_and_analyser,
    layers_come_back_by_blob_and_analyser,
    findings_come_back_by_contents_and_pack,
    new_contents_replace_the_package_list_of_the_image,
);

fn contents_come_back_by_digest_and_analyser(place: &Place) {
    let store = place.open();
    let digest = Digest::of(b"image");
    let contents = contents(&[("zlib", "1.2.13")]);
    store.put_contents(digest, &contents, at(1)).unwrap();
    assert_eq!(store.contents(digest, 1).unwrap(), Some((contents, at(1))));
    assert!(store.contents(digest, 2).unwrap().is_none(), "another analyser sees other things");
    assert!(store.contents(Digest::of(b"other"), 1).unwrap().is_none());
    assert_eq!(store.known_images().unwrap(), [digest]);
}

fn layers_come_back_by_blob_and_analyser(place: &Place) {
    let store = place.open();
    store.put_layer(Digest::of(b"blob"), 1, b"found").unwrap();
    assert_eq!(store.layer(Digest::of(b"blob"), 1).unwrap().as_deref(), Some(&b"found"[..]));
    assert!(store.layer(Digest::of(b"blob"), 2).unwrap().is_none());
}

fn findings_come_back_by_contents_and_pack(place: &Place) {
    let store = place.open();
    let (subject, contents) = (Digest::of(b"image"), Digest::of(b"contents"));
    let findings = findings("CVE-2026-1234");
    store.put_findings(subject, contents, &findings).unwrap();
    assert_eq!(store.findings(contents, findings.pack.digest).unwrap(), Some(findings));
    assert!(store.findings(contents, Digest::of(b"newer pack")).unwrap().is_none());
    for id in ["CVE-2026-1234", "DEBIAN-1"] {
        assert!(store.images_with_vulnerability(id).unwrap().contains(&subject), "{id}");
    }
    assert!(store.images_with_vulnerability("CVE-2026-9999").unwrap().is_empty());
}

fn new_contents_replace_the_package_list_of_the_image(place: &Place) {
    let store = place.open();
    let digest = Digest::of(b"image");
    store.put_contents(digest, &contents(&[("zlib", "1.2.13"), ("bash", "5")]), at(1)).unwrap();
    store.put_contents(digest, &contents(&[("zlib", "1.3.1")]), at(2)).unwrap();
    assert!(store.images_with_package("bash", |_| true).unwrap().is_empty());
    assert!(store.images_with_package("zlib", |found| found.version == "1.2.13").unwrap().is_empty());
    assert!(store.images_with_package("zlib", |found| found.version == "1.3.1").unwrap().contains(&digest));
}
