//! SBOMs of Assay before the scanners that others wrote, and theirs before Assay: each lists the very packages that the
//! other wrote down, by name, version and purl. No scanner has a network or a database: nothing here is about vulnerabilities.
//!
//! Where a program is missing its tests say so and pass; with `ASSAY_SCANNERS=required` they fail.

mod elements;
mod reader;
mod sample;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::home::Home;
use crate::peer::present;
use reader::{Listed, Reader, purls};
use sample::Sample;

/// Says whether all of these programs are there.
pub(crate) fn scanners(names: &[&str]) -> bool {
    present("ASSAY_SCANNERS", names)
}

/// A format that Assay writes: its name, its version, and what a file of it is called for those who go by names.
#[derive(Clone, Copy, Debug)]
struct Format {
    name: &'static str,
    version: &'static str,
    file: &'static str,
}

const fn format(name: &'static str, version: &'static str, file: &'static str) -> Format {
    Format { name, version, file }
}

const CYCLONEDX: [Format; 4] = [
    format("cyclonedx", "1.4", "1-4.cdx.json"),
    format("cyclonedx", "1.5", "1-5.cdx.json"),
    format("cyclonedx", "1.6", "1-6.cdx.json"),
    format("cyclonedx", "1.7", "1-7.cdx.json"),
];
const CYCLONEDX_XML: [Format; 4] = [
    format("cyclonedx-xml", "1.4", "1-4.cdx.xml"),
    format("cyclonedx-xml", "1.5", "1-5.cdx.xml"),
    format("cyclonedx-xml", "1.6", "1-6.cdx.xml"),
    format("cyclonedx-xml", "1.7", "1-7.cdx.xml"),
];
const SPDX: [Format; 2] = [format("spdx", "2.3", "2-3.spdx.json"), format("spdx-tag-value", "2.3", "2-3.spdx")];
const SPDX_3: Format = format("spdx", "3.0.1", "3-0-1.spdx3.json");

/// What Assay lists.
fn ours(home: &Home, target: &str) -> BTreeSet<Listed> {
    let said = home.assay(&["sbom", target, "-o", "json"]).ok();
    let said: Value = serde_json::from_str(&said).unwrap();
    let packages = said["packages"].as_array().unwrap();
    packages.iter().map(|package| Listed::new(&package["name"], &package["version"], &package["purl"])).collect()
}

/// Every sample in every one of these formats, as the scanner reads it.
fn reads(reader: Reader, formats: &[Format]) {
    if !scanners(&[reader.program()]) {
        return;
    }
    let home = Home::new(Vec::new());
    reader.prepare(&home);
    let mut wrong = Vec::new();
    for sample in Sample::all(&home) {
        let expected: BTreeSet<Listed> =
            ours(&home, &sample.target).into_iter().map(|listed| reader.expects(listed)).collect();
        assert!(!expected.is_empty(), "{} has nothing that {reader:?} reads", sample.name);
        for format in formats {
            let file = format!("{}-{}", sample.name, format.file);
            let output = format!("{}={file}", format.name);
            home.assay(&["sbom", &sample.target, "-o", &output, "--spec-version", format.version]).ok();
            let found = reader.list(&home, &file);
            let missing: Vec<_> = expected.difference(&found).collect();
            let beyond: Vec<_> = found.difference(&expected).collect();
            if !missing.is_empty() || !beyond.is_empty() {
                wrong.push(format!("{file}: missing {missing:#?}, beyond {beyond:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{reader:?} reads otherwise than was written:\n{}", wrong.join("\n"));
}

#[test]
fn trivy_reads_our_cyclonedx() {
    reads(Reader::Trivy, &CYCLONEDX);
}

#[test]
fn trivy_reads_our_spdx() {
    reads(Reader::Trivy, &SPDX);
}

#[test]
fn syft_reads_our_cyclonedx() {
    reads(Reader::Syft, &CYCLONEDX);
    reads(Reader::Syft, &CYCLONEDX_XML);
}

#[test]
fn syft_reads_our_spdx() {
    reads(Reader::Syft, &[SPDX[0], SPDX[1], SPDX_3]);
}

#[test]
fn grype_reads_our_documents() {
    // CycloneDX 1.7 is newer than this version of it.
    let formats = [CYCLONEDX[0], CYCLONEDX[1], CYCLONEDX[2], CYCLONEDX_XML[2], SPDX[0], SPDX[1]];
    reads(Reader::Grype, &formats);
}

#[test]
fn osv_scanner_reads_our_documents() {
    let formats = [CYCLONEDX[0], CYCLONEDX[1], CYCLONEDX[2], CYCLONEDX_XML[0], CYCLONEDX_XML[2], SPDX[0], SPDX[1]];
    reads(Reader::OsvScanner, &formats);
}

/// SPDX's own library for Python, which checks what a JSON schema cannot: references, licence expressions, purposes.
#[test]
fn spdx_tools_finds_our_documents_valid() {
    if !scanners(&["pyspdxtools"]) {
        return;
    }
    let home = Home::new(Vec::new());
    for sample in Sample::all(&home) {
        for format in SPDX {
            let file = format!("{}-{}", sample.name, format.file);
            let output = format!("{}={file}", format.name);
            home.assay(&["sbom", &sample.target, "-o", &output, "--spec-version", format.version]).ok();
            home.peer("pyspdxtools", &["--infile", &file, "--version", "SPDX-2.3"]).ok();
        }
    }
}

/// What others say of an image, in this format: every purl of theirs is still there when Assay has read it.
fn keeps(document: &str, home: &Home, file: &str, theirs: &[&str]) {
    let expected = purls(document, &String::from_utf8(home.read(file)).unwrap());
    assert!(expected.len() >= 10, "{file} has {} purls", expected.len());
    for format in theirs.iter().chain(&["cyclonedx"]) {
        let converted = format!("{file}.converted");
        home.assay(&["sbom", "convert", file, "-o", &format!("{format}={converted}")]).ok();
        let kept = purls(format, &String::from_utf8(home.read(&converted)).unwrap());
        let lost: Vec<_> = expected.difference(&kept).collect();
        assert!(lost.is_empty(), "{file} to {format} loses {lost:#?}");
    }
}

#[test]
fn assay_reads_what_trivy_says_of_an_image() {
    if !scanners(&["trivy"]) {
        return;
    }
    let home = Home::new(Vec::new());
    Reader::Trivy.prepare(&home);
    let sample = Sample::of_everything(&home);
    for format in ["json", "cyclonedx", "spdx-json", "spdx"] {
        let file = format!("trivy.{format}");
        reader::trivy(
            &home,
            &["image", "--input", sample.layout(), "--list-all-pkgs", "--format", format, "-o", &file],
        );
        keeps(&format!("trivy {format}"), &home, &file, &["spdx"]);
    }
}

#[test]
fn assay_reads_what_syft_says_of_an_image() {
    if !scanners(&["syft"]) {
        return;
    }
    let home = Home::new(Vec::new());
    let sample = Sample::of_everything(&home);
    for format in ["syft-json", "cyclonedx-json", "cyclonedx-xml", "spdx-json", "spdx-tag-value"] {
        let file = format!("syft.{format}");
        let output = format!("{format}={file}");
        home.peer("syft", &["scan", "--quiet", &format!("oci-dir:{}", sample.layout()), "-o", &output]).ok();
        keeps(&format!("syft {format}"), &home, &file, &["spdx"]);
    }
}
