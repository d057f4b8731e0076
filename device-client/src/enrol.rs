//! Enrolment: a code typed by a person, two keys made here, one certificate (attack D7).
//!
//! The root is fetched and compared with the digest the person was given; then the device signs a request for
//! its two keys, opens the challenge to show that the second is its own, and is certified. Keys are on the disk
//! before anyone hears of them: if power is cut at any line, the same code with the same keys ends at the same
//! certificate. Deliberately absent: a way to enrol keys that were made elsewhere.

use std::io;
use std::path::Path;

use layerlock_proto::licensor::v1::devices_client::DevicesClient;
use layerlock_proto::licensor::v1::{BeginEnrolmentRequest, CompleteEnrolmentRequest};
use layerlock_seal::enrolment::{EnrolmentCode, NotACode, WrappedAnswer};
use layerlock_seal::statement::Statement;
use layerlock_terms::digest::{Digest, OpenKey, SignKey};
use layerlock_terms::machine::{Machine, UnknownName};
use layerlock_terms::trust::EnrolmentRequest;
use layerlock_terms::wire::Malformed;
use rand_core::CryptoRng;
use tonic::transport::Channel;

use crate::clock::Clock;
use crate::identity::{Identity, IdentityError};
use crate::keys::{DeviceKeys, KeyFileError, KeyPlace};
use crate::trust::{self, FetchError, TrustError};
use crate::{OpenError, files};

/// What a person says when a device enrols.
#[derive(Debug, Clone)]
pub struct Enrolment<'a> {
    /// The code, as typed.
    pub code: &'a str,
    /// Catalogue name of the machine behind the device.
    pub machine: &'a str,
    /// The device's own directory; made if it isn't there.
    pub home: &'a Path,
    /// The root's digest, as the person was told it. Without one, whoever answers first is believed.
    pub root_digest: Option<Digest>,
    /// What the device's maker says of it, if anything.
    pub attestation: Option<Statement>,
    /// Where the device's keys come from.
    pub keys: KeyPlace<'a>,
    /// Where the time is read.
    pub clock: Clock,
}

/// Why a device isn't enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// What was typed isn't a code.
    #[error("{0}")]
    Code(#[from] NotACode),
    /// The machine isn't in the catalogue.
    #[error("{0}")]
    Machine(#[from] UnknownName),
    /// There is an identity already.
    #[error("{0} holds an enrolled device already; choose another directory")]
    Already(std::path::PathBuf),
    /// The directory can't be used.
    #[error("the device's directory {path} can't be used: {source}")]
    Home {
        /// The directory.
        path: std::path::PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The keys can't be kept.
    #[error("{0}")]
    Keys(#[from] KeyFileError),
    /// What answers isn't the service meant.
    #[error("what answers is not the service you mean: {0}")]
    NotTrusted(#[from] TrustError),
    /// The licensor says no, or can't be reached.
    #[error("the licensor refuses: {}", .0.message())]
    Refused(#[from] tonic::Status),
    /// An answer of the wrong form.
    #[error("the licensor's answer is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// The challenge wasn't made for this device's key.
    #[error("the challenge was not made for this device's key; begin again with a fresh code")]
    OtherKey,
    /// The certificate isn't this device's.
    #[error("{0}")]
    Certificate(#[from] IdentityError),
    /// The enrolled device can't be opened.
    #[error("{0}")]
    Open(#[from] Box<OpenError>),
}

/// Enrols; leaves keys and identity in the home directory.
pub(crate) async fn enrol(
    licensor: Channel,
    wanted: &Enrolment<'_>,
    rng: &mut impl CryptoRng,
) -> Result<(), EnrolError> {
    let code = EnrolmentCode::parse(wanted.code)?;
    let machine = Machine::named(wanted.machine)?;
    prepare(wanted.home)?;
    let now = wanted.clock.now();
    let anchors = trust::fetch(licensor.clone(), 0).await?.begun(wanted.root_digest, now)?;
    let keys = DeviceKeys::load_or_make(&files::keys(wanted.home), wanted.keys, rng)?;
    let request = EnrolmentRequest {
        code: code.digest(),
        sign: keys.sign.verifying_key().into(),
        open: keys.open.wrapping_key().into(),
        machine: machine.name.to_owned(),
    };
    let request = Statement::sign(&request, &keys.sign);
    let certificate = certify(licensor, &request, wanted.attestation.as_ref(), &keys).await?;
    let identity = Identity::verify(keys, &certificate, anchors, now)?;
    if identity.machine() != machine {
        return Err(IdentityError::OtherDevice("machine").into());
    }
    let io = |source| EnrolError::Home { path: wanted.home.into(), source };
    identity.store(&files::identity(wanted.home)).map_err(io)
}

impl From<FetchError> for EnrolError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Refused(status) => Self::Refused(status),
            FetchError::Malformed(malformed) => Self::Malformed(malformed),
            FetchError::NoChain(why) => Self::NotTrusted(why),
        }
    }
}

async fn certify(
    licensor: Channel,
    request: &Statement,
    attestation: Option<&Statement>,
    keys: &DeviceKeys,
) -> Result<Statement, EnrolError> {
    let mut devices = DevicesClient::new(licensor);
    let bytes = request.emit();
    let begun = devices.begin_enrolment(BeginEnrolmentRequest { request: bytes.clone() }).await?.into_inner();
    let wrapped = WrappedAnswer::parse(&begun.encapsulated, &begun.ciphertext)?;
    let answer = keys.open.open_enrolment(&wrapped, &request.digest()).map_err(|_| EnrolError::OtherKey)?;
    let attestation = attestation.map(Statement::emit).unwrap_or_default();
    let complete =
        CompleteEnrolmentRequest { request: bytes, answer: answer.to_bytes().to_vec(), attestation };
    let certified = devices.complete_enrolment(complete).await?.into_inner();
    Ok(Statement::parse(&certified.certificate)?)
}

/// The public halves of the keys a device will be enrolled with, made if they are not there yet: what its maker
/// attests.
///
/// # Errors
/// When the directory can't be used, holds an enrolled device, or holds no keys of this program's.
pub fn public_keys(
    home: &Path,
    keys: KeyPlace<'_>,
    rng: &mut impl CryptoRng,
) -> Result<(SignKey, OpenKey), EnrolError> {
    prepare(home)?;
    let keys = DeviceKeys::load_or_make(&files::keys(home), keys, rng)?;
    Ok((keys.sign.verifying_key().into(), keys.open.wrapping_key().into()))
}

/// The home directory, for its owner only, without an identity in it.
fn prepare(home: &Path) -> Result<(), EnrolError> {
    use std::os::unix::fs::DirBuilderExt;
    let io = |source| EnrolError::Home { path: home.into(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(io)?;
    let taken = files::identity(home).try_exists().map_err(io)?;
    if taken { Err(EnrolError::Already(home.into())) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
