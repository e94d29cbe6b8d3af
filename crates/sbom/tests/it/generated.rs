//! Contents for the other tests: one small by hand, and any number generated.

use assay_model::{
    Bound, Contents, Digest, EvidenceTier, Layer, OsRelease, Package, PackageType, Partial, Purl, Repository,
    SourcePackage,
};
use assay_sbom::{Format, Generation, Lifecycle, Root, write};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) fn document(contents: &Contents, root: &Root, format: Format) -> Vec<u8> {
    let generation = Generation {
        tool_version: "0.1.0",
        created: "2026-11-21T08:00:00Z".parse().unwrap(),
        lifecycle: Lifecycle::PostBuild,
    };
    let mut bytes = Vec::new();
    write(&mut bytes, contents, root, &generation, format).unwrap();
    bytes
}

pub(crate) fn image() -> Root {
    let repository = Repository::new("registry.example.com", "payments/api").unwrap();
    Root::image(&repository, Digest::of(b"manifest"), Some("1.18"))
}

fn layer(name: &str) -> Layer {
    Layer {
        digest: Digest::of(name.as_bytes()),
        diff_id: Digest::of(format!("{name}.tar").as_bytes()),
        size: 42,
        created_by: None,
    }
}

pub(crate) fn package(kind: PackageType, namespace: Option<&str>, name: &str, version: &str, path: &str) -> Package {
    let purl = Purl::new(kind.purl_type(), namespace, name, Some(version));
    let separator = if kind == PackageType::Maven { ':' } else { '/' };
    let full = match namespace.filter(|_| !kind.is_distribution()) {
        Some(namespace) => format!("{namespace}{separator}{name}"),
        None => name.to_owned(),
    };
    Package {
        kind,
        name: full,
        version: version.into(),
        source: None,
        architecture: None,
        licence: None,
        supplier: None,
        purl,
        tier: EvidenceTier::Installed,
        path: path.into(),
        digest: None,
        layer: None,
        depends_on: Vec::new(),
    }
}

/// A Debian slice with a dependency, a scoped npm package and a jar inside a jar; partial.
pub(crate) fn small() -> Contents {
    let mut bash = package(PackageType::Deb, Some("debian"), "bash", "5.2.15-2+b2", "var/lib/dpkg/status");
    bash.purl = bash.purl.with_qualifier("arch", "amd64").with_qualifier("distro", "debian-12");
    bash.architecture = Some("amd64".into());
    bash.licence = Some("GPL-3+ and others".into());
    bash.supplier = Some("Matthias Klose <doko@debian.org>".into());
    bash.source = Some(SourcePackage { name: "bash".into(), version: "5.2.15-2".into() });
    bash.tier = EvidenceTier::PackageDatabase;
    bash.layer = Some(0);
    bash.depends_on = vec!["libc6".into()];
    let libc = Package { depends_on: vec![], source: None, ..bash.clone() };
    let libc = Package {
        name: "libc6".into(),
        purl: Purl::new("deb", Some("debian"), "libc6", Some("2.36-9")).with_qualifier("arch", "amd64"),
        version: "2.36-9".into(),
        licence: Some("LGPL-2.1-only AND LicenseRef-glibc".into()),
        ..libc
    };
    let mut pad =
        package(PackageType::Npm, Some("@scope"), "left-pad", "1.3.0", "app/node_modules/@scope/left-pad/package.json");
    pad.licence = Some("MIT OR WTFPL".into());
    pad.layer = Some(1);
    let mut jar = package(PackageType::Maven, Some("org.example"), "inner", "2.0", "app/outer.jar!inner.jar");
    jar.tier = EvidenceTier::ArchiveMetadata;
    jar.digest = Some(Digest::of(b"jar"));
    jar.layer = Some(1);
    Contents {
        os: Some(OsRelease {
            id: "debian".into(),
            version_id: Some("12".into()),
            pretty_name: Some("Debian GNU/Linux 12 (bookworm)".into()),
            id_like: vec![],
        }),
        packages: vec![bash, libc, pad, jar],
        layers: vec![layer("base"), layer("app")],
        partial: vec![Partial { what: "app/bomb.gz".into(), bound: Bound::Ratio }],
        ..Contents::default()
    }
}

fn any_kind() -> impl Strategy<Value = PackageType> {
    proptest::sample::select(PackageType::ALL.to_vec())
}

fn any_tier() -> impl Strategy<Value = EvidenceTier> {
    use EvidenceTier::{ArchiveMetadata, Declared, Heuristic, Installed, PackageDatabase};
    proptest::sample::select(vec![PackageDatabase, Installed, ArchiveMetadata, Declared, Heuristic])
}

/// The namespace, or another choice where packages of this type have none, or always have one.
fn allowed(kind: PackageType, namespace: Option<&str>) -> Option<&str> {
    let is_one = |namespace| Purl::new(kind.purl_type(), namespace, "a", Some("1")).to_string().parse::<Purl>().is_ok();
    [namespace, None, Some("a")].into_iter().find(|&namespace| is_one(namespace)).unwrap()
}

prop_compose! {
    /// Few names, so that packages share names, purls and dependencies.
    fn any_package()(
        kind in any_kind(),
        (namespace, name, version) in (option::of("[a-c]{1,2}"), "[a-e]", "[0-9]{1,2}(\\.[0-9])?"),
        path in "[a-c]{1,2}(/[a-c%\\n=\"é]{1,3}){0,3}",
        licence in option::of(proptest::sample::select(vec!["MIT", "GPL-2.0-only OR MIT", "Custom <x>", "LicenseRef-x"])),
        supplier in option::of("[A-Z][a-zé <>@\"]{0,10}[a-z]"),
        (source, architecture) in (option::of(("[a-d]", "[0-9]")), option::of("[a-z]{3}")),
        tier in any_tier(),
        digest in option::of("[ab]"),
        layer in option::of(0_usize..2),
        depends_on in vec("[a-f]", 0..4),
    ) -> Package {
        Package {
            source: source.map(|(name, version)| SourcePackage { name, version }),
            licence: licence.map(str::to_owned),
            supplier,
            architecture,
            tier,
            digest: digest.map(|text| Digest::of(text.as_bytes())),
            layer,
            depends_on,
            ..package(kind, allowed(kind, namespace.as_deref()), &name, &version, &path)
        }
    }
}

prop_compose! {
    pub(crate) fn any_contents()(
        mut packages in vec(any_package(), 0..12),
        has_os in any::<bool>(),
        partial in vec("[a-z/ ]{1,9}", 0..2),
    ) -> Contents {
        packages.sort();
        packages.dedup();
        Contents {
            packages,
            os: has_os.then(|| OsRelease {
                id: "alpine".into(),
                version_id: Some("3.20.1".into()),
                pretty_name: None,
                id_like: vec!["a".into(), "b".into()],
            }),
            layers: vec![layer("0"), layer("1")],
            partial: partial.into_iter().map(|what| Partial { what, bound: Bound::Bytes }).collect(),
            ..Contents::default()
        }
    }
}
