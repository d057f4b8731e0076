//! The door against guests that speak HTTP/2 and abuse it (Q1 to Q4): each is sent away or held still, the memory stays
//! bounded, and whoever else is there is served meanwhile.

mod raw;
mod silent;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use layerlock_cli::door::{self, Limits};
use layerlock_cli::files;
use layerlock_cli::tls;
use raw::{CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, frame};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::service::Routes;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const MIB: usize = 1 << 20;
/// What a flood may cost while it lasts; each flood here pours twice as much.
const BOUND: usize = 24 * MIB;
const FLOOD: usize = 48 * MIB;

/// The memory is the process's: one test at a time.
static ONE: Mutex<()> = Mutex::const_new(());

/// A door, a house behind it that answers for its health, and an honest guest who asks all the time.
struct Door {
    dir: TempDir,
    address: SocketAddr,
    honest: JoinHandle<()>,
    peak: JoinHandle<usize>,
    before: usize,
    _one: MutexGuard<'static, ()>,
}

fn limits() -> Limits {
    let short = Duration::from_millis(500);
    Limits { patience: short, stall: short, keep_alive: short, per_address: 4096, ..Limits::default() }
}

/// Asks nobody whether they are still there: a flood is to be ended by what it is.
fn patient() -> Limits {
    Limits { keep_alive: Duration::from_secs(60), ..limits() }
}

