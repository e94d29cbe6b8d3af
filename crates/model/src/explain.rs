//! How a failure presents itself to a person.

/// A failure that a user can see: a stable code, and what to do next.
///
/// What happened and why is the error's `Display`. `cli` prints `code: display`, then the next step.
pub trait Explain: std::error::Error {
    /// The stable kebab-case code of this failure, for example `digest-invalid`.
    fn code(&self) -> &'static str;

    /// The next step, as a command or a short instruction, where one is known.
    fn next_step(&self) -> Option<String> {
        None
    }
}
