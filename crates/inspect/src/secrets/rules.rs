//! What secrets look like: one row a kind. Sources are the issuers' own documentation of their token formats.

use assay_model::Severity;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

mod platforms;
mod services;

/// All rules.
pub(super) static TABLES: [&[Rule]; 3] = [RULES, services::RULES, platforms::RULES];

/// A kind of secret.
pub(super) struct Rule {
    /// Stable name, kebab-case.
    pub(super) name: &'static str,
    pub(super) severity: Severity,
    /// Exact texts of which one must be there before the expression is tried.
    pub(super) keywords: &'static [&'static str],
    /// The secret is group 1, or all of it.
    pub(super) expression: &'static str,
    /// Whether the secret may go on behind the line of its keyword.
    pub(super) spans_lines: bool,
    /// What an expression cannot say.
    pub(super) check: Check,
}

/// What an expression cannot say.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// Not a placeholder such as `AKIAIOSFODNN7EXAMPLE` or a run of one character.
    Plausible,
    /// Plausible, and with upper and lower case and a digit.
    Mixed,
    /// Base64 of `user:password` (RFC 7617), as container tools keep it.
    BasicCredentials,
    /// A password that somebody chose: not one of those that examples have.
    Password,
    /// `user:password`, the password as [`Check::Password`] has it and not the user's name again, as in settings for tests.
    UserAndPassword,
    /// As random as a generated token: at least 3.5 bits a character, with letters and digits, and no placeholder.
    Entropy,
    /// A JSON Web Token whose claims are those of a Kubernetes service account.
    KubernetesToken,
}

/// Shannon entropy of the bytes, in bits for each.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for &byte in text {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total = text.len() as f64;
    counts.iter().filter(|count| **count > 0).fold(0.0, |sum, &count| {
        let share = f64::from(count) / total;
        sum - share * share.log2()
    })
}

/// Words that examples use in place of a password.
const PLACEHOLDERS: [&[u8]; 20] = [
    b"pass",
    b"secret",
    b"change",
    b"example",
    b"user",
    b"admin",
    b"root",
    b"guest",
    b"test",
    b"postgres",
    b"mysql",
    b"redis",
    b"your",
    b"token",
    b"hunter2",
    b"12345",
    b"foobar",
    b"xxx",
    b"...",
    b"%s",
];

fn is_chosen(secret: &[u8]) -> bool {
    let lower = secret.to_ascii_lowercase();
    secret.len() >= 6 && !PLACEHOLDERS.iter().any(|word| memchr::memmem::find(&lower, word).is_some())
}

impl Check {
    pub(super) fn accepts(self, secret: &[u8]) -> bool {
        match self {
            Check::Plausible => is_plausible(secret),
            Check::BasicCredentials => STANDARD.decode(secret).is_ok_and(|text| {
                let is_text = text.iter().all(u8::is_ascii_graphic);
                is_text && memchr::memchr(b':', &text).is_some_and(|at| at > 0 && at + 1 < text.len())
            }),
            Check::Password => is_chosen(secret),
            Check::UserAndPassword => secret.iter().position(|byte| *byte == b':').is_some_and(|colon| {
                let (user, password) = secret.split_at(colon);
                let password = password.get(1..).unwrap_or_default();
                is_chosen(password) && !user.eq_ignore_ascii_case(password)
            }),
            Check::Entropy => {
                is_plausible(secret)
                    && is_chosen(secret)
                    && entropy(secret) >= 3.5
                    && secret.iter().any(u8::is_ascii_digit)
                    && secret.iter().any(u8::is_ascii_alphabetic)
            }
            Check::KubernetesToken => secret.split(|byte| *byte == b'.').nth(1).is_some_and(|claims| {
                URL_SAFE_NO_PAD.decode(claims).is_ok_and(|text| memchr::memmem::find(&text, b"kubernetes").is_some())
            }),
            Check::Mixed => {
                is_plausible(secret)
                    && secret.iter().any(u8::is_ascii_uppercase)
                    && secret.iter().any(u8::is_ascii_lowercase)
                    && secret.iter().any(u8::is_ascii_digit)
            }
        }
    }
}

/// Documentation uses `EXAMPLE`, `xxxx` and counting digits; real tokens are random.
fn is_plausible(secret: &[u8]) -> bool {
    let upper = secret.to_ascii_uppercase();
    let has = |text: &[u8]| memchr::memmem::find(&upper, text).is_some();
    let mut distinct = [false; 256];
    for &byte in secret {
        if let Some(seen) = distinct.get_mut(usize::from(byte)) {
            *seen = true;
        }
    }
    let distinct = distinct.iter().filter(|seen| **seen).count();
    distinct >= 8 && !has(b"EXAMPLE") && !has(b"XXXXXX") && !has(b"PLACEHOLDER") && !has(b"REDACTED")
}

