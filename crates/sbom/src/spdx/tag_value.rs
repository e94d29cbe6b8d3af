//! SPDX 2 as lines of tags and values (SPDX 2.3, clauses 6 to 11 name each field's tag).

use std::fmt::Write as _;
use std::mem;

use super::{
    Checksum, CreationInfo, DOCUMENT, Document, ExternalReference, ExtractedLicence, NOASSERTION, Package, Relationship,
};
use crate::SbomError;

/// What the errors call the format.
const FORMAT: &str = "SPDX tag-value";
const OPEN: &str = "<text>";
const CLOSE: &str = "</text>";

/// The document as lines.
pub(crate) fn write(document: &Document) -> String {
    let mut out = String::new();
    let info = &document.creation_info;
    tag(&mut out, "SPDXVersion", &document.spdx_version);
    tag(&mut out, "DataLicense", document.data_license);
    tag(&mut out, "SPDXID", document.id);
    tag(&mut out, "DocumentName", &document.name);
    tag(&mut out, "DocumentNamespace", &document.document_namespace);
    tag(&mut out, "LicenseListVersion", &info.license_list_version);
    info.creators.iter().for_each(|creator| tag(&mut out, "Creator", creator));
    tag(&mut out, "Created", &info.created);
    tag(&mut out, "CreatorComment", &info.comment);
    for package in &document.packages {
        out.push('\n');
        write_package(&mut out, package);
    }
    for licence in &document.has_extracted_licensing_infos {
        out.push('\n');
        tag(&mut out, "LicenseID", &licence.license_id);
        tag(&mut out, "ExtractedText", &licence.extracted_text);
        tag(&mut out, "LicenseName", licence.name.as_deref().unwrap_or(NOASSERTION));
    }
    out.push('\n');
    for relationship in &document.relationships {
        let Relationship { spdx_element_id, relationship_type, related_spdx_element } = relationship;
        let _ = writeln!(out, "Relationship: {spdx_element_id} {relationship_type} {related_spdx_element}");
    }
    out
}

fn write_package(out: &mut String, package: &Package) {
    let optional = |out: &mut String, name: &str, value: &Option<String>| {
        if let Some(value) = value {
            tag(out, name, value);
        }
    };
    tag(out, "PackageName", &package.name);
    tag(out, "SPDXID", &package.id);
    optional(out, "PackageVersion", &package.version_info);
    optional(out, "PackageSupplier", &package.supplier);
    tag(out, "PackageDownloadLocation", package.download_location);
    tag(out, "FilesAnalyzed", if package.files_analyzed { "true" } else { "false" });
    for checksum in &package.checksums {
        let _ = writeln!(out, "PackageChecksum: {}: {}", checksum.algorithm, checksum.checksum_value);
    }
    optional(out, "PackageSourceInfo", &package.source_info);
    optional(out, "PackageComment", &package.comment);
    optional(out, "PackageLicenseConcluded", &package.license_concluded);
    optional(out, "PackageLicenseDeclared", &package.license_declared);
    tag(out, "PackageCopyrightText", package.copyright_text);
    optional(out, "PackageDescription", &package.description);
    // The one word that JSON writes otherwise (clause 7.24).
    optional(
        out,
        "PrimaryPackagePurpose",
        &package.primary_package_purpose.as_ref().map(|word| word.replace("OPERATING_SYSTEM", "OPERATING-SYSTEM")),
    );
    for reference in &package.external_refs {
        let ExternalReference { reference_category, reference_type, reference_locator } = reference;
        let _ = writeln!(out, "ExternalRef: {reference_category} {reference_type} {reference_locator}");
    }
}

/// One field. Values that are more than one line, or that reading would trim, stand between `<text>` and `</text>`.
fn tag(out: &mut String, name: &str, value: &str) {
    if value.contains(['\n', '\r']) || value.trim() != value || value.contains(OPEN) || value.contains(CLOSE) {
        let _ = writeln!(out, "{name}: {OPEN}{}{CLOSE}", value.replace(CLOSE, "< /text>"));
    } else {
        let _ = writeln!(out, "{name}: {value}");
    }
}

/// What the fields that come next belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Document,
    Package,
    Licence,
    /// A file or a snippet, which are not kept.
    Other,
}

/// Reads a document from its lines.
pub(crate) fn read(text: &str) -> Result<Document, SbomError> {
    let mut document = Document { id: DOCUMENT, ..Document::default() };
    let mut section = Section::Document;
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let malformed = |reason: &str| SbomError::Malformed {
            format: FORMAT,
            line: number + 1,
            column: 1,
            reason: reason.to_owned(),
        };
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a line without a tag"))?;
        let value = value.trim();
        let mut whole = value.to_owned();
        if let Some(rest) = value.strip_prefix(OPEN) {
            rest.clone_into(&mut whole);
            while !whole.contains(CLOSE) {
                let (_, more) = lines.next().ok_or_else(|| malformed("a text without its end"))?;
                whole.push('\n');
                whole.push_str(more);
            }
            let end = whole.find(CLOSE).unwrap_or(whole.len());
            whole.truncate(end);
        }
        section = match name {
            "PackageName" => Section::Package,
            "FileName" | "SnippetSPDXID" | "Reviewer" => Section::Other,
            "LicenseID" => Section::Licence,
            _ => section,
        };
        field(&mut document, section, name, whole);
    }
    if document.spdx_version.is_empty() {
        return Err(SbomError::NotAnSbom { reason: "it has no SPDXVersion".to_owned() });
    }
    Ok(document)
}

