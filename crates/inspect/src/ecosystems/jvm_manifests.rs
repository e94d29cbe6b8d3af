//! What Java builds declare: Maven's project files and Gradle's lockfile.
//!
//! Sources: Maven, "POM Reference" (dependencies, properties, dependency management); Gradle, "Locking dependency versions".
//! Parents and bills of materials that lie elsewhere are not fetched: what only they pin is not listed.

use std::collections::BTreeMap;

use assay_model::PackageType;

use super::{File, Found, Reader, declared};
use crate::xml;

pub(crate) static MAVEN: Reader = Reader::declared("Maven projects", &["pom.xml"], read_pom);
pub(crate) static GRADLE: Reader =
    Reader::declared("Gradle lockfiles", &["gradle.lockfile", "buildscript-gradle.lockfile"], read_gradle);

/// Properties inside properties that are followed.
const SUBSTITUTIONS: usize = 8;

#[derive(Clone, Default)]
struct Dependency {
    group: String,
    artifact: String,
    version: String,
}

#[derive(Default)]
struct Project {
    properties: BTreeMap<String, String>,
    managed: Vec<Dependency>,
    dependencies: Vec<Dependency>,
}

impl Project {
    fn parse(text: &str, limit: usize) -> Option<Self> {
        let mut project = Self::default();
        let mut place: Vec<String> = Vec::new();
        let mut open = Dependency::default();
        let whole = xml::read(text, &mut |event| match event {
            xml::Event::Start { name, .. } => place.push(name.to_owned()),
            xml::Event::Text(text) => {
                let value = || text.to_owned();
                let path: Vec<&str> = place.iter().map(String::as_str).collect();
                match path.as_slice() {
                    ["project", "properties", name] if project.properties.len() < limit => {
                        project.properties.insert((*name).to_owned(), value());
                    }
                    ["project", key @ ("version" | "groupId")] => {
                        project.properties.insert(format!("project.{key}"), value());
                    }
                    ["project", "parent", key @ ("version" | "groupId")] => {
                        project.properties.insert(format!("project.parent.{key}"), value());
                        project.properties.entry(format!("project.{key}")).or_insert_with(value);
                    }
                    [.., "dependencies", "dependency", "groupId"] => open.group = value(),
                    [.., "dependencies", "dependency", "artifactId"] => open.artifact = value(),
                    [.., "dependencies", "dependency", "version"] => open.version = value(),
                    _ => {}
                }
            }
            xml::Event::End(name) => {
                if name == "dependency" {
                    let done = std::mem::take(&mut open);
                    let path: Vec<&str> = place.iter().map(String::as_str).collect();
                    let list = match path.as_slice() {
                        ["project", "dependencies", _] => Some(&mut project.dependencies),
                        ["project", "dependencyManagement", "dependencies", _] => Some(&mut project.managed),
                        _ => None,
                    };
                    if let Some(list) = list.filter(|list| list.len() < limit) {
                        list.push(done);
                    }
                }
                place.pop();
            }
        });
        whole.then_some(project)
    }

    /// The text with `${name}` as its value; none where one is not known here.
    fn resolve(&self, text: &str) -> Option<String> {
        let mut text = text.to_owned();
        for _ in 0..SUBSTITUTIONS {
            let Some((before, rest)) = text.split_once("${") else { return Some(text) };
            let (name, behind) = rest.split_once('}')?;
            let name = name.strip_prefix("pom.").map_or_else(|| name.to_owned(), |name| format!("project.{name}"));
            text = format!("{before}{}{behind}", self.properties.get(&name)?);
            if text.len() > crate::limits::FIELD_BYTES {
                return None;
            }
        }
        None
    }
}

fn read_pom(file: &File<'_>, found: &mut Found) {
    let Some(project) = Project::parse(&file.text(), file.limits.packages) else { return found.malformed(file.path) };
    for dependency in &project.dependencies {
        let version = if dependency.version.is_empty() {
            let same =
                |managed: &&Dependency| managed.group == dependency.group && managed.artifact == dependency.artifact;
            project.managed.iter().find(same).map(|managed| managed.version.as_str()).unwrap_or_default()
        } else {
            &dependency.version
        };
        let parts =
            (project.resolve(&dependency.group), project.resolve(&dependency.artifact), project.resolve(version));
        let (Some(group), Some(artifact), Some(version)) = parts else { continue };
        // Ranges declare nothing exact.
        if version.is_empty() || version.contains(['[', '(', ',']) || group.is_empty() || artifact.is_empty() {
            continue;
        }
        found.add(file, declared(PackageType::Maven, &format!("{group}:{artifact}"), &version, file));
    }
}

/// `group:artifact:version=configuration,configuration`
fn read_gradle(file: &File<'_>, found: &mut Found) {
    for line in file.text().lines().filter(|line| !line.starts_with('#')) {
        let coordinates = line.split('=').next().unwrap_or_default();
        if let Some((name, version)) = coordinates.rsplit_once(':').filter(|(name, _)| name.contains(':')) {
            found.add(file, declared(PackageType::Maven, name, version.trim(), file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn a_project_resolves_its_own_properties() {
        let pom = r"<project xmlns='http://maven.apache.org/POM/4.0.0'><parent><groupId>org.own</groupId><version>7</version></parent>
            <properties><jackson>2.15.${minor}</jackson><minor>3</minor><circle>${circle}</circle></properties>
            <dependencyManagement><dependencies><dependency><groupId>a</groupId><artifactId>managed</artifactId>
              <version>1.0</version></dependency></dependencies></dependencyManagement>
            <dependencies>
              <dependency><groupId>com.fasterxml</groupId><artifactId>databind</artifactId><version>${jackson}</version>
                <exclusions><exclusion><groupId>no</groupId><artifactId>no</artifactId></exclusion></exclusions></dependency>
              <dependency><groupId>a</groupId><artifactId>managed</artifactId></dependency>
              <dependency><groupId>${project.groupId}</groupId><artifactId>sibling</artifactId><version>${project.version}</version></dependency>
              <dependency><groupId>a</groupId><artifactId>unknown</artifactId><version>${elsewhere}</version></dependency>
              <dependency><groupId>a</groupId><artifactId>endless</artifactId><version>${circle}</version></dependency>
              <dependency><groupId>a</groupId><artifactId>range</artifactId><version>[1,2)</version></dependency>
            </dependencies></project>";
        assert_eq!(
            lines(&MAVEN, "pom.xml", pom),
            ["pkg:maven/a/managed@1.0", "pkg:maven/com.fasterxml/databind@2.15.3", "pkg:maven/org.own/sibling@7"]
        );
        assert_eq!(read(&MAVEN, "pom.xml", "<project>").partial.len(), 1);
    }

    #[test]
    fn gradle_locks_coordinates() {
        let lock = "# This is a Gradle generated file\norg.slf4j:slf4j-api:2.0.9=compileClasspath,runtimeClasspath\nempty=annotationProcessor\n";
        assert_eq!(lines(&GRADLE, "gradle.lockfile", lock), ["pkg:maven/org.slf4j/slf4j-api@2.0.9"]);
    }
}
