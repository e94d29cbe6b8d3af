//! Which licences may be there: rules over SPDX expressions.

use std::fmt;
use std::str::FromStr;

use assay_model::Package;
use serde::Serialize;

use crate::licence::Licence;

/// What a rule says of a licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LicenceVerdict {
    /// It may be there.
    Allow,
    /// Somebody has to look at it.
    Review,
    /// It may not be there.
    Deny,
}

/// One rule: `deny GPL-3.0-*`, `review LGPL-2.1-only`, `allow MIT`.
///
/// The licence is an identifier of SPDX's list or a `LicenseRef-`, with an exception where it is one (`GPL-2.0-only WITH
/// Classpath-exception-2.0`); `*` at its end stands for anything. Small and capital letters are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicenceRule {
    verdict: LicenceVerdict,
    licence: String,
}

impl FromStr for LicenceRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            |reason: &str| format!("`{text}` {reason}; write allow, review or deny and a licence: deny GPL-3.0-only");
        let (verdict, licence) = text.trim().split_once(' ').ok_or_else(|| bad("is no rule for licences"))?;
        let verdict = match verdict {
            "allow" => LicenceVerdict::Allow,
            "review" => LicenceVerdict::Review,
            "deny" => LicenceVerdict::Deny,
            _ => return Err(bad("begins with no verdict")),
        };
        let licence = licence.trim();
        let is_known = match licence.strip_suffix('*') {
            Some(start) => spdx_names().any(|name| name.len() >= start.len() && has_start(name, start)),
            None => matches!(Licence::of(licence), Some(Licence::Expression(_))),
        };
        let is_one = !licence.contains([' ', '(']) || licence.split(' ').nth(1) == Some("WITH");
        if !is_known || !is_one {
            return Err(bad("names no single licence of SPDX"));
        }
        Ok(Self { verdict, licence: licence.to_owned() })
    }
}

impl fmt::Display for LicenceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            LicenceVerdict::Allow => "allow",
            LicenceVerdict::Review => "review",
            LicenceVerdict::Deny => "deny",
        };
        write!(f, "{verdict} {}", self.licence)
    }
}

impl LicenceRule {
    fn is_about(&self, licence: &str) -> bool {
        match self.licence.strip_suffix('*') {
            Some(start) => has_start(licence, start),
            None => licence.eq_ignore_ascii_case(&self.licence),
        }
    }
}

fn has_start(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn spdx_names() -> impl Iterator<Item = &'static str> {
    ::spdx::identifiers::LICENSES.iter().map(|licence| licence.name)
}

/// Rules together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LicencePolicy {
    rules: Vec<LicenceRule>,
}

/// A package whose licence the rules do not allow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LicenceFinding {
    /// What is to be done.
    pub verdict: LicenceVerdict,
    /// The package.
    pub purl: String,
    /// Its licence as it is known; empty where none is.
    pub licence: String,
    /// Why: the rule, or what is missing.
    pub reason: String,
}

impl LicencePolicy {
    /// The rules; where several are about a licence, the strictest counts.
    pub fn new(rules: Vec<LicenceRule>) -> Self {
        Self { rules }
    }

    /// Whether there are none: then nothing is judged.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the rules say of one licence, and which rule does. With any `allow`, what no rule names is denied.
    fn of(&self, licence: &str) -> (LicenceVerdict, String) {
        let strictest = self.rules.iter().filter(|rule| rule.is_about(licence)).max_by_key(|rule| rule.verdict);
        match strictest {
            Some(rule) => (rule.verdict, rule.to_string()),
            None if self.rules.iter().any(|rule| rule.verdict == LicenceVerdict::Allow) => {
                (LicenceVerdict::Deny, format!("{licence} is not among the licences that are allowed"))
            }
            None => (LicenceVerdict::Allow, String::new()),
        }
    }

