//! The way in for an upload's bytes: plain HTTP at the path a ticket makes, as tus 1.0 has it, so that a browser, `curl` or
//! any tus client sends them. `docs/uploads.md` is for who writes one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{Stream, StreamExt as _};
use layerlock_proto::refusal::Reason;
use layerlock_seal::statement::Statement;
use serde_json::json;
use tokio::time::timeout;

use crate::Vault;
use crate::records::DesignName;
use crate::refusal::Refusal;
use crate::uploads::{Standing, State as Stands};

/// Where tickets lead.
const PREFIX: &str = "/uploads/";

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const PROTOCOL: HeaderValue = HeaderValue::from_static("1.0.0");
const PIECE: &str = "application/offset+octet-stream";

/// As much of a refused body is read, for so long, before it is answered.
const AWAY_BYTES: usize = 64 << 20;
const AWAY_TIME: Duration = Duration::from_secs(10);

/// The path a ticket makes.
pub(super) fn path(ticket: &Statement) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(ticket.emit()))
}

/// The way in.
pub(super) fn routes(vault: &Arc<Vault>) -> Router {
    Router::new().route("/uploads/{ticket}", any(serve)).with_state(vault.clone())
}

async fn serve(
    State(vault): State<Arc<Vault>>,
    Path(ticket): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let broken = |_| Refusal::new(Reason::UploadMismatch, "the connection broke: go on from what is here");
    let mut bytes = body.into_data_stream().map(|bytes: Result<Bytes, _>| bytes.map_err(broken));
    let mut answer = match handle(&vault, &ticket, &method, &headers, &mut bytes).await {
        Ok(answer) => answer,
        Err(refusal) => problem(&refusal),
    };
    if !answer.status().is_success() {
        read_away(&mut bytes).await;
    }
    answer.headers_mut().insert(TUS_RESUMABLE, PROTOCOL);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Takes what of a refused body is on its way, and some: an answer in the middle of it is an error of the connection to many
/// clients, `curl` among them, and what it says is lost.
async fn read_away(bytes: &mut (impl Stream<Item = Result<Bytes, Refusal>> + Unpin)) {
    let mut left = AWAY_BYTES;
    let read = async {
        while let Some(Ok(bytes)) = bytes.next().await
            && let Some(rest) = left.checked_sub(bytes.len())
        {
            left = rest;
        }
    };
    // Whoever is slower has to do without.
    let _ = timeout(AWAY_TIME, read).await;
}

async fn handle(
    vault: &Arc<Vault>,
    ticket: &str,
    method: &Method,
    headers: &HeaderMap,
    bytes: &mut (impl Stream<Item = Result<Bytes, Refusal>> + Send + Unpin),
) -> Result<Response, Refusal> {
    if *method == Method::OPTIONS {
        let limit = HeaderValue::from(vault.limits.upload_bytes);
        return Ok((StatusCode::NO_CONTENT, [(TUS_VERSION, PROTOCOL), (TUS_MAX_SIZE, limit)]).into_response());
    }
    let not_a_ticket = |_| Refusal::new(Reason::NotTrusted, "this is no upload ticket");
    let name = vault.admit_ticket(&URL_SAFE_NO_PAD.decode(ticket).map_err(not_a_ticket)?)?;
    if headers.get(TUS_RESUMABLE).is_some_and(|version| version != PROTOCOL) {
        let words = [(TUS_VERSION, PROTOCOL)];
        return Ok((StatusCode::PRECONDITION_FAILED, words).into_response());
    }
    match *method {
        Method::HEAD => {
            let standing = vault.upload_standing(&name).await?;
            if let Stands::Refused(refusal) = standing.state {
                return Err(refusal);
            }
            Ok((StatusCode::OK, figures(&standing)).into_response())
        }
        Method::PATCH => {
            if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != PIECE) {
                let words = format!("`content-type` must be `{PIECE}`");
                return Ok(problem_of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "INVALID_FIELD", &words));
            }
            let offset = number(headers, &UPLOAD_OFFSET)?.ok_or_else(|| {
                Refusal::new(Reason::InvalidField, "`upload-offset` must say where the bytes begin")
            })?;
            receive(vault, &name, offset, bytes).await
        }
        // All of it at once, as `curl --upload-file` sends it.
        Method::PUT => {
            let standing = vault.upload_standing(&name).await?;
            if number(headers, &CONTENT_LENGTH)?.is_some_and(|length| length != standing.length) {
                let words = format!("the upload is of {} bytes: send exactly those", standing.length);
                return Err(Refusal::new(Reason::UploadMismatch, words));
            }
            receive(vault, &name, 0, bytes).await
        }
        _ => {
            let words = "send HEAD, PATCH, PUT or OPTIONS here";
            Ok(problem_of(StatusCode::METHOD_NOT_ALLOWED, "INVALID_FIELD", words))
        }
    }
}

async fn receive(
    vault: &Arc<Vault>,
    name: &DesignName,
    offset: u64,
    bytes: &mut (impl Stream<Item = Result<Bytes, Refusal>> + Send + Unpin),
) -> Result<Response, Refusal> {
    let standing = vault.receive(name, offset, bytes).await?;
    Ok((StatusCode::NO_CONTENT, figures(&standing)).into_response())
}

fn figures(standing: &Standing) -> [(HeaderName, HeaderValue); 2] {
    [(UPLOAD_OFFSET, standing.received.into()), (UPLOAD_LENGTH, standing.length.into())]
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let malformed = || Refusal::new(Reason::InvalidField, format!("`{name}` is no number of bytes"));
    number.map(Some).ok_or_else(malformed)
}

/// A refusal as problem details (RFC 9457).
fn problem(refusal: &Refusal) -> Response {
    let status = match refusal.reason {
        Reason::NotTrusted => StatusCode::FORBIDDEN,
        Reason::NotFound => StatusCode::NOT_FOUND,
        Reason::UploadOffset => StatusCode::CONFLICT,
        Reason::BadMesh | Reason::UploadMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        Reason::Busy => StatusCode::TOO_MANY_REQUESTS,
        Reason::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        Reason::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    problem_of(status, refusal.reason.as_str(), &refusal.words)
}

fn problem_of(status: StatusCode, reason: &str, words: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let details = json!({ "title": title, "status": status.as_u16(), "detail": words, "reason": reason });
    let kind = HeaderValue::from_static("application/problem+json");
    (status, [(CONTENT_TYPE, kind)], Json(details)).into_response()
}
