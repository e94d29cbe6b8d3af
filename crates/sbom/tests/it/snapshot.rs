//! One small document of each format, to be read by people.

use assay_sbom::{CycloneDxVersion, Format};

use crate::generated::{document, image, small};

#[test]
fn a_small_cyclonedx_document() {
    insta::assert_snapshot!(String::from_utf8(document(&small(), &image(), Format::CYCLONEDX)).unwrap());
}

#[test]
fn a_small_spdx_document() {
    insta::assert_snapshot!(String::from_utf8(document(&small(), &image(), Format::Spdx)).unwrap());
}

#[test]
fn a_small_cyclonedx_xml_document() {
    let format = Format::CycloneDxXml(CycloneDxVersion::V1_7);
    insta::assert_snapshot!(String::from_utf8(document(&small(), &image(), format)).unwrap());
}

#[test]
fn a_small_spdx_tag_value_document() {
    insta::assert_snapshot!(String::from_utf8(document(&small(), &image(), Format::SpdxTagValue)).unwrap());
}

#[test]
fn a_small_spdx_3_document() {
    insta::assert_snapshot!(String::from_utf8(document(&small(), &image(), Format::Spdx3)).unwrap());
}
