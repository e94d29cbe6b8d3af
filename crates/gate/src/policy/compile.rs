//! From what was written to what decides, refusing whatever would not be done as it is written.

use std::collections::{BTreeMap, BTreeSet};

use assay_case::{Action, FactNeeds};
use assay_kinds::{
    ControlSetting, Environment, ErrorPolicy, Quorum, SignerPurpose, SignerSpec, Span, Spec as _, suggestion,
};
use assay_model::{Digest, EnvironmentName};
use serde_json::{Map, Value, json};

use super::{
    ApprovalState, CompiledControl, CompiledEnvironment, ExceptionInput, Policy, PolicyError, PolicyInput,
    TrustRootInput,
};
use crate::catalogue::{ControlEntry, catalogue};
use crate::constraints::Rules;
use crate::controls::{Parameters, TABLE};
use crate::evidence::{Certificate, Identity, Keyless, PatternProblem, Prefix, TrustedSigner};
use crate::vouched::CompiledQuorum;

/// Longest life of an Exception where the Environment does not say.
const CAP_DAYS: u32 = 30;
/// The same for break-glass.
const BREAK_GLASS_CAP_HOURS: u32 = 24;
/// The control that has nothing to do without constraints or quorums.
const CONSTRAINTS: &str = "evidence-constraints";
/// Parameters that every control has: they are the Gate's, not the control's.
const COMMON: [&str; 3] = ["whenInternetFacing", "whenRescheduled", "whenUnknown"];

pub(super) fn compile(mut input: PolicyInput) -> Result<Policy, PolicyError> {
    if catalogue().len() != TABLE.len() {
        return Err(PolicyError::Catalogue {
            message: format!("{} rows for {} controls", catalogue().len(), TABLE.len()),
        });
    }
    input.environments.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    input.exceptions.sort_by(|a, b| a.exception.metadata.name.cmp(&b.exception.metadata.name));
    input.trust_roots.sort_by(|a, b| a.name.cmp(&b.name));
    unique("Environment", input.environments.iter().map(|object| &object.metadata.name))?;
    unique("Exception", input.exceptions.iter().map(|object| &object.exception.metadata.name))?;
    unique("TrustRoot", input.trust_roots.iter().map(|root| &root.name))?;

    let environments = input
        .environments
        .iter()
        .map(|object| environment(object, &input.trust_roots))
        .collect::<Result<Vec<_>, _>>()?;
    let by_default = input.default_environment.clone();
    let named = by_default.clone().or_else(|| "prod".parse().ok());
    let by_name = environments.iter().position(|environment| Some(&environment.name) == named.as_ref());
    if let (Some(name), None) = (by_default, by_name) {
        return Err(PolicyError::UnknownDefault { name });
    }
    let indexes = 0..environments.len();
    let strictest = by_name
        .or_else(|| indexes.max_by_key(|index| environments.get(*index).map(CompiledEnvironment::strictness)))
        .ok_or(PolicyError::NoEnvironment)?;
    Ok(Policy { digest: digest(&input), environments, strictest, exceptions: input.exceptions })
}

fn unique<'a>(kind: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), PolicyError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(PolicyError::Duplicate { kind, name: name.clone() });
        }
    }
    Ok(())
}

/// The hash over everything that decides, in sorted order.
fn digest(input: &PolicyInput) -> Digest {
    let environments: Vec<String> = input.environments.iter().map(|object| object.spec_digest().to_string()).collect();
    let exceptions: Vec<Value> = input.exceptions.iter().map(|input| exception(input)).collect();
    let roots: Vec<Value> = input
        .trust_roots
        .iter()
        .map(|root| {
            let keys: BTreeMap<_, _> = root.keys.iter().map(|(name, key)| (name, key.to_string())).collect();
            json!({"name": root.name, "material": root.material.to_string(), "keys": keys})
        })
        .collect();
    let catalogue: Vec<String> = catalogue().iter().map(|entry| format!("{entry:?}")).collect();
    let canonical = json!({
        "version": "assay.dev/policy/v1",
        "catalogue": Digest::of(catalogue.concat().as_bytes()).to_string(),
        "environments": environments,
        "exceptions": exceptions,
        "trustRoots": roots,
        "default": input.default_environment.as_ref().map(EnvironmentName::as_str),
    });
    Digest::of(canonical.to_string().as_bytes())
}

