//! The images of the attacks, in a throwaway repository.

use std::io::{Cursor, Write as _};

use assay_model::{Digest, Repository};
use assay_oci::{Client, media_type};
use assay_sandbox::{BuiltImage, ImageBuilder};
use zip::CompressionMethod;
use zip::result::ZipResult;
use zip::write::{SimpleFileOptions, ZipWriter};

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
        let jar = stored_zip(LOG4J.0, LOG4J.1.as_bytes()).map_err(|error| failed(error.to_string()))?;
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

/// A zip file of one stored file.
fn stored_zip(name: &str, content: &[u8]) -> ZipResult<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, SimpleFileOptions::default().compression_method(CompressionMethod::Stored))?;
    writer.write_all(content)?;
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The jar has to be read as one, or the attack shows nothing.
    #[test]
    fn the_vulnerable_layers_hold_what_they_say() {
        let jar = stored_zip(LOG4J.0, LOG4J.1.as_bytes()).unwrap();
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
