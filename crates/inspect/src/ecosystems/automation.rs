//! What pipelines and infrastructure refer to: GitHub Actions, Terraform providers, Helm charts.
//!
//! Sources: GitHub, "Workflow syntax" (`uses`) and "Metadata syntax"; Terraform, "Dependency Lock File"; Helm, "Chart Dependency".

use assay_model::{Package, PackageType};
use serde_json::Value;

use super::{File, Found, Reader, clip, declared, images, list, object, text};

pub(crate) static ACTIONS: Reader = Reader::declared(
    "GitHub Actions",
    &[".github/workflows/*.yml", ".github/workflows/*.yaml", "action.yml", "action.yaml"],
    read_workflow,
);
pub(crate) static TERRAFORM: Reader = Reader::declared("Terraform providers", &[".terraform.lock.hcl"], read_terraform);
pub(crate) static HELM: Reader = Reader::declared("Helm charts", &["Chart.lock", "requirements.lock"], read_chart);

fn read_workflow(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    let mut uses: Vec<&str> = Vec::new();
    for (_, job) in object(&document, "jobs") {
        uses.push(text(job, "uses"));
        uses.extend(list(job, "steps").iter().map(|step| text(step, "uses")));
        let container = job.get("container").unwrap_or(&Value::Null);
        let services = object(job, "services").map(|(_, service)| text(service, "image"));
        for image in [container.as_str().unwrap_or_default(), text(container, "image")].into_iter().chain(services) {
            found.packages.extend(images::image(image, file));
        }
    }
    if let Some(runs) = document.get("runs") {
        uses.extend(list(runs, "steps").iter().map(|step| text(step, "uses")));
        uses.push(text(runs, "image"));
    }
    uses.sort_unstable();
    uses.dedup();
    for text in uses {
        if let Some(image) = text.strip_prefix("docker://") {
            found.packages.extend(images::image(image, file));
        } else if let Some(package) = action(text, file) {
            found.add(file, package);
        }
    }
}

/// `owner/name/path@ref`; `./path` is the own repository.
fn action(text: &str, file: &File<'_>) -> Option<Package> {
    let (place, version) = text.split_once('@')?;
    let mut parts = place.splitn(3, '/');
    let (owner, name, path) = (parts.next()?, parts.next()?, parts.next());
    if matches!(owner, "." | "..") {
        return None;
    }
    let mut package = declared(PackageType::Github, &format!("{owner}/{name}"), version, file);
    package.purl.subpath = path.map(clip);
    Some(package)
}

/// `provider "registry.terraform.io/hashicorp/aws" {` and `version = "5.31.0"` below it.
fn read_terraform(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let mut provider = None;
    for line in text.lines() {
        let quoted = || line.split('"').nth(1);
        if line.starts_with("provider ") {
            provider = quoted();
        } else if let (Some(name), true, Some(version)) =
            (provider, line.trim_start().starts_with("version "), quoted())
        {
            found.add(file, declared(PackageType::Generic, name, version, file));
            provider = None;
        }
    }
}

fn read_chart(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    for entry in list(&document, "dependencies") {
        let mut package = declared(PackageType::Generic, text(entry, "name"), text(entry, "version"), file);
        let repository = text(entry, "repository");
        // A chart in the same repository is the project's own.
        if repository.starts_with("file:") {
            continue;
        }
        package.purl = package.purl.with_qualifier("download_url", repository);
        found.add(file, package);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::lines;

    #[test]
    fn a_workflow_uses_actions_workflows_and_images() {
        let text = "on: push\njobs:\n  build:\n    runs-on: x\n    container: node:20\n    steps:\n      - uses: actions/checkout@v4\n      \
                    - uses: actions/checkout@v4\n      - uses: ./local\n      - uses: docker://alpine:3.19\n      - run: make\n  call:\n    uses: acme/flows/.github/workflows/x.yml@abc123\n";
        assert_eq!(
            lines(&ACTIONS, ".github/workflows/ci.yml", text),
            [
                "pkg:docker/alpine@3.19",
                "pkg:docker/node@20",
                "pkg:github/acme/flows@abc123#.github/workflows/x.yml",
                "pkg:github/actions/checkout@v4"
            ]
        );
        let composite = "runs:\n  using: composite\n  steps:\n    - uses: a/b/c@v1\n";
        assert_eq!(lines(&ACTIONS, "action.yml", composite), ["pkg:github/a/b@v1#c"]);
    }

    #[test]
    fn terraform_locks_providers() {
        let text = "provider \"registry.terraform.io/hashicorp/aws\" {\n  version     = \"5.31.0\"\n  constraints = \"~> 5.0\"\n  hashes = [\n    \"h1:x\",\n  ]\n}\n";
        assert_eq!(
            lines(&TERRAFORM, ".terraform.lock.hcl", text),
            ["pkg:generic/registry.terraform.io/hashicorp/aws@5.31.0"]
        );
    }

    #[test]
    fn charts_lock_their_dependencies() {
        let text = "dependencies:\n- name: redis\n  repository: https://charts.example.org\n  version: 18.6.1\n- name: own\n  repository: file://../own\n  version: 0.1.0\ndigest: sha256:00\n";
        assert_eq!(
            lines(&HELM, "Chart.lock", text),
            ["pkg:generic/redis@18.6.1?download_url=https:%2F%2Fcharts.example.org"]
        );
    }
}
