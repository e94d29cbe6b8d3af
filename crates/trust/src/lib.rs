//! assay-trust
