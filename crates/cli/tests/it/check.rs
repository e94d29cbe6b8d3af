//! `check` and `pin` on manifests, with images of a registry on loopback.

use crate::assay::Assay;
use crate::verify::{Lab, key};

fn deployment(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: api\n  namespace: payments\nspec:\n  template:\n    spec:\n      \
         containers:\n        - name: api\n          image: {image}  # the release\n          securityContext:\n            \
         runAsNonRoot: true\n            allowPrivilegeEscalation: false\n---\napiVersion: v1\nkind: Service\n\
         metadata: {{name: api}}\n"
    )
}

#[test]
fn a_manifest_is_judged_offline_with_marks_and_fixes() {
    let assay = Assay::new();
    assay.file("deploy/api.yaml", deployment("registry.example.com/payments/api:prod"));
    insta::assert_snapshot!(assay.seen(&["check", "-f", "deploy", "--env", "prod", "--offline"]));
}

#[test]
fn the_same_verdict_goes_to_every_format() {
    let assay = Assay::new();
    assay.file("api.yaml", deployment("registry.example.com/payments/api:prod"));
    let mut arguments = vec!["check", "-f", "api.yaml", "--env", "prod", "--offline", "-q"];
    for output in
        ["-o", "json=a.json", "-o", "sarif=a.sarif", "-o", "junit=a.xml", "-o", "markdown=a.md", "-o", "github"]
    {
        arguments.push(output);
    }
    let output = assay.run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let read = |name: &str| std::fs::read_to_string(assay.path().join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("a.json")).unwrap();
    let outcomes = json["objects"][0]["verdict"]["outcomes"].as_array().unwrap();
    let unmet = |outcome: &&serde_json::Value| {
        matches!(outcome["outcome"].as_str(), Some("fail" | "error" | "warn")) && outcome["action"] != "audit"
    };
    let expected = outcomes.iter().filter(unmet).count();
    let sarif: serde_json::Value = serde_json::from_str(&read("a.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), expected);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), expected);
    assert!(read("a.xml").contains("<failure ") && read("a.md").contains("require-digest"));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let assay = Assay::new();
    assay.file("a.yaml", "kind: Pod\napiVersion: v1\nspec: {containers: []}\nspec: {}\n");
    insta::assert_snapshot!(assay.seen(&["check", "-f", "a.yaml", "--offline"]));
    assay.file("b.yaml", "apiVersion: assay.dev/v1\nkind: Enviroment\nmetadata: {name: x}\n");
    let seen = assay.seen(&["check", "-f", "b.yaml", "--offline"]);
    assert!(seen.starts_with("exit 2") && seen.contains("Enviroment"), "{seen}");
    assert!(assay.seen(&["check", "-f", "c.yaml"]).starts_with("exit 2"));
    let seen = assay.seen(&["check", "-f", "a.yaml", "--env", "prdo", "--offline"]);
    assert!(seen.starts_with("exit 2") && seen.contains("did you mean prod"), "{seen}");
}

#[test]
fn standard_input_is_a_file_too() {
    let assay = Assay::new();
    let text = deployment("registry.example.com/api:1");
    let output = assay.run_with_input(&["check", "-f", "-", "--env", "dev", "--offline"], text.as_bytes());
    assert!(String::from_utf8(output.stdout).unwrap().contains("stdin:11"));
}

/// One policy, one signed image by digest: what the cluster will say.
#[test]
fn a_signed_image_by_digest_passes_and_an_unsigned_one_does_not() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let (signed, unsigned) = (lab.push("team/app", "1.0", "one"), lab.push("team/app", "2.0", "two"));
    let host = lab.registry.host();
    key(&assay, "release");
    assay.file(
        "policy/own.yaml",
        format!(
            "apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {{name: ours}}\nspec:\n  keys: [{{name: release, file: \
             ../release.pub}}]\n---\napiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: test}}\nspec:\n  tier: dev\n  \
             registries: [{host}/team/]\n  trustRoot: [ours]\n  signers: [{{name: release, for: [signature], key: release}}]\n  \
             controls:\n    require-signature: {{action: enforce}}\n    trusted-signer: {{action: enforce}}\n"
        ),
    );
    let image = format!("{host}/team/app@{signed}");
    assert!(assay.run(&["sign", &image, "--key", "release.pem"]).status.success());
    assay.file("good.yaml", deployment(&image));
    assay.file("bad.yaml", deployment(&format!("{host}/team/app@{unsigned}")));
    let check = |file: &str| assay.seen(&["check", "-f", file, "--env", "test", "--config", "policy"]);
    let good = check("good.yaml");
    assert!(good.starts_with("exit 0"), "{good}");
    let bad = check("bad.yaml");
    assert!(bad.starts_with("exit 1") && bad.contains("require-signature"), "{bad}");
}

#[test]
fn tags_become_digests_and_everything_else_stays() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "one");
    let image = format!("{}/team/app:1.0", lab.registry.host());
    let path = assay.file("api.yaml", deployment(&image));
    assay.file("Dockerfile", format!("FROM {image} AS base\nFROM base\n"));
    let before = std::fs::read_to_string(&path).unwrap();
    assert_eq!(assay.run(&["pin", "-f", "api.yaml", "--diff"]).status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before, "--diff writes nothing");
    assert!(assay.run(&["pin", "-f", "api.yaml", "-f", "Dockerfile"]).status.success());
    let after = std::fs::read_to_string(&path).unwrap();
    assert_eq!(after, before.replace(&image, &format!("{image}@{digest}")));
    let docker = std::fs::read_to_string(assay.path().join("Dockerfile")).unwrap();
    assert_eq!(docker, format!("FROM {image}@{digest} AS base\nFROM base\n"));
    assert_eq!(assay.run(&["pin", "-f", "api.yaml", "--diff"]).status.code(), Some(0));
    assay.file("gone.yaml", deployment(&format!("{}/team/none:1", lab.registry.host())));
    assert_eq!(assay.run(&["pin", "-f", "gone.yaml"]).status.code(), Some(2));
}

