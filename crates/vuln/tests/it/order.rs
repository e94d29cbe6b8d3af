//! Each input of the risk changes the order of findings; thresholds and ignore rules do what they say.

use assay_model::{
    EvidenceTier, ExploitPrediction, FixState, KnownExploited, PackageType, Severity, Timestamp, VulnerabilityFinding,
};
use assay_vuln::Threshold;
use assay_vuln::ignore::IgnoreFile;
use assay_vuln::risk::{Action, Exposure, Privilege, Surroundings, Use, Weight, order_of_work, risk};

use crate::contents::{contents, find, pack, package};

/// A finding of some severity, with nothing else known.
fn finding(severity: Severity) -> VulnerabilityFinding {
    let pack = pack(
        r#"{"id": "CVE-2099-1", "published": "2099-01-01T00:00:00Z", "affected": [{"package": {"ecosystem": "PyPI", "name": "a"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]}]}"#,
    );
    let mut found = find(&pack, &contents(None, vec![package(PackageType::Pypi, "a", "1")])).vulnerabilities.remove(0);
    found.vulnerability.severity = severity;
    found
}

fn tenths(finding: &VulnerabilityFinding, around: &Surroundings) -> u16 {
    risk(finding, Use::default(), around).tenths
}

#[test]
fn each_input_of_the_finding_changes_the_order() {
    let base = finding(Severity::High);
    let nowhere = Surroundings::default();
    let with = |change: &dyn Fn(&mut VulnerabilityFinding)| {
        let mut changed = base.clone();
        change(&mut changed);
        tenths(&changed, &nowhere)
    };
    let plain = tenths(&base, &nowhere);
    let predicted =
        |probability_millionths| Some(ExploitPrediction { probability_millionths, percentile_millionths: 0 });
    let exploited = |ransomware| Some(KnownExploited { since: "2099-01-01".into(), ransomware });
    // CVSS and the word
    assert!(with(&|f| f.vulnerability.severity = Severity::Critical) > plain);
    assert!(with(&|f| f.vulnerability.score_tenths = Some(89)) > with(&|f| f.vulnerability.score_tenths = Some(70)));
    // EPSS, KEV, ransomware
    assert!(with(&|f| f.vulnerability.exploit_prediction = predicted(900_000)) > plain);
    assert!(with(&|f| f.vulnerability.exploit_prediction = predicted(100)) < plain);
    let kev = with(&|f| f.vulnerability.known_exploited = exploited(false));
    assert!(kev > with(&|f| f.vulnerability.exploit_prediction = predicted(900_000)));
    assert!(with(&|f| f.vulnerability.known_exploited = exploited(true)) > kev);
    // fix state
    assert!(with(&|f| f.fix = FixState::NotFixed) < plain);
    assert!(with(&|f| f.fix = FixState::WontFix) < with(&|f| f.fix = FixState::NotFixed));
    // tier of evidence
    assert!(with(&|f| f.package.tier = EvidenceTier::Declared) < plain);
    assert!(with(&|f| f.package.tier = EvidenceTier::Heuristic) < with(&|f| f.package.tier = EvidenceTier::Declared));
    // disputed
    assert!(with(&|f| f.vulnerability.disputed = true) < plain);
}

#[test]
fn each_input_of_the_surroundings_changes_the_order() {
    let finding = finding(Severity::High);
    let plain = tenths(&finding, &Surroundings::default());
    let with = |around: Surroundings| tenths(&finding, &around);
    let nothing = Surroundings::default;
    for (higher, lower) in [
        (
            Surroundings { exposure: Exposure::Internet, ..nothing() },
            Surroundings { exposure: Exposure::Cluster, ..nothing() },
        ),
        (
            Surroundings { exposure: Exposure::Cluster, ..nothing() },
            Surroundings { exposure: Exposure::Nothing, ..nothing() },
        ),
        (
            Surroundings { privilege: Privilege::Privileged, ..nothing() },
            Surroundings { privilege: Privilege::Root, ..nothing() },
        ),
        (
            Surroundings { privilege: Privilege::Root, ..nothing() },
            Surroundings { privilege: Privilege::User, ..nothing() },
        ),
        (
            Surroundings { environment: Weight::High, ..nothing() },
            Surroundings { environment: Weight::Low, ..nothing() },
        ),
        (
            Surroundings { sensitivity: Weight::High, ..nothing() },
            Surroundings { sensitivity: Weight::Medium, ..nothing() },
        ),
        (
            Surroundings { criticality: Weight::Medium, ..nothing() },
            Surroundings { criticality: Weight::Low, ..nothing() },
        ),
        (nothing(), Surroundings { compensating_controls: 1, ..nothing() }),
        (
            Surroundings { compensating_controls: 1, ..nothing() },
            Surroundings { compensating_controls: 3, ..nothing() },
        ),
    ] {
        assert!(with(higher.clone()) > with(lower.clone()), "{higher:?} above {lower:?}");
    }
    assert_eq!(with(nothing()), plain);
    let used = |r#use| risk(&finding, r#use, &nothing()).tenths;
    assert!(used(Use { loaded: Some(true), ..Use::default() }) > plain);
    assert!(used(Use { loaded: Some(false), ..Use::default() }) < plain);
    assert!(used(Use { reachable: Some(true), ..Use::default() }) > plain);
    assert!(used(Use { reachable: Some(false), ..Use::default() }) < plain);
    let mut in_base = finding.clone();
    in_base.package.layer = Some(0);
    let around = Surroundings { base_layers: Some(1), ..nothing() };
    assert!(tenths(&in_base, &around) < plain, "the base's next update closes it");
}

