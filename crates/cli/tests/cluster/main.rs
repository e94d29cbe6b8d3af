//! Assay in a cluster: a real API server with etcd and the controller manager, all on 127.0.0.1, and the `assay` binary
//! beside them. `tests/peers/install.sh etcd kube-apiserver kube-controller-manager kubectl` builds them.
//!
//! Where a program is missing the tests say so and pass; with `ASSAY_CLUSTER=required` they fail. One control plane serves
//! all tests, one after the other: webhook configurations are the cluster's, not a test's.
#![cfg(feature = "lab")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audit;
mod backstop;
mod bad_times;
mod certificates;
mod chart;
mod client;
mod crds;
mod drill;
mod guide;
mod lab;
mod monitoring;
mod mutation;
mod outage;
#[path = "../interop/peer.rs"]
#[expect(unused, reason = "the other suite needs more of it")]
mod peer;
mod plane;
mod policy;
mod process;
mod pulls;
mod readiness;
mod scale;
mod serving;
mod warming;
