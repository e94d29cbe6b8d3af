//! `assay serve --register`: the same webhook, in step with a cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use assay_gather::{Gatherer, Options};
use assay_kinds::{SigstoreRoot, TrustRoot};
use assay_kube::Client;
use assay_model::{Digest, Timestamp};
use assay_server::{
    Base, Called, CertificateSource, Cluster, ClusterOptions, GatheringFacts, MaterialSource, Notice, PullSecrets,
    Server, ServerOptions,
};
use assay_trust::TrustMaterial;
use tokio::sync::mpsc;

use super::rescans::Rescans;
use super::roots::Roots;
use super::{POLL, ServeOptions, alert_target, followed, look, stopped, tend};
use crate::Result;
use crate::commands::cluster::ClusterTarget;
use crate::commands::database;
use crate::commands::policies::{self, TufSource};
use crate::failure::{CliError, Failure};
use crate::session::Session;
use crate::settings::Settings;
use crate::variables;

/// Where Assay runs where nothing says otherwise.
const NAMESPACE: &str = "assay-system";
/// The port of a Service.
const SERVICE_PORT: u16 = 443;

/// How to find the cluster, and how it finds us.
#[derive(Debug)]
pub(crate) struct RegisterOptions {
    /// The host or service that the API server calls, with a port where it is another one.
    pub(crate) name: String,
    /// The cluster.
    pub(crate) target: ClusterTarget,
    /// Assay's own namespace.
    pub(crate) namespace: Option<String>,
    /// What the cluster is called in inventory and findings.
    pub(crate) cluster: String,
    /// Namespaces whose pull Secrets may be read.
    pub(crate) pull_secrets: Vec<String>,
    /// The authority of a certificate that comes from files.
    pub(crate) authority: Option<PathBuf>,
}

/// Serves until it is told to stop.
pub(super) fn serve(options: &ServeOptions, register: &RegisterOptions, session: &Session<'_>) -> Result<()> {
    if matches!(options.certificate, CertificateSource::Files { .. }) != register.authority.is_some() {
        return Err(CliError::Usage {
            message: "in a cluster a certificate from files and its authority belong together".to_owned(),
            next: "--certificate FILE --private-key FILE --authority FILE, or none of them".to_owned(),
        }
        .into());
    }
    let parts = policies::collect(session.settings)?;
    let base = Base {
        starters: parts.starters,
        environments: parts.environments,
        roots: parts.materials,
        exceptions: parts.exceptions.into_iter().map(|(_, exception)| exception).collect(),
    };
    let store = session.store()?;
    let client = register.target.client()?;
    session.run(async {
        let stop = stopped()?;
        let materials = base.roots.iter().map(|(_, material)| material.clone()).collect();
        let gathering = Arc::new(Gathering::new(materials, session)?);
        let access = session.access()?;
        let mut facts = GatheringFacts::new(gathering.gatherer()?, access.clone(), options.platforms.clone());
        if !register.pull_secrets.is_empty() {
            let namespaces = register.pull_secrets.iter().cloned();
            facts = facts.with_pull_secrets(PullSecrets::new(client.clone(), access, namespaces));
        }
        let facts = Arc::new(facts);
        let mut started = ServerOptions::new(Arc::clone(&facts) as _, store, session.decision_directory()?);
        started.address = options.listen;
        started.mutate = options.mutate;
        started.retention = options.retention;
        started.alerts = alert_target(options, session)?;
        started.certificate = match &options.certificate {
            files @ CertificateSource::Files { .. } => files.clone(),
            // Presented until the cluster's own is known.
            CertificateSource::Development { .. } => {
                CertificateSource::Development { names: vec!["localhost".to_owned()] }
            }
        };
        let running = Server::start(started).await?;
        let called = called(&register.name, running.address().port());
        let namespace = own_namespace(register, &called, &client);
        let (notices, mut heard) = mpsc::unbounded_channel();
        let (mut roots, mut own) = (Roots::default(), parts.repositories);
        let mut named = Repositories::default();
        let (kept, replaced) = (Arc::clone(&gathering), Arc::clone(&facts));
        let cluster = Cluster::start(
            &running,
            ClusterOptions {
                client: client.clone(),
                called,
                namespace: namespace.clone(),
                cluster: register.cluster.clone(),
                identity: identity(),
                mutate: options.mutate,
                authority: register.authority.clone(),
                base,
                source: source(session.settings.clone()),
                on_materials: Arc::new(move |materials| {
                    kept.set(materials);
                    replaced.replace(kept.gatherer().map_err(|failure| failure.what)?);
                    Ok(())
                }),
                // Nobody listens any more when it stops.
                notify: Arc::new(move |notice| drop(notices.send(notice))),
            },
        );
        let printer = session.printer;
        printer.note(&format!("listening on https://{}/validate, /healthz, /readyz, /metrics", running.address()));
        printer.note(&format!("  cluster       {}", client.server()));
        printer.note(&format!("  called as     {}", register.name));
        printer.note(&format!("  namespace     {namespace}, which is not judged"));
        if !register.pull_secrets.is_empty() {
            printer.note(&format!("  pull Secrets  of {}", register.pull_secrets.join(", ")));
        }
        printer.note(&format!("  store         {}", assay_model::RedactedUrl::new(&session.settings.store.value)));
        tokio::pin!(stop);
        let mut ticks = tokio::time::interval(POLL);
        let mut seen = look(session.settings.pack.value.iter());
        let (mut rescans, mut leads) = (Rescans::new(&options.rescan, session.settings), false);
        loop {
            tokio::select! {
                () = &mut stop => break,
                Some(notice) = heard.recv() => {
                    printer.note(&words(&notice));
                    if matches!(notice, Notice::Leads | Notice::Follows) {
                        leads = matches!(notice, Notice::Leads);
                        // Whether who led before looked at all of it is not known.
                        rescans.due();
                    }
                }
                _ = ticks.tick() => {
                    tend(&mut rescans, leads, session);
                    renew(&mut roots, &mut own, &mut named, &cluster, session);
                    running.set_trust_roots(&roots.statuses());
                    let now = look(session.settings.pack.value.iter());
                    if now != seen {
                        seen = now;
                        rescans.due();
                        match gathering.gatherer() {
                            Ok(gatherer) => {
                                facts.replace(gatherer);
                                cluster.facts_changed();
                                printer.note("vulnerability pack read again");
                            }
                            Err(failure) => drop(printer.failure(&failure)),
                        }
                    }
                }
            }
        }
        printer.note("stopping: requests under way are finished");
        cluster.stop().await;
        running.shutdown().await;
        Ok(())
    })
}

