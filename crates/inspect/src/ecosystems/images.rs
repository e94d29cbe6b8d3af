//! Images that files name: Dockerfiles, Compose files, Kubernetes manifests.
//!
//! Sources: Dockerfile reference (`FROM`, `ARG`, `COPY --from`, here-documents); Compose specification (`services.image`);
//! Kubernetes API, PodSpec. What a build argument without a default decides is not listed.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::{Package, PackageType, Reference};
use serde_json::Value;

use super::{File, Found, Reader, declared, object, text, yaml_documents};

pub(crate) static DOCKERFILE: Reader = Reader::declared(
    "Dockerfiles",
    &["Dockerfile", "Containerfile", "Dockerfile.*", "Containerfile.*", "*.Dockerfile", "*.dockerfile"],
    read_dockerfile,
);
pub(crate) static COMPOSE: Reader = Reader::declared(
    "Compose files",
    &[
        "docker-compose*.yml",
        "docker-compose*.yaml",
        "docker-compose.yml",
        "docker-compose.yaml",
        "compose.yml",
        "compose.yaml",
    ],
    read_compose,
);
pub(crate) static KUBERNETES: Reader = Reader::declared("Kubernetes manifests", &["*.yaml", "*.yml"], read_manifest);

/// Nesting of a manifest that is followed: a pod template in a List in an operator's object is 12 deep.
const DEPTH: usize = 64;

/// The package of an image that is named; none where the text names none.
pub(super) fn image(reference: &str, file: &File<'_>) -> Option<Package> {
    let reference = reference.trim();
    if reference.is_empty() || reference.contains(['$', '{', ' ']) {
        return None;
    }
    let parsed: Reference = reference.parse().ok()?;
    let repository = parsed.repository().path();
    let registry = parsed.repository().registry();
    let is_hub = registry == "docker.io" || registry == "index.docker.io";
    let name = if is_hub { repository.strip_prefix("library/").unwrap_or(repository) } else { repository };
    let (tag, digest) = (parsed.tag().unwrap_or_default().to_owned(), parsed.digest().map(|digest| digest.to_string()));
    let version = digest.clone().unwrap_or_else(|| if tag.is_empty() { "latest".to_owned() } else { tag.clone() });
    let mut package = declared(PackageType::Docker, name, &version, file);
    if !is_hub {
        package.purl = package.purl.with_qualifier("repository_url", registry);
    }
    if digest.is_some() {
        package.purl = package.purl.with_qualifier("tag", &tag);
    }
    Some(package)
}

fn add_all(names: &BTreeSet<String>, file: &File<'_>, found: &mut Found) {
    for name in names {
        if let Some(package) = image(name, file) {
            found.add(file, package);
        }
    }
}

fn read_dockerfile(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let mut arguments: BTreeMap<String, String> = BTreeMap::new();
    let mut stages: BTreeSet<String> = BTreeSet::new();
    let mut images = BTreeSet::new();
    for instruction in instructions(&text) {
        let (verb, rest) = instruction.split_once(char::is_whitespace).unwrap_or((&instruction, ""));
        let words: Vec<&str> = rest.split_whitespace().collect();
        let flag = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        match verb.to_ascii_uppercase().as_str() {
            // Only those in front of the first stage count for FROM.
            "ARG" if stages.is_empty() && images.is_empty() => {
                for word in &words {
                    if let Some((name, value)) = word.split_once('=') {
                        arguments.insert(name.to_owned(), substitute(value.trim_matches(['"', '\'']), &arguments));
                    }
                }
            }
            "FROM" => {
                let mut words = words.iter().filter(|word| !word.starts_with("--"));
                let name = substitute(words.next().copied().unwrap_or_default(), &arguments);
                if name != "scratch" && !stages.contains(&name.to_lowercase()) {
                    images.insert(name);
                }
                if words.next().is_some_and(|word| word.eq_ignore_ascii_case("as")) {
                    stages.extend(words.next().map(|name| name.to_lowercase()));
                }
            }
            "COPY" | "ADD" => {
                let from = flag("--from=").map(|name| substitute(name, &arguments));
                images.extend(from.filter(|name| is_image(name, &stages)));
            }
            "RUN" => {
                let mounts = words.iter().filter_map(|word| word.strip_prefix("--mount="));
                let from = mounts.flat_map(|mount| mount.split(',')).filter_map(|option| option.strip_prefix("from="));
                images.extend(from.map(|name| substitute(name, &arguments)).filter(|name| is_image(name, &stages)));
            }
            _ => {}
        }
    }
    add_all(&images, file, found);
}

/// Whether a source of a copy is an image rather than a stage or its number. Contexts that a build is given are named like
/// images, too; without a tag or a registry they are left out.
fn is_image(name: &str, stages: &BTreeSet<String>) -> bool {
    !stages.contains(&name.to_lowercase()) && name.parse::<u32>().is_err() && name.contains([':', '/', '@'])
}

/// `$NAME`, `${NAME}` and `${NAME:-default}` as their values; what is not known stays.
fn substitute(text: &str, arguments: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('$') {
        out.push_str(before);
        let (name, default, after) = if let Some(inner) = behind.strip_prefix('{') {
            let Some((inner, after)) = inner.split_once('}') else { break };
            let (name, default) = inner.split_once(":-").map_or((inner, None), |(name, text)| (name, Some(text)));
            (name, default, after)
        } else {
            let end = behind.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(behind.len());
            let (name, after) = behind.split_at(end);
            (name, None, after)
        };
        match arguments.get(name).map(String::as_str).or(default) {
            Some(value) => out.push_str(value),
            None => out.push('$'),
        }
        rest = after;
        if out.len() > crate::limits::FIELD_BYTES {
            return out;
        }
    }
    out.push_str(rest);
    out
}

