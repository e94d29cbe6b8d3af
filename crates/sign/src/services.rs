//! The services of a Sigstore instance.

use std::fmt;
use std::future::Future;

use crate::SignError;
use crate::http::{Call, Http, HttpFailure, address};

/// A service of a Sigstore instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The certificate authority.
    Fulcio,
    /// The transparency log, version 1.
    Rekor,
    /// The transparency log, version 2.
    RekorV2,
    /// The timestamp authority.
    Timestamp,
}

impl Service {
    /// The path of its one request, after the base URL.
    pub fn path(self) -> &'static str {
        match self {
            Self::Fulcio => "/api/v2/signingCert",
            Self::Rekor => "/api/v1/log/entries",
            Self::RekorV2 => "/api/v2/log/entries",
            Self::Timestamp => "/api/v1/timestamp",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Fulcio | Self::Rekor | Self::RekorV2 => "application/json",
            Self::Timestamp => "application/timestamp-query",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fulcio => "the certificate authority",
            Self::Rekor | Self::RekorV2 => "the transparency log",
            Self::Timestamp => "the timestamp authority",
        })
    }
}

/// How requests reach the services: over HTTP, or within the process in tests.
pub trait Services {
    /// Whether this service exists.
    fn has(&self, service: Service) -> bool;

    /// Sends the service's one request and gives back the body of its successful answer.
    fn post(&self, service: Service, body: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, SignError>> + Send;

    /// Sends the request to as many instances of the service as must answer.
    fn post_all(&self, service: Service, body: Vec<u8>) -> impl Future<Output = Result<Vec<Vec<u8>>, SignError>> + Send
    where
        Self: Sync,
    {
        async move { Ok(vec![self.post(service, body).await?]) }
    }
}

/// No service at all: a key's signature needs none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoServices;

impl Services for NoServices {
    fn has(&self, _service: Service) -> bool {
        false
    }

    async fn post(&self, service: Service, _body: Vec<u8>) -> Result<Vec<u8>, SignError> {
        Err(SignError::Address { service, reason: "none was given".to_owned() })
    }
}

/// Where the services are. A timestamp authority or a log is needed, else nothing proves the time of signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningConfig {
    /// Base URL of Fulcio.
    pub fulcio: String,
    /// Base URL of Rekor.
    pub rekor: Option<String>,
    /// Base URL of the timestamp authority.
    pub timestamp: Option<String>,
}

/// Instances of one service, of which some must answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instances {
    /// Base URLs, in the order in which they are asked.
    pub urls: Vec<String>,
    /// How many must answer. An instance that does not is made up for by a later one.
    pub needed: usize,
}

impl Instances {
    /// One instance, which must answer.
    pub fn one(url: impl Into<String>) -> Self {
        Self { urls: vec![url.into()], needed: 1 }
    }
}

/// Where each service is, as chosen from a [`SigningConfigFile`](crate::SigningConfigFile) or given by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// The certificate authority.
    pub fulcio: Instances,
    /// Transparency logs of version 1.
    pub rekor: Instances,
    /// Transparency logs of version 2.
    pub rekor_v2: Instances,
    /// Timestamp authorities.
    pub timestamp: Instances,
}

impl Endpoints {
    fn of(&self, service: Service) -> &Instances {
        match service {
            Service::Fulcio => &self.fulcio,
            Service::Rekor => &self.rekor,
            Service::RekorV2 => &self.rekor_v2,
            Service::Timestamp => &self.timestamp,
        }
    }
}

impl From<SigningConfig> for Endpoints {
    fn from(config: SigningConfig) -> Self {
        let optional = |url: Option<String>| url.map(Instances::one).unwrap_or_default();
        Self {
            fulcio: Instances::one(config.fulcio),
            rekor: optional(config.rekor),
            rekor_v2: Instances::default(),
            timestamp: optional(config.timestamp),
        }
    }
}

