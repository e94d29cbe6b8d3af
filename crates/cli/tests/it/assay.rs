//! Runs the binary in a world of its own: no settings, no credentials, no network proxy of this machine.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub(crate) struct Assay {
    pub home: TempDir,
    variables: Vec<(String, String)>,
}

impl Assay {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file below the home folder and gives its path.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> std::path::PathBuf {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command.env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // What it says matters, not whether it has read everything before it says so.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// What a person would see, with what differs from run to run replaced.
    pub(crate) fn seen(&self, arguments: &[&str]) -> String {
        self.shown(&self.run(arguments))
    }

    pub(crate) fn shown(&self, output: &Output) -> String {
        let mut text = format!("exit {}\n", output.status.code().unwrap());
        for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let content = String::from_utf8(bytes.clone()).unwrap();
            if !content.is_empty() {
                write!(text, "--- {name}\n{content}").unwrap();
            }
        }
        text.replace(&self.home.path().display().to_string(), "HOME")
    }
}
