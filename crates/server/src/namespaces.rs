//! Labels of namespaces, as a snapshot.

use std::collections::BTreeMap;

/// Labels by namespace name. A namespace that is missing here has unknown labels, never none: the Gate then judges by the
/// strictest Environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespaces(BTreeMap<String, BTreeMap<String, String>>);

impl Namespaces {
    /// The labels of a namespace, if they are known.
    pub fn labels(&self, namespace: &str) -> Option<&BTreeMap<String, String>> {
        self.0.get(namespace)
    }
}

impl FromIterator<(String, BTreeMap<String, String>)> for Namespaces {
    fn from_iter<I: IntoIterator<Item = (String, BTreeMap<String, String>)>>(namespaces: I) -> Self {
        Self(namespaces.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_namespace_is_unknown_and_an_unlabelled_one_is_not() {
        let namespaces: Namespaces = [("plain".to_owned(), BTreeMap::new())].into_iter().collect();
        assert_eq!(namespaces.labels("plain"), Some(&BTreeMap::new()));
        assert_eq!(namespaces.labels("other"), None);
    }
}
