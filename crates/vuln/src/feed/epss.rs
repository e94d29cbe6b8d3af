//! EPSS: FIRST's daily csv of probabilities (first.org/epss/data_stats): `cve,epss,percentile`, after a comment line.

use std::collections::BTreeMap;

use assay_model::ExploitPrediction;

use super::malformed;
use crate::source::{SourceError, read_bytes};

const FEED: &str = "EPSS csv";
/// Most lines; the real file has some 300,000.
const MAX_LINES: usize = 5_000_000;

/// Estimates by CVE.
pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<BTreeMap<String, ExploitPrediction>, SourceError> {
    let mut found = BTreeMap::new();
    read_bytes(name, bytes, &mut |name, bytes| {
        found.extend(parse_plain(name, bytes)?);
        Ok(())
    })?;
    Ok(found)
}

fn parse_plain(name: &str, bytes: &[u8]) -> Result<BTreeMap<String, ExploitPrediction>, SourceError> {
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(name, FEED, error))?;
    let mut found = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        if at > MAX_LINES {
            return Err(malformed(name, FEED, "more lines than there are vulnerabilities"));
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("cve,") {
            continue;
        }
        let mut fields = line.split(',').map(str::trim);
        let row = (fields.next(), fields.next().and_then(millionths), fields.next().and_then(millionths));
        let (Some(id), Some(probability_millionths), Some(percentile_millionths)) = row else {
            return Err(malformed(name, FEED, format_args!("line {}: `{line}` is not cve,epss,percentile", at + 1)));
        };
        let prediction = ExploitPrediction { probability_millionths, percentile_millionths };
        found.insert(id.to_ascii_uppercase(), prediction);
    }
    Ok(found)
}

/// `0.00043` and `4.3e-04` as millionths.
fn millionths(text: &str) -> Option<u32> {
    let value: f64 = text.parse().ok()?;
    (0.0..=1.0).contains(&value).then(|| (value * 1e6).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_read_plain_and_compressed() {
        let text = b"#model_version:v2025.03.14,score_date:2025-08-25T12:55:00Z\ncve,epss,percentile\nCVE-2021-44228,0.94358,0.99957\ncve-2024-1,4.3e-04,0.1\n";
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, text).unwrap();
        for bytes in [text.to_vec(), packed.finish().unwrap()] {
            let found = parse("epss.csv", &bytes).unwrap();
            assert_eq!(found["CVE-2021-44228"].probability_millionths, 943_580);
            assert_eq!(
                found["CVE-2024-1"],
                ExploitPrediction { probability_millionths: 430, percentile_millionths: 100_000 }
            );
        }
    }

    #[test]
    fn a_line_that_is_no_estimate_is_named() {
        for line in ["CVE-1,1.5,0.1", "CVE-1,0.1", "CVE-1,NaN,0.1", "CVE-1,x,0.1", "CVE-1"] {
            let error = parse("epss.csv", format!("cve,epss,percentile\n{line}\n").as_bytes()).unwrap_err();
            assert!(error.to_string().contains("line 2"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(CVE-1|,|0\\.1|e|-|\n|#|\\PC){0,40}") {
            let _ = parse("epss.csv", text.as_bytes());
        }
    }
}
