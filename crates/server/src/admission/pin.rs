//! Tags to digests, in the object itself: what the Gate judged is then what the kubelet runs.

use assay_case::{Operation, Request};
use assay_kube::{PatchOperation, is_built_in_controller, json_pointer};

use crate::{GatheredFacts, Mutation};

/// The patch that pins every tag whose digest is known: of Pods that are created, since most fields of a running one cannot
/// change, and, where that is asked for, of templates.
///
/// What a controller makes from a template stays as the controller wrote it: a ReplicaSet or Job that differs from its
/// template is none to the controller, which would make the next one, and so on without end.
pub(crate) fn pin(mutation: Mutation, request: &Request<'_>, facts: &GatheredFacts) -> Vec<PatchOperation> {
    let is_pod = request.workload.kind == "Pod";
    let is_asked = match mutation {
        Mutation::Nothing => false,
        _ if is_pod => request.operation == Operation::Create,
        Mutation::Pods => false,
        Mutation::Templates => request.workload.owner.is_none() && !is_built_in_controller(&request.user),
    };
    if !is_asked {
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
