//! `assay serve`: the admission webhook, and the files or the cluster that it goes by.

mod cluster;
mod configuration;
mod rescans;
mod roots;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use assay_kinds::Kind;
use assay_kube::Manifests;
use assay_model::{EnvironmentName, Platform};
use assay_server::{
    AlertTarget, CertificateSource, GatheringFacts, KeepDecisions, Mutation, Namespaces, Running, Server, ServerOptions,
};

use rescans::Rescans;
use roots::Roots;

use super::policies::{self, TufSource};
use super::rescan::RescanOptions;
use crate::Result;
use crate::failure::{CliError, Failure, read_file};
use crate::session::Session;

pub(crate) use cluster::RegisterOptions;

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(2);

/// How to serve.
#[derive(Debug)]
pub(crate) struct ServeOptions {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// What to present.
    pub(crate) certificate: CertificateSource,
    /// Whose tags to pin.
    pub(crate) mutate: Mutation,
    /// File with the labels of the namespaces.
    pub(crate) namespaces: Option<PathBuf>,
    /// Platforms that nodes run.
    pub(crate) platforms: Vec<Platform>,
    /// The host or service that the API server calls; set = the webhook configuration is written.
    pub(crate) called: Option<String>,
    /// How long decisions are kept.
    pub(crate) retention: KeepDecisions,
    /// Where alerts go, and the file of their secret.
    pub(crate) alerts: Option<(String, PathBuf)>,
    /// What is alerted about when a vulnerability pack arrives.
    pub(crate) rescan: RescanOptions,
    /// The cluster to follow, where there is one.
    pub(crate) register: Option<RegisterOptions>,
}

/// Serves until it is told to stop.
pub(crate) fn serve(options: &ServeOptions, session: &Session<'_>) -> Result<()> {
    if let Some(register) = &options.register {
        return cluster::serve(options, register, session);
    }
    // Looked at before they are read: what changes in between is read again.
    let seen = Seen { policies: look_at_policies(session), namespaces: look(options.namespaces.iter()) };
    let policies = policies::load(session.settings)?;
    let store = session.store()?;
    let gatherer = session.gatherer(policies.materials, Some(Arc::clone(&store)))?;
    let environments: Vec<_> = policies.policy.environments().map(EnvironmentName::to_string).collect();
    session.run(async {
        // Signals first: whoever asks it to stop while it starts is heard.
        let stop = stopped()?;
        let facts = Arc::new(GatheringFacts::new(gatherer, session.access()?, options.platforms.clone()));
        let mut started = ServerOptions::new(Arc::clone(&facts) as _, store, session.decision_directory()?)
            .with_policy(policies.policy.into());
        started.address = options.listen;
        started.certificate = options.certificate.clone();
        started.mutate = options.mutate;
        started.retention = options.retention;
        started.alerts = alert_target(options, session)?;
        started.namespaces = namespaces(options)?;
        let running = Server::start(started).await?;
        let mut roots = Roots::default();
        roots.follow(followed(policies.repositories, session));
        announce(&running, options, &environments, session);
        tokio::select! {
            () = watch(&running, &facts, seen, roots, options, session) => {}
            () = stop => {}
        }
        session.printer.note("stopping: requests under way are finished");
        running.shutdown().await;
        Ok(())
    })
}

