//! A folder in which programs run that know nothing of this machine: its settings, its credentials, its network.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::peer;
use crate::service::Log;

/// A proxy that nobody listens on: whoever asks for more than 127.0.0.1 gets no answer.
const NO_INTERNET: &str = "http://127.0.0.1:9";

/// A home folder, which is also where programs are started.
pub(crate) struct Home {
    folder: TempDir,
    /// Of the services that the programs talk to.
    logs: Vec<Log>,
}

impl Home {
    pub(crate) fn new(logs: Vec<Log>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), logs }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.path()).current_dir(self.path()).stdin(Stdio::null());
        command.env("PATH", "/usr/bin:/bin").env("TMPDIR", self.path());
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            command.env(name, NO_INTERNET);
        }
        command.env("NO_PROXY", "127.0.0.1,localhost").env("COSIGN_PASSWORD", PASSWORD).env("COSIGN_YES", "true");
        command
    }

    pub(crate) fn assay(&self, arguments: &[&str]) -> Answer {
        self.run(Path::new(env!("CARGO_BIN_EXE_assay")), arguments)
    }

    /// With variables of its own.
    pub(crate) fn assay_with(&self, arguments: &[&str], variables: &[(String, String)]) -> Answer {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_assay")));
        command.args(arguments).envs(variables.iter().cloned());
        self.answer(command, format!("assay {}", arguments.join(" ")))
    }

    pub(crate) fn peer(&self, name: &str, arguments: &[&str]) -> Answer {
        self.run(&peer::path(name), arguments)
    }

    /// With variables of its own.
    pub(crate) fn peer_with(&self, name: &str, variables: &[(String, String)]) -> Answer {
        let mut command = self.command(&peer::path(name));
        command.envs(variables.iter().cloned());
        self.answer(command, name.to_owned())
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Answer {
        let mut command = self.command(program);
        command.args(arguments);
        self.answer(command, format!("{} {}", program.file_name().unwrap().display(), arguments.join(" ")))
    }

    fn answer(&self, mut command: Command, said: String) -> Answer {
        let output = command.output().unwrap();
        Answer { said, output, logs: self.logs.clone() }
    }
}

/// Of the keys that cosign makes.
pub(crate) const PASSWORD: &str = "interoperable";

/// What a program did.
pub(crate) struct Answer {
    said: String,
    output: Output,
    logs: Vec<Log>,
}

impl Answer {
    fn shown(&self) -> String {
        let mut text = format!("{}\n{}\n", self.said, self.output.status);
        for stream in [&self.output.stdout, &self.output.stderr] {
            text.push_str(&String::from_utf8_lossy(stream));
        }
        for log in &self.logs {
            write!(text, "\n--- {log}").unwrap();
        }
        text
    }

    /// It succeeded. Gives what it wrote to standard output.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert!(self.output.status.success(), "{}", self.shown());
        String::from_utf8(self.output.stdout).unwrap()
    }

    /// It could not do it.
    #[track_caller]
    pub(crate) fn failed(self) {
        assert_eq!(self.output.status.code(), Some(2), "{}", self.shown());
    }

    /// It said no. Assay's no has a code of its own, and says this.
    #[track_caller]
    pub(crate) fn denied(self, because: &str) {
        let code = self.output.status.code();
        let ours = self.said.starts_with("assay ");
        assert!(if ours { code == Some(1) } else { code.is_some_and(|code| code != 0) }, "{}", self.shown());
        let seen = [&self.output.stdout, &self.output.stderr].map(|stream| String::from_utf8_lossy(stream));
        assert!(seen.iter().any(|text| text.contains(because)), "does not say `{because}`:\n{}", self.shown());
    }
}
