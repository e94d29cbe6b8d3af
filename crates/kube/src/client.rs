//! A client of the Kubernetes API: read, write, list and watch JSON objects, as far as Assay needs it.
//!
//! Objects stay JSON: whoever asks reads the few fields it needs, so that neither a field that a newer API server adds nor
//! one that is missing breaks anything. What a list or a watch gives is bounded; a watch that is lost begins again by
//! itself ([`Watcher`]). See [`Config`] for who we are to the API server.

mod authentication;
mod config;
mod error;
mod lease;
mod object;
mod watch;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};

pub use self::config::Config;
pub use self::error::ApiError;
pub use self::lease::{Election, Standing};
pub use self::object::StoredObject;
pub use self::watch::{Change, Watcher};

use self::authentication::Sessions;
use self::error::refusal;

/// For one request with its answer; watches have their own.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer: a page of a list of the largest objects that fit into etcd would have 750 MB, a page of usual ones 5.
const ANSWER_MAX: usize = 256 << 20;
/// Objects of one page of a list.
const PAGE: usize = 500;
/// Pages of one list.
const PAGES_MAX: usize = 2_000;

/// A resource of the API: what a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Version of the group.
    pub version: &'static str,
    /// Plural in lower case, `deployments`.
    pub plural: &'static str,
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// A resource whose objects lie in no namespace.
    pub const fn cluster(group: &'static str, version: &'static str, plural: &'static str) -> Self {
        Self { group, version, plural, namespaced: false }
    }

    /// A resource whose objects lie in namespaces.
    pub const fn namespaced(group: &'static str, version: &'static str, plural: &'static str) -> Self {
        Self { group, version, plural, namespaced: true }
    }
}

/// Namespaces.
pub const NAMESPACES: Resource = Resource::cluster("", "v1", "namespaces");
/// Secrets.
pub const SECRETS: Resource = Resource::namespaced("", "v1", "secrets");
/// Pods.
pub const PODS: Resource = Resource::namespaced("", "v1", "pods");
/// Services.
pub const SERVICES: Resource = Resource::namespaced("", "v1", "services");
/// Events.
pub const EVENTS: Resource = Resource::namespaced("", "v1", "events");
/// Ingresses.
pub const INGRESSES: Resource = Resource::namespaced("networking.k8s.io", "v1", "ingresses");
/// HTTPRoutes of the Gateway API.
pub const HTTP_ROUTES: Resource = Resource::namespaced("gateway.networking.k8s.io", "v1", "httproutes");
/// ServiceAccounts.
pub const SERVICE_ACCOUNTS: Resource = Resource::namespaced("", "v1", "serviceaccounts");
/// Nodes.
pub const NODES: Resource = Resource::cluster("", "v1", "nodes");
/// CronJobs.
pub const CRON_JOBS: Resource = Resource::namespaced("batch", "v1", "cronjobs");
/// GRPCRoutes of the Gateway API.
pub const GRPC_ROUTES: Resource = Resource::namespaced("gateway.networking.k8s.io", "v1", "grpcroutes");
/// Leases.
pub const LEASES: Resource = Resource::namespaced("coordination.k8s.io", "v1", "leases");
/// ValidatingAdmissionPolicies.
pub const VALIDATING_POLICIES: Resource =
    Resource::cluster("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies");
/// ValidatingAdmissionPolicyBindings.
pub const VALIDATING_POLICY_BINDINGS: Resource =
    Resource::cluster("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings");
/// CustomResourceDefinitions.
pub const CUSTOM_RESOURCE_DEFINITIONS: Resource =
    Resource::cluster("apiextensions.k8s.io", "v1", "customresourcedefinitions");
/// ValidatingWebhookConfigurations.
pub const VALIDATING_WEBHOOKS: Resource =
    Resource::cluster("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations");
/// MutatingWebhookConfigurations.
pub const MUTATING_WEBHOOKS: Resource =
    Resource::cluster("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations");

/// Which objects of a resource: those of one namespace, or the one of a name. The default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Objects of this namespace only.
    pub namespace: Option<String>,
    /// The object of this name only.
    pub name: Option<String>,
}

impl Selection {
    /// The object of a name, in a namespace or in none.
    pub fn one(namespace: Option<&str>, name: &str) -> Self {
        Self { namespace: namespace.map(str::to_owned), name: Some(name.to_owned()) }
    }
}

