//! For each provider rule, a text that it finds and one that it leaves alone, as patterns: `{a20}` is 20 random letters and
//! digits, `{h}` hexadecimal, `{A}` capitals, `{z}` small ones, `{d}` digits, `{l}` letters, `{U}` a UUID. They are filled in
//! here, so that no scanner takes this file for a leak.

use super::{HEX, RANDOM};

/// Fills in a pattern.
pub(super) fn filled(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        let (what, after) = behind.split_once('}').unwrap();
        rest = after;
        if what == "U" {
            out.push_str(&[&HEX[..8], &HEX[8..12], &HEX[12..16], &HEX[16..20], &HEX[20..32]].join("-"));
            continue;
        }
        if what == "K" {
            out.push_str(" KEY");
            continue;
        }
        let kind = what.chars().next().unwrap();
        let Ok(length) = what[1..].parse::<usize>() else {
            // Not ours: an expansion of a shell, as in `${NAME}`.
            out.extend(["{", what, "}"]);
            continue;
        };
        let source = match kind {
            'h' => HEX.to_owned(),
            'A' => RANDOM.to_uppercase(),
            'z' => RANDOM.to_lowercase(),
            'd' => "48392017563".to_owned(),
            'l' => RANDOM.chars().filter(char::is_ascii_alphabetic).collect(),
            _ => RANDOM.to_owned(),
        };
        out.push_str(&source.repeat(50)[..length]);
    }
    out.push_str(rest);
    out
}

