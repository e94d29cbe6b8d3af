//! What a person sees when a command could not do its work (exit 2): `code: what`, the causes, and what to try.

use std::io;
use std::path::{Path, PathBuf};

use assay_model::Explain;

/// A failure, ready to be shown. Any error that explains itself becomes one with `?`.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The stable kebab-case code.
    pub(crate) code: String,
    /// What happened.
    pub(crate) what: String,
    /// Why, outermost first, without what `what` says already.
    pub(crate) causes: Vec<String>,
    /// What to try.
    pub(crate) next: Option<String>,
}

impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        let what = error.to_string();
        let mut causes = Vec::new();
        let mut source = error.source();
        let mut said = what.clone();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !said.contains(&text) {
                said.push_str(&text);
                causes.push(text);
            }
            source = cause.source();
        }
        Self { code: error.code().to_owned(), what, causes, next: error.next_step() }
    }
}

impl Failure {
    /// A failure known by its code only, as [`assay_case::Cause`] carries it.
    pub(crate) fn from_cause(cause: &assay_case::Cause) -> Self {
        Self { code: cause.code.clone(), what: cause.message.clone(), causes: Vec::new(), next: None }
    }

    /// The same failure with what it is about in front: a file, an image.
    #[must_use]
    pub(crate) fn about(mut self, what: impl std::fmt::Display) -> Self {
        self.what = format!("{what}: {}", self.what);
        self
    }
}

/// Failures of the command line itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A file or folder that was named could not be read.
    #[error("{}: could not be read", path.display())]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("{}: could not be written", path.display())]
    Unwritable {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is larger than anything of its kind.
    #[error("{}: has {bytes} bytes, at most {limit} are read", path.display())]
    TooLarge {
        /// The path as given.
        path: PathBuf,
        /// Bytes found.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A file does not hold what it should.
    #[error("{what}: {message}")]
    Malformed {
        /// The file, with line and column where they are known.
        what: String,
        /// What is wrong with it.
        message: String,
    },
    /// A setting has a value that it cannot have.
    #[error("{origin}: {message}")]
    Setting {
        /// Where the value comes from.
        origin: String,
        /// What is wrong with it.
        message: String,
        /// A likely correction.
        suggestion: Option<String>,
    },
    /// The result cannot be written in this format.
    #[error("`assay {command}` cannot be written as {format}")]
    Format {
        /// The command.
        command: &'static str,
        /// The format asked for.
        format: &'static str,
        /// The formats that there are.
        known: String,
    },
    /// Options that were given do not go together, or one is missing.
    #[error("{message}")]
    Usage {
        /// What is missing or contradictory.
        message: String,
        /// What to type.
        next: String,
    },
    /// The thing that was asked about does not exist.
    #[error("{what} is not known{}", suggestion.as_ref().map(|text| format!(" (did you mean {text}?)")).unwrap_or_default())]
    NotFound {
        /// What was asked for.
        what: String,
        /// The nearest thing that exists.
        suggestion: Option<String>,
        /// What to type.
        next: String,
    },
    /// The operating system refused something that every command needs, such as threads.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

impl CliError {
    /// For `map_err`: reading `path` failed.
    pub(crate) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unreadable { path, source }
    }

    /// For `map_err`: writing `path` failed.
    pub(crate) fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unwritable { path, source }
    }
}

impl Explain for CliError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "file-unreadable",
            Self::Unwritable { .. } => "file-unwritable",
            Self::TooLarge { .. } => "file-too-large",
            Self::Malformed { .. } => "file-malformed",
            Self::Setting { .. } => "setting-invalid",
            Self::Format { .. } => "format-unsupported",
            Self::Usage { .. } => "usage",
            Self::NotFound { .. } => "not-found",
            Self::System { .. } => "system",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::Setting { suggestion, .. } => {
                suggestion.clone().or_else(|| Some("assay config show --origin".to_owned()))
            }
            Self::Format { known, .. } => Some(format!("-o {known}")),
            Self::Usage { next, .. } | Self::NotFound { next, .. } => Some(next.clone()),
            _ => None,
        }
    }
}

/// Largest file that is read whole: policies, predicates, keys, manifests.
const FILE_MAX: u64 = 64 << 20;

/// Reads a bounded file; `-` is standard input.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CliError> {
    use io::Read as _;
    let mut bytes = Vec::new();
    let limit = FILE_MAX + 1;
    let read = if path == Path::new("-") {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(CliError::unreadable(path))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(CliError::TooLarge { path: path.to_owned(), bytes: bytes.len() as u64, limit: FILE_MAX });
    }
    Ok(bytes)
}

/// Reads a bounded UTF-8 file; `-` is standard input.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    String::from_utf8(read_file(path)?).map_err(|error| CliError::Malformed {
        what: path.display().to_string(),
        message: format!("is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()),
    })
}

/// Writes a file in one step: a reader sees the old content or the new, never half of it.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = std::fs::write(&temporary, bytes).and_then(|()| {
        // The new file keeps the permissions of the one it replaces.
        if let Ok(metadata) = std::fs::metadata(path) {
            std::fs::set_permissions(&temporary, metadata.permissions())?;
        }
        std::fs::rename(&temporary, path)
    });
    if written.is_err() {
        drop(std::fs::remove_file(&temporary));
    }
    written.map_err(CliError::unwritable(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_not_said_twice() {
        let error = CliError::Unreadable { path: "x.yaml".into(), source: io::Error::other("broken disk") };
        let failure = Failure::from(error).about("policy");
        assert_eq!(failure.code, "file-unreadable");
        assert_eq!(failure.what, "policy: x.yaml: could not be read");
        assert_eq!(failure.causes, ["broken disk"]);
    }

    #[test]
    fn writing_replaces_whole_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
        assert!(write_file(&folder.path().join("none/b.txt"), b"").is_err());
    }
}
