//! `serve` starts, says where it is, and stops when it is told to.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::assay::Assay;

#[test]
fn the_webhook_starts_says_where_and_stops() {
    let assay = Assay::new();
    let mut child = assay
        .command()
        .args(["serve", "--listen", "127.0.0.1:0", "--development-certificate", "localhost"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = stderr.next().unwrap().unwrap();
    assert!(line.starts_with("listening on https://127.0.0.1:"), "{line}");
    let authority = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert_eq!(authority, "-----BEGIN CERTIFICATE-----");
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(assay.path().join(".local/share/assay/assay.db").is_file());
}

#[test]
fn without_a_certificate_nothing_is_served() {
    let output = Assay::new().run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_cluster_that_is_not_there_is_said_so() {
    let assay = Assay::new();
    let output = assay.run(&["serve", "--listen", "127.0.0.1:0", "--register", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cluster-not-configured") && said.contains("--kubeconfig FILE"), "{said}");
    let config = assay.file("config", "current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\n");
    let config = config.to_str().unwrap();
    let output = assay.run(&["serve", "--listen", "127.0.0.1:0", "--register", "127.0.0.1", "--kubeconfig", config]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("kubeconfig-invalid") && said.contains("names the cluster `b`"), "{said}");
}

/// Two ways to have a certificate, or two places for labels, would leave open which one counts.
#[test]
fn a_server_follows_files_or_a_cluster() {
    for more in [["--development-certificate", "localhost"], ["--namespaces", "namespaces.json"]] {
        let arguments = [&["serve", "--register", "127.0.0.1"][..], &more].concat();
        let output = Assay::new().run(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be used with"), "{more:?}");
    }
}
