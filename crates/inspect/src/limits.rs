//! The bounds of every reader in this crate.

/// What inspection reads at most. Reaching one of these is recorded as a [`Partial`](assay_model::Partial), never ignored.
///
/// ```
/// let small = assay_inspect::Limits { file_bytes: 1 << 20, ..assay_inspect::Limits::default() };
/// assert_eq!(small.archive_depth, 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that one layer may inflate to, or one directory may hold.
    pub layer_bytes: u64,
    /// Inflated bytes for each compressed one, once [`Self::ratio_floor`] is passed.
    pub ratio: u64,
    /// Bytes that a layer may inflate to whatever its ratio: small layers of zeros are common and harmless.
    pub ratio_floor: u64,
    /// Entries of one layer or directory.
    pub entries: u64,
    /// Bytes of all paths of one layer or directory.
    pub path_bytes: u64,
    /// Bytes of one file that is kept in memory to be parsed (package databases, jars, executables).
    pub file_bytes: u64,
    /// Bytes of one JSON document: its values take many times the memory of its text.
    pub json_bytes: u64,
    /// Bytes that the archives nested in one file may inflate to, all together.
    pub nested_bytes: u64,
    /// Archives inside archives, the outermost counted as one.
    pub archive_depth: u32,
    /// Entries of one archive inside a layer.
    pub archive_entries: u64,
    /// Packages of one layer or directory.
    pub packages: usize,
    /// Secrets of one layer or directory.
    pub secrets: usize,
}

impl Default for Limits {
    /// 16 GiB and 200 : 1 beyond 256 MiB a layer, 2 million entries, 256 MiB a file.
    fn default() -> Self {
        Self {
            layer_bytes: 16 << 30,
            ratio: 200,
            ratio_floor: 256 << 20,
            entries: 2_000_000,
            path_bytes: 128 << 20,
            file_bytes: 256 << 20,
            json_bytes: 16 << 20,
            nested_bytes: 1 << 30,
            archive_depth: 4,
            archive_entries: 500_000,
            packages: 200_000,
            secrets: 10_000,
        }
    }
}

/// Bytes of one package field (name, version, licence, supplier) that are kept: longer ones are cut.
pub(crate) const FIELD_BYTES: usize = 1024;

/// Fields of one `Key: value` paragraph that are kept.
pub(crate) const FIELDS: usize = 1000;

/// Files that the packages of one database may claim.
pub(crate) const CLAIMS: usize = 8_000_000;

/// Names in [`Package::depends_on`](assay_model::Package::depends_on) that are kept for one package.
pub(crate) const DEPENDENCIES: usize = 1024;
