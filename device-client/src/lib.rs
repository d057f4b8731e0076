//! The device: holds two keys and a journal, and decides whether to move the machine (hops 8 to 13).
//!
//! A [`Device`] enrols once, then serves: it fetches sealed toolpaths, authenticates them whole, opens them as
//! their keys are released, drives the machine, signs receipts and looks its settlements up in the ledger.
//! `docs/life-of-a-print.md` walks through these files in order. Deliberately absent: a mesh, and any code that
//! reads one; this crate can't depend on it.

pub mod check;
pub mod clock;
mod disk;
pub mod embed;
pub mod enrol;
pub mod hand;
mod identity;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod link;
pub mod preflight;
pub mod print;
pub mod printer;
mod receipt;
pub mod serve;
pub mod session;
mod spool;
#[cfg(test)]
mod testbed;
pub mod trust;
mod waiting;

use std::fs::TryLockError;
use std::path::{Path, PathBuf};

use layerlock_seal::statement::Verified;
use layerlock_seal::trust::TrustedRoot;
use layerlock_terms::ids::{DeviceId, JobId};
use layerlock_terms::machine::Machine;
use layerlock_terms::trust::{DeviceCertificate, Role};
use rand_core::CryptoRng;
use tonic::transport::Channel;

pub use check::{Cleared, RecordedOffer, Refusal};
pub use clock::Clock;
pub use enrol::{EnrolError, Enrolment};
pub use hand::{Declined, Hand, Wish};
pub use identity::IdentityError;
pub use layerlock_gcode::{guard, writer as gcode};
pub use link::LinkError;
pub use preflight::{Bed, OwnersWord, Unready};
pub use print::Failure;
pub use printer::PrinterTarget;
pub use serve::{DeviceError, Notice, PrintReport, Until};

use crate::check::Standing;
use crate::clock::TrustedTime;
use crate::hand::Wishes;
use crate::identity::Identity;
use crate::journal::{Journal, JournalError};
use crate::keys::{DeviceKeys, KeyFileError, Token};
use crate::printer::tap::Tap;
use crate::serve::{Moored, Shift};
use crate::trust::{Anchors, FetchError, TrustError};

/// Where each of a device's files is.
pub(crate) mod files {
    use std::path::{Path, PathBuf};

    pub(crate) fn keys(home: &Path) -> PathBuf {
        home.join("keys")
    }

    pub(crate) fn identity(home: &Path) -> PathBuf {
        home.join("identity")
    }

    pub(crate) fn journal(home: &Path) -> PathBuf {
        home.join("journal")
    }

    pub(crate) fn lock(home: &Path) -> PathBuf {
        home.join("lock")
    }
}

/// An enrolled device. Only one can be open on a directory.
#[derive(Debug)]
pub struct Device {
    home: PathBuf,
    identity: Identity,
    /// The anchors of the identity, and the vaults that have proved themselves since.
    anchors: Anchors,
    journal: Journal,
    time: TrustedTime,
    tap: Tap,
    /// Given to whoever may pause, resume and cancel.
    hand: Hand,
    wishes: Wishes,
    _lock: disk::Lock,
}

