//! `assay check`: the Gate on manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_case::{Case, ContainerRole, ControlOutcome, Known, Namespace, Outcome, Verdict, World};
use assay_gate::decide;
use assay_gather::Wanted;
use assay_kinds::Kind;
use assay_kube::{Manifest, Manifests, Object, PullCredentials, namespace_of};
use assay_model::{EnvironmentName, Platform, Reference, Timestamp};
use serde::Serialize;

use super::policies::{self, Policies};
use crate::failure::{CliError, Failure, read_file};
use crate::session::Session;
use crate::{Result, Status};

/// What to check.
#[derive(Debug)]
pub(crate) struct CheckOptions {
    /// Files and folders; `-` is standard input.
    pub(crate) paths: Vec<PathBuf>,
    /// Namespace of objects that name none.
    pub(crate) namespace: String,
    /// Platforms that the cluster's nodes run; empty = linux/amd64.
    pub(crate) platforms: Vec<Platform>,
}

/// What the Gate says about everything that was given.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckOutcome {
    /// Objects that would run something, in the order of the files.
    pub(crate) objects: Vec<CheckedObject>,
    /// Number of files read.
    pub(crate) files: usize,
    /// Objects without anything to judge, by kind.
    pub(crate) skipped: BTreeMap<String, usize>,
    /// Counts of all of it.
    pub(crate) summary: CheckSummary,
}

/// One object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckedObject {
    /// File it stands in, `-` for standard input.
    pub(crate) file: String,
    /// The template that made it, where Helm says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<String>,
    /// Line of the object.
    pub(crate) line: usize,
    /// What the Gate says.
    pub(crate) verdict: Verdict,
    /// Where the fields stand that the outcomes name, by field.
    pub(crate) marks: BTreeMap<String, Mark>,
}

/// A place in a file and the line it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mark {
    /// Line, counted from 1.
    pub(crate) line: usize,
    /// Column, counted from 1.
    pub(crate) column: usize,
    /// Length of what is marked, in characters.
    pub(crate) length: usize,
    /// The text of the line.
    pub(crate) text: String,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct CheckSummary {
    /// Images judged.
    pub(crate) images: usize,
    /// Images that something denies.
    pub(crate) denied: usize,
    /// Images that could not be judged, which denies as well.
    pub(crate) undecided: usize,
    /// Outcomes to look at that deny nothing.
    pub(crate) warnings: usize,
    /// Objects denied for what is not about one image.
    pub(crate) objects_denied: usize,
}

impl CheckOutcome {
    /// Counts and wraps.
    pub(crate) fn new(objects: Vec<CheckedObject>, files: usize, skipped: BTreeMap<String, usize>) -> Self {
        let mut summary = CheckSummary::default();
        for object in &objects {
            let mut images: BTreeMap<(ContainerRole, &str), Option<bool>> = BTreeMap::new();
            let mut about_object = false;
            for outcome in &object.verdict.outcomes {
                summary.warnings += usize::from(outcome.warns());
                let Some(role) = outcome.target.role else {
                    about_object |= outcome.denies();
                    continue;
                };
                let image = images.entry((role, &outcome.target.name)).or_default();
                if outcome.denies() {
                    // A denial that was decided outweighs one that was not.
                    *image = Some(image.unwrap_or(false) || outcome.outcome == Outcome::Fail);
                }
            }
            summary.images += images.len();
            summary.denied += images.values().filter(|image| **image == Some(true)).count();
            summary.undecided += images.values().filter(|image| **image == Some(false)).count();
            summary.objects_denied += usize::from(about_object);
        }
        Self { objects, files, skipped, summary }
    }

    /// Denied where something fails, undecided where something could not be found out, else pass.
    pub(crate) fn status(&self) -> Status {
        status_of(self.objects.iter().map(|object| &object.verdict))
    }
}