/// A chart in a folder: values by span edits, the Dockerfile beside it, templates and stages left alone.
#[test]
fn a_folder_with_a_chart_and_a_dockerfile_is_pinned() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "v1", "one");
    let name = format!("{}/team/app", lab.registry.host());
    assay.file("app/chart/Chart.yaml", "apiVersion: v2\nname: app\n");
    let template = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: {{ .Values.image.repository }}}]}\n";
    assay.file("app/chart/templates/pod.yaml", template);
    let values = format!("# ours\nimage:\n  repository: {name} # app\n  tag: v1\nsidecarImage: {name}:v1\n");
    let path = assay.file("app/chart/values.yaml", &values);
    let docker = format!(
        "ARG BASE={name}:v1\nFROM --platform=linux/amd64 $BASE AS build\nFROM scratch\nCOPY --from=build /a /\n"
    );
    assay.file("app/Dockerfile", &docker);
    let check = assay.seen(&["pin", "--check", "-f", "app", "--offline"]);
    assert!(check.starts_with("exit 1") && check.contains("3 images without a digest"), "{check}");
    assert!(check.contains("app/chart/values.yaml:4") && check.contains("app/Dockerfile:2"), "{check}");
    let diff = assay.seen(&["pin", "--diff", "-f", "app"]);
    assert!(diff.starts_with("exit 1") && diff.contains(&format!("+ tag: v1@{digest}")), "{diff}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), values);
    let done = assay.seen(&["pin", "-f", "app"]);
    assert!(done.starts_with("exit 0"), "{done}");
    let pinned = values.replace("tag: v1", &format!("tag: v1@{digest}")).replace("app:v1", &format!("app:v1@{digest}"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), pinned);
    let after = std::fs::read_to_string(assay.path().join("app/Dockerfile")).unwrap();
    assert_eq!(after, docker.replace("app:v1", &format!("app:v1@{digest}")));
    assert!(assay.seen(&["pin", "--check", "-f", "app", "--offline"]).starts_with("exit 0"));
}

#[test]
fn the_controls_are_listed_and_explained() {
    insta::assert_snapshot!(Assay::new().seen(&["policy", "list"]));
    insta::assert_snapshot!(Assay::new().seen(&["policy", "explain", "require-digest"]));
}

