//! Channels to the services: addresses and the pinned authority from the file that `layerlock serve` wrote.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use layerlock_terms::digest::Digest;
use serde::{Deserialize, Serialize};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use crate::files;

/// Where the services are and what to trust them by.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// Address of the licensor, `https://…`.
    pub licensor: String,
    /// Address of the vault, `https://…`.
    pub vault: String,
    /// The TLS authority's PEM file, beside this file unless absolute.
    pub authority: PathBuf,
    /// SHA-256 of the root, hex: compared at enrolment.
    pub root: String,
    /// Where the server's metrics are, for the operator on its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
}

/// Why no service can be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No connection file.
    #[error("{0}; start `layerlock serve`, or name its connection file with --connect")]
    NoFile(io::Error),
    /// A connection file that is none.
    #[error("{file}: {why}; `layerlock serve` writes a good one")]
    NotAConnection {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Nobody answers.
    #[error("no service answers at {address}: {why}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the transport says.
        why: String,
    },
}

impl Connection {
    /// Reads a connection file.
    pub fn read(file: &Path) -> Result<Self, ConnectError> {
        let bytes = files::read(file).map_err(ConnectError::NoFile)?;
        let not = |why: String| ConnectError::NotAConnection { file: file.to_owned(), why };
        let text = String::from_utf8(bytes).map_err(|error| not(error.to_string()))?;
        let mut connection: Self = toml::from_str(&text).map_err(|error| not(error.message().to_owned()))?;
        connection.authority = file.parent().unwrap_or(Path::new(".")).join(connection.authority);
        connection.root_digest().ok_or_else(|| not("`root` is not 64 hex digits".into()))?;
        Ok(connection)
    }

    /// Writes it where clients on this machine look.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let text = toml::to_string(self).expect("strings make TOML");
        files::write_public(file, text.as_bytes())
    }

    /// The root's digest.
    pub fn root_digest(&self) -> Option<Digest> {
        let bytes: Option<Vec<u8>> = (0..self.root.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(self.root.get(at..at + 2)?, 16).ok())
            .collect();
        bytes?.try_into().ok().map(Digest)
    }

    /// A channel to the licensor.
    pub async fn licensor(&self) -> Result<Channel, ConnectError> {
        self.open(&self.licensor).await
    }

    /// A channel to the vault.
    pub async fn vault(&self) -> Result<Channel, ConnectError> {
        self.open(&self.vault).await
    }

    async fn open(&self, address: &str) -> Result<Channel, ConnectError> {
        let unreachable = |error: tonic::transport::Error| ConnectError::Unreachable {
            address: address.to_owned(),
            why: innermost(&error),
        };
        self.endpoint(address)?.connect().await.map_err(unreachable)
    }

    /// An endpoint that connects when it is first used, and again after a loss.
    pub fn lazy(&self, address: &str) -> Result<Channel, ConnectError> {
        Ok(self.endpoint(address)?.connect_lazy())
    }

    fn endpoint(&self, address: &str) -> Result<Endpoint, ConnectError> {
        let pem = files::read(&self.authority).map_err(ConnectError::NoFile)?;
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
        let bad = |error: tonic::transport::Error| ConnectError::Unreachable {
            address: address.to_owned(),
            why: innermost(&error),
        };
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(bad)?;
        endpoint
            .connect_timeout(Duration::from_secs(10))
            .http2_keep_alive_interval(Duration::from_secs(20))
            .tls_config(tls)
            .map_err(bad)
    }
}

/// The last cause: "connection refused" rather than "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// A request that carries an API key.
pub fn with_key<T>(message: T, api_key: &str) -> Result<Request<T>, Status> {
    let bearer: MetadataValue<Ascii> = format!("Bearer {api_key}")
        .parse()
        .map_err(|_| Status::invalid_argument("the API key holds characters no API key has"))?;
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", bearer);
    Ok(request)
}
