//! The webhook's own certificate authority: made once, kept in a Secret that all replicas share, and renewed with an
//! overlap, so that at no moment an API server holds a bundle that the presented certificate does not fit.
//!
//! The next authority enters the bundle a week before it signs anything; the last one stays in it until nothing that it
//! signed is valid any more. Every step is a function of what there is and the time.

use assay_kube::{ApiError, Client, SECRETS, StoredObject};
use assay_model::{Digest, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::vouch::RecordKey;

/// The Secret, in Assay's own namespace.
pub(super) const SECRET: &str = "assay-webhook";
/// Its one field.
const FIELD: &str = "authority.json";

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long an authority is valid.
const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(24 * 730);
/// Left of an authority's life when the next one is made.
const AUTHORITY_MARGIN: SignedDuration = SignedDuration::from_hours(24 * 180);
/// How long an authority is in the bundle before it signs.
const ANNOUNCED: SignedDuration = SignedDuration::from_hours(24 * 7);
/// How long a certificate is valid.
const LEAF_LIFE: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Left of a certificate's life when the next one is made.
const LEAF_MARGIN: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Most tries to be the one who writes the Secret.
const TRIES: usize = 5;

/// Everything that the replicas share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authority {
    /// Who signs.
    signer: Signer,
    /// Who will sign, and since when it is in the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<(Signer, Timestamp)>,
    /// Who signed before: certificates only.
    #[serde(default)]
    retired: Vec<Retired>,
    /// What is presented.
    leaf: Leaf,
    /// The key of the records that this webhook writes into objects, base64.
    record_key: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Signer {
    name: String,
    certificate: String,
    key: String,
    until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Retired {
    certificate: String,
    until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Leaf {
    names: Vec<String>,
    signer: String,
    certificate: String,
    key: String,
    until: Timestamp,
}

impl Authority {
    /// One that is new from end to end.
    pub(super) fn new(names: &[String], now: Timestamp) -> Result<Self, rcgen::Error> {
        let signer = Signer::new(now)?;
        let leaf = Leaf::new(&signer, names, now)?;
        Ok(Self { signer, next: None, retired: Vec::new(), leaf, record_key: RecordKey::generate() })
    }

    /// What it has to become now; `None` where it may stay as it is.
    pub(super) fn renewed(&self, names: &[String], now: Timestamp) -> Result<Option<Self>, rcgen::Error> {
        let mut own = self.clone();
        if own.next.is_none() && left(own.signer.until, now) < AUTHORITY_MARGIN {
            own.next = Some((Signer::new(now)?, now));
        }
        // An authority that has ended signs nothing: then the next one has to, announced or not.
        let is_due = |since: Timestamp| now.duration_since(since) >= ANNOUNCED || left(own.signer.until, now) < DAY;
        if own.next.as_ref().is_some_and(|(_, since)| is_due(*since))
            && let Some((next, _)) = own.next.take()
        {
            let Signer { certificate, until, .. } = std::mem::replace(&mut own.signer, next);
            own.retired.push(Retired { certificate, until });
        }
        let leaf = &own.leaf;
        if leaf.names != names || leaf.signer != own.signer.name || left(leaf.until, now) < LEAF_MARGIN {
            own.leaf = Leaf::new(&own.signer, names, now)?;
        }
        own.retired.retain(|retired| retired.until > now);
        Ok((own != *self).then_some(own))
    }

    /// `caBundle`: everybody who signs, will sign, or signed something that is still valid.
    pub(super) fn bundle(&self) -> String {
        let next = self.next.iter().map(|(signer, _)| &signer.certificate);
        let retired = self.retired.iter().map(|retired| &retired.certificate);
        std::iter::once(&self.signer.certificate).chain(next).chain(retired).map(String::as_str).collect()
    }

    /// The certificate to present and its key, PEM.
    pub(super) fn leaf(&self) -> (&str, &str) {
        (&self.leaf.certificate, &self.leaf.key)
    }

    /// The key of records.
    pub(super) fn record_key(&self) -> Option<RecordKey> {
        RecordKey::parse(&self.record_key)
    }

    fn read(secret: &StoredObject) -> Option<Self> {
        let text = STANDARD.decode(secret.0["data"][FIELD].as_str()?).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn secret(&self, namespace: &str) -> Value {
        let text = serde_json::to_vec(self).unwrap_or_default();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": SECRET, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "assay"}},
            "data": {FIELD: STANDARD.encode(text)},
        })
    }
}

impl Signer {
    fn new(now: Timestamp) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        // By its key: a leaf names its signer, and two that were made in one second are two.
        let fingerprint = Digest::of(key.public_key_raw()).hex();
        let name = format!("Assay webhook authority {}", fingerprint.get(..16).unwrap_or(&fingerprint));
        let until = after(now, AUTHORITY_LIFE);
        let certificate = Self::parameters(&name, now, until)?.self_signed(&key)?.pem();
        Ok(Self { name, certificate, key: key.serialize_pem(), until })
    }

    /// The same name and key make the same issuer again; its validity is no part of what it signs.
    fn parameters(name: &str, now: Timestamp, until: Timestamp) -> Result<CertificateParams, rcgen::Error> {
        let mut own = CertificateParams::new(Vec::new())?;
        own.distinguished_name = called(name);
        own.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        own.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        limit(&mut own, now, until);
        Ok(own)
    }
}

impl Leaf {
    fn new(signer: &Signer, names: &[String], now: Timestamp) -> Result<Self, rcgen::Error> {
        let until = after(now, LEAF_LIFE).min(signer.until);
        let issuer = Signer::parameters(&signer.name, now, signer.until)?;
        let issuer = Issuer::new(issuer, KeyPair::from_pem(&signer.key)?);
        let mut own = CertificateParams::new(names.to_vec())?;
        own.distinguished_name = called("assay");
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        own.use_authority_key_identifier_extension = true;
        limit(&mut own, now, until);
        let key = KeyPair::generate()?;
        let certificate = own.signed_by(&key, &issuer)?.pem();
        let (names, signer) = (names.to_vec(), signer.name.clone());
        Ok(Self { names, signer, certificate, key: key.serialize_pem(), until })
    }
}

fn called(name: &str) -> DistinguishedName {
    let mut own = DistinguishedName::new();
    own.push(DnType::CommonName, name);
    own
}

fn left(until: Timestamp, now: Timestamp) -> SignedDuration {
    until.duration_since(now)
}

fn after(now: Timestamp, life: SignedDuration) -> Timestamp {
    now.checked_add(life).unwrap_or(Timestamp::MAX)
}

/// Clocks differ.
fn before(now: Timestamp) -> Timestamp {
    now.checked_sub(DAY).unwrap_or(Timestamp::MIN)
}

/// Sets from when and until when a certificate is valid. The beginning of a day: no more exactness is needed here.
fn limit(own: &mut CertificateParams, now: Timestamp, until: Timestamp) {
    let [from, until] = [before(now), until].map(|at| {
        let date = at.to_zoned(TimeZone::UTC).date();
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    });
    (own.not_before, own.not_after) = (from, until);
}

/// Why there is no certificate of our own.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuthorityError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("other replicas keep writing the Secret {SECRET}")]
    Contended,
}

