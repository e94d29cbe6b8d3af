//! An answer, before it becomes an HTTP response.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

/// Status, headers and body of an answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: Vec<(String, String)>,
    body: Content,
}

enum Content {
    Bytes(Bytes),
    /// The body of an answer to HEAD: no bytes, but their length.
    Length(usize),
    /// That many spaces, in chunks, with no length in the headers.
    Endless(u64),
}

impl Reply {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Content::Bytes(Bytes::new()) }
    }

    pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        Self::new(status).header(header::CONTENT_TYPE.as_str(), "application/json").body(value.to_string().into())
    }

    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub(crate) fn body(mut self, bytes: Bytes) -> Self {
        self.body = Content::Bytes(bytes);
        self
    }

    #[must_use]
    pub(crate) fn endless(mut self, length: u64) -> Self {
        self.body = Content::Endless(length);
        self
    }

    /// Keeps the length and drops the bytes, for HEAD.
    #[must_use]
    pub(crate) fn without_body(mut self) -> Self {
        if let Content::Bytes(bytes) = &self.body {
            self.body = Content::Length(bytes.len());
        }
        self
    }

    pub(crate) fn into_response(self) -> Response {
        let (body, length) = match self.body {
            Content::Bytes(bytes) => (Body::from(bytes), None),
            Content::Length(length) => (Body::empty(), Some(length)),
            Content::Endless(length) => (Body::from_stream(spaces(length)), None),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        if let Some(length) = length {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        for (name, value) in self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

fn spaces(length: u64) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    const CHUNK: usize = 64 * 1024;
    let chunk = Bytes::from(vec![b' '; CHUNK]);
    futures_util::stream::iter((0..length.div_ceil(CHUNK as u64)).map(move |_| Ok(chunk.clone())))
}

/// An error as the distribution specification has it ("Error Codes").
pub(crate) fn error(status: StatusCode, code: &str, message: &str) -> Reply {
    Reply::json(status, &serde_json::json!({ "errors": [{ "code": code, "message": message }] }))
}
