//! What support sees: states, temperatures and the machine's wire as it goes, without movements, by its owner's token.
//!
//! A line of JSON for each thing that happens, for as long as the token is good. The owner sees that somebody watches.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use layerlock_device::printer::tap::{Tap, Traffic, Way};
use layerlock_seal::token::ApiKey;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::{Heat, StatusPage};
use crate::now;
use crate::support::Support;

/// Who watches at once.
const WATCHERS: usize = 4;

/// Lines on their way to one of them, and how long they may take it to read one.
const LINES: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two lines on the page about who watches.
const OFTEN: Duration = Duration::from_secs(60);

/// Between two looks at the token and the state.
const LOOK: Duration = Duration::from_secs(1);

/// What can be watched, and by whom.
#[derive(Clone)]
pub(super) struct Window {
    support: Support,
    tap: Tap,
    places: Arc<Semaphore>,
    /// When it was last said that somebody watches.
    said: Arc<Mutex<Option<Instant>>>,
}

/// How far a connection has come: the time for an answer is not for one that carries lines without end.
#[derive(Clone)]
pub(super) struct Course(Arc<watch::Sender<Stage>>);

/// See [`Course`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// One answer.
    Answer,
    /// Lines until the token ends.
    Lines,
    /// No more of them.
    Over,
}

/// One line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// How it stands.
    Now(Summary),
    /// A line went to the machine.
    Sent(String),
    /// A line came from the machine.
    Heard(String),
    /// So many lines were missed.
    Lost(u64),
    /// The last line, and why it is.
    Over(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Summary {
    state: super::State,
    layers_printed: u32,
    layers: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    celsius: Option<Heat>,
}

impl Window {
    pub(super) fn new(support: Support, tap: Tap) -> Self {
        Self { support, tap, places: Arc::new(Semaphore::new(WATCHERS)), said: Arc::default() }
    }

    /// Says it on the page unless it was said a moment ago: whoever comes and goes a hundred times washes nothing else away.
    fn say(&self, page: &StatusPage, line: &str) -> bool {
        let mut said = self.said.lock().expect("nothing panics while it holds a moment");
        let is_due = said.is_none_or(|said| said.elapsed() > OFTEN);
        if is_due {
            *said = Some(Instant::now());
            page.say(line);
        }
        is_due
    }
}

impl Course {
    pub(super) fn begin() -> (Self, watch::Receiver<Stage>) {
        let (course, stage) = watch::channel(Stage::Answer);
        (Self(Arc::new(course)), stage)
    }
}

pub(super) async fn answer(
    State(page): State<StatusPage>,
    Extension(course): Extension<Course>,
    headers: HeaderMap,
) -> Response {
    let Some(window) = page.window.clone() else { return StatusCode::NOT_FOUND.into_response() };
    let token = bearer(&headers).filter(|token| window.support.admits(token, now()));
    let Some(token) = token else {
        let words = "no token, or one that has ended: ask the device's owner for another\n";
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], words).into_response();
    };
    let Ok(place) = window.places.clone().try_acquire_owned() else {
        return (StatusCode::TOO_MANY_REQUESTS, "others watch already\n").into_response();
    };
    course.0.send_replace(Stage::Lines);
    let (lines, body) = mpsc::channel(LINES);
    tokio::spawn(async move {
        tell(page, window, token, lines, place).await;
        course.0.send_replace(Stage::Over);
    });
    let body = ReceiverStream::new(body).map(Ok::<Bytes, std::convert::Infallible>);
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response()
}

fn bearer(headers: &HeaderMap) -> Option<ApiKey> {
    let told = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    ApiKey::parse(told.strip_prefix("Bearer ")?).ok()
}

/// Tells until the token ends, the watcher goes, or doesn't read.
async fn tell(
    page: StatusPage,
    window: Window,
    token: ApiKey,
    lines: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
) {
    let mut wire = window.tap.watch();
    page.count_watchers(|count| count + 1);
    let said = window.say(&page, "support watches this device");
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        let line = tokio::select! {
            // The token first, however much there is to tell.
            biased;
            () = lines.closed() => break,
            _ = look.tick() => {
                if !window.support.admits(&token, now()) {
                    send(&lines, &Line::Over("the token has ended, or was taken back")).await;
                    break;
                }
                let now = page.summary();
                if told.replace(now) == Some(now) {
                    continue;
                }
                Line::Now(now)
            }
            line = next(&mut wire) => line,
        };
        if !send(&lines, &line).await {
            break;
        }
    }
    page.count_watchers(|count| count - 1);
    if said {
        page.say("support watches no more");
    }
}

async fn next(wire: &mut Receiver<Traffic>) -> Line {
    match wire.recv().await {
        Ok(Traffic { way: Way::Sent, text }) => Line::Sent(text.to_string()),
        Ok(Traffic { way: Way::Heard, text }) => Line::Heard(text.to_string()),
        Err(RecvError::Lagged(count)) => Line::Lost(count),
        // The page holds a tap as long as it is there.
        Err(RecvError::Closed) => std::future::pending().await,
    }
}

/// Whether the watcher took it in time.
async fn send(lines: &mpsc::Sender<Bytes>, line: &Line) -> bool {
    let mut text = serde_json::to_vec(line).expect("a line is JSON");
    text.push(b'\n');
    matches!(timeout(PATIENCE, lines.send(text.into())).await, Ok(Ok(())))
}

impl StatusPage {
    fn summary(&self) -> Summary {
        let status = self.status();
        Summary {
            state: status.state,
            layers_printed: status.layers_printed,
            layers: status.layers,
            celsius: status.celsius,
        }
    }

    fn count_watchers(&self, count: impl Fn(u32) -> u32) {
        let mut status = self.status();
        status.watchers = count(status.watchers);
    }
}
