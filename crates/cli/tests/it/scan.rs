//! `scan`, `sbom` and `db`.

use crate::assay::Assay;
use crate::verify::Lab;

fn project(assay: &Assay) {
    assay.file("app/requirements.txt", "jinja2==2.10\n");
    assay.file(
        "app/package-lock.json",
        r#"{"lockfileVersion": 3, "packages": {"node_modules/minimist": {"version": "0.0.8"}}}"#,
    );
}

#[test]
fn a_directory_is_scanned_and_a_threshold_decides() {
    let assay = Assay::new();
    project(&assay);
    let scan = assay.seen(&["scan", "app", "--fail-on", "critical"]);
    let scan: Vec<_> = scan.lines().filter(|line| !line.starts_with("data: ")).collect();
    let scan = scan.join(
        "
",
    );
    insta::assert_snapshot!(scan);
    assert_eq!(assay.run(&["scan", "app"]).status.code(), Some(0), "without a threshold nothing is denied");
    let hidden = assay.seen(&["scan", "app", "--severity", "low", "--fail-on", "critical"]);
    assert!(hidden.starts_with("exit 1"), "what is not shown still counts: {hidden}");
}

#[test]
fn what_nothing_is_known_of_does_not_pass_a_threshold() {
    let assay = Assay::new();
    assay.file(
        "a.json",
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
            {"type": "library", "name": "x", "version": "1", "purl": "pkg:generic/x@1"}]}"#,
    );
    let output = assay.run(&["scan", "sbom:a.json", "--fail-on", "critical"]);
    assert_eq!(output.status.code(), Some(2), "{}", assay.shown(&output));
}

#[test]
fn a_finding_is_explained_and_so_is_its_absence() {
    let assay = Assay::new();
    project(&assay);
    insta::assert_snapshot!(assay.seen(&["scan", "app", "--explain", "CVE-2021-44906"]));
    let absent = assay.seen(&["scan", "app", "--explain", "CVE-1999-0001"]);
    assert!(absent.contains("was not matched in app"), "{absent}");
}

#[test]
fn what_is_left_out_is_explained_by_name() {
    let assay = Assay::new();
    let path = "usr/lib/python3/dist-packages/idna-3.3.egg-info/PKG-INFO";
    assay.file("root/var/lib/dpkg/status", "Package: python3-idna\nStatus: install ok installed\nVersion: 3.3-1\n");
    assay.file("root/var/lib/dpkg/info/python3-idna.list", format!("/{path}\n"));
    assay.file(&format!("root/{path}"), "Metadata-Version: 2.1\nName: idna\nVersion: 3.3\n");
    insta::assert_snapshot!(assay.seen(&["scan", "rootfs:root", "--explain", "idna"]));
    let listed = assay.seen(&["scan", "rootfs:root", "--explain", "python3-idna"]);
    assert!(listed.contains("found in   var/lib/dpkg/status (package database)"), "{listed}");
}

#[test]
fn secrets_have_a_baseline_and_rules_of_the_house() {
    let assay = Assay::new();
    assay.file("app/key.txt", format!("house_{}\n", "4711".repeat(4)));
    let rules = "[[rules]]\nid = \"house\"\nregex = 'house_[0-9]{16}'\nkeywords = [\"house_\"]\n";
    assay.file("rules.toml", rules);
    assert!(!assay.seen(&["scan", "app"]).contains("house"), "no built-in rule knows it");
    let arguments = ["scan", "app", "--secret-rules", "rules.toml", "--fail-on", "high"];
    assert!(assay.seen(&arguments).starts_with("exit 1"));
    let found = assay.run(&["scan", "app", "--secret-rules", "rules.toml", "-o", "json"]).stdout;
    assay.file("known.json", &found);
    let known = assay.seen(&[&arguments[..], &["--secret-baseline", "known.json"]].concat());
    assert!(known.starts_with("exit 0") && known.contains("1 secret in the baseline"), "{known}");
    let result: serde_json::Value = serde_json::from_slice(&found).unwrap();
    let paths = result["notSearched"]["paths"].as_array().unwrap();
    assert!(paths.contains(&"usr/share/doc/".into()), "what is not searched is disclosed");
    assay.file("broken.toml", "[[rules]]\nid = \"a\"\nregex = '('\n");
    assert!(assay.seen(&["scan", "app", "--secret-rules", "broken.toml"]).starts_with("exit 2"));
    assert!(assay.seen(&["scan", "nginx:1", "--secret-rules", "rules.toml"]).starts_with("exit 2"));
}

