//! Packs side by side: one for each family of ecosystems, with deltas over them, as one body of data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use assay_model::{Contents, Digest, Findings, OsRelease, PackInfo, Timestamp, Vulnerability};

use crate::advisory::{Advisory, AffectedPackage};
use crate::matching::{LinkedSymbols, Matched, sort_key};
use crate::pack::{PackError, PackFile};
use crate::store;

/// Vulnerability data, opened: a file, or the packs of a store. Cheap to open, safe to share between threads.
#[derive(Debug)]
pub struct Pack {
    files: Vec<PackFile>,
    info: PackInfo,
}

impl Pack {
    /// Opens a pack's file, or what a store's folder has in use (see [`store::Store`]). The content is not hashed:
    /// [`Self::open_verified`] does so where a pack is installed. A pack that was altered since gives errors or other findings,
    /// never undefined behaviour.
    pub fn open(path: &Path) -> Result<Self, PackError> {
        Self::of(store::files(path)?.iter().map(|file| PackFile::open(file)).collect::<Result<_, _>>()?)
    }

    /// As [`Self::open`], and compares the checksum of every byte.
    pub fn open_verified(path: &Path) -> Result<Self, PackError> {
        Self::of(store::files(path)?.iter().map(|file| PackFile::open_verified(file)).collect::<Result<_, _>>()?)
    }

