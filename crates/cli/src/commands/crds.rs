//! `assay crds`: the kinds as a cluster takes them.

use assay_kube::custom_resource_definitions;

use crate::Result;
use crate::failure::CliError;

/// What stands above them in a file.
const HEADER: &str = "# Written by `assay crds`.\n";

/// All definitions, as a stream of YAML documents.
pub(crate) fn write() -> Result<String> {
    let mut text = HEADER.to_owned();
    for definition in custom_resource_definitions() {
        let yaml = serde_saphyr::to_string(&definition).map_err(|error| CliError::Malformed {
            what: "the definition of a kind".to_owned(),
            message: error.to_string(),
        })?;
        text.push_str("---\n");
        text.push_str(&yaml);
    }
    Ok(text)
}
