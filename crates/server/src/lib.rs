//! assay-server
