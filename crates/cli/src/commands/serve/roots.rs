//! Trusted roots over TUF, renewed beside the server. A repository that fails never stops an admission: the last good
//! root stays in use, and its expiry is a metric.

use std::collections::BTreeMap;
use std::time::Duration;

use assay_model::{Digest, Timestamp};
use assay_server::TrustRootStatus;
use assay_sign::{RefresherHandle, RootRefresher, RootState};

use crate::commands::policies::TufSource;

/// The repositories that are asked in the background, by the name of their instance.
#[derive(Debug, Default)]
pub(super) struct Roots {
    followed: BTreeMap<String, Followed>,
}

#[derive(Debug)]
struct Followed {
    handle: RefresherHandle,
    mirror: String,
    every: Duration,
    /// The trusted root that is in use, or could not be taken.
    seen: Option<Digest>,
    failing: bool,
}

impl Roots {
    /// Asks these repositories from now on, and no others. Must be called within a tokio runtime.
    pub(super) fn follow(&mut self, sources: Vec<TufSource>) {
        let mut before = std::mem::take(&mut self.followed);
        for TufSource { client, every, read } in sources {
            let (name, mirror) = (client.instance().name().to_owned(), client.instance().mirror().to_owned());
            // Two objects may name one instance: it is asked once.
            if self.followed.contains_key(&name) {
                continue;
            }
            // What has been seen of a repository that is followed already stays: a root that could not be taken
            // would be news at every call otherwise.
            let same = before.remove(&name).filter(|known| known.mirror == mirror && known.every == every);
            let followed = same.unwrap_or_else(|| {
                let handle = RootRefresher::new(client, every).spawn(Timestamp::now);
                Followed { handle, mirror, every, seen: read, failing: false }
            });
            self.followed.insert(name, followed);
        }
    }

    /// Whether a root has been fetched that is not in use yet. Says so once for each.
    pub(super) fn take_changed(&mut self) -> bool {
        let mut changed = false;
        for followed in self.followed.values_mut() {
            let newest = followed.handle.state().roots.map(|roots| Digest::of(&roots.trusted_root));
            if newest.is_some() && newest != followed.seen {
                followed.seen = newest;
                changed = true;
            }
        }
        changed
    }

    /// What people should read: that a repository began to fail, or is back.
    pub(super) fn take_news(&mut self) -> Vec<String> {
        let news = self.followed.iter_mut().filter_map(|(name, followed)| {
            let failure = followed.handle.state().failure;
            if failure.is_some() == followed.failing {
                return None;
            }
            followed.failing = failure.is_some();
            Some(match failure {
                Some(failure) => {
                    format!("trust root {name}: {}: {}; the last good root stays in use", failure.code, failure.message)
                }
                None => format!("trust root {name} is renewed again"),
            })
        });
        news.collect()
    }

    /// The figures for `/metrics`.
    pub(super) fn statuses(&self) -> Vec<TrustRootStatus> {
        let status = |(name, followed): (&String, &Followed)| {
            let RootState { roots, refreshed_at, failure } = followed.handle.state();
            TrustRootStatus {
                name: name.clone(),
                expires: roots.map(|roots| roots.expires),
                refreshed_at,
                failures: failure.map_or(0, |failure| failure.count),
            }
        };
        self.followed.iter().map(status).collect()
    }
}
