//! What happens to one file, wherever it came from: it is parsed, searched for secrets, or passed over.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use assay_model::{Bound, Package, Partial, SecretMatch};

use crate::ecosystems::index::{self, Rows};
use crate::ecosystems::{self, File, Found, Scope};
use crate::elf::{Binary, Capture};
use crate::layer::{Fact, Says};
use crate::limits::{CLAIMS, Limits};
use crate::os_release;
use crate::path;
use crate::secrets::{self, Scanner, SecretRules};
use crate::zip;

/// Buffers are given back to the system beyond this, so that one large file does not stay for the whole layer.
const BUFFER_KEPT: usize = 8 << 20;

/// Zip archives above this are not held as a whole.
const ARCHIVE_KEPT: u64 = 16 << 20;

/// The bytes of a file, in pieces.
pub(crate) trait Body {
    /// What went wrong.
    type Error;
    /// The next bytes: at least [`crate::tar::PEEK`], or all that are left. Empty at the end.
    fn peek(&mut self) -> Result<&[u8], Self::Error>;
    /// Steps over bytes that `peek` showed.
    fn consume(&mut self, bytes: usize);
}

/// How much of a file parsers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Nothing,
    /// These bytes at its beginning.
    Start(usize),
    Everything,
}

/// Collects what the files of one layer or directory say.
pub(crate) struct Analysis {
    limits: Limits,
    scope: Scope,
    facts: BTreeMap<String, Vec<Says>>,
    packages: usize,
    owners: Vec<String>,
    /// [`path::ownership_key`] of each file that a package claims, with its owner.
    owned: HashMap<u64, u32>,
    /// Directories whose names were read.
    places: HashSet<String>,
    secrets: BTreeMap<String, Vec<SecretMatch>>,
    secret_count: usize,
    partial: Vec<Partial>,
    buffer: Vec<u8>,
    scanner: Scanner,
}

impl Analysis {
    pub(crate) fn new(limits: Limits, scope: Scope, rules: Arc<SecretRules>) -> Self {
        Self {
            limits,
            scope,
            facts: BTreeMap::new(),
            packages: 0,
            owners: Vec::new(),
            owned: HashMap::new(),
            places: HashSet::new(),
            secrets: BTreeMap::new(),
            secret_count: 0,
            partial: Vec::new(),
            buffer: Vec::new(),
            scanner: Scanner::new(rules),
        }
    }

    pub(crate) fn partial(&mut self, what: String, bound: Bound) {
        let partial = Partial { what, bound };
        if !self.partial.contains(&partial) && self.partial.len() < 1000 {
            self.partial.push(partial);
        }
    }

    /// Whether some parser reads the file at this path.
    pub(crate) fn is_wanted(&self, path: &str) -> bool {
        os_release::is_path(path) || !self.readers(path, index::candidates(path)).is_empty()
    }

    /// Those of the candidates that read the file.
    fn readers(&self, path: &str, candidates: Rows) -> Rows {
        candidates.filter(|ecosystem| ecosystem.wants(path, self.scope))
    }

    /// How much of the file at this path its readers need.
    fn wanted(path: &str, readers: Rows) -> Wanted {
        if os_release::is_path(path) {
            return Wanted::Everything;
        }
        let wanted = readers.ecosystems().map(|ecosystem| match ecosystem.start() {
            0 => Wanted::Everything,
            bytes => Wanted::Start(bytes),
        });
        wanted.max().unwrap_or(Wanted::Nothing)
    }

    /// What the path alone says: every directory once.
    fn path(&mut self, path: &str, candidates: Rows) {
        for package in candidates.ecosystems().filter_map(|ecosystem| ecosystem.read_path(path)) {
            if !self.places.insert(package.path.clone()) {
                continue;
            }
            self.collect(path, Found { packages: vec![package], ..Found::default() });
        }
    }

    /// Takes one regular file.
    pub(crate) fn file<B: Body>(&mut self, path: &str, size: u64, body: &mut B) -> Result<(), B::Error> {
        let candidates = index::candidates(path);
        self.path(path, candidates);
        let search = secrets::searches(path);
        let readers = self.readers(path, candidates);
        match Self::wanted(path, readers) {
            Wanted::Everything => return self.whole_file(path, size, (readers, search), body),
            Wanted::Start(bytes) => return self.start_of_file(path, bytes, readers, body),
            Wanted::Nothing => {}
        }
        let first = body.peek()?;
        if let Some(capture) = Capture::begin(first, size, self.limits.file_bytes) {
            return self.executable(path, capture, body);
        }
        if search && secrets::is_text(first) {
            self.scanner.begin();
            loop {
                let bytes = body.peek()?;
                let length = bytes.len();
                if length == 0 {
                    break;
                }
                self.scanner.push(bytes);
                body.consume(length);
            }
            self.collect_secrets(path);
        }
        Ok(())
    }

