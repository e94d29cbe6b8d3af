//! VEX: what somebody says about vulnerabilities in their product, read from OpenVEX, CSAF and CycloneDX, and applied to
//! findings.
//!
//! A statement takes a finding away only where it is exactly about it: the same vulnerability (or an alias), the image or the
//! package that it names, and a reason. Everything else is kept, with why it was not applied. Who may speak is not decided
//! here: a document carries its [`Origin`], and one that nobody vouches for changes nothing.
//!
//! Names of packages are compared as purls, part by part (purl-spec): a qualifier that only one side has does not tell two
//! packages apart, one that differs does.

use assay_model::{Contents, Digest, Explain, Findings, Purl, VulnerabilityFinding, VulnerabilityId};

mod csaf;
mod cyclonedx;
mod openvex;
mod write;

pub use write::{NewStatement, write_openvex};

/// Most bytes of one document.
pub const MAX_BYTES: usize = 256 << 20;
/// Most statements of one document, and products of one statement.
const MAX_STATEMENTS: usize = 200_000;

/// Who stands behind a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Named by the person who runs the scan.
    Given,
    /// Signed by this identity, verified, and asked for.
    Signed(String),
    /// Signed by this identity, verified, whose word was not asked for.
    SignedByOther(String),
    /// Found, and vouched for by nobody.
    Unsigned,
}

impl Origin {
    /// Why a document of this origin does not count.
    fn refusal(&self) -> Option<NotAppliedReason> {
        match self {
            Self::Given | Self::Signed(_) => None,
            Self::SignedByOther(signer) => Some(NotAppliedReason::OtherSigner(signer.clone())),
            Self::Unsigned => Some(NotAppliedReason::Unsigned),
        }
    }
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VexDocument {
    /// Where it came from, for messages.
    pub name: String,
    /// Who stands behind it.
    pub origin: Origin,
    /// What it says.
    pub statements: Vec<Statement>,
}

/// What a document says of one vulnerability in some products.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Names of the vulnerability.
    pub vulnerabilities: Vec<VulnerabilityId>,
    /// What it is about; empty = nothing is named, and nothing matches.
    pub products: Vec<Product>,
    /// The verdict.
    pub status: Status,
    /// Why it is not affected: a label of the format, or the statement's own words.
    pub justification: Option<String>,
    /// RFC 3339; empty where it is not given. Of two statements the later one counts.
    pub timestamp: String,
}

/// A product, and the parts of it that are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    /// A purl, a digest, or any other name.
    pub id: String,
    /// Parts of it, by purl; empty = the whole of it.
    pub subcomponents: Vec<String>,
}

/// A verdict, the most careful last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The vulnerability does not matter there.
    NotAffected,
    /// It was there, and is fixed.
    Fixed,
    /// Not known yet.
    UnderInvestigation,
    /// It is there.
    Affected,
}

impl Status {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAffected => "not affected",
            Self::Fixed => "fixed",
            Self::UnderInvestigation => "under investigation",
            Self::Affected => "affected",
        }
    }
}

/// What is scanned, as statements may name it.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// Digest of the image's manifest.
    pub digest: Option<Digest>,
    /// Repository without tag, for example `ghcr.io/org/app`.
    pub repository: Option<String>,
}

/// A statement that counted for a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The finding it was about.
    pub finding: VulnerabilityFinding,
    /// The verdict.
    pub status: Status,
    /// Its reason.
    pub justification: String,
    /// The document, and who signed it.
    pub by: String,
}

/// A statement that is about a finding's vulnerability, and did not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotApplied {
    /// The vulnerability.
    pub vulnerability: VulnerabilityId,
    /// The package of the finding.
    pub package: Purl,
    /// The document.
    pub document: String,
    /// Why not.
    pub reason: NotAppliedReason,
}

/// Why a statement did not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotAppliedReason {
    /// Nobody vouches for the document.
    Unsigned,
    /// This identity vouches for it, whose word was not asked for.
    OtherSigner(String),
    /// It is about another image or package.
    OtherProduct(String),
    /// It is about this product, and another part of it.
    OtherPart(String),
    /// It says "not affected" and gives no reason.
    NoReason,
    /// A later or more careful statement says otherwise.
    Overruled(String),
    /// The finding is malicious code, which no statement excuses.
    Malice,
}

impl NotAppliedReason {
    /// In words: "VEX given but not applied because ...".
    pub fn describe(&self) -> String {
        match self {
            Self::Unsigned => "nobody vouches for the document".to_owned(),
            Self::OtherSigner(signer) => format!("it is signed by {signer}, whose word was not asked for"),
            Self::OtherProduct(product) => format!("it is about another product: {product}"),
            Self::OtherPart(part) => format!("it is about another part of the product: {part}"),
            Self::NoReason => "it says `not affected` without a justification or an impact statement".to_owned(),
            Self::Malice => "no statement excuses malicious code".to_owned(),
            Self::Overruled(by) => format!("a later or more careful statement says otherwise: {by}"),
        }
    }
}

