//! How releases, inventories, traces and decisions look.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use assay_case::{ControlOutcome, Operation, Outcome, Verdict};
use assay_model::Timestamp;
use assay_store::InventoryRow;

use super::page::{count, cut};
use super::{Align, Page, Report, Table};
use crate::commands::decisions::ExpireOutcome;
use crate::commands::inventory::{InventoryOutcome, SyncOutcome, WhoRunsOutcome};
use crate::commands::release::{ApproveOutcome, CreateOutcome, LedgerOutcome, PromoteOutcome, Rebuilt, StatusOutcome};
use crate::commands::trace::{ExplainOutcome, Standing, TraceOutcome};

/// Packages named in a difference; the rest is counted.
const PACKAGES_MAX: usize = 5;

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The outcomes of a verdict that say no, with `-v` the warnings too, and what passed by name.
fn write_verdict(out: &mut String, verdict: &Verdict, page: Page) {
    let shown = |outcome: &&ControlOutcome| outcome.denies() || (page.detail && outcome.warns());
    for outcome in verdict.outcomes.iter().filter(shown) {
        let control = outcome.control.as_str();
        let control = if outcome.denies() { page.bad(control) } else { page.warn(control) };
        let name = if outcome.target.name.is_empty() { "" } else { &outcome.target.name };
        let separator = if name.is_empty() { "" } else { ": " };
        let message = format!("{name}{separator}{}", outcome.message);
        let _ = writeln!(out, "  {control}");
        let _ = writeln!(out, "    {}", page.wrap(&message, 4));
        if let Some(fix) = &outcome.fix {
            let _ = writeln!(out, "    fix   {}", page.wrap(fix, 10));
        }
    }
    if page.detail {
        write_passed(out, verdict, page);
    }
    for note in &verdict.exceptions {
        let text = match &note.ignored {
            None => format!("exception {} lifts {}", note.name, note.control),
            Some(why) => format!("exception {} does nothing for {}: {why}", note.name, note.control),
        };
        let _ = writeln!(out, "  {}", page.wrap(&text, 4));
    }
    for note in &verdict.notes {
        let _ = writeln!(out, "  note: {}", page.wrap(note, 8));
    }
}

/// What passed, a line each, in the order of the catalogue.
fn write_passed(out: &mut String, verdict: &Verdict, page: Page) {
    let columns = [("", Align::Left), ("", Align::Left), ("", Align::Left)];
    let mut table = Table::new(page, &columns);
    let passed = verdict.outcomes.iter().filter(|outcome| outcome.outcome <= Outcome::Pass);
    for outcome in passed {
        let name = &outcome.target.name;
        let message =
            if name.is_empty() { outcome.message.to_string() } else { format!("{name}: {}", outcome.message) };
        table.row([outcome.outcome.to_string(), outcome.control.to_string(), message]);
    }
    out.push_str(&table.render(2));
}

impl Report for CreateOutcome {
    const NAME: &'static str = "release-create";

    fn text(&self, page: Page) -> String {
        let (name, spec) = (&self.release.metadata.name, &self.release.spec);
        let mut out = format!("{}  {}@{}\n", page.strong(name), spec.image.repository, spec.image.digest);
        if let Some(tag) = &self.tag {
            let _ = writeln!(out, "  resolved    from {tag}, once");
        }
        let _ = writeln!(out, "  service     {}", spec.service);
        let by = self.source_by.as_ref().map(|by| format!(", says the provenance by {by}")).unwrap_or_default();
        let source = format!("{}@{}{by}", spec.source.repository, spec.source.commit);
        let _ = writeln!(out, "  source      {}", page.wrap(&source, 14));
        let evidence = &spec.evidence;
        let parts = [
            ("signature", &evidence.signature),
            ("sbom", &evidence.sbom),
            ("provenance", &evidence.provenance),
            ("scan", &evidence.scan),
        ];
        for (word, place) in parts {
            let by = evidence.signers.get(word).map(|by| format!(" by {by}")).unwrap_or_default();
            let short = place.as_ref().map(|place| place.rsplit('@').next().unwrap_or(place));
            let text = short.map_or_else(|| "none that verifies".to_owned(), |place| format!("{place}{by}"));
            let _ = writeln!(out, "  {word:<11} {}", page.wrap(&text, 14));
        }
        for rejected in &self.rejected {
            let _ = writeln!(out, "  does not count  {}", page.wrap(rejected, 18));
        }
        let _ = writeln!(out, "next  assay release promote {name} --to dev");
        out
    }
}

