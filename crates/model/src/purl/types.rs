//! The rules of single purl types, from the type definitions of purl-spec (`types/*-definition.json`).

use super::{Purl, PurlError};

/// Whether a type has namespaces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Namespace {
    Required,
    Optional,
    Prohibited,
}

/// Which parts of a purl do not tell capital letters from small ones, and are written small.
#[derive(Clone, Copy)]
struct Lower {
    namespace: bool,
    name: bool,
    version: bool,
}

/// What purl-spec says about a type, as far as it changes or refuses anything.
///
/// Namespaces are called for only where their absence leaves nothing that can be named. The definitions also call for
/// one of `deb`, `apk`, `rpm`, `golang` and `maven`, but documents are full of purls without (`pkg:golang/stdlib`), and
/// refusing them would hide packages.
fn rules(kind: &str) -> (Namespace, Lower) {
    use Namespace::{Optional, Prohibited, Required};
    const NOTHING: Lower = Lower { namespace: false, name: false, version: false };
    const NAME: Lower = Lower { name: true, ..NOTHING };
    const NAMESPACE: Lower = Lower { namespace: true, ..NOTHING };
    const BOTH: Lower = Lower { namespace: true, name: true, version: false };
    match kind {
        "alpm" | "apk" | "brew" | "composer" | "deb" | "gitlab" | "hex" | "luarocks" => (Optional, BOTH),
        "bitbucket" | "github" => (Required, BOTH),
        "vscode-extension" => (Required, Lower { version: true, ..BOTH }),
        "qpkg" | "rpm" | "yocto" => (Optional, NAMESPACE),
        "huggingface" => (Required, Lower { version: true, ..NOTHING }),
        "swift" => (Required, NOTHING),
        "bitnami" | "chrome-extension" | "otp" | "pub" => (Prohibited, NAME),
        "oci" | "pypi" => (Prohibited, Lower { version: true, ..NAME }),
        "bazel" | "cargo" | "cocoapods" | "conda" | "cran" | "gem" | "hackage" | "julia" | "mlflow" | "nuget"
        | "opam" | "vcpkg" => (Prohibited, NOTHING),
        _ => (Optional, NOTHING),
    }
}

/// Whether the name is a path of its own, written with bare slashes: `git`, whose namespace is the host alone.
pub(super) fn name_is_path(kind: &str) -> bool {
    kind == "git"
}

/// Writes the parts as their type writes them.
pub(super) fn normalise(purl: &mut Purl) {
    let lower = |text: &mut String| *text = text.to_lowercase();
    let (_, rule) = rules(&purl.kind);
    if rule.namespace {
        purl.namespace.iter_mut().for_each(lower);
    }
    if rule.name {
        lower(&mut purl.name);
    }
    if rule.version {
        purl.version.iter_mut().for_each(lower);
    }
    if name_is_path(&purl.kind)
        && let Some((host, path)) = purl.namespace.as_deref().and_then(|namespace| namespace.split_once('/'))
    {
        purl.name = format!("{path}/{}", purl.name);
        purl.namespace = Some(host.to_owned());
    }
    match purl.kind.as_str() {
        "pypi" | "hackage" => purl.name = purl.name.replace('_', "-"),
        "pub" => {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            purl.name = purl.name.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
        }
        "otp" => purl.subpath.iter_mut().for_each(lower),
        // Databricks' registry does not tell capital letters from small ones, the other MLflow registries do.
        "mlflow" if purl.qualifiers.get("repository_url").is_some_and(|url| url.contains("azuredatabricks.net")) => {
            lower(&mut purl.name);
        }
        _ => {}
    }
}

/// Refuses what the type has no place for. The purl is normalised.
pub(super) fn check(purl: &Purl) -> Result<(), PurlError> {
    let refuse = |rule| Err(PurlError::AgainstType { kind: purl.kind.clone(), rule });
    match (rules(&purl.kind).0, &purl.namespace) {
        (Namespace::Required, None) => return refuse("a namespace is required"),
        (Namespace::Prohibited, Some(_)) => return refuse("there are no namespaces"),
        _ => {}
    }
    match purl.kind.as_str() {
        "julia" if !purl.qualifiers.contains_key("uuid") => refuse("the qualifier `uuid` is required"),
        "swid" if !purl.qualifiers.contains_key("tag_id") => refuse("the qualifier `tag_id` is required"),
        "cpan" if purl.name.contains("::") => refuse("the name is a distribution's, without `::`"),
        "chrome-extension" => check_chrome(purl).map_or(Ok(()), refuse),
        _ => Ok(()),
    }
}

fn check_chrome(purl: &Purl) -> Option<&'static str> {
    if purl.name.len() != 32 || !purl.name.bytes().all(|byte| matches!(byte, b'a'..=b'p')) {
        return Some("the name has 32 letters from a to p");
    }
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<_> = purl.version.as_deref().unwrap_or("0").split('.').collect();
    (parts.len() > 4 || !parts.into_iter().all(number)).then_some("the version has one to four numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_refuse_what_they_have_no_place_for() {
        for text in [
            "pkg:pypi/space/name",
            "pkg:swift/name",
            "pkg:julia/Dates",
            "pkg:swid/a/b",
            "pkg:cpan/LWP::UserAgent",
            "pkg:chrome-extension/dogs",
        ] {
            assert!(matches!(text.parse::<Purl>(), Err(PurlError::AgainstType { .. })), "{text}");
        }
    }

    #[test]
    fn the_name_of_a_git_repository_is_its_path_on_the_host() {
        let purl: Purl = "pkg:git/codeberg.org/forgejo%2F/forgejo%2F@1".parse().unwrap();
        assert_eq!((purl.namespace.as_deref(), purl.name.as_str()), (Some("codeberg.org"), "forgejo/forgejo"));
        assert_eq!(purl.to_string(), "pkg:git/codeberg.org/forgejo/forgejo@1");
    }

    #[test]
    fn purls_that_documents_are_full_of_are_read_though_a_namespace_is_called_for() {
        for text in ["pkg:golang/stdlib@1.22.1", "pkg:deb/bash@5", "pkg:rpm/bash@5", "pkg:maven/batik@1"] {
            assert_eq!(text.parse::<Purl>().unwrap().to_string(), text);
        }
    }
}
