use std::path::{Path, PathBuf};

use assay_model::Digest;
use assay_oci::{ImageSource, Manifest, OciError, Source, copy};
use assay_sandbox::BuiltImage;

use crate::support::*;

/// A tar file of files (`Ok`) and symbolic links (`Err`).
fn tar(entries: &[(&str, Result<&[u8], &str>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in entries {
        let (data, kind, link): (&[u8], u8, &str) = match content {
            Ok(data) => (data, b'0', ""),
            Err(target) => (b"", b'2', target),
        };
        let mut block = [0u8; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..107].copy_from_slice(b"0000644");
        block[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
        block[148..156].fill(b' ');
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link.as_bytes());
        block[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes.extend_from_slice(&block);
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn archive(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

async fn open(kind: &str, path: &Path) -> Result<Source, OciError> {
    Source::open(&client(), &format!("{kind}:{}", path.display()).parse().unwrap()).await
}

/// What `docker save` would write for an image, with one layer stored as a link, as docker does for repeated layers.
fn saved(image: &BuiltImage) -> Vec<u8> {
    let manifest =
        br#"[{"Config":"c.json","RepoTags":["r.example.com/app:1"],"Layers":["a/layer.tar","b/layer.tar"]}]"#;
    tar(&[
        ("c.json", Ok(image.config())),
        ("a/layer.tar", Ok(&image.layers()[0])),
        ("b/layer.tar", Err("../a/layer.tar")),
        ("manifest.json", Ok(manifest)),
    ])
}

#[tokio::test]
async fn a_docker_archive_gives_the_same_image_every_time_and_claims_no_registry() {
    let folder = tempfile::tempdir().unwrap();
    let image = image();
    let path = archive(folder.path(), "saved.tar", &saved(&image));
    let mut digests = Vec::new();
    for suffix in ["", ":1"] {
        let source: ImageSource = format!("docker-archive:{}{suffix}", path.display()).parse().unwrap();
        let source = Source::open(&client(), &source).await.unwrap();
        let resolved = source.resolve(None).await.unwrap();
        assert_eq!(resolved.subject.repository.to_string(), "localhost/saved");
        let Manifest::Image(manifest) = &resolved.manifest.manifest else { panic!("an image") };
        assert_eq!(manifest.layers[0].digest, manifest.layers[1].digest);
        let layer = source.blob(&manifest.layers[1]).await.unwrap().bytes(1 << 20).await.unwrap();
        assert_eq!(layer, image.layers()[0]);
        digests.push(resolved.subject.digest);
    }
    assert_eq!(digests[0], digests[1]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_archive_in_gzip_is_the_same_image_and_known_by_what_it_begins_with() {
    let folder = tempfile::tempdir().unwrap();
    let image = image();
    let plain = archive(folder.path(), "saved.tar", &saved(&image));
    let config = "c".repeat(64) + ".json";
    let manifest = format!(r#"[{{"Config":"{config}","Layers":["a/layer.tar","a/layer.tar"]}}]"#);
    // The configuration first, as docker writes it.
    let listed: [(&str, Result<&[u8], &str>); 3] = [
        (&config, Ok(image.config())),
        ("a/layer.tar", Ok(&image.layers()[0])),
        ("manifest.json", Ok(manifest.as_bytes())),
    ];
    let compressed = archive(folder.path(), "image.tar.gz", &gzip(&tar(&listed)));
    assert!(matches!(ImageSource::at(&compressed), Some(ImageSource::DockerArchive { .. })));
    let mut digests = Vec::new();
    for path in [&plain, &compressed] {
        digests.push(open("docker-archive", path).await.unwrap().resolve(None).await.unwrap().subject.digest);
    }
    assert_eq!(digests[0], digests[1]);
    let sources = archive(folder.path(), "sources.tar.gz", &gzip(&tar(&[("project/manifest.json", Ok(b"[]"))])));
    assert_eq!(ImageSource::at(&sources), None, "an archive of sources stays one");
}

/// A bomb: what inflates to more than images do is refused, and nothing of it stays on disk.
#[tokio::test]
async fn an_archive_in_gzip_that_inflates_without_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive(folder.path(), "bomb.tar.gz", &gzip(&vec![0; 300 << 20]));
    let error = open("docker-archive", &path).await.unwrap_err();
    assert!(error.to_string().contains("far more than images do"), "{error}");
}

#[tokio::test]
async fn an_oci_archive_is_read_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let image = image();
    let name = |digest: Digest| format!("blobs/sha256/{}", digest.hex());
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [
        { "mediaType": image.media_type(), "digest": image.digest().to_string(), "size": image.manifest().len(),
          "annotations": { "org.opencontainers.image.ref.name": "1.0" } }
    ]});
    let index = index.to_string();
    let mut entries: Vec<(String, Vec<u8>)> = vec![("./index.json".into(), index.into())];
    entries.push((name(image.digest()), image.manifest().to_vec()));
    entries.extend(image.blobs().iter().map(|blob| (name(Digest::of(blob)), blob.to_vec())));
    let entries: Vec<_> = entries.iter().map(|(name, bytes)| (name.as_str(), Ok(bytes.as_slice()))).collect();
    let path = archive(folder.path(), "x.tar", &tar(&entries));
    let source = open("oci-archive", &path).await.unwrap();
    assert_eq!(source.resolve(None).await.unwrap().subject.digest, image.digest());

    let registry = registry().await;
    let from: ImageSource = format!("oci-archive:{}:1.0", path.display()).parse().unwrap();
    let to = ImageSource::Registry(reference(&registry, "app:1"));
    copy(&client(), &from, &to).await.unwrap();
    assert_eq!(registry.tag("app", "1"), Some(image.digest()));
}

#[tokio::test]
async fn cve_2026_50162_links_and_names_that_lead_out_of_an_archive_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = br#"[{"Config":"c.json","Layers":["l"]}]"#;
    for (what, entries) in [
        ("dots", vec![("../c.json", Ok(&b"{}"[..])), ("manifest.json", Ok(&manifest[..]))]),
        ("absolute", vec![("/etc/c.json", Ok(&b"{}"[..])), ("manifest.json", Ok(&manifest[..]))]),
        (
            "link",
            vec![("c.json", Err("../../../etc/passwd")), ("l", Ok(&b""[..])), ("manifest.json", Ok(&manifest[..]))],
        ),
        (
            "absolute link",
            vec![("c.json", Err("/etc/passwd")), ("l", Ok(&b""[..])), ("manifest.json", Ok(&manifest[..]))],
        ),
        ("loop", vec![("c.json", Err("l")), ("l", Err("c.json")), ("manifest.json", Ok(&manifest[..]))]),
        ("twice", vec![("manifest.json", Ok(&manifest[..])), ("manifest.json", Ok(&manifest[..]))]),
    ] {
        let path = archive(folder.path(), "x.tar", &tar(&entries));
        let error = open("docker-archive", &path).await.unwrap_err();
        assert!(matches!(error, OciError::BadArchive { .. }), "{what}: {error}");
    }
}

#[tokio::test]
async fn truncated_compressed_and_foreign_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let whole = saved(&image());
    for (what, bytes) in [
        ("cut in an entry", &whole[..700]),
        ("cut in a header", &whole[..100]),
        ("gzip", &[0x1f, 0x8b].repeat(512)),
        ("text", &b"hello".repeat(200)),
    ] {
        let path = archive(folder.path(), "x.tar", bytes);
        let error = open("docker-archive", &path).await.unwrap_err();
        assert!(matches!(error, OciError::BadArchive { .. }), "{what}: {error}");
    }
    let path = archive(folder.path(), "x.tar", &tar(&[]));
    assert!(open("oci-archive", &path).await.unwrap_err().is_not_found());
    let error = open("oci", &folder.path().join("absent")).await.unwrap_err();
    assert!(matches!(error, OciError::File { .. }), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn cve_2026_50163_links_out_of_a_layout_are_neither_read_nor_written() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).unwrap();
    let layout = folder.path().join("layout");
    std::fs::create_dir(&layout).unwrap();
    std::os::unix::fs::symlink(outside.join("index.json"), layout.join("index.json")).unwrap();
    let error = open("oci", &layout).await.unwrap_err();
    assert!(matches!(error, OciError::BadArchive { .. }), "{error}");

    std::fs::remove_file(layout.join("index.json")).unwrap();
    std::os::unix::fs::symlink(&outside, layout.join("blobs")).unwrap();
    let registry = registry().await;
    registry.put_image("app", "1", &image());
    let from = ImageSource::Registry(reference(&registry, "app:1"));
    let to = format!("oci:{}", layout.display()).parse().unwrap();
    let error = copy(&client(), &from, &to).await.unwrap_err();
    assert!(matches!(error, OciError::BadArchive { .. }), "{error}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1, "nothing was made outside");
}

#[tokio::test]
async fn a_changed_blob_in_a_layout_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry().await;
    let image = image();
    registry.put_image("app", "1", &image);
    let to: ImageSource = format!("oci:{}", folder.path().display()).parse().unwrap();
    copy(&client(), &ImageSource::Registry(reference(&registry, "app:1")), &to).await.unwrap();
    let source = Source::open(&client(), &to).await.unwrap();
    let Manifest::Image(manifest) = source.resolve(None).await.unwrap().manifest.manifest else { panic!("an image") };
    let path = folder.path().join("blobs/sha256").join(manifest.layers[0].digest.hex());
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = source.blob(&manifest.layers[0]).await.unwrap().bytes(1 << 20).await.unwrap_err();
    assert!(matches!(error, OciError::DigestMismatch { .. }), "{error}");
}