fn exception(input: &ExceptionInput) -> Value {
    let approval = match &input.approval {
        ApprovalState::Unauthenticated | ApprovalState::Refused { .. } => Value::Null,
        ApprovalState::Authenticated { by, groups } => json!({"by": by, "groups": groups}),
    };
    json!({"spec": input.exception.spec_digest().to_string(), "approval": approval, "author": input.author})
}

fn environment(object: &Environment, roots: &[TrustRootInput]) -> Result<CompiledEnvironment, PolicyError> {
    let spec = &object.spec;
    let place = |field: &str| format!("Environment {}: spec.{field}", object.metadata.name);
    let name: EnvironmentName = object.metadata.name.parse().map_err(|error: assay_model::NameError| {
        PolicyError::Invalid { place: format!("Environment {}", object.metadata.name), message: error.to_string() }
    })?;
    // Files were looked at when they were loaded; what comes from elsewhere was not.
    if let Some(problem) = spec.problem() {
        return Err(PolicyError::Invalid { place: place(&problem.path), message: problem.message });
    }
    let prefix = |field: &str, written: &String| {
        Prefix::parse(written).ok_or_else(|| PolicyError::Invalid {
            place: place(field),
            message: format!(
                "`{written}` is not a registry or repository prefix, such as registry.example.com/release/"
            ),
        })
    };
    let registries = spec.registries.iter().map(|written| prefix("registries", written)).collect::<Result<_, _>>()?;
    let base_images = spec.base_images.iter().map(|written| prefix("baseImages", written)).collect::<Result<_, _>>()?;
    let mut own_roots = Vec::new();
    for written in &spec.trust_root {
        let root = roots.iter().find(|root| root.name == *written).ok_or_else(|| {
            unknown(place("trustRoot"), "trust root", written, roots.iter().map(|root| root.name.as_str()))
        })?;
        own_roots.push(root);
    }
    let mut signers = Vec::new();
    for (index, written) in spec.signers.iter().enumerate() {
        let repositories = written.repositories.iter();
        let repositories = repositories
            .map(|text| prefix(&format!("signers[{index}].repositories"), text))
            .collect::<Result<_, _>>()?;
        let identity = identity(written, &own_roots, &place(&format!("signers[{index}]")))?;
        signers.push(TrustedSigner {
            name: written.name.clone(),
            purposes: written.purposes.clone(),
            repositories,
            identity,
        });
    }
    let rules = Rules::compile(&spec.constraints).map_err(|(field, problem)| PolicyError::Invalid {
        place: place(&format!("constraints.{field}")),
        message: problem.to_string(),
    })?;
    let quorum = |(purpose, written): (&SignerPurpose, &Quorum)| CompiledQuorum {
        purpose: *purpose,
        of: written.of.clone(),
        at_least: written.at_least.and_then(|least| usize::try_from(least).ok()).unwrap_or(written.of.len()),
    };
    let asked: BTreeSet<SignerPurpose> = spec.constraints.purposes().chain(spec.require.keys().copied()).collect();
    let ids = || catalogue().iter().map(|entry| entry.id.as_str());
    if let Some(id) = spec.controls.keys().find(|id| !ids().any(|known| known == id.as_str())) {
        return Err(unknown(place("controls"), "control", id.as_str(), ids()));
    }
    let cap = |span: Option<Span>, or: Span| span.unwrap_or(or).duration();
    let mut compiled = CompiledEnvironment {
        name,
        tier: spec.tier,
        namespaces: spec.namespaces.clone(),
        registries,
        base_images,
        trust_roots: own_roots.iter().map(|root| root.material).collect(),
        signers,
        quorums: spec.require.iter().map(quorum).collect(),
        trusted_builders: spec.builders.clone(),
        rules,
        asked: asked.into_iter().filter(|purpose| *purpose != SignerPurpose::Vsa).collect(),
        vsa: spec.vsa.clone(),
        failure_policy: spec.failure_policy,
        exception_cap: cap(spec.exceptions.maximum_duration, Span::days(CAP_DAYS)),
        break_glass_cap: cap(spec.exceptions.break_glass_maximum_duration, Span::hours(BREAK_GLASS_CAP_HOURS)),
        approvers: spec.exceptions.approvers.clone(),
        controls: Vec::with_capacity(catalogue().len()),
        needs: FactNeeds::default(),
    };
    for entry in catalogue() {
        let setting = spec.controls.get(entry.id.as_str());
        compiled.controls.push(control(entry, setting, &compiled, &place(&format!("controls.{}", entry.id)))?);
    }
    compiled.needs = compiled.needed();
    Ok(compiled)
}

