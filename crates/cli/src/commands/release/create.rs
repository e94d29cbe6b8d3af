//! `assay release create`: one digest, where it came from, and what vouches for it.

use std::collections::{BTreeMap, BTreeSet};

use assay_case::EvidenceSet;
use assay_gather::{Access, Wanted};
use assay_kinds::{ReleaseArtifact, ReleaseArtifactSpec, ReleaseEvidence, ReleaseImage, ReleaseRisk, ReleaseSource};
use assay_model::{Digest, Reference};
use assay_store::Release;
use assay_trust::{Evidence, EvidenceKind, Predicate};
use serde::Serialize;

use super::platforms;
use crate::Result;
use crate::commands::policies;
use crate::failure::{CliError, Failure};
use crate::session::Session;

/// A release to record.
#[derive(Debug)]
pub(crate) struct CreateOptions {
    /// Its name.
    pub(crate) name: String,
    /// Its service.
    pub(crate) service: String,
    /// The image; a tag is resolved once.
    pub(crate) image: Reference,
    /// Source repository; what the provenance says where missing.
    pub(crate) source: Option<String>,
    /// Source commit; what the provenance says where missing.
    pub(crate) commit: Option<String>,
}

/// A release that was recorded.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateOutcome {
    /// The contract.
    pub(crate) release: ReleaseArtifact,
    /// The tag that was resolved, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<String>,
    /// Who says where it was built from, where a provenance does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_by: Option<String>,
    /// Kinds of evidence that do not verify, with why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rejected: Vec<String>,
}

/// Records a release.
pub(crate) fn create(options: CreateOptions, session: &Session<'_>) -> Result<CreateOutcome> {
    let (image, found) = if session.settings.offline.value {
        (unresolved(&options.image)?, Vec::new())
    } else {
        look(&options.image, session)?
    };
    let digest = image.digest().ok_or_else(|| no_digest(&image))?;
    let store = session.store()?;
    if let Some(existing) = store.release(&options.name)?
        && existing.digest != digest
    {
        return Err(CliError::Usage {
            message: format!("release {} exists with another digest, {}", options.name, existing.digest),
            next: "a rebuilt image is another release: choose another name".to_owned(),
        }
        .into());
    }
    let verified: Vec<&Evidence> = found.iter().flat_map(|set| &set.verified).map(|evidence| &**evidence).collect();
    let stated = stated_source(&verified)?;
    let source = agreed("source", options.source, stated.as_ref().map(|own| own.repository.as_str()), same_repository)?;
    let commit = agreed("commit", options.commit, stated.as_ref().map(|own| own.commit.as_str()), same_commit)?;
    let rejected: BTreeSet<String> = found
        .iter()
        .flat_map(|set| &set.rejected)
        .map(|claim| {
            let kind = claim.kind.map_or("evidence", EvidenceKind::title);
            format!("{kind}: {} ({})", claim.message, claim.code)
        })
        .collect();
    let spec = ReleaseArtifactSpec {
        service: options.service.clone(),
        source: ReleaseSource { repository: source, commit },
        image: ReleaseImage { repository: image.repository().clone(), digest },
        evidence: evidence_of(&image, &verified),
        risk: ReleaseRisk::default(),
    };
    let release = ReleaseArtifact::new(options.name.clone(), spec);
    let object = serde_json::to_value(&release)
        .map_err(|error| CliError::Malformed { what: "the release".to_owned(), message: error.to_string() })?;
    store.put_release(&Release { name: options.name, service: options.service, digest, object })?;
    let tag = options.image.digest().is_none().then(|| options.image.written().to_owned());
    Ok(CreateOutcome { release, tag, source_by: stated.map(|own| own.by), rejected: rejected.into_iter().collect() })
}

/// With `--offline` nothing is resolved: the digest must be there.
fn unresolved(image: &Reference) -> Result<Reference> {
    if image.digest().is_some() { Ok(image.clone()) } else { Err(no_digest(image).into()) }
}

fn no_digest(image: &Reference) -> CliError {
    CliError::Usage {
        message: format!("{} has no digest, and --offline forbids to resolve it", image.written()),
        next: "--image registry/repository@sha256:...".to_owned(),
    }
}

/// Resolves the image once, and looks at what vouches for each of its platforms.
fn look(image: &Reference, session: &Session<'_>) -> Result<(Reference, Vec<EvidenceSet>)> {
    let policies = policies::load(session.settings)?;
    let client = session.online("looking at an image")?;
    let gatherer = session.gatherer(policies.materials.clone(), session.existing_store()?)?;
    session.run(async {
        let about = |failure: Failure| failure.about(image.written());
        let root = client.root(image).await.map_err(|error| about(Failure::from(error)))?;
        let pinned = image.pinned(root.digest);
        let wanted = Wanted { platforms: platforms(&root.manifest), contents: false, ..Wanted::default() };
        let facts = gatherer.facts(&Access::new(client), &pinned, &wanted).await;
        let facts = facts.get().map_err(|cause| about(Failure::from_cause(cause)))?;
        let sets =
            facts.iter().map(|facts| facts.evidence.get().cloned().map_err(|cause| about(Failure::from_cause(cause))));
        Ok((pinned, sets.collect::<std::result::Result<_, _>>()?))
    })
}

/// Where a provenance says that the image was built from.
#[derive(Debug)]
struct StatedSource {
    repository: String,
    commit: String,
    by: String,
}