impl CheckedObject {
    /// `namespace/Kind/name` in the words of people: `Deployment payments-prod/api`.
    pub(crate) fn title(&self) -> String {
        let mut parts = self.verdict.workload.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(namespace), Some(kind), Some(name)) => format!("{kind} {namespace}/{name}"),
            _ => self.verdict.workload.clone(),
        }
    }

    /// Where an outcome is to be shown.
    pub(crate) fn mark(&self, outcome: &ControlOutcome) -> Option<&Mark> {
        self.marks.get(&outcome.target.field)
    }

    /// Line an outcome is about.
    pub(crate) fn line_of(&self, outcome: &ControlOutcome) -> usize {
        self.mark(outcome).map_or(self.line, |mark| mark.line)
    }
}

/// A file that was read.
struct Input {
    name: String,
    text: Vec<u8>,
}

/// Judges every object that would run something.
pub(crate) fn check(options: &CheckOptions, session: &Session<'_>) -> Result<CheckOutcome> {
    let policies = policies::load(session.settings)?;
    known_environment(&policies, session)?;
    let inputs = read(&options.paths)?;
    let mut parsed = Vec::new();
    let mut labels = BTreeMap::new();
    let mut skipped: BTreeMap<String, usize> = BTreeMap::new();
    for input in &inputs {
        let manifests =
            Manifests::parse(&input.text, &Kind::NAMES).map_err(|error| Failure::from(error).about(&input.name))?;
        labels.extend(manifests.namespaces.clone());
        for object in &manifests.skipped {
            let kind = if object.kind.is_empty() { "not an object" } else { &object.kind };
            *skipped.entry(kind.to_owned()).or_default() += 1;
        }
        for object in manifests.assay.iter().chain(&manifests.kustomizations) {
            *skipped.entry(object.kind.clone()).or_default() += 1;
        }
        parsed.push((input, manifests));
    }
    let mut requests = Vec::new();
    for (input, manifests) in &parsed {
        for manifest in &manifests.workloads {
            let node = manifest.node();
            let name = namespace_of(&node, &options.namespace).to_owned();
            let namespace = Namespace { labels: labels.get(&name).cloned(), name };
            let Some(mut request) = manifest.request(namespace) else { continue };
            request.environment.clone_from(&session.settings.environment.value);
            requests.push((*input, manifest, request));
        }
    }
    let references: BTreeSet<&str> =
        requests.iter().flat_map(|(.., request)| &request.images).map(|image| image.written.as_str()).collect();
    let facts = gather(&references, options, &policies, session)?;
    let now = Timestamp::now();
    let around = parsed.iter().flat_map(|(_, manifests)| manifests.workloads.iter().chain(&manifests.surroundings));
    let around: Vec<_> = around.map(|manifest| manifest.object(&options.namespace)).collect();
    let world = Arc::new(surrounded(world(session)?, &around, now));
    let mut objects = Vec::new();
    for (input, manifest, request) in requests {
        let own =
            request.images.iter().filter_map(|image| Some((image.written.clone(), facts.get(&image.written)?.clone())));
        let case = Case { facts: own.collect(), request, world: Arc::clone(&world) };
        let verdict = decide(&policies.policy, &case, now);
        objects.push(checked(input, manifest, verdict));
    }
    Ok(CheckOutcome::new(objects, inputs.len(), skipped))
}

/// What verdicts come to.
pub(crate) fn status_of<'a>(verdicts: impl Iterator<Item = &'a Verdict> + Clone) -> Status {
    let mut denials = verdicts.clone().flat_map(Verdict::denials);
    if denials.any(|outcome| outcome.outcome == Outcome::Fail) {
        Status::Denied
    } else if verdicts.clone().any(|verdict| !verdict.allowed) {
        Status::Undecided
    } else {
        Status::Pass
    }
}

/// The Environment that was named must exist: judging by another one would answer another question.
pub(crate) fn known_environment(policies: &Policies, session: &Session<'_>) -> Result<()> {
    session.settings.environment.value.as_ref().map_or(Ok(()), |name| exists(policies, name))
}

