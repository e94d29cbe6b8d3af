//! The cluster of the lab: its namespaces. There is no API server; the lab sends what one would send.

use std::collections::BTreeMap;

use assay_server::Namespaces;

/// The environments, in the order of promotion.
pub(crate) const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];
/// The teams, each with a namespace in each environment.
const TEAMS: [&str; 2] = ["payments", "web"];
/// A namespace that nobody has put into an environment.
pub(crate) const UNLABELLED: &str = "playground";

/// A team's namespace in an environment.
pub(crate) fn namespace(team: &str, environment: &str) -> String {
    format!("{team}-{environment}")
}

/// Every namespace with its labels.
pub(super) fn namespaces() -> Namespaces {
    let labelled = TEAMS.iter().flat_map(|team| {
        ENVIRONMENTS.iter().map(move |environment| {
            let labels = BTreeMap::from([("assay.dev/environment".to_owned(), (*environment).to_owned())]);
            (namespace(team, environment), labels)
        })
    });
    labelled.chain([(UNLABELLED.to_owned(), BTreeMap::new())]).collect()
}
