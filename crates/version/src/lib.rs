//! assay-version
