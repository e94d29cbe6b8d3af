//! `runtime-match`: what runs is what was asked for. Runtimes report an index, the manifest of a platform, or the digest of
//! a configuration (Kubernetes API reference, `ContainerStatus.imageID`).

use assay_case::{ContainerRole, ImageUse, Known, Node, Request};
use assay_model::Digest;

use crate::controls::{Control, ParameterError, Parameters};
use crate::report::Said;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::image(|context, image, reference, report| {
        let case = context.case();
        let request = &case.request;
        let Some(reported) = reported(request, image) else {
            return report.skip("nothing is reported to run yet");
        };
        let Some(running) = digest_of(reported) else {
            return report.error(format!("what runs is reported as {reported}, which names no manifest"));
        };
        if reference.digest() == Some(running) {
            return report.pass("what runs is the digest that was asked for");
        }
        if reference.digest().is_none() {
            let admissions = &case.world.admissions;
            let is_it =
                |own: &&assay_case::PriorAdmission| own.digest == running && own.namespace == request.namespace.name;
            return match admissions.iter().find(is_it) {
                Some(own) => report.pass(format!("what runs was admitted here, decision {}", own.decision)),
                // Its tag may name anything by now: what was decided then is all there is to compare with.
                None if admissions.is_empty() => report.skip("named by a tag, and no decision about it is known here"),
                None => report.fail(fault(running, "the tag was never admitted as that")),
            };
        }
        match case.facts_of(&image.written) {
            Known::Unknown { cause } => report.unknown("the image", &cause),
            Known::Known { value, .. } => {
                let mut digests = value.iter().flat_map(|facts| facts.subject.covering_digests());
                if digests.any(|own| own == running) {
                    report.pass("what runs is a platform of what was asked for");
                } else {
                    report.fail(fault(running, "not the image that was asked for"));
                }
            }
        }
    }))
}

fn fault(running: Digest, why: &str) -> Said {
    Said::from(format!("{} runs, {why}", running.short())).fix("delete the Pod, and look at its node")
}

/// What the runtime says that runs, where it says anything.
fn reported<'r>(request: &'r Request<'_>, image: &ImageUse) -> Option<&'r str> {
    let status = request.document.root().get("status");
    let list = match image.role {
        ContainerRole::Container => "containerStatuses",
        ContainerRole::InitContainer => "initContainerStatuses",
        ContainerRole::EphemeralContainer => "ephemeralContainerStatuses",
        ContainerRole::ImageVolume | ContainerRole::Release => return None,
    };
    let mut statuses = status.get(list).items().iter();
    let own: &Node<'_> = statuses.find(|own| own.get("name").as_str() == Some(&image.name))?;
    own.get("imageID").as_str().filter(|reported| !reported.is_empty())
}

/// `docker-pullable://repository@digest`, `repository@digest`. A digest alone is that of a configuration.
fn digest_of(reported: &str) -> Option<Digest> {
    reported.rsplit_once('@')?.1.parse().ok()
}
