//! Lockfiles of the other JavaScript package managers: Yarn (classic and Berry), pnpm, Bun.
//!
//! Sources: Yarn, "yarn.lock" and `@yarnpkg/lockfile`; pnpm, `lockfile-file` (versions 5, 6 and 9); Bun, "Lockfile"
//! (`bun.lock`). Folders of the own workspace are no packages.

use assay_model::{Package, PackageType};

use super::npm::integrity;
use super::{File, Found, Reader, clip, declared, names, object, text};
use crate::limits::DEPENDENCIES;

pub(crate) static YARN: Reader = Reader::declared("Yarn lockfiles", &["yarn.lock"], read_yarn);
pub(crate) static PNPM: Reader = Reader::declared("pnpm lockfiles", &["pnpm-lock.yaml"], read_pnpm);
pub(crate) static BUN: Reader = Reader::declared("Bun lockfiles", &["bun.lock"], read_bun);

/// Name and rest of `name@rest` or `@scope/name@rest`.
fn split(descriptor: &str) -> Option<(&str, &str)> {
    let at = descriptor.get(1..)?.find('@')? + 1;
    Some((descriptor.get(..at)?, descriptor.get(at + 1..)?))
}

/// The real name where an alias is locked: `alias@npm:name@range`.
fn real_name(descriptor: &str) -> Option<&str> {
    let (name, range) = split(descriptor)?;
    let aliased = range.strip_prefix("npm:").and_then(split).map(|(name, _)| name);
    Some(aliased.unwrap_or(name))
}

/// Both forms are blocks: a line of descriptors, then what was resolved, indented by two; lists are indented by four.
fn read_yarn(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let mut open: Option<Package> = None;
    let mut is_list = false;
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let entry = line.trim();
        if entry.is_empty() || entry.starts_with('#') {
            continue;
        }
        if indent == 0 {
            finish_yarn(open.take(), file, found);
            let first = entry.trim_end_matches(':').split(", ").next().unwrap_or_default().trim_matches('"');
            open = real_name(first)
                .filter(|_| !first.starts_with("__"))
                .map(|name| declared(PackageType::Npm, name, "", file));
            continue;
        }
        let Some(package) = &mut open else { continue };
        let (key, value) = entry.split_once([' ', ':']).unwrap_or((entry, ""));
        let value = value.trim_start_matches([':', ' ']).trim_matches('"');
        if indent == 2 {
            is_list =
                matches!(key, "dependencies" | "optionalDependencies" | "dependencies:" | "optionalDependencies:");
            match key {
                "version" => package.version = clip(value),
                // Berry's `checksum` is of an archive that it made itself.
                "integrity" => package.digest = integrity(value),
                // Berry says what each block is: `name@workspace:.` is a folder of the project.
                "resolution" if value.contains("@workspace:") => open = None,
                _ => {}
            }
        } else if is_list && package.depends_on.len() < DEPENDENCIES {
            // `"@s/n" "^1"` or `"@s/n": ^1`
            let name = entry.strip_prefix('"').and_then(|entry| entry.split('"').next()).unwrap_or(key);
            package.depends_on.push(clip(name.trim_end_matches(':')));
        }
    }
    finish_yarn(open, file, found);
}

fn finish_yarn(package: Option<Package>, file: &File<'_>, found: &mut Found) {
    let Some(package) = package.filter(|package| !package.version.is_empty()) else { return };
    // The purl needs the version, which comes behind the name.
    let mut whole = declared(PackageType::Npm, &package.name, &package.version, file);
    whole.depends_on = names(package.depends_on);
    whole.digest = package.digest;
    found.add(file, whole);
}

fn read_pnpm(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    let mut seen = std::collections::BTreeSet::new();
    let mut needs: std::collections::HashMap<&str, Vec<String>> = std::collections::HashMap::new();
    for (key, entry) in object(&document, "snapshots").chain(object(&document, "packages")) {
        let inner = object(entry, "dependencies").chain(object(entry, "optionalDependencies"));
        needs.entry(without_peers(key)).or_default().extend(inner.map(|(name, _)| clip(name)));
    }
    for (key, entry) in object(&document, "packages") {
        let key = without_peers(key);
        let Some((name, version)) = pnpm_name(key) else { continue };
        // Packages from elsewhere than a registry have their name and version inside.
        let name = if text(entry, "name").is_empty() { name } else { text(entry, "name") };
        let version = if text(entry, "version").is_empty() { version } else { text(entry, "version") };
        if !seen.insert((name.to_owned(), version.to_owned())) {
            continue;
        }
        let mut package = declared(PackageType::Npm, name, version, file);
        package.depends_on = names(needs.get(key).into_iter().flatten().cloned());
        package.digest = entry.get("resolution").and_then(|resolution| integrity(text(resolution, "integrity")));
        found.add(file, package);
    }
}

/// `/name@1.0.0(peer@2)` without the peers.
fn without_peers(key: &str) -> &str {
    key.split('(').next().unwrap_or_default()
}

/// Version 9: `name@1.0.0`; version 6: `/name@1.0.0`; version 5: `/name/1.0.0_peer@2`.
fn pnpm_name(key: &str) -> Option<(&str, &str)> {
    let key = key.strip_prefix('/').unwrap_or(key);
    if let Some((name, version)) = split(key).filter(|(name, version)| {
        !version.contains('/') && name.matches('/').count() == usize::from(name.starts_with('@'))
    }) {
        return Some((name, version));
    }
    let (name, version) = key.split('_').next().unwrap_or_default().rsplit_once('/')?;
    version.starts_with(|c: char| c.is_ascii_digit()).then_some((name, version))
}

