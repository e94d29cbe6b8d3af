//! Several packs as one, deltas, and a store that never goes back by itself.

use std::fmt::Write as _;

use assay_model::{Explain as _, PackageType, Timestamp};
use assay_vuln::store::{Checks, Installed, Store, StoreError};
use assay_vuln::{Pack, PackBuilder};

use crate::contents::{contents, find, ids, package};

fn record(id: usize, day: u32, fixed: &str) -> String {
    format!(
        r#"{{"id": "X-{id}", "aliases": ["CVE-2099-{id}"], "modified": "2099-01-{day:02}T00:00:00Z", "affected": [
            {{"package": {{"ecosystem": "npm", "name": "p{id}"}}, "ranges": [{{"type": "SEMVER", "events": [{{"introduced": "0"}}, {{"fixed": "{fixed}"}}]}}]}},
            {{"package": {{"ecosystem": "PyPI", "name": "p{id}"}}, "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}, {{"fixed": "{fixed}"}}]}}]}}]}}"#
    )
}

fn builder(records: &[String]) -> PackBuilder {
    let mut builder = PackBuilder::new();
    builder.add_bytes("records", records.join("\n").as_bytes(), None).unwrap();
    builder
}

fn at(day: u32) -> Timestamp {
    format!("2099-02-{day:02}T00:00:00Z").parse().unwrap()
}

fn checks() -> Checks<'static> {
    Checks { now: at(1), max_age_days: None, accept_drop: false, signature: None }
}

fn install(store: &mut Store, bytes: &[u8]) -> Result<Installed, StoreError> {
    store.install("npm", bytes.to_vec(), checks())
}

#[test]
fn packs_of_each_family_together_say_what_one_pack_says() {
    let mut records: Vec<_> = (0..40).map(|id| record(id, 1, "2.0.0")).collect();
    records.push(r#"{"id": "CVE-2099-1", "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]}"#.into());
    let whole = Pack::from_bytes(builder(&records).build().0).unwrap();
    let parts = builder(&records).split();
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["npm", "pypi"]);
    let split = Pack::from_parts(parts.into_values().map(|part| part.build().0).collect()).unwrap();
    let packages = (0..45)
        .flat_map(|id| [PackageType::Npm, PackageType::Pypi].map(|kind| package(kind, &format!("p{id}"), "1.0.0")))
        .chain([package(PackageType::Cargo, "p1", "1.0.0")])
        .collect();
    let contents = contents(None, packages);
    let (one, many) = (find(&whole, &contents), find(&split, &contents));
    assert_eq!(one.vulnerabilities, many.vulnerabilities);
    assert_eq!((one.uncovered, many.uncovered), (1, 1));
    assert_eq!(one.vulnerabilities[0].vulnerability.score_tenths, Some(98), "ratings come with each part");
    assert_eq!(whole.advisories("cve-2099-1").unwrap()[0].records.len(), 2);
    assert_eq!(whole.affected_packages("CVE-2099-1").unwrap(), split.affected_packages("CVE-2099-1").unwrap());
    assert_eq!(whole.info().ecosystems, split.info().ecosystems);
}

#[test]
fn a_delta_over_its_base_says_what_the_whole_new_pack_says() {
    let old: Vec<_> = (0..400).map(|id| record(id, 1, "2.0.0")).collect();
    let mut new = old.clone();
    new[3] = record(3, 2, "1.0.0");
    new.remove(7);
    new.push(record(900, 2, "3.0.0"));
    let base_bytes = builder(&old).build().0;
    let base = Pack::from_bytes(base_bytes.clone()).unwrap();
    let mut with_kev = builder(&new);
    let kev = br#"{"catalogVersion": "1", "vulnerabilities": [{"cveID": "CVE-2099-5", "dateAdded": "2099-01-02"}]}"#;
    with_kev.add_known_exploited("kev", kev).unwrap();
    let (delta, report) = with_kev.build_delta(&base).unwrap();
    assert_eq!((report.carried, report.replaced, report.removed), (3, 2, 1), "3 changed, 900 new, 5 exploited");
    assert!(delta.len() * 50 < base_bytes.len() * 2, "{} of {} bytes", delta.len(), base_bytes.len());
    let over = Pack::from_parts(vec![base_bytes, delta.clone()]).unwrap();
    let mut whole = builder(&new);
    whole.add_known_exploited("kev", kev).unwrap();
    let whole = Pack::from_bytes(whole.build().0).unwrap();
    let packages = (0..1000).map(|id| package(PackageType::Npm, &format!("p{id}"), "1.5.0")).collect();
    let contents = contents(None, packages);
    assert_eq!(find(&over, &contents).vulnerabilities, find(&whole, &contents).vulnerabilities);
    for id in ["CVE-2099-3", "CVE-2099-5", "X-7", "CVE-2099-900"] {
        assert_eq!(over.advisories(id).unwrap(), whole.advisories(id).unwrap(), "{id}");
    }
    assert_eq!(over.info().records, whole.info().records);
    assert_eq!(over.info().data_until, whole.info().data_until);
    assert_eq!(Pack::from_parts(vec![delta]).unwrap_err().code(), "pack-delta-base", "a delta alone is nothing");
}

#[test]
fn a_store_switches_at_once_and_goes_back_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    assert_eq!(Pack::open(folder.path()).unwrap_err().code(), "pack-store");
    let one = builder(&[record(1, 1, "2.0.0")]).build().0;
    let two = builder(&[record(1, 2, "1.0.0")]).build().0;
    assert!(!install(&mut store, &one).unwrap().unchanged);
    let opened = Pack::open(folder.path()).unwrap();
    assert!(install(&mut store, &one).unwrap().unchanged);
    install(&mut store, &two).unwrap();
    let contents = contents(None, vec![package(PackageType::Npm, "p1", "1.5.0")]);
    assert_eq!(ids(&find(&opened, &contents)), ["CVE-2099-1"], "what was open stays as it was");
    assert_eq!(ids(&find(&Pack::open_verified(folder.path()).unwrap(), &contents)), [""; 0]);
    store.rollback("npm").unwrap();
    assert_eq!(ids(&find(&Pack::open(folder.path()).unwrap(), &contents)), ["CVE-2099-1"]);
    store.rollback("npm").unwrap();
    assert_eq!(ids(&find(&Pack::open(folder.path()).unwrap(), &contents)), [""; 0], "and forth");
    assert_eq!(store.rollback("debian").unwrap_err().code(), "pack-no-previous");
    install(&mut store, &builder(&[record(1, 3, "1.0.0")]).build().0).unwrap();
    assert_eq!(store.clean().unwrap(), 1, "what is neither in use nor before it");
    assert_eq!(Store::open(folder.path()).unwrap().slots(), store.slots());
}