    fn whole_file<B: Body>(
        &mut self,
        path: &str,
        size: u64,
        (readers, search): (Rows, bool),
        body: &mut B,
    ) -> Result<(), B::Error> {
        if size > self.limits.file_bytes {
            self.partial(path.to_owned(), Bound::Bytes);
            return Ok(());
        }
        if size > ARCHIVE_KEPT && body.peek()?.starts_with(zip::LOCAL) {
            let mut ecosystems = readers.ecosystems();
            if let (Some(ecosystem), None) = (ecosystems.next(), ecosystems.next())
                && let Some(interest) = ecosystem.interest()
            {
                let captured = zip::capture::capture(body, size, self.limits.archive_depth, interest)?;
                let mut found = Found::default();
                ecosystem.read_captured(path, &captured, &self.limits, &mut found);
                self.collect(path, found);
                return Ok(());
            }
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        // In one piece: growing would hold it twice at times.
        buffer.try_reserve_exact(usize::try_from(size).unwrap_or_default()).ok();
        loop {
            let bytes = body.peek()?;
            let length = bytes.len();
            if length == 0 {
                break;
            }
            buffer.extend_from_slice(bytes);
            body.consume(length);
        }
        if os_release::is_path(path) {
            if let Some(release) = os_release::parse(&buffer) {
                self.says(path, [Says::OsRelease(release)]);
            }
        } else {
            self.parse(path, &buffer, readers);
        }
        if search && secrets::is_text(&buffer) {
            self.scanner.begin();
            self.scanner.push(&buffer);
            self.collect_secrets(path);
        }
        self.keep(buffer);
        Ok(())
    }

    fn parse(&mut self, path: &str, bytes: &[u8], readers: Rows) {
        let file = File { path, bytes, limits: &self.limits };
        let mut found = Found::default();
        for ecosystem in readers.ecosystems() {
            ecosystem.read(&file, &mut found);
        }
        self.collect(path, found);
    }

    /// A file whose beginning says everything; the rest goes by unseen.
    fn start_of_file<B: Body>(
        &mut self,
        path: &str,
        bytes: usize,
        readers: Rows,
        body: &mut B,
    ) -> Result<(), B::Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        while buffer.len() < bytes {
            let next = body.peek()?;
            let take = next.len().min(bytes - buffer.len());
            if take == 0 {
                break;
            }
            buffer.extend_from_slice(next.get(..take).unwrap_or_default());
            body.consume(take);
        }
        self.parse(path, &buffer, readers);
        self.keep(buffer);
        Ok(())
    }

    fn executable<B: Body>(&mut self, path: &str, mut capture: Capture, body: &mut B) -> Result<(), B::Error> {
        capture.reuse(std::mem::take(&mut self.buffer));
        loop {
            let bytes = body.peek()?;
            let length = bytes.len();
            if length == 0 {
                break;
            }
            capture.push(bytes);
            body.consume(length);
        }
        let binary: Binary = capture.finish();
        let mut found = Found::default();
        for ecosystem in ecosystems::ALL {
            ecosystem.read_binary(path, &binary, &mut found);
        }
        if binary.is_cut() && found.is_empty() {
            found.partial.push(Partial { what: path.to_owned(), bound: Bound::Bytes });
        }
        self.keep(binary.into_buffer());
        self.collect(path, found);
        Ok(())
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        buffer.shrink_to(BUFFER_KEPT);
        self.buffer = buffer;
    }

    fn collect(&mut self, path: &str, found: Found) {
        let Found { mut packages, owners, owned, says, partial } = found;
        for Partial { what, bound } in partial {
            self.partial(what, bound);
        }
        let room = self.limits.packages.saturating_sub(self.packages);
        if packages.len() > room {
            packages.truncate(room);
            self.partial("packages of the layer".to_owned(), Bound::Entries);
        }
        self.packages += packages.len();
        if self.owned.len() + owned.len() > CLAIMS {
            self.partial("files that packages list as their own".to_owned(), Bound::Entries);
        } else {
            let first = self.owners.len() as u32;
            self.owners.extend(owners);
            self.owned.extend(owned.into_iter().map(|(key, owner)| (key, first.saturating_add(owner))));
        }
        let packages = (!packages.is_empty()).then_some(Says::Packages(packages));
        self.says(path, packages.into_iter().chain(says));
    }

