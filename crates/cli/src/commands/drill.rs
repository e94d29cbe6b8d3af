//! `assay drill`: the attacks of the catalogue against a live cluster, as server-side dry runs. Nothing is stored in the
//! cluster; what is pushed lies in one throwaway repository below an allowed prefix.

mod attacks;
mod images;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use assay_gate::catalogue;
use assay_kube::{ApiError, Client, NAMESPACES, PODS, Selection, StoredObject};
use assay_model::{ControlId, Repository};
use serde::Serialize;

use super::cluster::ClusterTarget;
use crate::failure::CliError;
use crate::session::Session;
use crate::{Result, Status};

use self::attacks::{ATTACKS, Attempt};
use self::images::Images;

/// Tries of one attack while what is known of its image is still being gathered.
const TRIES: usize = 8;
/// Between two of them.
const PAUSE: Duration = Duration::from_secs(1);
/// What a refusal says that could not be judged in time.
const UNJUDGED: &str = "could not be found out";

/// What is drilled.
#[derive(Debug)]
pub(crate) struct DrillOptions {
    /// The cluster.
    pub(crate) target: ClusterTarget,
    /// Where the attacks aim.
    pub(crate) namespace: String,
    /// The repository that takes the images of the attacks.
    pub(crate) registry: Repository,
    /// These controls only; all that have an attack where empty.
    pub(crate) controls: Vec<ControlId>,
}

/// What came of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DrillVerdict {
    /// It was denied by its control.
    Denied,
    /// It was not, or by others only.
    NotStopped,
    /// It could not be tried.
    NotTried,
}

/// An attack and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DrillResult {
    /// Its name.
    pub(crate) name: &'static str,
    /// The same for people.
    pub(crate) title: &'static str,
    /// The control that should stop it.
    pub(crate) control: &'static str,
    /// What came of it.
    pub(crate) verdict: DrillVerdict,
    /// What the attacker reads, as far as it is about the control; why it was not tried.
    pub(crate) message: String,
}

/// What came of a drill.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DrillOutcome {
    /// The API server.
    pub(crate) server: String,
    /// Where the attacks aimed.
    pub(crate) namespace: String,
    /// The attacks, in their order.
    pub(crate) attacks: Vec<DrillResult>,
    /// Controls that have no attack that can be tried so.
    pub(crate) not_drilled: Vec<ControlId>,
    /// How long it took.
    pub(crate) milliseconds: u64,
}

impl DrillOutcome {
    /// One attack that is not stopped is a no; and where none was tried, nothing was shown.
    pub(crate) fn status(&self) -> Status {
        let of = |verdict| self.attacks.iter().filter(|own| own.verdict == verdict).count();
        let holds = of(DrillVerdict::NotStopped) == 0 && of(DrillVerdict::Denied) > 0;
        if holds { Status::Pass } else { Status::Denied }
    }
}

