//! Writes new files and the rows that name them. Nothing is written unless everything can be.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::name::{Name, NameError};

const CONTROL: &str = include_str!("templates/control.rs.txt");
const CONTROL_ROW: &str = include_str!("templates/control.yaml.txt");
const ECOSYSTEM: &str = include_str!("templates/ecosystem.rs.txt");
const VERSION: &str = include_str!("templates/version.rs.txt");

/// Writes a control that is off in every tier: its file below `crates/gate/src/controls/`, and its row in
/// `policies/controls.yaml`. Gives what to do next.
pub fn new_control(root: &Path, name: &Name) -> Result<String, ScaffoldError> {
    let rows = root.join("policies/controls.yaml");
    let catalogue = read(&rows)?;
    if catalogue.lines().any(|line| line == format!("- id: {}", name.as_str())) {
        return Err(ScaffoldError::Taken { path: rows });
    }
    let catalogue = format!("{}\n\n{}", catalogue.trim_end(), filled(CONTROL_ROW, name));
    let file = root.join("crates/gate/src/controls").join(format!("{}.rs", name.module()));
    create(&file, &filled(CONTROL, name))?;
    write(&rows, &catalogue)?;
    Ok(format!(
        "wrote {}\nwrote its row in policies/controls.yaml, off in every tier\n\
         next  write what it checks and why, choose its actions, add a folder to cases/\n      \
         cargo test -p assay-gate\n",
        relative(root, &file)
    ))
}

/// Writes an ecosystem: how its packages are found, how its versions are ordered, and the rows that name both. Gives what
/// to do next.
pub fn new_ecosystem(root: &Path, name: &Name) -> Result<String, ScaffoldError> {
    let (module, kind) = (name.module(), name.type_name());
    let ecosystems = root.join("crates/inspect/src/ecosystems.rs");
    let list = with_module(&ecosystems, &read(&ecosystems)?, &module)?;
    let list = with_row(&ecosystems, &list, "static ALL: ", "\n];", &format!("\n    &{module}::{kind},"))?;
    let library = root.join("crates/version/src/lib.rs");
    let modules = with_module(&library, &read(&library)?, &module)?;
    let schemes = root.join("crates/version/src/scheme.rs");
    let row = format!("\n    /// {kind}: name the specification of its order here.\n    {kind} = {module},");
    let table = with_row(&schemes, &read(&schemes)?, "\nschemes! {", "\n}", &row)?;

    let finder = root.join("crates/inspect/src/ecosystems").join(format!("{module}.rs"));
    let order = root.join("crates/version/src").join(format!("{module}.rs"));
    if order.exists() {
        return Err(ScaffoldError::Taken { path: order });
    }
    create(&finder, &filled(ECOSYSTEM, name))?;
    create(&order, &filled(VERSION, name))?;
    for (path, text) in [(&ecosystems, list), (&library, modules), (&schemes, table)] {
        write(path, &text)?;
    }
    Ok(format!(
        "wrote {}\nwrote {}\nwrote their rows in crates/inspect/src/ecosystems.rs and crates/version/src/{{lib,scheme}}.rs\n\
         next  read its files, order its versions, each with a test from its specification\n      \
         where it has a package type of its own, add that to assay_model::PackageType: the compiler names the rest\n      \
         cargo test -p assay-inspect -p assay-version\n",
        relative(root, &finder),
        relative(root, &order)
    ))
}

fn filled(template: &str, name: &Name) -> String {
    template.replace("{{name}}", name.as_str()).replace("{{Type}}", &name.type_name())
}

fn relative<'p>(root: &Path, path: &'p Path) -> std::path::Display<'p> {
    path.strip_prefix(root).unwrap_or(path).display()
}

/// The text with `mod MODULE;` among the other private modules, which stand in alphabetical order.
fn with_module(path: &Path, text: &str, module: &str) -> Result<String, ScaffoldError> {
    let line = format!("mod {module};");
    let name = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')).map(str::to_owned)
    };
    if text.lines().filter_map(name).any(|other| other == module) {
        return Err(ScaffoldError::Taken { path: path.to_owned() });
    }
    let mut at = None;
    let mut offset = 0;
    for written in text.split_inclusive('\n') {
        if let Some(other) = name(written.trim_end()) {
            if other.as_str() > module {
                at = Some(offset);
                break;
            }
            at = Some(offset + written.len());
        }
        offset += written.len();
    }
    let at = at.ok_or_else(|| ScaffoldError::NoPlace { path: path.to_owned(), what: "a `mod` line" })?;
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    Ok(format!("{before}{line}\n{after}"))
}

/// The text with a row at the end of the table that begins with `start`.
fn with_row(path: &Path, text: &str, start: &'static str, end: &str, row: &str) -> Result<String, ScaffoldError> {
    let no_place = || ScaffoldError::NoPlace { path: path.to_owned(), what: start.trim() };
    let (before, rest) = text.split_once(start).ok_or_else(no_place)?;
    let (table, after) = rest.split_once(end).ok_or_else(no_place)?;
    Ok(format!("{before}{start}{table}{row}{end}{after}"))
}

fn read(path: &Path) -> Result<String, ScaffoldError> {
    fs::read_to_string(path).map_err(|source| ScaffoldError::File { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), ScaffoldError> {
    fs::write(path, text).map_err(|source| ScaffoldError::File { path: path.to_owned(), source })
}

/// Writes a file that must not exist yet.
fn create(path: &Path, text: &str) -> Result<(), ScaffoldError> {
    let mut options = fs::OpenOptions::new();
    match options.write(true).create_new(true).open(path) {
        Ok(mut file) => io::Write::write_all(&mut file, text.as_bytes())
            .map_err(|source| ScaffoldError::File { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(ScaffoldError::Taken { path: path.to_owned() })
        }
        Err(source) => Err(ScaffoldError::File { path: path.to_owned(), source }),
    }
}

/// Why nothing, or not everything, was written.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is one of this name already.
    #[error("{} has it already", path.display())]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// A file no longer looks as expected: adapt this crate to it.
    #[error("{} has no place for the new row: {what} is not found", path.display())]
    NoPlace {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_stay_in_order_and_rows_come_last() {
        let path = Path::new("lib.rs");
        let text = "mod apk;\npub mod rpm;\n\nuse a;\n";
        assert_eq!(with_module(path, text, "aab").unwrap(), "mod aab;\nmod apk;\npub mod rpm;\n\nuse a;\n");
        assert_eq!(with_module(path, text, "conda").unwrap(), "mod apk;\nmod conda;\npub mod rpm;\n\nuse a;\n");
        assert_eq!(with_module(path, text, "zig").unwrap(), "mod apk;\npub mod rpm;\nmod zig;\n\nuse a;\n");
        assert!(matches!(with_module(path, text, "rpm"), Err(ScaffoldError::Taken { .. })));
        assert!(matches!(with_module(path, "", "rpm"), Err(ScaffoldError::NoPlace { .. })));
        assert_eq!(
            with_row(path, "x = [\n    a,\n];\ny", "x = [", "\n];", "\n    b,").unwrap(),
            "x = [\n    a,\n    b,\n];\ny"
        );
        assert!(matches!(with_row(path, "x", "y", "]", ""), Err(ScaffoldError::NoPlace { .. })));
    }
}
