//! Every command of the operator's guide, in its order, against the API server.
//!
//! The guide's registry is one that nobody serves, and where it waits for Pods of Assay, the binary of this build takes
//! their place. Blocks marked `sh not-run` are counted.

use std::path::Path;
use std::process::Command;

use crate::peer::{path, present};
use crate::plane::{ControlPlane, plane};
use crate::process::eventually;
use crate::serving::Serving;

/// Blocks that need a kubelet, a registry with what a drill wants, or a database.
const NOT_RUN: usize = 3;
/// Blocks that are run.
const RUN: usize = 13;
/// After the blocks of this section there is a server.
const INSTALL: &str = "2. Install";

/// A block of commands: the section that it stands in, its line, its text.
struct Block {
    section: String,
    line: usize,
    is_run: bool,
    text: String,
}

fn blocks(guide: &str) -> Vec<Block> {
    let (mut blocks, mut section, mut open): (Vec<Block>, String, Option<Block>) = (Vec::new(), String::new(), None);
    for (number, line) in guide.lines().enumerate() {
        match (&mut open, line) {
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, _) => {
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut section);
                }
                if let Some(kind) = line.strip_prefix("```") {
                    let is_run = match kind {
                        "sh" => true,
                        "sh not-run" => false,
                        other => panic!("line {}: a block of `{other}`: sh, or sh not-run", number + 1),
                    };
                    open = Some(Block { section: section.clone(), line: number + 2, is_run, text: String::new() });
                }
            }
        }
    }
    assert!(open.is_none(), "a block does not end");
    blocks
}

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/operate.md");
    std::fs::read_to_string(path).unwrap()
}

/// A folder with what the commands need on their path, and `deploy` beside them.
fn workplace(folder: &Path) {
    let link = |from: &Path, to: &str| std::os::unix::fs::symlink(from, folder.join(to)).unwrap();
    std::fs::create_dir(folder.join("bin")).unwrap();
    for program in ["kubectl", "helm"] {
        link(&path(program), &format!("bin/{program}"));
    }
    link(Path::new(env!("CARGO_BIN_EXE_assay")), "bin/assay");
    link(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").canonicalize().unwrap(), "deploy");
}

fn run(block: &Block, folder: &Path, plane: &ControlPlane, store: &str) {
    // Nothing here reaches the internet.
    let text = block.text.replace("registry.example.com/release", "127.0.0.1:1/release");
    let mut shell = Command::new("timeout");
    shell.args(["300", "bash", "-euo", "pipefail", "-c", &text]).current_dir(folder).env_clear();
    shell.env("PATH", format!("{}:/usr/bin:/bin", folder.join("bin").display())).env("HOME", folder);
    shell.env("KUBECONFIG", plane.kubeconfig()).env("ASSAY_STORE", store);
    let output = shell.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "docs/guide/operate.md:{}: {}\n{text}\n{said}", block.line, output.status);
}

#[test]
fn the_blocks_that_are_not_run_are_as_few_as_stated() {
    let blocks = blocks(&guide());
    let run = blocks.iter().filter(|block| block.is_run).count();
    assert_eq!((run, blocks.len() - run), (RUN, NOT_RUN));
    // Commands stand in blocks: an indented one would be run by nobody.
    let guide = guide();
    let stray = guide.lines().find(|line| {
        ["kubectl ", "helm ", "assay "].iter().any(|own| line.trim_start().starts_with(own) && line.starts_with("    "))
    });
    assert_eq!(stray, None);
}

#[test]
fn every_command_of_the_operators_guide_runs() {
    let Some(plane) = plane() else { return };
    if !present("ASSAY_CLUSTER", &["helm"]) {
        return;
    }
    // From nothing: what other tests applied is not Helm's.
    for kind in ["clusterrole", "clusterrolebinding"] {
        plane.kubectl(&["delete", kind, "assay", "--ignore-not-found"]);
    }
    plane.kubectl(&["delete", "namespace", "assay-system", "payments-prod", "--ignore-not-found", "--wait=true"]);
    let (folder, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    workplace(folder.path());
    let store = format!("sqlite:{}", home.path().join("store/assay.db").display());
    let mut home = Some(home);
    let mut serving = None;
    for block in blocks(&guide()).iter().filter(|block| block.is_run) {
        if block.section != INSTALL && serving.is_none() {
            plane.issue_token("assay-system", "assay");
            serving = home.take().map(|home| Serving::start_with(&plane, home, &[]));
        }
        // What was decided is in the store within a moment.
        if block.text.starts_with("assay readiness") {
            let decided = || plane.try_kubectl(&["get", "pod", "api", "-n", "payments-prod"]).status.success();
            eventually("the Pod of before was admitted", || decided().then_some(()).ok_or_else(String::new));
        }
        run(block, folder.path(), &plane, &store);
    }
    drop(serving);
    // The control plane is everybody's: Pods that others make here need not be what `restricted` wants.
    plane.kubectl(&["label", "namespace", "assay-system", "pod-security.kubernetes.io/enforce-"]);
}
