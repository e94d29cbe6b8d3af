use super::*;

mod gitleaks;
mod providers;

/// One text that each rule finds and one that it must leave alone. The parts are joined here, so that no scanner takes this
/// file for a leak.
const RANDOM: &str = "q7ZkP2mXv9RtB4nLs8WcY3hJd6FgT1aEu5KoNiVb";
const HEX: &str = "3f9a1c7e5b2d8046af13c9e7d05b8426fa917c3e5d2b8064";

fn part(length: usize) -> String {
    RANDOM.repeat(8)[..length].to_owned()
}

fn hex(length: usize) -> String {
    HEX.repeat(4)[..length].to_owned()
}

fn cases() -> Vec<(&'static str, String, String)> {
    let letters: String = part(200).chars().filter(char::is_ascii_alphabetic).take(34).collect();
    let upper: String =
        part(80).to_uppercase().chars().filter(|c| matches!(c, 'A'..='Z' | '2'..='7')).take(16).collect();
    let pem = |kind: &str, body: &str| format!("-----BEGIN {kind}PRIVATE{}-----\n{body}\n", " KEY");
    let bech: String = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".repeat(2)[..58].to_owned();
    let claims = "{\"iss\":\"kubernetes/serviceaccount\",\"sub\":\"system:serviceaccount:prod:deployer-of-things-in-production\"}";
    let claims = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims);
    let token = format!("eyJhbGciOiJSUzI1NiIs{}.{claims}.{}", part(40), part(200));
    let harmless = format!("eyJhbGciOiJSUzI1NiIs{}.eyJ{}.{}", part(20), part(120), part(120));
    let mut cases = vec![
        ("kubernetes-service-account-token", token, harmless),
        ("private-key", pem("RSA ", &part(64)), pem("", "...")),
        ("private-key", pem("OPENSSH ", &part(70)), format!("if line == \"{}\"", pem("", "").trim())),
        ("aws-access-key-id", format!("id = AKIA{upper}"), format!("id = AKIA{}EXAMPLE", &upper[..9])),
        (
            "aws-secret-access-key",
            format!("aws_secret_access_key = {}", part(40)),
            "aws_secret_access_key = os.environ['AWS_SECRET_ACCESS_KEY']".to_owned(),
        ),
        (
            "aws-secret-access-key",
            format!("\"SecretAccessKey\": \"{}\"", part(40)),
            format!("secretAccessKey: {}", hex(40)),
        ),
        ("github-pat", format!("GITHUB_TOKEN=ghp_{}", part(36)), "GITHUB_TOKEN=ghp_short".to_owned()),
        ("github-oauth-token", format!("gho_{}", part(36)), format!("gho_{}", "x".repeat(36))),
        ("github-app-token", format!("ghs_{}", part(36)), "ghs_<token>".to_owned()),
        (
            "github-fine-grained-pat",
            format!("github_pat_{}_{}", part(22), part(59)),
            format!("github_pat_{}", part(22)),
        ),
        ("gitlab-pat", format!("token: glpat-{}", part(20)), "token: glpat-XXXXXXXXXXXXXXXXXXXX".to_owned()),
        ("gitlab-token", format!("glrt-{}", part(20)), "glrt-".to_owned()),
        ("npm-token", format!("NPM=npm_{}", part(36)), "NPM=npm_config_registry_is_a_setting_of_npm_x".to_owned()),
        (
            "npmrc-auth",
            format!("//r.example/:_authToken={}", part(36)),
            "//r.example/:_authToken=${NPM_TOKEN}".to_owned(),
        ),
        ("pypi-token", format!("pypi-AgE{}", part(80)), "pypi-AgE".to_owned()),
        ("rubygems-token", format!("rubygems_{}", hex(48)), format!("rubygems_{}", part(20))),
        ("dockerhub-token", format!("dckr_pat_{}", part(27)), "dckr_pat_example".to_owned()),
        (
            "registry-auth",
            format!("{{\"auths\":{{\"r\":{{\"auth\": \"{}\"}}}}}}", "cm9ib3Q6czNjcjN0LXRva2Vu"),
            "\"auth\": \"loginWithPassword\"".to_owned(),
        ),
        (
            "slack-bot-token",
            format!("xoxb-{}-{}-{}", "123456789012", "210987654321", part(24)),
            "xoxb-not-a-token".to_owned(),
        ),
        ("slack-token", format!("xoxp-{}-{}", "123456789012", part(30)), "xoxp-1".to_owned()),
        (
            "slack-webhook",
            format!("https://hooks.slack.com/services/T1/B2/{}", part(40)),
            "https://hooks.slack.com/docs".to_owned(),
        ),
        ("stripe-live-key", format!("sk_live_{}", part(24)), format!("sk_test_{}", part(24))),
        ("google-api-key", format!("key=AIza{}", part(35)), format!("key=AIza{}", part(20))),
        (
            "google-service-account",
            format!("\"private_key_id\": \"{}\"", hex(40)),
            "\"private_key_id\": \"\"".to_owned(),
        ),
        ("google-oauth-secret", format!("GOCSPX-{}", part(28)), "GOCSPX-short".to_owned()),
        ("azure-storage-key", format!("AccountKey={}==", part(86)), "AccountKey=$(KEY)".to_owned()),
        ("azure-client-secret", format!("secret: a1B8Q~{}", part(34)), "secret: a1B8Q~".to_owned()),
        ("hashicorp-vault-token", format!("hvs.{}", part(95)), "hvs.short".to_owned()),
        ("terraform-cloud-token", format!("{}.atlasv1.{}", part(14), part(65)), "x.atlasv1.y".to_owned()),
        ("openai-key", format!("sk-proj-{}T3BlbkFJ{}", part(40), part(40)), "T3BlbkFJ".to_owned()),
        ("anthropic-key", format!("sk-ant-api03-{}", part(93)), "sk-ant-api03-".to_owned()),
        ("huggingface-token", format!("hf_{letters}"), "hf_hub_download(repo_id)".to_owned()),
        ("sendgrid-key", format!("SG.{}.{}", part(22), part(43)), "SG.mail.send".to_owned()),
        ("mailgun-key", format!("MAILGUN_KEY=key-{}", hex(32)), "mailgun: key-value".to_owned()),
        ("twilio-key", format!("twilio api SK{}", hex(32)), "twilio api SK".to_owned()),
        ("datadog-key", format!("DD_API_KEY={}", hex(32)), "DD_API_KEY=${DD_API_KEY}".to_owned()),
        ("digitalocean-token", format!("dop_v1_{}", hex(64)), "dop_v1_".to_owned()),
        ("grafana-token", format!("glsa_{}_{}", part(32), hex(8)), "glsa_x".to_owned()),
        ("new-relic-key", format!("NRAK-{}", &part(80).to_uppercase()[..27]), "NRAK-lower".to_owned()),
        ("shopify-token", format!("shpat_{}", hex(32)), "shpat_".to_owned()),
        ("telegram-bot-token", format!("123456789:AA{}", part(33)), "x:AAAA".to_owned()),
        ("age-secret-key", format!("AGE-SECRET-KEY-1{bech}"), "AGE-SECRET-KEY-1".to_owned()),
    ];
    let filled = |text: &str| providers::filled(text);
    cases.extend(providers::CASES.iter().map(|(rule, leak, harmless)| (*rule, filled(leak), filled(harmless))));
    cases
}