    /// Judges each package; only those that are not allowed are in the list, the worst first.
    ///
    /// Of `A OR B` the better counts, of `A AND B` the worse. What is no SPDX expression, and no licence at all, has to be
    /// looked at.
    pub fn judge<'a>(&self, packages: impl IntoIterator<Item = &'a Package>) -> Vec<LicenceFinding> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut findings: Vec<LicenceFinding> =
            packages.into_iter().filter_map(|package| self.finding(package)).collect();
        findings.sort_by(|a, b| (b.verdict, &a.purl, &a.licence).cmp(&(a.verdict, &b.purl, &b.licence)));
        findings.dedup();
        findings
    }

    fn finding(&self, package: &Package) -> Option<LicenceFinding> {
        let stated = package.licence.as_deref().and_then(Licence::of);
        let (verdict, reason) = match &stated {
            None => (LicenceVerdict::Review, "no licence is known".to_owned()),
            Some(Licence::Name(_)) => (LicenceVerdict::Review, "it is no SPDX expression".to_owned()),
            Some(Licence::Expression(text)) => self.expression(text),
        };
        (verdict != LicenceVerdict::Allow).then(|| LicenceFinding {
            verdict,
            purl: package.purl.to_string(),
            licence: stated.map(|licence| licence.text().to_owned()).unwrap_or_default(),
            reason,
        })
    }

    fn expression(&self, text: &str) -> (LicenceVerdict, String) {
        let mode = ::spdx::ParseMode { allow_deprecated: true, ..::spdx::ParseMode::STRICT };
        let Ok(expression) = ::spdx::Expression::parse_mode(text, mode) else {
            return (LicenceVerdict::Review, "it is no SPDX expression".to_owned());
        };
        let said = |licence: &::spdx::LicenseReq| self.of(&licence.to_string());
        for verdict in [LicenceVerdict::Allow, LicenceVerdict::Review] {
            if expression.evaluate(|licence| said(licence).0 <= verdict) {
                let worst = expression.requirements().map(|one| said(&one.req)).filter(|(found, _)| *found == verdict);
                let reason = worst.map(|(_, reason)| reason).next().unwrap_or_default();
                return (verdict, reason);
            }
        }
        let denied =
            expression.requirements().map(|one| said(&one.req)).find(|(found, _)| *found == LicenceVerdict::Deny);
        (LicenceVerdict::Deny, denied.map(|(_, reason)| reason).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use assay_model::{EvidenceTier, PackageType, Purl};

    use super::*;

    fn policy(rules: &[&str]) -> LicencePolicy {
        LicencePolicy::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }

    fn verdict(policy: &LicencePolicy, licence: &str) -> (LicenceVerdict, String) {
        let package = Package {
            kind: PackageType::Npm,
            name: "a".into(),
            version: "1".into(),
            source: None,
            architecture: None,
            licence: Some(licence.to_owned()).filter(|licence| !licence.is_empty()),
            supplier: None,
            purl: Purl::new("npm", None, "a", Some("1")),
            tier: EvidenceTier::Installed,
            path: String::new(),
            digest: None,
            layer: None,
            depends_on: Vec::new(),
        };
        let found = policy.judge([&package]);
        found.first().map_or((LicenceVerdict::Allow, String::new()), |one| (one.verdict, one.reason.clone()))
    }

    #[test]
    fn of_a_choice_the_better_counts_and_of_a_sum_the_worse() {
        let policy = policy(&["deny GPL-3.0-*", "review LGPL-2.1-only"]);
        for (licence, expected) in [
            ("MIT", LicenceVerdict::Allow),
            ("GPL-3.0-only", LicenceVerdict::Deny),
            ("GPL-3.0-or-later OR MIT", LicenceVerdict::Allow),
            ("GPL-3.0-or-later OR LGPL-2.1-only", LicenceVerdict::Review),
            ("MIT AND (GPL-3.0-only OR LGPL-2.1-only)", LicenceVerdict::Review),
            ("MIT AND GPL-3.0-only", LicenceVerdict::Deny),
            ("GPL-3+ and others", LicenceVerdict::Review),
            ("", LicenceVerdict::Review),
        ] {
            assert_eq!(verdict(&policy, licence).0, expected, "{licence}");
        }
        assert_eq!(verdict(&policy, "MIT AND GPL-3.0-only").1, "deny GPL-3.0-*");
    }

    #[test]
    fn a_list_of_what_is_allowed_denies_the_rest_and_the_strictest_rule_counts() {
        let policy = policy(&[
            "allow MIT",
            "allow GPL-*",
            "deny GPL-3.0-only",
            "allow GPL-2.0-only WITH Classpath-exception-2.0",
        ]);
        assert_eq!(verdict(&policy, "MIT").0, LicenceVerdict::Allow);
        assert_eq!(verdict(&policy, "gpl-2.0-only").0, LicenceVerdict::Review, "SPDX identifiers have their own case");
        assert_eq!(verdict(&policy, "GPL-2.0-only WITH Classpath-exception-2.0").0, LicenceVerdict::Allow);
        assert_eq!(verdict(&policy, "GPL-3.0-only").0, LicenceVerdict::Deny);
        assert_eq!(verdict(&policy, "Zlib").1, "Zlib is not among the licences that are allowed");
        assert_eq!(LicencePolicy::default().judge([]), []);
    }

    #[test]
    fn rules_name_a_verdict_and_one_licence() {
        for text in ["", "MIT", "forbid MIT", "deny MIT OR Zlib", "deny Nonsense-9", "deny Nonsense*", "deny (MIT)"] {
            assert!(text.parse::<LicenceRule>().is_err(), "{text}");
        }
        for text in
            ["deny MIT", "review GPL-*", "allow LicenseRef-own", "allow GPL-2.0-only WITH Classpath-exception-2.0"]
        {
            assert_eq!(text.parse::<LicenceRule>().unwrap().to_string(), text);
        }
    }
}
