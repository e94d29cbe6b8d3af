//! A digest that is not the release's: what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assay_gather::{Access, Gatherer, Wanted};
use assay_kinds::ReleaseImage;
use assay_model::{Contents, Digest, Reference};
use serde::Serialize;

use crate::Result;
use crate::session::Session;

/// Two digests where there should be one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rebuilt {
    /// The release's digest.
    pub(crate) released: Digest,
    /// What was offered in its place.
    pub(crate) offered: Digest,
    /// Where that is.
    pub(crate) image: String,
    /// What differs, where both could be inspected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) difference: Option<Difference>,
    /// Why not, where they could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unknown: Option<String>,
}

/// What differs between two images.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Difference {
    /// Layers of the release.
    pub(crate) layers: usize,
    /// Those of them that the other image has too.
    pub(crate) shared_layers: usize,
    /// Packages that the other image has more, `name version`.
    pub(crate) added: Vec<String>,
    /// Packages that it lacks.
    pub(crate) removed: Vec<String>,
    /// Packages in another version, `name old -> new`.
    pub(crate) changed: Vec<String>,
}

/// Inspects both and compares them. That they differ is certain; what differs may not be found out.
pub(super) fn compare(released: &ReleaseImage, offered: &Reference, session: &Session<'_>) -> Result<Rebuilt> {
    let gatherer = session.gatherer(Vec::new(), session.existing_store()?)?;
    let access = session.access()?;
    let before = offered_as(released)?;
    let contents = session.run(async {
        Ok(tokio::join!(contents(&gatherer, &access, &before), contents(&gatherer, &access, offered)))
    })?;
    let (difference, unknown) = match contents {
        (Ok(before), Ok(after)) => (Some(difference(&before, &after)), None),
        (Err(why), _) | (_, Err(why)) => (None, Some(why)),
    };
    let digest = offered.digest().unwrap_or(released.digest);
    Ok(Rebuilt { released: released.digest, offered: digest, image: offered.to_string(), difference, unknown })
}

fn offered_as(image: &ReleaseImage) -> Result<Reference> {
    Ok(format!("{}@{}", image.repository, image.digest).parse::<Reference>()?)
}

async fn contents(
    gatherer: &Gatherer,
    access: &Access,
    reference: &Reference,
) -> std::result::Result<Arc<Contents>, String> {
    let wanted = Wanted { evidence: false, ..Wanted::default() };
    let facts = gatherer.facts(access, reference, &wanted).await;
    let facts = facts.get().map_err(|cause| cause.message.clone())?;
    let first = facts.first().ok_or_else(|| format!("there is no image in {reference}"))?;
    first.contents.get().map(Arc::clone).map_err(|cause| cause.message.clone())
}

fn difference(before: &Contents, after: &Contents) -> Difference {
    let layers = |contents: &Contents| contents.layers.iter().map(|layer| layer.digest).collect::<BTreeSet<_>>();
    let (had, has) = (packages(before), packages(after));
    let mut difference = Difference {
        layers: before.layers.len(),
        shared_layers: layers(before).intersection(&layers(after)).count(),
        ..Difference::default()
    };
    for (key, versions) in &had {
        let name = &key.1;
        match has.get(key) {
            None => difference.removed.push(format!("{name} {}", joined(versions))),
            Some(now) if now != versions => {
                difference.changed.push(format!("{name} {} -> {}", joined(versions), joined(now)));
            }
            Some(_) => {}
        }
    }
    let added = has.iter().filter(|(key, _)| !had.contains_key(*key));
    difference.added = added.map(|((_, name), versions)| format!("{name} {}", joined(versions))).collect();
    difference
}

type Packages<'c> = BTreeMap<(&'static str, &'c str), BTreeSet<&'c str>>;

fn packages(contents: &Contents) -> Packages<'_> {
    let mut packages = Packages::new();
    for package in &contents.packages {
        packages.entry((package.kind.purl_type(), &package.name)).or_default().insert(&package.version);
    }
    packages
}

fn joined(versions: &BTreeSet<&str>) -> String {
    versions.iter().copied().collect::<Vec<_>>().join(", ")
}