/// What this replica is called among the others: the name of its Pod, or of the machine, and a number of its own.
fn identity() -> String {
    let name = variables::read(variables::HOSTNAME).unwrap_or_else(|| "assay".to_owned());
    let nonce = Digest::of(format!("{} {}", std::process::id(), Timestamp::now().as_nanosecond()).as_bytes()).hex();
    format!("{name}_{}", nonce.get(..8).unwrap_or_default())
}

/// The TUF repositories that TrustRoots of the cluster name, by the name of the object.
#[derive(Default)]
struct Repositories(BTreeMap<String, (TrustRoot, Option<TufSource>)>);

impl Repositories {
    /// The trust roots of the cluster are these; of those that are as they were nothing is read again.
    fn keep(&mut self, roots: Vec<TrustRoot>, settings: &Settings) {
        let mut before = std::mem::take(&mut self.0);
        for root in roots {
            let name = root.metadata.name.clone();
            let known = before.remove(&name).filter(|(own, _)| *own == root);
            let entry = known.unwrap_or_else(|| {
                // Read without fault a moment ago.
                let read = policies::material(Path::new("TrustRoot"), &root, settings);
                (root, read.ok().and_then(|(_, found)| found))
            });
            self.0.insert(name, entry);
        }
    }

    fn sources(&self) -> impl Iterator<Item = TufSource> {
        self.0.values().filter_map(|(_, source)| source.clone())
    }
}

/// Follows the repositories that files (`own`) and objects (`named`) speak of, and takes in what they have that is newer.
fn renew(
    roots: &mut Roots,
    own: &mut Vec<TufSource>,
    named: &mut Repositories,
    cluster: &Cluster,
    session: &Session<'_>,
) {
    for news in roots.take_news() {
        session.printer.note(&news);
    }
    if roots.take_changed() {
        match policies::collect(session.settings) {
            Ok(parts) => {
                cluster.renew_roots(parts.materials);
                *own = parts.repositories;
            }
            Err(failure) => drop(session.printer.failure(&failure)),
        }
    }
    named.keep(cluster.trust_roots(), session.settings);
    roots.follow(followed(own.iter().cloned().chain(named.sources()).collect(), session));
}

