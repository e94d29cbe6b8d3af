//! Writing: uploads (monolithic, in one POST, in chunks), mounts, manifests, deletion.

use assay_model::{Digest, Hasher};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde_json::Value;

use super::State;
use super::reply::{self, Reply};
use super::routes::Call;

fn hash(bytes: &[u8], like: Digest) -> Digest {
    let mut hasher = Hasher::new(like.algorithm());
    hasher.update(bytes);
    hasher.finish()
}

fn created(location: String, digest: Digest) -> Reply {
    Reply::new(StatusCode::CREATED)
        .header(header::LOCATION.as_str(), location)
        .header("Docker-Content-Digest", digest.to_string())
}

pub(crate) fn upload(call: &Call<'_>, state: &mut State) -> Reply {
    match call.method {
        Method::POST => begin(call, state),
        Method::PATCH => append(call, state),
        Method::PUT => finish(call, state),
        Method::GET => progress(call, state),
        Method::DELETE => match session(call).and_then(|id| state.memory.end_upload(call.repository, id)) {
            Some(_) => Reply::new(StatusCode::NO_CONTENT),
            None => unknown_upload(),
        },
        _ => reply::error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "no such method"),
    }
}

fn session(call: &Call<'_>) -> Option<u64> {
    call.last.parse().ok()
}

fn unknown_upload() -> Reply {
    reply::error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "no such upload")
}

fn begin(call: &Call<'_>, state: &mut State) -> Reply {
    if let (Some(Ok(digest)), Some(from)) = (call.parameter("mount").map(str::parse::<Digest>), call.parameter("from"))
        && let Some(bytes) = state.memory.blob(from, digest).cloned()
    {
        state.memory.put_blob_as(call.repository, digest, bytes);
        return created(format!("/v2/{}/blobs/{digest}", call.repository), digest);
    }
    if call.parameter("digest").is_some() {
        return store(call, state, call.body.clone());
    }
    let id = state.memory.begin_upload(call.repository);
    accepted(call, state, id, 0)
}

fn accepted(call: &Call<'_>, state: &State, id: u64, length: usize) -> Reply {
    let base = state.faults.uploads_to.clone().unwrap_or_default();
    Reply::new(StatusCode::ACCEPTED)
        .header(header::LOCATION.as_str(), format!("{base}/v2/{}/blobs/uploads/{id}", call.repository))
        .header(header::RANGE.as_str(), format!("0-{}", length.saturating_sub(1)))
}

fn append(call: &Call<'_>, state: &mut State) -> Reply {
    let Some(id) = session(call) else { return unknown_upload() };
    let Some(upload) = state.memory.upload(call.repository, id) else { return unknown_upload() };
    let start = call.headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let start = start.and_then(|range| range.split_once('-')).and_then(|(start, _)| start.parse::<usize>().ok());
    if start.is_some_and(|start| start != upload.bytes.len()) {
        return reply::error(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", "chunk out of order");
    }
    upload.bytes.extend_from_slice(&call.body);
    let length = upload.bytes.len();
    accepted(call, state, id, length)
}

fn progress(call: &Call<'_>, state: &mut State) -> Reply {
    let Some(id) = session(call) else { return unknown_upload() };
    match state.memory.upload(call.repository, id) {
        Some(upload) => Reply::new(StatusCode::NO_CONTENT)
            .header(header::LOCATION.as_str(), call.path)
            .header(header::RANGE.as_str(), format!("0-{}", upload.bytes.len().saturating_sub(1))),
        None => unknown_upload(),
    }
}

fn finish(call: &Call<'_>, state: &mut State) -> Reply {
    let Some(mut bytes) = session(call).and_then(|id| state.memory.end_upload(call.repository, id)) else {
        return unknown_upload();
    };
    bytes.extend_from_slice(&call.body);
    store(call, state, bytes.into())
}

fn store(call: &Call<'_>, state: &mut State, bytes: Bytes) -> Reply {
    match call.parameter("digest").map(str::parse::<Digest>) {
        Some(Ok(digest)) if hash(&bytes, digest) == digest => {
            state.memory.put_blob_as(call.repository, digest, bytes);
            created(format!("/v2/{}/blobs/{digest}", call.repository), digest)
        }
        _ => reply::error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "the digest does not match the content"),
    }
}

