//! .NET packages: the dependency list that a build leaves beside its assemblies, and NuGet's lockfiles.
//!
//! Sources: .NET SDK, `runtime-configuration-file.md` (`*.deps.json`); NuGet, "PackageReference: locking dependencies" and
//! "packages.config".

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, clip, declared, installed, names, object, text};
use crate::xml;

pub(crate) static INSTALLED: Reader =
    Reader::installed(".NET dependencies", EvidenceTier::Installed, &["*.deps.json"], read_dependencies);
pub(crate) static LOCK: Reader = Reader::declared("NuGet lockfiles", &["packages.lock.json"], read_lock);
pub(crate) static CONFIG: Reader = Reader::declared("NuGet packages.config", &["packages.config"], read_config);

/// `libraries` names everything (`Name/1.0`); packages, and the runtime itself, are of these types. Projects are the
/// application's own.
fn read_dependencies(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.whole_json(file) else { return };
    let runtime = document.get("runtimeTarget").map(|target| text(target, "name")).unwrap_or_default();
    let target = document.get("targets").and_then(|targets| targets.get(runtime));
    for (key, library) in object(&document, "libraries") {
        let Some((name, version)) = key.split_once('/') else { continue };
        if !matches!(text(library, "type"), "package" | "runtimepack") {
            continue;
        }
        let mut package = installed(PackageType::Nuget, name.trim_start_matches("runtimepack."), version, file);
        let needs = target.and_then(|target| target.get(key));
        package.depends_on =
            names(needs.into_iter().flat_map(|needs| object(needs, "dependencies")).map(|(name, _)| clip(name)));
        found.add(file, package);
    }
}

fn read_lock(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.whole_json(file) else { return };
    let mut seen = std::collections::BTreeSet::new();
    for (_, framework) in object(&document, "dependencies") {
        for (name, entry) in framework.as_object().into_iter().flatten() {
            let version = text(entry, "resolved");
            if version.is_empty() || !seen.insert((name.clone(), version.to_owned())) {
                continue;
            }
            let mut package = declared(PackageType::Nuget, name, version, file);
            package.depends_on = names(object(entry, "dependencies").map(|(name, _)| clip(name)));
            found.add(file, package);
        }
    }
}

fn read_config(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let complete = xml::read(&text, &mut |event| {
        if let xml::Event::Start { name: "package", element } = event {
            let value = |key| xml::attribute(element, key).unwrap_or_default();
            if !value("id").is_empty() && !value("version").is_empty() {
                found.add(file, declared(PackageType::Nuget, &value("id"), &value("version"), file));
            }
        }
    });
    if !complete {
        found.malformed(file.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn packages_of_the_build_but_not_its_own_projects() {
        let json = r#"{"runtimeTarget":{"name":".NETCoreApp,Version=v8.0"},
            "targets":{".NETCoreApp,Version=v8.0":{"Serilog.Sinks.Console/5.0.0":{"dependencies":{"Serilog":"3.1.1"}}}},
            "libraries":{"App/1.0.0":{"type":"project"},"Serilog/3.1.1":{"type":"package"},
              "Serilog.Sinks.Console/5.0.0":{"type":"package"},
              "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1":{"type":"runtimepack"}}}"#;
        assert_eq!(
            lines(&INSTALLED, "app/App.deps.json", json),
            [
                "pkg:nuget/Microsoft.NETCore.App.Runtime.linux-x64@8.0.1",
                "pkg:nuget/Serilog.Sinks.Console@5.0.0 -> Serilog",
                "pkg:nuget/Serilog@3.1.1"
            ]
        );
        assert_eq!(read(&INSTALLED, "a.deps.json", "{").partial.len(), 1);
    }

    #[test]
    fn lockfiles_list_a_package_once_for_all_frameworks() {
        let entry = r#"{"A":{"type":"Direct","resolved":"1.0.0","dependencies":{"B":"2.0.0"}},"P":{"type":"Project"}}"#;
        let lock = format!(r#"{{"version":1,"dependencies":{{"net8.0":{entry},"net6.0":{entry}}}}}"#);
        assert_eq!(lines(&LOCK, "packages.lock.json", lock), ["pkg:nuget/A@1.0.0 -> B"]);
    }

    #[test]
    fn the_older_form_is_xml() {
        let text = r#"<?xml version="1.0"?><packages><package id="A&amp;B" version="1.2" targetFramework="net45" /></packages>"#;
        assert_eq!(lines(&CONFIG, "packages.config", text), ["pkg:nuget/A%26B@1.2"]);
        assert_eq!(read(&CONFIG, "packages.config", "<packages><package").partial.len(), 1);
    }
}
