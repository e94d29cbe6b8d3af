//! A change of the data finds the images that it is about, and says of each what matching it again would say.

use std::collections::BTreeSet;

use assay_model::{Contents, Digest, PackageType, Timestamp};
use assay_vuln::PackageIndex;

use crate::contents::{built_from, contents, find, pack, package, release};

#[test]
fn the_index_says_what_matching_every_image_again_would_say() {
    let delta = pack(
        r#"{"id": "DEBIAN-CVE-2099-1", "upstream": ["CVE-2099-1"], "affected": [{"package": {"ecosystem": "Debian:12", "name": "zlib"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.3"}]}]}]}
           {"id": "PYSEC-2099-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "Zope.Interface"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]}]}
           {"id": "GHSA-aaaa-bbbb-cccc", "affected": [{"package": {"ecosystem": "Maven", "name": "org.a:core"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]}]}"#,
    );
    let zlib = |version: &str| {
        let mut zlib = built_from(package(PackageType::Deb, "zlib1g", version), "zlib", version);
        zlib.path = "var/lib/dpkg/status".into();
        zlib
    };
    let images: Vec<Contents> = (0..60)
        .map(|at| {
            let mut packages = vec![package(PackageType::Npm, &format!("p{at}"), "1.0.0")];
            if at % 2 == 0 {
                packages.push(zlib(if at % 3 == 0 { "1.2" } else { "1.3" }));
            }
            if at % 5 == 0 {
                packages.push(package(PackageType::Pypi, "zope_interface", "1.0"));
            }
            if at % 7 == 0 {
                packages.push(package(PackageType::Maven, "org.a:core", if at % 2 == 0 { "1.0" } else { "2.0" }));
            }
            contents(Some(release("debian", if at % 4 == 0 { "12" } else { "11" })), packages)
        })
        .collect();
    let digest = |at: usize| Digest::of(&at.to_le_bytes());
    let mut index = PackageIndex::new();
    for (at, image) in images.iter().enumerate() {
        index.insert(digest(at), image);
    }
    assert!(index.distinct() < 60 + 10, "shared packages are kept once: {}", index.distinct());
    let found = index.rematch(&delta, Timestamp::UNIX_EPOCH).unwrap();
    let ours: BTreeSet<(Digest, String, String)> = found
        .iter()
        .flat_map(|found| {
            let (id, name) = (found.finding.vulnerability.id.to_string(), found.finding.package.name.clone());
            found.images().map(move |image| (image, id.clone(), name.clone())).collect::<Vec<_>>()
        })
        .collect();
    let again: BTreeSet<(Digest, String, String)> = images
        .iter()
        .enumerate()
        .flat_map(|(at, image)| {
            let findings = find(&delta, image).vulnerabilities;
            findings
                .into_iter()
                .map(move |finding| (digest(at), finding.vulnerability.id.to_string(), finding.package.name))
        })
        .collect();
    assert!(again.len() > 10);
    let affected: BTreeSet<Digest> = ours.iter().map(|(image, _, _)| *image).collect();
    let in_order = images.iter().enumerate().map(|(at, _)| digest(at)).filter(|image| affected.contains(image));
    assert_eq!(index.images_of(&found), in_order.collect::<Vec<_>>());
    assert_eq!(ours, again);
    assert!(found.iter().all(|found| !found.finding.package.path.contains('!')));
}
