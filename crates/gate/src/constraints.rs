//! What evidence must say to count, compiled: the Environment's `constraints`, and the level that its `builders` give.

use assay_kinds::{
    AttributeConstraint, Constraints, CountLimits, LinkConstraint, MaterialConstraint, PatternSpec,
    ProvenanceConstraint, ReleaseConstraint, SbomConstraint, SbomFormatName, ScanConstraint, Span, TestConstraint,
    TimeConstraint, TrustedBuilder,
};
use assay_model::{BuildLevel, FindingCounts, Timestamp};
use assay_trust::{
    Evidence, Material, Pattern, Predicate, Provenance, SbomFormat, SbomSummary, ScanSummary, TestResult, TestSummary,
};
use jiff::SignedDuration;

use crate::clock::Clock;
use crate::evidence::{PatternProblem, TrustedSigner, pattern};

/// How far two clocks may differ before a time in the future is none.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why evidence by the right signer does not count, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmet {
    pub(crate) why: String,
    pub(crate) fix: &'static str,
}

#[expect(clippy::unnecessary_wraps, reason = "every caller gives it back as it is")]
fn unmet(why: impl Into<String>, fix: &'static str) -> Option<Unmet> {
    Some(Unmet { why: why.into(), fix })
}

/// The level of the builder that provenance names, if the Environment trusts it together with who signed.
pub(crate) fn level_of(
    builders: &[TrustedBuilder],
    provenance: &Provenance,
    signer: &TrustedSigner,
) -> Option<BuildLevel> {
    let own = |builder: &&TrustedBuilder| builder.id == provenance.builder_id && builder.signer == signer.name;
    builders.iter().find(own).map(|builder| builder.level)
}

/// All constraints of an Environment.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    signature: Option<Time>,
    provenance: Option<Box<ProvenanceRules>>,
    sbom: Option<SbomConstraint>,
    scan: Option<ScanRules>,
    test: Option<TestRules>,
    release: Option<Patterns>,
    attributes: Option<AttributeRules>,
    link: Option<LinkRules>,
}

type Patterns = Vec<Pattern>;

#[derive(Clone, Copy, Debug)]
struct Time {
    max_age: Option<Span>,
    not_before: Option<Timestamp>,
}

#[derive(Debug)]
struct ProvenanceRules {
    minimum_level: Option<BuildLevel>,
    /// For each property: what it is, the values that are allowed, and where it stands.
    properties: Vec<(String, Patterns, Property)>,
    materials: Option<MaterialRules>,
    time: Time,
}

#[derive(Debug)]
enum Property {
    Field(fn(&Provenance) -> Option<&str>),
    Parameter(String),
    Input(String),
}

#[derive(Debug)]
struct MaterialRules {
    pinned: bool,
    allowed: Patterns,
}

#[derive(Debug)]
struct ScanRules {
    scanners: Patterns,
    at_most: CountLimits,
    time: Time,
}

#[derive(Debug)]
struct TestRules {
    written: TestConstraint,
    configurations: Patterns,
    time: Time,
}

#[derive(Debug)]
struct AttributeRules {
    all: Vec<String>,
    producers: Patterns,
}

#[derive(Debug)]
struct LinkRules {
    steps: Patterns,
    materials: Option<MaterialRules>,
}

/// A pattern that cannot be used, and where it stands below `constraints`.
pub(crate) type Refused = (String, PatternProblem);

fn patterns(place: &str, written: &[PatternSpec]) -> Result<Patterns, Refused> {
    written.iter().map(|one| pattern(one).map_err(|problem| (place.to_owned(), problem))).collect()
}

impl Rules {
    pub(crate) fn compile(written: &Constraints) -> Result<Self, Refused> {
        let time = |written: &TimeConstraint| Time { max_age: written.max_age, not_before: written.not_before };
        Ok(Self {
            signature: written.signature.as_ref().map(time),
            provenance: written.provenance.as_deref().map(ProvenanceRules::compile).transpose()?.map(Box::new),
            sbom: written.sbom.clone(),
            scan: written.scan.as_ref().map(ScanRules::compile).transpose()?,
            test: written.test.as_ref().map(TestRules::compile).transpose()?,
            release: written
                .release
                .as_ref()
                .map(|ReleaseConstraint { purls }| patterns("release.purls", purls))
                .transpose()?,
            attributes: written.attributes.as_ref().map(AttributeRules::compile).transpose()?,
            link: written.link.as_ref().map(LinkRules::compile).transpose()?,
        })
    }

