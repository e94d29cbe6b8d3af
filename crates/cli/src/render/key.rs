//! How a new key pair looks.

use super::{Page, Report};
use crate::commands::key::NewKeyOutcome;

impl Report for NewKeyOutcome {
    const NAME: &'static str = "key";

    fn text(&self, _: Page) -> String {
        let Self { private_key, public_key, fingerprint } = self;
        let (private, public) = (private_key.display(), public_key.display());
        format!(
            "private  {private}  keep it where only the release can read it\npublic   {public}\nkey      {fingerprint}\n\
             next  assay sign IMAGE@DIGEST --key {private}\n      assay verify IMAGE --key {public}\n"
        )
    }
}
