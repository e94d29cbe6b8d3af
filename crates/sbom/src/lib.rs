//! assay-sbom
