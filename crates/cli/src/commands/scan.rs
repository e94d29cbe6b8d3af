//! `assay scan`: packages, vulnerabilities and secrets of an image, a directory or an SBOM.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_inspect::{INSTALLED_LIBRARIES, LIBRARY_TEST_FOLDERS, SKIPPED_PATHS, SecretRules};
use assay_model::{
    BaseImage, Contents, Digest, EvidenceTier, FindingCounts, Findings, FixState, PackInfo, Partial, SecretMatch,
    Severity, Suppressed, Surface, Timestamp, VulnerabilityFinding,
};
use assay_oci::ImageSource;
use assay_sbom::{Generation, LicenceFinding, LicencePolicy, LicenceVerdict, Root};
use assay_vuln::risk::{Risk, Surroundings, Use, risk};
use assay_vuln::vex::Subject;
use assay_vuln::{LinkedSymbols, Threshold};
use serde::Serialize;
use serde_json::Value;

use super::each::{EachPlatform, OfPlatform};
use super::said::{Attached, IgnoredFinding, Said, Sources, VexFinding, Word};
use super::target::{self, Inspected, Target};
use crate::failure::{CliError, Failure, read_file};
use crate::session::Session;
use crate::settings::{FailOn, Settings};
use crate::{Result, Status};

/// What to scan for, and what to show of it.
#[derive(Clone, Debug)]
pub(crate) struct ScanOptions {
    /// What is scanned.
    pub(crate) target: Target,
    /// Whether vulnerabilities are looked for.
    pub(crate) vulnerabilities: bool,
    /// Whether secrets are looked for.
    pub(crate) secrets: bool,
    /// Severities to show; empty = all.
    pub(crate) severity: Vec<Severity>,
    /// What fails: any of these.
    pub(crate) fail_on: Vec<FailOn>,
    /// Which licences may be there.
    pub(crate) licences: LicencePolicy,
    /// Whether only what has a fix counts.
    pub(crate) only_fixed: bool,
    /// Whose word about findings counts.
    pub(crate) said: Sources,
    /// A gitleaks configuration instead of the built-in rules.
    pub(crate) secret_rules: Option<PathBuf>,
    /// Secrets that are known and accepted.
    pub(crate) secret_baseline: Option<PathBuf>,
}

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScanOutcome {
    /// What was scanned, for people.
    pub(crate) target: String,
    /// Manifest digest of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// Distribution, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) os: Option<String>,
    /// Number of packages.
    pub(crate) packages: usize,
    /// Counts of all vulnerabilities that pass `--only-fixed`, shown or not.
    pub(crate) counts: FindingCounts,
    /// Vulnerabilities, worst first, as filtered.
    pub(crate) vulnerabilities: Vec<VulnerabilityFinding>,
    /// The risk of each of them, in the same order.
    pub(crate) risks: Vec<Risk>,
    /// Findings that a VEX statement took away or is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) vex: Vec<VexFinding>,
    /// Findings that the ignore file takes away, and rules of it that have run out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ignored: Vec<IgnoredFinding>,
    /// Vulnerabilities that the filters hide.
    pub(crate) hidden: usize,
    /// Secrets, as filtered.
    pub(crate) secrets: Vec<SecretMatch>,
    /// Secrets that the baseline knows: not shown, not counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) accepted_secrets: usize,
    /// Where no secrets are looked for; none where they are not looked for at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_searched: Option<NotSearched>,
    /// Packages that no data covers: not known to be clean.
    pub(crate) uncovered: u64,
    /// What could not be read to its end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) partial: Vec<Partial>,
    /// What was matched against; none where vulnerabilities were not looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pack: Option<PackInfo>,
    /// Whether that is the embedded sample.
    pub(crate) sample_pack: bool,
    /// Packages whose licence the rules do not allow, the worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) licences: Vec<LicenceFinding>,
    /// The thresholds, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fail_on: Option<String>,
    /// The same, to be held against findings.
    #[serde(skip)]
    pub(crate) thresholds: Vec<Threshold>,
    /// When it was scanned.
    #[serde(skip)]
    pub(crate) now: Timestamp,
    /// Number of findings at or above it.
    pub(crate) failing: usize,
    /// What somebody who gets into a container of the image finds there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) surface: Option<Surface>,
    /// The chain ID of all layers: what an Environment names a base image by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chain_id: Option<Digest>,
    /// The image that this one was built on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<BaseImage>,
    /// What was found and is not listed, each with its reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) suppressed: Vec<Suppressed>,
    /// What was inspected, for the SBOM formats.
    #[serde(skip)]
    pub(crate) contents: Arc<Contents>,
    /// The root of such a document.
    #[serde(skip)]
    pub(crate) root: Root,
    /// How such a document came to be.
    #[serde(skip)]
    pub(crate) generation: Generation<'static>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Where no secrets are looked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotSearched {
    /// Beginnings of paths.
    pub(crate) paths: &'static [&'static str],
    /// Folders of installed libraries, in which these are not searched.
    pub(crate) libraries: &'static [&'static str],
    /// Folders of a library's own tests.
    pub(crate) library_tests: &'static [&'static str],
}

