//! assay-kinds
