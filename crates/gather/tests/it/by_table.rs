//! Layers with a table of contents: only what says something of packages is fetched, or the whole layer where parts cannot be.

use std::io::Write as _;

use serde_json::json;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn header(name: &str, length: usize) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{length:011o}").as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

/// An eStargz layer, which is also a tar.gz as any other, and the digest of its table.
fn estargz(files: &[(&str, &[u8])]) -> (Vec<u8>, Digest) {
    let (mut blob, mut rows) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        blob.extend(gzip(&header(name, bytes.len())));
        let digest = Digest::of(bytes).to_string();
        rows.push(json!({"name": name, "type": "reg", "size": bytes.len(), "mode": 0o644, "offset": blob.len(),
            "digest": digest, "chunkDigest": digest}));
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(512), 0);
        blob.extend(gzip(&padded));
    }
    let table = json!({"version": 1, "entries": rows}).to_string().into_bytes();
    let start = blob.len();
    let mut tar = header("stargz.index.json", table.len());
    tar.extend(&table);
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    blob.extend(gzip(&tar));
    // RFC 1952: an empty member whose extra field says where the table is.
    let mut footer = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 26, 0, b'S', b'G', 22, 0];
    footer.extend(format!("{start:016x}STARGZ").into_bytes());
    footer.extend([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    blob.extend(footer);
    (blob, Digest::of(&table))
}

/// Pushes an image of one such layer, whose manifest names this table or the right one; the layer's digest.
fn push(registry: &Registry, named: Option<Digest>) -> Digest {
    let mut state = 1_u64;
    let noise: Vec<u8> = (0..600_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        })
        .collect();
    let (layer, table) = estargz(&[
        ("usr/share/data", &noise),
        ("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
        ("var/lib/dpkg/status", DPKG.as_bytes()),
    ]);
    let size = layer.len() as u64;
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&layer[..]), &mut tar).unwrap();
    let rootfs = json!({"type": "layers", "diff_ids": [Digest::of(&tar).to_string()]});
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).to_string().into_bytes();
    let table = named.unwrap_or(table);
    let (config_size, config) = (config.len(), registry.put_blob("team/app", config));
    let digest = registry.put_blob("team/app", layer);
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({
        "schemaVersion": 2, "mediaType": kind,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.to_string(), "size": config_size},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest.to_string(), "size": size,
            "annotations": {"containerd.io/snapshot/stargz/toc.digest": table.to_string()}}],
    });
    registry.put_manifest("team/app", Some("1.0"), kind, manifest.to_string().into_bytes());
    digest
}

/// Statuses of the questions for the layer.
fn answers(registry: &Registry, layer: Digest) -> Vec<u16> {
    let requests = registry.requests().into_iter();
    requests.filter(|request| request.path.ends_with(&layer.to_string())).map(|request| request.status).collect()
}

async fn read(registry: &Registry, store: &Arc<Store>, by_table: bool) -> Arc<Facts> {
    let gatherer = Gatherer::new(Options { store: Some(Arc::clone(store)), by_table, ..options() });
    let wanted = Wanted { evidence: false, ..Wanted::default() };
    only(gatherer.facts(&access(), &reference(registry, "team/app:1.0"), &wanted).await)
}

fn names(facts: &Facts) -> Vec<String> {
    facts.contents.get().unwrap().packages.iter().map(|package| package.purl.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_a_layer_say_the_same_and_never_pass_for_the_whole() {
    let (registry, folder) = (registry().await, tempfile::tempdir().unwrap());
    let layer = push(&registry, None);
    let store = Arc::new(Store::open(&folder.path().join("s.db")).unwrap());
    let parts = read(&registry, &store, true).await;
    let answered = answers(&registry, layer);
    assert!(answered.iter().all(|status| *status == 206) && answered.len() <= 3, "{answered:?}");
    assert!(parts.contents.get().unwrap().partial.iter().any(|partial| partial.what.contains("table of contents")));

    // Nothing of it was kept: who needs the whole layer reads it.
    let whole = read(&registry, &store, false).await;
    assert_eq!(answers(&registry, layer).iter().filter(|status| **status == 200).count(), 1);
    assert!(whole.contents.get().unwrap().partial.is_empty(), "{:?}", whole.contents.get().unwrap().partial);
    assert_eq!(names(&parts), names(&whole));
    assert_eq!(names(&parts).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_serves_no_parts_serves_the_whole_layer() {
    let (registry, folder) = (registry().await, tempfile::tempdir().unwrap());
    let layer = push(&registry, None);
    registry.set_fault(Fault::NoRanges);
    let store = Arc::new(Store::open(&folder.path().join("s.db")).unwrap());
    let facts = read(&registry, &store, true).await;
    assert_eq!(names(&facts).len(), 1);
    assert!(facts.contents.get().unwrap().partial.is_empty());
    assert!(answers(&registry, layer).iter().all(|status| *status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_the_manifests_counts_for_nothing() {
    let (registry, folder) = (registry().await, tempfile::tempdir().unwrap());
    let layer = push(&registry, Some(Digest::of(b"another table")));
    let store = Arc::new(Store::open(&folder.path().join("s.db")).unwrap());
    let facts = read(&registry, &store, true).await;
    assert_eq!(answers(&registry, layer).last(), Some(&200), "the whole layer is read instead");
    assert!(facts.contents.get().unwrap().partial.is_empty() && names(&facts).len() == 1);
}
