//! A day later an advisory is published. Who runs it?

use std::collections::{BTreeMap, BTreeSet};

use assay_store::InventoryRow;
use assay_version::{Range, Scheme};

use super::Shipment;
use crate::Result;
use crate::commands::lab::error::LabError;
use crate::commands::lab::narrator::Narrator;
use crate::commands::lab::services::SESSION;
use crate::commands::lab::stage::{Advisories, SESSION_ADVISORY, Stage};

/// How long after the deployments the advisory comes out, in seconds.
const LATER: u32 = 26 * 3600;
/// What the advisory is about.
const AFFECTED: &str = "<2.1.1";

/// Asks by package at once, and by advisory when the data has it.
pub(super) async fn ask(stage: &Stage, narrator: &Narrator<'_>, shipments: &[Shipment]) -> Result<()> {
    stage.clock.advance(LATER);
    narrator.step(
        "A day later: a critical advisory",
        "The zero-day question is answered from the inventory, before any image is scanned again.",
    );
    narrator.fact("advisory", &format!("{SESSION_ADVISORY} in {SESSION} {AFFECTED}, made up"));
    let range: Range = AFFECTED.parse().map_err(LabError::fixture("version range"))?;
    let rows = stage.store.who_runs_package(SESSION, |found| {
        found.kind == "npm" && range.contains(Scheme::Semver, found.version).unwrap_or(false)
    })?;
    narrator.fact("who runs it", &summary(&rows));
    stage.set_advisories(Advisories::WithNews)?;
    for shipment in shipments {
        for image in shipment.places.values() {
            stage.facts.of(&image.reference()?, None).await;
        }
    }
    let affected = stage.store.images_with_vulnerability(SESSION_ADVISORY)?;
    let again = stage.store.who_runs(&affected)?;
    narrator.fact("matched", &format!("{}, by the new data as well", summary(&again)));
    if rows.is_empty() || pods(&rows) != pods(&again) {
        let reason = "the inventory and the new findings name different Pods".to_owned();
        return Err(LabError::Path { step: "zero-day question", reason }.into());
    }
    let untouched = shipments.iter().filter(|shipment| !affected.contains(&shipment.image.digest()));
    let untouched: Vec<String> = untouched.map(Shipment::title).collect();
    narrator.fact("not hit", &untouched.join(", "));
    Ok(())
}

fn pods(rows: &[InventoryRow]) -> BTreeSet<(&str, &str)> {
    rows.iter().map(|row| (row.namespace.as_str(), row.pod.as_str())).collect()
}

/// `team-web: 6 Pods (dev 2, prod 2, staging 2)`.
fn summary(rows: &[InventoryRow]) -> String {
    let mut owners: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    for row in rows {
        let environment = row.environment.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        let owner = owners.entry(row.owner.as_deref().unwrap_or("nobody")).or_default();
        *owner.entry(environment).or_default() += 1;
    }
    let owner = |(owner, environments): (&&str, &BTreeMap<String, usize>)| {
        let total: usize = environments.values().sum();
        let each: Vec<String> = environments.iter().map(|(name, count)| format!("{name} {count}")).collect();
        format!("{owner}: {total} Pods ({})", each.join(", "))
    };
    let owners: Vec<String> = owners.iter().map(owner).collect();
    if owners.is_empty() { "nobody".to_owned() } else { owners.join("; ") }
}