/// Keeps one field; those that [`Package`] and the others have no place for go by.
fn field(document: &mut Document, section: Section, name: &str, value: String) {
    if name == "Relationship" {
        document.relationships.extend(relationship(&value));
        return;
    }
    match section {
        Section::Document => document_field(document, name, value),
        Section::Package => {
            if name == "PackageName" {
                document.packages.push(Package { name: value, ..Package::default() });
            } else if let Some(package) = document.packages.last_mut() {
                package_field(package, name, value);
            }
        }
        Section::Licence => {
            let licences = &mut document.has_extracted_licensing_infos;
            match (name, licences.last_mut()) {
                ("LicenseID", _) => {
                    licences.push(ExtractedLicence { license_id: value, extracted_text: String::new(), name: None });
                }
                ("ExtractedText", Some(licence)) => licence.extracted_text = value,
                ("LicenseName", Some(licence)) => licence.name = Some(value),
                _ => {}
            }
        }
        Section::Other => {}
    }
}

fn document_field(document: &mut Document, name: &str, value: String) {
    let CreationInfo { created, creators, comment, license_list_version } = &mut document.creation_info;
    match name {
        "SPDXVersion" => document.spdx_version = value,
        "DocumentName" => document.name = value,
        "DocumentNamespace" => document.document_namespace = value,
        "LicenseListVersion" => *license_list_version = value,
        "Creator" => creators.push(value),
        "Created" => *created = value,
        "CreatorComment" => *comment = value,
        _ => {}
    }
}

fn package_field(package: &mut Package, name: &str, mut value: String) {
    let value = &mut value;
    match name {
        "SPDXID" => package.id = mem::take(value),
        "PackageVersion" => package.version_info = Some(mem::take(value)),
        "PackageSupplier" => package.supplier = Some(mem::take(value)),
        "PackageSourceInfo" => package.source_info = Some(mem::take(value)),
        "PackageComment" => package.comment = Some(mem::take(value)),
        "PackageLicenseConcluded" => package.license_concluded = Some(mem::take(value)),
        "PackageLicenseDeclared" => package.license_declared = Some(mem::take(value)),
        "PackageDescription" => package.description = Some(mem::take(value)),
        "PrimaryPackagePurpose" => package.primary_package_purpose = Some(mem::take(value)),
        "PackageChecksum" => {
            if let Some((algorithm, digest)) = value.split_once(':') {
                let (algorithm, checksum_value) = (algorithm.trim().to_owned(), digest.trim().to_owned());
                package.checksums.push(Checksum { algorithm, checksum_value });
            }
        }
        "ExternalRef" => {
            let mut words = value.split_whitespace().map(str::to_owned);
            if let (Some(reference_category), Some(reference_type), Some(reference_locator)) =
                (words.next(), words.next(), words.next())
            {
                package.external_refs.push(ExternalReference { reference_category, reference_type, reference_locator });
            }
        }
        _ => {}
    }
}

fn relationship(text: &str) -> Option<Relationship> {
    let mut words = text.split_whitespace().map(str::to_owned);
    Some(Relationship {
        spdx_element_id: words.next()?,
        relationship_type: words.next()?,
        related_spdx_element: words.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_several_lines_stand_between_their_marks() {
        for value in ["one", "two\nlines", " spaced ", "<text>", "a:b"] {
            let mut out = "SPDXVersion: SPDX-2.3\n".to_owned();
            tag(&mut out, "DocumentName", value);
            assert_eq!(read(&out).unwrap().name, value, "{out}");
        }
    }

    #[test]
    fn files_between_packages_are_passed_over() {
        let text = "SPDXVersion: SPDX-2.2\n# comment\nPackageName: a\nSPDXID: SPDXRef-a\nPackageChecksum: SHA256: AB\n\
                    FileName: ./x\nSPDXID: SPDXRef-file\nPackageName: b\nPackageVersion: 2\n\
                    ExternalRef: PACKAGE-MANAGER purl pkg:npm/b@2\nRelationship: SPDXRef-a DEPENDS_ON SPDXRef-b\n";
        let document = read(text).unwrap();
        let names: Vec<_> = document.packages.iter().map(|package| (&*package.name, &*package.id)).collect();
        assert_eq!(names, [("a", "SPDXRef-a"), ("b", "")]);
        assert_eq!(document.relationships.len(), 1);
    }

    #[test]
    fn what_is_no_line_of_the_format_is_an_error() {
        assert!(matches!(read("SPDXVersion: SPDX-2.3\nnonsense"), Err(SbomError::Malformed { line: 2, .. })));
        assert!(matches!(read("A: <text>x"), Err(SbomError::Malformed { line: 1, .. })));
        assert!(matches!(read("A: b"), Err(SbomError::NotAnSbom { .. })));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(SPDXVersion: SPDX-2.3\n|PackageName: |<text>|</text>|: |\n|\\PC){0,30}") {
            let _ = read(&text);
        }
    }
}
