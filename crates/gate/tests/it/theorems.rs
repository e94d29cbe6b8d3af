//! What holds for every decision, and a second, naive Gate that was written without looking at the first.

use assay_case::{Action, Outcome, Verdict};
use assay_gate::{catalogue, decide};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::Fixture;

const IMAGE: &str = "registry.example.com/release/payments/api@sha256:index";

/// What may be true of an image, and what the naive Gate decides about it.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    signature: Option<bool>,
    sbom: bool,
    provenance: bool,
    critical: bool,
    exploited: bool,
    high: bool,
    internal: bool,
    secret: bool,
    privileged: bool,
    root: bool,
    promoted: bool,
    /// Somebody else than who promoted it approved that; the same person where false.
    approved: bool,
    stale: bool,
    digest: bool,
    evidence_unknown: bool,
    findings_unknown: bool,
    vex: bool,
    exception: Option<bool>,
    /// Two signers are required.
    quorum: bool,
    /// The second of them has signed; or the first one a second time.
    second: Option<bool>,
    /// A verification summary, that counts or is too old.
    summary: Option<bool>,
    /// The provenance is of a builder of the level that is asked for.
    level: bool,
}

pub(crate) fn situations() -> impl Strategy<Value = Situation> {
    // Mostly in order, so that single defects and their combinations are both common.
    let rarely = || prop::bool::weighted(0.15);
    let mostly = || prop::bool::weighted(0.85);
    (
        (prop_oneof![8 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)], mostly(), mostly(), rarely()),
        (rarely(), rarely(), any::<bool>(), rarely(), rarely(), rarely()),
        (mostly(), rarely(), mostly(), rarely(), rarely(), rarely()),
        prop_oneof![2 => Just(None), 1 => Just(Some(true)), 1 => Just(Some(false))],
        (
            any::<bool>(),
            prop_oneof![2 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)],
            prop_oneof![4 => Just(None), 1 => Just(Some(true)), 1 => Just(Some(false))],
            mostly(),
            mostly(),
        ),
    )
        .prop_map(|(a, b, c, exception, d)| Situation {
            signature: a.0,
            sbom: a.1,
            provenance: a.2,
            critical: a.3,
            exploited: b.0,
            high: b.1,
            internal: b.2,
            secret: b.3,
            privileged: b.4,
            root: b.5,
            promoted: c.0,
            approved: d.4,
            stale: c.1,
            digest: c.2,
            evidence_unknown: c.3,
            findings_unknown: c.4,
            vex: c.5,
            exception,
            quorum: d.0,
            second: d.1,
            summary: d.2,
            level: d.3,
        })
}

impl Situation {
    /// The naive Gate: prod as the catalogue has it, in one expression.
    fn naive(&self) -> bool {
        let excused = self.vex && !self.evidence_unknown;
        let critical = (self.critical && !excused && self.exception != Some(true)) || self.findings_unknown;
        let (first, second) = (self.signature == Some(true), self.second == Some(true));
        let signed = if self.quorum { first && second } else { first || second };
        let attested = signed && self.sbom && self.provenance && self.level;
        let who = !self.evidence_unknown && (attested || self.summary == Some(true));
        let what = !critical && !self.findings_unknown && !self.exploited && !self.secret && !self.stale;
        let how = !self.privileged && !self.root && self.digest && self.promoted && self.approved;
        let high = !self.high || self.internal;
        who && what && how && high
    }

