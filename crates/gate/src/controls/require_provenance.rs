//! `require-provenance`: SLSA provenance by a named signer, from a trusted builder, with the source that is asked for.

use std::collections::BTreeMap;

use assay_kinds::{PatternSpec, SignerPurpose};
use assay_trust::{EvidenceKind, Pattern, Predicate, Provenance};
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters};
use crate::evidence::{pattern, place};
use crate::report::Said;

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
    Ok(Control::subject(move |context, facts, report| {
        let environment = &context.environment.name;
        let set = match facts.evidence.get() {
            Ok(set) => set,
            Err(cause) => return report.unknown("how it was built", cause),
        };
        if wanted.builders.is_empty() {
            let why = format!("{environment} names no trusted builder");
            return report.fail(Said::from(why).fix("name one in controls.require-provenance.builders"));
        }
        let mut first_problem = None;
        for (evidence, signer) in context.trusted(facts, set, SignerPurpose::Provenance) {
            let Predicate::Provenance(provenance) = evidence.predicate() else { continue };
            match wanted.problem(provenance) {
                None => {
                    let source = provenance.source_repository.as_deref().unwrap_or("an unnamed source");
                    let place = place(facts, evidence);
                    return report.pass(format!("built from {source}, says {}{place}", signer.name));
                }
                Some(problem) => {
                    first_problem.get_or_insert(problem);
                }
            }
        }
        if set.truncated {
            return report
                .error("no fitting provenance among the evidence that was read, and there is more than is read");
        }
        let stranger = context.evidence(facts, set, EvidenceKind::Provenance).next();
        let why = match (first_problem, stranger) {
            (Some(problem), _) => problem,
            (None, Some(stranger)) => {
                format!("no provenance by a signer that {environment} names, only by {}", stranger.signer())
            }
            (None, None) => {
                format!("no provenance is attested{}", context.instead(facts, set, EvidenceKind::Provenance))
            }
        };
        report.fail(Said::from(why).fix("build it with the named builder from the named source"));
    }))
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
