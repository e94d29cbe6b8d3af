//! .NET packages: the dependency list that a build leaves beside its assemblies, NuGet's lockfiles,
//! and what assemblies say of themselves.
//!
//! Sources: .NET SDK, `runtime-configuration-file.md` (`*.deps.json`); NuGet, "PackageReference: locking dependencies" and
//! "packages.config".

use std::collections::BTreeSet;

use assay_model::{EvidenceTier, PackageType, SuppressionReason};

use super::{About, Ecosystem, File, Found, Reader, clip, declared, installed, names, object, optional, package, text};
use crate::layer::Says;
use crate::merge::{LeftOut, Placed};
use crate::{path, pe, xml};

pub(crate) static INSTALLED: Reader =
    Reader::installed(".NET dependencies", EvidenceTier::Installed, &["*.deps.json"], read_dependencies);
pub(crate) static LOCK: Reader = Reader::declared("NuGet lockfiles", &["packages.lock.json"], read_lock);
pub(crate) static CONFIG: Reader = Reader::declared("NuGet packages.config", &["packages.config"], read_config);

/// Libraries and programs of .NET by what their version resource says, where no dependency list stands beside them.
pub(crate) struct Assemblies;

const ASSEMBLIES: About = About::installed(".NET assemblies", EvidenceTier::Heuristic, &["*.dll", "*.exe"]);

/// The runtime and the SDK bring hundreds of assemblies; a dependency list of their own says what they are.
const OF_THE_RUNTIME: [&str; 3] = ["shared/Microsoft.", "sdk/", "packs/Microsoft."];

impl Ecosystem for Assemblies {
    fn about(&self) -> &About {
        &ASSEMBLIES
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let Some(texts) = pe::version_texts(file.bytes) else { return };
        let text = |key: &str| texts.get(key).map(String::as_str).filter(|text| !text.is_empty());
        // `13.0.3+0a2e291c`: behind the plus sign is the commit.
        let Some(version) = text("ProductVersion").or_else(|| text("FileVersion")) else { return };
        let version = version.split(['+', ' ', ',']).next().unwrap_or_default();
        let own = path::split(file.path).1;
        let name = text("InternalName").or_else(|| text("OriginalFilename")).unwrap_or(own);
        let is_end = |end: &&&str| name.len() > end.len() && name.to_ascii_lowercase().ends_with(**end);
        let name =
            [".dll", ".exe"].iter().find(is_end).map_or(name, |end| name.get(..name.len() - end.len()).unwrap_or(name));
        if !version.starts_with(|first: char| first.is_ascii_digit()) {
            return;
        }
        let mut package = package(PackageType::Nuget, name, version, EvidenceTier::Heuristic, file.path);
        package.supplier = text("CompanyName").and_then(optional);
        found.add(file, package);
    }

    /// Where a dependency list lies in the folder or above it, that is the better sign.
    fn settle(&self, facts: &mut Vec<Placed>, left_out: &mut LeftOut) {
        let lists: BTreeSet<String> = facts
            .iter()
            .filter(|fact| fact.path.ends_with(".deps.json"))
            .map(|fact| path::split(&fact.path).0.to_owned())
            .collect();
        for fact in facts {
            let Says::Packages(packages) = &mut fact.says else { continue };
            packages.retain(|package| {
                if package.kind != PackageType::Nuget || package.tier != EvidenceTier::Heuristic {
                    return true;
                }
                let list = path::ancestors(&package.path).find(|folder| lists.contains(*folder));
                let runtime = OF_THE_RUNTIME.iter().any(|folder| package.path.contains(folder));
                if list.is_some() || runtime {
                    left_out.add(package, fact.layer, SuppressionReason::StrongerSign, list);
                }
                list.is_none() && !runtime
            });
        }
    }
}

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
    fn an_assembly_says_what_it_is_where_no_list_stands_beside_it() {
        let library = pe::testing::library(&[
            ("CompanyName", "Newtonsoft"),
            ("ProductVersion", "13.0.3+0a2e291c"),
            ("InternalName", "Newtonsoft.Json.dll"),
        ]);
        let found = read(&Assemblies, "app/Newtonsoft.Json.dll", &library);
        assert_eq!(found.packages[0].purl.to_string(), "pkg:nuget/Newtonsoft.Json@13.0.3");
        assert_eq!(found.packages[0].supplier.as_deref(), Some("Newtonsoft"));
        assert!(read(&Assemblies, "app/native.dll", b"MZ").is_empty(), "what is not managed is no package");

        let placed = |file: &str| Placed {
            layer: None,
            path: file.to_owned(),
            owner: None,
            says: Says::Packages(read(&Assemblies, file, &library).packages),
        };
        let list =
            Placed { layer: None, path: "app/App.deps.json".into(), owner: None, says: Says::Packages(Vec::new()) };
        let runtime = "usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1/System.Xml.dll";
        let mut facts =
            vec![list, placed("app/lib/Newtonsoft.Json.dll"), placed("other/Newtonsoft.Json.dll"), placed(runtime)];
        Assemblies.settle(&mut facts, &mut LeftOut::default());
        let left: Vec<usize> =
            facts.iter().map(|fact| if let Says::Packages(list) = &fact.says { list.len() } else { 0 }).collect();
        assert_eq!(left, [0, 0, 1, 0]);
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
