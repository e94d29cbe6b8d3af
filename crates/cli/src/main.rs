//! The `assay` binary.

/// Requests and parsers allocate much and briefly: measured beside the system's allocator, an admission costs less.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    assay_cli::run(std::env::args_os())
}
