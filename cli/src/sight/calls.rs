//! Every call that comes through a door: in which trace it stands, how long it took, how it ended.
//!
//! Metrics have the names gRPC services have everywhere (`grpc_server_…`). A method that no service offers is
//! counted under one name, so that a stranger can't fill the memory with names.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use layerlock_proto::trace::{HEADER, Trace, within};
use rand_core::TryRng as _;
use tonic::Code;
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};

use crate::random::{Random, id_bytes};

/// Where tickets lead: the one path here that is not gRPC.
const UPLOADS: &str = "uploads";

/// Wraps a service so that its calls are seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calls;

/// A service whose calls are seen.
#[derive(Debug, Clone)]
pub struct Seen<S>(S);

impl<S> Layer<S> for Calls {
    type Service = Seen<S>;

    fn layer(&self, inner: S) -> Seen<S> {
        Seen(inner)
    }
}

impl<S, B, R> Service<Request<B>> for Seen<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Body<Data = Bytes> + Unpin,
{
    type Response = Response<SeenBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let trace = trace_of(request.headers());
        let call = Call::begin(&request, trace);
        let answered = within(trace, self.0.call(request)).instrument(call.span.clone());
        Box::pin(async move {
            let (parts, body) = answered.await?.into_parts();
            let mut call = call;
            // A refusal has its code up front, anything else says it after the last message.
            call.code = code_of(&parts.headers).or_else(|| call.plain.then(|| code_of_status(parts.status)));
            Ok(Response::from_parts(parts, SeenBody { body, call }))
        })
    }
}

/// The caller's trace one step on, or a new one.
fn trace_of(headers: &HeaderMap) -> Trace {
    let Ok(step) = Random.try_next_u64();
    let step = step.max(1).to_be_bytes();
    let theirs = headers.get(HEADER).and_then(|header| Trace::parse(header.to_str().ok()?));
    theirs.map_or_else(|| Trace::begin(id_bytes(), step), |trace| trace.next(step))
}

/// The code closest to how a call that is not gRPC ended.
fn code_of_status(status: StatusCode) -> Code {
    match status {
        status if status.is_success() => Code::Ok,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::CONFLICT => Code::Aborted,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::INSUFFICIENT_STORAGE => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        _ => Code::InvalidArgument,
    }
}

fn code_of(headers: &HeaderMap) -> Option<Code> {
    Some(Code::from_bytes(headers.get("grpc-status")?.as_bytes()))
}

/// A call that runs; counted when it is dropped, however that came about.
struct Call {
    service: String,
    method: String,
    /// Not gRPC: it says how it ended by its status alone.
    plain: bool,
    begun: Instant,
    code: Option<Code>,
    span: Span,
}

impl Call {
    fn begin<B>(request: &Request<B>, trace: Trace) -> Self {
        let (service, method) =
            request.uri().path().trim_start_matches('/').split_once('/').unwrap_or_default();
        let plain = service == UPLOADS;
        // What follows there is a ticket, which no log and no metric shows; and a stranger's methods have one name.
        let method = match request.method() {
            _ if !plain => method,
            &Method::HEAD | &Method::PATCH | &Method::PUT | &Method::OPTIONS => request.method().as_str(),
            _ => "other",
        };
        let span = tracing::info_span!("call", service, method, %trace);
        Self {
            service: service.to_owned(),
            method: method.to_owned(),
            plain,
            begun: Instant::now(),
            code: None,
            span,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // A body that is dropped before its end is a caller that went away.
        let code = self.code.unwrap_or(Code::Cancelled);
        let elapsed = self.begun.elapsed();
        let _entered = self.span.enter();
        tracing::debug!(code = ?code, ms = elapsed.as_millis() as u64, "call ended");
        let known = code != Code::Unimplemented;
        let name = |name: &mut String| if known { std::mem::take(name) } else { "unknown".to_owned() };
        let (service, method) = (name(&mut self.service), name(&mut self.method));
        let code = format!("{code:?}");
        metrics::histogram!("grpc_server_handling_seconds", "grpc_service" => service.clone(), "grpc_method" => method.clone())
            .record(elapsed);
        metrics::counter!("grpc_server_handled_total", "grpc_service" => service, "grpc_method" => method, "grpc_code" => code)
            .increment(1);
    }
}

/// An answer on its way out.
pub struct SeenBody<R> {
    body: R,
    call: Call,
}

impl<R: Body<Data = Bytes> + Unpin> Body for SeenBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.call.code = code_of(trailers).or(self.call.code);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
