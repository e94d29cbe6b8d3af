//! assay-case
