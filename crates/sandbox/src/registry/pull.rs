//! Reading: manifests, blobs, tags, referrers.

use assay_model::Digest;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::State;
use super::reply::{self, Reply};
use super::routes::Call;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

pub(crate) fn manifest(call: &Call<'_>, state: &mut State) -> Reply {
    if let Some(length) = state.faults.endless_manifest {
        return Reply::new(StatusCode::OK).header("content-type", INDEX).endless(length);
    }
    let digest = match call.last.parse::<Digest>() {
        Ok(digest) => Some(digest),
        Err(_) => {
            state.faults.moved_tag(call.repository, call.last).or_else(|| state.memory.tag(call.repository, call.last))
        }
    };
    let found = digest.and_then(|digest| Some((digest, state.memory.manifest(call.repository, digest)?)));
    let Some((digest, stored)) = found else {
        return reply::error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown");
    };
    let mut answer = Reply::new(StatusCode::OK)
        .header(header::CONTENT_TYPE.as_str(), stored.media_type.clone())
        .body(state.faults.distort(digest, &stored.bytes));
    if !state.faults.no_content_digest {
        answer = answer.header("Docker-Content-Digest", digest.to_string());
    }
    match state.faults.manifest_length {
        Some(length) => answer.header(header::CONTENT_LENGTH.as_str(), length.to_string()),
        None => answer,
    }
}

pub(crate) fn blob(call: &Call<'_>, state: &State) -> Reply {
    if state.faults.redirect_for_ever {
        let location = format!("http://{}{}", call.shared.address, call.path);
        return Reply::new(StatusCode::TEMPORARY_REDIRECT).header(header::LOCATION.as_str(), location);
    }
    if let Some(base) = &state.faults.redirect_blobs {
        let location = format!("{base}{}", call.path);
        return Reply::new(StatusCode::TEMPORARY_REDIRECT).header(header::LOCATION.as_str(), location);
    }
    let found = call.last.parse::<Digest>().ok();
    let found = found.and_then(|digest| Some((digest, state.memory.blob(call.repository, digest)?)));
    let Some((digest, bytes)) = found else {
        return reply::error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown");
    };
    let bytes = state.faults.distort(digest, bytes);
    let reply = |status| {
        Reply::new(status)
            .header(header::CONTENT_TYPE.as_str(), "application/octet-stream")
            .header("Docker-Content-Digest", digest.to_string())
    };
    match range(call.headers).filter(|_| !state.faults.no_ranges) {
        // RFC 9110, section 14: the last byte is part of the range.
        Some((first, last)) if first <= last && last < bytes.len() => reply(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE.as_str(), format!("bytes {first}-{last}/{}", bytes.len()))
            .body(bytes.slice(first..=last)),
        Some(_) => reply(StatusCode::RANGE_NOT_SATISFIABLE),
        None => reply(StatusCode::OK).body(bytes),
    }
}

/// The one range that is asked for.
fn range(headers: &http::HeaderMap) -> Option<(usize, usize)> {
    let text = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = text.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// `GET /v2/<name>/tags/list?n=<count>&last=<tag>`.
pub(crate) fn tags(call: &Call<'_>, state: &State) -> Reply {
    let Some(tags) = state.memory.tags(call.repository) else {
        return reply::error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository unknown");
    };
    let asked = call.parameter("n").and_then(|n| n.parse().ok()).unwrap_or(call.shared.options.page_size);
    let size = asked.min(call.shared.options.page_size);
    let after = call.parameter("last").unwrap_or_default();
    let mut rest = tags.into_iter().filter(|tag| *tag > after);
    let page: Vec<&str> = rest.by_ref().take(size).collect();
    let answer = Reply::json(StatusCode::OK, &json!({ "name": call.repository, "tags": page }));
    match (page.last(), rest.next()) {
        (Some(last), Some(_)) => {
            answer.header("Link", format!("</v2/{}/tags/list?n={size}&last={last}>; rel=\"next\"", call.repository))
        }
        _ => answer,
    }
}

/// `GET /v2/<name>/referrers/<digest>?artifactType=<type>` (distribution-spec, "Listing Referrers").
pub(crate) fn referrers(call: &Call<'_>, state: &State) -> Reply {
    if !call.shared.options.referrers_endpoint {
        return reply::error(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such endpoint");
    }
    let Ok(subject) = call.last.parse::<Digest>() else {
        return reply::error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "not a digest");
    };
    let wanted = call.parameter("artifactType");
    let mut found: Vec<Value> = state
        .memory
        .manifests(call.repository)
        .filter_map(|(digest, stored)| {
            let manifest: Value = serde_json::from_slice(&stored.bytes).ok()?;
            (manifest["subject"]["digest"].as_str()? == subject.to_string())
                .then(|| descriptor(*digest, stored.bytes.len(), &stored.media_type, &manifest))
        })
        .filter(|entry| wanted.is_none_or(|wanted| entry["artifactType"] == wanted))
        .collect();
    let start = call.parameter("page").and_then(|page| page.parse().ok()).unwrap_or(0usize).min(found.len());
    let size = call.shared.options.page_size;
    let more = found.len() > start + size;
    found.drain(..start);
    found.truncate(size);
    let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": found });
    let mut answer =
        Reply::new(StatusCode::OK).header(header::CONTENT_TYPE.as_str(), INDEX).body(body.to_string().into());
    if let Some(kind) = wanted {
        answer = answer.header("OCI-Filters-Applied", "artifactType");
        if more {
            let link = format!("<{}?page={}&artifactType={kind}>; rel=\"next\"", call.path, start + size);
            return answer.header("Link", link);
        }
    }
    if more {
        return answer.header("Link", format!("<{}?page={}>; rel=\"next\"", call.path, start + size));
    }
    answer
}

/// A referrer's descriptor: `artifactType` of the manifest, or its configuration's media type, and its annotations.
fn descriptor(digest: Digest, size: usize, media_type: &str, manifest: &Value) -> Value {
    let mut entry = json!({ "mediaType": media_type, "digest": digest.to_string(), "size": size });
    let kind = manifest.get("artifactType").or_else(|| manifest.get("config").and_then(|c| c.get("mediaType")));
    if let Some(kind) = kind {
        entry["artifactType"] = kind.clone();
    }
    if let Some(annotations) = manifest.get("annotations") {
        entry["annotations"] = annotations.clone();
    }
    entry
}
