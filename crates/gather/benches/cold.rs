//! How long a first verification takes where every request takes 30 ms: waiting, and next to nothing else.
//!
//! `cargo bench -p assay-gather --bench cold`. The registry is on loopback, asks for a token, and waits 30 ms before each
//! answer; it speaks plain HTTP, so that connecting and TLS come on top: two round trips in TLS 1.3, once.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use assay_gather::{Access, Gatherer, Options, Wanted};
use assay_model::Reference;
use assay_oci::{Client, ClientOptions, Descriptor};
use assay_sandbox::sigstore::evidence::KeyPair;
use assay_sandbox::{Authentication, BuiltImage, ImageBuilder, Registry, RegistryOptions};
use assay_sign::Statement;

const ROUND_TRIP: Duration = Duration::from_millis(30);
const IMAGES: usize = 20;
const WANTED: Wanted =
    Wanted { platforms: Vec::new(), contents: false, evidence: true, attestation_tags: true, deadline: None };

async fn registry() -> Registry {
    let authentication = Authentication::Bearer {
        username: "ada".into(),
        password: "secret".into(),
        anonymous_pull: true,
        expires_in: 300,
    };
    Registry::start(RegistryOptions { authentication, latency: ROUND_TRIP, ..RegistryOptions::default() })
        .await
        .unwrap()
}

/// Puts a signed image there, and gives its name by tag.
fn put(registry: &Registry, key: &KeyPair, number: usize) -> Reference {
    let image: BuiltImage = ImageBuilder::new().layer([("app", number.to_string(), 0o644)]).build();
    let digest = registry.put_image("team/app", &number.to_string(), &image);
    let bundle = key.bundle(&Statement::image_signature(&digest));
    let artifact = bundle.artifact("2026-11-21T08:00:00Z".parse().unwrap());
    for layer in &artifact.layers {
        registry.put_blob("team/app", layer.bytes.clone());
    }
    let subject = Descriptor::of(image.media_type(), image.manifest());
    registry.put_manifest("team/app", None, "application/vnd.oci.image.manifest.v1+json", artifact.manifest(&subject));
    format!("{}/team/app:{number}", registry.host()).parse().unwrap()
}

fn access() -> Access {
    Access::new(Client::new(ClientOptions::default()).unwrap())
}

async fn verify(gatherer: &Gatherer, access: &Access, image: &Reference) -> Duration {
    let begin = Instant::now();
    let facts = gatherer.facts(access, image, &WANTED).await;
    let took = begin.elapsed();
    assert_eq!(facts.get().unwrap()[0].evidence.get().unwrap().verified.len(), 1);
    took
}

fn row(name: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{name:<40} {:>8.1} ms {:>8.1} ms", milliseconds(median), milliseconds(worst));
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let registry = registry().await;
        let key = KeyPair::generate("release");
        let images: Vec<Reference> = (0..IMAGES).map(|number| put(&registry, &key, number)).collect();
        let gatherer = || Gatherer::new(Options { materials: vec![key.material.clone()], ..Options::default() });
        println!("{:<40} {:>11} {:>11}", "one signed image by tag, 30 ms a request", "median", "worst");
        let mut nothing = Vec::new();
        for image in &images {
            nothing.push(verify(&gatherer(), &access(), image).await);
        }
        row("from nothing, with the token", nothing);
        let (warm, pool) = (gatherer(), access());
        verify(&warm, &pool, &images[0]).await;
        let mut pooled = Vec::new();
        for image in &images[1..] {
            pooled.push(verify(&warm, &pool, image).await);
        }
        row("another image over open connections", pooled);
    });
}