const NOT_SEARCHED: NotSearched =
    NotSearched { paths: SKIPPED_PATHS, libraries: INSTALLED_LIBRARIES, library_tests: LIBRARY_TEST_FOLDERS };

impl ScanOutcome {
    /// Denied at the threshold; undecided where there is one and not everything could be read, or nothing matched.
    pub(crate) fn status(&self) -> Status {
        match (self.failing, &self.fail_on) {
            (1.., Some(_)) => Status::Denied,
            (_, Some(_)) if !self.partial.is_empty() || self.nothing_covered() => Status::Undecided,
            _ => Status::Pass,
        }
    }

    /// Whether the scan fails for this finding; without a threshold, for critical and high ones.
    pub(crate) fn fails(&self, finding: &VulnerabilityFinding, risk: &Risk) -> bool {
        if self.thresholds.is_empty() {
            return finding.vulnerability.severity >= Severity::High;
        }
        self.thresholds.iter().any(|threshold| threshold.is_reached(finding, risk, self.now))
    }

    /// Whether the scan fails for a secret of this severity.
    pub(crate) fn fails_secret(&self, severity: Severity) -> bool {
        self.thresholds.is_empty() && severity >= Severity::High || reaches(&self.thresholds, severity)
    }

    /// Whether there are packages and no data about any of them.
    pub(crate) fn nothing_covered(&self) -> bool {
        self.packages > 0 && self.uncovered as usize == self.packages
    }
}

/// Whether a severity alone reaches one of the thresholds.
fn reaches(thresholds: &[Threshold], severity: Severity) -> bool {
    thresholds.iter().filter_map(Threshold::severity).any(|threshold| severity >= threshold)
}

/// Scans.
pub(crate) fn scan(options: ScanOptions, session: &Session<'_>) -> Result<ScanOutcome> {
    let inspected = match &options.secret_rules {
        Some(_) if matches!(options.target, Target::Image(_)) => {
            return Err(CliError::Usage {
                message: "--secret-rules is for files: what is known of an image's layers is kept for everybody"
                    .to_owned(),
                next: "scan the root file system: assay scan rootfs:PATH --secret-rules FILE".to_owned(),
            }
            .into());
        }
        Some(path) => {
            let text = String::from_utf8_lossy(&read_file(path)?).into_owned();
            let rules = SecretRules::from_gitleaks(&text)?;
            for name in rules.left_out() {
                session.printer.note(&format!("{}: rule {name} names only a path, and finds nothing", path.display()));
            }
            target::inspect_with(&options.target, options.vulnerabilities, Arc::new(rules), session)?
        }
        None => target::inspect(&options.target, options.vulnerabilities, session)?,
    };
    judge(inspected, options, session)
}

