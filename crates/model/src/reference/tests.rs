use proptest::prelude::*;

use super::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parse(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn familiar_names_mean_what_container_runtimes_mean() {
    for (written, normal) in [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("index.docker.io/nginx", "docker.io/library/nginx"),
        ("grafana/grafana", "docker.io/grafana/grafana"),
        ("localhost/app", "localhost/app"),
        ("localhost:5000/app:1", "localhost:5000/app:1"),
        ("[::1]:5000/app", "[::1]:5000/app"),
        ("registry.example.com/a/b-c__d.e:T_1", "registry.example.com/a/b-c__d.e:T_1"),
    ] {
        assert_eq!(parse(written).to_string(), normal);
    }
}

#[test]
fn latest_is_latest_whether_written_or_not_unless_a_digest_fixes_it() {
    assert!(parse("nginx").is_latest());
    assert!(parse("nginx:latest").is_latest());
    assert!(!parse("nginx:1.25").is_latest());
    assert!(!parse(&format!("nginx@sha256:{HEX}")).is_latest());
}

#[test]
fn pinning_keeps_the_name_and_tag_as_written() {
    let digest = Digest::of(b"");
    assert_eq!(parse("nginx:1.25").pinned(digest).written(), format!("nginx:1.25@sha256:{HEX}"));
    assert_eq!(parse("h:5000/a").pinned(digest).written(), format!("h:5000/a@sha256:{HEX}"));
    assert_eq!(parse("h:5000/a:x").pinned(digest).digest(), Some(digest));
}

#[test]
fn a_prefix_ends_at_a_path_boundary() {
    let repository: Repository = "registry.example.com/payments/api".parse().unwrap();
    assert!(repository.starts_with("registry.example.com/payments/"));
    assert!(repository.starts_with("registry.example.com"));
    assert!(repository.starts_with("registry.example.com/payments/api"));
    assert!(!repository.starts_with("registry.example.com/pay"));
    assert!(!repository.starts_with("registry.example.co"));
    assert!(!repository.starts_with(""));
}

#[test]
fn only_real_loopback_hosts_count_as_loopback() {
    for (name, expected) in [
        ("127.0.0.1:5000/a", true),
        ("localhost:5000/a", true),
        ("[::1]:5000/a", true),
        ("127.0.0.1.example.com/a", false),
        ("localhost.example.com/a", false),
        ("10.0.0.1/a", false),
    ] {
        assert_eq!(parse(name).repository().is_loopback(), expected, "{name}");
    }
}

#[test]
fn malformed_references_are_refused() {
    let long = "a/".repeat(200) + "a";
    for text in [
        "",
        ":tag",
        "a:",
        "a:b c",
        "A/b",
        "a//b",
        "a/-b",
        "a/b-",
        "a/b..c",
        "a/b___c",
        "@sha256:00",
        "a@sha256:00",
        "a@md5:00",
        "ex ample.com/a",
        "host.com:0/a",
        "host.com:99999/a",
        "-host.com/a",
        "a/b:é",
        &long,
        "https://registry.example.com/a",
        "../../etc/passwd",
        "a@sha256:",
        "[::1/a",
        "[zz]:5/a",
    ] {
        assert!(text.parse::<Reference>().is_err(), "{text} was accepted");
    }
}

/// The grammar of paths, component by component and separator by separator.
fn is_path_plainly(path: &str) -> bool {
    path.split('/').all(|component| {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        component.starts_with(alphanumeric)
            && component.ends_with(alphanumeric)
            && component
                .split(alphanumeric)
                .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.chars().all(|c| c == '-'))
    })
}

/// The same for host names.
fn is_name_plainly(host: &str) -> bool {
    host.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    })
}

proptest! {
    #[test]
    fn names_and_paths_are_those_of_the_grammar(path in "[ab0._/A-]{0,12}", host in "[aB0._é-]{0,8}") {
        prop_assert_eq!(is_path(&path), is_path_plainly(&path), "{}", path);
        prop_assert_eq!(is_name(&host), is_name_plainly(&host), "{}", host);
    }

    #[test]
    fn what_parses_normalises_to_a_fixed_point(text in "[a-zA-Z0-9:/@._\\[\\]-]{0,80}") {
        if let Ok(reference) = text.parse::<Reference>() {
            let normal = reference.to_string();
            let again: Reference = normal.parse().map_err(|e| TestCaseError::fail(format!("{normal}: {e}")))?;
            prop_assert_eq!(again.to_string(), normal);
            prop_assert_eq!(again.repository(), reference.repository());
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,100}") {
        let _ = text.parse::<Reference>();
    }
}

#[test]
fn latest_is_what_floats() {
    let digest = Digest::of(b"");
    for (written, expected) in [
        ("nginx", true),
        ("nginx:latest", true),
        ("nginx:1.27", false),
        ("nginx:Latest", false),
        (&format!("nginx@{digest}"), false),
        (&format!("nginx:latest@{digest}"), false),
    ] {
        assert_eq!(written.parse::<Reference>().unwrap().is_latest(), expected, "{written}");
    }
}