/// JSON with commas behind last entries, which YAML allows: `"name": ["name@1.0.0", "", { "dependencies": {} }, "sha512-"]`.
fn read_bun(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    for (_, entry) in object(&document, "packages") {
        let Some((name, version)) = entry.get(0).and_then(|text| split(text.as_str()?)) else { continue };
        if version.contains(':') {
            continue;
        }
        let mut package = declared(PackageType::Npm, name, version, file);
        let information = entry.as_array().into_iter().flatten().find(|value| value.is_object());
        let needs = information.into_iter().flat_map(|information| {
            ["dependencies", "optionalDependencies", "peerDependencies"]
                .into_iter()
                .flat_map(|key| object(information, key))
        });
        package.depends_on = names(needs.map(|(name, _)| clip(name)));
        package.digest = entry.as_array().and_then(|entry| integrity(entry.last()?.as_str()?));
        found.add(file, package);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn classic_yarn() {
        let lock = "# yarn lockfile v1\n\n\n\"@babel/code-frame@^7.0.0\", \"@babel/code-frame@^7.12.13\":\n  version \"7.22.5\"\n  \
                    resolved \"https://registry.yarnpkg.com/x.tgz#00\"\n  dependencies:\n    \"@babel/highlight\" \"^7.22.5\"\n    ms \"2\"\n\n\
                    old@npm:ms@2.0.0:\n  version \"2.0.0\"\n";
        assert_eq!(
            lines(&YARN, "yarn.lock", lock),
            ["pkg:npm/%40babel/code-frame@7.22.5 -> @babel/highlight, ms", "pkg:npm/ms@2.0.0"]
        );
    }

    #[test]
    fn berry() {
        let lock = "__metadata:\n  version: 6\n  cacheKey: 8\n\n\"app@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"app@workspace:.\"\n  \
                    dependencies:\n    ms: ^2\n\n\"@s/debug@npm:^4.3.1, @s/debug@npm:^4\":\n  version: 4.3.4\n  resolution: \"@s/debug@npm:4.3.4\"\n  \
                    dependencies:\n    \"@s/ms\": 2.1.2\n    ms: 2\n  checksum: 3d\n  languageName: node\n  linkType: hard\n";
        assert_eq!(lines(&YARN, "yarn.lock", lock), ["pkg:npm/%40s/debug@4.3.4 -> @s/ms, ms"]);
    }

    #[test]
    fn three_versions_of_pnpm() {
        let five = "lockfileVersion: 5.4\npackages:\n  /@s/a/1.0.0_b@2.0.0:\n    dependencies:\n      b: 2.0.0\n  /b/2.0.0:\n    dev: true\n";
        let expected = ["pkg:npm/%40s/a@1.0.0 -> b", "pkg:npm/b@2.0.0"];
        assert_eq!(lines(&PNPM, "pnpm-lock.yaml", five), expected);
        let six = "lockfileVersion: '6.0'\npackages:\n  /@s/a@1.0.0(b@2.0.0):\n    dependencies:\n      b: 2.0.0\n  /b@2.0.0:\n    dev: true\n";
        assert_eq!(lines(&PNPM, "pnpm-lock.yaml", six), expected);
        let nine = "lockfileVersion: '9.0'\npackages:\n  '@s/a@1.0.0':\n    resolution: {integrity: x}\n  b@2.0.0: {}\nsnapshots:\n  '@s/a@1.0.0(b@2.0.0)':\n    dependencies:\n      b: 2.0.0\n  b@2.0.0: {}\n";
        assert_eq!(lines(&PNPM, "pnpm-lock.yaml", nine), expected);
        assert_eq!(read(&PNPM, "pnpm-lock.yaml", "a: [").partial.len(), 1);
    }

    #[test]
    fn the_digests_of_the_lockfiles_are_kept() {
        const OF_NOTHING: &str = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let yarn = format!("a@^1:\n  version \"1.0.0\"\n  integrity {OF_NOTHING}\n");
        let pnpm =
            format!("lockfileVersion: '9.0'\npackages:\n  a@1.0.0:\n    resolution: {{integrity: {OF_NOTHING}}}\n");
        let bun = format!("{{\"packages\": {{\"a\": [\"a@1.0.0\", \"\", {{}}, \"{OF_NOTHING}\"]}}}}");
        let locks: [(&Reader, _, _); 3] =
            [(&YARN, "yarn.lock", yarn), (&PNPM, "pnpm-lock.yaml", pnpm), (&BUN, "bun.lock", bun)];
        for (reader, path, lock) in locks {
            let found = read(reader, path, lock);
            assert_eq!(found.packages[0].digest, Some(assay_model::Digest::of(b"")), "{path}");
        }
    }

    #[test]
    fn bun_with_its_commas() {
        let lock = "{\n  \"lockfileVersion\": 1,\n  \"workspaces\": { \"\": { \"name\": \"app\", }, },\n  \"packages\": {\n    \
                    \"debug\": [\"debug@4.3.4\", \"\", { \"dependencies\": { \"ms\": \"2.1.2\" } }, \"sha512-x==\"],\n    \
                    \"own\": [\"own@workspace:packages/own\"],\n  }\n}\n";
        assert_eq!(lines(&BUN, "bun.lock", lock), ["pkg:npm/debug@4.3.4 -> ms"]);
    }
}