/// A list as it was at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The objects.
    pub items: Vec<StoredObject>,
    /// The moment: where a watch goes on.
    pub resource_version: String,
}

/// A client. Cloning shares connections and credentials.
#[derive(Clone)]
pub struct Client {
    sessions: Arc<Sessions>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("server", &self.server().as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// Sets up TLS. Nothing is asked yet.
    pub fn new(config: Config) -> Result<Self, ApiError> {
        Ok(Self { sessions: Arc::new(Sessions::new(config)?) })
    }

    /// The API server.
    pub fn server(&self) -> &Url {
        &self.sessions.config().server
    }

    /// The namespace of the context, or of the Pod that this runs in.
    pub fn namespace(&self) -> &str {
        &self.sessions.config().namespace
    }

    /// One object.
    pub async fn get(&self, resource: Resource, namespace: Option<&str>, name: &str) -> Result<StoredObject, ApiError> {
        let url = self.url(resource, namespace, Some(name), None);
        self.ask(Method::GET, url, None).await.map(StoredObject)
    }

    /// All objects that are selected, page by page.
    pub async fn list(&self, resource: Resource, selection: &Selection) -> Result<Listing, ApiError> {
        let (items, resource_version) = self.list_keeping(resource, selection, |object| object).await?;
        Ok(Listing { items, resource_version })
    }

    /// The same, with each object made into what is kept of it as soon as its page is there, and the moment.
    async fn list_keeping<T>(
        &self,
        resource: Resource,
        selection: &Selection,
        keep: fn(StoredObject) -> T,
    ) -> Result<(Vec<T>, String), ApiError> {
        let (mut kept, mut resource_version) = (Vec::new(), String::new());
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut url = self.select(resource, selection);
            url.query_pairs_mut().append_pair("limit", &PAGE.to_string());
            if let Some(next) = &next {
                url.query_pairs_mut().append_pair("continue", next);
            }
            let mut page = self.ask(Method::GET, url, None).await?;
            let metadata = &page["metadata"];
            metadata["resourceVersion"].as_str().unwrap_or_default().clone_into(&mut resource_version);
            next = metadata["continue"].as_str().filter(|next| !next.is_empty()).map(str::to_owned);
            match page["items"].take() {
                Value::Array(items) => {
                    kept.extend(items.into_iter().map(|item| keep(StoredObject::received(item))));
                }
                Value::Null => {}
                _ => return Err(ApiError::Malformed { message: "a list whose items are no list".to_owned() }),
            }
            if next.is_none() {
                return Ok((kept, resource_version));
            }
        }
        Err(ApiError::Malformed { message: format!("a list of more than {PAGES_MAX} pages") })
    }

