//! SBOM documents, as `scan` and `sbom` write them.

use std::fmt::Write as _;

use assay_model::Contents;
use assay_sbom::{Generation, Root, Subject};

use super::{Align, Page, Report, Table};
use crate::Result;
use crate::commands::sbom::{DiffOutcome, SbomOutcome, ScoreOutcome, SpecVersion};
use crate::failure::CliError;
use crate::output::Format;

/// The formats of documents.
pub(super) const FORMATS: &[Format] =
    &[Format::Cyclonedx, Format::CyclonedxXml, Format::Spdx, Format::SpdxTagValue, Format::SyftJson, Format::TrivyJson];

/// `contents` as a document, if `format` is one.
pub(super) fn document(
    contents: &Contents,
    root: &Root,
    generation: &Generation<'_>,
    format: Format,
    version: SpecVersion,
) -> Option<Result<String>> {
    let format = match format {
        Format::Cyclonedx => assay_sbom::Format::CycloneDx(version.cyclonedx()),
        Format::CyclonedxXml => assay_sbom::Format::CycloneDxXml(version.cyclonedx()),
        Format::Spdx if version == SpecVersion::Spdx3 => assay_sbom::Format::Spdx3,
        Format::Spdx => assay_sbom::Format::Spdx,
        Format::SpdxTagValue => assay_sbom::Format::SpdxTagValue,
        Format::SyftJson => assay_sbom::Format::Syft,
        Format::TrivyJson => assay_sbom::Format::Trivy,
        _ => return None,
    };
    let mut bytes = Vec::new();
    let written = assay_sbom::write(&mut bytes, contents, root, generation, format)
        .and_then(|()| String::from_utf8(bytes).map_err(std::io::Error::other));
    Some(written.map_err(|source| CliError::System { what: "the document could not be written", source }.into()))
}

impl Report for SbomOutcome {
    const NAME: &'static str = "sbom";
    const OTHERS: &'static [Format] = FORMATS;

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
        if let Some(enriched) = &self.enriched {
            let _ = writeln!(out, "{enriched}");
        }
        for partial in &self.contents.partial {
            let _ = writeln!(out, "{} {}", page.warn("not read to its end:"), partial.what);
        }
        out
    }

    fn other(&self, format: Format) -> Option<Result<String>> {
        document(&self.contents, &self.root, &self.generation, format, self.version)
    }
}

impl Report for DiffOutcome {
    const NAME: &'static str = "sbom-diff";

    fn text(&self, page: Page) -> String {
        let mut table = Table::new(
            page,
            &[("", Align::Left), ("package", Align::Left), ("before", Align::Left), ("after", Align::Left)],
        );
        for purl in &self.difference.removed {
            table.row(["removed".to_owned(), purl.clone(), String::new(), String::new()]);
        }
        for purl in &self.difference.added {
            table.row(["added".to_owned(), purl.clone(), String::new(), String::new()]);
        }
        for change in &self.difference.changed {
            let shown = |text: &String| if text.is_empty() { "-".to_owned() } else { text.clone() };
            let name = format!("{} {}", change.kind, change.name);
            table.row([change.field.as_str().to_owned(), name, shown(&change.before), shown(&change.after)]);
        }
        let mut out = table.render(0);
        let _ = writeln!(
            out,
            "{} added, {} removed, {} changed",
            self.difference.added.len(),
            self.difference.removed.len(),
            self.difference.changed.len()
        );
        out
    }
}

/// Components that are named for a requirement where not all are asked for.
const NAMED: usize = 3;

impl Report for ScoreOutcome {
    const NAME: &'static str = "sbom-score";

    fn text(&self, page: Page) -> String {
        let mut out = format!("{}  {} {}\n", page.strong(&self.target), self.format, self.version);
        for score in &self.scores {
            let _ = writeln!(out, "\n{}  {} %", page.strong(score.standard.title()), score.percent);
            for one in &score.requirements {
                let holds = one.met == one.of;
                let mark = if holds { page.good("yes") } else { page.bad("no ") };
                let share = match one.subject {
                    Subject::Document => String::new(),
                    Subject::Components => format!("  {} of {}", one.met, one.of),
                };
                let _ = writeln!(out, "  {mark}  {}{share}", one.name);
                let shown = if page.detail { one.missing.len() } else { NAMED };
                for purl in one.missing.iter().take(shown) {
                    let _ = writeln!(out, "         {purl}");
                }
                if let Some(more @ 1..) = one.missing.len().checked_sub(shown) {
                    let _ = writeln!(out, "         and {more} more (-v or -o json names all)");
                }
            }
        }
        out
    }
}
