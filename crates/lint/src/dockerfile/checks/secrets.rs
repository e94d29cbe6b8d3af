//! Credentials that a build leaves behind. Every instruction is kept in the image's history, every file in its layers.

use assay_model::Severity::{High, Low, Medium};

use super::super::{DockerCheck, Dockerfile, Flag, Instruction, unquoted};
use crate::credential;
use crate::rule::Standard::Cwe;
use crate::rule::{Check, Marks, Rule};

/// Files that hold credentials, by the end of their path.
const SECRET_FILES: [&str; 20] = [
    ".env",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".pgpass",
    ".htpasswd",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".dockercfg",
    ".docker/config.json",
    ".kube/config",
    "kubeconfig",
    "credentials.json",
    "service-account.json",
    ".vault-token",
    "terraform.tfstate",
];
/// Folders of which nothing belongs in an image.
const SECRET_FOLDERS: [&str; 6] = [".aws", ".ssh", ".gnupg", ".azure", ".config/gcloud", ".kube"];
/// Endings of files with private keys.
const SECRET_ENDINGS: [&str; 6] = [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore"];

pub(super) static CHECKS: &[DockerCheck] = &[
    Check::new(
        Rule::new(
            "docker-secret-in-arg",
            High,
            "No ARG carries a credential",
            "The value of a build argument is kept in the history of the image, for everyone who can pull it",
            "RUN --mount=type=secret,id=NAME reads it for one command and keeps nothing",
        )
        .also(&[Cwe(538)]),
        secret_in_arg,
    ),
    Check::new(
        Rule::new(
            "docker-secret-in-env",
            High,
            "No ENV carries a credential",
            "It is in the configuration of the image and in the environment of every process",
            "mount it from a Secret when the container runs, or with RUN --mount=type=secret when it is built",
        )
        .also(&[Cwe(526)]),
        secret_in_env,
    ),
    Check::new(
        Rule::new(
            "docker-secret-in-run",
            High,
            "No RUN carries a credential",
            "The command is kept in the history of the image with everything that it says",
            "RUN --mount=type=secret,id=NAME, and read /run/secrets/NAME",
        )
        .also(&[Cwe(538)]),
        secret_in_run,
    ),
    Check::new(
        Rule::new(
            "docker-secret-file",
            High,
            "No file with credentials is copied in",
            "A file that is copied is in a layer for good, also where a later instruction deletes it",
            "RUN --mount=type=secret,id=NAME, and add the file to .dockerignore",
        )
        .also(&[Cwe(538)]),
        secret_file,
    ),
    Check::new(
        Rule::new(
            "docker-whole-context",
            Low,
            "The last stage copies what it needs and not the whole context",
            "Everything that lies beside the Dockerfile gets in: .git, .env, keys, test data",
            "copy by name, or build in an earlier stage and copy the result",
        ),
        whole_context,
    ),
    Check::new(
        Rule::new(
            "docker-password",
            High,
            "No password is set while building",
            "It is the same in every container, and is in the history of the image",
            "leave the account without a password; containers need no log-in",
        )
        .also(&[Cwe(798)]),
        password,
    ),
    Check::new(
        Rule::new(
            "docker-secret-mount-kept",
            Medium,
            "What a secret mount holds is not written to a layer",
            "A secret that is copied out of its mount stays in the layer",
            "use it where it is mounted",
        )
        .also(&[Cwe(538)]),
        secret_mount_kept,
    ),
];

fn secret_in_arg(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (name, value, bytes) in file.all("ARG").flat_map(Instruction::variables) {
        let value = value.unwrap_or_default();
        if credential::is_name(&name) || credential::is_value(&value) {
            marks.add(bytes, format!("{name} is kept in the image's history"));
        }
    }
}

fn secret_in_env(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (name, value, bytes) in file.all("ENV").flat_map(Instruction::variables) {
        let value = value.unwrap_or_default();
        let is_argument = value.starts_with('$');
        let named = credential::is_name(&name) && (credential::is_literal(&value) || is_argument);
        if named || credential::is_value(&value) || credential::in_url(&value) {
            marks.add(bytes, format!("{name} is in the image's configuration"));
        }
    }
}

fn secret_in_run(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in &script.commands.all {
            for word in command.words.iter().chain(&command.assignments) {
                let option = word.text.trim_start_matches('-');
                let assigned = option.split_once('=').is_some_and(|(name, value)| {
                    credential::is_literal(value) && (credential::is_name(name) || (credential::is_value(value)))
                });
                if assigned || credential::is_value(&word.text) || credential::in_url(&word.text) {
                    marks.add(script.word(word), format!("{} is given a credential", named(command.name())));
                }
            }
            let takes_user = matches!(command.name(), "curl" | "wget" | "http");
            for pair in command.arguments().windows(2) {
                let [option, value] = pair else { continue };
                let is_user = takes_user && matches!(option.text.as_str(), "-u" | "--user");
                let is_password = matches!(option.text.as_str(), "--password" | "--token" | "--http-password");
                let has_password = value.text.split_once(':').is_some_and(|(_, word)| credential::is_literal(word));
                if (is_user && has_password) || (is_password && credential::is_literal(&value.text)) {
                    marks.add(script.word(value), format!("{} is given a credential", named(command.name())));
                }
            }
        }
    }
}

