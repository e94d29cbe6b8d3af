//! Rules that are imported.

use super::{RANDOM, SecretRules, SecretRulesError};
use crate::secrets::Scanner;

const CONFIGURATION: &str = r#"
title = "acme"

[[rules]]
id = "acme-key"
description = "keys of Acme"
regex = '''(?i)(acme)_(?:live|test)_([a-z0-9]{16})'''
secretGroup = 2
entropy = 2.5
keywords = ["ACME_"]
[[rules.allowlists]]
regexTarget = "line"
regexes = ['''# documented''']
stopwords = ["0000"]

[[rules]]
id = "everywhere"
regex = '''\bzz[0-9]{6}\b'''
path = '''\.conf$'''

[[rules]]
id = "path-only"
path = '''\.p12$'''

[allowlist]
paths = ['''^vendor/''']
"#;

fn found(rules: SecretRules, path: &str, text: &str) -> Vec<String> {
    let mut scanner = Scanner::new(std::sync::Arc::new(rules));
    scanner.begin();
    scanner.push(text.as_bytes());
    scanner.finish(path).0.into_iter().map(|found| format!("{} {} {}", found.rule, found.line, found.excerpt)).collect()
}

fn rules(text: &str) -> SecretRules {
    SecretRules::from_gitleaks(text).unwrap()
}

#[test]
fn keywords_groups_entropy_paths_and_allow_lists_hold() {
    let key = RANDOM[..16].to_lowercase();
    let text = format!(
        "a = Acme_live_{key}\nb = acme_test_aaaaaaaaaaaaaaaa\nc = acme_test_{key} # documented\nd = acme_test_0000{}\nzz123456\n",
        &key[..12]
    );
    assert_eq!(found(rules(CONFIGURATION), "app/x.txt", &text), ["acme-key 1 a = Acme_live_***"]);
    assert_eq!(found(rules(CONFIGURATION), "app/x.conf", &text), ["acme-key 1 a = Acme_live_***", "everywhere 5 ***"]);
    assert!(found(rules(CONFIGURATION), "vendor/x.conf", &text).is_empty());
    assert_eq!(rules(CONFIGURATION).left_out(), ["path-only"]);
}

#[test]
fn built_in_rules_join_where_the_configuration_extends_the_defaults() {
    let token = format!("ghp_{}", &RANDOM[..36]);
    assert!(found(rules(CONFIGURATION), "x", &token).is_empty());
    let extended = format!("[extend]\nuseDefault = true\n{CONFIGURATION}");
    assert_eq!(found(rules(&extended), "x", &token), ["github-pat 1 ***"]);
}

#[test]
fn what_is_no_configuration_is_refused() {
    let error = |text: &str| SecretRules::from_gitleaks(text).unwrap_err();
    assert!(matches!(error("[[rules"), SecretRulesError::Syntax { .. }));
    let look_ahead = "[[rules]]\nid = \"a\"\nregex = '(?=a)'\n";
    assert!(matches!(error(look_ahead), SecretRulesError::Expression { rule, .. } if rule == "a"));
    let huge = "[[rules]]\nid = \"a\"\nregex = '(?:a{1000}){1000}'\n";
    assert!(matches!(error(huge), SecretRulesError::Expression { .. }));
    assert!(matches!(error(&"[[rules]]\n".repeat(5001)), SecretRulesError::TooMany { .. }));
    assert!(matches!(error(&" ".repeat(5 << 20)), SecretRulesError::TooLarge { .. }));
}
