//! The lab as a command.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use assay_cli::lab::{ATTACKS, Arena};

use crate::assay::Assay;

#[test]
fn the_whole_tour_passes_and_ends_with_the_table() {
    let output = Assay::new().run(&["lab"]);
    let (table, story) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{table}{story}");
    let last = format!("6 good deploys admitted, {} attacks stopped, 0 missed", ATTACKS.len());
    assert!(table.contains(&last), "{table}");
    for attack in &ATTACKS {
        assert!(table.contains(attack.title) && story.contains(attack.title), "{}", attack.title);
    }
    // Only what cannot be broken without becoming wrong is wider than a terminal: addresses and digests.
    let wide = table.lines().chain(story.lines()).filter(|line| line.chars().count() > 80);
    let breakable: Vec<_> = wide.filter(|line| line.trim().contains(' ')).collect();
    assert_eq!(breakable, Vec::<&str>::new());
}

#[test]
fn the_result_for_machines_names_every_attack() {
    let output = Assay::new().run(&["lab", "-q", "-o", "json"]);
    assert!(output.status.success() && output.stderr.is_empty());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], "assay.dev/lab/v1");
    let attacks = json["attacks"].as_array().unwrap();
    assert_eq!(attacks.len(), ATTACKS.len());
    for attack in attacks {
        assert_eq!(attack["stopped"], true, "{attack}");
        assert!(attack["refusal"].as_str().unwrap().contains(attack["control"].as_str().unwrap()), "{attack}");
    }
}

#[test]
fn what_is_kept_is_complete_and_never_mixed_with_something_else() {
    let assay = Assay::new();
    let output = assay.run(&["lab", "-q", "--keep", "kept"]);
    assert!(output.status.success(), "{}", assay.shown(&output));
    let kept = assay.path().join("kept");
    for file in [
        "README.txt",
        "policy/prod.yaml",
        "policy/trusted_root.json",
        "keys/webhook-ca.pem",
        "data/advisories.pack",
        "manifests/payments-api-prod.yaml",
        "attacks/unsigned-image.yaml",
        "attacks/unsigned-image.json",
        "registry/payments-api/index.json",
        "store/assay.db",
    ] {
        assert!(std::fs::metadata(kept.join(file)).is_ok_and(|file| file.len() > 0), "{file}");
    }
    let output = assay.run(&["lab", "--keep", "kept"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("kept is not empty"));
}

#[test]
fn the_good_path_can_be_walked_on_any_day() {
    for now in ["2025-01-01T00:00:00Z", "2026-03-01T08:00:00Z"] {
        let refused = Arena::start(now.parse().unwrap()).unwrap().walk().unwrap();
        assert_eq!(refused, Vec::<String>::new());
    }
}

#[test]
fn every_command_that_is_suggested_works_as_it_is_printed() {
    let assay = Assay::new();
    let mut lab = assay.command();
    let mut lab =
        lab.args(["lab", "--serve", "--keep", "kept"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut suggested = String::new();
    for line in BufReader::new(lab.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("The servers stay up") || !suggested.is_empty() {
            suggested.push_str(&line);
            suggested.push('\n');
        }
        if line.ends_with("/validate") && !suggested.is_empty() {
            break;
        }
    }
    let script = suggested.replace("\\\n", " ");
    let image = script.lines().find_map(|line| line.trim().strip_prefix("IMAGE=")).unwrap();
    let mut tried = 0;
    for line in script.lines().filter_map(|line| line.strip_prefix("  assay ")) {
        let digest = image.split_once('@').unwrap().1;
        let line = line.replace("${IMAGE#*@}", digest).replace("$IMAGE", image).replace('\'', "");
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let output = assay.command().current_dir(assay.path().join("kept")).args(&arguments).output().unwrap();
        let denied = line.contains("unsigned-image");
        assert_eq!(output.status.code(), Some(i32::from(denied)), "assay {line}\n{}", assay.shown(&output));
        tried += 1;
    }
    lab.kill().unwrap();
    lab.wait().unwrap();
    assert_eq!(tried, 6, "{suggested}");
}
