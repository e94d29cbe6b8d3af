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

/// What an error is due to in the end, in its own words.
///
/// For errors whose outer words only repeat what the caller knows, such as the URL of a request.
pub fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outside")]
    struct Outside(#[source] std::num::ParseIntError);

    #[test]
    fn the_innermost_error_speaks() {
        let inside = "x".parse::<u8>().unwrap_err();
        assert_eq!(innermost(&Outside(inside.clone())), inside.to_string());
        assert_eq!(innermost(&inside), inside.to_string());
    }
}