    /// The lowest level of the SLSA Build track that is enough.
    pub(crate) fn minimum_level(&self) -> Option<BuildLevel> {
        self.provenance.as_ref()?.minimum_level
    }

    /// What a piece of evidence lacks, if it lacks anything.
    pub(crate) fn unmet(
        &self,
        evidence: &Evidence,
        signer: &TrustedSigner,
        builders: &[TrustedBuilder],
        clock: &Clock,
    ) -> Option<Unmet> {
        match evidence.predicate() {
            Predicate::Signature => self.signature?.unmet(None, evidence, clock),
            Predicate::Provenance(stated) => {
                let level = level_of(builders, stated, signer);
                self.provenance.as_ref()?.unmet(stated, level, evidence, clock)
            }
            Predicate::Sbom(stated) => sbom(self.sbom.as_ref()?, stated, evidence, clock),
            Predicate::Scan(stated) => self.scan.as_ref()?.unmet(stated, evidence, clock),
            Predicate::Test(stated) => self.test.as_ref()?.unmet(stated, evidence, clock),
            Predicate::Release(stated) => mismatch("the purl", self.release.as_ref()?, Some(&stated.purl)),
            Predicate::Attributes(stated) => {
                let rules = self.attributes.as_ref()?;
                if let Some(missing) = rules.all.iter().find(|name| !stated.attributes.contains(name)) {
                    let under = stated.conditional.contains(missing);
                    let how = if under { "only under conditions" } else { "not attested" };
                    return unmet(
                        format!("the attribute {missing} is {how}"),
                        "attest it without conditions, or take it from constraints.attributes.all",
                    );
                }
                mismatch("the producer", &rules.producers, stated.producer.as_deref())
            }
            Predicate::Link(stated) => {
                let rules = self.link.as_ref()?;
                mismatch("the step", &rules.steps, Some(&stated.name))
                    .or_else(|| rules.materials.as_ref()?.unmet(&stated.materials))
            }
            Predicate::Vex { .. } | Predicate::Summary(_) | Predicate::Other(_) => None,
        }
    }
}

impl Time {
    /// The earlier of what is stated and what is proven: a signer may date a statement back, never forward.
    fn unmet(self, stated: Option<Timestamp>, evidence: &Evidence, clock: &Clock) -> Option<Unmet> {
        const FIX: &str = "make it anew, and sign it with a timestamp or in a transparency log";
        if self.max_age.is_none() && self.not_before.is_none() {
            return None;
        }
        let Some(at) = stated.into_iter().chain(evidence.signed_at()).min() else {
            return unmet("nothing says when it was made", FIX);
        };
        if clock.is_ahead(at, SKEW) {
            return unmet(format!("it is dated {at}, in the future"), "look at the signer's clock");
        }
        if let Some(oldest) = self.max_age.filter(|oldest| clock.is_older(at, oldest.duration())) {
            let hours = clock.hours_since(at);
            return unmet(format!("it is {hours} h old, at most {oldest} are wanted"), FIX);
        }
        if let Some(first) = self.not_before.filter(|first| at < *first) {
            return unmet(format!("it is of {at}, and none before {first} counts"), FIX);
        }
        None
    }
}

