//! Who this device is: keys, certificate, machine and the anchors it was enrolled under.
//!
//! Written once when enrolment is complete, read at every start, and verified again as if it had just come:
//! a file is no better witness than a network. Deliberately absent: the keys' bytes, which have their own file.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::trust::fresh;
use layerlock_terms::digest::{OpenKey, SignKey};
use layerlock_terms::ids::DeviceId;
use layerlock_terms::machine::{Machine, UnknownName};
use layerlock_terms::trust::{DeviceCertificate, Role};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Reader, Writer};

use crate::disk;
use crate::keys::DeviceKeys;
use crate::trust::{self, Anchors, TrustError};

/// Longest certificate statement, in bytes.
const CERTIFICATE_LIMIT: u32 = 4096;

/// A device's identity, shared by everything that speaks for it.
#[derive(Clone)]
pub(crate) struct Identity(Arc<Parts>);

struct Parts {
    keys: Arc<DeviceKeys>,
    certificate: Verified<DeviceCertificate>,
    machine: &'static Machine,
    anchors: Anchors,
}

/// Why an identity doesn't hold.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file can't be read or written.
    #[error("the identity file can't be read or written: {0}")]
    Io(#[from] io::Error),
    /// Its bytes are not an identity's.
    #[error("the identity file is malformed ({0}); enrol the device anew")]
    Malformed(#[from] Malformed),
    /// The chain doesn't hold.
    #[error("the certificate is not believed: {0}; enrol the device anew")]
    NotTrusted(#[from] TrustError),
    /// The certificate names other keys or another machine than asked for.
    #[error("the certificate names another {0} than this device has; enrol the device anew")]
    OtherDevice(&'static str),
    /// The certificate's machine isn't in the catalogue.
    #[error("{0}")]
    Machine(#[from] UnknownName),
}

impl Identity {
    /// Verifies that `certificate` is the licensor's for these keys, now.
    pub(crate) fn verify(
        keys: DeviceKeys,
        certificate: &Statement,
        anchors: Anchors,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let certificate = anchors.device(certificate, now)?;
        Self::of(keys, certificate, anchors)
    }

    fn of(
        keys: DeviceKeys,
        certificate: Verified<DeviceCertificate>,
        anchors: Anchors,
    ) -> Result<Self, IdentityError> {
        if certificate.sign != SignKey::from(keys.sign.verifying_key()) {
            return Err(IdentityError::OtherDevice("signing key"));
        }
        if certificate.open != OpenKey::from(keys.open.wrapping_key()) {
            return Err(IdentityError::OtherDevice("opening key"));
        }
        let machine = Machine::named(&certificate.machine)?;
        Ok(Self(Arc::new(Parts { keys: Arc::new(keys), certificate, machine, anchors })))
    }

    /// Writes everything but the keys.
    pub(crate) fn store(&self, path: &Path) -> io::Result<()> {
        disk::replace(path, &self.emit())
    }

    /// The file's bytes.
    pub(crate) fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        trust::write(&self.0.anchors, &mut w);
        w.bytes(&self.0.certificate.statement().emit());
        w.finish()
    }

    /// Reads and verifies what [`Identity::store`] wrote. Of the chain's ends only the certificate's own counts
    /// here: the others are asked whenever somebody is believed, and a walk to newer roots mends them.
    pub(crate) fn load(path: &Path, keys: DeviceKeys, now: Timestamp) -> Result<Self, IdentityError> {
        Self::parse(&std::fs::read(path)?, keys, now)
    }

    /// [`Identity::load`] from the file's bytes, wherever they are kept.
    pub(crate) fn parse(bytes: &[u8], keys: DeviceKeys, now: Timestamp) -> Result<Self, IdentityError> {
        let mut r = Reader::new(bytes);
        let anchors = trust::read(&mut r)?;
        let certificate = Statement::parse(r.bytes("certificate", CERTIFICATE_LIMIT)?)?;
        r.finish()?;
        let certificate: Verified<DeviceCertificate> =
            anchors.verify_of_record(Role::Licensor, &certificate)?;
        fresh("device certificate", certificate.expires, now)?;
        Self::of(keys, certificate, anchors)
    }

    /// The same device under newer anchors.
    pub(crate) fn under(&self, anchors: Anchors) -> Self {
        let Parts { keys, certificate, machine, .. } = &*self.0;
        let (keys, certificate) = (Arc::clone(keys), certificate.clone());
        Self(Arc::new(Parts { keys, certificate, machine, anchors }))
    }

    pub(crate) fn device(&self) -> DeviceId {
        self.0.certificate.device
    }

    pub(crate) fn keys(&self) -> &DeviceKeys {
        &self.0.keys
    }

    pub(crate) fn certificate(&self) -> &Verified<DeviceCertificate> {
        &self.0.certificate
    }

    pub(crate) fn machine(&self) -> &'static Machine {
        self.0.machine
    }

    pub(crate) fn anchors(&self) -> &Anchors {
        &self.0.anchors
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.device())
    }
}
