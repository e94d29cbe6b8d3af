//! assay-cli
