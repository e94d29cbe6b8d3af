//! Whose Pods an image is pulled for: that says with which credentials the kubelet would pull it.

use std::borrow::Cow;

use assay_case::Request;

/// The ServiceAccount of a Pod that names none.
const DEFAULT_ACCOUNT: &str = "default";

/// Whose Pods an image is pulled for. The default is nobody's: the credentials of this process are all there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Puller<'a> {
    /// Their namespace, empty for nobody's.
    pub namespace: Cow<'a, str>,
    /// Their ServiceAccount, `default` where they name none.
    pub service_account: Cow<'a, str>,
    /// The names in their `imagePullSecrets`.
    pub secrets: Vec<Cow<'a, str>>,
}

impl<'a> Puller<'a> {
    /// Those of a request.
    pub fn of(request: &'a Request<'_>) -> Self {
        let listed = request.pod_spec().get("imagePullSecrets").items().iter();
        Self {
            namespace: Cow::Borrowed(&request.namespace.name),
            service_account: Cow::Borrowed(request.service_account.as_deref().unwrap_or(DEFAULT_ACCOUNT)),
            secrets: listed.filter_map(|secret| secret.get("name").as_str()).map(Cow::Borrowed).collect(),
        }
    }

    /// Those of a Pod as the API server holds it.
    pub fn of_pod(pod: &'a serde_json::Value) -> Self {
        let spec = &pod["spec"];
        let listed = spec["imagePullSecrets"].as_array().into_iter().flatten();
        Self {
            namespace: Cow::Borrowed(pod["metadata"]["namespace"].as_str().unwrap_or_default()),
            service_account: Cow::Borrowed(spec["serviceAccountName"].as_str().unwrap_or(DEFAULT_ACCOUNT)),
            secrets: listed.filter_map(|secret| secret["name"].as_str()).map(Cow::Borrowed).collect(),
        }
    }

    /// Any Pods of a namespace.
    pub fn anybody_in(namespace: &'a str) -> Self {
        let service_account = Cow::Borrowed(DEFAULT_ACCOUNT);
        Self { namespace: Cow::Borrowed(namespace), service_account, secrets: Vec::new() }
    }

    /// The same, to keep.
    pub fn into_owned(self) -> Puller<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Puller {
            namespace: own(self.namespace),
            service_account: own(self.service_account),
            secrets: self.secrets.into_iter().map(own).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_names_its_secrets_and_its_account() {
        let pod = serde_json::json!({
            "metadata": {"namespace": "shop"},
            "spec": {"serviceAccountName": "api", "imagePullSecrets": [{"name": "a"}, {}, {"name": "b"}]},
        });
        let puller = Puller::of_pod(&pod);
        assert_eq!((&*puller.namespace, &*puller.service_account), ("shop", "api"));
        assert_eq!(puller.secrets, ["a", "b"]);
        assert_eq!(puller.clone().into_owned(), puller);
        let plain = serde_json::json!({"metadata": {"namespace": "shop"}, "spec": {}});
        assert_eq!(Puller::of_pod(&plain), Puller::anybody_in("shop"));
    }
}
