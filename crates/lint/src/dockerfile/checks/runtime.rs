//! What a container of the image is and may do.

use std::ops::Range;

use assay_model::Severity::{High, Low, Medium, Negligible};

use super::super::{DockerCheck, Dockerfile, Instruction};
use crate::rule::Standard::{Cwe, Hadolint};
use crate::rule::{Check, Marks, Rule};

pub(super) static CHECKS: &[DockerCheck] = &[
    Check::new(
        Rule::new(
            "docker-root-user",
            High,
            "The last USER is not root",
            "A process that breaks out of a container as root is root on the node, unless something else stops it",
            "end the file with USER and a number above 0",
        )
        .also(&[Hadolint("DL3002"), Cwe(250)]),
        root_user,
    ),
    Check::new(
        Rule::new(
            "docker-no-user",
            Medium,
            "The last stage names a USER",
            "Without one the image runs as its base says, and that is root for nearly all of them",
            "USER with a number above 0 behind the last RUN that needs root",
        )
        .also(&[Cwe(250)]),
        no_user,
    ),
    Check::new(
        Rule::new(
            "docker-user-by-name",
            Low,
            "USER is a number",
            "Kubernetes cannot see that a name is not root: with runAsNonRoot the Pod does not start",
            "USER 10001 instead of USER app",
        ),
        user_by_name,
    ),
    Check::new(
        Rule::new(
            "docker-insecure-build",
            High,
            "RUN is as isolated as it is by default",
            "--security=insecure and --network=host give a build step the builder's privileges or network",
            "remove the flag",
        ),
        insecure_build,
    ),
    Check::new(
        Rule::new(
            "docker-sudo",
            Medium,
            "sudo is neither used nor installed",
            "What needs root runs before USER; afterwards sudo is a way back to root",
            "do it as root before USER, or use gosu or setpriv in the entry point",
        )
        .also(&[Hadolint("DL3004")]),
        sudo,
    ),
    Check::new(
        Rule::new(
            "docker-sudo-without-password",
            High,
            "Nobody may become root without a password",
            "USER protects nothing where every process may call sudo",
            "remove the entry of sudoers",
        )
        .also(&[Cwe(250)]),
        sudo_without_password,
    ),
    Check::new(
        Rule::new(
            "docker-world-writable",
            Medium,
            "No file can be written by everybody",
            "Any process in the container can replace what another one runs",
            "chown to the user that needs it, and chmod 755 or 775",
        )
        .also(&[Cwe(732)]),
        world_writable,
    ),
    Check::new(
        Rule::new(
            "docker-setuid",
            Medium,
            "No file is made setuid",
            "A setuid program is a way to root for whoever gets into the container",
            "give the process the one capability that it needs",
        )
        .also(&[Cwe(250)]),
        setuid,
    ),
    Check::new(
        Rule::new(
            "docker-remote-shell",
            Medium,
            "No server for remote log-in is installed",
            "It is another way in, with its own accounts; kubectl exec needs none",
            "remove it",
        ),
        remote_shell,
    ),
    Check::new(
        Rule::new(
            "docker-runtime-socket",
            High,
            "The container runtime's socket is no volume",
            "Whoever writes to that socket starts privileged containers on the node",
            "remove the volume",
        ),
        runtime_socket,
    ),
    Check::new(
        Rule::new(
            "docker-path-writable",
            Medium,
            "PATH holds only folders that belong to root",
            "A program that somebody puts in the current folder or in /tmp runs in the place of the real one",
            "remove the entry from PATH",
        )
        .also(&[Cwe(427)]),
        path_writable,
    ),
    Check::new(
        Rule::new(
            "docker-relative-workdir",
            Low,
            "WORKDIR is an absolute path",
            "Where a relative one leads depends on the base image",
            "write it from the root",
        )
        .also(&[Hadolint("DL3000")]),
        relative_workdir,
    ),
    Check::new(
        Rule::new(
            "docker-shell-form",
            Low,
            "CMD and ENTRYPOINT are in JSON form",
            "The shell form needs a shell in the image, and the process does not get the signal to stop",
            "ENTRYPOINT [\"program\", \"argument\"]",
        )
        .also(&[Hadolint("DL3025")]),
        shell_form,
    ),
    Check::new(
        Rule::new(
            "docker-doubled-instruction",
            Low,
            "CMD, ENTRYPOINT and HEALTHCHECK stand once in a stage",
            "Only the last one counts; the others mislead who reads them",
            "remove all but the last",
        )
        .also(&[Hadolint("DL3012"), Hadolint("DL4003"), Hadolint("DL4004")]),
        doubled_instruction,
    ),
    Check::new(
        Rule::new(
            "docker-invalid-port",
            Low,
            "EXPOSE names ports that there are",
            "A port that does not exist is a typing error that hides the real one",
            "a number from 1 to 65535",
        )
        .also(&[Hadolint("DL3011")]),
        invalid_port,
    ),
    Check::new(
        Rule::new(
            "docker-no-healthcheck",
            Negligible,
            "The image says how to see whether it works",
            "Without it Docker and Swarm keep a container that hangs; Kubernetes has probes of its own",
            "HEALTHCHECK CMD ..., or HEALTHCHECK NONE where the platform probes",
        ),
        no_healthcheck,
    ),
];

