//! Signing configurations: which services of an instance to use, and how many (sigstore/protobuf-specs,
//! `sigstore_trustroot.proto`, `SigningConfig`, media type `application/vnd.dev.sigstore.signingconfig.v0.2+json`).

use std::collections::BTreeSet;

use assay_model::Timestamp;
use serde::Deserialize;

use crate::SignError;
use crate::services::{Endpoints, Instances};

/// The media type of version 0.2.
pub const SIGNING_CONFIG_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/// Largest document, in bytes.
const BYTES_MAX: usize = 1 << 20;
/// Most services of one kind.
const SERVICES_MAX: usize = 64;

/// A signing configuration, as an instance publishes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningConfigFile {
    media_type: String,
    #[serde(default)]
    ca_urls: Vec<Entry>,
    #[serde(default)]
    oidc_urls: Vec<Entry>,
    #[serde(default)]
    rekor_tlog_urls: Vec<Entry>,
    #[serde(default)]
    rekor_tlog_config: Option<Selection>,
    #[serde(default)]
    tsa_urls: Vec<Entry>,
    #[serde(default)]
    tsa_config: Option<Selection>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    url: String,
    #[serde(default)]
    major_api_version: u32,
    valid_for: Validity,
    #[serde(default)]
    operator: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Validity {
    start: Timestamp,
    end: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Selection {
    selector: Selector,
    #[serde(default)]
    count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Selector {
    Any,
    All,
    Exact,
}

/// Which major versions of the transparency log may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogVersions {
    /// The highest that the instance has.
    #[default]
    Highest,
    /// Version 1 only.
    One,
    /// Version 2 only.
    Two,
}

impl SigningConfigFile {
    /// The configuration of the public-good instance, as it was when this version was built.
    pub fn public_good() -> Result<Self, SignError> {
        Self::parse(include_bytes!("../data/signing_config.v0.2.json"))
    }

    /// Reads a document.
    pub fn parse(json: &[u8]) -> Result<Self, SignError> {
        let refuse = |reason: String| SignError::SigningConfig { reason };
        if json.len() > BYTES_MAX {
            return Err(refuse(format!("it is longer than {BYTES_MAX} bytes")));
        }
        let config: Self = serde_json::from_slice(json).map_err(|error| refuse(error.to_string()))?;
        if config.media_type != SIGNING_CONFIG_MEDIA_TYPE {
            let found: String = config.media_type.chars().take(100).collect();
            return Err(refuse(format!("its media type is `{found}`, not `{SIGNING_CONFIG_MEDIA_TYPE}`")));
        }
        let lists = [&config.ca_urls, &config.oidc_urls, &config.rekor_tlog_urls, &config.tsa_urls];
        if lists.iter().any(|list| list.len() > SERVICES_MAX) {
            return Err(refuse(format!("it names more than {SERVICES_MAX} services of one kind")));
        }
        for (list, selection) in
            [(&config.rekor_tlog_urls, &config.rekor_tlog_config), (&config.tsa_urls, &config.tsa_config)]
        {
            match selection {
                None if !list.is_empty() => return Err(refuse("services are named without a selector".to_owned())),
                Some(Selection { selector: Selector::Exact, count: 0 }) => {
                    return Err(refuse("EXACT needs a count".to_owned()));
                }
                _ => {}
            }
        }
        Ok(config)
    }

    /// The services to use at the time `now`: those whose period it is, of each operator the one with the highest version
    /// that is known here, the latest first.
    pub fn endpoints(&self, now: Timestamp, versions: LogVersions) -> Result<Endpoints, SignError> {
        let logs: &[u32] = match versions {
            LogVersions::Highest => &[2, 1],
            LogVersions::One => &[1],
            LogVersions::Two => &[2],
        };
        let mut endpoints = Endpoints {
            fulcio: first(&self.ca_urls, now, &[1]),
            timestamp: select("timestamp authority", &self.tsa_urls, self.tsa_config.as_ref(), now, &[1])?,
            ..Endpoints::default()
        };
        // One version for all: a bundle with entries of both would need verifiers of both.
        for version in logs {
            let valid = |entry: &&Entry| entry.major_api_version == *version && entry.valid_for.holds(now);
            if self.rekor_tlog_urls.iter().any(|entry| valid(&entry)) {
                let config = self.rekor_tlog_config.as_ref();
                let chosen = select("transparency log", &self.rekor_tlog_urls, config, now, &[*version])?;
                *(if *version == 2 { &mut endpoints.rekor_v2 } else { &mut endpoints.rekor }) = chosen;
                return Ok(endpoints);
            }
        }
        if self.rekor_tlog_urls.is_empty() && versions == LogVersions::Highest {
            return Ok(endpoints);
        }
        Err(SignError::SigningConfig { reason: format!("no transparency log of version {logs:?} is valid now") })
    }

    /// The issuer of identity tokens for people.
    pub fn issuer(&self, now: Timestamp) -> Option<&str> {
        newest(&self.oidc_urls, now, &[1]).first().map(|entry| entry.url.as_str())
    }
}

impl Validity {
    fn holds(&self, now: Timestamp) -> bool {
        self.start <= now && self.end.is_none_or(|end| now < end)
    }
}

/// Of each operator the service of the highest version in `versions`; services without an operator each count as one.
fn newest<'a>(entries: &'a [Entry], now: Timestamp, versions: &[u32]) -> Vec<&'a Entry> {
    let mut valid: Vec<&Entry> = entries
        .iter()
        .filter(|entry| versions.contains(&entry.major_api_version) && entry.valid_for.holds(now))
        .collect();
    valid.sort_by_key(|entry| std::cmp::Reverse((entry.major_api_version, entry.valid_for.start)));
    let mut operators = BTreeSet::new();
    valid.retain(|entry| entry.operator.is_empty() || operators.insert(&entry.operator));
    valid
}

fn first(entries: &[Entry], now: Timestamp, versions: &[u32]) -> Instances {
    newest(entries, now, versions).first().map(|entry| Instances::one(&entry.url)).unwrap_or_default()
}

fn select(
    what: &str,
    entries: &[Entry],
    selection: Option<&Selection>,
    now: Timestamp,
    versions: &[u32],
) -> Result<Instances, SignError> {
    let Some(selection) = selection else { return Ok(Instances::default()) };
    let urls: Vec<String> = newest(entries, now, versions).iter().map(|entry| entry.url.clone()).collect();
    let needed = match selection.selector {
        Selector::Any => usize::from(!entries.is_empty()),
        Selector::All => urls.len(),
        Selector::Exact => selection.count,
    };
    if urls.len() < needed || (urls.is_empty() && !entries.is_empty()) {
        return Err(SignError::SigningConfig {
            reason: format!("{} of kind {what} are needed and {} valid now", needed.max(1), urls.len()),
        });
    }
    Ok(Instances { urls, needed })
}

#[cfg(test)]
mod tests;
