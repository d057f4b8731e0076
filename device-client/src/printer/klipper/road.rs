//! The roads messages travel: Klipper's unix socket, each message ended by `0x03`, or Moonraker's websocket
//! (rules K1, K2 and K9).
//!
//! What is handed over is whole and what is received is whole, and neither is longer than [`LONGEST`]. Both
//! directions can be broken off between two messages without loss. Deliberately absent: opening anything again, and TLS:
//! Moonraker is meant to be on the same machine or behind a tunnel.

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WebError, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use zeroize::Zeroizing;

use crate::printer::PrinterError;

/// The longest message taken: the whole state of a large machine is a tenth of it.
pub(super) const LONGEST: usize = 256 * 1024;
/// How long opening may take.
const OPENING: Duration = Duration::from_secs(5);
/// How long the other end may refuse bytes.
const WRITE: Duration = Duration::from_secs(5);
/// The end of a message on Klipper's socket.
const END: u8 = 0x03;

/// Anything bytes go through both ways.
pub(super) trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

/// An open road.
pub(super) enum Road {
    Socket(Socket),
    Web(Box<WebSocketStream<Box<dyn Pipe>>>),
}

/// Klipper's own framing on a pipe.
pub(super) struct Socket {
    pipe: Box<dyn Pipe>,
    input: Vec<u8>,
    /// So much of the input holds no end of a message.
    searched: usize,
    unwritten: Zeroizing<Vec<u8>>,
}

impl Road {
    /// Klipper's API server.
    pub(super) async fn socket(path: &Path) -> Result<Self, PrinterError> {
        let opened = timeout(OPENING, UnixStream::connect(path)).await;
        let cause = match opened {
            Ok(Ok(stream)) => return Ok(Self::over(stream)),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => "it takes no connection".to_owned(),
        };
        let mend =
            "start Klipper with its API server (`-a` and this path), and be in a group that may use it";
        Err(PrinterError::Unreachable { address: format!("klipper:{}", path.display()), cause, mend })
    }

    /// Klipper's framing over any pipe.
    pub(super) fn over(pipe: impl Pipe + 'static) -> Self {
        let (input, unwritten) = (Vec::new(), Zeroizing::new(Vec::new()));
        Self::Socket(Socket { pipe: Box::new(pipe), input, searched: 0, unwritten })
    }

    /// Moonraker, with its API key where it asks for one.
    pub(super) async fn moonraker(host: &str, port: u16, key: Option<&str>) -> Result<Self, PrinterError> {
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let address = format!("moonraker:http://{bracketed}:{port}");
        let unreachable = |cause: String| PrinterError::Unreachable {
            address: address.clone(),
            cause,
            mend: "start Moonraker, and check host and port; 7125 is its usual one",
        };
        let opened = timeout(OPENING, TcpStream::connect((host, port))).await;
        let stream = opened.unwrap_or(Err(std::io::ErrorKind::TimedOut.into()));
        let stream = stream.map_err(|error| unreachable(error.to_string()))?;
        // A script is small and waited for: it must not wait for another to go with.
        let _ = stream.set_nodelay(true);
        match timeout(OPENING, Self::web(stream, &format!("{bracketed}:{port}"), key)).await {
            Ok(Ok(road)) => Ok(road),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(_elapsed) => Err(unreachable("what listens there does not answer".to_owned())),
        }
    }

    /// The websocket over any pipe.
    pub(super) async fn web(
        pipe: impl Pipe + 'static,
        authority: &str,
        key: Option<&str>,
    ) -> Result<Self, WebError> {
        let mut request = format!("ws://{authority}/websocket").into_client_request()?;
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key)?;
            value.set_sensitive(true);
            request.headers_mut().insert("x-api-key", value);
        }
        let bounds = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
        let pipe: Box<dyn Pipe> = Box::new(pipe);
        let (stream, _) = client_async_with_config(request, pipe, Some(bounds)).await?;
        Ok(Self::Web(Box::new(stream)))
    }

    /// Takes one message; it may still be on its way. When this is broken off, the message was not taken.
    pub(super) async fn take(&mut self, message: &[u8]) -> Result<(), String> {
        match self {
            Self::Socket(socket) => {
                socket.unwritten.extend_from_slice(message);
                socket.unwritten.push(END);
                Ok(())
            }
            Self::Web(stream) => {
                let text = String::from_utf8_lossy(message).into_owned();
                let fed = timeout(WRITE, stream.feed(Message::text(text))).await;
                fed.map_err(|_elapsed| "it takes no bytes".to_owned())?.map_err(|error| error.to_string())
            }
        }
    }

    /// Sends what was taken on its way. Cancel-safe.
    pub(super) async fn flush(&mut self) -> Result<(), String> {
        match self {
            Self::Socket(socket) => socket.flush().await,
            Self::Web(stream) => {
                let flushed = timeout(WRITE, stream.flush()).await;
                flushed.map_err(|_elapsed| "it takes no bytes".to_owned())?.map_err(|error| error.to_string())
            }
        }
    }

    /// The next message. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Vec<u8>, String> {
        match self {
            Self::Socket(socket) => socket.next().await,
            Self::Web(stream) => loop {
                match stream.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(text.as_bytes().to_vec()),
                    Some(Ok(Message::Binary(bytes))) => return Ok(bytes.to_vec()),
                    Some(Ok(Message::Close(_))) | None => return Err("Moonraker closed it".to_owned()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Err(error)) => return Err(error.to_string()),
                }
            },
        }
    }
}

impl Socket {
    async fn flush(&mut self) -> Result<(), String> {
        while !self.unwritten.is_empty() {
            match timeout(WRITE, self.pipe.write(&self.unwritten)).await {
                Ok(Ok(count)) if count > 0 => drop(self.unwritten.drain(..count)),
                Ok(Ok(_)) => return Err("the socket is closed".to_owned()),
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_elapsed) => return Err("it takes no bytes".to_owned()),
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<u8>, String> {
        loop {
            if let Some(end) = self.input[self.searched..].iter().position(|&byte| byte == END) {
                let end = self.searched + end;
                let mut message: Vec<u8> = self.input.drain(..=end).collect();
                message.pop();
                self.searched = 0;
                return Ok(message);
            }
            self.searched = self.input.len();
            if self.input.len() > LONGEST {
                return Err(format!("a message of more than {LONGEST} bytes"));
            }
            self.input.reserve(4096);
            match self.pipe.read_buf(&mut self.input).await {
                Ok(0) if self.input.is_empty() => return Err("end of file".to_owned()),
                Ok(0) => return Err("end of file within a message".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}