impl Report for ApproveOutcome {
    const NAME: &'static str = "release-approve";

    fn text(&self, page: Page) -> String {
        let (way, verb) = match self.operation {
            Operation::Rollback => ("the way back", "rollback"),
            _ => ("the promotion", "promote"),
        };
        let mut out = String::new();
        let _ = writeln!(out, "{}  {way} of {} to {}", page.good("approved"), self.release, self.environment);
        let _ = writeln!(out, "  digest  {}", self.digest);
        let _ = writeln!(out, "  by      {}", self.by);
        let _ = writeln!(out, "  file    {}", self.file.display());
        let (release, environment, file) = (&self.release, &self.environment, self.file.display());
        let _ = writeln!(out, "next  assay release {verb} {release} --to {environment} --approval {file}");
        out
    }
}

impl Report for PromoteOutcome {
    const NAME: &'static str = "release-promote";

    fn text(&self, page: Page) -> String {
        let mut out = String::new();
        let done = if self.operation == Operation::Rollback { "rolled back" } else { "promoted" };
        match self.entry {
            Some(number) => {
                let _ = writeln!(out, "{}  {} to {}", page.good(done), self.release, self.environment);
                let _ = writeln!(out, "  ledger    {number}");
            }
            None => {
                let _ = writeln!(out, "{}  {} to {}", page.bad("refused"), self.release, self.environment);
            }
        }
        let _ = writeln!(out, "  digest    {}", self.digest);
        if let Some(rebuilt) = &self.rebuilt {
            write_rebuilt(&mut out, rebuilt, page);
            return out;
        }
        if let Some(by) = &self.approved_by {
            let _ = writeln!(out, "  approved  by {by}");
        }
        if let Some(copied) = &self.copied {
            let text = format!(
                "to {} with {} ({} in all), read again: same digest",
                copied.to,
                count(copied.referrers, "referrer"),
                count(copied.manifests, "manifest")
            );
            let _ = writeln!(out, "  copied    {}", page.wrap(&text, 12));
        }
        let risk = self.counts.map(|counts| {
            format!("{} critical, {} high, {} exploited", counts.critical, counts.high, counts.known_exploited)
        });
        let _ = writeln!(out, "  risk      {}", risk.unwrap_or_else(|| "its vulnerabilities are not known".to_owned()));
        if let Some(decision) = &self.decision {
            let _ = writeln!(out, "  decision  {decision}");
        }
        if let Some(verdict) = &self.verdict {
            write_verdict(&mut out, verdict, page);
        }
        out
    }
}

/// What differs between the release and what was offered in its place.
fn write_rebuilt(out: &mut String, rebuilt: &Rebuilt, page: Page) {
    let _ = writeln!(out, "  offered   {}", rebuilt.offered);
    let _ = writeln!(out, "  one build goes through all environments: deploy the digest of the release");
    if let Some(why) = &rebuilt.unknown {
        let _ = writeln!(out, "  what differs is not known: {}", page.wrap(why, 4));
    }
    let Some(difference) = &rebuilt.difference else { return };
    let _ = writeln!(out, "  layers    {} of {} are the same", difference.shared_layers, difference.layers);
    let parts = [("changed", &difference.changed), ("added", &difference.added), ("removed", &difference.removed)];
    if parts.iter().all(|(_, packages)| packages.is_empty()) {
        let _ = writeln!(out, "  packages  the same; other files or build times differ");
    }
    for (word, packages) in parts.iter().filter(|(_, packages)| !packages.is_empty()) {
        let shown = if page.detail { packages.len() } else { PACKAGES_MAX };
        let mut text = packages.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
        if packages.len() > shown {
            let _ = write!(text, ", {} more (-v)", packages.len() - shown);
        }
        let _ = writeln!(out, "  {word:<9} {}", page.wrap(&text, 12));
    }
}

impl Report for LedgerOutcome {
    const NAME: &'static str = "ledger";

    fn text(&self, page: Page) -> String {
        let entries = usize::try_from(self.ledger.entries).unwrap_or(usize::MAX);
        let head = self.ledger.head.map(|head| format!("  head  {head}\n")).unwrap_or_default();
        format!("{}  {}, each hash fits the one before\n{head}", page.good("intact"), count(entries, "entry"))
    }
}

impl Report for StatusOutcome {
    const NAME: &'static str = "release-status";

