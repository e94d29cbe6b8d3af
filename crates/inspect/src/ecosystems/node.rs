//! The Node.js runtime, from the header file that its archives bring along.

use assay_model::{EvidenceTier, PackageType};

use super::{About, Ecosystem, File, Found, package};

pub(crate) struct Node;

const ABOUT: About =
    About::installed("Node.js header files", EvidenceTier::ArchiveMetadata, &["include/node/node_version.h"]);

impl Ecosystem for Node {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let text = file.text();
        let number = |part: &str| {
            text.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                let defines = words.next() == Some("#define") && words.next()? == format!("NODE_{part}_VERSION");
                words.next().filter(|_| defines)?.parse::<u32>().ok()
            })
        };
        if let (Some(major), Some(minor), Some(patch)) = (number("MAJOR"), number("MINOR"), number("PATCH")) {
            let version = format!("{major}.{minor}.{patch}");
            found.packages.push(package(
                PackageType::Generic,
                "node",
                &version,
                EvidenceTier::ArchiveMetadata,
                file.path,
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn the_three_numbers_make_the_version() {
        let bytes = b"#define NODE_MAJOR_VERSION 18\n#define NODE_MINOR_VERSION 20\n#define NODE_PATCH_VERSION 0\n";
        let mut found = Found::default();
        Node.read(&File { path: "usr/include/node/node_version.h", bytes, limits: &Limits::default() }, &mut found);
        assert_eq!(found.packages[0].purl.to_string(), "pkg:generic/node@18.20.0");
    }
}
