//! `no-secrets-in-layers`: no secret in any layer, also not in files that a later layer deletes.

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::report::Said;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::subject(Reads::Contents, |_, facts, report| {
        let contents = match facts.contents.get() {
            Ok(contents) => contents,
            Err(cause) => return report.unknown("whether it holds secrets", cause),
        };
        let worst = contents.secrets.iter().max_by_key(|secret| secret.severity);
        if let Some(secret) = worst {
            let layer = secret.file.layer.map(|layer| format!(" of layer {}", layer + 1)).unwrap_or_default();
            let deleted = if secret.deleted_later { "; a later layer deletes it, but it still ships" } else { "" };
            let others = match contents.secrets.len() {
                1 => String::new(),
                count => format!(", and {} more", count - 1),
            };
            let why = format!("{} in {}{layer}{deleted}{others}", secret.rule, secret.file.path);
            let fix = "rotate it, then build with a secret mount instead of a copied file";
            return report.fail(Said::from(why).fix(fix).severity(secret.severity));
        }
        match contents.partial.first() {
            Some(partial) => {
                report.error(format!("no secret found, but {} could not be read to its end", partial.what));
            }
            None => report.pass("no secret in any layer"),
        }
    }))
}