    pub(crate) fn fixture(&self) -> Fixture {
        let mut evidence = Vec::new();
        if let Some(wanted) = self.signature {
            let by = if wanted { "release.yml@refs/heads/main" } else { "mallory@example.com" };
            evidence.push(json!({"kind": "signature", "by": by, "on": "index"}));
        }
        match self.second {
            Some(true) => evidence.push(json!({"kind": "signature", "by": "security-key", "on": "index"})),
            Some(false) if self.signature == Some(true) => {
                let again = json!({"kind": "signature", "by": "release.yml@refs/heads/main", "on": "index", "at": "2026-11-01T00:00:00Z"});
                evidence.push(again);
            }
            _ => {}
        }
        if let Some(young) = self.summary {
            let at = if young { "2026-11-21T07:00:00Z" } else { "2026-11-01T07:00:00Z" };
            evidence
                .push(json!({"kind": "vsa", "by": "operations-key", "on": "index", "predicate": {"verifiedAt": at}}));
        }
        if self.sbom {
            evidence.push(json!({"kind": "sbom", "by": "release.yml@refs/heads/main", "on": "index"}));
        }
        if self.provenance {
            evidence.push(json!({"kind": "provenance", "by": "generator.yml@refs/tags/v2.1.0", "on": "index"}));
        }
        if self.vex {
            let statement = json!({
                "vulnerabilities": ["CVE-2026-1234"], "products": [], "subcomponents": [],
                "status": "not_affected", "justification": null
            });
            let predicate = json!({"statements": [statement]});
            evidence.push(
                json!({"kind": "vex", "by": "release.yml@refs/heads/main", "on": "index", "predicate": predicate}),
            );
        }
        let mut findings = Vec::new();
        let mut finding = |wanted: bool, id: &str, severity: &str, exploited: Value| {
            if wanted {
                findings
                    .push(json!({"id": id, "severity": severity, "package": "pkg:npm/a@1", "exploited": exploited}));
            }
        };
        finding(self.critical, "CVE-2026-1234", "critical", Value::Null);
        finding(self.high, "CVE-2026-2000", "high", Value::Null);
        finding(self.exploited, "CVE-2026-3000", "low", json!("2026-11-01"));
        for finding in &mut findings {
            if finding["exploited"].is_null() {
                finding.as_object_mut().unwrap().remove("exploited");
            }
        }
        let unknown = json!({"unknown": {"code": "registry-unreachable", "message": "no answer"}});
        let mut facts = json!({
            "digest": "amd64", "index": "index", "platform": "linux/amd64",
            "evidence": if self.evidence_unknown { unknown.clone() } else { json!(evidence) },
            "findings": if self.findings_unknown { unknown } else { json!(findings) },
            "matchedAt": if self.stale { "2026-11-01T00:00:00Z" } else { "2026-11-21T07:00:00Z" },
        });
        if self.secret {
            facts["secrets"] = json!([{"rule": "private-key", "path": "key.pem"}]);
        }
        let image = if self.digest { IMAGE } else { "registry.example.com/release/payments/api:1.18" };
        let container = json!({
            "name": "api", "image": image, "imagePullPolicy": "Always",
            "securityContext": {"allowPrivilegeEscalation": false, "privileged": self.privileged, "runAsNonRoot": !self.root}
        });
        let approval = if self.approved { "release-lead" } else { "release-bot" };
        let promotions = if self.promoted {
            json!([{"release": "r", "digest": "index", "environment": "prod", "approval": approval}])
        } else {
            json!([])
        };
        let exposure = if self.internal { json!({"payments-prod/Pod/payments-api": "internal"}) } else { json!({}) };
        let mut change = json!({
            "object": {"spec": {"containers": [container]}},
            "facts": {image: [facts]},
            "world": {"promotions": promotions, "exposure": exposure},
        });
        let mut environment = json!({
            "signers": [
                {"name": "release", "for": ["signature", "sbom", "scan", "vex"], "keyless": {
                    "issuer": "https://issuer.example.com", "subject": "release.yml@refs/heads/main", "runnerEnvironment": "github-hosted"
                }},
                {"name": "generator", "for": ["provenance"], "keyless": {
                    "issuer": "https://issuer.example.com", "subject": "generator.yml@refs/tags/v2.1.0"
                }},
                {"name": "security", "for": ["signature"], "key": "security-key"},
                {"name": "verifier", "for": ["vsa"], "key": "operations-key"}
            ],
            "vsa": {"verifier": "https://ci.example.com/verifier", "maxAge": "24h"},
            "builders": [{
                "id": "https://builder.example.com/v1", "level": if self.level { "L3" } else { "L1" }, "signer": "generator"
            }],
            "constraints": {"provenance": {"minimumLevel": "L2"}},
        });
        if self.quorum {
            environment["require"] = json!({"signature": {"of": ["release", "security"]}});
        }
        change["policy"] = json!({"environments": {"prod": environment}});
        if let Some(live) = self.exception {
            change["policy"]["exceptions"] = json!({"known": exception(live)});
        }
        Fixture::base().with(&change)
    }
}

pub(crate) fn exception(live: bool) -> Value {
    json!({
        "owner": "team-payments", "reason": "not reachable", "controls": ["critical-cve"],
        "subjects": [{"vulnerability": "CVE-2026-1234"}], "scope": {"namespaces": ["payments-prod"]},
        "expiresAt": if live { "2026-12-01T00:00:00Z" } else { "2026-11-21T00:00:00Z" },
        "compensatingControl": "none reaches it",
        "approval": {"by": "lead@example.com", "at": "2026-11-20T00:00:00Z"},
        "authenticated": {"by": "lead@example.com", "groups": ["platform-security"]}
    })
}

