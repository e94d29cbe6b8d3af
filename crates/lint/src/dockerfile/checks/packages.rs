//! What package managers are asked for.

use assay_model::Severity::{High, Low, Medium, Negligible};

use super::super::{DockerCheck, Dockerfile};
use crate::rule::Standard::{Cwe, Hadolint};
use crate::rule::{Check, Marks, Rule};
use crate::shell::{Command, Word};

pub(super) static CHECKS: &[DockerCheck] = &[
    Check::new(
        Rule::new(
            "docker-unauthenticated-package",
            High,
            "Signatures of packages are checked",
            "Whoever can answer in the repository's place installs what they like",
            "remove the option, and install the repository's key",
        )
        .also(&[Cwe(347)]),
        unauthenticated,
    ),
    Check::new(
        Rule::new(
            "docker-unpinned-os-package",
            Low,
            "Packages of the distribution are installed in a named version",
            "Two builds of the same file hold different packages; a snapshot repository does it for all of them",
            "name=version, or a snapshot of the repository by date",
        )
        .also(&[
            Hadolint("DL3008"),
            Hadolint("DL3018"),
            Hadolint("DL3033"),
            Hadolint("DL3037"),
            Hadolint("DL3041"),
        ]),
        unpinned_os,
    ),
    Check::new(
        Rule::new(
            "docker-unpinned-language-package",
            Medium,
            "Packages of languages are installed in a named version",
            "The newest version is what an attacker publishes first, and two builds differ",
            "name the version, or install from a lockfile",
        )
        .also(&[Hadolint("DL3013"), Hadolint("DL3016"), Hadolint("DL3028"), Hadolint("DL3062")]),
        unpinned_language,
    ),
    Check::new(
        Rule::new(
            "docker-lockfile-not-enforced",
            Low,
            "Dependencies are installed as their lockfile says",
            "The installer may choose other versions than those that were tested and reviewed",
            "npm ci, yarn install --immutable, pnpm install --frozen-lockfile, bundle with frozen, pip --require-hashes, \
             poetry or uv sync --locked, cargo --locked",
        ),
        lockfile,
    ),
    Check::new(
        Rule::new(
            "docker-os-upgrade",
            Low,
            "The distribution is not upgraded while building",
            "What an upgrade brings is different every day; a newer base brings the same, and is known",
            "take a newer base image by digest",
        )
        .also(&[Hadolint("DL3005"), Hadolint("DL3017"), Hadolint("DL3031"), Hadolint("DL3035")]),
        os_upgrade,
    ),
    Check::new(
        Rule::new(
            "docker-stale-index",
            Low,
            "The package index is fetched in the RUN that installs",
            "A cached layer with an old index installs old packages, fixes left out",
            "apt-get update && apt-get install in one RUN",
        ),
        stale_index,
    ),
    Check::new(
        Rule::new(
            "docker-recommended-packages",
            Negligible,
            "Nothing is installed that was only recommended",
            "Every package more is surface for attacks and noise for scanners",
            "apt-get install --no-install-recommends",
        )
        .also(&[Hadolint("DL3015")]),
        recommended,
    ),
    Check::new(
        Rule::new(
            "docker-package-cache",
            Negligible,
            "Caches of package managers do not get into the image",
            "They make two builds differ, and the image larger",
            "apk add --no-cache; rm -rf /var/lib/apt/lists/*; dnf clean all; or RUN --mount=type=cache",
        )
        .also(&[
            Hadolint("DL3009"),
            Hadolint("DL3019"),
            Hadolint("DL3032"),
            Hadolint("DL3036"),
            Hadolint("DL3040"),
        ]),
        cache,
    ),
    Check::new(
        Rule::new(
            "docker-trusted-for-all",
            Medium,
            "A repository's key counts for that repository only",
            "A key of apt-key may sign packages of every repository, the distribution's included",
            "put the key in /etc/apt/keyrings and name it by signed-by in the source",
        ),
        trusted_for_all,
    ),
];

/// The packages that an operating system's manager is told to install.
fn os_packages(command: &Command) -> Option<Vec<&Word>> {
    let operands: Vec<&Word> = command.operands().collect();
    let (first, rest) = operands.split_first()?;
    let installs = match command.name() {
        "apt-get" | "apt" | "aptitude" | "yum" | "dnf" | "microdnf" | "tdnf" | "zypper" => {
            matches!(first.text.as_str(), "install" | "in")
        }
        "apk" => first.text == "add",
        _ => false,
    };
    installs.then(|| rest.to_vec())
}

