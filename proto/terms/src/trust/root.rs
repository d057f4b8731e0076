//! What the offline keys say: the root itself, whom it certifies, and what an OEM it lists may say of a device.
//!
//! Byte forms and their rules are those of `proto/spec/trust.md`. Whether enough keys signed, and whether a
//! version may follow another, is decided in `seal::trust`; here is only what one root may hold.

use crate::digest::{OpenKey, SignKey};
use crate::units::Timestamp;
use crate::wire::{Malformed, Noun, Reader, Writer};
use alloc::string::String;
use alloc::vec::Vec;

const MOST_KEYS: u32 = 16;
const MOST_WITHDRAWN: u32 = 64;
const MOST_AUTHORITIES: u32 = 32;
const MOST_MACHINES: u32 = 32;
const MAX_NAME: u32 = 64;

/// Where all trust starts: the offline keys, how many of them must agree, and whom they name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Counts up by one with each rotation, from 1.
    pub version: u32,
    /// Not trusted at or after this moment.
    pub expires: Timestamp,
    /// How many of `keys` must sign.
    pub threshold: u8,
    /// The offline keys.
    pub keys: Vec<SignKey>,
    /// Service keys that serve no longer, whatever certificate they have; in order.
    pub withdrawn: Vec<SignKey>,
    /// Makers that may attest their own devices.
    pub authorities: Vec<Authority>,
}

/// A maker (OEM) whose key may attest devices of its own machines and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The maker's name; one maker may stand here with two keys while it changes them.
    pub name: String,
    /// Verifies its attestations.
    pub key: SignKey,
    /// Its attestations are not taken at or after this moment.
    pub expires: Timestamp,
    /// Catalogue names of the machines it may speak for, in order.
    pub machines: Vec<String>,
}

/// What a service key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Licenses, holds, device and seller certificates, revocations, settlements.
    Licensor = 1,
    /// Envelope headers, manifests, key releases, welcomes, job reports, countersignatures.
    Vault = 2,
    /// Ledger checkpoints.
    Checkpoint = 3,
}

/// Signed by the root's threshold: this key serves in this role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCertificate {
    /// What the key may sign.
    pub role: Role,
    /// The key.
    pub key: SignKey,
    /// Not trusted at or after this moment.
    pub expires: Timestamp,
}

/// Signed by an OEM authority: we made this device, these two keys are its own, this machine is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceAttestation {
    /// The maker's name, as the root lists it.
    pub oem: String,
    /// Catalogue name of the machine.
    pub machine: String,
    /// Verifies what the device signs.
    pub sign: SignKey,
    /// Keys are wrapped to this.
    pub open: OpenKey,
}

impl Root {
    /// A root that withdraws no key and lists no authority.
    pub fn new(version: u32, expires: Timestamp, threshold: u8, keys: Vec<SignKey>) -> Self {
        Self { version, expires, threshold, keys, withdrawn: Vec::new(), authorities: Vec::new() }
    }

    /// What one root may hold, beyond its shape.
    fn checked(self) -> Result<Self, Malformed> {
        let each = |holds: bool, field| if holds { Ok(()) } else { Err(Malformed::Value(field)) };
        // TR-7: nothing comes before version 1, so a client without a root has version 0.
        each(self.version >= 1, "version")?;
        // TR-8: no signature must never be enough, and enough must be possible.
        each(self.threshold >= 1 && usize::from(self.threshold) <= self.keys.len(), "threshold")?;
        // TR-9: a key twice would be two signers in one hand.
        each(distinct(&self.keys), "keys")?;
        // TR-11: one byte form for one set.
        each(self.withdrawn.is_sorted_by(|a, b| a < b), "withdrawn")?;
        // TR-12: an authority's key has that one use, and its names read the same to every key holder.
        let used: Vec<SignKey> =
            self.keys.iter().copied().chain(self.authorities.iter().map(|a| a.key)).collect();
        each(distinct(&used) && self.authorities.iter().all(Authority::is_plain), "authorities")?;
        Ok(self)
    }
}