/// Instructions without comments, lines joined at their escape character, and here-documents left out.
fn instructions(text: &str) -> Vec<String> {
    let escape = text
        .lines()
        .take_while(|line| line.starts_with('#'))
        .find_map(|line| line.trim_start_matches(['#', ' ']).strip_prefix("escape="))
        .and_then(|text| text.trim().chars().next())
        .unwrap_or('\\');
    let mut out: Vec<String> = Vec::new();
    let mut open = String::new();
    let mut ends: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(end) = ends.first() {
            if line.trim_start_matches('\t').trim_end() == end {
                ends.remove(0);
            }
            continue;
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(start) = line.strip_suffix(escape) {
            open.push_str(start);
            open.push(' ');
            continue;
        }
        open.push_str(line);
        let verb = open.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        if matches!(verb.as_str(), "RUN" | "COPY" | "ADD") {
            ends = open
                .split("<<")
                .skip(1)
                .filter_map(|behind| {
                    let name = behind.trim_start_matches('-').split_whitespace().next()?.trim_matches(['"', '\'']);
                    let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                    (is_word && !name.is_empty()).then(|| name.to_owned())
                })
                .collect();
        }
        out.push(std::mem::take(&mut open));
    }
    out.extend((!open.is_empty()).then_some(open));
    out
}

fn read_compose(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    let images = object(&document, "services").map(|(_, service)| text(service, "image").to_owned()).collect();
    add_all(&images, file, found);
}

fn read_manifest(file: &File<'_>, found: &mut Found) {
    let has = |word: &[u8]| memchr::memmem::find(file.bytes, word).is_some();
    // Most YAML is something else, and templates are no YAML yet.
    if !has(b"apiVersion:") || !has(b"image:") || has(b"{{") || file.bytes.len() as u64 > file.limits.json_bytes {
        return;
    }
    let Some(documents) = yaml_documents(&file.text()) else { return found.malformed(file.path) };
    let mut images = BTreeSet::new();
    for document in documents.iter().filter(|document| !text(document, "kind").is_empty()) {
        containers(document, DEPTH, &mut images);
    }
    add_all(&images, file, found);
}

fn containers(value: &Value, depth: usize, images: &mut BTreeSet<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Array(list) => list.iter().for_each(|value| containers(value, depth, images)),
        Value::Object(fields) => {
            for (key, value) in fields {
                if matches!(key.as_str(), "containers" | "initContainers" | "ephemeralContainers") {
                    let list = value.as_array().into_iter().flatten();
                    images.extend(list.map(|container| text(container, "image").to_owned()));
                } else {
                    containers(value, depth, images);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn a_dockerfile_names_what_its_stages_begin_with() {
        let text = "# syntax=docker/dockerfile:1\nARG VERSION=1.22\nARG BASE\nFROM --platform=$BUILDPLATFORM golang:${VERSION}-bookworm AS build\n\
                    RUN <<EOF\nFROM not:this\nEOF\nRUN --mount=type=bind,from=ghcr.io/acme/tools:2 \\\n  make\nFROM build AS test\nFROM $BASE\n\
                    FROM gcr.io/distroless/static@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\
                    COPY --from=build /app /app\nCOPY --from=busybox:1.36 /bin/sh /bin/\nCOPY --from=0 /x /x\nFROM scratch\n";
        let digest = "a".repeat(64);
        assert_eq!(
            lines(&DOCKERFILE, "Dockerfile", text),
            [
                "pkg:docker/acme/tools@2?repository_url=ghcr.io".to_owned(),
                "pkg:docker/busybox@1.36".to_owned(),
                format!("pkg:docker/distroless/static@sha256:{digest}?repository_url=gcr.io"),
                "pkg:docker/golang@1.22-bookworm".to_owned(),
            ]
        );
    }

    #[test]
    fn manifests_name_images_wherever_a_pod_is() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: batch/v1\n  kind: CronJob\n  spec:\n    jobTemplate:\n      spec:\n        template:\n          spec:\n            initContainers:\n            - image: busybox\n            containers:\n            - image: nginx:1.25\n---\napiVersion: v1\nkind: ConfigMap\ndata:\n  image: no:1\n";
        assert_eq!(lines(&KUBERNETES, "deploy/x.yaml", text), ["pkg:docker/busybox@latest", "pkg:docker/nginx@1.25"]);
        assert!(read(&KUBERNETES, "x.yaml", "apiVersion: v1\nimage: {{ .Values.x }}\n").is_empty());
        assert!(read(&KUBERNETES, "x.yaml", "image: [").is_empty());
        assert_eq!(read(&KUBERNETES, "x.yaml", "apiVersion: v1\nimage: [").partial.len(), 1);
    }

    #[test]
    fn compose_files() {
        let text = "services:\n  db:\n    image: postgres:16\n  app:\n    build: .\n";
        assert_eq!(lines(&COMPOSE, "compose.yaml", text), ["pkg:docker/postgres@16"]);
    }

    proptest! {
        #[test]
        fn any_dockerfile_is_read(text in "(FROM|ARG|RUN|COPY|\\$\\{?[A-Z:}-]*|<<E|=|\\\\|\n| |a){0,40}") {
            read(&DOCKERFILE, "Dockerfile", text);
        }
    }
}
