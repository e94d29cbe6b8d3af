//! One outcome for each platform of an image index.

use serde::Serialize;

use crate::failure::CliError;
use crate::output::{Format, Output, emit};
use crate::printer::Printer;
use crate::render::Report;
use crate::{Result, Status};

/// What stands for the platform in the name of a file.
const PLACE: &str = "{platform}";

/// The outcomes for all platforms.
#[derive(Debug, Serialize)]
pub(crate) struct EachPlatform<T> {
    /// In the order of the index.
    pub(crate) platforms: Vec<OfPlatform<T>>,
}

/// The outcome for one platform.
#[derive(Debug, Serialize)]
pub(crate) struct OfPlatform<T> {
    /// `linux/amd64`.
    pub(crate) platform: String,
    /// What came out.
    #[serde(flatten)]
    pub(crate) outcome: T,
}

impl<T> EachPlatform<T> {
    /// The worst status of all; none is undecided.
    pub(crate) fn status(&self, of: impl Fn(&T) -> Status) -> Status {
        let all: Vec<Status> = self.platforms.iter().map(|one| of(&one.outcome)).collect();
        if all.contains(&Status::Denied) {
            Status::Denied
        } else if all.is_empty() || all.contains(&Status::Undecided) {
            Status::Undecided
        } else {
            Status::Pass
        }
    }
}

/// Writes the outcomes: text and JSON together, documents of other formats each into a file of its own, whose name has
/// `{platform}` in it.
pub(crate) fn emit_each<T: Report>(
    each: &EachPlatform<T>,
    outputs: &[Output],
    default: Format,
    printer: &Printer,
) -> Result<()> {
    let fallback = [Output { format: default, file: None }];
    for output in if outputs.is_empty() { &fallback } else { outputs } {
        let file = output.file.as_ref().and_then(|file| file.to_str()).filter(|file| file.contains(PLACE));
        match (file, output.format) {
            (Some(file), _) => {
                for one in &each.platforms {
                    let path = file.replace(PLACE, &one.platform.replace('/', "-"));
                    let own = Output { format: output.format, file: Some(path.into()) };
                    emit(&one.outcome, &[own], default, printer)?;
                }
            }
            (None, Format::Text | Format::Json) => emit(each, std::slice::from_ref(output), default, printer)?,
            (None, other) => {
                return Err(CliError::Usage {
                    message: format!("{} is a document about one platform's image", other.name()),
                    next: format!("-o {}=FILE with {PLACE} in the file's name, or -o json", other.name()),
                }
                .into());
            }
        }
    }
    Ok(())
}
