//! The lab's Environments: the starters that Assay brings along, with the lab's registry, trust root and signers.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_gate::{ExceptionInput, Policy, PolicyInput, TrustRootInput, starter_environments};
use assay_kinds::{
    Environment, KeylessIdentity, PatternSpec, SignerPurpose, SignerSpec, SigstoreRoot, TrustRoot, TrustRootSpec,
};
use assay_model::{Action, ControlId};
use assay_sandbox::sigstore::GITHUB_ISSUER;
use assay_trust::TrustMaterial;
use serde_json::json;

use super::ENVIRONMENTS;
use super::signing::{generator, release_workflow};
use crate::Result;
use crate::commands::lab::error::LabError;

/// Who may approve Exceptions in the lab.
pub(crate) const APPROVER: &str = "security-lead@example.com";
/// The name of the lab's trust root, and of the file that holds its material.
const TRUST_ROOT: &str = "lab";
const TRUSTED_ROOT_FILE: &str = "trusted_root.json";
/// Services with a release workflow of their own.
const TEAMS: [&str; 2] = ["payments", "web"];

/// The Environments as written, and how to compile them.
pub(crate) struct Policies {
    environments: Vec<Environment>,
    trust_root: TrustRootInput,
}

impl Policies {
    /// The starters, with `host` as the company's registry and `material` as what it trusts.
    pub(super) fn new(host: &str, material: &TrustMaterial) -> Result<Self> {
        let mut environments = starter_environments()?;
        for environment in &mut environments {
            if ENVIRONMENTS.contains(&environment.metadata.name.as_str()) {
                complete(environment, host)?;
            }
        }
        let trust_root =
            TrustRootInput { name: TRUST_ROOT.to_owned(), material: material.hash(), keys: BTreeMap::new() };
        Ok(Self { environments, trust_root })
    }

    /// What decides, with these Exceptions and without these controls.
    pub(crate) fn compile(&self, exceptions: &[ExceptionInput], off: &[&str]) -> Result<Policy> {
        let mut environments = self.environments.clone();
        for environment in &mut environments {
            for control in off {
                let id: ControlId = control.parse()?;
                environment.spec.controls.entry(id).or_default().action = Some(Action::Off);
            }
        }
        Ok(Policy::compile(PolicyInput {
            environments,
            exceptions: exceptions.iter().cloned().map(Arc::new).collect(),
            trust_roots: vec![self.trust_root.clone()],
            default_environment: None,
        })?)
    }

    /// The objects as a user keeps them: file name and YAML.
    pub(crate) fn files(&self) -> Result<Vec<(String, String)>> {
        let root = TrustRoot::new(
            TRUST_ROOT,
            TrustRootSpec {
                sigstore: Some(SigstoreRoot::File(TRUSTED_ROOT_FILE.to_owned())),
                ..TrustRootSpec::default()
            },
        );
        let mut files = Vec::new();
        for environment in &self.environments {
            files.push((format!("{}.yaml", environment.metadata.name), yaml(environment)?));
        }
        files.push(("trust-root.yaml".to_owned(), yaml(&root)?));
        Ok(files)
    }
}

fn yaml<T: serde::Serialize>(object: &T) -> Result<String> {
    Ok(serde_saphyr::to_string(object).map_err(LabError::fixture("policy"))?)
}

/// Fills in what a starter leaves to its user.
fn complete(environment: &mut Environment, host: &str) -> Result<()> {
    let spec = &mut environment.spec;
    spec.registries = vec![format!("{host}/{}/", environment.metadata.name)];
    spec.trust_root = vec![TRUST_ROOT.to_owned()];
    spec.signers = TEAMS.iter().flat_map(|team| signers(team, host)).collect();
    spec.exceptions.approvers = vec![APPROVER.to_owned()];
    let provenance: ControlId = "require-provenance".parse()?;
    let setting = spec.controls.entry(provenance).or_default();
    let sources: Vec<String> = TEAMS.iter().map(|team| format!("https://github.com/company/{team}")).collect();
    setting.parameters.extend([
        ("builders".to_owned(), json!([generator("payments").subject])),
        ("sources".to_owned(), json!(sources)),
        ("refs".to_owned(), json!(["refs/heads/main"])),
    ]);
    Ok(())
}

/// Who signs for a team: its release workflow, on a hosted runner; and for provenance the generator, run by that team's
/// repository. The company mirrors what it releases on Docker Hub, signatures and all.
fn signers(team: &str, host: &str) -> [SignerSpec; 2] {
    let mut repositories: Vec<String> =
        ENVIRONMENTS.iter().map(|environment| format!("{host}/{environment}/{team}/")).collect();
    repositories.push(format!("docker.io/{team}/"));
    let exact = |text: &str| PatternSpec::Exact(text.to_owned());
    let keyless = |subject: &str| KeylessIdentity {
        issuer: exact(GITHUB_ISSUER),
        subject: exact(subject),
        workflow: None,
        source_ref: Some(exact("refs/heads/main")),
        repository: Some(exact(&format!("https://github.com/company/{team}"))),
        trigger: None,
        runner_environment: Some(exact("github-hosted")),
        digest: None,
        owner: None,
        visibility: None,
        build_config: None,
        run_invocation: None,
    };
    let signer = |name: String, purposes: Vec<SignerPurpose>, subject: &str| SignerSpec {
        name,
        purposes,
        repositories: repositories.clone(),
        keyless: Some(keyless(subject)),
        key: None,
        certificate: None,
    };
    let kinds = vec![SignerPurpose::Signature, SignerPurpose::Sbom, SignerPurpose::Scan];
    [
        signer(format!("{team}-release"), kinds, &release_workflow(team).subject),
        signer(format!("{team}-generator"), vec![SignerPurpose::Provenance], &generator(team).subject),
    ]
}