#[test]
fn downgrade_and_freeze_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    install(&mut store, &builder(&[record(1, 5, "2.0.0")]).build().0).unwrap();
    let older = builder(&[record(1, 4, "2.0.0")]).build().0;
    assert_eq!(install(&mut store, &older).unwrap_err().code(), "pack-downgrade");
    let newer = builder(&[record(1, 6, "2.0.0")]).build().0;
    let asked = |days| Checks { now: at(20), max_age_days: Some(days), ..checks() };
    let error = store.install("npm", newer.clone(), asked(30)).unwrap_err();
    assert_eq!(error.code(), "pack-frozen", "{error}");
    store.install("npm", newer, asked(60)).unwrap();
}

#[test]
fn a_poisoned_feed_cannot_remove_findings_silently() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let records: Vec<_> = (0..100).map(|id| record(id, 1, "2.0.0")).collect();
    let first = builder(&records).build().0;
    install(&mut store, &first).unwrap();
    // As many records as before, but others.
    let others: Vec<_> = (0..90).chain(200..210).map(|id| record(id, 2, "2.0.0")).collect();
    let poisoned = builder(&others).build().0;
    let error = install(&mut store, &poisoned).unwrap_err();
    assert!(matches!(&error, StoreError::Dropped { gone: 10, of: 100, .. }), "{error}");
    assert!(error.to_string().contains("10 of 100"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path().join("held")).unwrap().count(), 1);
    let contents = contents(None, vec![package(PackageType::Npm, "p95", "1.0.0")]);
    assert_eq!(
        ids(&find(&Pack::open(folder.path()).unwrap(), &contents)),
        ["CVE-2099-95"],
        "the last good one stays in use"
    );
    // A delta that takes as much away is held back too.
    let base = Pack::from_bytes(first).unwrap();
    let delta = builder(&others[..90]).build_delta(&base).unwrap().0;
    assert_eq!(install(&mut store, &delta).unwrap_err().code(), "pack-held-back");
    store.install("npm", poisoned, Checks { accept_drop: true, ..checks() }).unwrap();
    assert_eq!(ids(&find(&Pack::open(folder.path()).unwrap(), &contents)), [""; 0]);
}