    fn says(&mut self, path: &str, says: impl IntoIterator<Item = Says>) {
        let mut says = says.into_iter().peekable();
        if says.peek().is_some() {
            self.facts.entry(path.to_owned()).or_default().extend(says);
        }
    }

    fn collect_secrets(&mut self, path: &str) {
        let (matches, cut) = self.scanner.finish(path);
        self.keep_secrets(path, matches, cut);
    }

    fn keep_secrets(&mut self, path: &str, mut matches: Vec<SecretMatch>, cut: bool) {
        let room = self.limits.secrets.saturating_sub(self.secret_count);
        if cut || matches.len() > room {
            self.partial(format!("secrets of {path}"), Bound::Entries);
        }
        matches.truncate(room);
        self.secret_count += matches.len();
        if !matches.is_empty() {
            self.secrets.entry(path.to_owned()).or_default().extend(matches);
        }
    }

    /// Whether a package of the same layer claims the file.
    pub(crate) fn is_owned(&self, path: &str) -> bool {
        self.owned.contains_key(&path::ownership_key(path))
    }

    /// A file whose content is stored as a sparse map: not parsed, and said so where a parser would have read it.
    pub(crate) fn unread_sparse(&mut self, path: &str) {
        if self.is_wanted(path) {
            self.partial(format!("{path} (sparse)"), Bound::Malformed);
        }
    }

    /// A second name of a file of the same layer: what the file says holds at both.
    pub(crate) fn hard_link(&mut self, path: &str, target: &str) {
        let copies: Vec<Says> =
            self.facts.get(target).into_iter().flatten().map(|says| renamed(says, target, path)).collect();
        if copies.is_empty() && self.is_wanted(path) && !self.is_wanted(target) {
            // The content went by under a name that says nothing.
            self.partial(format!("{path} (hard link to {target})"), Bound::Malformed);
        }
        self.packages +=
            copies.iter().map(|says| if let Says::Packages(list) = says { list.len() } else { 0 }).sum::<usize>();
        if self.packages > self.limits.packages {
            self.partial("packages of the layer".to_owned(), Bound::Entries);
        } else {
            self.says(path, copies);
        }
        let mut secrets = self.secrets.get(target).cloned().unwrap_or_default();
        for secret in &mut secrets {
            path.clone_into(&mut secret.file.path);
        }
        self.keep_secrets(path, secrets, false);
    }

    /// Symbolic links matter where `os-release` is one.
    pub(crate) fn symbolic_link(&mut self, path: &str, target: &str) {
        if !os_release::is_path(path) {
            return;
        }
        if let Some(target) = path::resolve(path, target) {
            self.says(path, [Says::Link(target)]);
        }
    }

    /// Drops what an earlier entry of the same path said.
    pub(crate) fn forget(&mut self, path: &str) {
        self.facts.remove(path);
        self.secrets.remove(path);
    }

    pub(crate) fn finish(mut self) -> (Vec<Fact>, Vec<SecretMatch>, Vec<Partial>) {
        let mut facts = Vec::new();
        for (path, says) in self.facts {
            let owner = self.owned.get(&path::ownership_key(&path));
            let owner = owner.and_then(|&owner| self.owners.get(usize::try_from(owner).ok()?)).cloned();
            facts.extend(says.into_iter().map(|says| Fact { path: path.clone(), owner: owner.clone(), says }));
        }
        let mut secrets: Vec<SecretMatch> = self.secrets.into_values().flatten().collect();
        secrets.sort();
        secrets.dedup();
        self.partial.sort();
        (facts, secrets, self.partial)
    }
}

/// The same statement under another name of the file.
fn renamed(says: &Says, from: &str, to: &str) -> Says {
    let Says::Packages(packages) = says else { return says.clone() };
    let rename = |package: &Package| {
        let mut package = package.clone();
        if let Some(rest) = package.path.strip_prefix(from) {
            package.path = format!("{to}{rest}");
        }
        package
    };
    Says::Packages(packages.iter().map(rename).collect())
}
