//! Whom this device believes: the root it was given at enrolment, and how it hears of newer ones.
//!
//! What is believed is decided by `seal::trust`, the same code for every party; here a chain is fetched, bounded,
//! and the pinned one is written to and read from the disk. Deliberately absent: names and addresses. A vault is
//! its key, wherever it answers.

use layerlock_proto::licensor::v1::GetTrustRequest;
use layerlock_proto::licensor::v1::trust_client::TrustClient;
use layerlock_seal::trust::{Endorsement, TrustedRoot};
use layerlock_terms::digest::Digest;
use layerlock_terms::trust::Root;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Reader, Writer};
use tonic::transport::Channel;

pub use layerlock_seal::trust::{Anchors, TrustError};

/// Most roots a licensor gives at once.
const PAGE: usize = 16;
/// Most answers that are asked for: a chain of a thousand rotations is no chain anybody made.
const PAGES: u32 = 64;
/// Most certificates that are read.
const MOST_CERTIFICATES: usize = 64;
/// Longest endorsement on the disk, in bytes.
const ENDORSEMENT_LIMIT: u32 = 256 * 1024;

/// Roots in their order, and the certificates under the last: as fetched, nothing of it believed yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// The roots after the one the caller has.
    pub roots: Vec<Endorsement>,
    /// The certificates of the services.
    pub certificates: Vec<Endorsement>,
}

/// Why a chain can't be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The licensor says no, or can't be reached.
    #[error("the licensor refuses: {}", .0.message())]
    Refused(#[from] tonic::Status),
    /// An answer of the wrong form.
    #[error("the licensor's answer is malformed: {0}; it may be of another version of this program")]
    Malformed(#[from] Malformed),
    /// An answer that isn't about roots, or never comes to an end.
    #[error("the licensor's answer is no chain of roots: {0}")]
    NoChain(#[from] TrustError),
}

/// Fetches the roots after `version`, all of them.
///
/// # Errors
/// [`FetchError`].
pub async fn fetch(licensor: Channel, version: u32) -> Result<Chain, FetchError> {
    let mut client = TrustClient::new(licensor);
    let (mut chain, mut root_version) = (Chain::default(), version);
    for _ in 0..PAGES {
        let answer = client.get_trust(GetTrustRequest { root_version }).await?.into_inner();
        let roots = endorsements(&answer.roots, PAGE)?;
        chain.certificates = endorsements(&answer.service_certificates, MOST_CERTIFICATES)?;
        let (given, last) = (roots.len(), roots.last().ok_or(TrustError::NoRoot)?.read::<Root>()?);
        chain.roots.extend(roots);
        if given < PAGE {
            return Ok(chain);
        }
        root_version = last.version;
    }
    Err(Malformed::Value("roots").into())
}

fn endorsements(seen: &[Vec<u8>], most: usize) -> Result<Vec<Endorsement>, Malformed> {
    if seen.len() > most {
        return Err(Malformed::Value("endorsements"));
    }
    seen.iter().map(|bytes| Endorsement::parse(bytes)).collect()
}

impl Chain {
    /// What a newcomer believes: from the root it was told of, or the newest, to the last, which must be current.
    ///
    /// # Errors
    /// [`TrustError`] at the first thing that doesn't hold.
    pub fn begun(&self, told: Option<Digest>, now: Timestamp) -> Result<Anchors, TrustError> {
        self.under(TrustedRoot::first(&self.roots, told)?, now)
    }

    /// What a party that has pinned `root` believes: walked from there to the last, which must be current.
    ///
    /// # Errors
    /// [`TrustError`]; the pinned root stays.
    pub fn walked(&self, root: &TrustedRoot, now: Timestamp) -> Result<Anchors, TrustError> {
        self.under(root.clone().walk(&self.roots)?, now)
    }

    fn under(&self, root: TrustedRoot, now: Timestamp) -> Result<Anchors, TrustError> {
        root.current(now)?;
        Anchors::new(root, &self.certificates)
    }
}

/// Writes root and certificates as they were received.
pub(crate) fn write(anchors: &Anchors, w: &mut Writer) {
    w.bytes(&anchors.root().endorsed().endorsement().emit());
    w.list(anchors.services(), |w, service| {
        w.bytes(&service.endorsement().emit());
    });
}

/// Reads and verifies what [`write`] wrote. Ends are not looked at: a device that was off for years begins with
/// what it has, and can do nothing before it has walked on.
pub(crate) fn read(r: &mut Reader<'_>) -> Result<Anchors, TrustError> {
    let one = |r: &mut Reader<'_>| Endorsement::parse(r.bytes("endorsement", ENDORSEMENT_LIMIT)?);
    let root = TrustedRoot::begin(&one(r)?)?;
    let certificates = r.list("services", MOST_CERTIFICATES as u32, one)?;
    Anchors::new(root, &certificates)
}

#[cfg(test)]
mod tests;