fn unpinned_os(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in &script.commands.all {
            let mut skip = false;
            for word in os_packages(command).unwrap_or_default() {
                // The value of an option such as `-t bookworm-backports`, `--virtual .build`.
                let takes = |option: &Word| {
                    let text = option.text.as_str();
                    option.range.end < word.range.start
                        && (matches!(text, "--virtual" | "--repository" | "--target-release")
                            || (text == "-t" && command.name() != "yum")
                            || (text == "-X" && command.name() == "apk"))
                };
                let before = command.words.iter().rposition(|other| other.range.end <= word.range.start);
                if before.and_then(|at| command.words.get(at)).is_some_and(takes) || skip {
                    skip = false;
                    continue;
                }
                let text = &word.text;
                let is_file = text.starts_with(['/', '.', '@']) || text.contains("://");
                let is_versioned = text.contains(['=', '~', '<', '>', '$', '*'])
                    || (matches!(command.name(), "yum" | "dnf" | "microdnf" | "tdnf")
                        && text
                            .split('-')
                            .skip(1)
                            .any(|part| part.starts_with(|c: char| c.is_ascii_digit()) && part.contains('.')));
                if !is_file && !is_versioned {
                    marks.add(script.word(word), format!("{text} is installed in whatever version there is"));
                }
            }
        }
    }
}

fn unpinned_language(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in &script.commands.all {
            for word in language_packages(command) {
                marks.add(script.word(word), format!("{} is installed in whatever version there is", word.text));
            }
        }
    }
}

/// The packages without a version that a language's manager is told to install.
fn language_packages(command: &Command) -> Vec<&Word> {
    let mut operands: Vec<&Word> = command.operands().collect();
    let name = command.name();
    // `python -m pip install`, `uv pip install`.
    if name.starts_with("python") || name == "uv" {
        match operands.iter().position(|word| word.text == "pip") {
            Some(at) => operands.drain(..=at),
            None => return Vec::new(),
        };
    }
    let Some((first, rest)) = operands.split_first() else { return Vec::new() };
    let is_pip = name.starts_with("pip") || name.starts_with("python") || name == "uv";
    let installs = match name {
        "npm" => matches!(first.text.as_str(), "install" | "i" | "add"),
        "yarn" => {
            first.text == "add" || (first.text == "global" && rest.first().is_some_and(|word| word.text == "add"))
        }
        "pnpm" => first.text == "add",
        "gem" | "go" | "cargo" => first.text == "install",
        _ => is_pip && first.text == "install",
    };
    if !installs {
        return Vec::new();
    }
    let rest = if name == "yarn" && first.text == "global" { rest.get(1..).unwrap_or_default() } else { rest };
    let versioned_by_option = match name {
        "gem" => command.has("-v") || command.has("--version"),
        "cargo" => command.has("--version") || command.has("--path") || command.has("--rev") || command.has("--tag"),
        _ => is_pip && (command.has("-r") || command.has("--requirement") || command.has("-c") || command.has("-e")),
    };
    if versioned_by_option {
        return Vec::new();
    }
    let is_open = |word: &&&Word| {
        let text = word.text.as_str();
        let local = text.starts_with(['.', '/', '$'])
            || text.contains("://")
            || text.contains(".whl")
            || text.contains(".tgz")
            || text.contains(".gem");
        let versioned = match name {
            "npm" | "yarn" | "pnpm" => {
                text.get(1..).is_some_and(|rest| rest.contains('@')) && !text.ends_with("@latest")
            }
            "go" => text.contains('@') && !text.ends_with("@latest"),
            "gem" => text.contains(':'),
            "cargo" => text.contains('@'),
            _ => text.contains("==") || text.contains("===") || text.contains(" @ "),
        };
        !local && !versioned
    };
    rest.iter().filter(is_open).copied().collect()
}

fn lockfile(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in &script.commands.all {
            let operands: Vec<&str> = command.operands().map(|word| word.text.as_str()).collect();
            let open = match (command.name(), operands.as_slice()) {
                ("npm", ["install" | "i"]) => !command.has("-g") && !command.has("--global"),
                ("yarn", [] | ["install"]) => {
                    !command.has("--immutable") && !command.has("--frozen-lockfile") && !command.has("--version")
                }
                ("pnpm", ["install" | "i"]) => !command.has("--frozen-lockfile"),
                ("bundle" | "bundler", ["install"]) => !command.has("--frozen") && !command.has("--deployment"),
                ("poetry" | "pipenv", ["install"]) => command.name() == "pipenv" && !command.has("--deploy"),
                ("uv", ["sync"]) | ("cargo", ["install" | "build", ..]) => {
                    !command.has("--locked") && !command.has("--frozen")
                }
                _ => false,
            };
            if open {
                marks.add(script.bytes(command), format!("{} may leave the lockfile", command.name()));
            }
        }
    }
}

