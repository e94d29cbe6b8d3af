//! `require-provenance`: SLSA provenance by a named signer, from a trusted builder, with the source that is asked for.

use std::collections::BTreeMap;

use assay_kinds::{PatternSpec, SignerPurpose};
use assay_model::BuildLevel;
use assay_trust::{EvidenceKind, Pattern, Predicate, Provenance};
use serde::Deserialize;

use crate::constraints::{Unmet, level_of};
use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::evidence::{pattern, place};
use crate::report::Said;
use crate::vouched::{Accepted, Vouched};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Written {
    builders: Vec<PatternSpec>,
    sources: Vec<PatternSpec>,
    refs: Vec<PatternSpec>,
    workflows: Vec<PatternSpec>,
    build_types: Vec<PatternSpec>,
    parameters: BTreeMap<String, PatternSpec>,
}

const FIX: &str = "build it with the named builder from the named source";

/// What is asked for: for each property of a build the values that are allowed, any value where there are none.
struct Wanted {
    builders: Vec<Pattern>,
    sources: Vec<Pattern>,
    refs: Vec<Pattern>,
    workflows: Vec<Pattern>,
    build_types: Vec<Pattern>,
    parameters: Vec<(String, Pattern)>,
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted = Wanted::compile(parameters.read()?)?;
    Ok(Control::subject(Reads::Attestations, move |context, facts, report| {
        let environment = &context.environment.name;
        let set = match facts.evidence.get() {
            Ok(set) => set,
            Err(cause) => return report.unknown("how it was built", cause),
        };
        let builders = &context.environment.trusted_builders;
        if wanted.builders.is_empty() && builders.is_empty() {
            let summary = match context.summarised(facts, set) {
                Ok(accepted) => return report.pass(verified(&accepted)),
                Err(summary) => summary,
            };
            let why = format!("{environment} names no trusted builder{summary}");
            let fix = "name one in spec.builders, or in controls.require-provenance.builders";
            return report.fail(Said::from(why).fix(fix));
        }
        let vouched = context.vouched(facts, set, SignerPurpose::Provenance, |evidence, signer| {
            let Predicate::Provenance(provenance) = evidence.predicate() else { return None };
            let why = wanted.problem(provenance).or_else(|| {
                let unknown = !builders.is_empty() && level_of(builders, provenance, signer).is_none();
                unknown.then(|| {
                    let (builder, signer) = (&provenance.builder_id, &signer.name);
                    format!("the builder {builder}, as signed by {signer}, is none of those that {environment} trusts; SLSA Build L1{}", missing(BuildLevel::L1))
                })
            })?;
            Some(Unmet { why, fix: FIX })
        });
        let unmet = match vouched {
            Vouched::Yes { evidence, signer, names } => {
                let Predicate::Provenance(provenance) = evidence.predicate() else { return };
                let source = provenance.source_repository.as_deref().unwrap_or("an unnamed source");
                let level = level_of(builders, provenance, signer)
                    .map(|level| format!(", SLSA Build {level}{}", missing(level)))
                    .unwrap_or_default();
                return report.pass(format!("built from {source}, says {names}{}{level}", place(facts, evidence)));
            }
            Vouched::No(unmet) => unmet,
        };
        let summary = match context.summarised(facts, set) {
            Ok(accepted) => return report.pass(verified(&accepted)),
            Err(summary) => summary,
        };
        if set.truncated {
            return report
                .error("no fitting provenance among the evidence that was read, and there is more than is read");
        }
        let stranger = context.evidence(facts, set, EvidenceKind::Provenance).next();
        let (why, fix) = match (unmet, stranger) {
            (Some(unmet), _) => (unmet.why, unmet.fix),
            (None, Some(stranger)) => {
                (format!("no provenance by a signer that {environment} names, only by {}", stranger.signer()), FIX)
            }
            (None, None) => {
                let level = if builders.is_empty() {
                    String::new()
                } else {
                    format!("; SLSA Build L0{}", missing(BuildLevel::L0))
                };
                let instead = context.instead(facts, set, EvidenceKind::Provenance);
                (format!("no provenance is attested{instead}{level}"), FIX)
            }
        };
        report.fail(Said::from(why + &summary).fix(fix));
    }))
}

/// What a summary says of provenance.
fn verified(accepted: &Accepted) -> String {
    let level = accepted.level.map(|level| format!(", SLSA Build {level}")).unwrap_or_default();
    format!("provenance was verified{level}, {}", accepted.said)
}

/// What the next level asks, for the end of a message.
fn missing(level: BuildLevel) -> String {
    level.missing().map(|missing| format!(" ({missing})")).unwrap_or_default()
}

impl Wanted {
    fn compile(written: Written) -> Result<Self, ParameterError> {
        let one = |name: &str, spec: &PatternSpec| {
            pattern(spec).map_err(|problem| ParameterError(format!("{name}: {problem}")))
        };
        let all = |name: &str, specs: &[PatternSpec]| -> Result<Vec<Pattern>, ParameterError> {
            specs.iter().map(|spec| one(name, spec)).collect()
        };
        let parameters = written.parameters.iter();
        Ok(Self {
            builders: all("builders", &written.builders)?,
            sources: all("sources", &written.sources)?,
            refs: all("refs", &written.refs)?,
            workflows: all("workflows", &written.workflows)?,
            build_types: all("buildTypes", &written.build_types)?,
            parameters: parameters
                .map(|(name, spec)| Ok((name.clone(), one("parameters", spec)?)))
                .collect::<Result<_, ParameterError>>()?,
        })
    }

    /// The first property of a build that is not as it is asked for.
    fn problem(&self, provenance: &Provenance) -> Option<String> {
        let properties = [
            ("the builder", &self.builders, Some(provenance.builder_id.as_str())),
            ("the source", &self.sources, provenance.source_repository.as_deref()),
            ("the source ref", &self.refs, provenance.source_ref.as_deref()),
            ("the workflow", &self.workflows, provenance.workflow.as_deref()),
            ("the build type", &self.build_types, Some(provenance.build_type.as_str())),
        ];
        for (what, patterns, value) in properties {
            if let Some(problem) = mismatch(what, patterns, value) {
                return Some(problem);
            }
        }
        self.parameters.iter().find_map(|(name, pattern)| {
            let value = provenance.parameters.get(name).map(String::as_str);
            mismatch(&format!("the parameter {name}"), std::slice::from_ref(pattern), value)
        })
    }
}

fn mismatch(what: &str, patterns: &[Pattern], value: Option<&str>) -> Option<String> {
    let wanted = patterns.iter().map(Pattern::written).collect::<Vec<_>>();
    match value {
        _ if patterns.is_empty() => None,
        Some(value) if patterns.iter().any(|pattern| pattern.matches(value)) => None,
        Some(value) => Some(format!("{what} is {value}, wanted is {}", wanted.join(" or "))),
        None => Some(format!("the provenance does not say {what}, wanted is {}", wanted.join(" or "))),
    }
}
