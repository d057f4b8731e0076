//! One device as light as can be: TCP from an address of its own choice, TLS 1.3, one HTTP/2 stream, the handshake of a
//! session, an ear for offers and a hand to fetch them. It prints nothing and believes whatever vault answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use layerlock_cli::connect::Connection;
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as Said;
use layerlock_proto::vault::v1::vault_message::Message as Heard;
use layerlock_seal::keys::SigningKey;
use layerlock_seal::statement::Statement;
use layerlock_terms::ids::DeviceId;
use layerlock_terms::trust::SessionProof;
use prost::Message as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::Failed;

/// How long one step may take while thousands come in.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a device proves itself by.
pub struct Papers {
    /// Its id.
    pub device: DeviceId,
    /// Statement: the licensor's certificate.
    pub certificate: Bytes,
    /// Signs its proofs.
    pub key: SigningKey,
}

/// The way to the vault.
#[derive(Clone)]
pub struct Way {
    /// Believes the house's own authority.
    pub tls: TlsConnector,
    /// Of the vault.
    pub address: SocketAddr,
}

impl Way {
    /// The way of this connection, which every device goes by itself.
    pub fn of(connection: &Connection) -> Result<Self, Failed> {
        let failed = |error: &dyn std::fmt::Display| Failed::at("TLS", error);
        let mut roots = rustls::RootCertStore::empty();
        let authority =
            CertificateDer::from_pem_file(&connection.authority).map_err(|error| failed(&error))?;
        roots.add(authority).map_err(|error| failed(&error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| failed(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Each device is a machine of its own: none resumes what another began.
        config.resumption = rustls::client::Resumption::disabled();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let port = connection.vault.rsplit(':').next().and_then(|port| port.parse().ok());
        let port: u16 = port.ok_or_else(|| Failed(format!("`{}` names no port", connection.vault)))?;
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        })
    }
}

/// What devices tell the bench.
pub enum Word {
    /// This job was offered at this moment.
    Offered(String, Instant),
    /// A session was over at this moment.
    Over(Instant),
}

/// An open session.
pub struct Session {
    inbound: Inbound,
    /// Dropped, it would end the stream.
    outbound: SendStream<Bytes>,
}

impl Session {
    /// Opens one, from `from`.
    pub async fn open(way: &Way, from: Ipv4Addr, papers: &Papers) -> Result<Self, Failed> {
        let opened = timeout(PATIENCE, Self::shake(way, from, papers)).await;
        opened.unwrap_or_else(|_| Err(Failed(format!("no session within {PATIENCE:?}"))))
    }

    async fn shake(way: &Way, from: Ipv4Addr, papers: &Papers) -> Result<Self, Failed> {
        let tcp = |error| Failed::at("TCP", error);
        let http = |error| Failed::at("HTTP/2", error);
        let socket = TcpSocket::new_v4().map_err(tcp)?;
        socket.bind((from, 0).into()).map_err(tcp)?;
        let socket = socket.connect(way.address).await.map_err(tcp)?;
        let name = ServerName::try_from("localhost").map_err(|error| Failed::at("name", error))?;
        let stream = way.tls.connect(name, socket).await.map_err(|error| Failed::at("TLS", error))?;
        let (client, connection) = h2::client::handshake(stream).await.map_err(http)?;
        // It ends when the server closes it.
        tokio::spawn(connection);
        let request = http::Request::post("https://localhost/layerlock.vault.v1.Sessions/OpenSession")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .map_err(|error| Failed::at("request", error))?;
        let mut client = client.ready().await.map_err(http)?;
        let (answer, mut outbound) = client.send_request(request, false).map_err(http)?;
        let body = answer.await.map_err(http)?.into_body();
        let mut inbound = Inbound { body, read: BytesMut::new() };
        let Some(Heard::Challenge(challenge)) = inbound.next().await? else {
            return Err(Failed("no challenge came".into()));
        };
        let challenge = challenge.try_into().map_err(|_| Failed("the challenge is not 32 bytes".into()))?;
        let proof = SessionProof { device: papers.device, challenge, nonce: [7; 32], counter: 1 };
        let hello = wire::Hello {
            certificate: papers.certificate.to_vec(),
            proof: Statement::sign(&proof, &papers.key).emit(),
        };
        let message = wire::DeviceMessage { message: Some(Said::Hello(hello)) };
        outbound.send_data(framed(&message), false).map_err(http)?;
        match inbound.next().await? {
            Some(Heard::Welcome(_)) => Ok(Self { inbound, outbound }),
            _ => Err(Failed("no welcome came".into())),
        }
    }

    /// What the vault says next; nothing once the session is over.
    pub async fn next(&mut self) -> Result<Option<Heard>, Failed> {
        self.inbound.next().await
    }

    /// Asks for all of what was offered.
    pub fn fetch(&mut self, offer: &wire::JobOffer) -> Result<(), Failed> {
        let header = Statement::parse(&offer.header).map_err(|error| Failed::at("offer", error))?.digest();
        let header = header.as_bytes().to_vec();
        let fetch = wire::Fetch { job: offer.job.clone(), from_segment: 0, header };
        let message = wire::DeviceMessage { message: Some(Said::Fetch(fetch)) };
        self.outbound.send_data(framed(&message), false).map_err(|error| Failed::at("HTTP/2", error))
    }

    /// Listens until the session is over.
    pub async fn listen(mut self, tell: mpsc::UnboundedSender<Word>) {
        while let Ok(Some(heard)) = self.inbound.next().await {
            if let Heard::Offer(offer) = heard {
                // Nobody listens once the run is over.
                let _ = tell.send(Word::Offered(offer.job, Instant::now()));
            }
        }
        let _ = tell.send(Word::Over(Instant::now()));
    }
}

struct Inbound {
    body: RecvStream,
    read: BytesMut,
}

impl Inbound {
    async fn next(&mut self) -> Result<Option<Heard>, Failed> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message.message);
            }
            let Some(data) = self.body.data().await else { return Ok(None) };
            let data = data.map_err(|error| Failed::at("HTTP/2", error))?;
            let freed = self.body.flow_control().release_capacity(data.len());
            freed.map_err(|error| Failed::at("HTTP/2", error))?;
            self.read.extend_from_slice(&data);
        }
    }

    /// A whole message: a byte that says it isn't compressed, its length, itself.
    fn take(&mut self) -> Result<Option<wire::VaultMessage>, Failed> {
        let Some(length) = self.read.get(1..5).and_then(|bytes| bytes.try_into().ok()) else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(length) as usize;
        if self.read.len() < 5 + length {
            return Ok(None);
        }
        self.read.advance(5);
        let message = wire::VaultMessage::decode(self.read.split_to(length).freeze());
        // Thousands of buffers that nothing is in are the bench's own memory.
        if self.read.is_empty() {
            self.read = BytesMut::new();
        }
        message.map(Some).map_err(|error| Failed::at("message", error))
    }
}

fn framed(message: &wire::DeviceMessage) -> Bytes {
    let body = message.encode_to_vec();
    let length = u32::try_from(body.len()).expect("a hello is short");
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend(body);
    frame.into()
}
