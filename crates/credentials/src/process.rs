//! Runs a program that gives credentials: bounded in time and output.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Longest answer read: a token of a cloud is a few kilobytes.
const OUTPUT_MAX: u64 = 256 * 1024;

/// Hands `input` to the program and waits for its answer, at most `timeout`. The error never repeats what it wrote.
/// Blocks: call it off the async threads.
pub(crate) fn ask(command: &mut Command, input: &[u8], timeout: Duration) -> Result<(ExitStatus, Vec<u8>), String> {
    let mut child = command
        // A group of its own, so that what it started does not hold the pipe open, nor gets our signals.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ignores its input closes the pipe: its answer still counts.
        let _ = stdin.write_all(input);
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut output = Vec::new();
            let read = stdout.take(OUTPUT_MAX + 1).read_to_end(&mut output).map(|_| output);
            // Nobody listens any more after the timeout.
            let _ = sender.send(read);
        });
    }
    let output = receiver.recv_timeout(timeout);
    if !matches!(&output, Ok(Ok(bytes)) if bytes.len() as u64 <= OUTPUT_MAX) {
        // It may have ended by itself in between.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match output {
        Ok(Ok(output)) if output.len() as u64 <= OUTPUT_MAX => Ok((status, output)),
        Ok(Ok(_)) => Err("its answer is larger than 256 KiB".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", timeout.as_secs_f32())),
    }
}
