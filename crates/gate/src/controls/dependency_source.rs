//! `dependency-source`: what is ours comes from where ours comes from, and nothing is named nearly like something popular.

use std::collections::BTreeSet;

use assay_model::Purl;
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::popular::{near_miss, popular};
use crate::report::Said;

/// Qualifiers by which a purl says where a package came from (purl-spec, "Known qualifiers").
const SOURCES: [&str; 3] = ["repository_url", "download_url", "vcs_url"];
/// Most near misses that are named one by one.
const NAMED_MAX: usize = 20;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    internal: Vec<Internal>,
    names: Vec<Named>,
    allow: Vec<Named>,
    require_source: bool,
}

/// Packages that only we publish.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Internal {
    /// Type of the purl: `npm`, `pypi`, `maven`.
    #[serde(rename = "type")]
    kind: String,
    /// Namespace and name as `namespace/name`; a `*` at the end stands for anything.
    name: String,
    /// URLs below which they are published.
    from: Vec<String>,
}

/// One name of one type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    name: String,
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    for internal in &wanted.internal {
        let stem = internal.name.strip_suffix('*').unwrap_or(&internal.name);
        if stem.is_empty() || stem.contains('*') {
            let name = &internal.name;
            return Err(ParameterError(format!(
                "internal: `{name}` is no name, nor a beginning of one with a * behind"
            )));
        }
        if internal.from.is_empty() || !internal.from.iter().all(|url| url.contains("://")) {
            let name = &internal.name;
            return Err(ParameterError(format!("internal: `{name}` names no URL that it comes from")));
        }
    }
    Ok(Control::subject(Reads::Contents, move |_, facts, report| {
        let contents = match facts.contents.get() {
            Ok(contents) => contents,
            Err(cause) => return report.unknown("where its packages come from", cause),
        };
        let before = report.drafts.len();
        let mut near: BTreeSet<String> = BTreeSet::new();
        for package in &contents.packages {
            let purl = &package.purl;
            match wanted.internal.iter().find(|internal| internal.holds(purl)) {
                Some(internal) => match internal.judge(purl, wanted.require_source) {
                    Source::Own => {}
                    Source::Unknown => {
                        report.warn(said(purl, "is ours by its name, and where it came from is not recorded"));
                    }
                    Source::Missing => {
                        report.fail(said(purl, "is ours by its name, and where it came from is not recorded"));
                    }
                    Source::Other(source) => report.fail(
                        said(purl, &format!("is ours by its name and came from {source}"))
                            .fix("set the registry of its scope, and change every secret that the build could read"),
                    ),
                },
                None => near.extend(wanted.near_miss(purl)),
            }
        }
        for text in near.iter().take(NAMED_MAX) {
            report.warn(Said::from(text.clone()).fix("look who publishes it; allow it by name where it is meant"));
        }
        if near.len() > NAMED_MAX {
            report.warn(format!("{} more names that are nearly popular ones", near.len() - NAMED_MAX));
        }
        if report.drafts.len() > before {
            return;
        }
        match contents.partial.first() {
            Some(partial) => {
                report
                    .error(format!("nothing from elsewhere found, but {} could not be read to its end", partial.what));
            }
            None => report.pass("no package of ours comes from elsewhere, none is named nearly like a popular one"),
        }
    }))
}

fn said(purl: &Purl, what: &str) -> Said {
    Said::from(format!("{} {what}", full_name(purl)))
}

/// `namespace/name`.
fn full_name(purl: &Purl) -> String {
    purl.namespace.as_ref().map_or_else(|| purl.name.clone(), |namespace| format!("{namespace}/{}", purl.name))
}

/// Where a package of ours came from.
enum Source {
    /// From where it is published.
    Own,
    /// Nobody wrote it down.
    Unknown,
    /// Nobody wrote it down, and that is not enough.
    Missing,
    /// From somewhere else.
    Other(String),
}

impl Internal {
    fn holds(&self, purl: &Purl) -> bool {
        let name = full_name(purl);
        purl.kind == self.kind
            && match self.name.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == self.name,
            }
    }

    fn judge(&self, purl: &Purl, require_source: bool) -> Source {
        let mut sources = SOURCES.iter().filter_map(|key| purl.qualifiers.get(*key)).peekable();
        if sources.peek().is_none() {
            return if require_source { Source::Missing } else { Source::Unknown };
        }
        // Every source that is stated must be ours: one of two is enough for an attacker.
        sources
            .find(|source| !self.from.iter().any(|own| is_below(source, own)))
            .map_or(Source::Own, |other| Source::Other(other.clone()))
    }
}

/// Whether a URL lies below another one; a prefix ends at a path boundary.
fn is_below(url: &str, prefix: &str) -> bool {
    let url = url.strip_prefix("git+").unwrap_or(url);
    let prefix = prefix.trim_end_matches('/');
    url.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

impl Wanted {
    /// What a name is nearly, and how.
    fn near_miss(&self, purl: &Purl) -> Option<String> {
        let name = full_name(purl);
        let is_named = |all: &[Named]| all.iter().any(|own| own.kind == purl.kind && own.name == name);
        // A namespace belongs to somebody: the name behind it is theirs to choose.
        if purl.namespace.is_some() || is_named(&self.allow) || is_named(&self.names) {
            return None;
        }
        let own = self.names.iter().filter(|own| own.kind == purl.kind).map(|own| own.name.as_str());
        let (other, how) = near_miss(&name, popular(&purl.kind).iter().copied().chain(own))?;
        Some(format!("{name} is nearly {other}: {how}"))
    }
}
