//! What a build fetches besides packages.

use assay_model::Severity::{Low, Medium};

use super::super::{DockerCheck, Dockerfile, Instruction};
use crate::rule::Standard::{Cwe, Hadolint};
use crate::rule::{Check, Marks, Rule};
use crate::shell::{Command, ShellScript, rules, unchecked_variable};

/// Commands that verify what was fetched.
const VERIFIERS: [&str; 12] = [
    "sha256sum",
    "sha512sum",
    "sha1sum",
    "shasum",
    "gpg",
    "gpgv",
    "cosign",
    "minisign",
    "signify",
    "openssl",
    "b2sum",
    "rhash",
];

pub(super) static CHECKS: &[DockerCheck] = &[
    Check::new(
        rules::fetch_and_run(
            "docker-fetch-and-run",
            "Whoever controls the server, today or when the cache is empty, runs code in the build",
        ),
        fetch_and_run,
    ),
    Check::new(
        rules::unchecked_fetch("docker-unchecked-fetch"),
        unchecked_fetch,
    ),
    Check::new(
        Rule::new(
            "docker-plain-http",
            Medium,
            "Nothing is fetched over plain HTTP",
            "Anybody on the way can read and change it",
            "use https, and check the sha256",
        )
        .also(&[Cwe(319)]),
        plain_http,
    ),
    Check::new(
        Rule::new(
            "docker-unverified-download",
            Medium,
            "What is downloaded is checked before it is used",
            "A changed file on the server changes the image, and nobody notices",
            "check its sha256 or signature in the same RUN, or use ADD --checksum=sha256:...",
        )
        .also(&[Cwe(494)]),
        unverified_download,
    ),
    Check::new(
        Rule::new(
            "docker-add-remote",
            Medium,
            "ADD of a URL names its checksum",
            "A changed file on the server changes the image, and nobody notices",
            "ADD --checksum=sha256:HEX URL DEST; for git, name a commit behind #",
        )
        .also(&[Cwe(494)]),
        add_remote,
    ),
    Check::new(
        Rule::new(
            "docker-add-local",
            Low,
            "Local files are copied with COPY",
            "ADD unpacks archives and fetches URLs, so that what a line does depends on what the file is",
            "use COPY; where an archive is to be unpacked, keep ADD and say so in an ignore comment",
        )
        .also(&[Hadolint("DL3020")]),
        add_local,
    ),
    Check::new(
        Rule::new(
            "docker-unpinned-clone",
            Low,
            "A cloned repository is set to a commit",
            "A branch moves on: two builds of the same file hold different code",
            "git checkout COMMIT behind the clone, or ADD REPOSITORY.git#COMMIT",
        ),
        unpinned_clone,
    ),
    Check::new(
        Rule::new(
            "docker-hidden-failure",
            Low,
            "A pipeline fails if any part of it fails",
            "Only the last command of a pipeline counts: a download that breaks off leaves half a file and a green build",
            "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"], or set -o pipefail in front",
        )
        .also(&[Hadolint("DL4006")]),
        hidden_failure,
    ),
];

fn fetch_and_run(file: &Dockerfile, marks: &mut Marks<'_>) {
    rules::mark_fetch_and_run(file.scripts().map(|(_, script)| script), marks);
}

fn unchecked_fetch(file: &Dockerfile, marks: &mut Marks<'_>) {
    rules::mark_unchecked_fetch(file.scripts().map(|(_, script)| script), marks);
    for (name, value, bytes) in file
        .instructions
        .iter()
        .filter(|each| matches!(each.keyword.as_str(), "ENV" | "ARG"))
        .flat_map(Instruction::variables)
    {
        if let Some(how) = value.and_then(|value| unchecked_variable(&name, &value)) {
            marks.add(bytes, how);
        }
    }
}

fn plain_http(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in script.commands.all.iter().filter(|command| command.is_fetcher() || command.name() == "git") {
            for word in command.arguments().iter().filter(|word| is_plain_http(&word.text)) {
                marks.add(script.word(word), format!("{} fetches over plain HTTP", command.name()));
            }
        }
    }
    for word in file.all("ADD").flat_map(|add| &add.words).filter(|word| is_plain_http(&word.text)) {
        marks.add(word.bytes.clone(), "ADD fetches over plain HTTP");
    }
}

fn is_plain_http(word: &str) -> bool {
    word.strip_prefix("http://").is_some_and(|rest| {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        !matches!(host, "localhost" | "127.0.0.1" | "[" | "169.254.169.254")
    })
}

/// What a command writes to a file, or hands to an unpacker.
fn downloads(command: &Command) -> bool {
    let has_url = command.operands().any(|word| word.text.contains("://"));
    match command.name() {
        "curl" => {
            has_url
                && (command.has("-o")
                    || command.has("-O")
                    || command.has("--output")
                    || command.has("--remote-name")
                    || !command.redirections.is_empty())
        }
        "wget" => {
            has_url && !command.arguments().iter().any(|word| matches!(word.text.as_str(), "-qO-" | "-O-" | "-nv-O-"))
        }
        _ => false,
    }
}