/// Scans the images of all platforms of an index.
pub(crate) fn scan_each(options: &ScanOptions, session: &Session<'_>) -> Result<EachPlatform<ScanOutcome>> {
    let mut platforms = Vec::new();
    for (platform, inspected) in target::inspect_each(&options.target, options.vulnerabilities, session)? {
        platforms.push(OfPlatform { platform, outcome: judge(inspected, options.clone(), session)? });
    }
    Ok(EachPlatform { platforms })
}

/// Holds what was found against what is asked for.
fn judge(inspected: Inspected, options: ScanOptions, session: &Session<'_>) -> Result<ScanOutcome> {
    let word = options.said.read()?;
    let attached = match (&options.said.vex_signer, &options.target) {
        (Some(_), Target::Image(image)) => {
            let image = match (image, inspected.root.digest) {
                (ImageSource::Registry(reference), Some(digest)) => ImageSource::Registry(reference.pinned(digest)),
                (image, _) => image.clone(),
            };
            word.attached_to(&image, session)?
        }
        (Some(_), _) => {
            return Err(CliError::Usage {
                message: "only an image has VEX attached to it".to_owned(),
                next: "name the document: --vex FILE".to_owned(),
            }
            .into());
        }
        (None, _) => Attached::default(),
    };
    let baseline = options.secret_baseline.as_deref().map(baseline).transpose()?.unwrap_or_default();
    let findings = match (&inspected.findings, options.vulnerabilities) {
        (Some(findings), true) => Some(findings.get().map_err(Failure::from_cause)?.clone()),
        _ => None,
    };
    let sample_pack = session.settings.pack.value.is_none();
    Ok(filter(inspected, findings, options, (&word, attached), &baseline, sample_pack))
}

/// Fingerprints of known secrets: those of an earlier `scan -o json`, or a list of them.
fn baseline(path: &Path) -> Result<BTreeSet<String>> {
    let malformed = |message: String| CliError::Malformed { what: path.display().to_string(), message };
    let document: Value =
        serde_json::from_slice(&read_file(path)?).map_err(|error| malformed(format!("is not JSON: {error}")))?;
    let list = document.as_array().or_else(|| document["secrets"].as_array());
    let Some(list) = list else {
        return Err(malformed("has no list of secrets: write one with assay scan TARGET -o json".to_owned()).into());
    };
    let fingerprint = |entry: &Value| entry.as_str().or_else(|| entry["fingerprint"].as_str()).map(str::to_owned);
    Ok(list.iter().filter_map(fingerprint).collect())
}