fn scan(text: &str) -> Vec<SecretMatch> {
    let mut scanner = Scanner::default();
    scanner.begin();
    for piece in text.as_bytes().chunks(1000) {
        scanner.push(piece);
    }
    scanner.finish("f").0
}

#[test]
fn every_rule_finds_its_kind_and_leaves_its_neighbour_alone() {
    let cases = cases();
    let mut wrong = Vec::new();
    for (rule, leak, harmless) in &cases {
        let rules = |text: &str| -> Vec<String> { scan(text).into_iter().map(|found| found.rule).collect() };
        if rules(leak) != [*rule] || !scan(harmless).is_empty() {
            wrong.push(format!("{rule}: {leak} is {:?}, {harmless} is {:?}", rules(leak), rules(harmless)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rules = SecretRules::built_in();
    for rule in rules.names() {
        assert!(cases.iter().any(|(name, ..)| *name == rule), "{rule} has no case");
    }
    assert!(rules.names().count() >= 130, "{} rules", rules.names().count());
}

#[test]
fn findings_have_line_and_fingerprint_and_no_secret() {
    for (rule, leak, _) in cases() {
        let text = format!("# first\n\nvalue {leak}\n");
        for found in scan(&text) {
            assert_eq!(found.line, 3, "{rule}");
            assert!(found.excerpt.contains("***") && found.excerpt.chars().count() <= EXCERPT_CHARACTERS);
            let random = part(12);
            assert!(!found.excerpt.contains(&random[4..]) && !found.excerpt.contains(&HEX[4..12]), "{}", found.excerpt);
        }
    }
}

#[test]
fn two_secrets_on_a_line_are_both_hidden_in_both_excerpts() {
    let text = format!("A=ghp_{} B=npm_{}", part(36), part(36));
    let found = scan(&text);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|secret| secret.excerpt == "A=*** B=***"), "{found:?}");
}

#[test]
fn a_password_that_is_the_users_name_again_is_nobodys_secret() {
    let url = |user: &str, password: &str| scan(&format!("url = mysql://{user}:{password}@localhost/app\n")).len();
    assert_eq!((url("airflow", "airflow"), url("AirFlow", "airflow")), (0, 0));
    assert_eq!((url("airflow", "airflow-7qX2"), url("", "vK93jd-qX2")), (1, 1));
}

#[test]
fn equal_secrets_have_equal_fingerprints() {
    let found = scan(&format!("ghp_{0}\nx ghp_{0}\nghp_{1}0000\n", part(36), part(36)));
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].fingerprint, found[1].fingerprint);
    assert_ne!(found[0].fingerprint, found[2].fingerprint);
}