    fn text(&self, page: Page) -> String {
        let mut out = String::new();
        for release in &self.releases {
            let _ = writeln!(out, "{}  {}", page.strong(&release.name), release.service);
            let _ = writeln!(out, "  {}", page.dim(release.digest));
            if release.promotions.is_empty() {
                out.push_str("  not promoted yet\n");
            }
            let columns = [("", Align::Left), ("", Align::Left), ("", Align::Left), ("", Align::Left)];
            let mut table = Table::new(page, &columns);
            for promotion in &release.promotions {
                let state = promotion.retired.as_ref().map_or(String::new(), |why| format!("retired: {why}"));
                let environment = promotion.environment.to_string();
                table.row([environment, minute(promotion.at), format!("by {}", promotion.by), state]);
            }
            out.push_str(&table.render(2));
        }
        let _ = writeln!(out, "ledger holds: {}", count(self.ledger.entries as usize, "entry"));
        out
    }
}

impl Report for SyncOutcome {
    const NAME: &'static str = "inventory-sync";

    fn text(&self, page: Page) -> String {
        let mut out = format!(
            "{}  {}, {}, {}\n",
            page.strong(&self.cluster),
            count(self.pods, "Pod"),
            count(self.containers, "container"),
            count(self.images, "image"),
        );
        for unknown in &self.unknown {
            let _ = writeln!(out, "not known: {}", unknown.image);
            let _ = writeln!(out, "  {}", page.wrap(&unknown.message, 2));
        }
        out
    }
}

impl Report for InventoryOutcome {
    const NAME: &'static str = "inventory";

    fn text(&self, page: Page) -> String {
        let columns = ["workload", "container", "image", "signed", "crit/high"].map(|title| (title, Align::Left));
        let mut table = Table::new(page, &columns);
        let cut = |text: &str, width| if page.detail { text.to_owned() } else { cut(text, width) };
        for row in &self.containers {
            let image = match (&row.repository, row.digest) {
                (Some(repository), Some(digest)) => {
                    let name = repository.path().rsplit('/').next().unwrap_or_default();
                    format!("{name}@{}", digest.hex().chars().take(12).collect::<String>())
                }
                _ => row.requested.clone(),
            };
            let signed = match row.signature {
                assay_store::SignatureState::Verified => "yes",
                assay_store::SignatureState::None => "no",
                assay_store::SignatureState::Unknown => "unknown",
            };
            let found = row.vulnerabilities.map(|counts| format!("{}/{}", counts.critical, counts.high));
            table.row([
                cut(&format!("{}/{}/{}", row.namespace, row.kind, row.workload), 32),
                cut(&row.container, 10),
                cut(&image, 22),
                signed.to_owned(),
                found.unwrap_or_else(|| "unknown".to_owned()),
            ]);
        }
        let mut out = table.render(0);
        if self.containers.is_empty() {
            out.replace_range(.., "nothing runs, as far as is known\n");
        }
        for cluster in &self.clusters {
            let _ = writeln!(out, "{}", page.dim(format!("{} as of {}", cluster.name, minute(cluster.at))));
        }
        out
    }
}

impl Report for WhoRunsOutcome {
    const NAME: &'static str = "who-runs";

    fn text(&self, page: Page) -> String {
        let rows = &self.containers;
        let name = |text: Option<&String>| text.cloned().unwrap_or_else(|| "no owner".to_owned());
        let environment =
            |row: &InventoryRow| row.environment.as_ref().map_or("unknown".to_owned(), ToString::to_string);
        let workloads: BTreeSet<_> =
            rows.iter().map(|row| (&row.cluster, &row.namespace, &row.kind, &row.workload)).collect();
        let pods: BTreeSet<_> = rows.iter().map(|row| (&row.cluster, &row.namespace, &row.pod)).collect();
        let environments: BTreeSet<String> = rows.iter().map(environment).collect();
        let owners: BTreeSet<String> = rows.iter().map(|row| name(row.owner.as_ref())).collect();
        let mut out = String::new();
        if rows.is_empty() {
            let _ = writeln!(out, "{} runs nowhere that is known", page.strong(&self.what));
        } else {
            let _ = writeln!(
                out,
                "{} runs in {}: {}, {}, {}",
                page.strong(&self.what),
                count(environments.len(), "environment"),
                count(workloads.len(), "workload"),
                count(pods.len(), "Pod"),
                count(owners.len(), "owner"),
            );
        }
        let mut columns = vec![("owner", Align::Left)];
        columns.extend(environments.iter().map(|environment| (environment.as_str(), Align::Right)));
        columns.push(("workloads", Align::Left));
        let mut table = Table::new(page, &columns);
        for owner in &owners {
            let own: Vec<_> = rows.iter().filter(|row| name(row.owner.as_ref()) == *owner).collect();
            let mut by_environment: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
            let mut names = BTreeSet::new();
            for row in own {
                let workload = (&row.cluster, &row.namespace, &row.kind, &row.workload);
                by_environment.entry(environment(row)).or_default().insert(workload);
                names.insert(format!("{}/{}", row.namespace, row.workload));
            }
            let mut cells = vec![owner.clone()];
            cells.extend(environments.iter().map(|name| by_environment.get(name).map_or(0, BTreeSet::len).to_string()));
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            cells.push(if page.detail { names } else { cut(&names, 40) });
            table.cells(cells);
        }
        if !table.is_empty() {
            out.push_str(&table.render(2));
        }
        if page.detail && !rows.is_empty() {
            out.push_str(&pods_of(rows, page));
        }
        if self.unknown > 0 {
            let images = count(self.unknown, "running image");
            let _ = writeln!(out, "{images} never looked into may hold it too: assay inventory sync");
        }
        for cluster in &self.clusters {
            let _ = writeln!(out, "{}", page.dim(format!("{} as of {}", cluster.name, minute(cluster.at))));
        }
        out
    }
}

