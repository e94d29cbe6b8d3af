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
