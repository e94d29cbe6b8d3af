//! Images of several platforms in one run, and images of the engines on this machine.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

use assay_model::{Digest, Platform};
use assay_sandbox::{BuiltImage, ImageBuilder};
use serde_json::Value;

use crate::assay::Assay;
use crate::verify::Lab;

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

/// A base that all platforms have, and a program of its own.
fn image(platform_name: &str) -> BuiltImage {
    let status = "Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13.dfsg-1\n\n";
    ImageBuilder::new()
        .layer([("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n", 0o644), ("var/lib/dpkg/status", status, 0o644)])
        .layer([("app/requirements.txt", platform_name, 0o644)])
        .platform(platform(platform_name))
        .build()
}

#[test]
fn all_platforms_of_an_index_are_read_in_one_run_and_what_they_share_once() {
    let (lab, assay) = (Lab::new(), Assay::new());
    let images = [image("linux/amd64"), image("linux/arm64")];
    let shared = Digest::of(&images[0].layers()[0]);
    assert_eq!(shared, Digest::of(&images[1].layers()[0]));
    lab.registry.put_image("team/app", "1.0", &BuiltImage::index(&images));
    let name = format!("{}/team/app:1.0", lab.registry.host());

    let scan = assay.run(&["scan", &name, "--platform", "all", "-o", "json"]);
    let found: Value = serde_json::from_slice(&scan.stdout).unwrap_or_else(|_| panic!("{}", assay.shown(&scan)));
    assert_eq!(found["schema"], "assay.dev/platforms/v1");
    let platforms: Vec<&str> =
        found["platforms"].as_array().unwrap().iter().map(|one| one["platform"].as_str().unwrap()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert!(found["platforms"].as_array().unwrap().iter().all(|one| one["packages"] == 1));
    let read = lab.registry.requests().into_iter().filter(|request| request.path.ends_with(&shared.to_string()));
    assert_eq!(read.count(), 1, "a layer that both have is fetched once");

    let one_by_one = assay.seen(&["sbom", &name, "--platform", "all"]);
    assert!(one_by_one.contains("{platform}"), "{one_by_one}");
    let written = assay.run(&["sbom", &name, "--platform", "all", "-o", "cyclonedx={platform}.json"]);
    assert!(written.status.success(), "{}", assay.shown(&written));
    for file in ["linux-amd64.json", "linux-arm64.json"] {
        let text = std::fs::read(assay.path().join(file)).unwrap();
        let bom: Value = serde_json::from_slice(&text).unwrap();
        assert!(bom["components"].as_array().unwrap().iter().any(|one| one["name"] == "zlib1g"));
    }
    let several = assay.seen(&["verify", &name, "--platform", "all", "--key", "none.pub"]);
    assert!(several.contains("`all` are several") || several.starts_with("exit 2"), "{several}");
}

/// One entry of a ustar archive.
fn entry(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut out = header.to_vec();
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// What `docker save` writes.
fn saved(image: &BuiltImage) -> Vec<u8> {
    let layers: Vec<String> = (0..image.layers().len()).map(|number| format!("{number}/layer.tar")).collect();
    let manifest = serde_json::json!([{"Config": "config.json", "RepoTags": ["team/app:1.0"], "Layers": layers}]);
    let mut tar: Vec<u8> = Vec::new();
    for (name, bytes) in layers.iter().zip(image.layers()) {
        tar.extend(entry(name, bytes));
    }
    tar.extend(entry("config.json", image.config()));
    tar.extend(entry("manifest.json", manifest.to_string().as_bytes()));
    tar.extend([0; 1024]);
    tar
}

/// An engine that knows one image and answers this many questions; the paths that were asked for.
fn engine(listener: UnixListener, tar: Vec<u8>, questions: usize) -> JoinHandle<Vec<String>> {
    std::thread::spawn(move || {
        let mut asked = Vec::new();
        for _ in 0..questions {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let path = first.split(' ').nth(1).unwrap().to_owned();
            let (status, body) = if path.ends_with("/images/team%2Fapp%3A1.0/get") {
                ("200 OK", &tar[..])
            } else {
                ("404 Not Found", &b"{}"[..])
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // Who asks may hang up once it knows enough: at the status, or at the last file of the archive.
            match stream.write_all(&[head.as_bytes(), body].concat()) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("{error}"),
                _ => asked.push(path),
            }
        }
        asked
    })
}

#[test]
fn an_image_of_docker_and_of_podman_is_read_over_their_socket() {
    let assay = Assay::new();
    for (scheme, variable) in [("docker", "DOCKER_HOST"), ("podman", "CONTAINER_HOST")] {
        let socket = assay.path().join(format!("{scheme}.sock"));
        let engine = engine(UnixListener::bind(&socket).unwrap(), saved(&image("linux/amd64")), 2);
        let run = |target: &str| {
            let mut command = assay.command();
            command.args(["sbom", target, "-o", "json"]).env(variable, format!("unix://{}", socket.display()));
            command.output().unwrap()
        };
        let known = run(&format!("{scheme}:team/app:1.0"));
        let found: Value = serde_json::from_slice(&known.stdout).unwrap_or_else(|_| panic!("{}", assay.shown(&known)));
        assert_eq!(found["packages"][0]["name"], "zlib1g");
        let unknown = run(&format!("{scheme}:nobody"));
        assert!(assay.shown(&unknown).contains("was not found"), "{}", assay.shown(&unknown));
        assert_eq!(engine.join().unwrap()[0], "/v1.41/images/team%2Fapp%3A1.0/get");
        let mut elsewhere = assay.command();
        let output = elsewhere.args(["sbom", &format!("{scheme}:a")]).env(variable, "tcp://10.0.0.1:2375").output();
        assert!(assay.shown(&output.unwrap()).contains("another machine"));
    }
}

#[test]
fn an_image_of_containerds_content_store_is_read_by_digest() {
    let assay = Assay::new();
    let image = image("linux/amd64");
    for blob in image.blobs().iter().chain([image.manifest()]) {
        assay.file(&format!("content/blobs/sha256/{}", Digest::of(blob).hex()), blob);
    }
    let target = format!("containerd:{}@{}", assay.path().join("content").display(), image.digest());
    let sbom = assay.run(&["sbom", &target, "-o", "json"]);
    let found: Value = serde_json::from_slice(&sbom.stdout).unwrap_or_else(|_| panic!("{}", assay.shown(&sbom)));
    assert_eq!(found["packages"][0]["name"], "zlib1g");
    // A blob that is not what its name says is refused.
    assay.file(&format!("content/blobs/sha256/{}", image.digest().hex()), "{}");
    assert_eq!(assay.run(&["sbom", &target]).status.code(), Some(2));
}
