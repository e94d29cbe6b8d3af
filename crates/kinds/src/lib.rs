//! The kinds of `assay.dev/v1`, as people write them in files and clusters hold them.
//!
//! [`load_yaml`] reads a stream of YAML documents strictly: an unknown field, an unknown kind of this group, a doubled key
//! or a wrong type is an error with line and column. Objects of other groups are skipped and counted. Nothing is decided
//! here; the Gate compiles these objects into a Policy.
//!
//! ```
//! use assay_kinds::{Kind, load_yaml};
//!
//! let text = "
//! apiVersion: assay.dev/v1
//! kind: Environment
//! metadata: {name: prod}
//! spec:
//!   tier: prod
//!   registries: [registry.example.com/release/]
//!   controls:
//!     high-cve: {action: warn}
//! ";
//! let loaded = load_yaml(text, "prod.yaml")?;
//! assert!(matches!(&loaded.objects[0].value, Kind::Environment(prod) if prod.spec.registries.len() == 1));
//!
//! let error = load_yaml(&text.replace("registries", "registres"), "prod.yaml").unwrap_err();
//! assert!(error.to_string().contains("did you mean `registries`"));
//! # Ok::<(), assay_kinds::KindsError>(())
//! ```

mod duration;
mod environment;
mod exception;
mod load;
mod object;
mod pattern;
mod release;
mod suggestion;
mod tree;
mod trust_root;

pub use duration::{DurationError, Span};
pub use environment::{
    AttributeConstraint, CertificateIdentity, Constraints, ControlSetting, CountLimits, EnvironmentSpec, ErrorPolicy,
    ExceptionRules, FailurePolicy, KeylessIdentity, LabelOperator, LabelRequirement, LinkConstraint,
    MaterialConstraint, NamespaceSelector, ProvenanceConstraint, Quorum, ReleaseConstraint, SbomConstraint,
    SbomFormatName, ScanConstraint, SignerPurpose, SignerSpec, SummaryRules, TestConstraint, Tier, TimeConstraint,
    TrustedBuilder,
};
pub use exception::{Approval, ExceptionScope, ExceptionSpec, ExceptionSubject};
pub use load::{Kind, KindsError, Loaded, Located, Place, load_yaml};
pub use object::{Metadata, Object, Problem, Spec};
pub use pattern::PatternSpec;
pub use release::{ReleaseArtifactSpec, ReleaseEvidence, ReleaseImage, ReleaseRisk, ReleaseSource};
pub use suggestion::suggestion;
pub use trust_root::{
    NotationStatement, NotationStore, NotationStoreKind, NotationTrust, NotationVerification, SigstoreInstance,
    SigstoreRoot, TrustRootSpec, TrustedKey, TufRepository,
};

/// The group and version of all kinds here.
pub const API_VERSION: &str = "assay.dev/v1";
/// The version before: the same fields. It is read wherever objects are, still served by a cluster, and never written.
pub const OLDER_VERSION: &str = "assay.dev/v1alpha1";

/// Where controls apply, with which action and parameters.
pub type Environment = Object<EnvironmentSpec>;
/// A scoped, owned, approved, expiring permission to fail named controls.
pub type Exception = Object<ExceptionSpec>;
/// One artifact contract: source, digest, evidence, risk.
pub type ReleaseArtifact = Object<ReleaseArtifactSpec>;
/// Whose signatures are believed at all.
pub type TrustRoot = Object<TrustRootSpec>;
