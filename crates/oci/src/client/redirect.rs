//! Where a request may be sent, and what it may carry there: credentials stay at the registry's own origin
//! (CVE-2026-50151, GHSA-vh4v-2xq2-g5cg).

use assay_model::RedactedUrl;
use reqwest::Url;

use crate::OciError;

/// Redirects followed for one request.
pub(super) const REDIRECTS_MAX: u32 = 5;

/// Whether two URLs have the same scheme, host and port.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host_str() == b.host_str() && a.port_or_known_default() == b.port_or_known_default()
}

/// Whether the host is `localhost` or a loopback address.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The URL that `location` means, seen from `from`; refused where it leaves HTTPS, names credentials of its own, or leads
/// from a remote registry into this machine.
pub(super) fn target(registry: &str, from: &Url, location: &str) -> Result<Url, OciError> {
    let refuse =
        |reason| OciError::RedirectRefused { registry: registry.to_owned(), to: RedactedUrl::new(location), reason };
    let to = from.join(location).map_err(|_| refuse("which is not a URL"))?;
    if !to.username().is_empty() || to.password().is_some() {
        return Err(refuse("a URL with credentials in it"));
    }
    match to.scheme() {
        "https" => {}
        "http" if same_origin(from, &to) => {}
        "http" if is_loopback(from) && is_loopback(&to) => {}
        "http" => return Err(refuse("over plain HTTP")),
        _ => return Err(refuse("neither HTTPS nor HTTP")),
    }
    if is_loopback(&to) && !is_loopback(from) {
        return Err(refuse("this machine itself"));
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(from: &str, location: &str) -> Option<String> {
        target("r", &from.parse().unwrap(), location).ok().map(|url| url.to_string())
    }

    #[test]
    fn targets_that_are_followed() {
        for (from, location, expected) in [
            ("https://r.test/v2/a/blobs/x", "/elsewhere?y=1", "https://r.test/elsewhere?y=1"),
            ("https://r.test/v2/", "https://storage.test/x", "https://storage.test/x"),
            ("http://127.0.0.1:5000/v2/", "http://localhost:6000/x", "http://localhost:6000/x"),
            ("http://r.test/v2/", "http://r.test/x", "http://r.test/x"),
        ] {
            assert_eq!(to(from, location).as_deref(), Some(expected));
        }
    }

    #[test]
    fn targets_that_are_refused() {
        for (from, location) in [
            ("https://r.test/", "http://r.test/x"),
            ("http://r.test/", "http://other.test/x"),
            ("https://r.test/", "https://127.0.0.1/x"),
            ("https://r.test/", "https://[::1]/x"),
            ("https://r.test/", "https://user:pw@r.test/x"),
            ("https://r.test/", "file:///etc/passwd"),
            ("https://r.test/", "https://"),
        ] {
            assert_eq!(to(from, location), None, "{from} -> {location}");
        }
    }
}
