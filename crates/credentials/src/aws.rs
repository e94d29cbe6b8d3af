//! Amazon Web Services: Signature Version 4, which proves a request to be ours without sending the secret key.
//!
//! Source: AWS Identity and Access Management User Guide, "Create a signed AWS API request"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>). Tested with the vendor's
//! own test suite (awslabs/aws-c-auth, `tests/aws-signing-test-suite/v4`). Amazon S3 signs paths differently and is not
//! served here.

mod canonical;

use std::fmt::Write as _;

use assay_model::{Digest, Secret, Timestamp};
use aws_lc_rs::hmac;

/// What proves that a request is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The access key's public half.
    pub access_key_id: String,
    /// The access key's secret half; it signs and is never sent.
    pub secret_access_key: Secret<String>,
    /// The token of temporary credentials.
    pub session_token: Option<Secret<String>>,
}

/// A request to be signed.
#[derive(Clone, Copy, Debug)]
pub struct AwsRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, not percent-encoded; `/` where empty.
    pub path: &'a str,
    /// The query as it is sent, without `?`.
    pub query: &'a str,
    /// Every header that is to be signed; `host` must be among them.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body as it is sent.
    pub body: &'a [u8],
}

/// Which service in which region a signature is for: it is good for no other.
#[derive(Clone, Copy, Debug)]
pub struct AwsScope<'a> {
    /// For example `eu-central-1`.
    pub region: &'a str,
    /// For example `kms`, `ecr`, `sts`.
    pub service: &'a str,
}

/// The headers that a signed request carries in addition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsSignature {
    /// `x-amz-date`.
    pub date: String,
    /// `authorization`.
    pub authorization: Secret<String>,
    /// `x-amz-security-token`, for temporary credentials.
    pub security_token: Option<Secret<String>>,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

impl AwsCredentials {
    /// Signs `request` at the time `now`. Services refuse a signature that is older than five minutes.
    pub fn sign(&self, request: &AwsRequest<'_>, scope: AwsScope<'_>, now: Timestamp) -> AwsSignature {
        let now = now.to_zoned(jiff::tz::TimeZone::UTC);
        let date = now.strftime("%Y%m%d").to_string();
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut headers: Vec<(&str, &str)> = request.headers.to_vec();
        headers.push(("x-amz-date", &time));
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        let (canonical, signed_headers) = canonical::request(request, &headers);
        let scope_text = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
        let to_sign = format!("{ALGORITHM}\n{time}\n{scope_text}\n{}", Digest::of(canonical.as_bytes()).hex());

        let mut key = hmac::sign(&secret_key(&self.secret_access_key), date.as_bytes());
        for part in [scope.region, scope.service, "aws4_request"] {
            key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), part.as_bytes());
        }
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), to_sign.as_bytes());
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope_text}, SignedHeaders={signed_headers}, Signature={}",
            self.access_key_id,
            hex(signature.as_ref())
        );
        AwsSignature {
            date: time,
            authorization: Secret::new(authorization),
            security_token: self.session_token.clone(),
        }
    }
}

fn secret_key(secret: &Secret<String>) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{}", secret.expose()).as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests;
