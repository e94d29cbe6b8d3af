//! Manifests and indexes as a registry answers them, and image configurations.
#![no_main]

use assay_model::Digest;
use assay_oci::{ImageConfig, RawManifest, media_type};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let digest = Digest::of(data);
    for content_type in [None, Some(media_type::OCI_MANIFEST), Some(media_type::OCI_INDEX)] {
        if let Ok(raw) = RawManifest::parse(Bytes::copy_from_slice(data), digest, content_type, "fuzz") {
            assert_eq!(raw.descriptor().digest, digest);
            if let Some(content_type) = content_type {
                assert_eq!(raw.media_type, content_type, "document and registry agree about what it is");
            }
        }
    }
    let _ = ImageConfig::parse(data, "fuzz");
});
