//! Every environment variable that Assay reads, with what it does. Nothing else in this crate names one.
//!
//! A setting's variable is `ASSAY_` and its name in capitals (`fail-on` is `ASSAY_FAIL_ON`).

/// One environment variable.
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: &'static str,
    /// The setting it sets, where it is one's variable.
    pub(crate) setting: Option<&'static str>,
    /// What it does.
    pub(crate) about: &'static str,
}

const fn of(setting: &'static str, name: &'static str, about: &'static str) -> Variable {
    Variable { name, setting: Some(setting), about }
}

const fn other(name: &'static str, about: &'static str) -> Variable {
    Variable { name, setting: None, about }
}

/// Password of an encrypted private key.
pub(crate) const KEY_PASSWORD: &str = "ASSAY_KEY_PASSWORD";
/// The same under the name that cosign reads.
pub(crate) const COSIGN_PASSWORD: &str = "COSIGN_PASSWORD";
/// A ready identity token for keyless signing.
pub(crate) const IDENTITY_TOKEN: &str = "ASSAY_IDENTITY_TOKEN";
/// The time that documents state.
pub(crate) const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";
/// The server of GitHub, as its runners set it.
pub(crate) const GITHUB_SERVER_URL: &str = "GITHUB_SERVER_URL";
/// The name of the user, for the ledger.
pub(crate) const USER: &str = "USER";
/// The name of the machine or Pod.
pub(crate) const HOSTNAME: &str = "HOSTNAME";
/// The log filter.
pub(crate) const LOG: &str = "ASSAY_LOG";
/// The file of spans.
pub(crate) const SPANS: &str = "ASSAY_SPANS";

/// All of them.
pub(crate) const VARIABLES: &[Variable] = &[
    of("config", "ASSAY_CONFIG", "Files and folders with Environments, Exceptions, ..., separated by colons."),
    of("environment", "ASSAY_ENVIRONMENT", "The Environment that judges, as `--env`."),
    of("cache-dir", "ASSAY_CACHE_DIR", "Folder of things that can be made again."),
    of("store", "ASSAY_STORE", "The store: sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE."),
    of(
        "state-dir",
        "ASSAY_STATE_DIR",
        "Folder of the store; for one in PostgreSQL, of the key of its seals and of decisions on their way.",
    ),
    of("offline", "ASSAY_OFFLINE", "`true`: no network at all."),
    of("color", "ASSAY_COLOR", "auto, always or never."),
    of("progress", "ASSAY_PROGRESS", "`false`: no progress line."),
    of("platform", "ASSAY_PLATFORM", "The platform to choose of an image index, os/architecture[/variant], or `all`."),
    of(
        "licences",
        "ASSAY_LICENCES",
        "Rules for licences, separated by commas: deny GPL-3.0-*, review LGPL-2.1-only, allow MIT.",
    ),
    of("by-table", "ASSAY_BY_TABLE", "`true`: `scan` and `sbom` read eStargz and zstd:chunked layers by their table."),
    of("severity", "ASSAY_SEVERITY", "Severities that `scan` shows, separated by commas."),
    of(
        "fail-on",
        "ASSAY_FAIL_ON",
        "What makes `scan` exit 1: a severity, kev, fixable, risk:70, age:30d, joined by +; licence.",
    ),
    of("pack", "ASSAY_PACK", "Vulnerability pack, a file; the embedded sample where unset."),
    of(
        "trusted-root",
        "ASSAY_TRUSTED_ROOT",
        "Sigstore trusted root, a JSON file, github or staging; public good where unset.",
    ),
    of("ca-file", "ASSAY_CA_FILE", "Certificates (PEM) of registries' own authorities."),
    of(
        "registry-identity",
        "ASSAY_REGISTRY_IDENTITY",
        "Clouds whose identity opens their registries: ecr, acr, gar, separated by commas.",
    ),
    of("credential-provider-config", "ASSAY_CREDENTIAL_PROVIDER_CONFIG", "The kubelet's CredentialProviderConfig."),
    of("credential-provider-bin-dir", "ASSAY_CREDENTIAL_PROVIDER_BIN_DIR", "Folder of the plugins that it names."),
    of("plain-http", "ASSAY_PLAIN_HTTP", "Registries spoken to without TLS, separated by commas."),
    other(GITHUB_SERVER_URL, "The server that `pin` asks for the commits of actions; https://github.com where unset."),
    other(KEY_PASSWORD, "Password of an encrypted private key, for `sign` and `attest`."),
    other(COSIGN_PASSWORD, "The same under the name that cosign reads."),
    other(IDENTITY_TOKEN, "A ready OIDC identity token for keyless signing."),
    other(SOURCE_DATE_EPOCH, "Seconds since 1970 that documents state as their time (reproducible-builds.org)."),
    other("SIGSTORE_ID_TOKEN", "The same under the name that other Sigstore clients read."),
    other("SPIFFE_ENDPOINT_SOCKET", "The SPIFFE Workload API, for an identity token: unix:PATH."),
    other("ACTIONS_ID_TOKEN_REQUEST_URL", "GitHub's own: where a job gets its identity token; also ..._TOKEN."),
    other(
        "BUILDKITE_AGENT_ACCESS_TOKEN",
        "Buildkite's own: with BUILDKITE_JOB_ID, where a job gets its identity token.",
    ),
    other(
        "VAULT_ADDR",
        "Vault, for hashivault:// keys; also VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT, TRANSIT_SECRET_ENGINE_PATH.",
    ),
    other(
        "AWS_REGION",
        "Region of awskms:// keys; credentials as in Amazon's own tools (AWS_ACCESS_KEY_ID, AWS_ROLE_ARN, AWS_PROFILE, ...).",
    ),
    other(
        "AZURE_TENANT_ID",
        "Directory for azurekms:// keys; also AZURE_CLIENT_ID with AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE.",
    ),
    other("GOOGLE_APPLICATION_CREDENTIALS", "Credentials file for gcpkms:// keys and Google identity tokens."),
    other("COSIGN_PKCS11_MODULE_PATH", "Module of pkcs11: keys whose URI names none; also COSIGN_PKCS11_PIN."),
    other(USER, "Who promotes, where `release promote` is not told."),
    other(HOSTNAME, "What a replica of `serve --register` is called among the others."),
    other("KUBECONFIG", "The cluster of `serve --register`, as kubectl finds it."),
    other(LOG, "With -v: which modules log at which level, for example assay_oci=debug."),
    other(SPANS, "File for spans from admission to registry, JSON lines as OTLP has them; - is standard error."),
    other("NO_COLOR", "Set to anything: no colour (no-color.org)."),
    other("HTTPS_PROXY", "Proxy for registries; also HTTP_PROXY, ALL_PROXY and NO_PROXY."),
    other("DOCKER_CONFIG", "Folder of docker's config.json with registry credentials."),
    other("REGISTRY_AUTH_FILE", "Podman's auth.json with registry credentials."),
    other("XDG_CONFIG_HOME", "Where the user's assay/assay.yaml is looked for; default ~/.config."),
    other("XDG_CACHE_HOME", "Where the cache is; default ~/.cache."),
    other("XDG_DATA_HOME", "Where assay/, the default of state-dir, is; default ~/.local/share."),
];

/// The value of a variable that is set to something.
pub(crate) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settings_variable_is_named_after_it() {
        for variable in VARIABLES {
            if let Some(setting) = variable.setting {
                assert_eq!(variable.name, format!("ASSAY_{}", setting.to_uppercase().replace('-', "_")));
            }
        }
    }
}
