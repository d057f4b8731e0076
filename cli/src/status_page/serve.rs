//! The page's door: reads over HTTP/1.1, bounded in number, size and time.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::support::{self, Course, Stage};
use super::{Status, StatusPage, html};

/// Looks at once; more wait.
const READERS: usize = 16;

/// The longest a reader may take for its question, and for all of one connection.
const QUESTION: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_secs(30);

/// Bytes of a question.
const BUFFER: usize = 16 * 1024;

/// What every answer carries: no script, no frame, nothing from elsewhere, nothing kept.
const HEADERS: [(header::HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

pub(super) async fn at(address: SocketAddr, routes: Router) -> io::Result<SocketAddr> {
    let failed = |error: io::Error| {
        io::Error::new(
            error.kind(),
            format!("the status page at {address}: {error}; name another --status or `off`"),
        )
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr()?;
    tokio::spawn(async move {
        let readers = Arc::new(Semaphore::new(READERS));
        loop {
            let place = readers.clone().acquire_owned().await.expect("nobody closes it");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let routes = routes.clone();
                    tokio::spawn(async move {
                        answer(stream, routes).await;
                        drop(place);
                    });
                }
                // Out of descriptors: others are served meanwhile.
                Err(_) => tokio::time::sleep(QUESTION).await,
            }
        }
    });
    Ok(bound)
}

/// One machine's, below this path.
pub(super) fn routes(below: &str, page: StatusPage) -> Router {
    Router::new()
        .route(
            &format!("{below}/"),
            get(async |State(page): State<StatusPage>| Html(html::of(&page.status().clone()))),
        )
        .route(
            &format!("{below}/status.json"),
            get(async |State(page): State<StatusPage>| Json(page.status().clone())),
        )
        .route(&format!("{below}/picture.png"), get(picture))
        .route(&format!("{below}/support"), get(support::answer))
        .layer(from_fn(guarded))
        .with_state(page)
}

/// Those of several machines, and one page of all.
pub(super) fn routes_of_all(pages: &[(String, StatusPage)]) -> Router {
    type Pages = Arc<[(String, StatusPage)]>;
    let now = |pages: &Pages| -> BTreeMap<String, Status> {
        pages.iter().map(|(name, page)| (name.clone(), page.status().clone())).collect()
    };
    let all = Router::new()
        .route("/", get(async move |State(pages): State<Pages>| Html(html::of_all(&now(&pages)))))
        .route("/status.json", get(async move |State(pages): State<Pages>| Json(now(&pages))))
        .layer(from_fn(guarded))
        .with_state(pages.into());
    pages.iter().fold(all, |all, (name, page)| all.merge(routes(&format!("/{name}"), page.clone())))
}

async fn answer(stream: TcpStream, routes: Router) {
    let (course, mut stage) = Course::begin();
    let routes = routes.layer(Extension(course));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(QUESTION)
        .max_buf_size(BUFFER)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut connection = pin!(connection);
    if timeout(CONNECTION, connection.as_mut()).await.is_err() && *stage.borrow() != Stage::Answer {
        // Support watches for as long as its token is good; once it is not, what is on its way may still leave.
        let over = async {
            let _ = stage.wait_for(|stage| *stage == Stage::Over).await;
            tokio::time::sleep(QUESTION).await;
        };
        tokio::select! {
            _ = connection => {}
            () = over => {}
        }
    }
}

async fn picture(State(page): State<StatusPage>) -> Response {
    match page.drawing.png().await {
        Some(png) => ([(header::CONTENT_TYPE, "image/png")], png.to_vec()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A page of another name that was made to point here may not read it (DNS rebinding).
async fn guarded(request: Request, next: Next) -> Response {
    if !names_this_place(request.headers()) {
        let words = "open this page by the address it is served at, or by `localhost`\n";
        return (StatusCode::MISDIRECTED_REQUEST, words).into_response();
    }
    let mut response = next.run(request).await;
    let headers = HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}

fn names_this_place(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}
