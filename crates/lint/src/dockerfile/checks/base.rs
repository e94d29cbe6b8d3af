//! What a build starts from, and what it copies from other images.

use std::collections::BTreeSet;

use assay_model::Severity::{Low, Medium};

use super::super::{DockerCheck, Dockerfile};
use crate::rule::Standard::{Cwe, Hadolint};
use crate::rule::{Check, Marks, Rule};

pub(super) static CHECKS: &[DockerCheck] = &[
    Check::new(
        Rule::new(
            "docker-unpinned-base",
            Medium,
            "Every FROM names a digest",
            "A tag can be moved: the same Dockerfile then builds from something that nobody looked at",
            "assay pin -f Dockerfile writes the digest behind the tag",
        )
        .also(&[Cwe(1357)]),
        unpinned_base,
    ),
    Check::new(
        Rule::new(
            "docker-latest-base",
            Medium,
            "No FROM means the tag latest, written or implied",
            "latest is whatever was pushed last, so that nobody can say what a build started from",
            "name a version, and pin its digest",
        )
        .also(&[Hadolint("DL3006"), Hadolint("DL3007")]),
        latest_base,
    ),
    Check::new(
        Rule::new(
            "docker-unknown-base",
            Low,
            "The base image can be read from the file",
            "An argument without a default lets whoever starts the build choose the base, unseen by review",
            "give the ARG before the first FROM a default with a digest",
        ),
        unknown_base,
    ),
    Check::new(
        Rule::new(
            "docker-unpinned-copy",
            Medium,
            "COPY --from names a stage or an image by digest",
            "Files are taken from whatever the tag points to on the day of the build",
            "write the digest, or make it a FROM with a name and copy from that",
        )
        .also(&[Hadolint("DL3022")]),
        unpinned_copy,
    ),
    Check::new(
        Rule::new(
            "docker-copy-from-itself",
            Low,
            "No stage copies from itself",
            "The build fails, or takes an image of that name from a public registry instead of the stage",
            "name an earlier stage",
        )
        .also(&[Hadolint("DL3023")]),
        copy_from_itself,
    ),
    Check::new(
        Rule::new(
            "docker-doubled-stage",
            Medium,
            "Every stage has a name of its own",
            "Which of two stages with one name is meant depends on the reader",
            "rename one of them",
        )
        .also(&[Hadolint("DL3024")]),
        doubled_stage,
    ),
    Check::new(
        Rule::new(
            "docker-fixed-platform",
            Low,
            "FROM leaves the platform to the build",
            "A platform that is written down gives the wrong binaries, or emulation, on every other one",
            "remove --platform, or use $BUILDPLATFORM for tools and $TARGETPLATFORM for the result",
        )
        .also(&[Hadolint("DL3029")]),
        fixed_platform,
    ),
    Check::new(
        Rule::new(
            "docker-unpinned-frontend",
            Low,
            "# syntax= names a digest",
            "The frontend is a program that is fetched and runs the build: its tag can be moved, too",
            "write the digest behind the tag, or remove the line where no new feature is used",
        ),
        unpinned_frontend,
    ),
    Check::new(
        Rule::new(
            "docker-unreadable",
            Medium,
            "Every line is an instruction",
            "What a reviewer cannot read with certainty is not reviewed",
            "correct the line",
        ),
        unreadable,
    ),
];

fn unpinned_base(file: &Dockerfile, marks: &mut Marks<'_>) {
    for image in file.images.iter().filter(|image| !image.written.contains('@')) {
        marks.add(image.bytes.clone(), format!("{} has no digest", image.written));
    }
}

fn latest_base(file: &Dockerfile, marks: &mut Marks<'_>) {
    for image in file.images.iter().filter(|image| is_latest(&image.written)) {
        marks.add(image.bytes.clone(), format!("{} is the tag latest", image.written));
    }
}

fn is_latest(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or(image);
    !image.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn unknown_base(file: &Dockerfile, marks: &mut Marks<'_>) {
    for stage in file.stages.iter().filter(|stage| stage.resolved.is_none()) {
        marks.add(stage.image.bytes.clone(), format!("{} has no value in this file", stage.image.text));
    }
}

fn unpinned_copy(file: &Dockerfile, marks: &mut Marks<'_>) {
    for instruction in &file.instructions {
        let mounts = instruction.flags.iter().filter(|flag| flag.name == "mount").filter_map(|flag| {
            let from = flag.value.split(',').find_map(|part| part.strip_prefix("from="))?;
            Some((from, flag))
        });
        let copies = instruction.flag("from").map(|flag| (flag.value.as_str(), flag));
        for (from, flag) in mounts.chain(copies) {
            let lower = from.to_ascii_lowercase();
            let is_stage = file.stages.iter().any(|stage| stage.name.as_ref().is_some_and(|name| name.text == lower));
            let is_index = from.parse::<usize>().is_ok_and(|index| index < file.stages.len());
            // A name without tag, path and digest may be a context that the build names.
            let is_image = from.contains([':', '/']);
            if !is_stage && !is_index && is_image && !from.contains(['@', '$']) {
                marks.add(flag.bytes.clone(), format!("{from} has no digest"));
            }
        }
    }
}

fn copy_from_itself(file: &Dockerfile, marks: &mut Marks<'_>) {
    for instruction in file.all("COPY") {
        let (Some(flag), Some(stage)) = (instruction.flag("from"), instruction.stage) else { continue };
        let own = file.stages.get(stage).and_then(|stage| stage.name.as_ref());
        if own.is_some_and(|name| name.text == flag.value.to_ascii_lowercase()) || flag.value == stage.to_string() {
            marks.add(flag.bytes.clone(), format!("{} is this stage", flag.value));
        }
    }
}

fn doubled_stage(file: &Dockerfile, marks: &mut Marks<'_>) {
    let mut seen = BTreeSet::new();
    for name in file.stages.iter().filter_map(|stage| stage.name.as_ref()) {
        if !seen.insert(&name.text) {
            marks.add(name.bytes.clone(), format!("{} is the name of an earlier stage, too", name.text));
        }
    }
}

fn fixed_platform(file: &Dockerfile, marks: &mut Marks<'_>) {
    for flag in file.all("FROM").filter_map(|from| from.flag("platform")) {
        if !flag.value.contains('$') {
            marks.add(flag.bytes.clone(), format!("always {}", flag.value));
        }
    }
}

fn unpinned_frontend(file: &Dockerfile, marks: &mut Marks<'_>) {
    if let Some(frontend) = file.frontend.as_ref().filter(|frontend| !frontend.text.contains('@')) {
        marks.add(frontend.bytes.clone(), format!("{} has no digest", frontend.text));
    }
}

fn unreadable(file: &Dockerfile, marks: &mut Marks<'_>) {
    for (bytes, what) in &file.problems {
        marks.add(bytes.clone(), what.clone());
    }
}
