//! A vulnerability pack whose checksum fits and whose tables need not: mutations of a real one.
#![no_main]

use assay_model::{Contents, Digest, EvidenceTier, Package, PackageType, Purl, Timestamp};
use assay_vuln::Pack;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() < 64 {
        return;
    }
    let mut bytes = bytes.to_vec();
    // What the checksum refuses is refused; behind it everything is read.
    let digest = Digest::of(&bytes[48..]).hex();
    for (at, pair) in digest.as_bytes().chunks_exact(2).enumerate().take(32) {
        let text = std::str::from_utf8(pair).unwrap_or_default();
        bytes[16 + at] = u8::from_str_radix(text, 16).unwrap_or_default();
    }
    let Ok(pack) = Pack::from_bytes(bytes) else { return };
    let package = |kind: PackageType, name: &str| Package {
        kind,
        purl: Purl::new(kind.purl_type(), None, name, Some("1.0.0")),
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        source: None,
        architecture: None,
        licence: None,
        supplier: None,
        tier: EvidenceTier::Installed,
        path: "file".to_owned(),
        digest: None,
        layer: None,
        depends_on: Vec::new(),
    };
    let packages = vec![package(PackageType::Npm, "lodash"), package(PackageType::Pypi, "jinja2")];
    let contents = Contents { packages, ..Contents::default() };
    let _ = pack.match_contents(&contents, Timestamp::UNIX_EPOCH);
    for name in ["CVE-2019-10744", "CVE-2019-10906"] {
        let _ = pack.advisories(name);
    }
});