    /// The API groups that the cluster serves, without the core group.
    pub async fn groups(&self) -> Result<BTreeSet<String>, ApiError> {
        let mut url = self.server().clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("apis");
        }
        let answer = self.ask(Method::GET, url, None).await?;
        let groups = answer["groups"].as_array().into_iter().flatten();
        Ok(groups.filter_map(|group| group["name"].as_str().map(str::to_owned)).collect())
    }

    /// Asks what creating an object would come to; nothing is stored (`dryRun=All`).
    pub async fn try_create(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<StoredObject, ApiError> {
        let mut url = self.url(resource, namespace, None, None);
        url.query_pairs_mut().append_pair("dryRun", "All");
        self.ask(Method::POST, url, Some(("application/json", object))).await.map(StoredObject)
    }

    /// Asks what replacing an object, or a subresource of it, would come to; nothing is stored (`dryRun=All`).
    pub async fn try_replace(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
        sub_resource: Option<&str>,
        object: &Value,
    ) -> Result<StoredObject, ApiError> {
        let mut url = self.url(resource, namespace, Some(name), sub_resource);
        url.query_pairs_mut().append_pair("dryRun", "All");
        self.ask(Method::PUT, url, Some(("application/json", object))).await.map(StoredObject)
    }

    /// Deletes an object.
    pub async fn delete(&self, resource: Resource, namespace: Option<&str>, name: &str) -> Result<(), ApiError> {
        let url = self.url(resource, namespace, Some(name), None);
        self.ask(Method::DELETE, url, None).await.map(drop)
    }

    /// Creates an object.
    pub async fn create(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        object: &Value,
    ) -> Result<StoredObject, ApiError> {
        let url = self.url(resource, namespace, None, None);
        self.ask(Method::POST, url, Some(("application/json", object))).await.map(StoredObject)
    }

    /// Replaces an object. With `metadata.resourceVersion` only if nobody else changed it since.
    pub async fn replace(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
        object: &Value,
    ) -> Result<StoredObject, ApiError> {
        let url = self.url(resource, namespace, Some(name), None);
        self.ask(Method::PUT, url, Some(("application/json", object))).await.map(StoredObject)
    }

    /// Merges into an object (RFC 7396).
    pub async fn merge(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Result<StoredObject, ApiError> {
        let url = self.url(resource, namespace, Some(name), None);
        self.ask(Method::PATCH, url, Some(("application/merge-patch+json", patch))).await.map(StoredObject)
    }

    /// Merges into the status of an object (RFC 7396).
    pub async fn merge_status(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
        status: &Value,
    ) -> Result<StoredObject, ApiError> {
        let url = self.url(resource, namespace, Some(name), Some("status"));
        let patch = json!({"status": status});
        self.ask(Method::PATCH, url, Some(("application/merge-patch+json", &patch))).await.map(StoredObject)
    }

    /// The path of a resource. Segments are encoded: a name never becomes another path.
    fn url(&self, resource: Resource, namespace: Option<&str>, name: Option<&str>, sub: Option<&str>) -> Url {
        let mut url = self.server().clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            if resource.group.is_empty() {
                path.extend(["api", resource.version]);
            } else {
                path.extend(["apis", resource.group, resource.version]);
            }
            if let Some(namespace) = namespace.filter(|_| resource.namespaced) {
                path.extend(["namespaces", namespace]);
            }
            path.push(resource.plural);
            path.extend(name).extend(sub);
        }
        url
    }

    fn select(&self, resource: Resource, selection: &Selection) -> Url {
        let mut url = self.url(resource, selection.namespace.as_deref(), None, None);
        if let Some(name) = &selection.name {
            url.query_pairs_mut().append_pair("fieldSelector", &format!("metadata.name={name}"));
        }
        url
    }

    /// Sends a request and reads the answer. With credentials that have gone stale it is sent once more.
    async fn ask(&self, method: Method, url: Url, body: Option<(&'static str, &Value)>) -> Result<Value, ApiError> {
        let response = self.send(method, url, body, Some(TIMEOUT)).await?;
        let bytes = self.body(response).await?;
        serde_json::from_slice(&bytes).map_err(|error| ApiError::Malformed { message: error.to_string() })
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<(&'static str, &Value)>,
        timeout: Option<Duration>,
    ) -> Result<reqwest::Response, ApiError> {
        let mut is_second = false;
        loop {
            let (http, authorization) = self.sessions.current().await?;
            let mut request = http.request(method.clone(), url.clone()).header("accept", "application/json");
            if let Some(timeout) = timeout {
                request = request.timeout(timeout);
            }
            if let Some(authorization) = authorization {
                request = request.header(reqwest::header::AUTHORIZATION, authorization);
            }
            if let Some((kind, body)) = body {
                request = request.header(reqwest::header::CONTENT_TYPE, kind).body(body.to_string());
            }
            let response = request.send().await.map_err(|error| self.unreachable(&error))?;
            if response.status() == StatusCode::UNAUTHORIZED && !is_second {
                is_second = true;
                self.sessions.forget().await;
                continue;
            }
            if response.status().is_success() {
                return Ok(response);
            }
            let status = response.status().as_u16();
            let bytes = self.body(response).await.unwrap_or_default();
            return Err(refusal(status, &bytes));
        }
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, ApiError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if bytes.len().saturating_add(chunk.len()) > ANSWER_MAX {
                return Err(ApiError::Malformed { message: format!("an answer of more than {ANSWER_MAX} bytes") });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn unreachable(&self, error: &reqwest::Error) -> ApiError {
        ApiError::Unreachable { server: self.server().to_string(), reason: assay_model::innermost(error) }
    }
}

#[cfg(test)]
mod tests;