fn identity(written: &SignerSpec, roots: &[&TrustRootInput], place: &str) -> Result<Identity, PolicyError> {
    let invalid = |message: String| PolicyError::Invalid { place: place.to_owned(), message };
    if written.purposes.is_empty() {
        return Err(invalid("`for` names no kind of evidence, so that the signer would never count".to_owned()));
    }
    let refused = |problem: PatternProblem| invalid(problem.to_string());
    match (&written.keyless, &written.key, &written.certificate) {
        (Some(keyless), None, None) => {
            Keyless::compile(keyless).map(|compiled| Identity::Keyless(Box::new(compiled))).map_err(refused)
        }
        (None, None, Some(certificate)) => {
            Certificate::compile(certificate).map(|compiled| Identity::Certificate(Box::new(compiled))).map_err(refused)
        }
        (None, Some(key), None) => {
            let fingerprints = roots.iter().flat_map(|root| &root.keys);
            fingerprints
                .clone()
                .find(|(name, _)| *name == key)
                .map(|(_, fingerprint)| Identity::Key { fingerprint: *fingerprint })
                .ok_or_else(|| {
                    let names = fingerprints.map(|(name, _)| name.as_str());
                    unknown(place.to_owned(), "key in the trust roots of this Environment called", key, names)
                })
        }
        (None, None, None) => Err(invalid("a signer needs `keyless`, `key` or `certificate`".to_owned())),
        _ => Err(invalid("a signer has one of `keyless`, `key` and `certificate`, not several".to_owned())),
    }
}

fn control(
    entry: &'static ControlEntry,
    setting: Option<&ControlSetting>,
    environment: &CompiledEnvironment,
    place: &str,
) -> Result<CompiledControl, PolicyError> {
    let mut parameters: Map<String, Value> = entry.defaults.get(&environment.tier).cloned().unwrap_or_default();
    if let Some(setting) = setting {
        parameters.extend(setting.parameters.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let known = || entry.parameters.iter().map(|parameter| parameter.name.as_str()).chain(COMMON).chain(["action"]);
    if let Some(name) = parameters.keys().find(|name| !known().any(|known| known == name.as_str())) {
        return Err(unknown(place.to_owned(), "parameter", name, known()));
    }
    let invalid = |message: String| PolicyError::Invalid { place: place.to_owned(), message };
    let mut common_action = |name: &str| -> Result<Option<Action>, PolicyError> {
        let Some(value) = parameters.remove(name) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|error| invalid(format!("{name}: {error}")))
    };
    let when_internet_facing = common_action("whenInternetFacing")?;
    let when_rescheduled = common_action("whenRescheduled")?.unwrap_or(Action::Warn);
    let when_unknown: Option<ErrorPolicy> = match parameters.remove("whenUnknown") {
        Some(value) => Some(serde_json::from_value(value).map_err(|error| invalid(format!("whenUnknown: {error}")))?),
        None => None,
    };
    let compile = TABLE.iter().find(|(id, _)| *id == entry.id.as_str()).map(|(_, compile)| compile);
    let compile = compile.ok_or_else(|| PolicyError::Catalogue { message: format!("{} has no code", entry.id) })?;
    let control = compile(Parameters(parameters)).map_err(|error| invalid(error.0))?;
    let action = setting.and_then(|setting| setting.action);
    Ok(CompiledControl {
        id: entry.id.clone(),
        entry,
        action: action.unwrap_or_else(|| {
            // Where nothing is asked there is nothing to judge, and no outcome to be read for every image.
            let idle = entry.id.as_str() == CONSTRAINTS && environment.asked.is_empty();
            if idle { Action::Off } else { entry.action(environment.tier) }
        }),
        when_internet_facing,
        when_rescheduled,
        when_unknown,
        control,
    })
}

fn unknown<'a>(place: String, what: &'static str, name: &str, known: impl Iterator<Item = &'a str>) -> PolicyError {
    let suggestion = suggestion(name, known).map(str::to_owned);
    PolicyError::Unknown { place, what, name: name.to_owned(), suggestion }
}
