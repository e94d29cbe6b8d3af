//! A scan as one HTML file: no script, nothing loaded from elsewhere, everything escaped.

use std::fmt::Write as _;

use super::super::xml::escape;
use super::fix;
use crate::commands::scan::ScanOutcome;

const STYLE: &str = ":root{color-scheme:light dark}h1,code{overflow-wrap:anywhere}body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1b1f24}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d8dee4;vertical-align:top}\
th{position:sticky;top:0;background:#fff}code{font:13px ui-monospace,monospace}.critical,.high{color:#b3261e;font-weight:600}\
.medium{color:#8a5a00;font-weight:600}.n{text-align:right}small{color:#57606a}\
@media(prefers-color-scheme:dark){body,th{background:#0d1117;color:#e6edf3}td,th{border-color:#30363d}.critical,.high{color:#ff7b72}.medium{color:#e3b341}small{color:#9198a1}}\
@media(max-width:40rem){body{margin:1rem auto}table{display:block;overflow-x:auto}th{position:static}}";

pub(super) fn page(scan: &ScanOutcome) -> String {
    let target = escape(&scan.target);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>assay scan: {target}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{target}</h1>\n"
    );
    let counts = scan.counts;
    let digest =
        scan.digest.as_deref().map(|digest| format!("<br><code>{}</code>", escape(digest))).unwrap_or_default();
    let _ = writeln!(
        out,
        "<p>{}{} packages{digest}</p>\n<p>{} critical, {} high, {} medium, {} low, {} unrated; {} known to be exploited; {} secrets; \
         {} packages without data</p>",
        scan.os.as_deref().map(|os| format!("{}, ", escape(os))).unwrap_or_default(),
        scan.packages,
        counts.critical,
        counts.high,
        counts.medium,
        counts.low,
        counts.unknown,
        counts.known_exploited,
        scan.secrets.len(),
        scan.uncovered,
    );
    vulnerabilities(scan, &mut out);
    if !scan.secrets.is_empty() {
        out.push_str("<h2>Secrets</h2>\n<table>\n<tr><th>severity</th><th>rule</th><th>file</th></tr>\n");
    }
    for secret in &scan.secrets {
        let _ = writeln!(
            out,
            "<tr><td class=\"{}\">{}</td><td>{}</td><td><code>{}:{}</code></td></tr>",
            secret.severity,
            secret.severity,
            escape(&secret.rule),
            escape(&secret.file.path),
            secret.line
        );
    }
    if !scan.secrets.is_empty() {
        out.push_str("</table>\n");
    }
    let said = scan.vex.iter().map(|entry| (&entry.vulnerability, entry.in_words()));
    let said: Vec<_> = said.chain(scan.ignored.iter().map(|entry| (&entry.vulnerability, entry.in_words()))).collect();
    if !said.is_empty() {
        out.push_str("<h2>Said about findings</h2>\n<ul>\n");
        for (id, words) in said {
            let separator = if id.is_empty() { "" } else { ": " };
            let _ = writeln!(out, "<li>{}{separator}{}</li>", escape(id), escape(&words));
        }
        out.push_str("</ul>\n");
    }
    for partial in &scan.partial {
        let _ = writeln!(out, "<p>not read to its end: <code>{}</code></p>", escape(&partial.what));
    }
    if let Some(pack) = &scan.pack {
        let _ = writeln!(
            out,
            "<p><small>data until {}, <code>{}</code></small></p>",
            pack.data_until.strftime("%Y-%m-%d %H:%M UTC"),
            escape(&pack.digest.to_string())
        );
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn vulnerabilities(scan: &ScanOutcome, out: &mut String) {
    if scan.vulnerabilities.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Vulnerabilities</h2>\n<table>\n<tr><th>risk</th><th>severity</th><th>vulnerability</th><th>package</th>\
         <th>fixed in</th><th>why</th></tr>\n",
    );
    for (finding, risk) in scan.vulnerabilities.iter().zip(&scan.risks) {
        let (vulnerability, package, reason) = (&finding.vulnerability, &finding.package, &finding.reason);
        let factors: Vec<String> =
            risk.factors.iter().map(|factor| format!("{}: {}", factor.name, factor.why)).collect();
        let exploited = if vulnerability.known_exploited.is_some() { " <b>exploited</b>" } else { "" };
        let _ = writeln!(
            out,
            "<tr><td class=\"n\" title=\"{}\">{}.{}</td><td class=\"{}\">{}</td><td>{}{exploited}<br><small>{}</small></td>\
             <td>{} {}<br><small><code>{}</code></small></td><td>{}</td><td><small>{}, {}: {} {} with {}</small></td></tr>",
            escape(&factors.join("; ")),
            risk.tenths / 10,
            risk.tenths % 10,
            vulnerability.severity,
            vulnerability.severity,
            escape(vulnerability.id.as_str()),
            escape(&vulnerability.summary),
            escape(&package.name),
            escape(&package.version),
            escape(&package.path),
            escape(&fix(finding)),
            escape(reason.record.as_str()),
            escape(&reason.ecosystem),
            escape(&reason.name),
            escape(&reason.version),
            escape(&reason.range),
        );
    }
    out.push_str("</table>\n");
}
