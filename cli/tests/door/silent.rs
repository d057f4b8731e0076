//! The door against guests that say nothing, say nonsense, or come in a crowd.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use layerlock_cli::door::{self, Limits};
use layerlock_cli::tls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tonic::service::Routes;

use crate::raw::shake;

const PATIENCE: Duration = Duration::from_millis(200);
/// Far over the door's patience: only a door that never closes is still open by then.
const FOREVER: Duration = Duration::from_secs(20);

async fn open(dir: &Path, limits: Limits) -> SocketAddr {
    let acceptor = tls::acceptor(dir, &["localhost".to_owned()]).expect("an identity is made");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    tokio::spawn(door::serve("test", listener, acceptor, Routes::default(), limits, std::future::pending()));
    address
}

fn limits() -> Limits {
    Limits { patience: PATIENCE, ..Limits::default() }
}

/// Reads until the other side ends it; an error is an end too.
async fn ended(mut stream: impl tokio::io::AsyncRead + Unpin) -> bool {
    let mut rest = Vec::new();
    timeout(FOREVER, stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let dir = tempfile::tempdir().expect("a folder");
    let address = open(dir.path(), limits()).await;
    let silent = TcpStream::connect(address).await.expect("the door is there");
    assert!(ended(silent).await, "silent before the handshake, and still open");
    let shaken = shake(dir.path(), address).await.expect("it shakes hands");
    assert!(ended(shaken).await, "silent after the handshake, and still open");
}

#[tokio::test]
async fn a_guest_that_speaks_no_tls_is_closed() {
    let dir = tempfile::tempdir().expect("a folder");
    let address = open(dir.path(), limits()).await;
    let mut plain = TcpStream::connect(address).await.expect("the door is there");
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("it can be written to");
    assert!(ended(plain).await);
}

#[tokio::test]
async fn one_address_cannot_take_every_seat() {
    let dir = tempfile::tempdir().expect("a folder");
    let patient = Limits { patience: FOREVER * 3, per_address: 2, ..Limits::default() };
    let address = open(dir.path(), patient).await;
    let first = shake(dir.path(), address).await.expect("a seat");
    let second = shake(dir.path(), address).await.expect("a seat");
    assert!(shake(dir.path(), address).await.is_err(), "a third seat for one address");
    drop((first, second));
}