fn filter(
    inspected: Inspected,
    findings: Option<Arc<Findings>>,
    options: ScanOptions,
    (word, attached): (&Word, Attached),
    baseline: &BTreeSet<String>,
    sample_pack: bool,
) -> ScanOutcome {
    let now = Timestamp::now();
    let contents = inspected.contents;
    let mut said = Said::default();
    // The root of an image is named by its repository.
    let repository = inspected.root.digest.map(|_| inspected.root.name.clone());
    let subject = Subject { digest: inspected.root.digest, repository };
    let found = match findings.as_deref() {
        Some(findings) => word.apply(attached, findings.clone(), &subject, &contents, now, &mut said),
        None => Vec::new(),
    };
    let counted = |finding: &VulnerabilityFinding| !options.only_fixed || matches!(finding.fix, FixState::Fixed { .. });
    let all: Vec<(VulnerabilityFinding, Risk)> = found
        .into_iter()
        .filter(counted)
        .map(|finding| {
            let risk = risk(&finding, Use::default(), &Surroundings::default());
            (finding, risk)
        })
        .collect();
    let severities: BTreeSet<Severity> = options.severity.iter().copied().collect();
    let shown = |severity: Severity| severities.is_empty() || severities.contains(&severity);
    let texts: Vec<String> = options.fail_on.iter().map(ToString::to_string).collect();
    let fails_on_licences = options.fail_on.contains(&FailOn::Licence);
    let threshold = |fail_on| match fail_on {
        FailOn::Threshold(threshold) => Some(threshold),
        FailOn::Licence => None,
    };
    let thresholds: Vec<Threshold> = options.fail_on.into_iter().filter_map(threshold).collect();
    let licences = options.licences.judge(&contents.packages);
    let denied = licences.iter().filter(|one| fails_on_licences && one.verdict == LicenceVerdict::Deny).count();
    let fails = |(finding, risk): &&(VulnerabilityFinding, Risk)| {
        thresholds.iter().any(|threshold| threshold.is_reached(finding, risk, now))
    };
    let all_secrets: &[SecretMatch] = if options.secrets { &contents.secrets } else { &[] };
    let is_new = |secret: &&SecretMatch| !baseline.contains(&secret.fingerprint.to_string());
    let secrets: Vec<SecretMatch> = all_secrets.iter().filter(is_new).cloned().collect();
    let accepted_secrets = all_secrets.len() - secrets.len();
    let failing = all.iter().filter(fails).count()
        + secrets.iter().filter(|secret| reaches(&thresholds, secret.severity)).count()
        + denied;
    let counts = FindingCounts::of(all.iter().map(|(finding, _)| finding));
    let total = all.len();
    let (vulnerabilities, risks): (Vec<_>, Vec<_>) =
        all.into_iter().filter(|(finding, _)| shown(finding.vulnerability.severity)).unzip();
    ScanOutcome {
        target: inspected.name,
        digest: inspected.root.digest.map(|digest| digest.to_string()),
        os: contents.os.as_ref().map(|os| {
            let version = os.version_id.as_deref().unwrap_or_default();
            os.pretty_name.clone().unwrap_or_else(|| format!("{} {version}", os.id).trim_end().to_owned())
        }),
        packages: contents.packages.len(),
        counts,
        hidden: total - vulnerabilities.len(),
        vulnerabilities,
        risks,
        vex: said.vex,
        ignored: said.ignored,
        accepted_secrets,
        not_searched: options.secrets.then_some(NOT_SEARCHED),
        secrets: secrets.into_iter().filter(|secret| shown(secret.severity)).collect(),
        uncovered: findings.as_ref().map_or(0, |findings| findings.uncovered),
        partial: contents.partial.clone(),
        pack: findings.as_ref().map(|findings| findings.pack.clone()),
        sample_pack: sample_pack && findings.is_some(),
        fail_on: (!texts.is_empty()).then(|| texts.join(", ")),
        licences,
        thresholds,
        now,
        failing,
        surface: (contents.surface.bytes > 0).then(|| contents.surface.clone()),
        chain_id: contents.chain_ids().last().copied(),
        base: contents.base.clone(),
        suppressed: contents.suppressed.clone(),
        contents,
        root: inspected.root,
        generation: inspected.generation,
    }
}

/// Why a vulnerability was matched here, or was not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainOutcome {
    /// What was scanned.
    pub(crate) target: String,
    /// What was asked about.
    pub(crate) id: String,
    /// The findings, each with its reason.
    pub(crate) findings: Vec<VulnerabilityFinding>,
    /// What the records say, one for each record.
    pub(crate) records: Vec<ExplainedRecord>,
    /// Matches that do not count, in words: what, why, and by whom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_counted: Vec<String>,
    /// Packages of this name, where it is one's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) packages: Vec<ExplainedPackage>,
    /// What was found under this name and is not listed, each with its reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) suppressed: Vec<Suppressed>,
}

/// Why a package is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedPackage {
    /// Its purl.
    pub(crate) purl: String,
    /// The file that says so.
    pub(crate) path: String,
    /// How strong a sign that is.
    pub(crate) tier: EvidenceTier,
    /// The layer that brought it, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layer: Option<usize>,
    /// The command that made the layer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_by: Option<String>,
    /// Whether it came with the base image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from_base: Option<bool>,
}

