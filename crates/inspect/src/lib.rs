//! assay-inspect