fn os_upgrade(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in &script.commands.all {
            let Some(first) = command.operands().next().map(|word| word.text.as_str()) else { continue };
            let operands = command.operands().count();
            let upgrades = match command.name() {
                "apt-get" | "apt" | "aptitude" => matches!(first, "upgrade" | "dist-upgrade" | "full-upgrade"),
                "apk" => first == "upgrade" && operands == 1,
                "yum" | "dnf" | "microdnf" | "tdnf" => matches!(first, "update" | "upgrade") && operands == 1,
                "zypper" => matches!(first, "update" | "up" | "dist-upgrade" | "dup"),
                _ => false,
            };
            if upgrades {
                marks.add(script.bytes(command), format!("{} {first} takes what there is today", command.name()));
            }
        }
    }
}

fn stale_index(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        let all = &script.commands.all;
        let installs = all.iter().any(|command| {
            os_packages(command).is_some()
                || command.operands().any(|word| word.text.contains("install") || word.text == "build-dep")
                || command.operands().any(|word| word.text.contains("upgrade"))
        });
        for command in all
            .iter()
            .filter(|command| !installs && matches!(command.name(), "apt-get" | "apt" | "apk" | "yum" | "dnf"))
        {
            if command.operands().next().is_some_and(|word| matches!(word.text.as_str(), "update" | "makecache"))
                && command.operands().count() == 1
                && !(matches!(command.name(), "yum" | "dnf"))
            {
                marks.add(script.bytes(command), format!("{} update alone is cached for good", command.name()));
            }
        }
    }
}

fn recommended(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in
            script.commands.all.iter().filter(|command| matches!(command.name(), "apt-get" | "apt" | "aptitude"))
        {
            let off = command.has("--no-install-recommends")
                || command
                    .arguments()
                    .iter()
                    .any(|word| word.text.contains("Install-Recommends=") || word.text == "--without-recommends");
            if os_packages(command).is_some_and(|packages| !packages.is_empty()) && !off {
                marks.add(script.bytes(command), "recommended packages are installed, too");
            }
        }
    }
}

fn cache(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (instruction, script) in file.scripts() {
        let all = &script.commands.all;
        let is_mounted = instruction.flags.iter().any(|flag| flag.name == "mount" && flag.value.contains("type=cache"));
        // Only what the last stage keeps is shipped.
        let is_shipped = instruction.stage.is_some_and(|stage| file.final_chain().contains(&stage));
        if is_mounted || !is_shipped {
            continue;
        }
        let cleans = |word: &str| all.iter().any(|command| command.words.iter().any(|other| other.text.contains(word)));
        for command in all.iter().filter(|command| os_packages(command).is_some()) {
            let kept = match command.name() {
                "apt-get" | "apt" | "aptitude" => !cleans("/var/lib/apt/lists"),
                "apk" => !command.has("--no-cache") && !cleans("/var/cache/apk"),
                _ => !cleans("clean") && !cleans("/var/cache") && !command.has("--nodocs-and-cache"),
            };
            if kept {
                marks.add(script.bytes(command), format!("{} leaves its cache behind", command.name()));
            }
        }
    }
}

fn unauthenticated(file: &Dockerfile, marks: &mut Marks<'_>) {
    const OPTIONS: [(&str, &[&str]); 7] = [
        (
            "apt",
            &["--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories", "--allow-downgrades-insecure"],
        ),
        ("apk", &["--allow-untrusted"]),
        ("yum", &["--nogpgcheck"]),
        ("dnf", &["--nogpgcheck", "--no-gpgchecks"]),
        ("zypper", &["--no-gpg-checks", "--gpg-auto-import-keys"]),
        ("rpm", &["--nosignature", "--nodigest"]),
        ("dpkg", &["--force-bad-verify"]),
    ];
    for (_, script) in file.scripts() {
        for command in &script.commands.all {
            let name = match command.name() {
                "apt-get" | "aptitude" => "apt",
                "microdnf" | "tdnf" => "dnf",
                other => other,
            };
            let options = OPTIONS.iter().find(|(manager, _)| *manager == name).map_or(&[][..], |(_, options)| *options);
            if let Some(option) = options.iter().find(|option| command.has(option)) {
                marks.add(script.bytes(command), format!("{option} installs what nobody signed"));
            }
            for word in command.words.iter().filter(|word| word.text.contains("trusted=yes")) {
                marks.add(script.word(word), "trusted=yes installs what nobody signed");
            }
        }
    }
}

fn trusted_for_all(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in script.commands.all.iter().filter(|command| command.name() == "apt-key") {
            if command.operands().next().is_some_and(|word| matches!(word.text.as_str(), "add" | "adv")) {
                marks.add(script.bytes(command), "the key counts for every repository");
            }
        }
    }
}