/// What a gatherer is made from, again and again.
struct Gathering {
    materials: Mutex<Vec<TrustMaterial>>,
    pack: Option<PathBuf>,
    options: Options,
}

impl Gathering {
    fn new(materials: Vec<TrustMaterial>, session: &Session<'_>) -> Result<Self> {
        let (revocation, store) = (session.authorities()?, Some(session.store()?));
        let options = Options { revocation, store, ..Options::default() };
        Ok(Self { materials: Mutex::new(materials), pack: session.settings.pack.value.clone(), options })
    }

    fn set(&self, materials: Vec<TrustMaterial>) {
        *self.materials.lock().unwrap_or_else(PoisonError::into_inner) = materials;
    }

    fn gatherer(&self) -> Result<Gatherer> {
        let pack = Some(database::open(self.pack.as_deref())?);
        let materials = self.materials.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Options { revocation, store, .. } = &self.options;
        let (revocation, store) = (revocation.clone(), store.clone());
        Ok(Gatherer::new(Options { pack, materials, revocation, store, ..Options::default() }))
    }
}

/// `NAME`, `NAME:PORT`: a service listens on 443 where nothing else is said, a host where we do.
fn called(name: &str, listening: u16) -> Called {
    let (host, port) = match name.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) if !host.contains(':') => (host, Some(port)),
        _ => (name, None),
    };
    match Called::parse(host, port.unwrap_or(SERVICE_PORT)) {
        Called::Host { host, .. } => Called::Host { host, port: port.unwrap_or(listening) },
        service @ Called::Service { .. } => service,
    }
}

fn own_namespace(register: &RegisterOptions, called: &Called, client: &Client) -> String {
    let in_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && register.target.kubeconfig.is_none();
    match (&register.namespace, called) {
        (Some(namespace), _) | (None, Called::Service { namespace, .. }) => namespace.clone(),
        (None, Called::Host { .. }) if in_pod => client.namespace().to_owned(),
        (None, Called::Host { .. }) => NAMESPACE.to_owned(),
    }
}

/// The material of a TrustRoot that stands in a cluster: whoever may write one must not have our files read.
fn source(settings: Settings) -> MaterialSource {
    Arc::new(move |root: &TrustRoot| {
        if names_files(root) {
            return Err("a cluster has no files beside an object: write what is in them into the object".to_owned());
        }
        let read = policies::material(Path::new("TrustRoot"), root, &settings);
        read.map(|(material, _)| material).map_err(|failure| sentence(&failure))
    })
}

fn names_files(root: &TrustRoot) -> bool {
    let spec = &root.spec;
    let root = match &spec.sigstore {
        Some(SigstoreRoot::File(_)) => true,
        Some(SigstoreRoot::Tuf(repository)) => repository.root.is_some(),
        _ => false,
    };
    let mut stores = spec.notation.iter().flat_map(|notation| &notation.trust_stores);
    root || spec.keys.iter().any(|key| key.file.is_some()) || stores.any(|store| !store.files.is_empty())
}

fn sentence(failure: &Failure) -> String {
    std::iter::once(&failure.what).chain(&failure.causes).cloned().collect::<Vec<_>>().join(": ")
}

