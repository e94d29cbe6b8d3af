//! What a Fulcio certificate says about the build (sigstore/fulcio, `docs/oid-info.md`).

use sigstore_crypto::x509::FulcioCiClaims;

use crate::WorkflowClaims;

/// The extensions as claims. The new object identifiers come first; GitHub's first ones (.1.2 to .1.6) are kept beside
/// them, because `workflow_name` has no successor and old certificates have nothing else.
pub(crate) fn claims(extensions: &FulcioCiClaims) -> WorkflowClaims {
    let first = &extensions.deprecated_github;
    WorkflowClaims {
        build_signer_uri: extensions.build_signer_uri.clone(),
        runner_environment: extensions.runner_environment.clone(),
        source_repository: extensions.source_repository_uri.clone(),
        source_digest: extensions.source_repository_digest.clone(),
        source_ref: extensions.source_repository_ref.clone(),
        source_owner: extensions.source_repository_owner_uri.clone(),
        build_config_uri: extensions.build_config_uri.clone(),
        build_trigger: extensions.build_trigger.clone(),
        run_invocation_uri: extensions.run_invocation_uri.clone(),
        source_visibility: extensions.source_repository_visibility_at_signing.clone(),
        workflow_trigger: first.workflow_trigger.clone(),
        workflow_sha: first.workflow_sha.clone(),
        workflow_name: first.workflow_name.clone(),
        workflow_repository: first.workflow_repository.clone(),
        workflow_ref: first.workflow_ref.clone(),
    }
}