impl Door {
    async fn open(limits: Limits) -> Self {
        let one = ONE.lock().await;
        let dir = tempfile::tempdir().expect("a folder");
        let acceptor = tls::acceptor(dir.path(), &["localhost".to_owned()]).expect("an identity is made");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let (_, health) = tonic_health::server::health_reporter();
        let routes = Routes::new(health);
        tokio::spawn(door::serve("test", listener, acceptor, routes, limits, std::future::pending()));
        let mut guest = HealthClient::new(channel(dir.path(), address).await);
        // Once before, so that what a first call costs is not counted.
        guest.check(HealthCheckRequest::default()).await.expect("the house answers");
        let before = resident();
        let honest = tokio::spawn(async move {
            loop {
                let call = guest.check(HealthCheckRequest::default());
                match timeout(Duration::from_secs(5), call).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(status)) => panic!("an honest guest was refused: {status}"),
                    Err(_) => panic!("an honest guest was not served"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let peak = tokio::spawn(async {
            let mut peak = resident();
            loop {
                tokio::time::sleep(Duration::from_millis(10)).await;
                peak = peak.max(resident());
                PEAK.store(peak, std::sync::atomic::Ordering::Relaxed);
            }
        });
        Self { dir, address, honest, peak, before, _one: one }
    }

    async fn guest(&self) -> raw::Stream {
        raw::open(self.dir.path(), self.address, &[]).await
    }

    /// Pours `bytes` in until it is a flood or the door has had enough, and reads what comes back.
    async fn flood(&self, bytes: Vec<u8>) {
        let (from, to) = split(self.guest().await);
        let fate = tokio::spawn(raw::fate(from, raw::FOREVER));
        let taken = raw::pour(to, &bytes, FLOOD).await;
        assert!(taken >= FLOOD || fate.await.expect("it reads").closed, "{taken} bytes were no flood");
    }

    /// Others were served all the time, and the memory kept its bound.
    async fn stood(self) {
        let mut guest = HealthClient::new(channel(self.dir.path(), self.address).await);
        guest.check(HealthCheckRequest::default()).await.expect("a new guest is served after it all");
        assert!(!self.honest.is_finished(), "{:?}", self.honest.await);
        self.honest.abort();
        self.peak.abort();
        let grown = PEAK.load(std::sync::atomic::Ordering::Relaxed).saturating_sub(self.before);
        PEAK.store(0, std::sync::atomic::Ordering::Relaxed);
        assert!(grown < BOUND, "{} MiB more are resident", grown / MIB);
    }
}

static PEAK: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

async fn channel(dir: &Path, address: SocketAddr) -> Channel {
    let pem = files::read(&dir.join(tls::AUTHORITY)).expect("the authority is there");
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
    let endpoint =
        Endpoint::from_shared(format!("https://localhost:{}", address.port())).expect("an address");
    endpoint.tls_config(tls).expect("a config").connect().await.expect("the door is open")
}

/// Bytes this process has in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux says");
    let pages: usize = text.split(' ').nth(1).expect("the second").parse().expect("a number");
    pages * 4096
}

/// A thousand calls, each begun and taken back.
fn taken_back() -> Vec<u8> {
    let call = raw::call(CHECK);
    let call = |id: u32| {
        [frame(HEADERS, END_HEADERS, id, &call), frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
    };
    (0..1000).flat_map(|n| call(2 * n + 1)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_begun_and_taken_back_end_the_connection() {
    let door = Door::open(limits()).await;
    let (from, to) = split(door.guest().await);
    let fate = tokio::spawn(raw::fate(from, Duration::from_secs(20)));
    raw::pour(to, &taken_back(), 1).await;
    let fate = fate.await.expect("it reads");
    assert!(fate.closed && fate.goaway.is_some_and(|code| code == 11), "{fate:?}");
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_end_the_connection() {
    let door = Door::open(limits()).await;
    let (from, mut to) = split(door.guest().await);
    let fate = tokio::spawn(raw::fate(from, Duration::from_secs(20)));
    to.write_all(&frame(HEADERS, 0, 1, &raw::call(CHECK))).await.expect("it takes a begin");
    let mut literal = vec![0, 1, b'a', 0x7f, 0x80, 0x7e];
    literal.extend([b'a'; 16_000]);
    let taken = raw::pour(to, &frame(CONTINUATION, 0, 1, &literal), FLOOD).await;
    let fate = fate.await.expect("it reads");
    assert!(fate.closed && taken < FLOOD, "{taken} bytes of header were taken, {fate:?}");
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_header_named_thousands_of_times_is_refused() {
    let door = Door::open(limits()).await;
    let (from, mut to) = split(door.guest().await);
    let fate = tokio::spawn(raw::fate(from, Duration::from_secs(3)));
    // 4,000 bytes into the table, then named by one byte each: 15 kB that mean 60 MB.
    let mut block = raw::call(CHECK);
    block.extend([0x40, 1, b'a', 0x7f, 0xa1, 0x1e]);
    block.extend([b'a'; 4000]);
    block.resize(16_000, 0xbe);
    for id in 0..50 {
        // The connection may be closed by then.
        let _ = to.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 2 * id + 1, &block)).await;
    }
    let fate = fate.await.expect("it reads");
    assert!(fate.closed || fate.resets.len() == 50, "a call with 60 MB of headers was taken: {fate:?}");
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_costs_no_memory() {
    let door = Door::open(patient()).await;
    let pings = frame(PING, 0, 0, &[1; 8]).repeat(1000);
    door.flood(pings).await;
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_settings_costs_no_memory() {
    let door = Door::open(patient()).await;
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(1000);
    door.flood(settings).await;
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_floods_and_reads_nothing_is_closed() {
    let door = Door::open(limits()).await;
    let (from, to) = split(door.guest().await);
    let begun = Instant::now();
    let taken = raw::pour(to, &frame(PING, 0, 0, &[1; 8]).repeat(1000), usize::MAX).await;
    assert!(begun.elapsed() < Duration::from_secs(20), "still open after {taken} bytes of pings");
    assert!(taken < FLOOD, "{taken} bytes were taken of one who takes no answer");
    drop(from);
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_calls_on_one_connection_are_refused_beyond_the_cap() {
    let door = Door::open(patient()).await;
    let (from, mut to) = split(door.guest().await);
    let fate = tokio::spawn(raw::fate(from, Duration::from_secs(5)));
    let block = raw::call(WATCH);
    let calls: Vec<u8> = (0..20_000).flat_map(|n| frame(HEADERS, END_HEADERS, 2 * n + 1, &block)).collect();
    // The connection may be closed before all are out.
    let _ = to.write_all(&calls).await;
    let fate = fate.await.expect("it reads");
    let refused = fate.resets.iter().filter(|code| **code == raw::REFUSED_STREAM).count();
    assert!(fate.closed || refused >= 20_000 - 64, "{refused} of 20,000 were refused");
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_that_never_open_cost_no_memory() {
    let door = Door::open(patient()).await;
    // SETTINGS_INITIAL_WINDOW_SIZE = 0: an answer may never be sent.
    let mut guests = Vec::new();
    for _ in 0..50 {
        let mut guest = raw::open(door.dir.path(), door.address, &[0, 4, 0, 0, 0, 0]).await;
        let block = raw::call(CHECK);
        for n in 0..64 {
            let id = 2 * n + 1;
            guest.write_all(&frame(HEADERS, END_HEADERS, id, &block)).await.expect("it takes a call");
            guest.write_all(&frame(0, END_STREAM, id, &[0; 5])).await.expect("it takes a message");
        }
        guests.push(guest);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_first_line_is_closed() {
    let door = Door::open(limits()).await;
    let mut guest = raw::shake(door.dir.path(), door.address).await.expect("it shakes hands");
    guest.write_all(&raw::PREFACE[..10]).await.expect("it takes half a line");
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(20), guest.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "half a line, and still open");
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_line_that_drips_in_is_closed() {
    let door = Door::open(limits()).await;
    let (mut from, mut to) = split(raw::shake(door.dir.path(), door.address).await.expect("it shakes hands"));
    let dripping = tokio::spawn(async move {
        for byte in raw::PREFACE.iter().cycle() {
            if to.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(2), from.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "dripping for two seconds, and still open");
    dripping.abort();
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_died_without_a_word_is_closed_in_time() {
    let door = Door::open(limits()).await;
    let begun = Instant::now();
    let (from, _to) = split(door.guest().await);
    let fate = raw::fate(from, Duration::from_secs(20)).await;
    let bound = limits().keep_alive + limits().patience + Duration::from_secs(2);
    assert!(fate.closed && begun.elapsed() < bound, "closed only after {:?}", begun.elapsed());
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_call_and_no_answer_to_a_ping_is_closed() {
    let door = Door::open(limits()).await;
    let mut guest = door.guest().await;
    guest.write_all(&frame(HEADERS, 0, 1, &raw::call(CHECK))).await.expect("it takes half a call");
    let (from, _to) = split(guest);
    let fate = raw::fate(from, Duration::from_secs(20)).await;
    assert!(fate.closed, "a guest that died in the middle of a call is still there");
    door.stood().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_that_say_nothing_are_closed() {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: files.maximum, maximum: files.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)
        .expect("it may have what it may have");
    let door = Door::open(limits()).await;
    let begun = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..2000 {
        let socket = TcpSocket::new_v4().expect("a socket");
        silent.push(socket.connect(door.address).await.expect("the door is there"));
    }
    for mut socket in silent {
        let mut rest = Vec::new();
        // Reset or ended: both are closed.
        let ended = timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "one that said nothing is still open");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "closed only after {:?}", begun.elapsed());
    door.stood().await;
}
