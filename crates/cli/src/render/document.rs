//! SBOM documents, as `scan` and `sbom` write them.

use std::fmt::Write as _;

use assay_model::Contents;
use assay_sbom::{Generation, Root};

use super::{Align, Page, Report, Table};
use crate::Result;
use crate::commands::sbom::SbomOutcome;
use crate::failure::CliError;
use crate::output::Format;

/// `contents` as a document, if `format` is one.
pub(super) fn document(
    contents: &Contents,
    root: &Root,
    generation: &Generation<'_>,
    format: Format,
) -> Option<Result<String>> {
    let format = match format {
        Format::Cyclonedx => assay_sbom::Format::CycloneDx,
        Format::Spdx => assay_sbom::Format::Spdx,
        _ => return None,
    };
    let mut bytes = Vec::new();
    let written = assay_sbom::write(&mut bytes, contents, root, generation, format)
        .and_then(|()| String::from_utf8(bytes).map_err(std::io::Error::other));
    Some(written.map_err(|source| CliError::System { what: "the document could not be written", source }.into()))
}

impl Report for SbomOutcome {
    const NAME: &'static str = "sbom";
    const OTHERS: &'static [Format] = &[Format::Cyclonedx, Format::Spdx];

    fn text(&self, page: Page) -> String {
        let columns =
            [("type", Align::Left), ("package", Align::Left), ("version", Align::Left), ("path", Align::Left)];
        let mut table = Table::new(page, &columns);
        for package in &self.contents.packages {
            let path = if page.detail { package.path.clone() } else { String::new() };
            table.row([package.kind.to_string(), package.name.clone(), package.version.clone(), path]);
        }
        let mut out = table.render(0);
        let packages = super::page::count(self.contents.packages.len(), "package");
        let _ = writeln!(out, "{}  {packages}", page.strong(&self.target));
        for partial in &self.contents.partial {
            let _ = writeln!(out, "{} {}", page.warn("not read to its end:"), partial.what);
        }
        out
    }

    fn other(&self, format: Format) -> Option<Result<String>> {
        document(&self.contents, &self.root, &self.generation, format)
    }
}
