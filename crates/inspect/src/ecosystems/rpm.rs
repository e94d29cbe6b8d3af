//! RPM packages: the database of rpm since 4.16 (SQLite), SUSE's (ndb) and the Berkeley DB of older releases.
//!
//! Sources: rpm, `docs/manual/format_header.md` and `include/rpm/rpmtag.h`; `lib/backend/sqlite.cc`;
//! `lib/backend/ndb/rpmpkg.cc`.

use std::collections::HashMap;

use assay_model::{EvidenceTier, Package, PackageType, SourcePackage};

use super::{About, Ecosystem, File, Found, Scope, names, optional, package};
use crate::limits::{CLAIMS, DEPENDENCIES};
use crate::path;
use crate::sqlite::{Database, SqliteError, Value};

mod bdb;
mod header;
mod ndb;

use header::Header;

pub(crate) struct Rpm;

/// Names that one package provides and that dependencies are resolved by: the kernel's have some thousands.
const PROVIDES: usize = 20_000;
const DIRECTORIES: [&str; 2] = ["var/lib/rpm", "usr/lib/sysimage/rpm"];

const ABOUT: About = About::installed(
    "RPM packages",
    EvidenceTier::PackageDatabase,
    &[
        "/var/lib/rpm/rpmdb.sqlite",
        "/var/lib/rpm/Packages.db",
        "/var/lib/rpm/Packages",
        "/usr/lib/sysimage/rpm/rpmdb.sqlite",
        "/usr/lib/sysimage/rpm/Packages.db",
        "/usr/lib/sysimage/rpm/Packages",
    ],
);

impl Ecosystem for Rpm {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn wants(&self, path: &str, _: Scope) -> bool {
        let (directory, name) = path::split(path);
        DIRECTORIES.contains(&directory) && matches!(name, "rpmdb.sqlite" | "Packages.db" | "Packages")
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let name = path::split(file.path).1;
        let mut collected = Collected { room: file.limits.packages, ..Collected::default() };
        let complete = match name {
            "rpmdb.sqlite" => read_sqlite(file.bytes, &mut |blob| collected.add(file.path, blob)),
            "Packages" => bdb::read(file.bytes, &mut |blob| collected.add(file.path, blob)),
            _ => ndb::read(file.bytes, &mut |blob| collected.add(file.path, blob)),
        };
        if !complete || collected.damaged {
            found.malformed(file.path);
        }
        collected.finish(found);
    }
}

fn read_sqlite(bytes: &[u8], each: &mut dyn FnMut(&[u8])) -> bool {
    let rows = Database::open(bytes).and_then(|database| {
        database.rows("Packages", |values| {
            if let Some(Value::Bytes(blob)) = values.get(1) {
                each(blob);
            }
        })
    });
    // A database that never had a package has no table yet.
    matches!(rows, Ok(()) | Err(SqliteError::NoTable))
}

#[derive(Default)]
struct Collected {
    /// Packages that are taken at most.
    room: usize,
    packages: Vec<(Package, Vec<String>)>,
    providers: HashMap<String, String>,
    owners: Vec<String>,
    owned: Vec<(u64, u32)>,
    damaged: bool,
}

impl Collected {
    fn add(&mut self, path: &str, blob: &[u8]) {
        if self.packages.len() >= self.room {
            self.damaged = true;
            return;
        }
        let Some(header) = Header::parse(blob) else {
            self.damaged = true;
            return;
        };
        let (Some(name), Some(version), Some(release)) =
            (header.text(header::NAME), header.text(header::VERSION), header.text(header::RELEASE))
        else {
            self.damaged = true;
            return;
        };
        // Imported signing keys are kept as packages.
        if name == "gpg-pubkey" {
            return;
        }
        let version_release = format!("{version}-{release}");
        let epoch = header.number(header::EPOCH).filter(|&epoch| epoch > 0);
        let full = epoch.map_or_else(|| version_release.clone(), |epoch| format!("{epoch}:{version_release}"));
        let mut package = package(PackageType::Rpm, &name, &full, EvidenceTier::PackageDatabase, path);
        package.purl.version = Some(super::clip(&version_release));
        if let Some(epoch) = epoch {
            package.purl = package.purl.with_qualifier("epoch", &epoch.to_string());
        }
        package.architecture = header.text(header::ARCHITECTURE).as_deref().and_then(optional);
        package.licence = header.text(header::LICENCE).as_deref().and_then(optional);
        let supplier = |tag| header.text(tag).as_deref().and_then(optional);
        package.supplier = supplier(header::VENDOR).or_else(|| supplier(header::PACKAGER));
        package.source = header.text(header::SOURCE_RPM).as_deref().and_then(parse_source_rpm);
        package.source.take_if(|source| source.name == package.name && source.version == version_release);
        for provided in header.texts(header::PROVIDES).into_iter().take(PROVIDES) {
            self.providers.entry(provided).or_insert_with(|| package.name.clone());
        }
        let room = CLAIMS.saturating_sub(self.owned.len());
        let owner = self.owners.len() as u32;
        let keys = header.files().take(room).map(|file| path::ownership_key(file.trim_start_matches('/')));
        self.owned.extend(keys.map(|key| (key, owner)));
        self.owners.push(package.name.clone());
        let mut requires = header.texts(header::REQUIRES);
        requires.truncate(DEPENDENCIES);
        self.packages.push((package, requires));
    }

    fn finish(self, found: &mut Found) {
        let Self { packages, providers, owners, owned, .. } = self;
        // A database is a file of its own: these are its only claims.
        (found.owners, found.owned) = (owners, owned);
        found.packages.extend(packages.into_iter().map(|(mut package, requires)| {
            let own = package.name.clone();
            let providers = requires.iter().filter_map(|need| providers.get(need)).filter(|name| **name != own);
            package.depends_on = names(providers.cloned());
            package
        }));
    }
}

/// `name-version-release.src.rpm`.
fn parse_source_rpm(text: &str) -> Option<SourcePackage> {
    let stem = text.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(SourcePackage { name: super::clip(name), version: super::clip(&format!("{version}-{release}")) })
}

#[cfg(test)]
mod tests;
