use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use layerlock_device::printer::PrinterEvent;
use layerlock_seal::token::ApiKey;
use layerlock_terms::toolpath::{Feature, Layer, Path, Point, Point3, Step};
use layerlock_terms::units::{Feed, Micrometres, Millis, MmPerMinute};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use super::*;
use crate::picture::BodyPicture;

fn page() -> StatusPage {
    StatusPage::new("device-1".into(), "Prusa i3 MK3S", "serial:/dev/ttyUSB0".into()).expect("a thread")
}

async fn ask(page: &StatusPage, method: Method, path: &str, host: &str) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(path).header(header::HOST, host);
    let request = request.body(Body::empty()).expect("a request");
    let response = serve::routes("", page.clone()).oneshot(request).await.expect("infallible");
    let status = response.status();
    if status.is_success() {
        for (name, value) in [("content-security-policy", "default-src 'none'"), ("x-frame-options", "DENY")]
        {
            let sent = response.headers()[name].to_str().expect("text").to_owned();
            assert!(sent.contains(value), "{path} {name}: {sent}");
        }
    }
    let body = response.into_body().collect().await.expect("whole").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn the_page_follows_a_job_and_shows_text_as_text() {
    let page = page();
    page.hear(&Notice::LinkUp);
    let job = layerlock_terms::ids::JobId::from_bytes([7; 16]);
    page.hear(&Notice::Offered { job });
    page.hear(&Notice::Progress { layers: 3, of: 40 });
    page.hear(&Notice::Heating);
    page.hear(&Notice::Machine(&PrinterEvent::FilamentOut));
    page.say("machine says <script>alert(1)</script> & \u{1b}[2J");
    let (status, html) = ask(&page, Method::GET, "/", "127.0.0.1:7424").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        html.contains("layer 3 of 40") && html.contains("heating") && html.contains(&job.to_string()),
        "{html}"
    );
    assert!(
        html.contains("&lt;script&gt;") && !html.contains("<script") && !html.contains('\u{1b}'),
        "{html}"
    );
    let (_, json) = ask(&page, Method::GET, "/status.json", "localhost").await;
    let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&read["state"], &read["layers_printed"]), (&"heating".into(), &3.into()));
}