const fn rule(
    name: &'static str,
    severity: Severity,
    keywords: &'static [&'static str],
    expression: &'static str,
    check: Check,
) -> Rule {
    Rule { name, severity, keywords, expression, spans_lines: false, check }
}

use Check::{BasicCredentials, Mixed, Plausible};
use Severity::{Critical, High, Medium};

/// Rules for what is met most. Keywords are case-sensitive and as long as the format allows, since they decide how fast a search is.
static RULES: &[Rule] = &[
    Rule {
        // RFC 7468, section 10 and 11; OpenSSH PROTOCOL.key. A header without key material behind it is source code.
        name: "private-key",
        severity: Critical,
        keywords: &["PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"],
        expression: r"(-----BEGIN (?:(?:RSA|EC|DSA|OPENSSH|ENCRYPTED|PGP|SSH2 ENCRYPTED) )?PRIVATE KEY(?: BLOCK)?-----(?:\\r|\\n|[\s\\]|[A-Za-z][A-Za-z0-9-]*: [^\n\\]*){1,40}[A-Za-z0-9+/=]{40}[A-Za-z0-9+/=\s\\]*)",
        spans_lines: true,
        check: Plausible,
    },
    rule("aws-access-key-id", High, &["AKIA", "ASIA"], r"\b((?:AKIA|ASIA)[A-Z2-7]{16})\b", Plausible),
    rule(
        "aws-secret-access-key",
        Critical,
        &["ecret_access_key", "ECRET_ACCESS_KEY", "ecretAccessKey", "ecret_key", "ECRET_KEY"],
        r#"(?i)(?:aws|amazon)?_?-?secret_?-?(?:access)?_?-?key["']?\s*(?:=>|[:=])\s*["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
        Mixed,
    ),
    rule("github-pat", Critical, &["ghp_"], r"\b(ghp_[A-Za-z0-9]{36,255})\b", Plausible),
    rule("github-oauth-token", Critical, &["gho_", "ghu_"], r"\b(gh[ou]_[A-Za-z0-9]{36,255})\b", Plausible),
    rule("github-app-token", Critical, &["ghs_", "ghr_"], r"\b(gh[sr]_[A-Za-z0-9]{36,255})\b", Plausible),
    rule(
        "github-fine-grained-pat",
        Critical,
        &["github_pat_"],
        r"\b(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b",
        Plausible,
    ),
    rule("gitlab-pat", Critical, &["glpat-"], r"\b(glpat-[A-Za-z0-9_-]{20,64})(?:[^A-Za-z0-9_-]|$)", Plausible),
    rule(
        "gitlab-token",
        High,
        &["gldt-", "glrt-", "glcbt-", "glptt-", "glsoat-"],
        r"\b(gl(?:dt|rt|cbt|ptt|soat)-[A-Za-z0-9_-]{20,64})(?:[^A-Za-z0-9_-]|$)",
        Plausible,
    ),
    rule("npm-token", Critical, &["npm_"], r"\b(npm_[A-Za-z0-9]{36})\b", Mixed),
    rule(
        "npmrc-auth",
        High,
        &[":_authToken", ":_auth", ":_password"],
        r#":_(?:authToken|auth|password)\s*=\s*["']?([A-Za-z0-9+/=_-]{20,})"#,
        Plausible,
    ),
    rule("pypi-token", Critical, &["pypi-AgE"], r"\b(pypi-AgE[A-Za-z0-9_-]{50,1000})", Plausible),
    rule("rubygems-token", High, &["rubygems_"], r"\b(rubygems_[a-f0-9]{48})\b", Plausible),
    rule("dockerhub-token", Critical, &["dckr_pat_", "dckr_oat_"], r"\b(dckr_[po]at_[A-Za-z0-9_-]{27,64})", Plausible),
    rule("registry-auth", Critical, &["\"auth\""], r#""auth"\s*:\s*"([A-Za-z0-9+/]{8,}={0,2})""#, BasicCredentials),
    rule("slack-bot-token", High, &["xoxb-"], r"\b(xoxb-[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9]{20,36})", Plausible),
    rule(
        "slack-token",
        High,
        &["xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xapp-"],
        r"\b((?:xox[aprse]-(?:[0-9]{1,13}-)+[A-Za-z0-9-]{20,146})|xapp-[0-9]-[A-Z0-9]+-[0-9]+-[A-Za-z0-9]+)",
        Plausible,
    ),
    rule(
        "slack-webhook",
        Medium,
        &["hooks.slack.com/"],
        r"(https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{40,60})",
        Plausible,
    ),
    rule("stripe-live-key", Critical, &["k_live_"], r"\b([sr]k_live_[A-Za-z0-9]{20,247})\b", Plausible),
    rule("google-api-key", High, &["AIza"], r"\b(AIza[A-Za-z0-9_-]{35})(?:[^A-Za-z0-9_-]|$)", Mixed),
    rule(
        "google-service-account",
        Critical,
        &["\"private_key_id\""],
        r#""private_key_id"\s*:\s*"([a-f0-9]{40})""#,
        Plausible,
    ),
    rule("google-oauth-secret", High, &["GOCSPX-"], r"\b(GOCSPX-[A-Za-z0-9_-]{28})(?:[^A-Za-z0-9_-]|$)", Plausible),
    rule("azure-storage-key", Critical, &["AccountKey="], r"AccountKey=([A-Za-z0-9+/]{86}==)", Mixed),
    rule(
        "azure-client-secret",
        Critical,
        &["8Q~"],
        r"(?:^|[^A-Za-z0-9_~.-])([A-Za-z0-9_~.]{3}8Q~[A-Za-z0-9_~.-]{34})(?:[^A-Za-z0-9_~.-]|$)",
        Mixed,
    ),
    rule("hashicorp-vault-token", Critical, &["hvs.", "hvb."], r"\b(hv[sb]\.[A-Za-z0-9_-]{90,300})", Plausible),
    rule(
        "terraform-cloud-token",
        High,
        &[".atlasv1."],
        r"\b([A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70})",
        Plausible,
    ),
    rule(
        "openai-key",
        High,
        &["T3BlbkFJ"],
        r"\b(sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,100}T3BlbkFJ[A-Za-z0-9_-]{20,100})",
        Plausible,
    ),
    rule("anthropic-key", High, &["sk-ant-"], r"\b(sk-ant-(?:api|admin)[0-9]{2}-[A-Za-z0-9_-]{80,120})", Plausible),
    rule("huggingface-token", High, &["hf_"], r"\b(hf_[A-Za-z]{34})\b", Plausible),
    rule(
        "sendgrid-key",
        High,
        &["SG."],
        r"\b(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})(?:[^A-Za-z0-9_-]|$)",
        Plausible,
    ),
    rule("mailgun-key", High, &["MAILGUN", "mailgun"], r"(?i)mailgun[^\n]{0,40}\b(key-[a-f0-9]{32})\b", Plausible),
    rule("twilio-key", High, &["TWILIO", "twilio", "Twilio"], r"(?i)twilio[^\n]{0,40}\b(SK[a-f0-9]{32})\b", Plausible),
    rule(
        "datadog-key",
        High,
        &["DD_API_KEY", "DD_APP_KEY", "DATADOG_API_KEY", "DATADOG_APP_KEY", "dd_api_key", "datadog_api_key"],
        r#"(?i)(?:dd|datadog)_ap[ip]_key["']?\s*[:=]\s*["']?([a-f0-9]{32}(?:[a-f0-9]{8})?)\b"#,
        Plausible,
    ),
    rule(
        "digitalocean-token",
        Critical,
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        r"\b(do[opr]_v1_[a-f0-9]{64})\b",
        Plausible,
    ),
    rule(
        "grafana-token",
        High,
        &["glsa_", "glc_"],
        r"\b(glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/]{60,400}={0,2})",
        Plausible,
    ),
    rule("new-relic-key", High, &["NRAK-"], r"\b(NRAK-[A-Z0-9]{27})\b", Plausible),
    rule("shopify-token", High, &["shpat_", "shpss_", "shppa_"], r"\b(shp(?:at|ss|pa)_[a-fA-F0-9]{32})\b", Plausible),
    rule("telegram-bot-token", Medium, &[":AA"], r"\b([0-9]{8,10}:AA[A-Za-z0-9_-]{33})(?:[^A-Za-z0-9_-]|$)", Mixed),
    rule(
        "age-secret-key",
        Critical,
        &["AGE-SECRET-KEY-1"],
        r"\b(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})\b",
        Plausible,
    ),
];