/// Ends with SIGTERM or ctrl-c.
fn stopped() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |source| CliError::System { what: "signals cannot be waited for", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn announce(running: &Running, options: &ServeOptions, environments: &[String], session: &Session<'_>) {
    let address = running.address();
    match (&options.called, running.ca_certificate()) {
        (Some(called), authority) => {
            session.printer.data(&configuration::write(called, address.port(), options.mutate, authority));
        }
        (None, Some(authority)) => session.printer.data(authority),
        (None, None) => {}
    }
    let certificate = match &options.certificate {
        CertificateSource::Files { certificate, .. } => certificate.display().to_string(),
        CertificateSource::Development { .. } => "made for this process, for development only".to_owned(),
    };
    let mutate = if options.mutate == Mutation::Nothing { "" } else { ", /mutate" };
    let printer = session.printer;
    printer.note(&format!("listening on https://{address}/validate{mutate}, /healthz, /readyz, /metrics"));
    printer.note(&format!("  environments  {}", environments.join(", ")));
    printer.note(&format!("  certificate   {certificate}"));
    printer.note(&format!("  store         {}", assay_model::RedactedUrl::new(&session.settings.store.value)));
    if options.namespaces.is_none() {
        printer.note("  namespaces    labels not known: everything is judged by the strictest environment");
        printer.note("                kubectl get namespaces -o json > namespaces.json, then --namespaces FILE");
    }
    if options.called.is_none() {
        printer.note("next  the same with --print-webhook-configuration NAME | kubectl apply -f -");
    }
}

/// Where alerts go, where they go anywhere.
fn alert_target(options: &ServeOptions, session: &Session<'_>) -> Result<Option<AlertTarget>> {
    let Some((url, secret)) = &options.alerts else { return Ok(None) };
    Ok(Some(AlertTarget::new(url, secret, session.settings.ca_file.value.as_deref())?))
}

fn namespaces(options: &ServeOptions) -> Result<Namespaces> {
    let Some(path) = &options.namespaces else { return Ok(Namespaces::default()) };
    let bytes = read_file(path)?;
    let manifests =
        Manifests::parse(&bytes, &Kind::NAMES).map_err(|error| Failure::from(error).about(path.display()))?;
    Ok(manifests.namespaces.into_iter().collect())
}

/// What a file looked like: time of change and size. Renames and links, as Kubernetes mounts files, change both or either.
type Look = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// How the files looked when they were read.
struct Seen {
    policies: Look,
    namespaces: Look,
}

fn look<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> Look {
    let of = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    paths.map(|path| (path.clone(), of(path))).collect()
}

/// Everything below `--config`, and the files that policies name beside themselves.
fn look_at_policies(session: &Session<'_>) -> Look {
    let paths = session.settings.config.value.iter();
    let files = |path: &PathBuf| policies::files(path, &["yaml", "yml", "json", "pem", "pub"]).unwrap_or_default();
    let pack = session.settings.pack.value.iter().cloned();
    look(paths.flat_map(files).chain(pack).collect::<Vec<_>>().iter())
}

/// The repositories that may be asked: none where the network may not be used.
fn followed(repositories: Vec<TufSource>, session: &Session<'_>) -> Vec<TufSource> {
    if session.settings.offline.value { Vec::new() } else { repositories }
}

/// Takes changed policy, trust and namespace files in. What cannot be used changes nothing: what was in force stays.
async fn watch(
    running: &Running,
    facts: &GatheringFacts,
    mut seen: Seen,
    mut roots: Roots,
    options: &ServeOptions,
    session: &Session<'_>,
) {
    let mut ticks = tokio::time::interval(POLL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut rescans = Rescans::new(&options.rescan, session.settings);
    let mut pack = look(session.settings.pack.value.iter());
    loop {
        ticks.tick().await;
        let now = look(session.settings.pack.value.iter());
        if now != pack {
            pack = now;
            rescans.due();
        }
        // Of several replicas each looks: an alert is open once, whoever opens it.
        tend(&mut rescans, true, session);
        for news in roots.take_news() {
            session.printer.note(&news);
        }
        let now = look_at_policies(session);
        if now != seen.policies || roots.take_changed() {
            seen.policies = now;
            report(session, "policy", reload_policy(running, facts, &mut roots, session));
        }
        running.set_trust_roots(&roots.statuses());
        let now = look(options.namespaces.iter());
        if now != seen.namespaces {
            seen.namespaces = now;
            let taken = namespaces(options).map(|namespaces| {
                running.set_namespaces(namespaces);
                "labels of namespaces read again".to_owned()
            });
            report(session, "namespaces", taken);
        }
    }
}

fn reload_policy(
    running: &Running,
    facts: &GatheringFacts,
    roots: &mut Roots,
    session: &Session<'_>,
) -> Result<String> {
    let policies = policies::load(session.settings)?;
    roots.follow(followed(policies.repositories, session));
    facts.replace(session.gatherer(policies.materials, Some(session.store()?))?);
    let digest = policies.policy.digest();
    running.set_policy(policies.policy.into());
    Ok(format!("policy {} in force", digest.short()))
}

/// Starts a re-scan that is due, and says what came of the one before.
fn tend(rescans: &mut Rescans, leads: bool, session: &Session<'_>) {
    match rescans.tend(leads) {
        None => {}
        Some(Ok(text)) => session.printer.note(&text),
        Some(Err(failure)) => drop(session.printer.failure(&failure)),
    }
}

fn report(session: &Session<'_>, what: &str, result: std::result::Result<String, Failure>) {
    let printer = session.printer;
    match result {
        Ok(text) => printer.note(&text),
        Err(failure) => {
            let _ = printer.failure(&failure);
            printer.note(&format!("the {what} of before stays in force"));
        }
    }
}
