//! Delegations: in which order roles are asked, and which may speak for a path.

use assay_sandbox::tuf::Repository;
use assay_sign::TufError;

use super::{Client, Scenario, refused, repository};

/// From, to, paths, terminating.
type Edge = (&'static str, &'static str, &'static [&'static str], bool);

const ANY: &[&str] = &["*"];
const PYTHON: &[&str] = &["*.py"];

const fn edge(from: &'static str, to: &'static str) -> Edge {
    (from, to, ANY, false)
}

/// Name, delegations, roles in the order in which they are asked for a name that none of them lists.
const GRAPHS: [(&str, &[Edge], &[&str]); 12] = [
    ("one", &[edge("targets", "A")], &["A"]),
    ("two", &[edge("targets", "A"), edge("targets", "B")], &["A", "B"]),
    ("two_levels", &[edge("targets", "A"), edge("targets", "B"), edge("B", "C")], &["A", "B", "C"]),
    (
        "two_levels_depth_first",
        &[edge("targets", "A"), edge("targets", "B"), edge("A", "C"), edge("A", "D")],
        &["A", "C", "D", "B"],
    ),
    (
        "three_levels_depth_first",
        &[edge("targets", "A"), edge("targets", "B"), edge("A", "C"), edge("C", "D")],
        &["A", "C", "D", "B"],
    ),
    (
        "terminating_on_the_second_level",
        &[edge("targets", "A"), edge("targets", "B"), ("A", "C", ANY, true), edge("A", "D")],
        &["A", "C"],
    ),
    (
        "terminating_with_descendants",
        &[edge("targets", "A"), edge("targets", "B"), ("A", "C", ANY, true), edge("C", "D")],
        &["A", "C", "D"],
    ),
    ("paths_on_the_first_level", &[("targets", "A", PYTHON, false), edge("targets", "B"), edge("A", "C")], &["B"]),
    (
        "paths_on_the_second_level",
        &[edge("targets", "A"), edge("targets", "B"), ("A", "C", PYTHON, false), edge("C", "D")],
        &["A", "B"],
    ),
    (
        "a_circle",
        &[edge("targets", "A"), edge("targets", "B"), edge("B", "C"), edge("C", "D"), edge("D", "B")],
        &["A", "B", "C", "D"],
    ),
    ("two_to_a_third", &[edge("targets", "A"), edge("targets", "B"), edge("B", "C"), edge("A", "C")], &["A", "C", "B"]),
    (
        "two_to_a_third_with_paths",
        &[edge("targets", "A"), edge("targets", "B"), edge("B", "C"), ("A", "C", PYTHON, false)],
        &["A", "B", "C"],
    ),
];

/// Path, whether it is found, roles that are asked for it.
const SEARCHES: [(&str, bool, &[&str]); 9] = [
    ("targetfile", true, &[]),
    ("README.md", true, &["A"]),
    ("releases/x/x_v1", true, &["B", "C"]),
    ("releases/y/y_v1.zip", true, &["B", "D"]),
    ("releases/z/z_v1.zip", false, &["B"]),
    ("releases/README.md", false, &[]),
    ("foo-1.tgz", true, &["A"]),
    ("foo-alpha.tgz", false, &[]),
    ("README.MD", false, &[]),
];

/// Names of roles that mean something in addresses and paths.
const UNUSUAL: [(&str, &str); 4] =
    [("?", "%3F"), ("#", "%23"), ("/delegatedrole", "%2Fdelegatedrole"), ("../delegatedrole", "..%2Fdelegatedrole")];

pub(super) fn scenarios() -> Vec<Scenario> {
    let graphs = GRAPHS
        .into_iter()
        .map(|(name, edges, order)| -> Scenario { (format!("delegations_{name}"), Box::pin(traversal(edges, order))) });
    let searches = SEARCHES.into_iter().map(|(path, found, order)| -> Scenario {
        (format!("search_for_{path}"), Box::pin(search(path, found, order)))
    });
    let names = UNUSUAL
        .into_iter()
        .map(|(role, encoded)| -> Scenario { (format!("role_called_{role}"), Box::pin(unusual_role(role, encoded))) });
    let more = super::scenarios![
        a_role_is_verified_for_each_who_delegates_to_it,
        a_delegation_that_the_snapshot_does_not_name_is_not_used,
    ];
    graphs.chain(searches).chain(names).chain(more).collect()
}

