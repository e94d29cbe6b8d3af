//! assay-oci
