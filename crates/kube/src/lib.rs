//! Kubernetes as Assay reads it: [`Review`] (AdmissionReview v1), Pod extraction from every built-in kind, manifests
//! with the place of each value, and edits of those manifests that leave everything else alone.
//!
//! Beside these it has what Assay needs inside a cluster: the kinds as CustomResourceDefinitions
//! ([`custom_resource_definitions`]) and a small [`Client`] that lists, watches and writes JSON objects. The API types are as
//! thin as the questions asked of them.
//! An AdmissionReview and a manifest of the same object give the same [`Request`](assay_case::Request).
//!
//! ```
//! use assay_kube::{Admission, Review};
//!
//! let body = br#"{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
//!     "uid": "705ab4f5", "operation": "CREATE", "namespace": "payments", "kind": {"group": "", "version": "v1", "kind": "Pod"},
//!     "object": {"metadata": {"name": "api"}, "spec": {"containers": [{"name": "api", "image": "nginx:1.27"}]}}}}"#;
//! let review = Review::parse(body)?;
//! let Admission::Judge(request) = review.admission(None) else { return Err("a Pod is judged".into()) };
//! assert_eq!(request.images[0].field, "spec.containers[0].image");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backstop;
mod client;
mod crd;
mod credential;
mod edit;
mod exposure;
mod kustomize;
mod manifest;
mod object;
mod response;
mod review;
mod running;
mod values;
mod workload;

pub use assay_yaml::Place;
pub use backstop::{BACKSTOP_CONTROLS, BackstopEnvironment, backstop};
pub use client::{
    ApiError, CRON_JOBS, CUSTOM_RESOURCE_DEFINITIONS, Change, Client, Config, EVENTS, Election, GRPC_ROUTES,
    HTTP_ROUTES, INGRESSES, LEASES, Listing, MUTATING_WEBHOOKS, NAMESPACES, NODES, PODS, Resource, SECRETS,
    SERVICE_ACCOUNTS, SERVICES, Selection, Standing, StoredObject, VALIDATING_POLICIES, VALIDATING_POLICY_BINDINGS,
    VALIDATING_WEBHOOKS, Watcher,
};
pub use crd::{
    ANNOTATION_BYTES_MAX, CRDS_YAML, ENVIRONMENTS, EXCEPTIONS, RELEASE_ARTIFACTS, TRUST_ROOTS,
    custom_resource_definitions,
};
pub use credential::{PullCredentials, pull_credentials};
pub use edit::{EditError, Replacement, apply};
pub use exposure::{EXPOSURE_LABEL, Routing, exposure, is_other_router};
pub use kustomize::KustomizeImage;
pub use manifest::{
    ASSAY_GROUP, FILE_BYTES_MAX, ImageField, Manifest, ManifestError, Manifests, Skipped, namespace_of,
};
pub use object::Object;
pub use response::{PatchOperation, Response, Status, json_pointer};
pub use review::{Admission, PassReason, Review, ReviewError, ReviewOperation};
pub use running::{
    ContainerView, JobControllers, PodPhase, PodView, in_use, job_controllers, owner_of, reduced_pod, reduced_route,
    template_of, workload_of,
};
pub use values::ValuesImage;
pub use workload::{Origin, is_built_in_controller, is_workload, request_of};
