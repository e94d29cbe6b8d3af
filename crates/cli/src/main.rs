//! The `assay` binary.

fn main() -> std::process::ExitCode {
    assay_cli::run(std::env::args_os())
}
