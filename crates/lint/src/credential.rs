//! Names and values that look like credentials.
//!
//! Far less than the secret search of `assay-inspect`: a name that says what it holds, or a value that its maker's prefix
//! gives away.

/// Last words of names that hold a credential.
const ENDINGS: [&str; 16] = [
    "PASSWORD",
    "PASSWD",
    "PASS",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "SECRET_KEY",
    "PRIVATE_KEY",
    "SECRET_ACCESS_KEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "PWD",
    "AUTH_KEY",
    "SIGNING_KEY",
];
/// Names that end so and hold none.
const HARMLESS: [&str; 7] =
    ["PWD", "OLDPWD", "GIT_ASKPASS", "SSH_ASKPASS", "SUDO_ASKPASS", "BYPASS", "CANCELLATION_TOKEN"];
/// Beginnings of values by which services mark their credentials, with the fewest characters behind.
const PREFIXES: [(&str, usize); 22] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghs_", 30),
    ("ghu_", 30),
    ("github_pat_", 40),
    ("glpat-", 16),
    ("gldt-", 16),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("npm_", 30),
    ("pypi-", 40),
    ("AIza", 30),
    ("SG.", 40),
    ("dckr_pat_", 20),
    ("hvs.", 20),
    ("dop_v1_", 40),
    ("-----BEGIN RSA PRIVATE KEY", 0),
    ("-----BEGIN PRIVATE KEY", 0),
];

/// Whether a variable of this name holds a credential.
pub(crate) fn is_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace('-', "_");
    if HARMLESS.contains(&name.as_str()) || name.ends_with("_FILE") || name.ends_with("_PATH") {
        return false;
    }
    ENDINGS.iter().any(|ending| name.strip_suffix(ending).is_some_and(|rest| rest.is_empty() || rest.ends_with('_')))
}

/// Whether a value is a credential by its own look.
pub(crate) fn is_value(value: &str) -> bool {
    let value = value.trim();
    PREFIXES.iter().any(|(prefix, behind)| {
        value.strip_prefix(prefix).is_some_and(|rest| {
            rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count() >= *behind
        })
    })
}

/// Whether a value is written out: not empty, not a reference to something else, not a placeholder.
pub(crate) fn is_literal(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let placeholder = value.starts_with('<') || value.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '-'));
    let word = matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "none" | "changeme");
    !value.is_empty()
        && !value.contains("$(")
        && !value.starts_with('$')
        && !value.contains("${")
        && !placeholder
        && !word
}

/// Whether a URL carries a user with a password: `https://user:password@host`.
pub(crate) fn in_url(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let authority = text.get(at + 3..).unwrap_or_default();
        let end = authority.find(['/', ' ', '"', '\'', '?', '#']).unwrap_or(authority.len());
        let user = authority.get(..end).unwrap_or_default().rsplit_once('@').map(|(user, _)| user);
        let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
        password.is_some_and(is_literal)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_hold() {
        for name in [
            "DB_PASSWORD",
            "npm_token",
            "AWS_SECRET_ACCESS_KEY",
            "apiKey".to_uppercase().as_str(),
            "MYSQL_ROOT_PASSWORD",
        ] {
            assert!(is_name(name), "{name}");
        }
        for name in ["PWD", "TOKENIZER", "PASSWORD_FILE", "COMPASS", "VERSION", "GIT_ASKPASS"] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn values_and_urls_give_themselves_away() {
        assert!(is_value(&format!("AKIA{}", "A".repeat(16))) && !is_value("AKIA") && !is_value("npm_config"));
        assert!(
            in_url("https://me:hunter2@example.com/x")
                && !in_url("https://me@example.com")
                && !in_url("https://a:$B@c/")
        );
        assert!(is_literal("hunter2") && !is_literal("$X") && !is_literal("<your-token>") && !is_literal(""));
    }
}