/// Why a device can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{0} is in use by another process: one device is one process, stop the other")]
    InUse(PathBuf),
    /// There is no device, or it can't be read.
    #[error("{path} holds no enrolled device: {source}; enrol one there")]
    NoDevice {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The keys can't be used.
    #[error("{0}")]
    Keys(#[from] KeyFileError),
    /// The identity doesn't hold.
    #[error("{0}")]
    Identity(#[from] IdentityError),
    /// The journal can't be trusted.
    #[error("{0}")]
    Journal(#[from] JournalError),
}

/// Why newer anchors are not taken.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// They can't be fetched.
    #[error("{0}")]
    Fetch(#[from] FetchError),
    /// They don't follow from the pinned root.
    #[error("{0}")]
    NotTrusted(#[from] TrustError),
    /// They follow, and this device is nobody under them.
    #[error("the licensor key that certified this device serves no longer ({0}): enrol the device anew")]
    NotCertified(TrustError),
    /// They can't be kept.
    #[error("the identity file can't be written: {0}")]
    Io(#[from] std::io::Error),
}

impl Device {
    /// Enrols a new device and opens it.
    ///
    /// # Errors
    /// [`EnrolError`]; the same call again takes up where it was cut off.
    pub async fn enrol(
        licensor: Channel,
        wanted: Enrolment<'_>,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<Self, EnrolError> {
        enrol::enrol(licensor, &wanted, rng).await?;
        Ok(Self::open_with(wanted.home, wanted.clock, wanted.keys.token()).map_err(Box::new)?)
    }

    /// Opens an enrolled device by the system's clock.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(home: &Path) -> Result<Self, OpenError> {
        Self::open_at(home, Clock::system())
    }

    /// Opens an enrolled device by a clock that is passed in.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_at(home: &Path, clock: Clock) -> Result<Self, OpenError> {
        Self::open_with(home, clock, None)
    }

    /// Opens an enrolled device whose keys may lie in a token.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(home: &Path, clock: Clock, token: Option<&dyn Token>) -> Result<Self, OpenError> {
        let no_device = |source| OpenError::NoDevice { path: home.into(), source };
        let lock = disk::Lock::take(&files::lock(home)).map_err(|why| match why {
            TryLockError::WouldBlock => OpenError::InUse(home.into()),
            TryLockError::Error(source) => no_device(source),
        })?;
        std::fs::metadata(files::identity(home)).map_err(no_device)?;
        let keys = DeviceKeys::load(&files::keys(home), token)?;
        let journal = Journal::open(&files::journal(home))?;
        let mut time = TrustedTime::new(clock, journal.memory().floor());
        let identity = Identity::load(&files::identity(home), keys, time.now())?;
        let anchors = identity.anchors().clone();
        let (tap, (hand, wishes)) = (Tap::default(), hand::hand());
        Ok(Self { home: home.into(), identity, anchors, journal, time, tap, hand, wishes, _lock: lock })
    }

    /// Which device this is.
    pub fn id(&self) -> DeviceId {
        self.identity.device()
    }

    /// The licensor's certificate for this device's keys.
    pub fn certificate(&self) -> &Verified<DeviceCertificate> {
        self.identity.certificate()
    }

    /// The machine behind it.
    pub fn machine(&self) -> &'static Machine {
        self.identity.machine()
    }

    /// Serves the vault: takes jobs, prints them on `printer`, tells `watch`; gives the last job's report.
    ///
    /// # Errors
    /// [`DeviceError`]. The machine is safe then, and what is owed to the vault is in the journal: the next
    /// start sends it.
    pub async fn serve(
        &mut self,
        vault: Channel,
        printer: PrinterTarget,
        watch: &mut (dyn FnMut(Notice<'_>) + Send),
        until: Until,
    ) -> Result<Option<PrintReport>, DeviceError> {
        let berth = Moored { printer, tap: self.tap.clone() };
        Shift::serve(self, vault, &berth, watch, until).await
    }

    /// The job that is not in the ledger yet, if there is one.
    pub fn unsettled(&self) -> Option<JobId> {
        self.journal.memory().active().map(|active| active.job)
    }

    /// Where what crosses the wire to its machine can be watched, without movements.
    pub fn tap(&self) -> Tap {
        self.tap.clone()
    }

    /// What pauses a print, goes on with it, or ends it, while the device serves.
    pub fn hand(&self) -> Hand {
        self.hand.clone()
    }

    /// Runs a recorded offer and its envelope through the same check a live job runs through. Nothing moves
    /// and nothing is recorded.
    ///
    /// # Errors
    /// [`Refusal`], with the first reason found.
    pub fn examine(&mut self, recorded: &RecordedOffer) -> Result<Cleared, Refusal> {
        check::examine(recorded, &self.standing())
    }

    /// Tries whether a recorded release opens with this device's key, whatever else speaks against it. The header
    /// must be by a vault this device trusts.
    ///
    /// # Errors
    /// [`Refusal`]; [`Refusal::CannotUnwrap`] with the first epoch that doesn't open.
    pub fn try_keys(&mut self, header: &[u8], release: &[u8]) -> Result<(), Refusal> {
        let header = check::trusted_header(header, &self.standing())?;
        let release = check::key_release(release, &header)?;
        let opens = |epoch| self.identity.keys().open.open_epoch(&release, &header, epoch).is_ok();
        let mut epochs = release.epochs.iter().map(|wrapped| wrapped.epoch);
        epochs.find(|epoch| !opens(*epoch)).map_or(Ok(()), |epoch| Err(Refusal::CannotUnwrap { epoch }))
    }

    /// Fetches what followed the pinned root, and the services under the newest; gives its version.
    ///
    /// # Errors
    /// [`RenewError`]; the pinned anchors stay, unless newer ones hold and leave this device out.
    pub async fn renew_trust(&mut self, licensor: Channel) -> Result<u32, RenewError> {
        let pinned = self.identity.anchors().root();
        let renewed = trust::fetch(licensor, pinned.version()).await?.walked(pinned, self.time.now())?;
        let identity = self.identity.under(renewed.clone());
        // Pinned first: whoever withdrew our licensor's key meant it, also if power is cut here.
        identity.store(&files::identity(&self.home))?;
        let certified = renewed
            .verify_of_record::<DeviceCertificate>(Role::Licensor, identity.certificate().statement())
            .map(drop);
        let version = renewed.root().version();
        (self.identity, self.anchors) = (identity, renewed);
        certified.map(|()| version).map_err(RenewError::NotCertified)
    }

    /// The pinned root.
    pub fn root(&self) -> &TrustedRoot {
        self.identity.anchors().root()
    }

    fn standing(&mut self) -> Standing<'_> {
        Standing {
            now: self.time.now(),
            device: self.identity.device(),
            machine: self.identity.machine(),
            anchors: &self.anchors,
            memory: self.journal.memory(),
        }
    }
}
