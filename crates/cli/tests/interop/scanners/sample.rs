//! What the documents are about: the slices of real package records that inspection is tried with, each as an image, and all
//! that go together as one.

use assay_model::Digest;
use assay_sandbox::ImageBuilder;
use serde_json::json;

use crate::home::Home;

type Files = Vec<(String, Vec<u8>)>;

/// Something to describe.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    /// As Assay takes it.
    pub(crate) target: String,
}

impl Sample {
    /// All of them.
    pub(crate) fn all(home: &Home) -> Vec<Self> {
        let images = [
            ("alpine", alpine()),
            ("debian", debian()),
            ("rpm-sqlite", rpm("var/lib/rpm/rpmdb.sqlite", "rpm/rpmdb.sqlite")),
            ("rpm-ndb", rpm("usr/lib/sysimage/rpm/Packages.db", "rpm/Packages.db")),
            ("node", node()),
            ("python", python()),
            ("java", java()),
        ];
        let mut all: Vec<Self> = images.into_iter().map(|(name, files)| Self::image(home, name, files)).collect();
        all.push(Self::of_everything(home));
        all.push(Self::sources(home));
        all
    }

    /// An image of Debian with packages of seven languages.
    pub(crate) fn of_everything(home: &Home) -> Self {
        let mut files = debian();
        for more in [node(), python(), java(), others()] {
            files.extend(more);
        }
        Self::image(home, "everything", files)
    }

    /// A folder of lockfiles.
    fn sources(home: &Home) -> Self {
        for (path, content) in LOCKFILES {
            home.file(&format!("sources/{path}"), content);
        }
        Self { name: "sources", target: "dir:sources".to_owned() }
    }

    /// An OCI layout in the home folder.
    fn image(home: &Home, name: &'static str, files: Files) -> Self {
        let image = ImageBuilder::new().layer(files.iter().map(|(path, bytes)| (path, bytes, 0o644))).build();
        for blob in image.blobs().iter().chain([image.manifest()]) {
            home.file(&format!("{name}/blobs/sha256/{}", Digest::of(blob).hex()), blob);
        }
        let index = json!({ "schemaVersion": 2, "manifests": [{
            "mediaType": image.media_type(), "digest": image.digest().to_string(), "size": image.manifest().len(),
        }] });
        home.file(&format!("{name}/oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#);
        home.file(&format!("{name}/index.json"), index.to_string());
        Self { name, target: format!("oci:{name}") }
    }

    /// The folder of the image.
    pub(crate) fn layout(&self) -> &str {
        self.target.strip_prefix("oci:").unwrap()
    }
}

fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/../inspect/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn file(path: &str, content: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (path.to_owned(), content.into())
}

fn alpine() -> Files {
    vec![file("etc/os-release", data("alpine/os-release")), file("lib/apk/db/installed", data("alpine/installed"))]
}

fn debian() -> Files {
    vec![
        file("etc/os-release", data("debian/os-release")),
        file("var/lib/dpkg/status", data("debian/status")),
        file("var/lib/dpkg/info/bash.list", data("debian/bash.list")),
    ]
}

fn rpm(path: &str, database: &str) -> Files {
    vec![file("etc/os-release", data("rpm/os-release")), file(path, data(database))]
}

fn node() -> Files {
    let tree: std::collections::BTreeMap<String, String> = serde_json::from_slice(&data("node/tree.json")).unwrap();
    tree.into_iter().map(|(path, content)| file(&format!("app/{path}"), content)).collect()
}

fn python() -> Files {
    let site = "usr/local/lib/python3.11/site-packages";
    vec![
        file(&format!("{site}/markdown-3.11.3.dist-info/METADATA"), data("python/markdown.METADATA")),
        file(&format!("{site}/platformdirs-4.14.5.dist-info/METADATA"), data("python/platformdirs.METADATA")),
    ]
}

fn java() -> Files {
    vec![
        file("opt/lib/slf4j-nop.jar", data("java/slf4j-nop.jar")),
        file("opt/lib/guice-multibindings-4.2.3.jar", data("java/guice-multibindings.jar")),
    ]
}

/// Ruby, PHP, .NET.
fn others() -> Files {
    let gem = "Gem::Specification.new do |s|\n  s.name = \"rack\".freeze\n  s.version = \"2.2.3\"\n  \
               s.licenses = [\"MIT\".freeze]\nend\n";
    let composer =
        r#"{"packages": [{"name": "monolog/monolog", "version": "2.9.1", "type": "library"}], "dev": false}"#;
    let deps = r#"{"runtimeTarget": {"name": ".NETCoreApp,Version=v8.0"}, "targets": {".NETCoreApp,Version=v8.0": {
        "Newtonsoft.Json/13.0.1": {"runtime": {"lib/Newtonsoft.Json.dll": {}}}}},
        "libraries": {"Newtonsoft.Json/13.0.1": {"type": "package", "serviceable": true, "sha512": ""}}}"#;
    vec![
        file("usr/lib/ruby/gems/3.1.0/specifications/rack-2.2.3.gemspec", gem),
        file("srv/vendor/composer/installed.json", composer),
        file("srv/app.deps.json", deps),
    ]
}

const LOCKFILES: [(&str, &str); 7] = [
    (
        "go/go.mod",
        "module example.com/shop\n\ngo 1.24\n\nrequire (\n\tgolang.org/x/net v0.38.0\n\tgithub.com/Masterminds/semver/v3 v3.3.1\n)\n",
    ),
    (
        "rust/Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"memchr\"\nversion = \"2.7.4\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
         checksum = \"78ca9ab1a0babb1e7d5695e3530886289c18cf2f87ec19a575a0abdce112e3a3\"\n",
    ),
    ("python/requirements.txt", "Jinja2==3.1.4\nzope.interface==6.1\n"),
    (
        "node/package-lock.json",
        r#"{"lockfileVersion": 3, "packages": {"node_modules/minimist": {"version": "1.2.8"},
            "node_modules/@scope/name": {"version": "1.0.0-rc.1+build.5"}}}"#,
    ),
    ("ruby/Gemfile.lock", "GEM\n  remote: https://rubygems.org/\n  specs:\n    rack (2.2.3)\n\nDEPENDENCIES\n  rack\n"),
    ("php/composer.lock", r#"{"packages": [{"name": "monolog/monolog", "version": "2.9.1"}], "packages-dev": []}"#),
    (
        "dart/pubspec.lock",
        "packages:\n  http:\n    dependency: \"direct main\"\n    description: {name: http, url: \"https://pub.dev\"}\n    \
         source: hosted\n    version: \"1.2.1\"\nsdks: {dart: \">=3.0.0 <4.0.0\"}\n",
    ),
];
