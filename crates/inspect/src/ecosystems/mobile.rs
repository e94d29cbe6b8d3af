//! Lockfiles of Dart, Swift and CocoaPods.
//!
//! Sources: Dart, "pubspec.lock"; Swift Package Manager, `Package.resolved` (versions 1 to 3); CocoaPods, `Podfile.lock`.

use assay_model::PackageType;
use serde_json::Value;

use super::{File, Found, Reader, clip, declared, list, names, object, text};

pub(crate) static PUB: Reader = Reader::declared("Dart lockfiles", &["pubspec.lock"], read_pub);
pub(crate) static SWIFT: Reader = Reader::declared("Swift lockfiles", &["Package.resolved"], read_swift);
pub(crate) static PODS: Reader = Reader::declared("CocoaPods lockfiles", &["Podfile.lock"], read_pods);

fn read_pub(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    for (name, entry) in object(&document, "packages") {
        if matches!(text(entry, "source"), "hosted" | "git") {
            found.add(file, declared(PackageType::Pub, name, text(entry, "version"), file));
        }
    }
}

fn read_swift(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.whole_json(file) else { return };
    let old = document.get("object").map(|object| list(object, "pins")).unwrap_or_default();
    for pin in list(&document, "pins").iter().chain(old) {
        let location = [text(pin, "location"), text(pin, "repositoryURL")].concat();
        let Some(name) = repository(&location) else { continue };
        let Some(state) = pin.get("state") else { continue };
        let version = if text(state, "version").is_empty() { text(state, "revision") } else { text(state, "version") };
        found.add(file, declared(PackageType::Swift, &name, version, file));
    }
}

/// `host/owner/name` of the forms in which git writes a repository.
fn repository(location: &str) -> Option<String> {
    let rest = location.split_once("://").map_or(location, |(_, rest)| rest);
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let name = rest.trim_end_matches('/').trim_end_matches(".git").replacen(':', "/", 1);
    (name.split('/').count() >= 2).then_some(name)
}

/// `PODS` lists `Name (1.0)` or `Name/Part (1.0)`, with what each needs below it.
fn read_pods(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    let pod = |entry: &str| -> Option<(String, String)> {
        let (name, version) = entry.split_once(" (")?;
        Some((name.to_owned(), version.trim_end_matches(')').to_owned()))
    };
    let mut pods: std::collections::BTreeMap<(String, String), Vec<String>> = std::collections::BTreeMap::new();
    for entry in list(&document, "PODS") {
        let (key, needs): (&str, &[Value]) = match entry {
            Value::String(key) => (key, &[]),
            Value::Object(object) => match object.iter().next() {
                Some((key, needs)) => (key, needs.as_array().map(Vec::as_slice).unwrap_or_default()),
                None => continue,
            },
            _ => continue,
        };
        let Some((name, version)) = pod(key) else { continue };
        let root = |name: &str| clip(name.split([' ', '/']).next().unwrap_or_default());
        let own = root(&name);
        let needs = needs.iter().filter_map(Value::as_str).map(root).filter(|need| *need != own);
        // Parts of a pod are one pod.
        pods.entry((own.clone(), version)).or_default().extend(needs);
    }
    for ((name, version), needs) in pods {
        let mut package = declared(PackageType::Cocoapods, &name, &version, file);
        package.depends_on = names(needs);
        found.add(file, package);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::lines;

    #[test]
    fn dart_without_its_own_kit() {
        let lock = "packages:\n  async:\n    dependency: transitive\n    description:\n      name: async\n      url: \"https://pub.dev\"\n    source: hosted\n    version: \"2.11.0\"\n  flutter:\n    source: sdk\n    version: \"0.0.0\"\n";
        assert_eq!(lines(&PUB, "pubspec.lock", lock), ["pkg:pub/async@2.11.0"]);
    }

    #[test]
    fn swift_in_both_forms() {
        let two = r#"{"pins":[{"identity":"swift-nio","kind":"remoteSourceControl","location":"https://github.com/apple/swift-nio.git","state":{"revision":"ab","version":"2.62.0"}}],"version":2}"#;
        assert_eq!(lines(&SWIFT, "Package.resolved", two), ["pkg:swift/github.com/apple/swift-nio@2.62.0"]);
        let one = r#"{"object":{"pins":[{"package":"X","repositoryURL":"git@github.com:a/x.git","state":{"branch":null,"revision":"ab","version":null}}]},"version":1}"#;
        assert_eq!(lines(&SWIFT, "Package.resolved", one), ["pkg:swift/github.com/a/x@ab"]);
    }

    #[test]
    fn parts_of_a_pod_are_one() {
        let lock = "PODS:\n  - Alamofire (5.8.1)\n  - Moya (15.0.0):\n    - Moya/Core (= 15.0.0)\n  - Moya/Core (15.0.0):\n    - Alamofire (~> 5.0)\n";
        assert_eq!(
            lines(&PODS, "Podfile.lock", lock),
            ["pkg:cocoapods/Alamofire@5.8.1", "pkg:cocoapods/Moya@15.0.0 -> Alamofire"]
        );
    }
}
