//! Bytes of an upload on their way to the vault: one HTTP request at the path its ticket makes (`docs/uploads.md`).

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1 as wire;
use serde::Deserialize;
use tonic::Status;
use tonic::body::Body;
use tonic::transport::Channel;
use tower::ServiceExt as _;

/// Bytes of one frame.
const FRAME: usize = 16 * 1024;

/// Longest answer that is read.
const ANSWER: usize = 64 * 1024;

/// Why bytes did not get to the vault.
pub(super) enum Broken {
    /// The line broke, or the vault can't take them now: go on later from what came.
    Off(Status),
    /// It never will.
    Refused(Status),
}

/// What a vault says when it refuses (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    detail: String,
    reason: String,
}

/// Sends the bytes that follow on those an upload has; `sent` hears how many bytes of the whole have left.
pub(super) async fn send(
    vault: Channel,
    upload: &wire::Upload,
    bytes: Bytes,
    sent: impl Fn(u64) + Send + 'static,
) -> Result<(), Broken> {
    let mut offset = upload.offset;
    let frames = (0..bytes.len()).step_by(FRAME).map(move |at| {
        let frame = bytes.slice(at..(at + FRAME).min(bytes.len()));
        offset += frame.len() as u64;
        sent(offset);
        Ok::<_, Infallible>(Frame::data(frame))
    });
    let request = Request::builder()
        .method(Method::PATCH)
        .uri(&upload.path)
        .header("content-type", "application/offset+octet-stream")
        .header("tus-resumable", "1.0.0")
        .header("upload-offset", upload.offset)
        .body(Body::new(StreamBody::new(tokio_stream::iter(frames))))
        .map_err(|error| Broken::Refused(Status::internal(error.to_string())))?;
    let off = |error: tonic::transport::Error| Broken::Off(Status::unavailable(error.to_string()));
    let answer = vault.oneshot(request).await.map_err(off)?;
    if answer.status() == StatusCode::NO_CONTENT {
        return Ok(());
    }
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER).collect().await.map(|body| body.to_bytes());
    let problem = body.ok().and_then(|bytes| serde_json::from_slice::<Problem>(&bytes).ok());
    let Some(Problem { detail, reason }) = problem else {
        return Err(Broken::Off(Status::unavailable(format!("the vault answered {status}"))));
    };
    let reason = Reason::ALL.iter().find(|known| known.as_str() == reason);
    let refused = reason.map_or_else(|| Status::unknown(&detail), |reason| reason.status(&detail));
    match reason {
        Some(Reason::Busy | Reason::Stopped | Reason::UploadOffset | Reason::NotTrusted) => {
            Err(Broken::Off(refused))
        }
        _ => Err(Broken::Refused(refused)),
    }
}