#[test]
fn an_exception_says_why_it_does_nothing() {
    let assay = Assay::new();
    let made = [
        "exception",
        "new",
        "--control",
        "critical-cve",
        "--vulnerability",
        "CVE-2026-1234",
        "--namespace",
        "payments",
        "--expires-at",
        "2036-01-01T00:00:00Z",
        "--to",
        "e.yaml",
    ];
    assert!(assay.run(&made).status.success());
    insta::assert_snapshot!(assay.seen(&["exception", "check", "-f", "e.yaml"]));
    insta::assert_snapshot!(std::fs::read_to_string(assay.path().join("e.yaml")).unwrap());
    assert_eq!(assay.run(&made).status.code(), Some(2), "an existing file is not written over");
}

/// What `check --env prod` does about a control of the workload, by its name.
fn outcome(assay: &Assay, path: &str, control: &str) -> serde_json::Value {
    let output = assay.run(&["check", "-f", path, "--env", "prod", "--offline", "-q", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcomes = json["objects"][0]["verdict"]["outcomes"].as_array().unwrap();
    outcomes.iter().find(|outcome| outcome["control"] == control).unwrap().clone()
}

const SERVICE: &str =
    "apiVersion: v1\nkind: Service\nmetadata: {name: api, namespace: payments}\nspec: {selector: {app: api}}\n";

/// In prod, `high-cve` warns for a workload that only the cluster reaches, and enforces for any other.
#[test]
fn exposure_is_derived_from_what_stands_beside_the_workload() {
    let assay = Assay::new();
    let labelled =
        |image: &str| deployment(image).replace("template:\n", "template:\n    metadata: {labels: {app: api}}\n");
    assay.file("deploy/api.yaml", labelled("registry.example.com/api:1"));
    let action = || outcome(&assay, "deploy", "high-cve")["action"].clone();
    assert_eq!(action(), "enforce", "nothing selects it: it may be reached from anywhere");
    assay.file("deploy/service.yaml", SERVICE);
    assert_eq!(action(), "warn", "the cluster only");
    let route = assay.file(
        "deploy/route.yaml",
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: api, namespace: edge}\n\
         spec: {rules: [{backendRefs: [{name: api, namespace: payments, port: 80}]}]}\n",
    );
    assert_eq!(action(), "enforce", "a route of another namespace leads to it");
    std::fs::remove_file(route).unwrap();
    assay.file(
        "deploy/ingress.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: api, namespace: payments}\n\
         spec: {defaultBackend: {service: {name: api, port: {number: 80}}}}\n",
    );
    assert_eq!(action(), "enforce", "an Ingress leads to it");
}

#[test]
fn pull_secrets_of_the_manifests_are_judged_and_others_are_unknown() {
    let assay = Assay::new();
    let with_secret = deployment("registry.example.com/api:1")
        .replace("    spec:\n", "    spec:\n      imagePullSecrets: [{name: pull}]\n");
    assay.file("deploy/api.yaml", with_secret);
    let judged = || outcome(&assay, "deploy", "no-broad-pull-secrets");
    assert_eq!(judged()["outcome"], "error", "{}", judged());
    let secret = |registry: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: pull, namespace: payments}}\ntype: \
             kubernetes.io/dockerconfigjson\nstringData:\n  .dockerconfigjson: '{{\"auths\": {{\"{registry}\": {{\"auth\": \
             \"dTpw\"}}}}}}'\n"
        )
    };
    assay.file("deploy/secret.yaml", secret("registry.example.com/payments"));
    assert_eq!(judged()["outcome"], "pass", "{}", judged());
    assay.file("deploy/secret.yaml", secret("registry.example.com"));
    let broad = judged();
    assert_eq!(broad["outcome"], "fail");
    assert_eq!(broad["message"], "pull secret pull opens all of registry.example.com");
    assay.file(
        "deploy/secret.yaml",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default, namespace: payments}\n",
    );
    let missing = judged();
    assert_eq!(missing["outcome"], "error");
    assert!(missing["message"].as_str().unwrap().contains("Secret pull is not in the manifests"), "{missing}");
}

