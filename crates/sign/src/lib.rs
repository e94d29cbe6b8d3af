//! assay-sign
