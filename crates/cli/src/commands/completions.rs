//! `assay completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::Arguments;

/// The completion script for `shell`.
pub(crate) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "assay", &mut script);
    script
}