/// Each Pod, and the containers in it that hold what was asked about.
fn pods_of(rows: &[InventoryRow], page: Page) -> String {
    let columns = ["cluster", "pod", "container", "image", "since"].map(|title| (title, Align::Left));
    let mut table = Table::new(page, &columns);
    for row in rows {
        let digest = row.digest.map(|digest| format!("@{digest}")).unwrap_or_default();
        let repository = row.repository.as_ref().map_or_else(|| row.requested.clone(), ToString::to_string);
        table.row([
            row.cluster.clone(),
            format!("{}/{}", row.namespace, row.pod),
            row.container.clone(),
            format!("{repository}{digest}"),
            row.deployed_at.map(minute).unwrap_or_default(),
        ]);
    }
    format!("\n{}", table.render(2))
}

impl Report for TraceOutcome {
    const NAME: &'static str = "trace";

    fn text(&self, page: Page) -> String {
        let mut out = String::new();
        for repository in &self.repositories {
            let _ = writeln!(out, "{}", page.strong(repository));
        }
        let _ = writeln!(out, "{}", self.digest);
        for step in &self.steps {
            let standing = match step.standing {
                Standing::Proven => page.good("proven "),
                Standing::Gap => page.bad("gap    "),
                Standing::Unknown => page.warn("unknown"),
            };
            let _ = writeln!(out, "  {:<9} {standing}  {}", step.step, page.wrap(&step.what, 21));
            let _ = writeln!(out, "  {:<9} {:<7}  {}", "", "", page.dim(page.wrap(&step.by, 21)));
        }
        let of = |standing| self.steps.iter().filter(|step| step.standing == standing).count();
        let (gaps, unknown) = (of(Standing::Gap), of(Standing::Unknown));
        let _ = match (gaps, unknown) {
            (0, 0) => writeln!(out, "every link of custody holds"),
            (0, _) => writeln!(out, "{unknown} unknown; every other link of custody holds"),
            _ => writeln!(out, "{}, {unknown} unknown", count(gaps, "gap")),
        };
        out
    }
}

impl Report for ExpireOutcome {
    const NAME: &'static str = "decisions-expire";

    fn text(&self, _page: Page) -> String {
        format!("{} gone ({} bytes), {} bytes left\n", count_of(self.decisions), self.bytes, self.left)
    }
}

fn count_of(decisions: u64) -> String {
    count(usize::try_from(decisions).unwrap_or(usize::MAX), "decision")
}

impl Report for ExplainOutcome {
    const NAME: &'static str = "explain";

    fn text(&self, page: Page) -> String {
        let (decision, request) = (&self.decision, &self.decision.request);
        let word = if decision.verdict.allowed { page.good("allowed") } else { page.bad("denied") };
        let mut out =
            format!("{word}  {} {}/{}\n", request.operation.name(), request.namespace, request.workload_name());
        let _ = writeln!(out, "  decision     {} {}", decision.id, page.dim(minute(decision.at)));
        let _ = writeln!(out, "  environment  {}", decision.verdict.environment);
        if !request.user.name.is_empty() {
            let _ = writeln!(out, "  asked by     {}", request.user.name);
        }
        for image in &request.images {
            let _ = writeln!(out, "  {:<12} {}", image.role.title(), image.written);
            for digest in &image.digests {
                let _ = writeln!(out, "  {:<12} {}", "", page.dim(digest));
            }
        }
        write_verdict(&mut out, &decision.verdict, page);
        out
    }
}
