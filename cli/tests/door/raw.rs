//! A client that sends whatever frames it likes: TLS, HTTP/2's first line, and then bytes.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use layerlock_cli::tls;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub const REFUSED_STREAM: u32 = 7;

/// Far over every deadline of the door's: only a door that never closes is still open by then.
pub const FOREVER: Duration = Duration::from_secs(30);

/// A connection.
pub type Stream = TlsStream<TcpStream>;

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The header block of a call to `path`.
pub fn call(path: &str) -> Vec<u8> {
    // POST and https by their numbers in the static table, then literals that nobody keeps.
    let mut block = vec![0x83, 0x87];
    for (name, value) in [(0x04, path), (0x01, "localhost")] {
        block.push(name);
        block.push(u8::try_from(value.len()).expect("short"));
        block.extend(value.as_bytes());
    }
    for (name, value) in [("content-type", "application/grpc"), ("te", "trailers")] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("short"));
            block.extend(text.as_bytes());
        }
    }
    block
}

pub fn connector(dir: &Path) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(dir.join(tls::AUTHORITY)).expect("the authority is there");
    roots.add(authority).expect("it is a certificate");
    let mut config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3 is there")
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// TLS, and nothing behind it.
pub async fn shake(dir: &Path, address: SocketAddr) -> io::Result<Stream> {
    let name = ServerName::try_from("localhost").expect("a name");
    connector(dir).connect(name, TcpStream::connect(address).await?).await
}

/// TLS and HTTP/2's begin, with these settings.
pub async fn open(dir: &Path, address: SocketAddr, settings: &[u8]) -> Stream {
    let mut stream = shake(dir, address).await.expect("it shakes hands");
    stream.write_all(PREFACE).await.expect("it takes the first line");
    stream.write_all(&frame(SETTINGS, 0, 0, settings)).await.expect("it takes settings");
    stream
}

/// What came back before the end.
#[derive(Debug, Default)]
pub struct Fate {
    /// The code of the last GOAWAY.
    pub goaway: Option<u32>,
    /// The code of each stream that was reset.
    pub resets: Vec<u32>,
    /// Whether the connection was closed.
    pub closed: bool,
}

/// Reads until the other side closes, or for `longest`.
pub async fn fate(mut from: ReadHalf<Stream>, longest: Duration) -> Fate {
    let mut fate = Fate::default();
    let reading = async {
        loop {
            let mut head = [0; 9];
            from.read_exact(&mut head).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; length];
            from.read_exact(&mut payload).await?;
            let code = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().expect("four"));
            match head[3] {
                GOAWAY => fate.goaway = Some(code(4)),
                RST_STREAM => fate.resets.push(code(0)),
                _ => {}
            }
        }
        #[allow(unreachable_code, reason = "it says what the error is")]
        Ok::<(), io::Error>(())
    };
    let ended = timeout(longest, reading).await.is_ok();
    fate.closed = ended;
    fate
}

/// Writes `bytes` again and again until the other side takes no more; answers how many it took.
pub async fn pour(mut to: WriteHalf<Stream>, bytes: &[u8], most: usize) -> usize {
    let mut taken = 0;
    let pouring = async {
        while taken < most {
            if to.write_all(bytes).await.is_err() {
                break;
            }
            taken += bytes.len();
        }
        // What is kept open ends when the other side says so, not here.
        let _ = to.flush().await;
    };
    // A slow machine pours slowly, and is no sooner done.
    let _ = timeout(4 * FOREVER, pouring).await;
    taken
}
