//! A document of any format: what is read can be written in each of the standard ones and is read back as the same packages.
#![no_main]

use assay_sbom::{CycloneDxVersion, Format, Generation, Lifecycle, Root, read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    let Ok(sbom) = read(document) else { return };
    let generation = Generation { tool_version: "0", created: Default::default(), lifecycle: Lifecycle::PostBuild };
    let xml = Format::CycloneDxXml(CycloneDxVersion::V1_6);
    for format in [Format::CYCLONEDX, xml, Format::Spdx, Format::SpdxTagValue, Format::Spdx3] {
        let mut written = Vec::new();
        write(&mut written, &sbom.contents, &Root::directory("root"), &generation, format)
            .expect("memory takes it all");
        let again = read(&written).expect("what is written is read");
        let purls = |contents: &assay_model::Contents| -> std::collections::BTreeSet<String> {
            contents.packages.iter().map(|package| package.purl.to_string()).collect()
        };
        assert_eq!(purls(&again.contents), purls(&sbom.contents));
    }
});
