//! A YAML file of Kubernetes objects: every editable place lies inside the file and holds what it says.
#![no_main]

use assay_kube::Manifests;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let Ok(manifests) = Manifests::parse(file, &["Environment"]) else { return };
    for manifest in &manifests.workloads {
        for image in manifest.images() {
            if let Some(range) = image.editable {
                assert!(file.get(range).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok()));
            }
        }
    }
});