#[test]
fn openssh_keys_differ_in_their_fingerprints_although_they_begin_alike() {
    let key = |last: &str| format!("-----BEGIN OPENSSH PRIVATE{}-----\n{}\n{last}{}\n", " KEY", part(70), part(50));
    assert_ne!(scan(&key("a"))[0].fingerprint, scan(&key("b"))[0].fingerprint);
}

#[test]
fn secrets_are_found_at_every_place_of_a_long_file() {
    let token = format!("ghp_{}", part(36));
    for at in [0, WINDOW - 20, WINDOW, WINDOW + BEHIND - 3, WINDOW + BEHIND, 2 * WINDOW + 17] {
        for filler in ["x", "ab\n"] {
            let mut text = filler.repeat(at / filler.len());
            let line = 1 + text.matches('\n').count() as u32;
            text.push(' ');
            text.push_str(&token);
            text.push('\n');
            text.push_str(&filler.repeat(5000));
            let found = scan(&text);
            assert_eq!(found.len(), 1, "at {at} in {filler:?}");
            assert_eq!(found[0].line, line, "at {at} in {filler:?}");
            assert!(found[0].excerpt.contains("***"));
        }
    }
}

#[test]
fn findings_of_one_file_are_bounded() {
    use std::fmt::Write as _;
    let mut scanner = Scanner::default();
    scanner.begin();
    let mut text = String::new();
    for index in 0..2 * PER_FILE {
        writeln!(text, "ghp_{}{index:06}", part(36)).unwrap();
    }
    scanner.push(text.as_bytes());
    let (found, cut) = scanner.finish("f");
    assert!(cut && found.len() >= PER_FILE && found.len() < 2 * PER_FILE);
}

#[test]
fn documentation_and_package_records_are_not_searched() {
    assert!(!searches("usr/share/doc/openssl/key.pem"));
    assert!(
        searches("app/usr/share/doc/key.pem") && searches("root/.ssh/id_rsa") && searches("etc/ssl/private/key.pem")
    );
    assert!(!searches("app/site-packages/tornado/test/test.key") && !searches("node_modules/a/b/tests/c/key.pem"));
    assert!(searches("app/tests/key.pem") && searches("node_modules/a/tests") && searches("site-packages/app/key.pem"));
    assert!(is_text(b"plain") && !is_text(b"\x7fELF\0\0") && !is_text(b""));
}

proptest::proptest! {
    #[test]
    fn any_text_in_any_pieces_gives_the_same(
        parts in proptest::collection::vec(("[ -~\n]{0,40}", 0usize..40), 0..8),
        cut in 1usize..200,
    ) {
        let cases = cases();
        let leaks = parts.iter().map(|(filler, case)| [filler, "\n", &cases[case % cases.len()].1, "\n"].concat());
        let text: String = leaks.collect();
        let whole = scan(&text);
        let mut scanner = Scanner::default();
        scanner.begin();
        for piece in text.as_bytes().chunks(cut) {
            scanner.push(piece);
        }
        proptest::prop_assert_eq!(whole, scanner.finish("f").0);
    }
}