impl ProvenanceRules {
    fn compile(written: &ProvenanceConstraint) -> Result<Self, Refused> {
        type Field = fn(&Provenance) -> Option<&str>;
        let fields: [(&str, &str, &[PatternSpec], Field); 8] = [
            ("the builder", "builders", &written.builders, |p| Some(&p.builder_id)),
            ("the build type", "buildTypes", &written.build_types, |p| Some(&p.build_type)),
            ("the source", "sources", &written.sources, |p| p.source_repository.as_deref()),
            ("the source ref", "refs", &written.refs, |p| p.source_ref.as_deref()),
            ("the branch", "branches", &written.branches, |p| p.branch.as_deref()),
            ("the tag", "tags", &written.tags, |p| p.tag.as_deref()),
            ("the source commit", "commits", &written.commits, |p| p.source_digest.as_deref()),
            ("the workflow", "workflows", &written.workflows, |p| p.workflow.as_deref()),
        ];
        let mut properties = Vec::new();
        for (what, field, allowed, of) in fields {
            if !allowed.is_empty() {
                let allowed = patterns(&format!("provenance.{field}"), allowed)?;
                properties.push((what.to_owned(), allowed, Property::Field(of)));
            }
        }
        for (name, wanted) in &written.parameters {
            let allowed = patterns(&format!("provenance.parameters.{name}"), std::slice::from_ref(wanted))?;
            properties.push((format!("the parameter {name}"), allowed, Property::Parameter(name.clone())));
        }
        for (name, wanted) in &written.inputs {
            let allowed = patterns(&format!("provenance.inputs.{name}"), std::slice::from_ref(wanted))?;
            properties.push((format!("the workflow input {name}"), allowed, Property::Input(name.clone())));
        }
        let materials = written.materials.as_ref();
        Ok(Self {
            minimum_level: written.minimum_level,
            properties,
            materials: materials.map(|written| MaterialRules::compile("provenance", written)).transpose()?,
            time: Time { max_age: written.max_age, not_before: written.not_before },
        })
    }

    fn unmet(
        &self,
        stated: &Provenance,
        level: Option<BuildLevel>,
        evidence: &Evidence,
        clock: &Clock,
    ) -> Option<Unmet> {
        if let Some(wanted) = self.minimum_level {
            let found = level.unwrap_or(BuildLevel::L1);
            if found < wanted {
                let known = if level.is_some() { "" } else { ", since `builders` does not name it" };
                let why =
                    format!("the builder {} reaches SLSA Build {found}{known}; {wanted} is wanted", stated.builder_id);
                return unmet(why, "build with a builder of that level that `builders` names");
            }
        }
        let property = |(what, allowed, of): &(String, Patterns, Property)| {
            let value = match of {
                Property::Field(of) => of(stated),
                Property::Parameter(name) => stated.parameters.get(name).map(String::as_str),
                Property::Input(name) => stated.inputs.get(name).map(String::as_str),
            };
            mismatch(what, allowed, value)
        };
        self.properties
            .iter()
            .find_map(property)
            .or_else(|| self.materials.as_ref()?.unmet(&stated.materials))
            .or_else(|| self.time.unmet(stated.finished_at, evidence, clock))
    }
}

impl MaterialRules {
    fn compile(kind: &str, written: &MaterialConstraint) -> Result<Self, Refused> {
        let allowed = patterns(&format!("{kind}.materials.allowed"), &written.allowed)?;
        Ok(Self { pinned: written.pinned, allowed })
    }

    fn unmet(&self, used: &[Material]) -> Option<Unmet> {
        if used.is_empty() {
            let nothing = "it does not say what was used";
            return unmet(nothing, "use a builder that writes down its materials");
        }
        if let Some(loose) = used.iter().find(|material| self.pinned && material.digest.is_none()) {
            return unmet(format!("the material {} has no digest", loose.uri), "pin it to a digest in the build");
        }
        let strange = |material: &&Material| !self.allowed.iter().any(|pattern| pattern.matches(&material.uri));
        let strange = used.iter().find(strange).filter(|_| !self.allowed.is_empty())?;
        let wanted = words(&self.allowed);
        unmet(
            format!("the material {} is not allowed, only {wanted}", strange.uri),
            "build without it, or allow it in constraints",
        )
    }
}

fn sbom(rules: &SbomConstraint, stated: &SbomSummary, evidence: &Evidence, clock: &Clock) -> Option<Unmet> {
    let format = match stated.format {
        SbomFormat::Cyclonedx => SbomFormatName::Cyclonedx,
        SbomFormat::Spdx => SbomFormatName::Spdx,
    };
    if !rules.formats.is_empty() && !rules.formats.contains(&format) {
        return unmet(
            format!("its format is {format:?}, which is not asked for"),
            "write it in a format that is asked for",
        );
    }
    if let Some(least) = rules.minimum_packages.filter(|least| stated.packages < *least) {
        let why = format!("it lists {} packages, at least {least} are wanted", stated.packages);
        return unmet(why, "make it of the image itself, not of its sources (assay attest IMAGE@DIGEST --from-sbom)");
    }
    Time { max_age: rules.max_age, not_before: rules.not_before }.unmet(None, evidence, clock)
}

