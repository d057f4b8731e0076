//! The double's ends of the roads: Klipper's socket, Moonraker's websocket before it, in memory or as they are bound.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::{Double, Said, Tell};
use crate::printer::PrinterError;
use crate::printer::klipper::Opens;
use crate::printer::klipper::road::{Pipe, Road};
use crate::printer::klipper::speech::Tongue;

/// The machine, reached over memory as often as anyone likes.
#[async_trait]
impl Opens for (Double, Tongue) {
    fn tongue(&self) -> Tongue {
        self.1
    }

    async fn open(&self) -> Result<Road, PrinterError> {
        Ok(match self.1 {
            Tongue::Klipper => self.0.plug_in(),
            Tongue::Moonraker => self.0.plug_in_moonraker().await,
        })
    }
}

impl Double {
    /// A connection in memory.
    pub(in crate::printer::klipper) fn plug_in(&self) -> Road {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.clone().klipper(theirs));
        Road::over(ours)
    }

    /// The same through Moonraker.
    pub(in crate::printer::klipper) async fn plug_in_moonraker(&self) -> Road {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.clone().moonraker(theirs));
        Road::web(ours, "double", None).await.expect("the double lets everybody in")
    }

    /// A socket as Klipper binds it.
    pub(in crate::printer::klipper) fn listen(&self, dir: &Path) -> PathBuf {
        let path = dir.join("klippy_uds");
        let listener = UnixListener::bind(&path).expect("a socket can be bound in a fresh directory");
        let double = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(double.clone().klipper(stream));
            }
        });
        path
    }

    /// A port as Moonraker binds it; the system chooses which.
    pub(in crate::printer::klipper) async fn listen_moonraker(&self) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let double = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(double.clone().moonraker(stream));
            }
        });
        port
    }

    async fn klipper(self, pipe: impl Pipe + 'static) {
        let (mut from, mut to) = tokio::io::split(pipe);
        let (tell, mut told) = mpsc::unbounded_channel();
        let connection = tokio::spawn({
            let double = self.clone();
            let (requests, incoming) = mpsc::unbounded_channel();
            let serving = tokio::spawn(double.serve(incoming, tell, false));
            async move {
                let mut input = Vec::new();
                while from.read_buf(&mut input).await.is_ok_and(|count| count > 0) {
                    while let Some(end) = input.iter().position(|&byte| byte == 3) {
                        let message: Vec<u8> = input.drain(..=end).collect();
                        let _ = requests.send(message[..end].to_vec());
                    }
                }
                serving.abort();
            }
        });
        while let Some(message) = told.recv().await {
            let (message, is_last) = match message {
                Said::Whole(message) => ([message, vec![3]].concat(), false),
                Said::Last(bytes) => (bytes, true),
            };
            if to.write_all(&message).await.is_err() || is_last {
                break;
            }
        }
        connection.abort();
        let _ = to.shutdown().await;
    }

    async fn moonraker(self, pipe: impl Pipe + 'static) {
        let key = self.state.lock().unwrap().key.clone();
        let stranger = AtomicBool::new(false);
        #[allow(clippy::result_large_err, reason = "the library's own type")]
        let check = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            // Moonraker lets everybody in and tells strangers so with every answer.
            let shown = request.headers().get("x-api-key").and_then(|value| value.to_str().ok());
            stranger.store(key.is_some() && shown != key.as_deref(), Ordering::Relaxed);
            Ok(response)
        };
        let Ok(stream) = tokio_tungstenite::accept_hdr_async(pipe, check).await else { return };
        let (mut to, mut from) = stream.split();
        let (tell, mut told) = mpsc::unbounded_channel();
        let (requests, incoming) = mpsc::unbounded_channel();
        let serving = match stranger.into_inner() {
            true => tokio::spawn(turn_away(incoming, tell)),
            false => tokio::spawn(self.serve(incoming, tell, true)),
        };
        let reading = tokio::spawn(async move {
            while let Some(Ok(message)) = from.next().await {
                let _ = requests.send(message.into_data().to_vec());
            }
        });
        while let Some(Said::Whole(message)) = told.recv().await {
            let text = String::from_utf8_lossy(&message).into_owned();
            if to.send(Message::text(text)).await.is_err() {
                break;
            }
        }
        serving.abort();
        reading.abort();
    }
}

/// What Moonraker says to whom it does not know.
async fn turn_away(mut requests: mpsc::UnboundedReceiver<Vec<u8>>, tell: Tell) {
    while let Some(request) = requests.recv().await {
        let request: Value = serde_json::from_slice(&request).expect("the client speaks JSON");
        let error = json!({"code": 401, "message": "Unauthorized"});
        let _ = tell.send(Said::Whole(
            json!({"jsonrpc": "2.0", "id": request["id"], "error": error}).to_string().into_bytes(),
        ));
    }
}
