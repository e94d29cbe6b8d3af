//! `no-malicious-packages`: no package with a malware record. VEX does not excuse malice.

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::report::Said;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::subject(Reads::Contents, |_, facts, report| {
        let findings = match facts.findings.get() {
            Ok(findings) => findings,
            Err(cause) => return report.unknown("whether it holds malicious packages", cause),
        };
        let mut found = false;
        for finding in findings.vulnerabilities.iter().filter(|finding| finding.is_malware()) {
            found = true;
            let (vulnerability, package) = (&finding.vulnerability, &finding.package);
            let names = std::iter::once(&vulnerability.id).chain(&vulnerability.aliases).map(ToString::to_string);
            let why = format!("{} {} is malicious ({})", package.name, package.version, vulnerability.id);
            let said = Said::from(why)
                .fix(format!("remove {} and rotate every secret that it could read", package.name))
                .vulnerability(vulnerability.severity, names.collect(), vec![package.purl.to_string()]);
            report.fail(said);
        }
        if found {
            return;
        }
        match facts.contents.get().ok().and_then(|contents| contents.partial.first()) {
            Some(partial) => {
                report.error(format!("no malicious package found, but {} could not be read to its end", partial.what));
            }
            None => report.pass("no malicious package"),
        }
    }))
}
