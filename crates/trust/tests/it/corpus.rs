//! Where the corpora are, and how their counts are told.

use std::path::{Path, PathBuf};

/// Says it to the terminal itself: the test harness would keep a passing test's output to itself.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// The whole corpus of this name, where it is present.
pub(crate) fn whole(name: &str) -> Option<PathBuf> {
    let all = std::env::var("ASSAY_CORPUS")
        .map_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"), PathBuf::from);
    let folder = all.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    say(&format!("skipped: corpus {name} not present"));
    None
}

/// The sample of it that stands beside these tests.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// What became of the cases of a corpus.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) asked: usize,
    pub(crate) wrong: Vec<String>,
}

impl Tally {
    /// Counts one case; `wrong` says what went wrong, if anything did.
    pub(crate) fn count(&mut self, name: &str, wrong: Option<String>) {
        self.asked += 1;
        self.wrong.extend(wrong.map(|wrong| format!("{name}: {wrong}")));
    }

    /// Tells the counts; fails where a case is judged wrongly or there are fewer than `floor`.
    pub(crate) fn settle(&self, corpus: &str, floor: usize) {
        let passed = self.asked - self.wrong.len();
        say(&format!("{corpus}: {passed} of {} passed", self.asked));
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        assert!(passed >= floor, "{passed} passed, the floor is {floor}");
    }
}

/// All files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}