impl Authority {
    fn is_plain(&self) -> bool {
        let machines = self.machines.iter().all(|machine| is_machine(machine));
        is_name(&self.name)
            && machines
            && !self.machines.is_empty()
            && self.machines.is_sorted_by(|a, b| a < b)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            name: r.text("authority's name", MAX_NAME)?,
            key: SignKey(r.array("authority's key")?),
            expires: Timestamp(r.u64("authority's end")?),
            machines: r.list("authority's machines", MOST_MACHINES, |r| r.text("machine", MAX_NAME))?,
        })
    }

    fn write(&self, w: &mut Writer) {
        w.bytes(self.name.as_bytes()).raw(self.key.as_bytes()).u64(self.expires.0);
        w.list(&self.machines, |w, machine| {
            w.bytes(machine.as_bytes());
        });
    }
}

impl Noun for Root {
    const TYPE: &'static str = "layerlock/root/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let key = |r: &mut Reader<'_>| Ok(SignKey(r.array("key")?));
        let root = Self {
            version: r.u32("version")?,
            expires: Timestamp(r.u64("expires")?),
            threshold: r.u8("threshold")?,
            keys: r.list("keys", MOST_KEYS, key)?,
            withdrawn: r.list("withdrawn", MOST_WITHDRAWN, key)?,
            authorities: r.list("authorities", MOST_AUTHORITIES, Authority::read)?,
        };
        r.finish()?;
        root.checked()
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        let key = |w: &mut Writer, key: &SignKey| {
            w.raw(key.as_bytes());
        };
        w.u32(self.version).u64(self.expires.0).u8(self.threshold);
        w.list(&self.keys, key).list(&self.withdrawn, key);
        w.list(&self.authorities, |w, authority| authority.write(w));
        w.finish()
    }
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Licensor, Self::Vault, Self::Checkpoint];

    /// The role's word in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Licensor => "licensor",
            Self::Vault => "vault",
            Self::Checkpoint => "checkpoint",
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let number = r.u8("role")?;
        Self::ALL.into_iter().find(|role| *role as u8 == number).ok_or(Malformed::Value("role"))
    }
}

impl core::fmt::Display for Role {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl Noun for ServiceCertificate {
    const TYPE: &'static str = "layerlock/service-certificate/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let certificate = Self {
            role: Role::read(&mut r)?,
            key: SignKey(r.array("key")?),
            expires: Timestamp(r.u64("expires")?),
        };
        r.finish()?;
        Ok(certificate)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(self.role as u8).raw(self.key.as_bytes()).u64(self.expires.0);
        w.finish()
    }
}

impl Noun for DeviceAttestation {
    const TYPE: &'static str = "layerlock/device-attestation/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let attestation = Self {
            oem: r.text("oem", MAX_NAME)?,
            machine: r.text("machine", MAX_NAME)?,
            sign: SignKey(r.array("sign")?),
            open: OpenKey(r.array("open")?),
        };
        r.finish()?;
        Ok(attestation)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(self.oem.as_bytes()).bytes(self.machine.as_bytes());
        w.raw(self.sign.as_bytes()).raw(self.open.as_bytes());
        w.finish()
    }
}

fn distinct(keys: &[SignKey]) -> bool {
    keys.iter().enumerate().all(|(place, key)| !keys[..place].contains(key))
}

/// What a machine may be called: as a name, and dots between (`voron-2.4-250`).
fn is_machine(name: &str) -> bool {
    name.split('.').all(is_name) && name.len() <= MAX_NAME as usize
}

/// What a name may be: 1 to 64 lower-case letters, digits and hyphens. Nothing that could read as something else
/// on a key holder's screen.
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= MAX_NAME as usize && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::MACHINES;

    fn listing(machines: Vec<String>) -> Authority {
        Authority { name: "acme".into(), key: SignKey([9; 32]), expires: Timestamp(1), machines }
    }

    #[test]
    fn every_machine_of_the_catalogue_may_be_a_makers() {
        assert!(MACHINES.iter().any(|machine| machine.name.contains('.')), "one with a dot is among them");
        for machine in MACHINES {
            assert!(listing(vec![machine.name.into()]).is_plain(), "{}", machine.name);
        }
    }

    #[test]
    fn names_that_could_read_as_something_else_are_no_machines() {
        let long = "a.".repeat(40);
        for name in ["", ".", "a.", ".a", "a..b", "A", "a b", "a/b", &long] {
            assert!(!listing(vec![name.into()]).is_plain(), "{name}");
        }
    }
}