/// What the verified provenance says, where it says one thing. Signatures are cheap: two statements that differ are a
/// question to a person, and none of them is taken.
fn stated_source(verified: &[&Evidence]) -> Result<Option<StatedSource>> {
    let mut stated: Vec<StatedSource> = Vec::new();
    for evidence in verified {
        let Predicate::Provenance(provenance) = evidence.predicate() else { continue };
        let (Some(repository), Some(commit)) = (&provenance.source_repository, &provenance.source_digest) else {
            continue;
        };
        let same = |own: &StatedSource| same_repository(&own.repository, repository) && own.commit == *commit;
        if !stated.iter().any(same) {
            let by = evidence.signer().to_string();
            stated.push(StatedSource { repository: plain_repository(repository), commit: commit.clone(), by });
        }
    }
    if stated.len() > 1 {
        let each: Vec<_> =
            stated.iter().map(|own| format!("{}@{} by {}", own.repository, own.commit, own.by)).collect();
        return Err(CliError::Malformed {
            what: "the provenance of the image".to_owned(),
            message: format!("says different things about its source: {}", each.join("; ")),
        }
        .into());
    }
    Ok(stated.pop())
}

/// What was given, what the provenance says, or that they differ.
fn agreed(
    what: &'static str,
    given: Option<String>,
    stated: Option<&str>,
    same: fn(&str, &str) -> bool,
) -> Result<String> {
    match (given, stated) {
        (Some(given), Some(stated)) if !same(&given, stated) => Err(CliError::Usage {
            message: format!("--{what} {given} is not what the verified provenance says: {stated}"),
            next: format!("leave --{what} out, or find out which image this is: assay trace DIGEST"),
        }
        .into()),
        // The provenance has the whole commit where somebody typed its beginning.
        (_, Some(stated)) => Ok(stated.to_owned()),
        (Some(given), None) => Ok(given),
        (None, None) => Err(CliError::Usage {
            message: "no verified provenance says where the image was built from".to_owned(),
            next: "--source REPOSITORY --commit SHA, or --config with the TrustRoot of whoever signs the provenance"
                .to_owned(),
        }
        .into()),
    }
}

/// `https://github.com/company/app.git` and `github.com/company/app` are one repository.
fn plain_repository(text: &str) -> String {
    let text = text.strip_prefix("git+").unwrap_or(text);
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.trim_end_matches('/');
    text.strip_suffix(".git").unwrap_or(text).to_owned()
}

fn same_repository(left: &str, right: &str) -> bool {
    plain_repository(left).eq_ignore_ascii_case(&plain_repository(right))
}

/// Shortest beginning of a commit that git itself prints.
const COMMIT_MIN: usize = 7;

fn same_commit(given: &str, stated: &str) -> bool {
    given == stated
        || (given.len() >= COMMIT_MIN && stated.to_ascii_lowercase().starts_with(&given.to_ascii_lowercase()))
}

/// The newest verified evidence of each kind that a release names.
fn evidence_of(image: &Reference, verified: &[&Evidence]) -> ReleaseEvidence {
    let mut newest: BTreeMap<EvidenceKind, &Evidence> = BTreeMap::new();
    for evidence in verified {
        let order = |own: &Evidence| (own.signed_at(), own.source());
        let known = newest.entry(evidence.kind()).or_insert(evidence);
        if order(known) < order(evidence) {
            *known = evidence;
        }
    }
    let place = |digest: Digest| format!("oci://{}@{digest}", image.repository());
    let of = |kind| newest.get(&kind).map(|evidence| place(evidence.source()));
    let named = [EvidenceKind::Signature, EvidenceKind::Sbom, EvidenceKind::Provenance, EvidenceKind::Scan];
    let signers = named
        .iter()
        .filter_map(|kind| Some((kind.title().to_ascii_lowercase(), newest.get(kind)?.signer().to_string())));
    ReleaseEvidence {
        sbom: of(EvidenceKind::Sbom),
        provenance: of(EvidenceKind::Provenance),
        signature: of(EvidenceKind::Signature),
        scan: of(EvidenceKind::Scan),
        signers: signers.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_known_however_it_is_written() {
        for text in
            ["https://github.com/Company/app.git", "git+https://github.com/company/app", "github.com/company/app/"]
        {
            assert!(same_repository(text, "github.com/company/app"), "{text}");
        }
        assert!(!same_repository("github.com/company/app2", "github.com/company/app"));
    }

    #[test]
    fn the_beginning_of_a_commit_is_enough_if_git_would_print_it() {
        let whole = "4f2c1e9d0b6a7c8e9f00112233445566778899aa";
        assert!(same_commit("4f2c1e9", whole) && same_commit("4F2C1E9D", whole) && same_commit(whole, whole));
        assert!(!same_commit("4f2c", whole) && !same_commit("4f2c1e8", whole) && !same_commit(whole, "4f2c1e9"));
    }

    #[test]
    fn what_is_given_must_be_what_the_provenance_says() {
        let ask = |given: Option<&str>, stated| agreed("commit", given.map(str::to_owned), stated, same_commit);
        assert_eq!(ask(Some("4f2c1e9"), Some("4f2c1e9d")).unwrap(), "4f2c1e9d");
        assert_eq!(ask(None, Some("4f2c1e9d")).unwrap(), "4f2c1e9d");
        assert_eq!(ask(Some("s"), None).unwrap(), "s");
        assert!(ask(Some("4f2c1e8"), Some("4f2c1e9d")).unwrap_err().what.contains("is not what"));
        assert!(ask(None, None).is_err());
    }
}
