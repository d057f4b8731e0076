//! The machine's own TLS identity: a small certificate authority and one server certificate, made on first use.
//!
//! Clients pin the authority (`ca.pem`), never the system's. TLS 1.3 on ring only; there is nothing older to
//! fall back to. An operator with certificates of its own puts them in the same place.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::files;

/// File name of the authority clients pin.
pub const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "server.pem";
const KEY: &str = "server.key";

/// Why there is no TLS identity.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("TLS identity: {0}")]
    File(#[from] io::Error),
    /// A certificate could not be made.
    #[error("TLS identity could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// A PEM file is not what it should be.
    #[error(
        "`{file}` is not a usable PEM file: {why}; restore it, or delete all of {AUTHORITY}, {CERTIFICATE} and {KEY} to make new ones"
    )]
    Pem {
        /// The file.
        file: &'static str,
        /// The parser's words.
        why: String,
    },
    /// The certificate and key don't work together.
    #[error("TLS identity: {0}")]
    Rustls(#[from] rustls::Error),
}

/// The acceptor with the identity in `dir`, made for the names in `names` where there is none yet.
pub fn acceptor(dir: &Path, names: &[String]) -> Result<TlsAcceptor, TlsError> {
    if !dir.join(CERTIFICATE).exists() {
        make(dir, names)?;
    }
    let chain = CertificateDer::pem_file_iter(dir.join(CERTIFICATE))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsError::Pem { file: CERTIFICATE, why: error.to_string() })?;
    let key = PrivateKeyDer::from_pem_file(dir.join(KEY))
        .map_err(|error| TlsError::Pem { file: KEY, why: error.to_string() })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Writes the authority first and the certificate last: a crash between them leaves no certificate, so the
/// next start makes all three anew.
fn make(dir: &Path, names: &[String]) -> Result<(), TlsError> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.distinguished_name.push(DnType::CommonName, "Layerlock local authority");
    let authority_certificate = authority.self_signed(&authority_key)?;

    let server_key = KeyPair::generate()?;
    let server = CertificateParams::new(names.to_vec())?;
    let certificate = server.signed_by(&server_key, &Issuer::new(authority, authority_key))?;

    files::write_public(&dir.join(AUTHORITY), authority_certificate.pem().as_bytes())?;
    files::write_private(&dir.join(KEY), server_key.serialize_pem().as_bytes())?;
    files::write_public(&dir.join(CERTIFICATE), certificate.pem().as_bytes())?;
    Ok(())
}
