//! assay-gate
