//! Tags to digests, in the Pod itself: what the Gate judged is then what the kubelet runs.

use assay_case::{Operation, Request};
use assay_kube::{PatchOperation, json_pointer};

use crate::GatheredFacts;

/// The patch that pins every tag whose digest is known. Pods being created only: the images of a template are their
/// author's to pin (`assay pin`), and most fields of a running Pod cannot change.
pub(crate) fn pin(request: &Request<'_>, facts: &GatheredFacts) -> Vec<PatchOperation> {
    if request.workload.kind != "Pod" || request.operation != Operation::Create {
        return Vec::new();
    }
    let pinned = |image: &assay_case::ImageUse| {
        let reference = image.reference.as_ref().ok().filter(|reference| reference.digest().is_none())?;
        let subject = &facts.get(&image.written)?.get().ok()?.first()?.subject;
        // The index where there is one: each node still takes its own platform.
        let digest = subject.index.unwrap_or(subject.digest);
        Some(PatchOperation {
            op: "replace",
            path: json_pointer(&image.field),
            value: reference.pinned(digest).to_string(),
        })
    };
    request.images.iter().filter_map(pinned).collect()
}
