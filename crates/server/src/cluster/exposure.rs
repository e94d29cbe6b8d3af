//! What leads to workloads from outside, watched by every replica: admission asks it about what would run, and the audit
//! about what runs.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use assay_kube::{Change, GRPC_ROUTES, HTTP_ROUTES, INGRESSES, Resource, SERVICES, Selection, Watcher, reduced_route};
use assay_model::Explain as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::controller::Shared;

/// Changes that come together are taken in together.
const GATHER: Duration = Duration::from_millis(25);
/// How often the API groups of the cluster are looked at.
const MINUTE: Duration = Duration::from_mins(1);
/// After a kind could not be watched that the cluster does not have.
const ABSENT: Duration = Duration::from_mins(1);
/// Changes that may wait.
const QUEUE: usize = 256;
const WATCHED: [Resource; 4] = [SERVICES, INGRESSES, HTTP_ROUTES, GRPC_ROUTES];

/// What was seen.
enum Seen {
    Route(Resource, Change),
    Groups(BTreeSet<String>),
}

/// Follows what leads to workloads. Nothing is said of it before all of it was listed once.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    let (events, mut inbox) = mpsc::channel(QUEUE);
    watch_all(&shared, &events, &mut tasks);
    let mut listed = BTreeSet::new();
    while let Some(seen) = inbox.recv().await {
        let mut changed = take(&shared, seen, &mut listed);
        tokio::time::sleep(GATHER).await;
        while let Ok(seen) = inbox.try_recv() {
            changed |= take(&shared, seen, &mut listed);
        }
        if changed && WATCHED.iter().all(|resource| listed.contains(resource.plural)) {
            let routing = shared.routes.lock().unwrap_or_else(PoisonError::into_inner).routing();
            shared.admissions.routing.set(Some(routing));
            shared.routed.send_modify(|count| *count += 1);
        }
    }
}

/// Takes a change in. Whether something leads elsewhere by it.
fn take(shared: &Shared, seen: Seen, listed: &mut BTreeSet<&'static str>) -> bool {
    let mut routes = shared.routes.lock().unwrap_or_else(PoisonError::into_inner);
    let (resource, change) = match seen {
        Seen::Groups(groups) => return routes.set_groups(&groups),
        Seen::Route(resource, change) => (resource, change),
    };
    match change {
        Change::Listed(objects) => routes.list(resource, &objects),
        Change::Applied(object) => routes.apply(resource, &object),
        Change::Deleted(object) => routes.remove(resource, &object),
        // A kind that is not defined has no objects.
        Change::Failed(error) if error.is_not_found() => routes.list(resource, &[]),
        Change::Failed(error) => {
            tracing::warn!(%error, code = error.code(), resource = resource.plural, "what is exposed cannot be watched");
            shared.admissions.metrics.watch_failures.inc();
            return false;
        }
    }
    listed.insert(resource.plural);
    true
}

fn watch_all(shared: &Shared, events: &mpsc::Sender<Seen>, tasks: &mut JoinSet<()>) {
    let client = &shared.options.client;
    for resource in WATCHED {
        let mut watcher = Watcher::new(client.clone(), resource, Selection::default()).keeping(reduced_route);
        let events = events.clone();
        tasks.spawn(async move {
            loop {
                let change = watcher.next().await;
                // A kind that the cluster does not have may come later.
                let is_absent = matches!(&change, Change::Failed(error) if error.is_not_found());
                if events.send(Seen::Route(resource, change)).await.is_err() {
                    return;
                }
                if is_absent {
                    tokio::time::sleep(ABSENT).await;
                }
            }
        });
    }
    let (client, events) = (client.clone(), events.clone());
    tasks.spawn(async move {
        let mut minutes = tokio::time::interval(MINUTE);
        loop {
            minutes.tick().await;
            // Where that cannot be found out, what was known stays; workloads are judged by it meanwhile.
            if let Ok(groups) = client.groups().await
                && events.send(Seen::Groups(groups)).await.is_err()
            {
                return;
            }
        }
    });
}
