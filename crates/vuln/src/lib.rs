//! assay-vuln