pub(crate) fn manifest(call: &Call<'_>, state: &mut State) -> Reply {
    let invalid = |message: &str| reply::error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message);
    let Ok(manifest) = serde_json::from_slice::<Value>(&call.body) else { return invalid("not JSON") };
    let media_type = call.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if manifest["mediaType"].as_str().is_some_and(|inside| inside != media_type) {
        return invalid("mediaType differs from Content-Type");
    }
    if let Some(missing) = missing(call.repository, state, &manifest) {
        return reply::error(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN", &missing);
    }
    let by_digest = call.last.parse::<Digest>().ok();
    let digest = match by_digest {
        Some(digest) if hash(&call.body, digest) == digest => digest,
        Some(_) => return reply::error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "the digest does not match"),
        None => Digest::of(&call.body),
    };
    if by_digest.is_none() {
        let present = state.memory.tag(call.repository, call.last);
        if call.shared.options.immutable_tags && present.is_some_and(|present| present != digest) {
            return reply::error(StatusCode::FORBIDDEN, "TAG_IMMUTABLE", "the tag exists and tags are immutable");
        }
    }
    let media_type = media_type.to_owned();
    let lost = by_digest.is_none() && state.faults.loses_write(call.last);
    state.memory.put_manifest_as(call.repository, digest, &media_type, call.body.clone());
    if by_digest.is_none() && !lost {
        state.memory.set_tag(call.repository, call.last, digest);
    }
    let answer = created(format!("/v2/{}/manifests/{digest}", call.repository), digest);
    match manifest["subject"]["digest"].as_str() {
        Some(subject) if call.shared.options.referrers_endpoint => answer.header("OCI-Subject", subject),
        _ => answer,
    }
}

/// The first blob or manifest that this manifest names and the repository does not have. A `subject` may be absent.
fn missing(repository: &str, state: &State, manifest: &Value) -> Option<String> {
    let digest = |entry: &Value| entry["digest"].as_str().and_then(|text| text.parse::<Digest>().ok());
    let list = |name: &str| manifest[name].as_array().cloned().unwrap_or_default();
    let config = manifest.get("config").cloned();
    let blob = config.iter().chain(&list("layers")).filter(|entry| entry.get("urls").is_none()).find_map(|entry| {
        let present = digest(entry).is_some_and(|digest| state.memory.blob(repository, digest).is_some());
        (!present).then(|| format!("blob {} is not here", entry["digest"]))
    });
    blob.or_else(|| {
        list("manifests").iter().find_map(|entry| {
            let present = digest(entry).is_some_and(|digest| state.memory.manifest(repository, digest).is_some());
            (!present).then(|| format!("manifest {} is not here", entry["digest"]))
        })
    })
}

pub(crate) fn delete_manifest(call: &Call<'_>, state: &mut State) -> Reply {
    let deleted = match call.last.parse::<Digest>() {
        Ok(digest) => state.memory.delete_manifest(call.repository, digest),
        Err(_) => state.memory.delete_tag(call.repository, call.last),
    };
    deletion(deleted, "MANIFEST_UNKNOWN")
}

pub(crate) fn delete_blob(call: &Call<'_>, state: &mut State) -> Reply {
    let digest = call.last.parse::<Digest>().ok();
    deletion(digest.is_some_and(|digest| state.memory.delete_blob(call.repository, digest)), "BLOB_UNKNOWN")
}

fn deletion(deleted: bool, code: &str) -> Reply {
    if deleted { Reply::new(StatusCode::ACCEPTED) } else { reply::error(StatusCode::NOT_FOUND, code, "not here") }
}
