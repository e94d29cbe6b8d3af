//! What a path costs that no parser reads: most paths of an image.
//!
//!     cargo bench -p assay-inspect --bench paths
//!     valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/deps/paths-HASH --bench once
//!
//! A tar of empty files with names as images have them goes through [`inspect_layer`]. CPU time is the kernel's for this
//! thread, the best of five; with `once` it goes through once, so that callgrind counts instructions.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark: it stops where something is wrong, and prints"
)]
#![allow(missing_docs)]

use assay_inspect::{Limits, inspect_layer};
use assay_model::Digest;

const PATHS: usize = 20_000;
const TRIES: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let tar = tar();
    let digest = Digest::of(&tar);
    let run = || {
        let before = cpu();
        let layer = inspect_layer(&tar[..], &digest, "", &Limits::default()).unwrap();
        assert_eq!(layer.paths.lines().count(), PATHS);
        cpu() - before
    };
    let tries = if arguments.iter().any(|argument| argument == "once") { 1 } else { TRIES };
    let best = (0..tries).map(|_| run()).fold(f64::INFINITY, f64::min);
    println!("{PATHS} paths: {:.0} ns a path", best * 1e9 / PATHS as f64);
}

/// Empty files: translations, time zones, sources of scripts, modules of Node.js, headers, manual pages.
fn tar() -> Vec<u8> {
    let mut tar = Vec::with_capacity((PATHS + 2) * 512);
    for number in 0..PATHS {
        let path = match number % 8 {
            0 => format!("usr/share/locale/l{number}/LC_MESSAGES/coreutils.mo"),
            1 => format!("usr/share/zoneinfo/Area{}/Place{number}", number % 100),
            2 => format!("usr/lib/python3/dist-packages/package{}/module{number}.py", number % 300),
            3 => format!("app/node_modules/module{}/lib/file{number}.js", number % 500),
            4 => format!("usr/include/x86_64-linux-gnu/bits/header{number}.h"),
            5 => format!("usr/share/man/man3/function{number}.3.gz"),
            6 => format!("usr/lib/x86_64-linux-gnu/perl/5.36/Module{}/Part{number}.pm", number % 200),
            _ => format!("usr/share/doc/package{number}/changelog.Debian.gz"),
        };
        let mut header = [0; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(b"00000000000");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.extend_from_slice(&header);
    }
    tar.extend_from_slice(&[0; 1024]);
    tar
}

/// CPU seconds of this thread (proc(5), /proc/PID/schedstat).
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}
