//! `assay serve`: the admission webhook over gathered facts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use assay_case::{ImageUse, Known};
use assay_gather::{Access, Gatherer, Wanted};
use assay_kinds::Kind;
use assay_kube::Manifests;
use assay_model::Platform;
use assay_server::{CertificateSource, FactSource, GatheredFacts, Namespaces, Server, ServerOptions};

use super::policies;
use crate::Result;
use crate::failure::{CliError, Failure, read_file};
use crate::session::Session;

/// How to serve.
#[derive(Debug)]
pub(crate) struct ServeOptions {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// What to present.
    pub(crate) certificate: CertificateSource,
    /// Whether to pin tags.
    pub(crate) mutate: bool,
    /// File with the labels of the namespaces.
    pub(crate) namespaces: Option<PathBuf>,
    /// Platforms that nodes run.
    pub(crate) platforms: Vec<Platform>,
}

/// Serves until it is told to stop.
pub(crate) fn serve(options: ServeOptions, session: &Session<'_>) -> Result<()> {
    let policies = policies::load(session.settings)?;
    let store = session.store()?;
    let gatherer = session.gatherer(policies.materials.clone(), Some(Arc::clone(&store)))?;
    let wanted = Wanted { platforms: options.platforms, ..Wanted::default() };
    let facts = Arc::new(Gathered { gatherer, access: session.access()?, wanted });
    let namespaces = match &options.namespaces {
        Some(path) => labels(path)?,
        None => Namespaces::default(),
    };
    let server = ServerOptions {
        address: options.listen,
        certificate: options.certificate,
        mutate: options.mutate,
        namespaces,
        ..ServerOptions::new(facts, store, session.decision_directory()?)
    };
    session.run(async {
        let running = Server::start(server.with_policy(Arc::new(policies.policy))).await?;
        session.printer.note(&format!("listening on https://{}/validate, stop with Ctrl-C", running.address()));
        if let Some(authority) = running.ca_certificate() {
            session.printer.data(authority);
        }
        stopped().await?;
        session.printer.note("stopping: requests under way are finished");
        running.shutdown().await;
        Ok(())
    })
}

/// Ctrl-C, or what Kubernetes sends before it kills.
async fn stopped() -> Result<()> {
    let system = |source| CliError::System { what: "signals cannot be waited for", source };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).map_err(system)?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(system)?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn labels(path: &Path) -> Result<Namespaces> {
    let bytes = read_file(path)?;
    let manifests =
        Manifests::parse(&bytes, &Kind::NAMES).map_err(|error| Failure::from(error).about(path.display()))?;
    Ok(manifests.namespaces.into_iter().collect())
}

/// Facts for the server, from the gatherer.
pub(crate) struct Gathered {
    gatherer: Gatherer,
    access: Access,
    wanted: Wanted,
}

impl FactSource for Gathered {
    fn warm(&self, images: &[ImageUse]) -> Option<GatheredFacts> {
        let mut facts = BTreeMap::new();
        for image in images {
            let Ok(reference) = &image.reference else { continue };
            if !facts.contains_key(&image.written) {
                let known = self.gatherer.remembered(&self.access, reference, &self.wanted)?;
                facts.insert(image.written.clone(), known);
            }
        }
        Some(facts)
    }

    fn gather<'a>(
        &'a self,
        images: &'a [ImageUse],
        deadline: Instant,
    ) -> Pin<Box<dyn Future<Output = GatheredFacts> + Send + 'a>> {
        Box::pin(async move {
            let left = deadline.saturating_duration_since(Instant::now());
            let wanted = Wanted { deadline: Some(left), ..self.wanted.clone() };
            let references: BTreeMap<&str, _> = images
                .iter()
                .filter_map(|image| Some((image.written.as_str(), image.reference.as_ref().ok()?)))
                .collect();
            let each = references.into_iter().map(|(written, reference)| {
                let wanted = &wanted;
                async move {
                    let facts: Known<_> = self.gatherer.facts(&self.access, reference, wanted).await;
                    (written.to_owned(), facts)
                }
            });
            futures_util::future::join_all(each).await.into_iter().collect()
        })
    }
}
