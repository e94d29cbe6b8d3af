//! Leaves the lab's world as files: what the registry holds, what is trusted, what decides, what was tried.

use std::fmt::Write as _;
use std::path::Path;

use assay_model::Timestamp;
use assay_oci::{ImageSource, Selector, copy};
use serde::Serialize;

use super::attacks::AttackResult;
use super::error::LabError;
use super::path::Shipment;
use super::stage::{Advisories, ENVIRONMENTS, Stage, Submission, namespace};
use crate::Result;
use crate::failure::{CliError, write_file};

/// Writes everything below the stage's folder. The clock and the vulnerability data are brought up to now, so that what is
/// tried next is judged by the time of whoever tries it.
pub(super) async fn keep(stage: &Stage, shipments: &[Shipment], attacks: &[AttackResult]) -> Result<()> {
    stage.clock.set(Timestamp::now());
    stage.set_advisories(Advisories::WithNews)?;
    let folder = Layout { root: stage.folder() };
    for (name, text) in stage.policies.files()? {
        folder.write("policy", &name, text.as_bytes())?;
    }
    folder.write("policy", "trusted_root.json", &stage.authority.trusted_root_json())?;
    folder.write("keys", "trusted_root.json", &stage.authority.trusted_root_json())?;
    folder.write("keys", "webhook-ca.pem", stage.webhook.ca_certificate().unwrap_or_default().as_bytes())?;
    folder.write("data", "advisories.pack", &Advisories::WithNews.bytes(stage.clock.now())?)?;
    for shipment in shipments {
        for environment in ENVIRONMENTS {
            let Some(image) = shipment.places.get(environment) else { continue };
            let service = &shipment.service;
            let namespace = namespace(service.team, environment);
            let deployment = Submission::deployment(&namespace, service.name, &image.pinned());
            let name = format!("{}-{}-{environment}.yaml", service.team, service.name);
            folder.write("manifests", &name, yaml(&deployment.object)?.as_bytes())?;
        }
        registry(stage, shipment).await?;
    }
    for attack in attacks {
        let Some(review) = &attack.review else { continue };
        folder.write("attacks", &format!("{}.json", attack.name), pretty(review)?.as_bytes())?;
        if let Some(object) = review.pointer("/request/object") {
            folder.write("attacks", &format!("{}.yaml", attack.name), yaml(object)?.as_bytes())?;
        }
    }
    folder.write("", "assay.yaml", settings(stage.folder()).as_bytes())?;
    folder.write("", "README.txt", readme(stage, shipments).as_bytes())
}

/// The image that production runs, with everything that refers to it, as an OCI layout.
async fn registry(stage: &Stage, shipment: &Shipment) -> Result<()> {
    let Some(image) = shipment.places.get("prod") else { return Ok(()) };
    let path = stage.folder().join("registry").join(format!("{}-{}", shipment.service.team, shipment.service.name));
    std::fs::create_dir_all(&path).map_err(CliError::unwritable(&path))?;
    let to = ImageSource::Layout { path, selector: Selector::Tag(image.tag.clone()) };
    copy(&stage.client, &ImageSource::Registry(image.reference()?), &to).await?;
    Ok(())
}

/// The files below the lab's folder.
struct Layout<'a> {
    root: &'a Path,
}

impl Layout<'_> {
    fn write(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let folder = self.root.join(folder);
        std::fs::create_dir_all(&folder).map_err(CliError::unwritable(&folder))?;
        Ok(write_file(&folder.join(name), bytes)?)
    }
}

fn yaml<T: Serialize>(value: &T) -> Result<String> {
    Ok(serde_saphyr::to_string(value).map_err(LabError::fixture("manifest"))?)
}

fn pretty<T: Serialize>(value: &T) -> Result<String> {
    Ok(serde_json::to_string_pretty(value).map_err(LabError::fixture("review"))?)
}

/// The settings of the kept folder: with them, commands that are run in it need no flags.
fn settings(folder: &Path) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    format!(
        "# What commands use that are run in this folder (assay config show --origin).\n\
         config: [policy]\nenvironment: prod\npack: data/advisories.pack\nstore: \"sqlite:{}/store/assay.db\"\n",
        folder.display()
    )
}

fn readme(stage: &Stage, shipments: &[Shipment]) -> String {
    let mut text = format!(
        "What assay lab left here\n\n\
         assay.yaml   settings, so that commands run in this folder need no flags\n\
         registry/    what production runs, as OCI layouts with all attestations\n\
         keys/        trusted_root.json, which verifies signatures; webhook-ca.pem\n\
         policy/      the Environments and the trust root\n\
         data/        advisories.pack: the vulnerability data, made up for the lab\n\
         manifests/   the deployments that were admitted\n\
         attacks/     what was tried, as a manifest and as an AdmissionReview\n\
         store/       assay.db: facts, ledger, decisions, inventory\n\n\
         The keys of signers are not here: they lived for one signature each.\n\n\
         The manifests name {}, where the lab's registry was. It is up\n\
         while assay lab --serve runs. To serve the images again, start any registry\n\
         and copy them to it:\n",
        stage.host()
    );
    for shipment in shipments {
        let service = &shipment.service;
        let _ = writeln!(
            text,
            "  assay copy oci:registry/{}-{}:{} REGISTRY/{}:{}",
            service.team, service.name, service.version, service.path, service.version
        );
    }
    text
}
