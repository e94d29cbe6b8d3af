//! `assay exception approve`: a signature over what an Exception says, beside its file.

use std::path::PathBuf;

use assay_gate::{ApprovalState, ExceptionInput};
use assay_kinds::{Approval, Exception, Kind, Located, load_yaml};
use assay_model::Timestamp;
use assay_sign::Statement;
use assay_trust::predicates::ASSAY_APPROVAL_V1;
use serde::Serialize;

use super::scalar;
use crate::commands::policies::{self, Policies};
use crate::commands::policy::{ExceptionRow, exception_rows};
use crate::commands::sign::signer::{ReadySigner, SignerOptions};
use crate::failure::{CliError, read_text, write_file};
use crate::session::Session;
use crate::{Result, Status};

/// What to approve.
pub(crate) struct ApproveOptions {
    /// The file with the Exception.
    pub(crate) file: PathBuf,
    /// Its name, where the file holds several.
    pub(crate) name: Option<String>,
    /// A ticket or record of the decision.
    pub(crate) reference: Option<String>,
    /// Who approves.
    pub(crate) signer: SignerOptions,
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApproveOutcome {
    /// The Exception.
    pub(crate) name: String,
    /// The approver.
    pub(crate) by: String,
    /// The approval's file; none = it would count nowhere, and nothing was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<PathBuf>,
    /// Whether it counts, in each Environment.
    pub(crate) exceptions: Vec<ExceptionRow>,
}

impl ApproveOutcome {
    /// Denied where the approval would count nowhere.
    pub(crate) fn status(&self) -> Status {
        if self.approval.is_some() { Status::Pass } else { Status::Denied }
    }
}

/// Signs what an Exception says, names the approver in it where it names none, and writes both; or, where that would count
/// nowhere, says why and writes nothing.
pub(crate) fn approve(options: &ApproveOptions, session: &Session<'_>) -> Result<ApproveOutcome> {
    let now = Timestamp::now();
    let policies = policies::load(session.settings)?;
    let text = read_text(&options.file)?;
    let source = options.file.display().to_string();
    let found = find(&text, &source, options.name.as_deref())?;
    let signer = session.run(options.signer.ready(session))?;
    let written = match &found.value.spec.approval {
        Some(_) => None,
        None => Some(named(options, &signer, &found, &text, &policies, now, session)?),
    };
    let exception = match &written {
        Some(changed) => find(changed, &source, options.name.as_deref())?.value,
        None => found.value.clone(),
    };
    let name = exception.metadata.name.clone();
    let path = policies::approval_path(&options.file, &name).ok_or_else(|| CliError::Malformed {
        what: source.clone(),
        message: format!("`{name}` is no name that a file can have"),
    })?;
    let (bundle, approval) = sign(&signer, &exception, &policies, now, session)?;
    let ApprovalState::Authenticated { by, .. } = &approval else { return Err(unknown_signer(&approval).into()) };
    let by = by.clone();
    let input = ExceptionInput { exception, approval, author: None };
    let exceptions = exception_rows(&policies, &found.place, &input, session, now);
    if exceptions.iter().all(|row| row.problem.is_some()) {
        return Ok(ApproveOutcome { name, by, approval: None, exceptions });
    }
    if let Some(changed) = written {
        write_file(&options.file, changed.as_bytes())?;
    }
    write_file(&path, &bundle)?;
    Ok(ApproveOutcome { name, by, approval: Some(path), exceptions })
}

/// The one Exception of a file, or the one of this name.
fn find(text: &str, source: &str, name: Option<&str>) -> Result<Located<Exception>> {
    let mut found = Vec::new();
    for object in load_yaml(text, source)?.objects {
        if let Kind::Exception(exception) = object.value
            && name.is_none_or(|name| exception.metadata.name == name)
        {
            found.push(Located { value: *exception, place: object.place });
        }
    }
    let names: Vec<_> = found.iter().map(|found| found.value.metadata.name.clone()).collect();
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(CliError::NotFound {
            what: name
                .map_or_else(|| format!("an Exception in {source}"), |name| format!("Exception {name} in {source}")),
            suggestion: None,
            next: "assay exception new --control ID --to FILE".to_owned(),
        }
        .into()),
        (Some(_), false) => Err(CliError::Usage {
            message: format!("{source} holds {} Exceptions", names.len()),
            next: format!("--name {}", names.join(" | ")),
        }
        .into()),
    }
}

/// Signs, and reads back who that was by the roots that the policy knows.
fn sign(
    signer: &ReadySigner,
    exception: &Exception,
    policies: &Policies,
    now: Timestamp,
    session: &Session<'_>,
) -> Result<(Vec<u8>, ApprovalState)> {
    let statement = Statement::attestation(&exception.spec_digest(), ASSAY_APPROVAL_V1, b"{}")?;
    let bundle = session.run(signer.sign(&statement))?;
    let approval = policies::approver(bundle.bytes(), exception, policies.named_materials(), now);
    Ok((bundle.bytes().to_vec(), approval))
}

