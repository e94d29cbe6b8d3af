//! assay-credentials