#[test]
fn deltas_are_installed_over_the_pack_that_they_change_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let records: Vec<_> = (0..50).map(|id| record(id, 1, "2.0.0")).collect();
    let base_bytes = builder(&records).build().0;
    let base = Pack::from_bytes(base_bytes.clone()).unwrap();
    let mut changed = records.clone();
    changed[1] = record(1, 3, "1.0.0");
    let delta = builder(&changed).build_delta(&base).unwrap().0;
    assert_eq!(install(&mut store, &delta).unwrap_err().code(), "pack-delta-base");
    install(&mut store, &base_bytes).unwrap();
    install(&mut store, &delta).unwrap();
    let contents =
        contents(None, vec![package(PackageType::Npm, "p1", "1.5.0"), package(PackageType::Npm, "p2", "1.5.0")]);
    assert_eq!(ids(&find(&Pack::open(folder.path()).unwrap(), &contents)), ["CVE-2099-2"]);
    let other = Pack::from_bytes(builder(&records[..49]).build().0).unwrap();
    let foreign = builder(&changed).build_delta(&other).unwrap().0;
    assert_eq!(install(&mut store, &foreign).unwrap_err().code(), "pack-delta-base");
}

#[test]
fn a_signature_is_asked_for_at_install() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let bytes = builder(&[record(1, 1, "2.0.0")]).build().0;
    let refuse = |_: &assay_model::Digest| Err("no signature was found".to_owned());
    let error = store.install("npm", bytes.clone(), Checks { signature: Some(&refuse), ..checks() }).unwrap_err();
    assert_eq!(error.code(), "pack-signature");
    assert!(store.slots().is_empty());
    let accept = |_: &assay_model::Digest| Ok("data@example.com".to_owned());
    let installed = store.install("npm", bytes, Checks { signature: Some(&accept), ..checks() }).unwrap();
    assert_eq!(installed.signer.as_deref(), Some("data@example.com"));
}

#[test]
fn damaged_packs_and_names_that_lead_elsewhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let mut bytes = builder(&[record(1, 1, "2.0.0")]).build().0;
    for name in ["", "../npm", "a/b", "a b"] {
        assert_eq!(store.install(name, bytes.clone(), checks()).unwrap_err().code(), "pack-name", "{name}");
    }
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    assert_eq!(install(&mut store, &bytes).unwrap_err().code(), "pack-checksum");
    let mut state = String::new();
    write!(state, "{{\"packs\": 5}}").unwrap();
    std::fs::write(folder.path().join("packs.json"), state).unwrap();
    assert_eq!(Store::open(folder.path()).unwrap_err().code(), "pack-store-damaged");
}