    /// A pack in memory, its checksum compared.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, PackError> {
        Self::of(vec![PackFile::from_bytes(bytes)?])
    }

    /// Several packs in memory as one, deltas after the packs that they change.
    pub fn from_parts(parts: Vec<Vec<u8>>) -> Result<Self, PackError> {
        Self::of(parts.into_iter().map(PackFile::from_bytes).collect::<Result<_, _>>()?)
    }

    pub(crate) fn from_static(bytes: &'static [u8]) -> Result<Self, PackError> {
        Self::of(vec![PackFile::from_static(bytes)?])
    }

    fn of(mut files: Vec<PackFile>) -> Result<Self, PackError> {
        let mut changes: Vec<(String, Vec<String>)> = Vec::new();
        for file in &files {
            if let Some(base) = file.base()? {
                let superseded = file.superseded()?.into_iter().map(str::to_owned).collect();
                changes.push((base.to_owned(), superseded));
            }
        }
        for (base, superseded) in &changes {
            let changed = files.iter_mut().find(|file| file.info().digest.to_string() == *base);
            let Some(changed) = changed else { return Err(PackError::DeltaOfAnother { base: base.clone() }) };
            changed.hide(&superseded.iter().map(String::as_str).collect::<BTreeSet<_>>())?;
        }
        let info = combined(&files)?;
        Ok(Self { files, info })
    }

    /// What is in it. The digest of a single file is the checksum that its header records, of everything after the header's
    /// first 48 bytes; that of several is the digest of theirs, one a line.
    pub fn info(&self) -> &PackInfo {
        &self.info
    }

    /// The findings of `contents`: one for each package and vulnerability, worst first, each with the reason it matched.
    ///
    /// An error means that the pack is damaged; there is no partial answer.
    pub fn match_contents(&self, contents: &Contents, matched_at: Timestamp) -> Result<Findings, PackError> {
        Ok(self.match_linked(contents, &LinkedSymbols::new(), matched_at)?.findings)
    }

    /// As [`Self::match_contents`], without what `linked` proves to be absent, and with what was suppressed.
    pub fn match_linked(
        &self,
        contents: &Contents,
        linked: &LinkedSymbols,
        matched_at: Timestamp,
    ) -> Result<Matched, PackError> {
        let mut covered = vec![false; contents.packages.len()];
        let mut vulnerabilities = Vec::new();
        let mut suppressed = Vec::new();
        for file in &self.files {
            file.match_into(contents, linked, &mut covered, &mut vulnerabilities, &mut suppressed)?;
        }
        vulnerabilities.sort_by(|left, right| sort_key(left).cmp(&sort_key(right)));
        let uncovered = covered.iter().filter(|covered| !**covered).count() as u64;
        Ok(Matched {
            findings: Findings { vulnerabilities, matched_at, pack: self.info.clone(), uncovered },
            suppressed,
        })
    }

    /// What the pack knows under a name: a CVE, any alias, or a record's own identifier, in any case. A record about several
    /// vulnerabilities gives several.
    pub fn advisories(&self, id: &str) -> Result<Vec<Advisory>, PackError> {
        let mut found: Vec<Advisory> = Vec::new();
        // Deltas come last, and know best.
        for file in self.files.iter().rev() {
            for advisory in file.advisories(id)? {
                match found.iter_mut().find(|other| other.vulnerability.id == advisory.vulnerability.id) {
                    None => found.push(advisory),
                    Some(other) => {
                        for record in advisory.records {
                            match other.records.iter_mut().find(|known| known.id == record.id) {
                                None => other.records.push(record),
                                Some(known) => {
                                    known.affected.extend(record.affected);
                                    known.published = known.published.or(record.published);
                                    known.modified = known.modified.or(record.modified);
                                    if known.summary.is_empty() {
                                        known.summary = record.summary;
                                    }
                                    if known.details.is_empty() {
                                        known.details = record.details;
                                        known.references = record.references;
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        for advisory in &mut found {
            advisory.records.sort_by(|left, right| left.id.cmp(&right.id));
        }
        found.sort_by(|left, right| left.vulnerability.id.cmp(&right.vulnerability.id));
        Ok(found)
    }

    /// The vulnerability with exactly this name, as all of its records rate it, without them.
    pub(crate) fn rated(&self, name: &str) -> Result<Option<Vulnerability>, PackError> {
        // Deltas come last, and know best.
        for file in self.files.iter().rev() {
            if let Some(found) = file.rated(name)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first of [`Self::advisories`].
    pub fn advisory(&self, id: &str) -> Result<Option<Advisory>, PackError> {
        Ok(self.advisories(id)?.into_iter().next())
    }

    /// Every package that any record of the vulnerability says is affected, sorted by ecosystem and name.
    pub fn affected_packages(&self, id: &str) -> Result<Vec<AffectedPackage>, PackError> {
        let advisories = self.advisories(id)?;
        let mut affected: Vec<_> =
            advisories.into_iter().flat_map(|advisory| advisory.records).flat_map(|record| record.affected).collect();
        affected.sort_by(|left, right| {
            (&left.ecosystem, &left.name, &left.record).cmp(&(&right.ecosystem, &right.name, &right.record))
        });
        affected.dedup();
        Ok(affected)
    }

    /// The last day on which a distribution's release gets fixes, `YYYY-MM-DD`; `0000-00-00` where it is long past. `None` where
    /// the data has no date for it.
    pub fn end_of_life(&self, os: &OsRelease) -> Result<Option<String>, PackError> {
        for file in self.files.iter().rev() {
            if let Some(day) = file.end_of_life(os)? {
                return Ok(Some(day.to_owned()));
            }
        }
        Ok(None)
    }

    /// Names of all packages that records are about, as they are looked up.
    pub(crate) fn package_names(&self) -> Result<BTreeSet<&str>, PackError> {
        let mut names = BTreeSet::new();
        for file in &self.files {
            names.extend(file.package_names()?);
        }
        Ok(names)
    }

    /// Identifier and fingerprint of each record, deltas applied.
    pub(crate) fn fingerprints(&self) -> Result<BTreeMap<String, [u32; 2]>, PackError> {
        let mut all = BTreeMap::new();
        for file in &self.files {
            for id in file.superseded()? {
                all.remove(id);
            }
            all.extend(file.fingerprints()?);
        }
        Ok(all)
    }

    /// What each record is about, deltas applied: its identifier, and a package with its ecosystem.
    pub(crate) fn claims(&self) -> Result<BTreeSet<(String, String)>, PackError> {
        let mut all = BTreeSet::new();
        for file in &self.files {
            file.claims(&mut all)?;
        }
        Ok(all)
    }

    /// Identifiers of all records, deltas applied.
    pub(crate) fn record_ids(&self) -> Result<BTreeSet<String>, PackError> {
        Ok(self.fingerprints()?.into_keys().collect())
    }
}

fn combined(files: &[PackFile]) -> Result<PackInfo, PackError> {
    if let [only] = files {
        return Ok(only.info().clone());
    }
    let mut names = String::new();
    let mut ecosystems = BTreeSet::new();
    let mut data_until: Option<Timestamp> = None;
    let mut records = 0;
    for file in files {
        let info = file.info();
        names.push_str(&info.digest.to_string());
        names.push('\n');
        ecosystems.extend(info.ecosystems.iter().cloned());
        data_until = data_until.max(Some(info.data_until));
        records += file.visible_records();
    }
    let data_until = data_until.ok_or(PackError::NotAPack)?;
    Ok(PackInfo {
        digest: Digest::of(names.as_bytes()),
        data_until,
        records,
        ecosystems: ecosystems.into_iter().collect(),
    })
}