impl ScanRules {
    fn compile(written: &ScanConstraint) -> Result<Self, Refused> {
        Ok(Self {
            scanners: patterns("scan.scanners", &written.scanners)?,
            at_most: written.at_most.unwrap_or_default(),
            time: Time { max_age: written.max_age, not_before: written.not_before },
        })
    }

    fn unmet(&self, stated: &ScanSummary, evidence: &Evidence, clock: &Clock) -> Option<Unmet> {
        mismatch("the scanner", &self.scanners, Some(&stated.scanner))
            .or_else(|| too_many(&self.at_most, stated.counts))
            .or_else(|| self.time.unmet(stated.finished_at, evidence, clock))
    }
}

fn too_many(limits: &CountLimits, counts: Option<FindingCounts>) -> Option<Unmet> {
    let asked = [limits.critical, limits.high, limits.medium, limits.low, limits.unknown];
    if asked.iter().all(Option::is_none) {
        return None;
    }
    let Some(counts) = counts else {
        let fix = "attest a scan in the form of cosign or in-toto, or assay attest IMAGE@DIGEST --from-scan";
        return unmet("it does not say how many findings there are", fix);
    };
    let found = [counts.critical, counts.high, counts.medium, counts.low, counts.unknown];
    let names = ["critical", "high", "medium", "low", "unrated"];
    let over =
        asked.into_iter().zip(found).zip(names).find(|((most, found), _)| most.is_some_and(|most| *found > most))?;
    let ((most, found), name) = over;
    let most = most.unwrap_or_default();
    unmet(
        format!("it counts {found} {name} findings, at most {most} are wanted"),
        "rebuild on fixed versions and scan again",
    )
}

impl TestRules {
    fn compile(written: &TestConstraint) -> Result<Self, Refused> {
        Ok(Self {
            configurations: patterns("test.configurations", &written.configurations)?,
            time: Time { max_age: written.max_age, not_before: written.not_before },
            written: written.clone(),
        })
    }

    fn unmet(&self, stated: &TestSummary, evidence: &Evidence, clock: &Clock) -> Option<Unmet> {
        let worst = if self.written.allow_warnings { TestResult::Warned } else { TestResult::Passed };
        if stated.result > worst {
            let why = match stated.result {
                TestResult::Failed => format!("{} tests failed", stated.failed),
                _ => format!("{} tests passed with warnings", stated.warned),
            };
            return unmet(why, "repair what the tests found and run them again");
        }
        if let Some(least) = self.written.minimum_passed.filter(|least| stated.passed < *least) {
            let why = format!("{} tests passed, at least {least} are wanted", stated.passed);
            return unmet(why, "run all tests");
        }
        let ran = |pattern: &Pattern| stated.configurations.iter().any(|name| pattern.matches(name));
        if !self.configurations.is_empty() && !self.configurations.iter().any(ran) {
            let (found, wanted) = (stated.configurations.join(", "), words(&self.configurations));
            return unmet(format!("the configuration is {found}, wanted is {wanted}"), "run the tests that are wanted");
        }
        self.time.unmet(None, evidence, clock)
    }
}

impl AttributeRules {
    fn compile(written: &AttributeConstraint) -> Result<Self, Refused> {
        Ok(Self { all: written.all.clone(), producers: patterns("attributes.producers", &written.producers)? })
    }
}

impl LinkRules {
    fn compile(written: &LinkConstraint) -> Result<Self, Refused> {
        let materials = written.materials.as_ref();
        Ok(Self {
            steps: patterns("link.steps", &written.steps)?,
            materials: materials.map(|written| MaterialRules::compile("link", written)).transpose()?,
        })
    }
}

fn words(patterns: &[Pattern]) -> String {
    patterns.iter().map(Pattern::written).collect::<Vec<_>>().join(" or ")
}

fn mismatch(what: &str, allowed: &[Pattern], value: Option<&str>) -> Option<Unmet> {
    const FIX: &str = "build it as it is wanted, or change what is wanted in constraints";
    match value {
        _ if allowed.is_empty() => None,
        Some(value) if allowed.iter().any(|pattern| pattern.matches(value)) => None,
        Some(value) => unmet(format!("{what} is {value}, wanted is {}", words(allowed)), FIX),
        None => unmet(format!("it does not say {what}, wanted is {}", words(allowed)), FIX),
    }
}