/// One record about the vulnerability.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedRecord {
    /// Its identifier.
    pub(crate) id: String,
    /// One line.
    pub(crate) summary: String,
    /// Where to read more.
    pub(crate) references: Vec<String>,
    /// Packages and ranges it names, where one of these packages is in the target: `Debian:12 zlib introduced 0`.
    pub(crate) affected: Vec<String>,
}

/// Explains one vulnerability, or why packages of a name are listed or are not.
pub(crate) fn explain(scan: &ScanOutcome, id: &str, settings: &Settings) -> Result<ExplainOutcome> {
    let is_meant = |finding: &&VulnerabilityFinding| {
        let vulnerability = &finding.vulnerability;
        let mut names =
            std::iter::once(&vulnerability.id).chain(&vulnerability.aliases).chain([&finding.reason.record]);
        names.any(|name| name.as_str().eq_ignore_ascii_case(id))
    };
    let findings: Vec<_> = scan.vulnerabilities.iter().filter(is_meant).cloned().collect();
    let names: BTreeSet<&str> = scan
        .contents
        .packages
        .iter()
        .flat_map(|package| [Some(package.name.as_str()), package.source.as_ref().map(|source| source.name.as_str())])
        .flatten()
        .collect();
    let pack = super::database::open(settings.pack.value.as_deref())?;
    let records = pack
        .advisories(id)?
        .into_iter()
        .flat_map(|advisory| advisory.records)
        .map(|record| ExplainedRecord {
            id: record.id.to_string(),
            summary: record.summary,
            references: record.references,
            affected: record
                .affected
                .iter()
                .filter(|affected| names.contains(affected.name.as_str()))
                .map(|affected| format!("{} {} {}", affected.ecosystem, affected.name, affected.ranges().join("; ")))
                .collect(),
        })
        .collect();
    let contents = &scan.contents;
    let packages = contents
        .packages
        .iter()
        .filter(|package| package.name == id || package.purl.to_string() == id)
        .map(|package| ExplainedPackage {
            purl: package.purl.to_string(),
            path: package.path.clone(),
            tier: package.tier,
            layer: package.layer.map(|layer| layer + 1),
            created_by: package.layer.and_then(|layer| contents.layers.get(layer)?.created_by.clone()),
            from_base: contents.is_from_base(package),
        })
        .collect();
    let suppressed =
        contents.suppressed.iter().filter(|left| left.name == id || left.file.path == id).cloned().collect();
    let not_counted = not_counted(&pack, scan, id)?;
    Ok(ExplainOutcome {
        target: scan.target.clone(),
        id: id.to_owned(),
        findings,
        records,
        not_counted,
        packages,
        suppressed,
    })
}

/// What would have been a finding of this vulnerability, and who said that it is none.
fn not_counted(pack: &assay_vuln::Pack, scan: &ScanOutcome, id: &str) -> Result<Vec<String>> {
    let names: BTreeSet<String> = pack
        .advisories(id)?
        .into_iter()
        .flat_map(|advisory| std::iter::once(advisory.vulnerability.id).chain(advisory.vulnerability.aliases))
        .map(|name| name.as_str().to_ascii_lowercase())
        .chain([id.to_ascii_lowercase()])
        .collect();
    let about = |name: &str| names.contains(&name.to_ascii_lowercase());
    let matched = pack.match_linked(&scan.contents, &LinkedSymbols::new(), scan.now)?;
    let by_data = matched.suppressed.iter().filter(|entry| about(entry.vulnerability.as_str())).map(|entry| {
        let (package, version, why) = (&entry.package, &entry.version, entry.reason.describe());
        format!("{package} {version}: {why} ({}, {})", entry.by, entry.ecosystem)
    });
    // What could not be verified may be about anything.
    let by_vex = scan.vex.iter().filter(|entry| entry.vulnerability.is_empty() || about(&entry.vulnerability));
    let by_vex = by_vex.map(VexFinding::in_words);
    let by_rule = scan.ignored.iter().filter(|entry| about(&entry.vulnerability)).map(IgnoredFinding::in_words);
    Ok(by_data.chain(by_vex).chain(by_rule).collect())
}