#[tokio::test]
async fn a_page_of_another_name_and_any_call_but_a_read_is_refused() {
    let page = page();
    for host in ["evil.example", "evil.example:7424", "127.0.0.1.evil.example", "", "localhost.evil.example"]
    {
        let (status, _) = ask(&page, Method::GET, "/status.json", host).await;
        assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    for host in ["localhost:7424", "127.0.0.1", "[::1]:7424", "192.168.1.7:7424"] {
        assert_eq!(ask(&page, Method::GET, "/", host).await.0, StatusCode::OK, "{host}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(ask(&page, method, "/", "localhost").await.0, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(ask(&page, Method::GET, "/../keys", "localhost").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_was_printed_is_drawn_and_nothing_before() {
    let page = page();
    assert_eq!(ask(&page, Method::GET, "/picture.png", "localhost").await.0, StatusCode::NOT_FOUND);
    let corner = |c| Point3 { x: c, y: c, z: c };
    page.drawing.begin_part(corner(0), corner(10_000));
    let points = [(10_000, 0), (10_000, 10_000), (0, 10_000)];
    let points = points.map(|(x, y)| (Point { x, y }, Feed(1000))).to_vec();
    let (feature, width, speed) = (Feature::OuterPerimeter, Micrometres(450), MmPerMinute(1800));
    let begin = Step::Travel { to: vec![Point { x: 0, y: 0 }], speed };
    let steps = vec![begin, Step::Extrude(Path { feature, width, speed, climb: None, points })];
    page.drawing.add(&Layer { index: 0, z: Micrometres(200), height: Micrometres(200), steps });
    let bare = BodyPicture::new(corner(0), corner(10_000), draw::SIZE[0], draw::SIZE[1]).image().to_png();
    let drawn = async {
        while page.drawing.png().await.is_none_or(|png| png[..] == bare[..]) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), drawn).await.expect("the line shows");
    let (status, png) = ask(&page, Method::GET, "/picture.png", "localhost").await;
    assert!(status.is_success() && png.contains("PNG"));
}

#[tokio::test]
async fn readers_that_ask_nothing_keep_nobody_else_from_reading() {
    let page = page();
    let address = page.serve(([127, 0, 0, 1], 0).into()).await.expect("a port");
    tokio::time::pause();
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(address).await.expect("it listens"));
    }
    let mut reader = TcpStream::connect(address).await.expect("it listens");
    reader.write_all(b"GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("written");
    let mut answer = String::new();
    reader.read_to_string(&mut answer).await.expect("answered once the silent ones are sent away");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

/// A page, and a token that lets watch it for a minute.
struct Watched {
    support: Support,
    page: StatusPage,
    address: std::net::SocketAddr,
    token: ApiKey,
}

async fn watched(folder: &std::path::Path) -> Watched {
    let support = Support::of(folder);
    let page = page().watched_by(support.clone(), Tap::default());
    let address = page.serve(([127, 0, 0, 1], 0).into()).await.expect("a port");
    let token = support.grant(Millis(60_000), crate::now()).expect("granted");
    Watched { support, page, address, token }
}

/// Asks for what support sees; the lines that come.
async fn watches(address: std::net::SocketAddr, token: &str) -> tokio::io::Lines<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request =
        format!("GET /support HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    BufReader::new(stream).lines()
}

/// The next line that holds this.
async fn until(lines: &mut tokio::io::Lines<BufReader<TcpStream>>, holds: &str) -> String {
    let found = async {
        loop {
            let line = lines.next_line().await.expect("readable").expect("not over");
            if line.contains(holds) {
                return line;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .unwrap_or_else(|_| panic!("no `{holds}` comes"))
}

#[tokio::test]
async fn support_watches_by_a_token_until_it_is_taken_back_and_the_owner_sees_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let Watched { support, page, address, token } = watched(dir.path()).await;
    let other = format!("layerlock_{}", "0".repeat(64));
    for wrong in ["", "x", &other, &token.reveal()[1..]] {
        assert!(until(&mut watches(address, wrong).await, "HTTP/1.1").await.contains("401"), "{wrong}");
    }
    let mut lines = watches(address, &token.reveal()).await;
    until(&mut lines, "HTTP/1.1 200").await;
    assert!(until(&mut lines, "now").await.contains("\"state\":\"no-link\""));
    page.hear(&Notice::Heating);
    let heat = Temperatures { nozzle: 99.0, nozzle_target: 210.0, bed: 20.0, bed_target: 60.0 };
    page.hear(&Notice::Temperatures(heat));
    until(&mut lines, "\"nozzle_target\":210.0").await;
    let (_, html) = ask(&page, Method::GET, "/", "localhost").await;
    assert!(html.contains("1 watching") && html.contains("support watches this device"), "{html}");

    let mut others = Vec::new();
    for _ in 0..3 {
        let mut other = watches(address, &token.reveal()).await;
        until(&mut other, "now").await;
        others.push(other);
    }
    assert!(until(&mut watches(address, &token.reveal()).await, "HTTP/1.1").await.contains("429"));
    let (_, html) = ask(&page, Method::GET, "/", "localhost").await;
    let said = html.matches("support watches this device").count();
    assert!(html.contains("4 watching") && said == 1, "who comes and goes washes nothing away: {html}");
    drop(others);
    assert_eq!(support.revoke_all(crate::now()).expect("written"), 1);
    until(&mut lines, "over").await;
    while lines.next_line().await.expect("readable").is_some() {}
    let (_, html) = ask(&page, Method::GET, "/", "localhost").await;
    assert!(!html.contains("watching") && html.contains("support watches no more"), "{html}");
}

#[tokio::test]
async fn support_that_reads_nothing_is_gone_when_its_token_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let Watched { support, page, address, token } = watched(dir.path()).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(watches(address, &token.reveal()).await);
    }
    let watching = async |count: u32| {
        while page.status().watchers != count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), watching(4)).await.expect("they watch");
    support.revoke_all(crate::now()).expect("written");
    tokio::time::timeout(Duration::from_secs(20), watching(0)).await.expect("they watch no more");
}
