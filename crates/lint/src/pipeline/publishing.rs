//! Which commands publish, scan, sign, attest: what a release needs, whatever runs it.

use crate::shell::{Command, Commands};

/// What a pipeline does with what it builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Deeds {
    /// Something is published.
    pub(super) publishes: bool,
    /// It is scanned for vulnerabilities.
    pub(super) scans: bool,
    /// It is signed.
    pub(super) signs: bool,
    /// Where it comes from, or what is in it, is attested.
    pub(super) attests: bool,
}

impl Deeds {
    pub(super) fn add(&mut self, other: Self) {
        self.publishes |= other.publishes;
        self.scans |= other.scans;
        self.signs |= other.signs;
        self.attests |= other.attests;
    }

    /// Whether it guards the release: a step that must not be allowed to fail.
    pub(super) fn is_guard(self) -> bool {
        self.scans || self.signs || self.attests
    }

    pub(super) fn of_script(commands: &Commands) -> Self {
        let mut deeds = Self::default();
        commands.all.iter().for_each(|command| deeds.add(Self::of_command(command)));
        deeds
    }

    pub(super) fn of_command(command: &Command) -> Self {
        let operands: Vec<&str> = command.operands().map(|word| word.text.as_str()).take(3).collect();
        let verb = operands.first().copied().unwrap_or_default();
        let publishes = match command.name() {
            "docker" | "podman" | "buildah" => {
                operands.contains(&"push")
                    || (command.has("--push") && operands.contains(&"build"))
                    || verb == "bake" && command.has("--push")
            }
            "crane" | "skopeo" | "oras" | "helm" | "ko" | "regctl" => {
                matches!(verb, "push" | "copy" | "append" | "build" | "image")
            }
            "npm" | "pnpm" | "yarn" | "cargo" | "poetry" | "uv" | "flit" | "hatch" => {
                (verb == "publish" || operands.get(1) == Some(&"publish")) && !command.has("--dry-run")
            }
            "twine" => verb == "upload",
            "gem" | "dotnet" | "nuget" => operands.contains(&"push"),
            "mvn" | "mvnw" | "./mvnw" => operands.contains(&"deploy"),
            "goreleaser" | "semantic-release" => verb != "check" && !command.has("--snapshot"),
            "gh" | "glab" => {
                verb == "release" && operands.get(1).is_some_and(|word| matches!(*word, "create" | "upload"))
            }
            "release-cli" => verb == "create",
            "kaniko" | "executor" => !command.has("--no-push"),
            _ => false,
        };
        let scans = match command.name() {
            "trivy" | "grype" | "snyk" | "osv-scanner" | "clair-action" | "govulncheck" | "pip-audit" => true,
            "assay" => matches!(verb, "scan" | "check"),
            "docker" => verb == "scout",
            "npm" | "yarn" | "pnpm" | "cargo" => verb == "audit",
            _ => false,
        };
        let signs = match command.name() {
            "cosign" | "assay" | "notation" => verb == "sign" || verb == "sign-blob",
            "npm" => verb == "publish" && command.has("--provenance"),
            "gpg" => command.has("--detach-sign") || command.has("--sign") || command.has("--clearsign"),
            "sigstore" => verb == "sign",
            _ => false,
        };
        let attests = match command.name() {
            "cosign" | "assay" => verb == "attest" || verb == "attest-blob",
            "npm" => verb == "publish" && command.has("--provenance"),
            "docker" => command.has("--provenance") || command.has("--sbom") || command.has("--attest"),
            "gh" => verb == "attestation",
            _ => false,
        };
        Self { publishes, scans, signs, attests }
    }

    /// What an action of GitHub does, by its name without a version.
    pub(super) fn of_action(name: &str) -> Self {
        let any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        let publishes = any(&[
            "pypa/gh-action-pypi-publish",
            "softprops/action-gh-release",
            "goreleaser/goreleaser-action",
            "actions/create-release",
            "actions/upload-release-asset",
            "js-devtools/npm-publish",
            "ncipollo/release-action",
            "redhat-actions/push-to-registry",
            "rubygems/release-gem",
            "helm/chart-releaser-action",
        ]);
        let scans = any(&[
            "aquasecurity/trivy-action",
            "anchore/scan-action",
            "snyk/actions",
            "google/osv-scanner-action",
            "docker/scout-action",
            "github/codeql-action/analyze",
            "assay-dev/",
        ]);
        let signs = any(&[
            "sigstore/gh-action-sigstore",
            "notaryproject/notation-action/sign",
            "slsa-framework/slsa-github-generator",
        ]);
        let attests = any(&["actions/attest", "slsa-framework/slsa-github-generator", "anchore/sbom-action"]);
        // An attestation of actions/attest is a signature, and so are those that PyPI's action makes.
        let signs = signs || any(&["actions/attest", "pypa/gh-action-pypi-publish"]);
        Self { publishes, scans, signs, attests: attests || name.contains("pypa/gh-action-pypi-publish") }
    }
}
