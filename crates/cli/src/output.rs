//! `-o FORMAT[=FILE]`: where a result goes, and how it looks there.

use std::path::PathBuf;
use std::str::FromStr;

use assay_kinds::suggestion;
use serde::Serialize;

use crate::Result;
use crate::failure::{CliError, write_file};
use crate::printer::Printer;
use crate::render::{Page, Report};

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For machines: `schema` names the form.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for test reports.
    Junit,
    /// Markdown, for comments.
    Markdown,
    /// Workflow commands of GitHub Actions.
    Github,
    /// CycloneDX JSON.
    Cyclonedx,
    /// CycloneDX XML.
    CyclonedxXml,
    /// SPDX JSON.
    Spdx,
    /// SPDX 2.3 as lines of tags and values.
    SpdxTagValue,
    /// Syft's own JSON.
    SyftJson,
    /// Trivy's own JSON.
    TrivyJson,
    /// CycloneDX 1.6 JSON with the vulnerabilities of what is in it.
    CyclonedxVdr,
    /// The predicate of cosign's vulnerability attestations.
    CosignVuln,
    /// OpenVEX 0.2.0 JSON.
    Openvex,
    /// One HTML file.
    Html,
}

impl Format {
    const ALL: [Self; 16] = [
        Self::Text,
        Self::Json,
        Self::Sarif,
        Self::Junit,
        Self::Markdown,
        Self::Github,
        Self::Cyclonedx,
        Self::CyclonedxXml,
        Self::Spdx,
        Self::SpdxTagValue,
        Self::SyftJson,
        Self::TrivyJson,
        Self::CyclonedxVdr,
        Self::CosignVuln,
        Self::Openvex,
        Self::Html,
    ];

    /// The word as typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
            Self::Github => "github",
            Self::Cyclonedx => "cyclonedx",
            Self::CyclonedxXml => "cyclonedx-xml",
            Self::Spdx => "spdx",
            Self::SpdxTagValue => "spdx-tag-value",
            Self::SyftJson => "syft-json",
            Self::TrivyJson => "trivy-json",
            Self::CyclonedxVdr => "cyclonedx-vdr",
            Self::CosignVuln => "cosign-vuln",
            Self::Openvex => "openvex",
            Self::Html => "html",
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        // `table` is what other scanners call the form for people.
        let wanted = if text == "table" { "text" } else { text };
        Self::ALL.into_iter().find(|format| format.name() == wanted).ok_or_else(|| {
            let hint = suggestion(text, Self::ALL.map(Self::name)).map(|near| format!("; did you mean {near}?"));
            format!("`{text}` is not a format ({}){}", Self::ALL.map(Self::name).join(", "), hint.unwrap_or_default())
        })
    }
}

/// One `-o`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// How it looks.
    pub(crate) format: Format,
    /// Where it goes; none = standard output.
    pub(crate) file: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((_, "")) => Err(format!("`{text}` names no file after `=`")),
            Some((format, file)) => Ok(Self { format: format.parse()?, file: Some(file.into()) }),
            None => Ok(Self { format: text.parse()?, file: None }),
        }
    }
}

/// Writes `report` everywhere it was asked for; nowhere said = in `default` form on standard output.
pub(crate) fn emit<R: Report>(report: &R, outputs: &[Output], default: Format, printer: &Printer) -> Result<()> {
    printer.progress_done();
    let fallback = [Output { format: default, file: None }];
    for output in if outputs.is_empty() { &fallback } else { outputs } {
        let page = if output.file.is_some() { Page::file() } else { printer.stdout_page() };
        let text = render(report, output.format, page)?;
        match &output.file {
            Some(path) => {
                write_file(path, text.as_bytes())?;
                printer.note(&format!("wrote {}", path.display()));
            }
            None if output.format == Format::Text => printer.data(&text),
            None => printer.bytes(text.as_bytes()),
        }
    }
    Ok(())
}

fn render<R: Report>(report: &R, format: Format, page: Page) -> Result<String> {
    match format {
        Format::Text => Ok(report.text(page)),
        Format::Json => Ok(json(R::NAME, report)),
        other => {
            if let Some(text) = report.other(other) {
                text
            } else {
                let known = std::iter::once("text").chain(["json"]).chain(R::OTHERS.iter().map(|format| format.name()));
                let known = known.collect::<Vec<_>>().join(" | ");
                Err(CliError::Format { command: R::NAME, format: other.name(), known }.into())
            }
        }
    }
}

/// The JSON form of a result: its fields, after `schema`.
fn json<T: Serialize>(name: &str, value: &T) -> String {
    #[derive(Serialize)]
    struct Envelope<'a, T> {
        schema: String,
        #[serde(flatten)]
        value: &'a T,
    }
    let envelope = Envelope { schema: format!("assay.dev/{name}/v1"), value };
    // Reports are structs with string keys, so that writing them cannot fail.
    let mut text = serde_json::to_string_pretty(&envelope).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_a_format_and_perhaps_a_file() {
        assert_eq!("table".parse(), Ok(Output { format: Format::Text, file: None }));
        assert_eq!("sarif=a=b.json".parse(), Ok(Output { format: Format::Sarif, file: Some("a=b.json".into()) }));
        assert!("json=".parse::<Output>().is_err());
        let error = "sarfi".parse::<Output>().unwrap_err();
        assert!(error.ends_with("did you mean sarif?"), "{error}");
    }
}