/// Tries them all.
pub(crate) fn drill(options: &DrillOptions, session: &Session<'_>) -> Result<DrillOutcome> {
    let started = Instant::now();
    let known: BTreeSet<&str> = ATTACKS.iter().map(|attack| attack.control).collect();
    if let Some(control) = options.controls.iter().find(|control| !known.contains(control.as_str())) {
        return Err(CliError::NotFound {
            what: format!("an attack on {control}"),
            suggestion: None,
            next: format!("one of {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        }
        .into());
    }
    let client = options.target.client()?;
    let registry = session.online("a drill")?;
    let attacks = session.run(async {
        client.get(NAMESPACES, None, &options.namespace).await?;
        session.printer.progress("pushing the images of the attacks");
        let images = Images::push(&registry, &options.registry).await?;
        let pods =
            client.list(PODS, &Selection { namespace: Some(options.namespace.clone()), name: None }).await?.items;
        let running = pods.into_iter().find(|pod| !pod.is_terminating());
        let mut results = Vec::new();
        for attack in ATTACKS {
            let is_asked =
                options.controls.is_empty() || options.controls.iter().any(|own| own.as_str() == attack.control);
            if is_asked {
                session.printer.progress(attack.title);
                let attempt = (attack.make)(&images, &options.namespace, running.as_ref());
                let (verdict, message) = attempted(&client, &options.namespace, &attempt, attack.control).await?;
                results.push(DrillResult {
                    name: attack.name,
                    title: attack.title,
                    control: attack.control,
                    verdict,
                    message,
                });
            }
        }
        Ok(results)
    })?;
    let tried: BTreeSet<&str> =
        attacks.iter().filter(|own| own.verdict != DrillVerdict::NotTried).map(|own| own.control).collect();
    let not_drilled = catalogue().iter().filter(|entry| !tried.contains(entry.id.as_str()));
    Ok(DrillOutcome {
        server: client.server().to_string(),
        namespace: options.namespace.clone(),
        not_drilled: not_drilled.map(|entry| entry.id.clone()).collect(),
        attacks,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Tries one. What the API server cannot be asked about at all is a failure of the drill.
async fn attempted(
    client: &Client,
    namespace: &str,
    attempt: &Attempt,
    control: &str,
) -> Result<(DrillVerdict, String)> {
    let mut last = String::new();
    for tried in 1..=TRIES {
        let answer = match attempt {
            Attempt::NotPossible(why) => return Ok((DrillVerdict::NotTried, (*why).to_owned())),
            Attempt::Create(resource, object) => client.try_create(*resource, Some(namespace), object).await,
            Attempt::Replace { resource, name, sub_resource, object } => {
                client.try_replace(*resource, Some(namespace), name, *sub_resource, object).await
            }
        };
        let message = match answer {
            Ok(StoredObject(_)) => return Ok((DrillVerdict::NotStopped, "it was admitted".to_owned())),
            Err(ApiError::Status { message, .. }) => message,
            Err(error) => return Err(error.into()),
        };
        let Some(reason) = reason(&message, control) else {
            return Ok((DrillVerdict::NotStopped, format!("it was refused, but not by {control}: {message}")));
        };
        last = reason.to_owned();
        if !reason.contains(UNJUDGED) || tried == TRIES {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok((DrillVerdict::Denied, last))
}

/// What a refusal says of a control: the clause that ends with its name in brackets.
fn reason<'m>(message: &'m str, control: &str) -> Option<&'m str> {
    let end = message.find(&format!(" ({control})"))?;
    let before = message.get(..end)?;
    let begin =
        [") ; ", "); ", " is rejected in "].iter().filter_map(|mark| Some(before.rfind(mark)? + mark.len())).max();
    let clause = before.get(begin.unwrap_or(0)..)?;
    // `prod: no digest`: the environment stands before the first of several.
    let clause = match clause.split_once(": ") {
        Some((environment, rest)) if !environment.contains(' ') && begin.is_some() => rest,
        _ => clause,
    };
    Some(clause.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_clause_by_clause() {
        let message = "admission webhook \"closed.assay.dev\" denied the request: container api: image r/a:1 is rejected in \
                       prod: no digest: the tag can move after this check (require-digest); not signed (require-signature). \
                       Fix: assay check -f FILE --env prod";
        assert_eq!(reason(message, "require-digest"), Some("no digest: the tag can move after this check"));
        assert_eq!(reason(message, "require-signature"), Some("not signed"));
        assert_eq!(reason(message, "require-sbom"), None);
        assert_eq!(reason("the server is away", "require-sbom"), None);
    }

    #[test]
    fn every_attack_names_a_control_of_the_catalogue_and_no_name_stands_twice() {
        let mut names = BTreeSet::new();
        for attack in ATTACKS {
            assert!(catalogue().iter().any(|entry| entry.id.as_str() == attack.control), "{}", attack.control);
            assert!(names.insert(attack.name), "{}", attack.name);
        }
    }
}