/// The `USER` that counts at the end of the last stage.
fn last_user(file: &Dockerfile) -> Option<&Instruction> {
    file.final_chain().into_iter().find_map(|stage| file.of_stage(stage).rfind(|each| each.keyword == "USER"))
}

/// The user without the group.
fn user_of(instruction: &Instruction) -> &str {
    let word = instruction.words.first().map_or("", |word| word.text.trim_matches(['"', '\'']));
    word.split(':').next().unwrap_or(word)
}

fn last_from(file: &Dockerfile) -> Option<Range<usize>> {
    file.stages.last().map(|stage| stage.bytes.clone())
}

fn root_user(file: &Dockerfile, marks: &mut Marks<'_>) {
    if let Some(user) = last_user(file).filter(|user| matches!(user_of(user), "root" | "0")) {
        marks.add(user.bytes.clone(), "the image runs as root");
    }
}

fn no_user(file: &Dockerfile, marks: &mut Marks<'_>) {
    let chain = file.final_chain();
    let base = chain.last().and_then(|stage| file.stages.get(*stage)).and_then(|stage| stage.resolved.as_deref());
    // These say by their tag that they are no root images.
    let is_nonroot =
        base.is_some_and(|base| base.contains("nonroot") || base.contains("unprivileged") || base.contains("rootless"));
    if last_user(file).is_none()
        && !is_nonroot
        && let Some(from) = last_from(file)
    {
        marks.add(from, "no USER in the last stage");
    }
}

fn user_by_name(file: &Dockerfile, marks: &mut Marks<'_>) {
    let Some(user) = last_user(file) else { return };
    let name = user_of(user);
    if !matches!(name, "root" | "") && !name.contains('$') && !name.bytes().all(|byte| byte.is_ascii_digit()) {
        marks.add(user.bytes.clone(), format!("{name} is a name"));
    }
}

fn insecure_build(file: &Dockerfile, marks: &mut Marks<'_>) {
    for flag in file.all("RUN").flat_map(|run| &run.flags) {
        if (flag.name == "security" && flag.value == "insecure") || (flag.name == "network" && flag.value == "host") {
            marks.add(flag.bytes.clone(), format!("--{}={}", flag.name, flag.value));
        }
    }
}

fn sudo(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in &script.commands.all {
            if let Some(word) = command.wrappers.iter().find(|word| word.text.rsplit('/').next() == Some("sudo")) {
                marks.add(script.word(word), "sudo is used");
            }
            let installs = command.operands().any(|word| matches!(word.text.as_str(), "install" | "add"));
            if installs
                && let Some(word) =
                    command.operands().find(|word| word.text == "sudo" || word.text.starts_with("sudo="))
            {
                marks.add(script.word(word), "sudo is installed");
            }
        }
    }
}

fn sudo_without_password(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for word in script.commands.all.iter().flat_map(|command| &command.words) {
            if word.text.contains("NOPASSWD") {
                marks.add(script.word(word), "NOPASSWD");
            }
        }
    }
}

/// Whether a mode lets everybody write: `777`, `666`, `a+w`, `o+w`, `ugo+rwx`, `+w`.
fn is_world_writable(mode: &str) -> bool {
    if mode.len() >= 3 && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        return mode.bytes().last().is_some_and(|last| (last - b'0') & 2 != 0);
    }
    mode.split(',').any(|part| {
        let (who, what) = part.split_once(['+', '=']).unwrap_or(("-", ""));
        (who.contains('a') || who.contains('o')) && what.contains('w')
    })
}

fn world_writable(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in script.commands.all.iter().filter(|command| command.name() == "chmod") {
            // The sticky bit makes it a folder such as /tmp.
            if let Some(mode) =
                command.operands().next().filter(|word| is_world_writable(&word.text) && !word.text.starts_with('1'))
            {
                marks.add(script.bytes(command), format!("mode {}", mode.text));
            }
        }
    }
    for flag in
        file.instructions.iter().filter_map(|each| each.flag("chmod")).filter(|flag| is_world_writable(&flag.value))
    {
        marks.add(flag.bytes.clone(), format!("mode {}", flag.value));
    }
}

fn is_setuid(mode: &str) -> bool {
    let octal = mode.len() == 4 && mode.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    (octal && mode.bytes().next().is_some_and(|first| (first - b'0') & 6 != 0))
        || mode.split(',').any(|part| {
            part.split_once(['+', '=']).is_some_and(|(who, what)| !who.starts_with('-') && what.contains('s'))
        })
}

