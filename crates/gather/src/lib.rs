//! assay-gather
