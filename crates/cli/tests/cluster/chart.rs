//! The Helm chart: what it renders is what `deploy/` has, what an API server takes, and nothing that its schema refuses.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peer::{path, present};
use crate::plane::{Said, plane};
use crate::serving::prepare;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// `helm template`, without anything of whoever runs this.
pub(crate) fn template(arguments: &[&str]) -> Said {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(path("helm"));
    command.env_clear().env("HOME", home.path()).current_dir(deploy());
    command
        .args(["template", "assay", "chart", "--namespace", "assay-system", "--kube-version", "1.36.0"])
        .args(arguments);
    let output = command.output().unwrap();
    let bytes = if output.status.success() { output.stdout } else { output.stderr };
    Said { ok: output.status.success(), text: String::from_utf8(bytes).unwrap() }
}

/// `ASSAY_UPDATE_REFERENCE=1` writes them.
#[test]
fn the_kustomization_is_rendered_from_the_chart() {
    if !present("ASSAY_CLUSTER", &["helm"]) {
        return;
    }
    for (file, templates) in [
        ("rbac.yaml", &["templates/rbac.yaml"][..]),
        ("assay.yaml", &["templates/deployment.yaml", "templates/service.yaml"]),
    ] {
        let shown: Vec<&str> = templates.iter().flat_map(|own| ["--show-only", own]).collect();
        let said = template(&shown);
        assert!(said.ok, "{}", said.text);
        let header =
            "# Rendered from deploy/chart: ASSAY_UPDATE_REFERENCE=1 cargo test -p assay-cli --test cluster chart\n";
        let rendered = format!("{header}{}", said.text);
        let committed = deploy().join(file);
        if std::env::var_os("ASSAY_UPDATE_REFERENCE").is_some() {
            std::fs::write(&committed, &rendered).unwrap();
        }
        assert!(std::fs::read_to_string(&committed).unwrap() == rendered, "deploy/{file} is stale");
    }
}

#[test]
fn what_the_chart_renders_is_taken_by_an_api_server() {
    let Some(plane) = plane() else { return };
    if !present("ASSAY_CLUSTER", &["helm"]) {
        return;
    }
    prepare(&plane);
    let drill =
        ["--set", "drill.enabled=true,drill.namespace=shop-prod,drill.registry=registry.example.com/shop/drill"];
    let postgres = ["--set", "store.existingSecret=assay-store,networkPolicy.egressPorts={5432},mutate=templates"];
    let one = ["--set", "replicas=1,store.persistence.enabled=true,store.persistence.storageClass=fast"];
    let more = ["--set", "drill.registrySecret=push,platforms={linux/amd64,linux/arm64},image.pullSecrets={pull}"];
    let pulls = ["--set", "pullSecrets.namespaces={shop-prod,shop-dev},dashboard.enabled=true"];
    let digest = format!("image.digest=sha256:{}", "ab".repeat(32));
    for arguments in [&[][..], &drill, &postgres, &one, &[&drill[..], &more].concat(), &pulls, &["--set", &digest]] {
        let said = template(arguments);
        assert!(said.ok, "{arguments:?}: {}", said.text);
        let applied = plane.try_kubectl_with(&["apply", "--dry-run=server", "-f", "-"], &said.text);
        assert!(applied.ok && !applied.text.contains("Warning"), "{arguments:?}: {}", applied.text);
    }
    // Of kinds that this API server does not have: well-formed, and nothing but what was asked for.
    let said =
        template(&["--set", "serviceMonitor.enabled=true,alerts.enabled=true", "-s", "templates/monitoring.yaml"]);
    assert!(said.ok && said.text.contains("kind: ServiceMonitor") && said.text.contains("alert: AssayTampering"));
    let plain = template(&[]).text;
    assert!(!plain.contains("monitoring.coreos.com") && !plain.contains("cert-manager.io"));
    assert!(!plain.contains("pull-secrets") && !plain.contains("--mutate"), "nothing of it unless asked for");
    let own = template(&["--set", "certManager.enabled=true"]);
    assert!(own.ok && own.text.contains("--authority=/certificate/ca.crt") && own.text.contains("isCA: true"));
    let given = template(&["--set", "certManager.enabled=true,certManager.issuerRef.name=corporate"]);
    assert!(given.ok && given.text.contains("name: corporate") && !given.text.contains("isCA: true"));
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    if !present("ASSAY_CLUSTER", &["helm"]) {
        return;
    }
    for (value, words) in [
        ("replicas=0", "replicas"),
        ("replcias=3", "replcias"),
        ("image.digest=latest", "digest"),
        ("store.persistence.enabled=true", "set replicas to 1"),
        ("drill.enabled=true", "drill"),
        ("networkPolicy.egressPorts={70000}", "egressPorts"),
        ("mutate=true", "mutate"),
        ("pullSecrets.namespaces={Shop}", "pullSecrets"),
        ("certManager.issuerRef.kind=Secret", "certManager"),
    ] {
        let said = template(&["--set", value]);
        assert!(!said.ok && said.text.contains(words), "{value}: {}", said.text);
    }
}
