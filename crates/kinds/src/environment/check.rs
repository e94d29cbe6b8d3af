//! What cannot be meant between the fields of an Environment. Each message says what to write instead.

use std::collections::BTreeSet;

use assay_model::Digest;

use super::{EnvironmentSpec, Quorum, SignerPurpose, SummaryRules, TrustedBuilder};
use crate::{Problem, suggestion};

/// Signers of one quorum: people count them.
const QUORUM_MAX: usize = 16;

pub(super) fn problem(spec: &EnvironmentSpec) -> Option<Problem> {
    let quorums = spec.require.iter().find_map(|(purpose, quorum)| self::quorum(spec, *purpose, quorum));
    signers(spec)
        .or(quorums)
        .or_else(|| spec.builders.iter().enumerate().find_map(|(index, one)| builder(spec, index, one)))
        .or_else(|| constraints(spec))
        .or_else(|| spec.vsa.as_ref().and_then(|rules| summary(spec, rules)))
}

#[expect(clippy::unnecessary_wraps, reason = "every caller gives it back as it is")]
fn say(path: impl Into<String>, message: impl Into<String>) -> Option<Problem> {
    Some(Problem { path: path.into(), message: message.into() })
}

fn signers(spec: &EnvironmentSpec) -> Option<Problem> {
    let mut names = BTreeSet::new();
    for (index, signer) in spec.signers.iter().enumerate() {
        if !names.insert(&signer.name) {
            let message = format!("there are two signers called `{}`; give each its own name", signer.name);
            return say(format!("signers[{index}].name"), message);
        }
        if spec.vsa.is_none() && signer.purposes.contains(&SignerPurpose::Vsa) {
            let message = format!(
                "{} is named for summaries, which count only with `vsa: {{verifier, maxAge}}` in this Environment",
                signer.name
            );
            return say(format!("signers[{index}].for"), message);
        }
    }
    None
}

/// A signer by that name who is named for that purpose, or what is wrong with the name.
fn named(spec: &EnvironmentSpec, name: &str, purpose: SignerPurpose) -> Result<(), String> {
    let Some(signer) = spec.signers.iter().find(|signer| signer.name == name) else {
        let nearest = suggestion(name, spec.signers.iter().map(|signer| signer.name.as_str()));
        let meant = nearest.map(|word| format!(", did you mean `{word}`?")).unwrap_or_default();
        return Err(format!("there is no signer `{name}`{meant}"));
    };
    if signer.purposes.contains(&purpose) {
        return Ok(());
    }
    let word = purpose.name();
    Err(format!("`{name}` is not named for {word}, so that it would never count; add {word} to its `for`"))
}

fn quorum(spec: &EnvironmentSpec, purpose: SignerPurpose, quorum: &Quorum) -> Option<Problem> {
    let path = format!("require.{}", purpose.name());
    if purpose == SignerPurpose::Vex {
        let message = "each statement about a vulnerability counts by itself; name one signer for vex instead";
        return say(path, message);
    }
    if quorum.of.is_empty() || quorum.of.len() > QUORUM_MAX {
        return say(format!("{path}.of"), format!("1 to {QUORUM_MAX} names of signers are needed"));
    }
    for (index, name) in quorum.of.iter().enumerate() {
        let path = format!("{path}.of[{index}]");
        if quorum.of.iter().take(index).any(|earlier| earlier == name) {
            return say(path, format!("`{name}` stands twice, and counts once"));
        }
        if let Err(message) = named(spec, name, purpose) {
            return say(path, message);
        }
    }
    let names = quorum.of.len();
    match quorum.at_least {
        Some(0) => say(format!("{path}.atLeast"), "0 of them would ask for nothing; leave `require` out instead"),
        Some(wanted) if usize::try_from(wanted).map_or(true, |wanted| wanted > names) => {
            say(format!("{path}.atLeast"), format!("{wanted} of {names} signers can never be had"))
        }
        _ => None,
    }
}

fn builder(spec: &EnvironmentSpec, index: usize, builder: &TrustedBuilder) -> Option<Problem> {
    let path = format!("builders[{index}]");
    if builder.id.is_empty() || builder.id.contains('*') {
        let message =
            "a builder is trusted by its exact id, since the level follows from it; name each version by itself";
        return say(format!("{path}.id"), message);
    }
    if spec.builders.iter().take(index).any(|earlier| (&earlier.id, &earlier.signer) == (&builder.id, &builder.signer))
    {
        return say(format!("{path}.id"), format!("`{}` with signer {} stands twice", builder.id, builder.signer));
    }
    let problem = named(spec, &builder.signer, SignerPurpose::Provenance).err()?;
    say(format!("{path}.signer"), problem)
}

fn constraints(spec: &EnvironmentSpec) -> Option<Problem> {
    for purpose in spec.constraints.purposes() {
        if !spec.signers.iter().any(|signer| signer.purposes.contains(&purpose)) {
            let word = purpose.name();
            let message = format!("no signer is named for {word}, so that none would ever count; add one to `signers`");
            return say(format!("constraints.{word}"), message);
        }
    }
    let level = spec.constraints.provenance.as_ref().and_then(|provenance| provenance.minimum_level);
    if level.is_some() && spec.builders.is_empty() {
        let message = "the level follows from the builder; name the trusted ones in `builders: [{id, level, signer}]`";
        return say("constraints.provenance.minimumLevel", message);
    }
    None
}

fn summary(spec: &EnvironmentSpec, rules: &SummaryRules) -> Option<Problem> {
    if rules.verifier.is_empty() {
        return say("vsa.verifier", "an empty text identifies nobody; write the verifier.id of the summaries");
    }
    if let Some(policy) = rules.policy.as_ref().filter(|text| text.parse::<Digest>().is_err()) {
        return say("vsa.policy", format!("`{policy}` is no digest such as sha256:..."));
    }
    if spec.signers.iter().any(|signer| signer.purposes.contains(&SignerPurpose::Vsa)) {
        return None;
    }
    say("vsa", "no signer is named for vsa, so that no summary would ever count; add one to `signers`")
}