#[test]
fn a_pack_whose_records_stay_and_are_about_nothing_is_held_back_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let old: Vec<_> = (0..100).map(|id| record(id, 1, "2.0.0")).collect();
    install(&mut store, &builder(&old).build().0).unwrap();
    // Ten records move their package elsewhere: under the same identifiers nothing is found any more.
    let mut poisoned: Vec<_> = (0..100).map(|id| record(id, 2, "2.0.0")).collect();
    for record in poisoned.iter_mut().take(10) {
        *record = record.replace("\"name\": \"p", "\"name\": \"nobodys-p");
    }
    let error = install(&mut store, &builder(&poisoned).build().0).unwrap_err();
    assert_eq!(error.code(), "pack-held-back");
    assert!(error.to_string().contains("20 of 200 affected packages are gone (for example X-0 PyPI p0)"), "{error}");
    let delta = builder(&poisoned).build_delta(&Pack::open(folder.path()).unwrap()).unwrap().0;
    assert_eq!(install(&mut store, &delta).unwrap_err().code(), "pack-held-back", "as a delta too");
    let accepted = Checks { accept_drop: true, ..checks() };
    assert!(!store.install("npm", builder(&poisoned).build().0, accepted).unwrap().unchanged);
}

/// An erratum about many vulnerabilities, of which one is about a record that changed.
#[test]
fn a_delta_repeats_of_unchanged_records_only_what_names_and_rates() {
    let erratum = |fixed: usize| {
        let upstream: Vec<String> = (0..60).map(|id| format!("\"CVE-2099-{id}\"")).collect();
        format!(
            r#"{{"id": "RHSA-{fixed}", "summary": "Important: kernel security update", "published": "2098-01-0{fixed}T00:00:00Z", "upstream": [{}],
            "affected": [{{"package": {{"ecosystem": "Red Hat:enterprise_linux:9::baseos", "name": "kernel"}}, "ranges": [{{"type": "ECOSYSTEM",
            "events": [{{"introduced": "0"}}, {{"fixed": "5.{fixed}"}}]}}]}}]}}"#,
            upstream.join(", ")
        )
    };
    let mut old: Vec<_> = (0..60).map(|id| record(id, 1, "2.0.0")).collect();
    old.extend((1..9).map(erratum));
    let mut new = old.clone();
    new[3] = record(3, 2, "1.0.0");
    let base_bytes = builder(&old).build().0;
    let base = Pack::from_bytes(base_bytes.clone()).unwrap();
    let (delta, report) = builder(&new).build_delta(&base).unwrap();
    assert_eq!(report.carried, 1);
    assert!(delta.len() < 2_000, "{} bytes", delta.len());
    let over = Pack::from_parts(vec![base_bytes, delta]).unwrap();
    let whole = Pack::from_bytes(builder(&new).build().0).unwrap();
    let mut packages: Vec<_> = (0..60).map(|id| package(PackageType::Npm, &format!("p{id}"), "1.5.0")).collect();
    packages.push(package(PackageType::Rpm, "kernel", "5.0-1.el9"));
    let contents = contents(Some(crate::contents::release("rhel", "9.4")), packages);
    let found = find(&whole, &contents);
    assert_eq!(found.vulnerabilities.len(), 60 + 59);
    assert_eq!(find(&over, &contents).vulnerabilities, found.vulnerabilities);
    assert_eq!(over.advisories("CVE-2099-3").unwrap(), whole.advisories("CVE-2099-3").unwrap());
}

#[test]
fn what_an_image_holds_says_which_packs_it_needs() {
    let packages = vec![
        package(PackageType::Deb, "zlib1g", "1"),
        package(PackageType::Cargo, "a", "1"),
        package(PackageType::Npm, "b", "1"),
        package(PackageType::Generic, "c", "1"),
    ];
    let needed = assay_vuln::packs_for(&contents(Some(crate::contents::release("rocky", "9.3")), packages.clone()));
    assert_eq!(needed.into_iter().collect::<Vec<_>>(), ["crates.io", "npm", "rocky-linux"]);
    let built: Vec<String> = builder(&[record(1, 1, "2")]).split().into_keys().collect();
    assert_eq!(built, ["npm", "pypi"], "under the same names");
    let needed = assay_vuln::packs_for(&contents(Some(release_of_nobody()), packages));
    assert_eq!(needed.into_iter().collect::<Vec<_>>(), ["crates.io", "npm"]);
}

fn release_of_nobody() -> assay_model::OsRelease {
    crate::contents::release("nobody", "1")
}
