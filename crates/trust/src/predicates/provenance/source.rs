//! Where source code comes from, as builders write it.

use std::collections::BTreeMap;

/// A repository and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Without `git+`, `@ref` and `.git`.
    pub(crate) repository: Option<String>,
    /// What stands behind the `@`.
    pub(crate) reference: Option<String>,
}

impl Source {
    /// `git+https://host/path@ref` (SPDX download location) to repository and ref. An `@` before the path is a user name.
    pub(crate) fn split(uri: &str) -> Self {
        let uri = uri.strip_prefix("git+").unwrap_or(uri);
        if uri.is_empty() {
            return Self::default();
        }
        let path = uri.find("://").map_or(0, |at| at + 3);
        let path = uri.get(path..).and_then(|rest| rest.find('/')).map_or(uri.len(), |slash| path + slash);
        let (repository, reference) = match uri.get(path..).and_then(|rest| rest.find('@')) {
            Some(at) => (uri.get(..path + at), uri.get(path + at + 1..)),
            None => (Some(uri), None),
        };
        let repository = repository.map(|text| text.strip_suffix(".git").unwrap_or(text).to_owned());
        Self { repository, reference: reference.filter(|text| !text.is_empty()).map(str::to_owned) }
    }

    /// What is missing here from another one.
    pub(super) fn or(self, other: Self) -> Self {
        Self { repository: self.repository.or(other.repository), reference: self.reference.or(other.reference) }
    }
}

/// The commit of a digest set: gitCommit, or what older builders called it.
pub(super) fn commit(digest: Option<&BTreeMap<String, String>>) -> Option<String> {
    let digest = digest?;
    ["gitCommit", "sha1", "sha256"].iter().find_map(|algorithm| digest.get(*algorithm)).cloned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_user_name_is_no_ref() {
        let source = Source::split("git+ssh://git@github.com/company/api.git@main");
        let wanted = ("ssh://git@github.com/company/api".to_owned(), "main".to_owned());
        assert_eq!(source, Source { repository: Some(wanted.0), reference: Some(wanted.1) });
    }

    proptest! {
        #[test]
        fn any_source_splits_without_panic(uri in ".{0,60}") {
            let _ = Source::split(&uri);
        }
    }
}
