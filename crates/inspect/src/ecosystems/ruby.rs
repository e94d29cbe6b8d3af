//! Ruby gems: the specification of each installed one, and Bundler's lockfile.
//!
//! Sources: RubyGems, `Gem::Specification#to_ruby` (the form that installation writes); Bundler, `LockfileParser`.

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, clip, declared, installed, names, optional};

pub(crate) static INSTALLED: Reader =
    Reader::installed("Ruby gems", EvidenceTier::Installed, &["specifications/**/*.gemspec"], read_specification);
pub(crate) static LOCK: Reader = Reader::declared("Bundler lockfiles", &["Gemfile.lock", "gems.locked"], read_lock);

fn read_specification(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    // `s.name = "rack".freeze`: the receiver has any name.
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (_, rest) = line.trim_start().split_once('.')?;
            rest.strip_prefix(key)?.trim_start().strip_prefix('=').map(str::trim_start)
        })
    };
    let (Some(name), Some(version)) = (value("name").and_then(quoted), value("version").and_then(quoted)) else {
        // A gem of the interpreter may compute its own; Ruby records such ones in another file.
        return;
    };
    let mut package = installed(PackageType::Gem, name, version, file);
    let licences: Vec<&str> =
        value("licenses").or_else(|| value("license")).map(|text| all_quoted(text).collect()).unwrap_or_default();
    package.licence = optional(&licences.join(" OR "));
    package.supplier = value("authors").or_else(|| value("author")).and_then(quoted).and_then(optional);
    package.depends_on = names(text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(".add_runtime_dependency(").or_else(|| line.split_once(".add_dependency("))?;
        quoted(rest).map(clip)
    }));
    found.add(file, package);
}

/// The first string in quotes.
fn quoted(text: &str) -> Option<&str> {
    all_quoted(text).next()
}

fn all_quoted(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let at = rest.find(['"', '\''])?;
        let quote = rest.get(at..)?.chars().next()?;
        let inner = rest.get(at + 1..)?;
        let (value, behind) = inner.split_once(quote)?;
        rest = behind;
        Some(value)
    })
}

/// Sections (`GEM`, `GIT`, `PATH`) with `specs:`; a gem is indented by four blanks, what it needs by six.
fn read_lock(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let mut is_path = false;
    let mut open: Option<assay_model::Package> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        match (indent, line.trim()) {
            (0, section) => is_path = section == "PATH",
            (4, entry) if !is_path => {
                let Some((name, rest)) = entry.split_once(" (") else { continue };
                let version = rest.trim_end_matches(')');
                if let Some(done) = open.take() {
                    found.add(file, done);
                }
                // `1.16.0-x86_64-linux`: the version and the platform.
                let (version, platform) = version.split_once('-').unwrap_or((version, ""));
                let mut package = declared(PackageType::Gem, name, version, file);
                package.purl = package.purl.with_qualifier("platform", platform);
                open = Some(package);
            }
            (6, need) => {
                if let Some(package) = &mut open {
                    let name = clip(need.split(' ').next().unwrap_or_default().trim_end_matches('!'));
                    if package.depends_on.len() < crate::limits::DEPENDENCIES {
                        package.depends_on.push(name);
                    }
                }
            }
            _ => {}
        }
        if indent == 0
            && let Some(done) = open.take()
        {
            found.add(file, done);
        }
    }
    if let Some(done) = open {
        found.add(file, done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn an_installed_gem_is_known_by_its_specification() {
        let text = "# -*- encoding: utf-8 -*-\nGem::Specification.new do |s|\n  s.name = \"rack\".freeze\n  s.version = \"3.0.8\"\n\
                    \x20 s.authors = [\"Leah Neukirchen\".freeze]\n  s.licenses = [\"MIT\".freeze, \"BSD-2-Clause\"]\n\
                    \x20 s.add_runtime_dependency(%q<a>.freeze)\n  s.add_runtime_dependency(\"webrick\".freeze, [\"~> 1.8\"])\nend\n";
        let path = "usr/local/bundle/specifications/rack-3.0.8.gemspec";
        assert_eq!(lines(&INSTALLED, path, text), ["pkg:gem/rack@3.0.8 -> webrick"]);
        let found = read(&INSTALLED, path, text);
        assert_eq!(found.packages[0].licence.as_deref(), Some("MIT OR BSD-2-Clause"));
        assert_eq!(found.packages[0].supplier.as_deref(), Some("Leah Neukirchen"));
    }

    #[test]
    fn a_lockfile_lists_gems_and_what_they_need() {
        let lock = "PATH\n  remote: .\n  specs:\n    own (0.1)\n\nGEM\n  remote: https://rubygems.org/\n  specs:\n    \
                    nokogiri (1.16.0-x86_64-linux)\n      racc (~> 1.4)\n    racc (1.7.3)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  nokogiri\n\nBUNDLED WITH\n   2.5.3\n";
        assert_eq!(
            lines(&LOCK, "Gemfile.lock", lock),
            ["pkg:gem/nokogiri@1.16.0?platform=x86_64-linux -> racc", "pkg:gem/racc@1.7.3"]
        );
    }
}
