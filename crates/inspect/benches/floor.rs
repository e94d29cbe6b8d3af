//! Inspection beside the physical floor, on the same files, in one run.
//!
//!     ASSAY_BENCH_IMAGES=DIR cargo bench -p assay-inspect --bench floor
//!
//! DIR holds OCI layouts (`NAME.oci`). The floor reads each layer once: SHA-256 of the blob, inflate, SHA-256 of the tar, and
//! a walk over its headers; nothing is looked at. Inspection does all that and finds packages and secrets. Both run on one
//! thread; CPU seconds are the kernel's for that thread, the best of three.
//!
//! `floor --bench --floor walk|hash LAYOUT` reads one image once and prints nothing: `walk` is the floor without both digests.
//! `peers/run.sh` measures it as a process beside others.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark: it stops where something is wrong, and prints"
)]
#![allow(missing_docs)]

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use assay_inspect::{Limits, inspect_layer, merge};
use assay_model::{Algorithm, Digest, Hasher};
use serde_json::Value;

const TRIES: usize = 3;

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let arguments: Vec<String> = std::env::args().collect();
    if let [.., switch, mode, layout] = &arguments[..]
        && switch == "--floor"
    {
        for layer in layers(Path::new(layout)) {
            floor(&layer, mode == "hash");
        }
        return;
    }
    let Some(folder) = std::env::var_os("ASSAY_BENCH_IMAGES") else {
        println!("skipped: ASSAY_BENCH_IMAGES names no folder of OCI layouts");
        return;
    };
    let mut layouts: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    layouts.retain(|path| path.extension().is_some_and(|extension| extension == "oci"));
    layouts.sort();
    println!("image            blob MB   floor s   inspect s   ratio   peak MB   packages");
    for layout in layouts {
        let layers = layers(&layout);
        let floor = best(|| layers.iter().for_each(|layer| self::floor(layer, true)));
        let mut packages = 0;
        reset_peak();
        let inspect = best(|| packages = inspect(&layers));
        let bytes: u64 = layers.iter().map(|layer| std::fs::metadata(&layer.path).unwrap().len()).sum();
        println!(
            "{:15} {:8.1}  {floor:8.3}    {inspect:8.3}   {:5.2}  {:8}   {packages:8}",
            layout.file_stem().unwrap().to_string_lossy(),
            bytes as f64 / 1e6,
            inspect / floor,
            peak_kib() / 1024,
        );
    }
}

struct Layer {
    path: PathBuf,
    digest: Digest,
    media_type: String,
}

fn layers(layout: &Path) -> Vec<Layer> {
    let json = |path: PathBuf| -> Value { serde_json::from_reader(File::open(path).unwrap()).unwrap() };
    let blob = |digest: &str| layout.join("blobs").join(digest.replace(':', "/"));
    let index = json(layout.join("index.json"));
    let manifest = json(blob(index["manifests"][0]["digest"].as_str().unwrap()));
    let layer = |layer: &Value| Layer {
        path: blob(layer["digest"].as_str().unwrap()),
        digest: layer["digest"].as_str().unwrap().parse().unwrap(),
        media_type: layer["mediaType"].as_str().unwrap().to_owned(),
    };
    manifest["layers"].as_array().unwrap().iter().map(layer).collect()
}

fn inspect(layers: &[Layer]) -> usize {
    let limits = Limits::default();
    let results: Vec<_> = layers
        .iter()
        .map(|layer| {
            inspect_layer(File::open(&layer.path).unwrap(), &layer.digest, &layer.media_type, &limits).unwrap()
        })
        .collect();
    merge(&results, None).packages.len()
}

/// Passes bytes on and hashes them, where that is wanted.
struct Hashing<R> {
    inner: R,
    hasher: Hasher,
    wanted: bool,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if self.wanted {
            self.hasher.update(&buffer[..count]);
        }
        Ok(count)
    }
}

fn floor(layer: &Layer, hash: bool) {
    let (inner, hasher) = (File::open(&layer.path).unwrap(), Hasher::new(Algorithm::Sha256));
    let blob = Hashing { inner, hasher, wanted: hash };
    let blob = BufReader::with_capacity(256 << 10, blob);
    let mut tar: Box<dyn Read> = if layer.media_type.ends_with("zstd") {
        Box::new(zstd::stream::read::Decoder::with_buffer(blob).unwrap())
    } else {
        Box::new(flate2::bufread::MultiGzDecoder::new(blob))
    };
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 256 << 10];
    let (mut skip, mut header, mut entries) = (0_u64, Vec::with_capacity(512), 0_u64);
    loop {
        let count = tar.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        if hash {
            hasher.update(&buffer[..count]);
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            if skip > 0 {
                let step = skip.min(rest.len() as u64);
                skip -= step;
                rest = &rest[step as usize..];
                continue;
            }
            let step = (512 - header.len()).min(rest.len());
            header.extend_from_slice(&rest[..step]);
            rest = &rest[step..];
            if header.len() == 512 {
                if header[0] != 0 {
                    let digits = std::str::from_utf8(&header[124..136]).unwrap_or("0");
                    let size = u64::from_str_radix(digits.trim_matches(['\0', ' ']), 8).unwrap_or(0);
                    skip = size.div_ceil(512) * 512;
                    entries += 1;
                }
                header.clear();
            }
        }
    }
    std::hint::black_box((hasher.finish(), entries));
}

fn best(mut run: impl FnMut()) -> f64 {
    let seconds = (0..TRIES).map(|_| {
        let before = cpu();
        run();
        cpu() - before
    });
    seconds.fold(f64::INFINITY, f64::min)
}

/// CPU seconds of this thread (proc(5), /proc/PID/schedstat).
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
}

/// Makes the peak start anew (proc(5), /proc/PID/clear_refs).
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
