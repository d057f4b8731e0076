//! The trust chain's nouns: root, service and party certificates, revocations, session proofs.
//!
//! Root → service certificates (licensor, vault, checkpoint) and OEM authorities; licensor → seller and device
//! certificates; OEM authority → device attestations. Implements the byte forms of `proto/spec/trust.md`.
//! Deliberately absent: who believes what. That is `seal::trust`.

use crate::digest::{Digest, OpenKey, SignKey};
use crate::ids::{DesignId, DeviceId, SellerId};
use crate::license::Terms;
use crate::units::Timestamp;
use crate::wire::{Malformed, Noun, Reader, Writer};
use alloc::string::String;
use alloc::vec::Vec;

mod root;

pub use root::{Authority, DeviceAttestation, Role, Root, ServiceCertificate};

const MAX_NAME: u32 = 128;

/// Signed by the licensor: this key speaks for this seller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SellerCertificate {
    /// The seller.
    pub seller: SellerId,
    /// The seller's own key.
    pub key: SignKey,
    /// Not trusted at or after this moment.
    pub expires: Timestamp,
}

/// Signed by the licensor: these keys are this device's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The device.
    pub device: DeviceId,
    /// Verifies what the device signs.
    pub sign: SignKey,
    /// Keys are wrapped to this.
    pub open: OpenKey,
    /// Catalogue name of the machine behind it.
    pub machine: String,
    /// Not trusted at or after this moment.
    pub expires: Timestamp,
}

/// Signed by the device's own new key: proves that it holds it, and binds both keys to one enrolment code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentRequest {
    /// The enrolment code's hash, as `proto/spec/statement.md` forms it.
    pub code: Digest,
    /// The device's signing key.
    pub sign: SignKey,
    /// The device's opening key.
    pub open: OpenKey,
    /// Catalogue name of the machine behind it.
    pub machine: String,
}

/// Signed by the licensor: devices that may not print, as of now. Refused past its expiry, so that an old
/// list can't be replayed for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    /// Counts up; an older list is never accepted after a newer one.
    pub version: u64,
    /// Not fresh at or after this moment.
    pub expires: Timestamp,
    /// The revoked devices, in id order.
    pub devices: Vec<DeviceId>,
}

/// Signed by a seller: what is uploaded, under which name and within which terms it may be sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesignManifest {
    /// Whose design it is.
    pub seller: SellerId,
    /// The design this is a version of.
    pub design: DesignId,
    /// SHA-256 of the uploaded bytes: the version's name.
    pub version: Digest,
    /// Length of the uploaded bytes.
    pub length: u64,
    /// What people call it.
    pub name: String,
    /// The widest terms an offer may carry.
    pub terms: Terms,
}

/// Signed by a seller: opens calls to one vault for a short time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SellerPass {
    /// The seller.
    pub seller: SellerId,
    /// The vault's service key: a pass for one vault is nothing to another.
    pub vault: SignKey,
    /// Void at or after this moment.
    pub expires: Timestamp,
}

/// Signed by a vault: whoever holds it may send the bytes of one upload for a short time, and no others: the version is
/// their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadTicket {
    /// Whose upload it is.
    pub seller: SellerId,
    /// The design.
    pub design: DesignId,
    /// SHA-256 of the bytes.
    pub version: Digest,
    /// Void at or after this moment.
    pub expires: Timestamp,
}

/// Signed by a device: answers the vault's challenge, which opens a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionProof {
    /// The device.
    pub device: DeviceId,
    /// The vault's challenge.
    pub challenge: [u8; 32],
    /// The device's own challenge, answered by [`SessionWelcome`].
    pub nonce: [u8; 32],
    /// Counts up with every session; a clone or a restored image shows itself by falling behind.
    pub counter: u64,
}

/// Signed by the vault: answers the device's challenge and gives it a moment it can trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionWelcome {
    /// The device's challenge.
    pub nonce: [u8; 32],
    /// The vault's clock.
    pub now: Timestamp,
}

impl Noun for SellerCertificate {
    const TYPE: &'static str = "layerlock/seller-certificate/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let certificate = Self {
            seller: SellerId::from_bytes(r.array("seller")?),
            key: SignKey(r.array("key")?),
            expires: Timestamp(r.u64("expires")?),
        };
        r.finish()?;
        Ok(certificate)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.seller.as_bytes()).raw(self.key.as_bytes()).u64(self.expires.0);
        w.finish()
    }
}

