//! The conformance suite of the OCI distribution specification, against the registry that every other test relies on.

use crate::home::Home;
use crate::peer::{installed, said};
use crate::registry::Place;

/// Cases that pass; the other five are about settings of the suite (a tag of its own, automatic discovery of blobs).
const FLOOR: usize = 63;

#[test]
fn the_sandbox_registry_passes_the_suite_of_the_distribution_specification() {
    if !installed(&["oci-conformance"]) {
        return;
    }
    let place = Place::sandbox();
    let home = Home::new(place.logs());
    let workflows = ["PULL", "PUSH", "CONTENT_DISCOVERY", "CONTENT_MANAGEMENT"];
    let mut variables: Vec<(String, String)> =
        workflows.iter().map(|workflow| (format!("OCI_TEST_{workflow}"), "1".to_owned())).collect();
    for (name, value) in [
        ("OCI_ROOT_URL", format!("http://{}", place.host())),
        ("OCI_NAMESPACE", "conformance/here".to_owned()),
        ("OCI_CROSSMOUNT_NAMESPACE", "conformance/there".to_owned()),
        ("OCI_REPORT_DIR", home.path().display().to_string()),
    ] {
        variables.push((name.to_owned(), value));
    }
    home.peer_with("oci-conformance", &variables).ok();
    let report = String::from_utf8(home.read("junit.xml")).unwrap();
    let cases = report.matches("<testcase ").count();
    let (skipped, failed) = (report.matches("<skipped").count(), report.matches("<failure").count());
    said!("oci-conformance: {} of {cases} passed, {skipped} skipped", cases - skipped - failed);
    assert!(failed == 0 && cases - skipped >= FLOOR, "{report}");
}
