//! A gitleaks configuration, and the text behind it searched with its rules.
#![no_main]

use std::sync::Arc;

use assay_inspect::{DirectoryOptions, SecretRules, inspect_bytes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (configuration, text) = input.split_once('\u{1}').unwrap_or((input, ""));
    if let Ok(rules) = SecretRules::from_gitleaks(configuration) {
        let options = DirectoryOptions { rules: Arc::new(rules), ..DirectoryOptions::default() };
        let contents = inspect_bytes("file.txt", text.as_bytes(), &options);
        assert!(contents.secrets.iter().all(|secret| secret.line >= 1 && secret.excerpt.chars().count() <= 120));
    }
});