/// Whether there is an Environment of this name.
pub(crate) fn exists(policies: &Policies, name: &EnvironmentName) -> Result<()> {
    let names = || policies.policy.environments().map(EnvironmentName::as_str);
    if names().any(|known| known == name.as_str()) {
        return Ok(());
    }
    Err(CliError::NotFound {
        what: format!("environment {name}"),
        suggestion: assay_kinds::suggestion(name.as_str(), names()).map(str::to_owned),
        next: format!("assay policy list shows {}", names().collect::<Vec<_>>().join(", ")),
    }
    .into())
}

fn read(paths: &[PathBuf]) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in paths {
        for file in policies::files(path, &["yaml", "yml", "json"])? {
            inputs.push(Input { name: file.display().to_string(), text: read_file(&file)? });
        }
    }
    if inputs.is_empty() {
        let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        return Err(CliError::NotFound {
            what: format!("a manifest (.yaml, .yml, .json) in {}", shown.join(", ")),
            suggestion: None,
            next: "-f FILE, -f DIR, or -f - for standard input".to_owned(),
        }
        .into());
    }
    Ok(inputs)
}

/// The facts of each image, by the reference as written.
type FactsByReference = BTreeMap<String, Known<Vec<Arc<assay_case::Facts>>>>;

fn gather(
    references: &BTreeSet<&str>,
    options: &CheckOptions,
    policies: &Policies,
    session: &Session<'_>,
) -> Result<FactsByReference> {
    let parsed =
        references.iter().filter_map(|written| Some(((*written).to_owned(), written.parse::<Reference>().ok()?)));
    if session.settings.offline.value {
        let offline = || Known::unknown("offline", "nothing is looked up with --offline");
        return Ok(parsed.map(|(written, _)| (written, offline())).collect());
    }
    let (gatherer, access) =
        (session.gatherer(policies.materials.clone(), session.existing_store()?)?, session.access()?);
    let wanted = Wanted { platforms: options.platforms.clone(), ..Wanted::default() };
    session.printer.progress(&format!("looking at {} images", references.len()));
    session.run(async {
        let each = parsed.map(|(written, reference)| {
            let (gatherer, access, wanted) = (&gatherer, &access, &wanted);
            async move { (written, gatherer.facts(access, &reference, wanted).await) }
        });
        Ok(futures_util::future::join_all(each).await.into_iter().collect())
    })
}

/// What else is known: the ledger and earlier admissions, where there is a store.
pub(crate) fn world(session: &Session<'_>) -> Result<World> {
    let Some(store) = session.existing_store()? else { return Ok(World::unknown()) };
    let now = Timestamp::now();
    Ok(World { promotions: Known::new(store.promotions()?.into(), now), ..World::unknown() })
}

/// What the manifests say about each other: which workloads are reached from outside, and what they pull with.
fn surrounded(world: World, objects: &[Object<'_>], now: Timestamp) -> World {
    let credentials = assay_kube::pull_credentials(objects);
    let world = World { exposure: assay_kube::exposure(objects), ..world };
    // A set without any Secret or ServiceAccount says nothing about credentials: they come from elsewhere.
    if credentials == PullCredentials::default() {
        return world;
    }
    World { pull_secrets: Known::new(credentials.secrets, now), pull_accounts: Some(credentials.accounts), ..world }
}

fn checked(input: &Input, manifest: &Manifest<'_>, verdict: Verdict) -> CheckedObject {
    let text = std::str::from_utf8(&input.text).unwrap_or_default();
    let mut marks = BTreeMap::new();
    for outcome in &verdict.outcomes {
        let field = &outcome.target.field;
        if field.is_empty() || marks.contains_key(field) {
            continue;
        }
        let place = manifest.place(field);
        let line = text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
        let value = text.get(place.start..place.end).unwrap_or_default();
        let length = value.lines().next().unwrap_or_default().trim_end().chars().count();
        let mark = Mark { line: place.line, column: place.column, length: length.max(1), text: line.to_owned() };
        marks.insert(field.clone(), mark);
    }
    let name = if Path::new(&input.name) == Path::new("-") { "stdin" } else { &input.name };
    CheckedObject {
        file: name.to_owned(),
        template: manifest.source.clone(),
        line: manifest.place("").line,
        verdict,
        marks,
    }
}
