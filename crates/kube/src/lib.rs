//! assay-kube
