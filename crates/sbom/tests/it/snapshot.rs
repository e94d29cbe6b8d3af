//! One small document of each format, to be read by people.

use assay_sbom::Format;

use crate::generated::{document, image, small};

#[test]
fn a_small_cyclonedx_document() {
    insta::assert_snapshot!(String::from_utf8(document(&small(), &image(), Format::CycloneDx)).unwrap());
}

#[test]
fn a_small_spdx_document() {
    insta::assert_snapshot!(String::from_utf8(document(&small(), &image(), Format::Spdx)).unwrap());
}
