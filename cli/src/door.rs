//! The door of a service: TCP, TLS 1.3 and the limits no framework sets for us.
//!
//! A connection that does not come to the point is closed, whether it is silent before the handshake, in it or in the middle
//! of HTTP/2's first line; connections are capped in total and per address; streams per connection, header sizes, frames and
//! what is taken before it is read are bounded. What is kept for a connection is kept small, because a hundred thousand of
//! them wait here for a job. What a call means is none of the door's business: it is handed a service's routes and serves them.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::server::{Connected, Server};

use crate::sight::Calls;

/// How patient and how wide the door is.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time for the TLS handshake, and again for HTTP/2's first line after it.
    pub patience: Duration,
    /// Open connections in total.
    pub connections: usize,
    /// Open connections from one address.
    pub per_address: usize,
    /// Concurrent calls on one connection.
    pub streams: u32,
    /// Bytes of header in one call.
    pub header_bytes: u32,
    /// Bytes of one connection taken before the service has read them.
    pub unread_bytes: u32,
    /// The longest a connection may leave what is sent to it untaken.
    pub stall: Duration,
    /// Pause after which a connection is asked whether it is still there; it has [`Self::patience`] to answer.
    pub keep_alive: Duration,
}

/// Calls a guest may take back before they began, and calls we end for its errors, until it is sent away.
const RESETS: usize = 20;

/// What every HTTP/2 client says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Default for Limits {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(10),
            connections: 4096,
            per_address: 1024,
            streams: 64,
            header_bytes: 16 * 1024,
            unread_bytes: 256 * 1024,
            stall: Duration::from_secs(30),
            keep_alive: Duration::from_secs(20),
        }
    }
}

/// Serves `routes`, under the name metrics have for them, on `listener` until `shutdown` ends; running calls get to finish.
///
/// # Errors
/// When the transport can't be set up. A connection's own failure ends that connection only.
pub async fn serve(
    name: &'static str,
    listener: TcpListener,
    tls: TlsAcceptor,
    routes: Routes,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let (ready, incoming) = mpsc::channel(16);
    let accepting = tokio::spawn(accept(name, listener, tls, limits, ready));
    let closing = accepting.abort_handle();
    // Whoever comes from now on is refused at once and not left waiting in a hall that is being cleared.
    let shutdown = async move {
        shutdown.await;
        closing.abort();
    };
    let served = Server::builder()
        .layer(Calls)
        .max_concurrent_streams(limits.streams)
        .http2_max_pending_accept_reset_streams(Some(RESETS))
        .http2_max_local_error_reset_streams(Some(RESETS))
        .http2_max_header_list_size(limits.header_bytes)
        .initial_stream_window_size(limits.unread_bytes)
        .initial_connection_window_size(limits.unread_bytes)
        .http2_keepalive_interval(Some(limits.keep_alive))
        .http2_keepalive_timeout(Some(limits.patience))
        .add_routes(routes)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), shutdown)
        .await;
    accepting.abort();
    served
}

async fn accept(
    name: &'static str,
    listener: TcpListener,
    tls: TlsAcceptor,
    limits: Limits,
    ready: mpsc::Sender<io::Result<Guest>>,
) {
    let total = Arc::new(Semaphore::new(limits.connections));
    let crowd = Arc::new(Crowd::default());
    loop {
        let Ok((socket, address)) = listener.accept().await else {
            // Out of file descriptors, or the peer was gone before it was let in: pause, never spin.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (Ok(seat), Some(place)) =
            (Arc::clone(&total).try_acquire_owned(), crowd.enter(address.ip(), limits.per_address))
        else {
            tracing::warn!(%address, "connection refused: too many are open");
            metrics::counter!("layerlock_connections_refused_total", "service" => name).increment(1);
            continue;
        };
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            match greet(socket, tls, limits.patience).await {
                Ok(stream) => {
                    let counted = Counted::one(name);
                    drop(
                        ready
                            .send(Ok(Guest {
                                stream,
                                preface: PREFACE,
                                address,
                                stall: limits.stall,
                                stalled: None,
                                _seat: seat,
                                _place: place,
                                _counted: counted,
                            }))
                            .await,
                    )
                }
                Err(error) => tracing::debug!(%address, %error, "connection closed before its first call"),
            }
        });
    }
}

/// Handshake, then HTTP/2's first line: a guest that says nothing, half of it or something else never reaches the service,
/// whose own pings begin only behind that line.
async fn greet(socket: TcpStream, tls: TlsAcceptor, patience: Duration) -> io::Result<TlsStream<TcpStream>> {
    socket.set_nodelay(true)?;
    let mut stream = timeout(patience, tls.accept(socket)).await??;
    let mut first = [0; PREFACE.len()];
    timeout(patience, stream.read_exact(&mut first)).await??;
    if first != *PREFACE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the guest does not speak HTTP/2"));
    }
    Ok(stream)
}

/// How many connections each address has open.
#[derive(Default)]
struct Crowd(Mutex<HashMap<IpAddr, usize>>);

/// One address's claim to one of its connections; given back on drop.
struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Crowd {
    fn enter(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { crowd: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// A connection that speaks HTTP/2, with the seat it takes.
struct Guest {
    stream: TlsStream<TcpStream>,
    /// How much of the first line, which the door has read, is still to be handed on.
    preface: &'static [u8],
    address: SocketAddr,
    stall: Duration,
    /// Runs while the guest takes nothing of what it is sent; made only then.
    stalled: Option<Pin<Box<Sleep>>>,
    _seat: OwnedSemaphorePermit,
    _place: Place,
    _counted: Counted,
}

/// One connection, as long as it is open.
struct Counted(&'static str);

impl Counted {
    fn one(service: &'static str) -> Self {
        metrics::gauge!("layerlock_connections_open", "service" => service).increment(1);
        Self(service)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("layerlock_connections_open", "service" => self.0).decrement(1);
    }
}

impl Connected for Guest {
    type ConnectInfo = SocketAddr;

    fn connect_info(&self) -> SocketAddr {
        self.address
    }
}

impl AsyncRead for Guest {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.preface.is_empty() {
            let (now, later) = self.preface.split_at(self.preface.len().min(buf.remaining()));
            buf.put_slice(now);
            self.preface = later;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.in_time(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.in_time(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.in_time(shut, cx)
    }
}

impl Guest {
    /// Ends a write that has not got on for [`Limits::stall`]. HTTP/2's pings don't: to close a connection they write to it.
    fn in_time<T>(&mut self, wrote: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let stall = self.stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(stall)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
