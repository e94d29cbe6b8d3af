//! Workflow commands of GitHub Actions (docs.github.com, "Workflow commands", setting an error message).

/// One command with its newline. Nothing in the message can begin another one.
pub(super) fn command(level: &str, file: &str, line: usize, column: usize, title: &str, message: &str) -> String {
    let (file, title, message) = (property(file), property(title), data(message));
    format!("::{level} file={file},line={line},col={column},title={title}::{message}\n")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
