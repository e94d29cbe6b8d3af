//! The `assay` binary.

/// With the system's allocator, a fifth of an admission's CPU samples were in it (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    assay_cli::run(std::env::args_os())
}
