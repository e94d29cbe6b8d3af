//! What an entry of a credentials file covers: a registry host, or a path below one.

use assay_model::Repository;

/// The one name of Docker Hub; its entries are written in many ways.
const DOCKER_HUB: &str = "docker.io";

/// A normalised key: `host[:port][/path]`, compared whole component by whole component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    registry: String,
    path: String,
}

impl Scope {
    /// Reads a key as docker (`https://index.docker.io/v1/`) or Podman (`registry.example.com/team`) write it.
    /// Nothing for what is not one: such a key matches no registry.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
        let (registry, path) = key.split_once('/').unwrap_or((key, ""));
        let registry = registry_name(registry);
        let path = match path.trim_end_matches('/') {
            // The API version of docker's old keys is not a path.
            "v1" | "v2" => "",
            path => path,
        };
        // The host grammar is the reference's own: user information or a wildcard in a key makes it invalid.
        let probe = if path.is_empty() { "probe" } else { path };
        Repository::new(&registry, probe).ok()?;
        Some(Self { registry, path: path.to_owned() })
    }

    /// How specifically this covers `repository`: the number of path components, or nothing where it does not.
    pub(crate) fn covers(&self, repository: &Repository) -> Option<usize> {
        if registry_name(repository.registry()) != self.registry {
            return None;
        }
        if self.path.is_empty() {
            return Some(0);
        }
        let rest = repository.path().strip_prefix(&self.path)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| self.path.split('/').count())
    }

    pub(crate) fn is_whole_registry(&self) -> bool {
        self.path.is_empty()
    }
}

/// Lowercase, and one name for Docker Hub.
fn registry_name(registry: &str) -> String {
    let registry = registry.to_ascii_lowercase();
    match registry.as_str() {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB.to_owned(),
        _ => registry,
    }
}

/// The server URL that docker hands to a credential helper for this registry.
pub(crate) fn server_url(registry: &str) -> String {
    match registry_name(registry).as_str() {
        DOCKER_HUB => "https://index.docker.io/v1/".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covers(key: &str, repository: &str) -> Option<usize> {
        let (registry, path) = repository.split_once('/').unwrap();
        Scope::parse(key).and_then(|scope| scope.covers(&Repository::new(registry, path).unwrap()))
    }

    #[test]
    fn every_spelling_of_docker_hub_is_docker_hub() {
        for key in ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io", "DOCKER.IO"]
        {
            assert_eq!(covers(key, "docker.io/library/nginx"), Some(0), "{key}");
        }
    }

    #[test]
    fn cve_2024_35192_a_look_alike_host_gets_nothing() {
        for (key, repository) in [
            ("registry.example.com", "registry.example.com.evil.test/a"),
            ("registry.example.com", "evil-registry.example.com/a"),
            ("registry.example.com", "registry.example.com:5000/a"),
            ("registry.example.com:5000", "registry.example.com/a"),
            ("example.com", "registry.example.com/a"),
            ("docker.io", "docker.io.evil.test/a"),
            ("*.example.com", "registry.example.com/a"),
            ("registry.example.com@evil.test", "evil.test/a"),
            ("", "registry.example.com/a"),
        ] {
            assert_eq!(covers(key, repository), None, "{key} must not cover {repository}");
        }
    }

    #[test]
    fn a_path_covers_whole_components_and_the_longer_is_more_specific() {
        assert_eq!(covers("r.example.com/pay", "r.example.com/payments/api"), None);
        assert_eq!(covers("r.example.com/payments", "r.example.com/payments/api"), Some(1));
        assert_eq!(covers("r.example.com/payments/api", "r.example.com/payments/api"), Some(2));
        assert_eq!(covers("https://r.example.com/v2/", "r.example.com/payments/api"), Some(0));
    }

    proptest! {
        #[test]
        fn any_key_is_read_without_panic_and_covers_its_own_host_only(key in ".{0,60}") {
            if let Some(scope) = Scope::parse(&key) {
                let other = Repository::new("other.invalid", "a").unwrap();
                prop_assert!(scope.covers(&other).is_none() || scope.registry == "other.invalid");
            }
        }
    }
}