/// What the Secret holds, made or renewed where it has to be. Of several replicas one writes, the others take what it wrote.
pub(super) async fn obtain(
    client: &Client,
    namespace: &str,
    names: &[String],
    now: Timestamp,
) -> Result<Authority, AuthorityError> {
    for _ in 0..TRIES {
        let (written, stored) = match client.get(SECRETS, Some(namespace), SECRET).await {
            Ok(secret) => (Authority::read(&secret), Some(secret)),
            Err(error) if error.is_not_found() => (None, None),
            Err(error) => return Err(error.into()),
        };
        let wanted = match &written {
            Some(authority) => match authority.renewed(names, now)? {
                Some(renewed) => renewed,
                None => return Ok(authority.clone()),
            },
            None => Authority::new(names, now)?,
        };
        let mut secret = wanted.secret(namespace);
        let outcome = match stored {
            None => client.create(SECRETS, Some(namespace), &secret).await,
            Some(stored) => {
                secret["metadata"]["resourceVersion"] = json!(stored.resource_version());
                client.replace(SECRETS, Some(namespace), SECRET, &secret).await
            }
        };
        match outcome {
            Ok(_) => return Ok(wanted),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(AuthorityError::Contended)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "2026-11-21T09:00:00Z";

    fn at(days: i64) -> Timestamp {
        START.parse::<Timestamp>().unwrap().checked_add(DAY.checked_mul(i32::try_from(days).unwrap()).unwrap()).unwrap()
    }

    fn names() -> Vec<String> {
        vec!["assay.assay-system.svc".to_owned()]
    }

    /// Whether every certificate of `authority`'s leaf chains to a bundle.
    fn fits(bundle: &str, authority: &Authority) -> bool {
        bundle.contains(&signer_of(authority))
    }

    fn signer_of(authority: &Authority) -> String {
        let all = std::iter::once(&authority.signer).chain(authority.next.iter().map(|(next, _)| next));
        all.filter(|signer| signer.name == authority.leaf.signer).map(|signer| signer.certificate.clone()).collect()
    }

    /// API servers learn of a bundle late, replicas of a certificate late: old and new must go together, both ways.
    #[test]
    fn over_ten_years_no_bundle_ever_misses_what_is_presented() {
        let mut own = Authority::new(&names(), at(0)).unwrap();
        let (mut changes, mut signers) = (0, vec![own.signer.name.clone()]);
        for day in 1..3650 {
            let before = own.clone();
            if let Some(renewed) = own.renewed(&names(), at(day)).unwrap() {
                changes += 1;
                own = renewed;
                assert!(fits(&before.bundle(), &own), "day {day}: an API server has the bundle of before");
                assert!(own.bundle().contains(&signer_of(&before)), "day {day}: a replica presents what was before");
                if signers.last() != Some(&own.signer.name) {
                    signers.push(own.signer.name.clone());
                }
            }
            assert!(own.leaf.until > at(day) && own.signer.until > at(day), "day {day}");
            assert!(own.bundle().matches("BEGIN CERTIFICATE").count() <= 3, "day {day}");
            assert_eq!(own.record_key, before.record_key);
        }
        assert!(signers.len() >= 6 && changes > 50, "{} {changes}", signers.len());
    }

    #[test]
    fn authorities_of_one_second_are_told_apart() {
        let [first, second] = [(); 2].map(|()| Signer::new(at(0)).unwrap());
        assert_ne!(first.name, second.name);
        let authority = Authority::new(&names(), at(0)).unwrap();
        let replaced = Authority { signer: second.clone(), ..authority };
        let renewed = replaced.renewed(&names(), at(0)).unwrap().unwrap();
        assert_eq!(renewed.leaf.signer, second.name, "what another one signed is signed anew");
    }

    #[test]
    fn what_lay_idle_for_years_comes_back() {
        let old = Authority::new(&names(), at(0)).unwrap();
        let own = old.renewed(&names(), at(2000)).unwrap().unwrap();
        assert!(own.signer.until > at(2000) && own.leaf.until > at(2000) && own.leaf.signer == own.signer.name);
        assert_eq!(own.renewed(&names(), at(2000)).unwrap(), None);
    }

    #[test]
    fn other_names_need_another_certificate_and_a_secret_reads_back() {
        let own = Authority::new(&names(), at(0)).unwrap();
        let other = vec!["assay.other.svc".to_owned()];
        let renewed = own.renewed(&other, at(1)).unwrap().unwrap();
        assert_eq!((&renewed.signer, &renewed.leaf.names), (&own.signer, &other));
        assert_eq!(Authority::read(&StoredObject(own.secret("assay-system"))), Some(own));
        assert_eq!(Authority::read(&StoredObject(json!({"data": {FIELD: "e30="}}))), None);
    }
}