/// What an operator is told.
fn words(notice: &Notice) -> String {
    match notice {
        Notice::Policy { digest, refused: 0 } => format!("policy {} in force", digest.short()),
        Notice::Policy { digest, refused } => format!(
            "policy {} in force; {refused} objects are not in force as they are written: kubectl get assay",
            digest.short()
        ),
        Notice::Registered { resource, repair: false } => format!("registered: {resource} assay"),
        Notice::Registered { resource, repair: true } => format!("repaired: {resource} assay"),
        Notice::NotRegistered { why } => format!("the webhook could not be registered: {why}"),
        Notice::NoAuthority { why } => format!("there is no certificate yet: {why}"),
        Notice::Unseen { what, is_undefined: true, .. } => {
            format!("{what} are not defined in this cluster: assay crds | kubectl apply -f -")
        }
        Notice::Unseen { what, why, is_undefined: false } => {
            format!("{what} cannot be watched, what was known stays: {why}")
        }
        Notice::DefinitionGone { plural } => {
            format!(
                "the definition of {plural} is being deleted; what was in force stays: assay crds | kubectl apply -f -"
            )
        }
        Notice::Leads => "leading: this replica audits what runs".to_owned(),
        Notice::Follows => "following: another replica audits what runs".to_owned(),
        Notice::NoLease { lease, why, is_forbidden } => {
            let (namespace, name) = lease.split_once('/').unwrap_or(("", lease));
            let needs = if *is_forbidden {
                format!(
                    "; Role assay in {namespace} needs create on leases.coordination.k8s.io, and get and update on {name}: \
                     kubectl apply -f deploy/rbac.yaml"
                )
            } else {
                String::new()
            };
            format!(
                "who audits what runs cannot be agreed on, so that nobody does, and every replica repairs the webhooks: \
                 {why}{needs}"
            )
        }
        Notice::Findings { count: 1 } => "what runs was judged again: 1 new finding".to_owned(),
        Notice::Findings { count } => format!("what runs was judged again: {count} new findings"),
        Notice::Ready => "ready: the cluster is followed, the webhook is registered".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_a_port() {
        let service = |name: &str, namespace: &str, port| Called::Service {
            name: name.into(),
            namespace: namespace.into(),
            port,
        };
        let host = |host: &str, port| Called::Host { host: host.into(), port };
        for (name, wanted) in [
            ("assay.assay-system.svc", service("assay", "assay-system", 443)),
            ("assay.assay-system.svc:8443", service("assay", "assay-system", 8443)),
            ("127.0.0.1", host("127.0.0.1", 9)),
            ("gate.example.com:7", host("gate.example.com", 7)),
            ("::1", host("::1", 9)),
        ] {
            assert_eq!(called(name, 9), wanted, "{name}");
        }
    }

    #[test]
    fn a_repository_is_asked_as_long_as_a_root_of_the_cluster_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let cache = vec![folder.path().display().to_string()];
        let flags = [("cache-dir", cache.clone()), ("state-dir", cache)].into();
        let settings = Settings::resolve(Vec::new(), flags).unwrap();
        let root = |name: &str, spec: &str| {
            let text = format!("apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {{name: {name}}}\nspec: {spec}\n");
            let loaded = assay_kinds::load_yaml(&text, "test").unwrap();
            let assay_kinds::Kind::TrustRoot(root) = &loaded.objects[0].value else { panic!("{spec}") };
            (**root).clone()
        };
        let tuf = "{sigstore: {tuf: {instance: publicGood, mirror: 'https://tuf.example'}}}";
        let mut named = Repositories::default();
        let mirrors = |named: &Repositories| {
            named.sources().map(|own| own.client.instance().mirror().to_owned()).collect::<Vec<_>>()
        };
        named.keep(vec![root("mirror", tuf), root("plain", "{sigstore: publicGood}")], &settings);
        assert_eq!(mirrors(&named), ["https://tuf.example"]);
        let other = tuf.replace("tuf.example", "other.example");
        named.keep(vec![root("mirror", &other)], &settings);
        assert_eq!(mirrors(&named), ["https://other.example"]);
        named.keep(Vec::new(), &settings);
        assert!(mirrors(&named).is_empty(), "it is gone");
    }

    #[test]
    fn what_a_role_lacks_is_named() {
        let lease = "assay-system/assay".to_owned();
        let notice = |is_forbidden| {
            words(&Notice::NoLease { lease: lease.clone(), why: "403 Forbidden".to_owned(), is_forbidden })
        };
        for text in ["Role assay in assay-system", "create on leases.coordination.k8s.io", "get and update on assay"] {
            assert!(notice(true).contains(text), "{}", notice(true));
        }
        assert!(!notice(false).contains("Role"));
    }

    #[test]
    fn a_root_of_the_cluster_reads_no_file_of_ours() {
        for spec in [
            "{sigstore: {file: /etc/passwd}}",
            "{sigstore: {tuf: {mirror: 'https://tuf.example', root: /etc/passwd}}}",
            "{keys: [{name: a, file: /etc/passwd}]}",
            "{notation: {trustPolicies: [], trustStores: [{type: ca, name: a, files: [/etc/passwd]}]}}",
        ] {
            let text = format!("apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {{name: a}}\nspec: {spec}\n");
            let loaded = assay_kinds::load_yaml(&text, "test").unwrap();
            let assay_kinds::Kind::TrustRoot(root) = &loaded.objects[0].value else { panic!("{spec}") };
            assert!(names_files(root), "{spec}");
        }
    }
}