/// The services over HTTPS (plain HTTP on this machine only). No redirects: a token is sent to the named host or nowhere.
#[derive(Clone, Debug)]
pub struct HttpServices {
    http: Http,
    endpoints: Endpoints,
}

impl HttpServices {
    /// Checks the addresses; connects to nothing yet.
    pub fn new(endpoints: impl Into<Endpoints>) -> Result<Self, SignError> {
        let http = Http::new(None).map_err(|reason| SignError::Address { service: Service::Fulcio, reason })?;
        Self::with_http(endpoints, http)
    }

    /// The same with a client of one's own.
    pub fn with_http(endpoints: impl Into<Endpoints>, http: Http) -> Result<Self, SignError> {
        let endpoints = endpoints.into();
        for service in [Service::Fulcio, Service::Rekor, Service::RekorV2, Service::Timestamp] {
            for url in &endpoints.of(service).urls {
                address(url).map_err(|reason| SignError::Address { service, reason })?;
            }
        }
        Ok(Self { http, endpoints })
    }

    async fn post_to(&self, service: Service, base: &str, body: Vec<u8>) -> Result<Vec<u8>, SignError> {
        let base = base.trim_end_matches('/');
        // Public timestamp authorities are named with their whole path (signing configuration, `tsaUrls`).
        let whole = service == Service::Timestamp && base.contains("/api/v1/timestamp");
        let text = if whole { base.to_owned() } else { format!("{base}{}", service.path()) };
        let url = address(&text).map_err(|reason| SignError::Address { service, reason })?;
        match self.http.send(Call::post(url, service.content_type(), body)).await {
            // A deterministic signature may be in the log already; the answer says where.
            Err(HttpFailure::Refused { status: 409, location: Some(location), .. }) if service == Service::Rekor => {
                let known = location.split_once(Service::Rekor.path()).map(|(_, id)| id);
                let id = known.and_then(|id| id.strip_prefix('/')).filter(|id| crate::kms::is_plain_name(id));
                let id = id.ok_or_else(|| SignError::Answer {
                    service,
                    reason: "the entry exists, and where is not said".to_owned(),
                })?;
                let url = address(&format!("{text}/{id}")).map_err(|reason| SignError::Address { service, reason })?;
                self.http.send(Call::get(url)).await
            }
            other => other,
        }
        .map_err(|failure| failed(service, failure))
    }
}

fn failed(service: Service, failure: HttpFailure) -> SignError {
    match failure {
        HttpFailure::Address(reason) => SignError::Address { service, reason },
        HttpFailure::Unreachable(reason) => SignError::Unreachable { service, reason },
        HttpFailure::Refused { status, message, .. } => SignError::Refused { service, status, message },
        HttpFailure::TooLong => SignError::Answer { service, reason: HttpFailure::TooLong.to_string() },
    }
}

impl Services for HttpServices {
    fn has(&self, service: Service) -> bool {
        !self.endpoints.of(service).urls.is_empty()
    }

    async fn post(&self, service: Service, body: Vec<u8>) -> Result<Vec<u8>, SignError> {
        let mut last = SignError::Address { service, reason: "none was given".to_owned() };
        for base in &self.endpoints.of(service).urls {
            match self.post_to(service, base, body.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn post_all(&self, service: Service, body: Vec<u8>) -> Result<Vec<Vec<u8>>, SignError> {
        let Instances { urls, needed } = self.endpoints.of(service);
        let mut answers = Vec::new();
        let mut last = None;
        for base in urls {
            if answers.len() == *needed {
                break;
            }
            match self.post_to(service, base, body.clone()).await {
                Ok(answer) => answers.push(answer),
                Err(error) => last = Some(error),
            }
        }
        match last {
            Some(error) if answers.len() < *needed => Err(error),
            _ if answers.len() < *needed => {
                Err(SignError::Address { service, reason: format!("{needed} are needed, {} exist", urls.len()) })
            }
            _ => Ok(answers),
        }
    }
}