fn verifies(script: &ShellScript) -> bool {
    script.commands.all.iter().any(|command| VERIFIERS.contains(&command.name()))
}

fn unverified_download(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        if verifies(script) {
            continue;
        }
        let run: Vec<(&Command, &Command)> = script.commands.piped_into_interpreters();
        let unpacked = |command: &Command| {
            let mut later = script.commands.all.iter().filter(|other| other.pipeline == command.pipeline);
            command.is_fetcher()
                && later.any(|other| matches!(other.name(), "tar" | "gunzip" | "unzip" | "bsdtar" | "dd"))
        };
        for command in script.commands.all.iter().filter(|command| downloads(command) || unpacked(command)) {
            if !run.iter().any(|(fetcher, _)| std::ptr::eq(*fetcher, command)) {
                marks.add(script.bytes(command), format!("nothing checks what {} fetches", command.name()));
            }
        }
    }
}

fn add_remote(file: &Dockerfile, marks: &mut Marks<'_>) {
    for instruction in file.all("ADD").filter(|add| add.flag("checksum").is_none()) {
        for word in &instruction.words {
            let is_git = word.text.starts_with("git@")
                || word.text.split('#').next().is_some_and(|url| url.to_ascii_lowercase().ends_with(".git"));
            let is_remote = is_git || word.text.starts_with("http://") || word.text.starts_with("https://");
            let commit = word.text.split_once('#').map(|(_, fragment)| fragment.split(':').next().unwrap_or_default());
            let is_commit =
                commit.is_some_and(|commit| commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()));
            if is_remote && !(is_git && is_commit) {
                let what =
                    if is_git { "the repository is not set to a commit" } else { "nothing checks what is fetched" };
                marks.add(word.bytes.clone(), what);
            }
        }
    }
}

fn add_local(file: &Dockerfile, marks: &mut Marks<'_>) {
    for instruction in file.all("ADD") {
        let is_remote = |text: &str| text.contains("://") || text.starts_with("git@") || text.starts_with("<<");
        let is_archive = |text: &str| {
            [".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"].iter().any(|end| text.to_ascii_lowercase().ends_with(end))
        };
        let sources = instruction.words.split_last().map_or(&[][..], |(_, sources)| sources);
        if !sources.is_empty() && sources.iter().all(|source| !is_remote(&source.text) && !is_archive(&source.text)) {
            marks.add(instruction.bytes.clone(), "ADD of a local file");
        }
    }
}

fn unpinned_clone(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        let all = &script.commands.all;
        // `git -C folder checkout` has the folder in front.
        let sets =
            |command: &Command| command.operands().any(|word| matches!(word.text.as_str(), "checkout" | "reset"));
        let is_set = all.iter().any(|command| command.name() == "git" && sets(command));
        for command in all.iter().filter(|command| command.is("git", "clone") && !is_set) {
            // A tag by --branch is at least a name that is not supposed to move.
            let branch = command.arguments().windows(2).find_map(|pair| match pair {
                [option, value] if matches!(option.text.as_str(), "-b" | "--branch") => Some(value.text.clone()),
                _ => None,
            });
            let inline =
                command.arguments().iter().find_map(|word| word.text.strip_prefix("--branch=").map(str::to_owned));
            let looks_versioned = |name: &String| name.contains(|c: char| c.is_ascii_digit()) || name.contains('$');
            if !branch.or(inline).is_some_and(|name| looks_versioned(&name)) && !command.has("--revision") {
                marks.add(script.bytes(command), "the clone is of a branch that moves");
            }
        }
    }
}

fn hidden_failure(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (instruction, script) in file.scripts() {
        let all = &script.commands.all;
        let sets = all
            .iter()
            .any(|command| command.name() == "set" && command.arguments().iter().any(|word| word.text == "pipefail"));
        let before =
            |shell: &&Instruction| shell.bytes.start < instruction.bytes.start && shell.stage == instruction.stage;
        // A base stage's SHELL is inherited, and what it says is not followed here.
        let shell =
            file.all("SHELL").filter(before).any(|shell| shell.words.iter().any(|word| word.text.contains("pipefail")));
        let powershell = file.all("SHELL").any(|shell| {
            shell.words.iter().any(|word| word.text.to_lowercase().contains("powershell") || word.text.contains("pwsh"))
        });
        if sets || shell || powershell {
            continue;
        }
        let piped = |command: &&Command| all.iter().filter(|other| other.pipeline == command.pipeline).count() > 1;
        let first = |command: &&Command| {
            all.iter()
                .find(|other| other.pipeline == command.pipeline)
                .is_some_and(|other| std::ptr::eq(other, *command))
        };
        for command in all.iter().filter(piped).filter(first).filter(|command| command.is_fetcher()) {
            marks.add(script.bytes(command), format!("a failure of {} is not noticed", command.name()));
        }
    }
}
