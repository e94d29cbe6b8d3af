//! Which images of an index are meant.

use std::fmt;
use std::str::FromStr;

use assay_model::Platform;

use crate::Result;
use crate::failure::CliError;

/// Which images of an index are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlatformChoice {
    /// linux/amd64, or the only one.
    Usual,
    /// The one for this platform.
    One(Platform),
    /// Each of them, in one run.
    All,
}

impl PlatformChoice {
    /// The platform to choose, for a command that is about one image.
    pub(crate) fn one(&self) -> Result<Vec<Platform>> {
        match self {
            Self::Usual => Ok(Vec::new()),
            Self::One(platform) => Ok(vec![platform.clone()]),
            Self::All => Err(CliError::Usage {
                message: "this is about one platform's image, and `all` are several".to_owned(),
                next: "name one: --platform linux/amd64".to_owned(),
            }
            .into()),
        }
    }
}

impl FromStr for PlatformChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "all" { Ok(Self::All) } else { text.parse().map(Self::One) }
    }
}

impl fmt::Display for PlatformChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => Ok(()),
            Self::One(platform) => platform.fmt(f),
            Self::All => f.write_str("all"),
        }
    }
}