fn delegate(repository: &mut Repository, edges: &[Edge]) {
    // Every role is delegated to before it is published, and published once.
    let mut roles: Vec<&str> = Vec::new();
    for (from, to, paths, terminating) in edges {
        repository.delegate(from, to, paths, *terminating);
        for role in [to, from] {
            if !roles.contains(role) {
                roles.push(role);
            }
        }
    }
    roles.extend(["snapshot", "timestamp"]);
    repository.publish(&roles);
}

/// The delegated roles that were asked for, after the four of the top.
fn asked(client: &Client) -> Vec<String> {
    client.server.take_requests().into_iter().skip(4).filter(|file| !file.starts_with("targets/")).collect()
}

fn files(roles: &[&str]) -> Vec<String> {
    roles.iter().map(|role| format!("1.{role}.json")).collect()
}

async fn traversal(edges: &'static [Edge], order: &'static [&'static str]) {
    let mut repository = repository();
    delegate(&mut repository, edges);
    let client = Client::new(repository).await;
    refused!(client.target("missing").await, TufError::NoTarget { .. });
    assert_eq!(asked(&client), files(order));
}

async fn search(path: &'static str, found: bool, order: &'static [&'static str]) {
    let mut repository = repository();
    repository.add_target("targets", "targetfile", b"targetfile content");
    let edges: [Edge; 4] = [
        ("targets", "A", &["*.doc", "*.md", "foo-?.tgz"], false),
        ("targets", "B", &["releases/*/*"], false),
        ("B", "C", &["releases/x/*"], false),
        ("B", "D", &["releases/y/*.zip"], false),
    ];
    for (from, to, paths, terminating) in edges {
        repository.delegate(from, to, paths, terminating);
    }
    for (role, target) in [
        ("A", "README.md"),
        ("A", "releases/README.md"),
        ("A", "foo-1.tgz"),
        ("A", "foo-alpha.tgz"),
        ("C", "releases/x/x_v1"),
        ("D", "releases/y/y_v1.zip"),
        ("D", "releases/z/z_v1.zip"),
    ] {
        repository.add_target(role, target, target.as_bytes());
    }
    repository.publish(&["A", "B", "C", "D", "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    let result = client.target(path).await;
    if found {
        let content = result.unwrap();
        assert!(content == path.as_bytes() || content == b"targetfile content");
    } else {
        refused!(result, TufError::NoTarget { .. });
    }
    assert_eq!(asked(&client), files(order));
}

async fn unusual_role(role: &'static str, encoded: &'static str) {
    let mut repository = repository();
    repository.delegate("targets", role, ANY, false);
    repository.publish(&[role, "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    refused!(client.target("missing").await, TufError::NoTarget { .. });
    assert_eq!(asked(&client), [format!("1.{encoded}.json")]);
    let kept = client.folder.path().join(format!("metadata/{encoded}.json"));
    assert!(kept.exists(), "it is kept, and under a name inside the folder");
}

async fn a_role_is_verified_for_each_who_delegates_to_it() {
    let mut repository = repository();
    for (parent, path) in [("parent-a", "team-a/*"), ("parent-b", "team-b/*")] {
        repository.delegate("targets", parent, &[path], false);
        repository.delegate(parent, "release", &[path], false);
    }
    // The second parent's key does not sign.
    repository.role("release").signers.pop();
    repository.add_target("release", "team-a/root.json", b"trusted by a");
    repository.add_target("release", "team-b/root.json", b"malice for b");
    repository.publish(&["release", "parent-a", "parent-b", "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    let mut session = client.session().await.unwrap();
    assert_eq!(session.target("team-a/root.json").await.unwrap(), b"trusted by a");
    refused!(session.target("team-b/root.json").await, TufError::Threshold { role, found: 0, .. } if role == "release");
}

async fn a_delegation_that_the_snapshot_does_not_name_is_not_used() {
    let mut repository = repository();
    repository.delegate("targets", "delegated", &["path/*"], false);
    repository.publish(&["delegated", "targets"]);
    repository.signed_mut("snapshot")["meta"].as_object_mut().unwrap().remove("delegated.json");
    repository.publish(&["snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    client.server.take_requests();
    refused!(client.target("path/file").await, TufError::NoTarget { .. });
    assert_eq!(client.server.take_requests(), ["2.root.json", "timestamp.json"]);
    assert_eq!(client.version("delegated"), None);
}