#[test]
fn a_git_repository_is_read_at_a_revision_and_nothing_stays_behind() {
    let assay = Assay::new();
    assay.file("repository/requirements.txt", "jinja2==2.10\n");
    let folder = assay.path().join("repository");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"];
        let status = std::process::Command::new("git").args(identity).arg("-C").arg(&folder).args(arguments).status();
        assert!(status.unwrap().success(), "git {arguments:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "one"]);
    git(&["tag", "v1"]);
    std::fs::remove_file(folder.join("requirements.txt")).unwrap();
    git(&["commit", "--quiet", "-am", "two"]);
    let temporary = assay.path().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let assay = assay.variable("TMPDIR", temporary.to_str().unwrap());
    let url = format!("git:file://{}", folder.display());
    let packages = |target: &str| -> serde_json::Value {
        let output = assay.run(&["scan", target, "-o", "json"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["packages"].clone()
    };
    assert_eq!(packages(&url), 0);
    assert_eq!(packages(&format!("{url}#v1")), 1);
    assert_eq!(assay.run(&["scan", &format!("{url}#absent")]).status.code(), Some(2));
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "nothing stays behind");
}

#[test]
fn an_sbom_goes_through_every_format_and_comes_back_the_same() {
    let assay = Assay::new();
    project(&assay);
    let first = assay.run(&["sbom", "app"]).stdout;
    assay.file("0", &first);
    let formats = [
        ("cyclonedx", "1.4"),
        ("cyclonedx-xml", "1.7"),
        ("spdx", "2.3"),
        ("spdx-tag-value", "2.3"),
        ("spdx", "3.0.1"),
        ("cyclonedx", "1.6"),
    ];
    for (number, (format, version)) in formats.into_iter().enumerate() {
        let (from, to) = (number.to_string(), (number + 1).to_string());
        let written = assay.run(&["sbom", "convert", &from, "-o", format, "--spec-version", version]);
        assert!(written.status.success(), "{}", assay.shown(&written));
        assay.file(&to, &written.stdout);
    }
    assert_eq!(std::fs::read(assay.path().join("6")).unwrap(), first);
    let syft = assay.run(&["sbom", "app", "-o", "syft-json"]).stdout;
    assay.file("syft.json", &syft);
    insta::assert_snapshot!(assay.seen(&["sbom", "diff", "0", "syft.json"]));
    let unknown = assay.seen(&["sbom", "app", "--spec-version", "1.3"]);
    assert!(unknown.contains("CycloneDX 1.4 to 1.7, SPDX 2.3 and 3.0.1"), "{unknown}");
}

#[test]
fn a_cluster_is_listed_with_what_advisories_are_about() {
    let assay = Assay::new();
    assay.file(
        "nodes.json",
        r#"{"kind": "List", "items": [{"kind": "Node", "metadata": {"name": "a"}, "status": {"nodeInfo": {
            "kubeletVersion": "v1.31.2", "containerRuntimeVersion": "containerd://2.0.1", "kernelVersion": "6.1.0-28-amd64",
            "osImage": "Debian GNU/Linux 12 (bookworm)", "architecture": "amd64"}}},
          {"kind": "Pod", "metadata": {"name": "coredns-1", "namespace": "kube-system"},
           "spec": {"containers": [{"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.11.3"}]}}]}"#,
    );
    insta::assert_snapshot!(assay.seen(&["sbom", "cluster", "nodes.json", "--name", "prod", "-o", "text", "-v"]));
    assay.file("kbom.json", assay.run(&["sbom", "cluster", "nodes.json", "--name", "prod"]).stdout);
    let scan = assay.run(&["scan", "kbom.json"]);
    assert_eq!(scan.status.code(), Some(0), "{}", assay.shown(&scan));
    let empty = assay.seen(&["sbom", "cluster", "kbom.json"]);
    assert!(empty.contains("cluster-empty") && empty.contains("kubectl get nodes,pods -A -o json"), "{empty}");
}

#[test]
fn licences_are_held_against_rules() {
    let assay = Assay::new();
    assay.file(
        "a.json",
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
            {"type": "library", "name": "free", "version": "1", "purl": "pkg:npm/free@1", "licenses": [{"expression": "MIT"}]},
            {"type": "library", "name": "copyleft", "version": "1", "purl": "pkg:npm/copyleft@1",
             "licenses": [{"expression": "GPL-3.0-only AND MIT"}]},
            {"type": "library", "name": "odd", "version": "1", "purl": "pkg:npm/odd@1", "licenses": [{"license": {"name": "as is"}}]}]}"#,
    );
    let scan = ["scan", "a.json", "--scanners", "secrets", "--licences", "deny GPL-3.0-*,review LGPL-2.1-only"];
    insta::assert_snapshot!(assay.seen(&scan));
    let gated = assay.run(&[&scan[..], &["--fail-on", "licence"]].concat());
    assert_eq!(gated.status.code(), Some(1), "{}", assay.shown(&gated));
    let allowed =
        assay.run(&["scan", "a.json", "--scanners", "secrets", "--licences", "review MIT", "--fail-on", "licence"]);
    assert_eq!(allowed.status.code(), Some(0), "nothing is denied: {}", assay.shown(&allowed));
    let wrong = assay.seen(&["scan", "a.json", "--licences", "forbid MIT"]);
    assert!(wrong.contains("write allow, review or deny"), "{wrong}");
}

