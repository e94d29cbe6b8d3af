//! The images of the attacks, in a throwaway repository.

use assay_model::{Digest, Repository};
use assay_oci::{Client, media_type};
use assay_sandbox::{BuiltImage, ImageBuilder};

use crate::Result;
use crate::failure::CliError;

/// The tag of what is pushed.
const TAG: &str = "drill";
/// What an image says of its system: that of a distribution without packages of its own.
const OS_RELEASE: &str = "ID=drill\nVERSION_ID=1\nPRETTY_NAME=\"assay drill\"\n";
/// Known by every feed for Maven as critical and exploited: CVE-2021-44228.
const LOG4J: (&str, &str) = (
    "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties",
    "groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n",
);
/// Known by every feed for npm as high: CVE-2021-23337.
const LODASH: &str = r#"{"name": "lodash", "version": "4.17.20"}"#;

/// What was pushed.
#[derive(Debug)]
pub(super) struct Images {
    repository: Repository,
    /// Holds nothing of note; nobody vouches for it.
    plain: Digest,
    /// Holds a secret that a later layer deletes.
    secret: Digest,
    /// Holds packages that are known to be vulnerable.
    vulnerable: Digest,
}

impl Images {
    /// Builds them anew, so that nobody has seen or promoted them before, and pushes them.
    pub(super) async fn push(client: &Client, repository: &Repository) -> Result<Self> {
        let failed = |message: String| CliError::Malformed { what: "an image of the drill".to_owned(), message };
        // A key that is made now and used for nothing is also what makes these images new.
        let key = rcgen::KeyPair::generate().map_err(|error| failed(error.to_string()))?.serialize_pem();
        let nonce = Digest::of(key.as_bytes()).to_string();
        let base = || ImageBuilder::new().layer([("etc/os-release", OS_RELEASE, 0o644), ("etc/drill", &*nonce, 0o644)]);
        let secret = base().layer([("root/.ssh/id_ecdsa", key.as_str(), 0o600)]);
        let secret = secret.layer([("opt/done", "yes\n", 0o644)]).whiteout("root/.ssh/id_ecdsa");
        let jar = stored_zip(LOG4J.0, LOG4J.1.as_bytes());
        let vulnerable = base().layer([("opt/app/log4j-core-2.14.1.jar", jar, 0o644)]).layer([(
            "opt/app/node_modules/lodash/package.json",
            LODASH,
            0o644,
        )]);
        let mut digests = Vec::new();
        for image in [secret.build(), vulnerable.build(), base().build()] {
            // The plain one comes last: the tag stays with it.
            digests.push(push(client, repository, &image).await?);
        }
        match digests.as_slice() {
            [secret, vulnerable, plain] => {
                Ok(Self { repository: repository.clone(), plain: *plain, secret: *secret, vulnerable: *vulnerable })
            }
            _ => Err(failed("was not pushed".to_owned()).into()),
        }
    }

    fn pinned(&self, digest: Digest) -> String {
        format!("{}@{digest}", self.repository)
    }

    pub(super) fn plain(&self) -> String {
        self.pinned(self.plain)
    }

    pub(super) fn secret(&self) -> String {
        self.pinned(self.secret)
    }

    pub(super) fn vulnerable(&self) -> String {
        self.pinned(self.vulnerable)
    }

    /// The plain one by its tag.
    pub(super) fn tagged(&self) -> String {
        format!("{}:{TAG}", self.repository)
    }

    /// The repository alone, which means the tag `latest`.
    pub(super) fn bare(&self) -> String {
        self.repository.to_string()
    }

    /// The plain one in a registry that nobody has, and nobody may allow (RFC 2606, section 2).
    pub(super) fn elsewhere(&self) -> String {
        format!("registry.invalid/drill/image@{}", self.plain)
    }
}

async fn push(client: &Client, repository: &Repository, image: &BuiltImage) -> Result<Digest> {
    for blob in image.blobs() {
        client.push_blob(repository, media_type::OCI_LAYER_GZIP, blob.clone()).await?;
    }
    for (media_type, bytes) in image.manifests() {
        client.push_manifest(repository, Some(TAG), media_type, bytes.clone()).await?;
    }
    Ok(image.digest())
}

/// A zip file of one stored file (PKWARE APPNOTE 6.3.9, sections 4.3.7, 4.3.12 and 4.3.16).
fn stored_zip(name: &str, content: &[u8]) -> Vec<u8> {
    let (size, length) = (content.len() as u32, name.len() as u16);
    let crc = crc32(content);
    // Version, flags, method 0 (stored), time and date.
    let common = [20u16, 0, 0, 0, 0x21].map(u16::to_le_bytes).concat();
    let sizes = [crc, size, size].map(u32::to_le_bytes).concat();
    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend([&common[..], &sizes, &length.to_le_bytes(), &[0; 2], name.as_bytes(), content].concat());
    let directory = zip.len() as u32;
    zip.extend([b"PK\x01\x02\x14\x00", &common[..], &sizes, &length.to_le_bytes(), &[0; 16], name.as_bytes()].concat());
    let end = zip.len() as u32 - directory;
    zip.extend([b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &end.to_le_bytes()[..], &directory.to_le_bytes(), &[0; 2]].concat());
    zip
}

/// CRC-32 (ISO 3309), bit by bit: there are a hundred bytes.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    /// The jar has to be read as one, or the attack shows nothing.
    #[test]
    fn the_vulnerable_layers_hold_what_they_say() {
        let jar = stored_zip(LOG4J.0, LOG4J.1.as_bytes());
        let image = ImageBuilder::new()
            .layer([("opt/app/log4j-core-2.14.1.jar", jar, 0o644)])
            .layer([("opt/app/node_modules/lodash/package.json", LODASH, 0o644)])
            .build();
        let layers = image.layers().iter().map(|layer| {
            let limits = assay_inspect::Limits::default();
            assay_inspect::inspect_layer(&layer[..], &Digest::of(layer), media_type::OCI_LAYER_GZIP, &limits).unwrap()
        });
        let contents = assay_inspect::merge(&layers.collect::<Vec<_>>(), None);
        let found: Vec<String> = contents.packages.iter().map(|own| format!("{} {}", own.name, own.version)).collect();
        assert!(found.iter().any(|own| own.contains("log4j-core 2.14.1")), "{found:?}");
        assert!(found.iter().any(|own| own == "lodash 4.17.20"), "{found:?}");
    }
}