#[test]
fn an_unused_critical_in_an_unexposed_batch_image_ranks_below_a_high_in_an_internet_facing_authentication_service() {
    let batch = Surroundings { exposure: Exposure::Nothing, ..Surroundings::default() };
    let unused = risk(&finding(Severity::Critical), Use { loaded: Some(false), reachable: None }, &batch);
    let service = Surroundings {
        exposure: Exposure::Internet,
        environment: Weight::High,
        sensitivity: Weight::High,
        criticality: Weight::High,
        ..Surroundings::default()
    };
    let login = risk(&finding(Severity::High), Use { loaded: Some(true), reachable: None }, &service);
    assert!(login.tenths > 2 * unused.tenths, "{} and {}", login.tenths, unused.tenths);
    assert!(
        login.factors.iter().any(|factor| factor.name == "exposure" && factor.why == "reachable from the internet")
    );
}

#[test]
fn the_order_of_work_closes_most_with_one_change() {
    let around = Surroundings { base_layers: Some(2), ..Surroundings::default() };
    let mut findings = Vec::new();
    for (name, layer, fix) in
        [("libc", 0, true), ("zlib", 1, true), ("app", 3, true), ("app", 3, true), ("old", 3, false)]
    {
        let mut finding = finding(Severity::High);
        name.clone_into(&mut finding.package.name);
        finding.package.layer = Some(layer);
        finding.fix =
            if fix { FixState::Fixed { versions: vec![format!("{}.0", findings.len())] } } else { FixState::NotFixed };
        findings.push(finding);
    }
    findings[4].vulnerability.severity = Severity::Critical;
    let risks: Vec<_> = findings.iter().map(|finding| risk(finding, Use::default(), &around)).collect();
    let work = order_of_work(findings.iter().zip(&risks), Some(2));
    let actions: Vec<_> = work.iter().map(|item| (item.action.clone(), item.closes)).collect();
    assert_eq!(
        actions,
        [
            (Action::Update { package: "app".into(), to: "3.0".into() }, 2),
            (Action::UpdateBase, 2),
            (Action::Mitigate { package: "old".into() }, 1),
        ]
    );
}

#[test]
fn thresholds_are_read_shown_and_reached() {
    let now: Timestamp = "2099-02-01T00:00:00Z".parse().unwrap();
    let finding = finding(Severity::High);
    let score = risk(&finding, Use::default(), &Surroundings::default());
    for (text, reached) in [
        ("critical", false),
        ("high", true),
        ("high+fixable", true),
        ("kev", false),
        ("kev+fixable", false),
        ("risk:10", true),
        ("risk:99", false),
        ("age:30d", true),
        ("age:32d", false),
        ("medium+fixable+age:30d", true),
    ] {
        let threshold: Threshold = text.parse().unwrap();
        assert_eq!(threshold.to_string(), text);
        assert_eq!(threshold.is_reached(&finding, &score, now), reached, "{text}");
    }
    for text in ["", "worst", "risk:101", "risk:x", "age:30", "high+", "kev+?", "high,low"] {
        assert!(text.parse::<Threshold>().is_err(), "{text}");
    }
}

#[test]
fn an_ignore_rule_needs_owner_reason_and_expiry_and_runs_out() {
    let rule = |expires: &str| {
        format!(
            r#"{{"ignore": [{{"id": "cve-2099-1", "package": "pkg:pypi/a", "owner": "team", "reason": "only our own files", "expires": "{expires}"}}]}}"#
        )
    };
    let now: Timestamp = "2099-02-01T00:00:00Z".parse().unwrap();
    let apply = |text: &str| {
        let file: IgnoreFile = serde_json::from_str(text).unwrap();
        file.check().unwrap();
        let mut findings = vec![finding(Severity::High)];
        let (ignored, expired) = {
            let result = file.apply(&mut findings, now);
            (result.ignored.len(), result.expired.len())
        };
        (findings.len(), ignored, expired)
    };
    assert_eq!(apply(&rule("2099-02-02")), (0, 1, 0));
    assert_eq!(apply(&rule("2099-02-01")), (1, 0, 1), "it has run out, and says so");
    assert_eq!(apply(&rule("2099-03-01").replace("pypi/a", "pypi/b")), (1, 0, 0));
    assert_eq!(apply(&rule("2099-03-01").replace("pypi/a", "pypi/a@2")), (1, 0, 0));
    for (from, to) in [("team", " "), ("only our own files", ""), ("2099-03-01", "soon")] {
        let file: IgnoreFile = serde_json::from_str(&rule("2099-03-01").replace(from, to)).unwrap();
        assert!(file.check().is_err(), "{to}");
    }
    assert!(
        serde_json::from_str::<IgnoreFile>(r#"{"ignore": [{"id": "CVE-1", "owner": "a", "reason": "b"}]}"#).is_err()
    );
}