/// `pin --verify`: an image that the wanted signer did not sign stays as it is, also where it has a digest already.
#[test]
fn only_images_that_the_wanted_signer_signed_are_pinned() {
    let (lab, assay) = (Lab::new(), Assay::new());
    key(&assay, "release");
    let host = lab.registry.host().clone();
    let signed = lab.push("team/app", "1.0", "one");
    let unsigned = lab.push("team/other", "1.0", "two");
    assert!(assay.run(&["sign", &format!("{host}/team/app@{signed}"), "--key", "release.pem"]).status.success());
    let good = format!("# base\nFROM {host}/team/app:1.0 AS a # ours\n");
    assay.file("Dockerfile", &good);
    let seen = assay.seen(&["pin", "-f", "Dockerfile", "--verify", "--key", "release.pub"]);
    assert!(seen.starts_with("exit 0") && seen.contains("1 signature verified"), "{seen}");
    let written = std::fs::read_to_string(assay.path().join("Dockerfile")).unwrap();
    assert_eq!(written, good.replace(":1.0", &format!(":1.0@{signed}")));
    let bad = format!("FROM {host}/team/other:1.0\nFROM {host}/team/other@{unsigned}\n");
    assay.file("Dockerfile.bad", &bad);
    let seen = assay.seen(&["pin", "-f", "Dockerfile.bad", "--verify", "--key", "release.pub"]);
    assert!(seen.starts_with("exit 1") && seen.contains("2 images not signed as wanted"), "{seen}");
    assert_eq!(std::fs::read_to_string(assay.path().join("Dockerfile.bad")).unwrap(), bad);
    let seen = assay.seen(&["pin", "-f", "Dockerfile", "--verify"]);
    assert!(seen.starts_with("exit 2") && seen.contains("say who must have signed"), "{seen}");
}

/// Images of pipelines get a digest behind their tag; everything around them stays.
#[test]
fn images_of_pipelines_are_pinned() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let digest = lab.push("team/app", "1.0", "one");
    let image = format!("{}/team/app:1.0", lab.registry.host());
    let github = format!(
        "on: push\njobs:\n  a:\n    container: '{image}' # tools\n    steps:\n      - uses: docker://{image}\n"
    );
    assay.file("app/.github/workflows/ci.yml", &github);
    let gitlab = format!("image: {image}\nbuild:\n  image: $CI_REGISTRY_IMAGE\n  script: make\n");
    assay.file("app/.gitlab-ci.yml", &gitlab);
    let seen = assay.seen(&["pin", "-f", "app"]);
    assert!(seen.starts_with("exit 0"), "{seen}");
    let read = |name: &str| std::fs::read_to_string(assay.path().join(name)).unwrap();
    let pinned = |text: &str| text.replace(&image, &format!("{image}@{digest}"));
    assert_eq!(read("app/.github/workflows/ci.yml"), pinned(&github));
    assert_eq!(read("app/.gitlab-ci.yml"), pinned(&gitlab));
}

/// Versions of actions become commits, with the version behind as a comment; the server is a folder here.
#[test]
fn actions_are_pinned_to_commits() {
    let assay = Assay::new();
    let server = assay.path().join("server");
    let repository = server.join("acme/build");
    std::fs::create_dir_all(&repository).unwrap();
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(&repository)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "one"]);
    let commit = git(&["rev-parse", "HEAD"]);
    git(&["tag", "--annotate", "--message", "one", "v1"]);
    let text = "on: push\njobs:\n  a:\n    steps:\n      - uses: acme/build/fast@v1\n      - uses: 'acme/build@main' # moves\n      - uses: ./own\n";
    assay.file(".github/workflows/ci.yml", text);
    let path = std::env::var("PATH").unwrap();
    let assay = assay.variable("GITHUB_SERVER_URL", &format!("file://{}", server.display())).variable("PATH", &path);
    let check = assay.seen(&["pin", "-f", ".github", "--check", "--offline"]);
    assert!(check.starts_with("exit 1") && check.contains("ci.yml:5") && check.contains("acme/build@main"), "{check}");
    let seen = assay.seen(&["pin", "-f", ".github"]);
    assert!(seen.starts_with("exit 0"), "{seen}");
    let after = std::fs::read_to_string(assay.path().join(".github/workflows/ci.yml")).unwrap();
    let wanted = text.replace("@v1", &format!("@{commit} # v1")).replace("build@main", &format!("build@{commit}"));
    assert_eq!(after, wanted);
    assay.file(".github/workflows/ci.yml", text.replace("@v1", "@v9"));
    let seen = assay.seen(&["pin", "-f", ".github"]);
    assert!(seen.starts_with("exit 2") && seen.contains("v9"), "{seen}");
}
