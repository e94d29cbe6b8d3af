//! `cargo xtask`: see the library beside this file.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use xtask::{Name, ScaffoldError, new_control, new_ecosystem};

const USAGE: &str = "usage: cargo xtask new-control NAME | new-ecosystem NAME\n";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (text, code) = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["new-control", name] => said(name, |name| new_control(&root, name)),
        ["new-ecosystem", name] => said(name, |name| new_ecosystem(&root, name)),
        _ => (USAGE.to_owned(), ExitCode::from(2)),
    };
    // Where nobody reads, the exit code still tells.
    let _ = std::io::stderr().write_all(text.as_bytes());
    code
}

fn said(name: &str, write: impl FnOnce(&Name) -> Result<String, ScaffoldError>) -> (String, ExitCode) {
    match name.parse().map_err(ScaffoldError::from).and_then(|name| write(&name)) {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => (format!("{error}\n"), ExitCode::from(2)),
    }
}