fn named(command: &str) -> &str {
    if command.is_empty() { "a variable" } else { command }
}

fn is_secret_file(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let ends = |end: &str| path == end || path.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'));
    let name = path.rsplit('/').next().unwrap_or(path);
    let in_folder = SECRET_FOLDERS
        .iter()
        .any(|folder| ends(folder) || path.starts_with(&format!("{folder}/")) || path.contains(&format!("/{folder}/")));
    // Certificates of authorities and public keys are no secrets.
    let is_public = name.contains("cert") || name.contains("ca.") || name.contains("pub") || name.contains("bundle");
    SECRET_FILES.iter().any(|file| ends(file))
        || in_folder
        || name.strip_prefix(".env.").is_some_and(|rest| !matches!(rest, "example" | "sample" | "template" | "dist"))
        || (SECRET_ENDINGS.iter().any(|end| name.ends_with(end)) && !is_public)
}

fn secret_file(file: &Dockerfile, marks: &mut Marks<'_>) {
    for instruction in file.instructions.iter().filter(|each| matches!(each.keyword.as_str(), "COPY" | "ADD")) {
        // What another stage made is not the context's.
        if instruction.flag("from").is_some() {
            continue;
        }
        let sources = instruction.words.split_last().map_or(&[][..], |(_, sources)| sources);
        for source in sources {
            let path = unquoted(&source.text);
            if !path.contains("://") && is_secret_file(&path) {
                marks.add(source.bytes.clone(), format!("{path} holds credentials by its name"));
            }
        }
    }
}

fn whole_context(file: &Dockerfile, marks: &mut Marks<'_>) {
    let Some(last) = file.stages.len().checked_sub(1) else { return };
    for instruction in file.of_stage(last).filter(|each| matches!(each.keyword.as_str(), "COPY" | "ADD")) {
        let [source, _] = instruction.words.as_slice() else { continue };
        if instruction.flag("from").is_none() && matches!(source.text.as_str(), "." | "./" | "*" | "./*" | "/") {
            marks.add(source.bytes.clone(), "the whole context is copied");
        }
    }
}

fn password(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in &script.commands.all {
            let sets = match command.name() {
                "chpasswd" => true,
                "passwd" => command.has("-d") || command.has("--stdin"),
                "useradd" | "usermod" => command.has("-p") || command.has("--password"),
                _ => false,
            };
            if sets {
                marks.add(script.bytes(command), format!("{} sets a password", command.name()));
            }
        }
    }
}

fn secret_mount_kept(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (instruction, script) in file.scripts() {
        let targets: Vec<String> =
            instruction.flags.iter().filter(|flag| flag.name == "mount").filter_map(secret_target).collect();
        for command in &script.commands.all {
            if !matches!(command.name(), "cp" | "mv" | "install" | "cat" | "tee") {
                continue;
            }
            let reads =
                command.operands().any(|word| targets.iter().any(|target| word.text.trim_matches('"') == target));
            let writes =
                command.name() != "cat" || command.redirections.iter().any(|word| !word.text.starts_with("/dev/"));
            if reads && writes {
                marks.add(script.bytes(command), "a mounted secret is copied");
            }
        }
    }
}

/// Where a secret is mounted (Dockerfile reference, "RUN --mount=type=secret").
fn secret_target(flag: &Flag) -> Option<String> {
    let value = |name: &str| {
        flag.value
            .split(',')
            .find_map(|part| part.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value))
    };
    if value("type") != Some("secret") {
        return None;
    }
    let target = value("target").or(value("dst")).or(value("destination")).map(str::to_owned);
    target.or_else(|| value("id").map(|id| format!("/run/secrets/{id}")))
}