fn verdict(fixture: &Fixture) -> Verdict {
    decide(&fixture.policy(), &fixture.case(), fixture.now())
}

fn allowed(situation: &Situation) -> bool {
    verdict(&situation.fixture()).allowed
}

/// A Verdict in which no control is better than in another.
fn improves(better: &Verdict, worse: &Verdict) -> bool {
    better.allowed && !worse.allowed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_gate_decides_like_the_naive_one(situation in situations()) {
        let found = verdict(&situation.fixture());
        let denials: Vec<_> = found.denials().map(|outcome| outcome.control.to_string()).collect();
        prop_assert_eq!(found.allowed, situation.naive(), "{:?}", denials);
    }

    #[test]
    fn removing_evidence_never_turns_deny_into_allow(situation in situations(), which in 0..6) {
        let before = allowed(&situation);
        let mut less = situation;
        match which {
            0 => less.signature = None,
            1 => less.sbom = false,
            2 => less.provenance = false,
            3 => less.second = None,
            4 => less.summary = None,
            _ => less.vex = false,
        }
        prop_assert!(before || !allowed(&less));
    }

    #[test]
    fn an_error_never_improves_a_verdict(situation in situations(), evidence in any::<bool>()) {
        let before = verdict(&situation.fixture());
        let mut broken = situation;
        if evidence { broken.evidence_unknown = true } else { broken.findings_unknown = true }
        prop_assert!(!improves(&verdict(&broken.fixture()), &before));
    }

    #[test]
    fn an_expired_exception_equals_none(situation in situations()) {
        let (mut expired, mut none) = (situation.clone(), situation);
        expired.exception = Some(false);
        none.exception = None;
        let (expired, none) = (verdict(&expired.fixture()), verdict(&none.fixture()));
        prop_assert_eq!(expired.allowed, none.allowed);
        let others = |verdict: &Verdict| -> Vec<_> {
            verdict.outcomes.iter().filter(|own| own.control.as_str() != "exception-expiry").cloned().collect()
        };
        prop_assert_eq!(others(&expired), others(&none));
    }

    #[test]
    fn the_order_of_inputs_does_not_matter(situation in situations(), turn in 0_usize..4) {
        let fixture = situation.fixture();
        let mut turned = fixture.value.clone();
        let known = turned["facts"].as_object_mut().unwrap();
        for list in known.values_mut().flat_map(|platforms| platforms.as_array_mut().unwrap()) {
            for field in ["evidence", "findings"] {
                if let Some(items) = list.get_mut(field).and_then(Value::as_array_mut) {
                    let length = items.len().max(1);
                    items.rotate_left(turn % length);
                }
            }
        }
        let mut input = fixture.input();
        input.environments.reverse();
        input.exceptions.reverse();
        input.trust_roots.reverse();
        let policy = assay_gate::Policy::compile(input).unwrap();
        let turned = Fixture::new(turned);
        prop_assert_eq!(policy.digest(), fixture.policy().digest());
        prop_assert_eq!(decide(&policy, &turned.case(), fixture.now()), verdict(&fixture));
    }

    #[test]
    fn a_stricter_action_never_allows_more(situation in situations(), control in 0..catalogue().len(), step in 1..6_usize) {
        const WORDS: [&str; 6] = ["off", "audit", "warn", "enforce-with-exception", "enforce", "enforce-always"];
        let id = catalogue()[control].id.as_str();
        let fixture = situation.fixture();
        let with = |word: &str| {
            let spec = json!({"controls": {id: {"action": word}}});
            verdict(&fixture.with(&json!({"policy": {"environments": {"prod": spec}}})))
        };
        prop_assert!(!improves(&with(WORDS[step]), &with(WORDS[step - 1])), "{id} {}", WORDS[step]);
    }

    #[test]
    fn every_fixture_is_decided_the_same_way_twice(situation in situations()) {
        let fixture = situation.fixture();
        prop_assert_eq!(verdict(&fixture), verdict(&fixture));
    }
}

#[test]
fn an_outcome_that_is_no_pass_denies_under_enforcement_whatever_it_is() {
    let situation = Fixture::base();
    let denied = verdict(&situation.with_yaml("object: {spec: {containers: []}}"));
    for outcome in denied.outcomes.iter().filter(|outcome| outcome.outcome == Outcome::Error) {
        assert!(outcome.denies() || outcome.action <= Action::Warn, "{}", outcome.control);
    }
    assert!(!denied.allowed);
}