/// What became of findings and statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VexOutcome {
    /// The findings that are left.
    pub findings: Findings,
    /// Findings that were taken away, each with the statement that did it.
    pub applied: Vec<Applied>,
    /// Findings that are left and that a statement confirms or looks into.
    pub confirmed: Vec<Applied>,
    /// Statements that did not count.
    pub not_applied: Vec<NotApplied>,
}

/// Why bytes are not a VEX document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VexError {
    /// The document is larger than any real one.
    #[error("{name}: {bytes} bytes of VEX are not read; the most is {MAX_BYTES}")]
    TooLarge {
        /// The document.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// It is neither OpenVEX nor CSAF nor CycloneDX.
    #[error("{name}: neither OpenVEX nor CSAF nor CycloneDX")]
    Unknown {
        /// The document.
        name: String,
    },
    /// It is not of the shape that its format has.
    #[error("{name}: not {format}: {message}")]
    Malformed {
        /// The document.
        name: String,
        /// Its format.
        format: &'static str,
        /// What does not fit.
        message: String,
    },
}

impl Explain for VexError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "vex-too-large",
            Self::Unknown { .. } => "vex-format-unknown",
            Self::Malformed { .. } => "vex-malformed",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => Some("write one with: assay vex create".into()),
            _ => None,
        }
    }
}

impl VexDocument {
    /// Reads a document of any of the three formats, bare or as the predicate of an in-toto statement. The entry point for
    /// hostile bytes.
    pub fn read(name: &str, bytes: &[u8], origin: Origin) -> Result<Self, VexError> {
        if bytes.len() > MAX_BYTES {
            return Err(VexError::TooLarge { name: name.to_owned(), bytes: bytes.len() });
        }
        let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| VexError::Malformed {
            name: name.to_owned(),
            format: "JSON",
            message: error.to_string(),
        })?;
        serde_json::from_slice::<crate::osv::UniqueKeys>(bytes).map_err(|error| VexError::Malformed {
            name: name.to_owned(),
            format: "JSON",
            message: error.to_string(),
        })?;
        let json = match json.get("predicate") {
            Some(predicate) if json.get("predicateType").is_some() => predicate.clone(),
            _ => json,
        };
        let has = |key: &str| json.get(key).is_some();
        let (format, read) = if has("bomFormat") {
            ("CycloneDX", cyclonedx::statements(json))
        } else if has("document") {
            ("CSAF", csaf::statements(json))
        } else if has("statements") {
            ("OpenVEX", openvex::statements(json))
        } else {
            return Err(VexError::Unknown { name: name.to_owned() });
        };
        let malformed = |message: String| VexError::Malformed { name: name.to_owned(), format, message };
        let statements = read.map_err(malformed)?;
        let products = statements.iter().map(|statement| statement.products.len().max(1)).sum::<usize>();
        if products > MAX_STATEMENTS {
            return Err(malformed(format!("more than {MAX_STATEMENTS} statements and products")));
        }
        Ok(Self { name: name.to_owned(), origin, statements })
    }

    fn by(&self) -> String {
        match &self.origin {
            Origin::Given | Origin::Unsigned => self.name.clone(),
            Origin::Signed(identity) | Origin::SignedByOther(identity) => {
                format!("{}, signed by {identity}", self.name)
            }
        }
    }
}

/// How a statement relates to a finding.
enum Relation {
    Meant,
    OtherProduct(String),
    OtherPart(String),
}

/// Applies documents to findings. `contents` is what was scanned, for statements about a package inside another.
pub fn apply(findings: Findings, documents: &[VexDocument], subject: &Subject, contents: &Contents) -> VexOutcome {
    let mut outcome = VexOutcome {
        findings: Findings { vulnerabilities: Vec::new(), ..findings.clone() },
        applied: Vec::new(),
        confirmed: Vec::new(),
        not_applied: Vec::new(),
    };
    for finding in findings.vulnerabilities {
        let names = || std::iter::once(&finding.vulnerability.id).chain(&finding.vulnerability.aliases);
        let mut refused = Vec::new();
        // Later first; at the same time the more careful verdict first.
        let mut meant: Vec<(&str, Status, &Statement, &VexDocument)> = Vec::new();
        for document in documents {
            let about = document.statements.iter().filter(|statement| {
                names().any(|name| {
                    statement.vulnerabilities.iter().any(|other| other.as_str().eq_ignore_ascii_case(name.as_str()))
                })
            });
            for statement in about {
                let reason = match relation(statement, &finding, subject, contents) {
                    Relation::OtherProduct(product) => Some(NotAppliedReason::OtherProduct(product)),
                    Relation::OtherPart(part) => Some(NotAppliedReason::OtherPart(part)),
                    Relation::Meant if names().any(VulnerabilityId::is_malware) => Some(NotAppliedReason::Malice),
                    Relation::Meant if document.origin.refusal().is_some() => document.origin.refusal(),
                    Relation::Meant if statement.status == Status::NotAffected && statement.justification.is_none() => {
                        Some(NotAppliedReason::NoReason)
                    }
                    Relation::Meant => None,
                };
                match reason {
                    Some(reason) => refused.push((document, reason)),
                    None => meant.push((statement.timestamp.as_str(), statement.status, statement, document)),
                }
            }
        }
        meant.sort_by(|left, right| (right.0, right.1).cmp(&(left.0, left.1)));
        let mut meant = meant.into_iter();
        let decided = meant.next();
        if let Some((_, status, statement, document)) = decided {
            let by = document.by();
            refused.extend(
                meant
                    .filter(|(_, other, ..)| *other != status)
                    .map(|(.., document)| (document, NotAppliedReason::Overruled(by.clone()))),
            );
            let applied = Applied {
                finding: finding.clone(),
                status,
                justification: statement.justification.clone().unwrap_or_default(),
                by,
            };
            if status <= Status::Fixed {
                outcome.applied.push(applied);
            } else {
                outcome.confirmed.push(applied);
            }
        }
        outcome.not_applied.extend(refused.into_iter().map(|(document, reason)| NotApplied {
            vulnerability: finding.vulnerability.id.clone(),
            package: finding.package.purl.clone(),
            document: document.name.clone(),
            reason,
        }));
        if decided.is_none_or(|(_, status, ..)| status > Status::Fixed) {
            outcome.findings.vulnerabilities.push(finding);
        }
    }
    outcome
}