fn unknown_signer(state: &ApprovalState) -> CliError {
    let why = match state {
        ApprovalState::Refused { why } => why.clone(),
        _ => "no TrustRoot knows the signer".to_owned(),
    };
    CliError::Usage {
        message: format!("the approval would not be believed: {why}"),
        next: "name the approver's public key (or the Sigstore instance) in a TrustRoot, and give it with --config"
            .to_owned(),
    }
}

/// The text of the file with the approver named in the Exception: the signature covers that, too.
fn named(
    options: &ApproveOptions,
    signer: &ReadySigner,
    found: &Located<Exception>,
    text: &str,
    policies: &Policies,
    now: Timestamp,
    session: &Session<'_>,
) -> Result<String> {
    // A certificate costs an entry in a public log: the token says who it will name.
    let by = if let Some(subject) = signer.certified_subject() {
        subject.to_owned()
    } else {
        match sign(signer, &found.value, policies, now, session)?.1 {
            ApprovalState::Authenticated { by, .. } => by,
            other => return Err(unknown_signer(&other).into()),
        }
    };
    // A whole second is easier to read, and never ahead of the clock.
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let approval = Approval { by, reference: options.reference.clone(), at };
    let mut expected = found.value.clone();
    expected.spec.approval = Some(approval.clone());
    let line = approval_line(&approval);
    let changed = with_approval(text, usize::try_from(found.place.line).unwrap_or(usize::MAX), &line);
    let reads_back = |changed: &String| {
        let name = Some(found.value.metadata.name.as_str());
        find(changed, "", name).is_ok_and(|read| read.value.spec == expected.spec)
    };
    changed.filter(reads_back).ok_or_else(|| {
        CliError::Usage {
            message: format!("{}: there is no place for the approval that is safe to write to", options.file.display()),
            next: format!("write `{line}` below `spec:` and repeat"),
        }
        .into()
    })
}

fn approval_line(approval: &Approval) -> String {
    let reference = approval.reference.as_ref().map(|text| format!(", reference: {}", scalar(text)));
    format!("approval: {{by: {}{}, at: {}}}", scalar(&approval.by), reference.unwrap_or_default(), approval.at)
}

/// Puts the approval where `exception new` left a comment for it, else first below `spec:`, in the document that begins
/// at `start` (a line, counted from 1).
fn with_approval(text: &str, start: usize, line: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let start = start.saturating_sub(1);
    let own = lines.iter().enumerate().skip(start);
    let own: Vec<_> = own.take_while(|(index, line)| *index == start || !line.starts_with("---")).collect();
    let comment = own.iter().find(|(_, line)| line.trim_start().starts_with("# approval:"));
    let (at, replaced) = match comment {
        Some((index, _)) => (*index, 1),
        None => (own.iter().find(|(_, line)| line.trim_end() == "spec:")?.0.checked_add(1)?, 0),
    };
    let spec = own.iter().find(|(_, line)| line.trim_end() == "spec:")?.0;
    let first = lines.get(spec.checked_add(1)?)?;
    let indentation: String = first.chars().take_while(|c| *c == ' ').collect();
    let (before, after) = (lines.get(..at)?, lines.get(at.checked_add(replaced)?..)?);
    let gap = if before.last().is_some_and(|line| !line.ends_with('\n')) { "\n" } else { "" };
    Some(format!("{}{gap}{indentation}{line}\n{}", before.concat(), after.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "approval: {by: alice, at: 2026-11-20T09:00:00Z}";

    #[test]
    fn the_comment_of_a_new_exception_makes_place_for_the_approval() {
        let text = "kind: Exception\nspec:\n  owner: a\n  # approval: {by: ...}\n---\nkind: Other\n";
        let changed = with_approval(text, 1, LINE).unwrap();
        assert_eq!(changed, format!("kind: Exception\nspec:\n  owner: a\n  {LINE}\n---\nkind: Other\n"));
    }

    #[test]
    fn without_a_comment_it_stands_first_in_its_own_document() {
        let text = "kind: Exception\nspec:\n  # approval: no\n---\nkind: Exception\nspec:\n    owner: a\n";
        let changed = with_approval(text, 5, LINE).unwrap();
        assert!(changed.ends_with(&format!("---\nkind: Exception\nspec:\n    {LINE}\n    owner: a\n")), "{changed}");
        assert_eq!(with_approval("kind: Exception\nspec: {owner: a}\n", 1, LINE), None);
    }
}
