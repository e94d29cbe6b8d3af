//! The rules that hold for a script wherever it stands. Who runs it differs, and with it the id and what can happen.

use assay_model::Severity::High;

use super::ShellScript;
use crate::rule::Standard::Cwe;
use crate::rule::{Marks, Rule};

pub(crate) const fn fetch_and_run(id: &'static str, why: &'static str) -> Rule {
    let fix = "fetch a named version to a file, check its sha256, then run it";
    Rule::new(id, High, "Nothing is fetched and run in one go", why, fix).also(&[Cwe(494)])
}

pub(crate) const fn unchecked_fetch(id: &'static str) -> Rule {
    Rule::new(
        id,
        High,
        "TLS certificates and signatures are checked",
        "Anybody on the way can put something else in the place of what is fetched",
        "remove the option; add the missing authority's certificate instead",
    )
    .also(&[Cwe(295)])
}

/// Where scripts break [`fetch_and_run`].
pub(crate) fn mark_fetch_and_run<'s>(scripts: impl IntoIterator<Item = &'s ShellScript>, marks: &mut Marks<'_>) {
    for script in scripts {
        for (fetcher, runner) in script.commands.piped_into_interpreters() {
            marks.add(script.bytes(fetcher), format!("{} runs what {} fetches", runner.name(), fetcher.name()));
        }
    }
}

/// Where scripts break [`unchecked_fetch`].
pub(crate) fn mark_unchecked_fetch<'s>(scripts: impl IntoIterator<Item = &'s ShellScript>, marks: &mut Marks<'_>) {
    for script in scripts {
        for (command, how) in script.commands.unchecked_fetches() {
            marks.add(script.bytes(command), how);
        }
    }
}