fn relation(statement: &Statement, finding: &VulnerabilityFinding, subject: &Subject, contents: &Contents) -> Relation {
    let mut other_part = None;
    for product in &statement.products {
        let purl = product.id.parse::<Purl>().ok();
        let is_finding = purl.as_ref().is_some_and(|purl| same_package(purl, &finding.package.purl));
        if product.subcomponents.is_empty() && is_finding {
            return Relation::Meant;
        }
        let contained = || {
            purl.as_ref().is_some_and(|purl| contents.packages.iter().any(|package| same_package(purl, &package.purl)))
        };
        let inside = is_finding || (!product.subcomponents.is_empty() && contained());
        if !inside && !is_subject(&product.id, purl.as_ref(), subject) {
            continue;
        }
        let part = |text: &String| text.parse::<Purl>().is_ok_and(|purl| same_package(&purl, &finding.package.purl));
        if product.subcomponents.is_empty() || product.subcomponents.iter().any(part) {
            return Relation::Meant;
        }
        other_part = product.subcomponents.first().cloned();
    }
    match (other_part, statement.products.first()) {
        (Some(part), _) => Relation::OtherPart(part),
        (None, Some(product)) => Relation::OtherProduct(product.id.clone()),
        (None, None) => Relation::OtherProduct("none is named".to_owned()),
    }
}

/// Whether a product is the image that was scanned: by digest, or by its repository where the product has no digest.
fn is_subject(id: &str, purl: Option<&Purl>, subject: &Subject) -> bool {
    let digest = subject.digest.as_ref().map(ToString::to_string);
    if digest.as_deref().is_some_and(|digest| id == digest || id.ends_with(&format!("@{digest}"))) {
        return true;
    }
    let Some(purl) = purl.filter(|purl| purl.kind == "oci" || purl.kind == "docker") else {
        let bare = id.split('@').next().unwrap_or(id);
        return !id.contains('@') && subject.repository.as_deref() == Some(bare);
    };
    match (&purl.version, &digest) {
        (Some(version), digest) if version.contains(':') => digest.as_deref() == Some(version),
        // A tag moves, so it does not name what was scanned; no version at all means the repository.
        (Some(_), _) => false,
        (None, _) => {
            let repository = purl.qualifiers.get("repository_url").map(|url| plain_url(url)).or_else(|| {
                (purl.kind == "docker").then(|| {
                    purl.namespace.as_ref().map_or(purl.name.clone(), |space| format!("{space}/{}", purl.name))
                })
            });
            let wanted = subject.repository.as_deref();
            match (repository, wanted) {
                (Some(url), Some(wanted)) => wanted == url || wanted == format!("{url}/{}", purl.name),
                _ => false,
            }
        }
    }
}

fn plain_url(url: &str) -> String {
    let url = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(url);
    url.trim_end_matches('/').to_owned()
}

/// Whether a purl of a statement means a package: same type, namespace and name; same version where the statement has one; no
/// qualifier that both have and that differs.
fn same_package(stated: &Purl, package: &Purl) -> bool {
    stated.kind == package.kind
        && stated.namespace == package.namespace
        && stated.name == package.name
        && stated.version.as_ref().is_none_or(|version| {
            package.version.as_deref().is_some_and(|other| {
                // Epochs are part of the version for some writers and a qualifier for others.
                let epoch = package.qualifiers.get("epoch").map(|epoch| format!("{epoch}:{other}"));
                other == version || epoch.as_ref() == Some(version)
            })
        })
        && stated.qualifiers.iter().all(|(key, value)| {
            package.qualifiers.get(key).is_none_or(|other| {
                if key == "repository_url" { plain_url(other) == plain_url(value) } else { other == value }
            })
        })
}