pub(super) const CASES: &[(&str, &str, &str)] = &[
    ("gitlab-feed-token", "glft-{a20}", "glft-"),
    ("gitlab-incoming-mail-token", "glimt-{a25}", "glimt-short"),
    ("gitlab-agent-token", "glagent-{a50}", "glagent-name"),
    ("gitlab-oauth-secret", "gloas-{h64}", "gloas-{a64}"),
    ("bitbucket-app-password", "ATBB{a32}", "ATBB{a10}"),
    ("atlassian-api-token", "ATATT3{a186}", "ATATT3{a20}"),
    ("atlassian-admin-key", "ATCTT3{a186}", "ATCTT3{a20}"),
    ("linear-api-key", "lin_api_{a40}", "lin_api_key"),
    ("linear-oauth-secret", "lin_oauth_{h64}", "lin_oauth_flow"),
    ("notion-token", "ntn_{d11}{a35}", "ntn_token"),
    ("airtable-token", "AIRTABLE_KEY=pat{a14}.{h64}", "airtable: patAbc.key"),
    ("asana-token", "asana: 1/{d16}:{h32}", "asana 1/2"),
    ("figma-token", "figd_{a40}", "figd_x"),
    ("postman-key", "PMAK-{h24}-{h34}", "PMAK-{h24}"),
    ("sentry-user-token", "sntryu_{h64}", "sntryu_x"),
    ("sentry-organisation-token", "sntrys_eyJ{a120}", "sntrys_eyJ"),
    ("doppler-token", "dp.pt.{a43}", "dp.pt.x"),
    ("pulumi-token", "pul-{h40}", "pul-{a40}"),
    ("planetscale-token", "pscale_tkn_{a43}", "pscale_tkn_id"),
    ("planetscale-password", "pscale_pw_{a43}", "pscale_pw_id"),
    ("prefect-key", "pnu_{a36}", "pnu_x"),
    ("readme-key", "rdme_{h70}", "rdme_key"),
    ("scalingo-token", "tk-us-{a48}", "tk-us-east"),
    ("brevo-key", "xkeysib-{h64}-{a16}", "xkeysib-{h64}"),
    ("shippo-token", "shippo_live_{h40}", "shippo_live_key"),
    ("square-access-token", "sq0atp-{a22}", "sq0atp-x"),
    ("square-oauth-secret", "sq0csp-{a43}", "sq0csp-x"),
    ("webhook-signing-secret", "whsec_{a32}", "whsec_test"),
    ("typeform-token", "tfp_{a59}", "tfp_x"),
    ("duffel-token", "duffel_live_{a43}", "duffel_test_x"),
    ("dynatrace-token", "dt0c01.{A24}.{A64}", "dt0c01.x"),
    ("easypost-key", "EZAK{a54}", "EZAK{a10}"),
    ("facebook-token", "EAACEdEose0cBA{a60}", "EAACEdEose0cBA"),
    ("flutterwave-secret", "FLWSECK_TEST-{h32}-X", "FLWSECK-x"),
    ("frameio-token", "fio-u-{a64}", "fio-u-x"),
    ("google-access-token", "ya29.{a80}", "ya29.short"),
    ("google-refresh-token", "token=1//0{a80}", "http://1//0"),
    ("firebase-messaging-key", "AAAA{a7}:APA91{a134}", "x:APA91b"),
    ("heroku-key", "HRKU-{a60}", "HRKU-x"),
    ("hubspot-token", "pat-na1-{U}", "pat-na1-x"),
    ("infracost-key", "ico-{a32}", "ico-small"),
    ("artifactory-key", "AKCp{a69}", "AKCp{a20}"),
    ("artifactory-reference-token", "cmVmdGtuO{a56}", "cmVmdGtuO{a5}"),
    ("launchdarkly-key", "sdk-{U}", "sdk-tools"),
    ("mailchimp-key", "{h32}-us14", "x-us1"),
    ("mapbox-secret-token", "sk.eyJ1{a60}.{a22}", "sk.eyJ1x"),
    ("netlify-token", "nfp_{a40}", "nfp_x"),
    ("new-relic-insert-key", "NRII-{a32}", "NRII-x"),
    ("new-relic-browser-key", "NRJS-{h19}", "NRJS-x"),
    ("new-relic-license-key", "{h36}NRAL", "x NRAL"),
    ("nuget-key", "oy2{z43}", "oy2x"),
    ("okta-token", "Authorization: SSWS 00{a40}", "SSWS 00x"),
    ("onepassword-service-account", "ops_eyJ{a300}", "ops_eyJ{a20}"),
    ("onepassword-secret-key", "A3-{A6}-{A11}-{A5}-{A5}-{A5}", "A3-paper"),
    ("openshift-token", "--token=sha256~{a43}", "sha256~x"),
    ("octopus-key", "API-{A26}", "API-Version"),
    ("braintree-token", "access_token$production${z16}${h32}", "access_token$production$x"),
    ("perplexity-key", "pplx-{a48}", "pplx-7b-online"),
    ("groq-key", "gsk_{a52}", "gsk_x"),
    ("replicate-token", "r8_{a37}", "r8_unorm"),
    ("xai-key", "xai-{a80}", "xai-model"),
    ("langsmith-key", "lsv2_pt_{h32}_{h10}", "lsv2_x"),
    ("langfuse-secret", "sk-lf-{U}", "sk-lf-x"),
    ("openrouter-key", "sk-or-v1-{h64}", "sk-or-v1-x"),
    ("nvidia-key", "nvapi-{a64}", "nvapi-x"),
    ("pinecone-key", "pcsk_{a70}", "pcsk_x"),
    ("databricks-token", "dapi{h32}", "dapi-docs"),
    ("cloudflare-origin-key", "v1.0-{h24}-{h146}", "v1.0-rc1"),
    ("cloudflare-api-token", "CLOUDFLARE_API_TOKEN={a40}", "CLOUDFLARE_API_TOKEN=$TOKEN"),
    ("fastly-token", "FASTLY_API_TOKEN={a32}", "FASTLY_API_TOKEN=x"),
    ("alibaba-access-key", "LTAI{a20}", "LTAI{a5}"),
    ("tencent-secret-id", "AKID{a32}", "AKID{a8}"),
    ("volcengine-access-key", "AKLT{a44}", "AKLT{a9}"),
    ("yandex-api-key", "AQVN{a36}", "AQVN{a9}"),
    ("scaleway-access-key", "SCW{A17}", "SCW_ACCESS"),
    ("aws-bedrock-key", "ABSK{a120}", "ABSK{a9}"),
    ("aws-session-token", "AWS_SESSION_TOKEN={a200}", "AWS_SESSION_TOKEN=${X}"),
    ("amazon-mws-token", "amzn.mws.{U}", "amzn.mws.x"),
    ("aws-appsync-key", "da2-{z26}", "da2-x"),
    ("azure-shared-access-key", "SharedAccessKey={a43}=", "SharedAccessKey=$(key)"),
    (
        "azure-shared-access-signature",
        "https://x.blob.core.windows.net/c?sv=2022-11-02&se=2027&sig={a43}%3D",
        "?a=b&sig=x",
    ),
    ("azure-devops-token", "{a76}AZDO{a4}", "AZDO_TOKEN"),
    ("azure-registry-key", "{a42}+ACRB{a5}", "x+ACRx"),
    ("azure-redis-key", "{a33}AzCaB{a5}=", "AzCall"),
    ("circleci-token", "CCIPAT_{a22}_{h40}", "CCIPAT_x"),
    ("buildkite-token", "bkua_{h40}", "bkua_x"),
    ("sonarqube-token", "squ_{h40}", "squ_x"),
    ("crates-io-token", "cargo login cio{a32}", "precious"),
    ("clojars-token", "CLOJARS_{h60}", "CLOJARS_USERNAME"),
    ("packagist-token", "packagist_out_{h68}", "packagist_url"),
    ("tailscale-key", "tskey-auth-{a12}CNTRL-{a32}", "tskey-auth-x"),
    ("fly-token", "FlyV1 fm2_{a160}", "fm2_x"),
    ("render-key", "rnd_{a28}", "rnd_next"),
    ("supabase-token", "sbp_{h40}", "sbp_x"),
    ("supabase-secret-key", "sb_secret_{a31}", "sb_secret_key"),
    ("neon-key", "napi_{z64}", "napi_status"),
    ("discord-bot-token", "DISCORD_TOKEN=M{a23}.{a6}.{a38}", "discord.Client.run.token"),
    ("discord-webhook", "https://discord.com/api/webhooks/{d18}/{a68}", "https://discord.com/api/webhooks/id/token"),
    (
        "teams-webhook",
        "https://acme.webhook.office.com/webhookb2/{U}@{U}/IncomingWebhook/{h32}/{U}",
        "https://acme.webhook.office.com/x",
    ),
    ("zapier-webhook", "https://hooks.zapier.com/hooks/catch/1234567/b3xk9q1", "https://hooks.zapier.com/hooks/catch/"),
    ("honeycomb-key", "hcaik_{z58}", "hcaik_x"),
    ("elastic-service-token", "essu_{a60}", "essu_x"),
    ("contentful-token", "CFPAT-{a43}", "CFPAT-x"),
    ("adobe-client-secret", "p8e-{a32}", "p8e-x"),
    ("defined-networking-key", "dnkey-{a26}-{a52}", "dnkey-x"),
    ("grafana-legacy-key", "eyJrIjoi{a90}", "eyJrIjoi"),
    ("plaid-access-token", "access-production-{U}", "access-production-x"),
    ("sourcegraph-token", "sgp_local_{h40}", "sgp_x"),
    ("wakatime-key", "waka_{U}", "waka_time"),
    ("apify-token", "apify_api_{a36}", "apify_api_x"),
    ("deno-deploy-token", "ddp_{a36}", "ddp_x"),
    ("e2b-key", "e2b_{h40}", "e2b_x"),
    ("endor-labs-key", "endr+{a16}", "endr+x"),
    ("huggingface-organisation-token", "api_org_{l34}", "api_org_id"),
    ("maxmind-key", "{a6}_{a29}_mmk", "x_mmk"),
    ("posthog-personal-key", "phx_{a43}", "phx_x"),
    ("rootly-token", "rootly_{h64}", "rootly_api"),
    ("settlemint-token", "sm_pat_{a16}", "sm_pat_x"),
    ("shopify-partner-token", "prtapi_{h32}", "prtapi_x"),
    ("shopify-custom-app-token", "shpca_{h32}", "shpca_x"),
    ("stytch-secret", "secret-live-{a36}", "secret-test-x"),
    ("trigger-token", "tr_prod_{a20}", "tr_dev_x"),
    ("ubidots-token", "BBFF-{a30}", "BBFF-x"),
    ("netbird-token", "nbp_{a36}", "nbp_x"),
    ("dropbox-token", "sl.B{a140}", "ssl.Bio"),
    ("hashicorp-vault-recovery-token", "hvr.{a95}", "hvr.x"),
    ("wireguard-private-key", "PrivateKey = {a43}=", "PrivateKey = <key>"),
    ("kubeconfig-client-key", "client-key-data: LS0tLS1CRUdJTi{a200}", "client-key-data: REDACTED"),
    (
        "cosign-private-key",
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE{K}-----\n{a64}\n",
        "-----BEGIN ENCRYPTED SIGSTORE PRIVATE{K}-----\n...",
    ),
    ("unix-password-hash", "root:$6$saltsalt${a86}:19000:0:99999:7:::", "root:$6$:"),
    ("database-url", "postgres://app:{a16}@db.internal:5432/app", "postgres://user:password@localhost/db"),
    (
        "netrc-password",
        "machine git.acme.io login bot password {a16}",
        "machine example.com login me password password",
    ),
    ("environment-secret", "export ACME_SERVICE_TOKEN={a32}", "ACME_SERVICE_TOKEN=your-token-goes-here"),
];