#[test]
fn sboms_are_merged_compared_enriched_and_scored() {
    let assay = Assay::new();
    project(&assay);
    assay.file("a.json", assay.run(&["sbom", "app"]).stdout);
    assay.file(
        "b.json",
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
            {"type": "library", "name": "minimist", "version": "0.0.8", "purl": "pkg:npm/minimist@0.0.8",
             "supplier": {"name": "substack"}, "licenses": [{"expression": "MIT"}]},
            {"type": "library", "name": "left-pad", "version": "1.0.0", "purl": "pkg:npm/left-pad@1.0.0"}]}"#,
    );
    insta::assert_snapshot!("diff", assay.seen(&["sbom", "diff", "a.json", "b.json"]));
    insta::assert_snapshot!(
        "merge",
        assay.seen(&["sbom", "merge", "a.json", "b.json", "--name", "shop", "-o", "text"])
    );
    insta::assert_snapshot!("enrich", assay.seen(&["sbom", "enrich", "a.json", "--from", "b.json", "-o", "text"]));
    insta::assert_snapshot!("score", assay.seen(&["sbom", "score", "a.json", "--fail-under", "90"]));
    let ntia = assay.run(&["sbom", "score", "a.json", "--standard", "ntia", "--fail-under", "80"]);
    assert_eq!(ntia.status.code(), Some(0), "{}", assay.shown(&ntia));
}

#[test]
fn an_sbom_is_the_same_bytes_each_time_and_converts() {
    let assay = Assay::new().variable("SOURCE_DATE_EPOCH", "1700000000");
    project(&assay);
    let first = assay.run(&["sbom", "app"]).stdout;
    assert_eq!(first, assay.run(&["sbom", "app"]).stdout);
    assay.file("a.json", &first);
    let spdx = assay.run(&["sbom", "convert", "a.json", "-o", "spdx"]);
    let spdx: serde_json::Value = serde_json::from_slice(&spdx.stdout).unwrap();
    assert_eq!(spdx["spdxVersion"], "SPDX-2.3");
    let names: Vec<_> = spdx["packages"].as_array().unwrap().iter().map(|package| package["name"].clone()).collect();
    assert!(names.contains(&"minimist".into()) && names.contains(&"jinja2".into()), "{names:?}");
}

#[test]
fn an_image_is_scanned_from_a_registry_and_from_disk_alike() {
    let (lab, assay) = (Lab::new(), Assay::new());
    lab.push("team/app", "1.0", "app");
    let image = format!("{}/team/app:1.0", lab.registry.host());
    let json = |target: &str| -> serde_json::Value {
        serde_json::from_slice(&assay.run(&["scan", target, "-o", "json"]).stdout).unwrap()
    };
    let remote = json(&image);
    assert_eq!(remote["packages"], 1);
    assert!(assay.run(&["copy", &image, "oci:disk"]).status.success());
    let local = json("oci:disk");
    assert_eq!((&remote["digest"], &remote["vulnerabilities"]), (&local["digest"], &local["vulnerabilities"]));
    let offline = assay.run(&["scan", &image, "--offline"]);
    assert_eq!(offline.status.code(), Some(2));
}

#[test]
fn a_pack_is_built_described_and_used() {
    let assay = Assay::new();
    project(&assay);
    assay.file(
        "osv/a.json",
        r#"{"id": "X-1", "modified": "2026-01-01T00:00:00Z", "summary": "test", "affected": [{"package":
            {"ecosystem": "npm", "name": "minimist"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"},
            {"fixed": "1.0.1"}]}]}]}"#,
    );
    insta::assert_snapshot!(assay.seen(&["db", "build", "osv", "--to", "own.pack"]));
    let info: serde_json::Value =
        serde_json::from_slice(&assay.run(&["db", "info", "own.pack", "-o", "json"]).stdout).unwrap();
    let file = std::fs::read(assay.path().join("own.pack")).unwrap();
    assert_eq!(info["fileDigest"], assay_model::Digest::of(&file).to_string(), "as sha256sum prints it");
    assert_ne!(info["fileDigest"], info["pack"]["digest"]);
    let scan = assay.seen(&["scan", "app", "--pack", "own.pack"]);
    assert!(scan.contains("X-1") && !scan.contains("CVE-"), "{scan}");
    assay.file("broken.pack", "not a pack");
    assert_eq!(assay.run(&["scan", "app", "--pack", "broken.pack"]).status.code(), Some(2));
}
