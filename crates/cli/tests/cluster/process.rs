//! Programs that end when the test binary does, however it ends.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Everything here is ready within seconds; a machine that compiles beside us takes its time.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a log that are shown.
const TAIL: usize = 4_000;

/// Runs a program, and kills it when standard input ends: that happens when the [`Program`] is dropped, and also when the
/// test binary is gone without a word.
const KEEPER: &str = r#""$@" </dev/null & program=$!
exec 3<&0; { while read -r _ <&3; do :; done; kill -TERM $program; sleep 5; kill -KILL $program; } 2>/dev/null & keeper=$!
wait $program; code=$?; kill $keeper 2>/dev/null; exit $code"#;

/// A running program.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    pub(crate) fn start(folder: &Path, name: &str, command: &Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, name]).arg(command.get_program()).args(command.get_args());
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => keeper.env(variable, value),
                None => keeper.env_remove(variable),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            keeper.current_dir(folder);
        }
        keeper.stdin(Stdio::piped()).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: keeper.spawn().unwrap(), log }
    }

    /// What it has written.
    pub(crate) fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn tail(&self) -> String {
        let log = self.log();
        let start = (log.len().saturating_sub(TAIL)..log.len()).find(|at| log.is_char_boundary(*at));
        format!("{}\n{}", self.log.display(), &log[start.unwrap_or_default()..])
    }

    /// The program itself: the keeper's first child. The second one waits for the end.
    fn id(&self) -> String {
        let keeper = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).unwrap();
        children.split_whitespace().next().unwrap().to_owned()
    }

    /// Kills it at once (SIGKILL).
    pub(crate) fn kill(&self) {
        assert!(Command::new("kill").args(["-KILL", &self.id()]).status().unwrap().success());
    }

    /// A line of the program's own `/proc/PID/status`, in megabytes.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let program = self.id();
        let status = std::fs::read_to_string(format!("/proc/{program}/status")).unwrap();
        let line = status.lines().find_map(|own| own.strip_prefix(line)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Waits until `ready` says yes, and fails with the log where the program ends or time runs out.
    pub(crate) fn until(&mut self, what: &str, ready: impl Fn() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !ready() {
            assert!(self.child.try_wait().unwrap().is_none(), "{what}: it ended: {}", self.tail());
            assert!(Instant::now() < end, "{what}: it does not: {}", self.tail());
            std::thread::sleep(PAUSE);
        }
    }

    /// Ends it, and gives what it wrote.
    pub(crate) fn stop(mut self) -> String {
        self.end();
        self.log()
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits until something holds; says what does not where time runs out.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(last) => assert!(Instant::now() < end, "{what}: {last}"),
        }
        std::thread::sleep(PAUSE);
    }
}

pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}
