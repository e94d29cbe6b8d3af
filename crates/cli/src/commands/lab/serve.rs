//! Leaves the servers up, and says what to try.

use std::time::Duration;

use assay_model::Timestamp;

use super::path::Shipment;
use super::stage::{Stage, release_workflow};
use crate::Result;
use crate::printer::Printer;

/// How often the lab's clock is set: from here on it shows everybody's time.
const TICK: Duration = Duration::from_secs(1);

/// Serves until Ctrl-C.
pub(super) async fn serve(stage: &Stage, shipments: &[Shipment], printer: &Printer) -> Result<()> {
    printer.note(&hints(stage, shipments));
    let mut ticks = tokio::time::interval(TICK);
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        tokio::select! {
            _ = ticks.tick() => stage.clock.set(Timestamp::now()),
            _ = &mut interrupted => return Ok(()),
        }
    }
}

fn hints(stage: &Stage, shipments: &[Shipment]) -> String {
    let folder = stage.folder().display();
    let port = stage.webhook.address().port();
    let mut lines = vec![
        String::new(),
        "The servers stay up until Ctrl-C. In another terminal:".to_owned(),
        format!("  cd {folder}"),
    ];
    if let Some(shipment) = shipments.first() {
        let image = shipment.places.get("prod").unwrap_or(&shipment.image).pinned();
        let workflow = release_workflow(shipment.service.team);
        lines.extend([
            format!("  IMAGE={image}"),
            "  assay tree $IMAGE".to_owned(),
            "  assay scan $IMAGE".to_owned(),
            format!(
                "  assay verify $IMAGE --trusted-root keys/trusted_root.json \\\n    \
                 --certificate-oidc-issuer {} \\\n    --certificate-identity {}",
                workflow.issuer, workflow.subject
            ),
            "  assay trace ${IMAGE#*@}".to_owned(),
        ]);
    }
    lines.extend([
        "  assay check -f attacks/unsigned-image.yaml".to_owned(),
        "  assay who-runs '@company/session@<2.1.1'".to_owned(),
        format!(
            "  curl --cacert keys/webhook-ca.pem --data @attacks/unsigned-image.json \\\n    \
             https://localhost:{port}/validate"
        ),
    ]);
    lines.join("\n")
}
