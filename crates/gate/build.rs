//! Lists the files of `src/controls`, so that a new control is its file and its row in `policies/controls.yaml`, and
//! nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let folder = root.join("src/controls");
    let mut names: Vec<String> = fs::read_dir(&folder)?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            is_source.then(|| path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned))?
        })
        .collect();
    names.sort();
    fs::write(target.join("controls.rs"), table(&folder, &names))?;
    println!("cargo::rerun-if-changed=src/controls");
    Ok(())
}

fn table(folder: &Path, names: &[String]) -> String {
    let mut text = String::new();
    for name in names {
        let path = folder.join(format!("{name}.rs"));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "#[path = {:?}]\nmod {name};", path.display().to_string());
    }
    text.push_str("/// Every control: its id and how it is compiled.\n");
    text.push_str("pub(crate) const TABLE: &[(&str, Compile)] = &[\n");
    for name in names {
        let _ = writeln!(text, "    ({:?}, {name}::compile),", name.replace('_', "-"));
    }
    text.push_str("];\n");
    text
}