fn setuid(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in script.commands.all.iter().filter(|command| command.name() == "chmod") {
            if let Some(mode) = command.operands().next().filter(|word| is_setuid(&word.text)) {
                marks.add(script.bytes(command), format!("mode {}", mode.text));
            }
        }
    }
    for flag in file.instructions.iter().filter_map(|each| each.flag("chmod")).filter(|flag| is_setuid(&flag.value)) {
        marks.add(flag.bytes.clone(), format!("mode {}", flag.value));
    }
}

fn remote_shell(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, script) in file.scripts() {
        for command in &script.commands.all {
            let installs = command.operands().any(|word| matches!(word.text.as_str(), "install" | "add" | "in"));
            let server = |word: &&crate::shell::Word| {
                let name = word.text.split('=').next().unwrap_or_default();
                matches!(
                    name,
                    "openssh-server"
                        | "openssh"
                        | "ssh"
                        | "telnetd"
                        | "rsh-server"
                        | "dropbear"
                        | "vsftpd"
                        | "tigervnc-standalone-server"
                )
            };
            if installs && let Some(word) = command.operands().find(server) {
                marks.add(script.word(word), format!("{} is installed", word.text));
            }
        }
    }
    for word in file.all("EXPOSE").flat_map(|expose| &expose.words) {
        if matches!(word.text.split('/').next(), Some("22" | "23")) {
            marks.add(word.bytes.clone(), format!("port {} is for log-in", word.text));
        }
    }
}

fn runtime_socket(file: &Dockerfile, marks: &mut Marks<'_>) {
    for word in file.all("VOLUME").flat_map(|volume| &volume.words) {
        if ["docker.sock", "containerd.sock", "crio.sock", "podman.sock"]
            .iter()
            .any(|socket| word.text.contains(socket))
        {
            marks.add(word.bytes.clone(), word.text.clone());
        }
    }
}

fn path_writable(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (_, value, bytes) in file.all("ENV").flat_map(Instruction::variables).filter(|(name, ..)| name == "PATH") {
        let value = value.unwrap_or_default();
        if let Some(entry) =
            value.split(':').find(|entry| entry.is_empty() || matches!(*entry, "." | "./") || entry.starts_with("/tmp"))
        {
            let shown = if entry.is_empty() { "an empty entry" } else { entry };
            marks.add(bytes, format!("{shown} is in PATH"));
        }
    }
}

fn relative_workdir(file: &Dockerfile, marks: &mut Marks<'_>) {
    for instruction in file.all("WORKDIR") {
        let Some(word) = instruction.words.first() else { continue };
        let path = word.text.trim_matches(['"', '\'']);
        let is_drive = path.as_bytes().get(1) == Some(&b':');
        if !path.starts_with(['/', '$', '\\']) && !is_drive {
            marks.add(word.bytes.clone(), format!("{path} is relative"));
        }
    }
}

fn shell_form(file: &Dockerfile, marks: &mut Marks<'_>) {
    for stage in file.final_chain() {
        for instruction in file.of_stage(stage).filter(|each| matches!(each.keyword.as_str(), "CMD" | "ENTRYPOINT")) {
            if !instruction.is_json && !instruction.words.is_empty() {
                marks.add(instruction.bytes.clone(), format!("{} in shell form", instruction.keyword));
            }
        }
    }
}

fn doubled_instruction(file: &Dockerfile, marks: &mut Marks<'_>) {
    for stage in 0..file.stages.len() {
        for keyword in ["CMD", "ENTRYPOINT", "HEALTHCHECK"] {
            let all: Vec<_> = file.of_stage(stage).filter(|each| each.keyword == keyword).collect();
            for instruction in all.split_last().map_or(&[][..], |(_, earlier)| earlier) {
                marks.add(instruction.bytes.clone(), format!("a later {keyword} replaces it"));
            }
        }
    }
}

fn invalid_port(file: &Dockerfile, marks: &mut Marks<'_>) {
    for word in file.all("EXPOSE").flat_map(|expose| &expose.words) {
        let port = word.text.split('/').next().unwrap_or_default();
        let valid = |part: &str| part.contains('$') || part.parse::<u16>().is_ok_and(|port| port > 0);
        if !word.text.starts_with('#') && !port.split('-').all(valid) {
            marks.add(word.bytes.clone(), format!("{} is no port", word.text));
        }
    }
}

fn no_healthcheck(file: &Dockerfile, marks: &mut Marks<'_>) {
    let has =
        file.final_chain().into_iter().any(|stage| file.of_stage(stage).any(|each| each.keyword == "HEALTHCHECK"));
    let runs = file
        .final_chain()
        .into_iter()
        .any(|stage| file.of_stage(stage).any(|each| matches!(each.keyword.as_str(), "CMD" | "ENTRYPOINT")));
    if !has
        && runs
        && let Some(from) = last_from(file)
    {
        marks.add(from, "no HEALTHCHECK");
    }
}
