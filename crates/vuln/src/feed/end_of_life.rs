//! When a distribution's release stops getting fixes: the lists of endoflife.date, one product a file (`debian.json`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::malformed;
use crate::source::SourceError;

const FEED: &str = "list of end-of-life dates";

#[derive(Deserialize)]
struct Cycle {
    cycle: Text,
    eol: Day,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Word(String),
    Number(serde_json::Number),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Day {
    On(String),
    /// `true` = it is over, `false` = no date is set.
    Over(bool),
}

/// Products of endoflife.date whose name is not the `ID` of os-release.
const NAMES: [(&str, &str); 7] = [
    ("alpine-linux", "alpine"),
    ("amazon-linux", "amzn"),
    ("oracle-linux", "ol"),
    ("rocky-linux", "rocky"),
    ("opensuse", "opensuse-leap"),
    ("azure-linux", "azurelinux"),
    ("photon-os", "photon"),
];

/// Last day of support by distribution and release; 0000-00-00 where it is over and no day is known.
pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<BTreeMap<(String, String), String>, SourceError> {
    let cycles: Vec<Cycle> = serde_json::from_slice(bytes).map_err(|error| malformed(name, FEED, error))?;
    let file = name.rsplit(['/', '!']).next().unwrap_or(name);
    let product = file.split('.').next().unwrap_or(file).to_ascii_lowercase();
    let id = NAMES.iter().find(|(name, _)| *name == product).map_or(product.as_str(), |(_, id)| *id);
    let mut found = BTreeMap::new();
    for Cycle { cycle, eol } in cycles {
        let cycle = match cycle {
            Text::Word(text) => text,
            Text::Number(number) => number.to_string(),
        };
        let day = match eol {
            Day::On(day) if is_day(&day) => day,
            Day::On(day) => return Err(malformed(name, FEED, format_args!("`{day}` is no day"))),
            Day::Over(true) => "0000-00-00".to_owned(),
            Day::Over(false) => continue,
        };
        found.insert((id.to_owned(), cycle), day);
    }
    Ok(found)
}

fn is_day(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_by_distribution_and_release() {
        let found = parse(
            "data/alpine-linux.json",
            br#"[{"cycle": "3.18", "eol": "2025-05-09", "latest": "3.18.12"}, {"cycle": 3.2, "eol": true}, {"cycle": "edge", "eol": false}]"#,
        )
        .unwrap();
        assert_eq!(found[&("alpine".to_owned(), "3.18".to_owned())], "2025-05-09");
        assert_eq!(found.len(), 2);
        assert!(parse("debian.json", br#"[{"cycle": "12", "eol": "soon"}]"#).is_err());
    }
}