impl Noun for DeviceCertificate {
    const TYPE: &'static str = "layerlock/device-certificate/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let certificate = Self {
            device: DeviceId::from_bytes(r.array("device")?),
            sign: SignKey(r.array("sign")?),
            open: OpenKey(r.array("open")?),
            machine: r.text("machine", MAX_NAME)?,
            expires: Timestamp(r.u64("expires")?),
        };
        r.finish()?;
        Ok(certificate)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.device.as_bytes()).raw(self.sign.as_bytes()).raw(self.open.as_bytes());
        w.bytes(self.machine.as_bytes()).u64(self.expires.0);
        w.finish()
    }
}

impl Noun for EnrolmentRequest {
    const TYPE: &'static str = "layerlock/enrolment-request/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let request = Self {
            code: Digest(r.array("code")?),
            sign: SignKey(r.array("sign")?),
            open: OpenKey(r.array("open")?),
            machine: r.text("machine", MAX_NAME)?,
        };
        r.finish()?;
        Ok(request)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.code.as_bytes()).raw(self.sign.as_bytes()).raw(self.open.as_bytes());
        w.bytes(self.machine.as_bytes());
        w.finish()
    }
}

impl Noun for Revocations {
    const TYPE: &'static str = "layerlock/revocations/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let list = Self {
            version: r.u64("version")?,
            expires: Timestamp(r.u64("expires")?),
            devices: r.list("devices", 1_000_000, |r| Ok(DeviceId::from_bytes(r.array("device")?)))?,
        };
        r.finish()?;
        if list.devices.is_sorted_by(|a, b| a < b) { Ok(list) } else { Err(Malformed::Value("devices")) }
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u64(self.version).u64(self.expires.0);
        w.list(&self.devices, |w, id| {
            w.raw(id.as_bytes());
        });
        w.finish()
    }
}

impl Noun for DesignManifest {
    const TYPE: &'static str = "layerlock/design/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let manifest = Self {
            seller: SellerId::from_bytes(r.array("seller")?),
            design: DesignId::from_bytes(r.array("design")?),
            version: Digest(r.array("version")?),
            length: r.u64("length")?,
            name: r.text("name", MAX_NAME)?,
            terms: Terms::read(&mut r)?,
        };
        r.finish()?;
        Ok(manifest)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.seller.as_bytes()).raw(self.design.as_bytes()).raw(self.version.as_bytes());
        w.u64(self.length).bytes(self.name.as_bytes());
        self.terms.write(&mut w);
        w.finish()
    }
}

impl Noun for SellerPass {
    const TYPE: &'static str = "layerlock/seller-pass/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let pass = Self {
            seller: SellerId::from_bytes(r.array("seller")?),
            vault: SignKey(r.array("vault")?),
            expires: Timestamp(r.u64("expires")?),
        };
        r.finish()?;
        Ok(pass)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.seller.as_bytes()).raw(self.vault.as_bytes()).u64(self.expires.0);
        w.finish()
    }
}

impl Noun for UploadTicket {
    const TYPE: &'static str = "layerlock/upload-ticket/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let ticket = Self {
            seller: SellerId::from_bytes(r.array("seller")?),
            design: DesignId::from_bytes(r.array("design")?),
            version: Digest(r.array("version")?),
            expires: Timestamp(r.u64("expires")?),
        };
        r.finish()?;
        Ok(ticket)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.seller.as_bytes()).raw(self.design.as_bytes()).raw(self.version.as_bytes());
        w.u64(self.expires.0);
        w.finish()
    }
}

impl Noun for SessionProof {
    const TYPE: &'static str = "layerlock/session-proof/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let proof = Self {
            device: DeviceId::from_bytes(r.array("device")?),
            challenge: r.array("challenge")?,
            nonce: r.array("nonce")?,
            counter: r.u64("counter")?,
        };
        r.finish()?;
        Ok(proof)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.device.as_bytes()).raw(&self.challenge).raw(&self.nonce).u64(self.counter);
        w.finish()
    }
}

impl Noun for SessionWelcome {
    const TYPE: &'static str = "layerlock/session-welcome/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let welcome = Self { nonce: r.array("nonce")?, now: Timestamp(r.u64("now")?) };
        r.finish()?;
        Ok(welcome)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&self.nonce).u64(self.now.0);
        w.finish()
    }
}
