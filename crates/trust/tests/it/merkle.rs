//! Inclusion and consistency proofs of the transparency-dev vectors.

use std::path::Path;

use assay_trust::merkle::{is_consistent, is_included};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::corpus::{self, Tally};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<String>>,
    want_err: bool,
}

fn decode(text: Option<String>) -> Vec<u8> {
    STANDARD.decode(text.unwrap_or_default()).unwrap()
}

fn decode_all(proof: Option<Vec<String>>) -> Vec<Vec<u8>> {
    proof.unwrap_or_default().into_iter().map(|hash| decode(Some(hash))).collect()
}

fn run(folder: &Path) -> Tally {
    let mut tally = Tally::default();
    for path in corpus::files(folder) {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let (holds, want_err) = if path.components().any(|part| part.as_os_str() == "inclusion") {
            let case: Inclusion = serde_json::from_slice(&bytes).unwrap();
            let (leaf, root, proof) = (decode(case.leaf_hash), decode(case.root), decode_all(case.proof));
            (is_included(&leaf, case.leaf_idx, case.tree_size, &proof, &root), case.want_err)
        } else {
            let case: Consistency = serde_json::from_slice(&bytes).unwrap();
            let (first, second, proof) = (decode(case.root1), decode(case.root2), decode_all(case.proof));
            (is_consistent(case.size1, &first, case.size2, &second, &proof), case.want_err)
        };
        tally.count(&path.display().to_string(), (holds == want_err).then(|| format!("holds: {holds}")));
    }
    tally
}

#[test]
fn every_proof_of_the_corpus_is_judged_rightly() {
    if let Some(folder) = corpus::whole("merkle") {
        run(&folder).settle("merkle", 195);
    }
}

#[test]
fn every_proof_of_the_sample_is_judged_rightly() {
    let tally = run(&corpus::sample("merkle"));
    assert!(tally.wrong.is_empty() && tally.asked >= 13, "{tally:#?}");
}
