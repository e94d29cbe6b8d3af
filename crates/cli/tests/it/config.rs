use crate::assay::Assay;

#[test]
fn settings_say_where_they_come_from() {
    let assay = Assay::new().variable("ASSAY_FAIL_ON", "high").variable("ASSAY_STORE", "postgres://u:pw@db/assay");
    assay.file("assay.yaml", "config: [policies]\nenvironment: prod\n");
    assay.file(".config/assay/assay.yaml", "environment: dev\ntrusted-root: root.json\n");
    let seen = assay.seen(&["config", "show", "--origin", "--color", "never"]);
    // The columns are as wide as this run's home folder.
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    insta::assert_snapshot!(seen.lines().map(words).collect::<Vec<_>>().join("\n"));
}

#[test]
fn settings_as_json_carry_their_schema() {
    let output = Assay::new().run(&["config", "show", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["schema"], "assay.dev/config/v1");
    assert_eq!(json["settings"][0]["name"], "by-table");
}

#[test]
fn a_wrong_setting_is_refused_with_its_origin() {
    let assay = Assay::new();
    assay.file("assay.yaml", "fail-onn: high\n");
    insta::assert_snapshot!(assay.seen(&["config", "show"]));
}

#[test]
fn an_unsupported_format_names_the_supported_ones() {
    insta::assert_snapshot!(Assay::new().seen(&["config", "show", "-o", "sarif"]));
}

#[test]
fn a_result_goes_to_every_place_it_was_asked_for() {
    let assay = Assay::new();
    let output = assay.run(&["config", "show", "-o", "json=a.json", "-o", "text=b.txt", "-q"]);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
    assert!(std::fs::read_to_string(assay.path().join("a.json")).unwrap().contains("assay.dev/config/v1"));
    assert!(std::fs::read_to_string(assay.path().join("b.txt")).unwrap().contains("cache-dir"));
}

#[test]
fn colour_is_used_only_where_it_is_wanted() {
    let coloured = Assay::new().run(&["config", "show", "--origin", "--color", "always"]);
    assert!(coloured.stdout.contains(&0x1b));
    let plain = Assay::new().variable("NO_COLOR", "1").run(&["config", "show", "--origin"]);
    assert!(!plain.stdout.contains(&0x1b));
}

#[test]
fn a_reader_that_goes_away_does_not_change_the_answer() {
    let assay = Assay::new();
    let mut child = assay
        .command()
        .args(["completions", "bash"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
