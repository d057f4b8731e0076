//! Whom a root vouches for: services by certificate, OEM authorities by name, and what each of them may state.
//!
//! Everything is held against the clock when it is used and not when it is taken, so that what was believed
//! yesterday is asked again today. A key serves in its role and no other; an authority speaks for its machines
//! and no other.

use alloc::vec::Vec;
use layerlock_terms::digest::{OpenKey, SignKey};
use layerlock_terms::trust::{
    Authority, DeviceAttestation, DeviceCertificate, Revocations, Role, SellerCertificate, ServiceCertificate,
};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;

use super::{Endorsed, Endorsement, TrustError, TrustedRoot};
use crate::keys::VerifyingKey;
use crate::statement::{Statement, Verified};

/// What [`TrustError::Expired`] calls a list of revocations past its end.
pub const STALE: &str = "list of revocations";

/// A root and the services it certifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors {
    root: TrustedRoot,
    services: Vec<Endorsed<ServiceCertificate>>,
}

/// A device that its maker vouches for. Made by [`Anchors::attested`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested(Verified<DeviceAttestation>);

impl Anchors {
    /// A root, and the certificates that came with it.
    ///
    /// # Errors
    /// What [`Anchors::certify`] refuses, at the first certificate that is refused.
    pub fn new(root: TrustedRoot, certificates: &[Endorsement]) -> Result<Self, TrustError> {
        let mut anchors = Self { root, services: Vec::new() };
        certificates.iter().try_for_each(|certificate| anchors.certify(certificate))?;
        Ok(anchors)
    }

    /// Takes a service certificate; the same key and role again replaces what was known of it.
    ///
    /// # Errors
    /// What [`Anchors::certified`] refuses.
    pub fn certify(&mut self, certificate: &Endorsement) -> Result<(), TrustError> {
        let certificate = self.certified(certificate)?;
        self.services.retain(|known| (known.role, known.key) != (certificate.role, certificate.key));
        self.services.push(certificate);
        Ok(())
    }

    /// Checks a service certificate against the root, whatever its end: that is asked when it is used.
    ///
    /// # Errors
    /// Fewer than the root's threshold signed it (TR-20), its key is unfit (TR-10), the root withdrew it (TR-21), or
    /// the key has another purpose (TR-34, TR-35).
    pub fn certified(&self, certificate: &Endorsement) -> Result<Endorsed<ServiceCertificate>, TrustError> {
        let root = &self.root;
        let certificate: Endorsed<ServiceCertificate> =
            Endorsed::by(certificate, root.keys(), root.threshold, root.version())?;
        let key = VerifyingKey::try_from(certificate.key)
            .map_err(|_| TrustError::UnfitService(certificate.role))?;
        if root.withdrawn.contains(&certificate.key) {
            return Err(TrustError::Withdrawn(key.key_id()));
        }
        match self.other_purpose(&certificate) {
            None => Ok(certificate),
            Some(purpose) => Err(TrustError::OtherPurpose { key: key.key_id(), purpose }),
        }
    }

    /// What else the key is for: a key of two purposes lets what was signed for one be shown for the other (KEY-5),
    /// and falls for both at once.
    fn other_purpose(&self, certificate: &ServiceCertificate) -> Option<&'static str> {
        let ServiceCertificate { role, key, .. } = certificate;
        let in_other_role = |known: &&Endorsed<ServiceCertificate>| known.key == *key && known.role != *role;
        let other_role = || self.services.iter().find(in_other_role).map(|known| known.role.name());
        self.root.purpose_of(key).or_else(other_role)
    }

    /// Verifies a noun that only a key of this role may state.
    ///
    /// # Errors
    /// The root or the key's certificate is past its end (TR-19, TR-23), no such key serves in this role (TR-22),
    /// or what the statement itself is refused for.
    pub fn verify<T: Noun>(
        &self,
        role: Role,
        statement: &Statement,
        now: Timestamp,
    ) -> Result<Verified<T>, TrustError> {
        self.root.current(now)?;
        let (key, certificate) = self.signer(role, statement)?;
        fresh("service certificate", certificate.expires, now)?;
        Ok(statement.verify(&key)?)
    }

    /// Verifies what a key of this role stated while it served, whatever has ended since: for a party's own
    /// records, which were held against the clock when they were made. A withdrawn key's word is void even so.
    ///
    /// # Errors
    /// As [`Anchors::verify`], but for time.
    pub fn verify_of_record<T: Noun>(
        &self,
        role: Role,
        statement: &Statement,
    ) -> Result<Verified<T>, TrustError> {
        let (key, _) = self.signer(role, statement)?;
        Ok(statement.verify(&key)?)
    }

    fn signer(
        &self,
        role: Role,
        statement: &Statement,
    ) -> Result<(VerifyingKey, &Endorsed<ServiceCertificate>), TrustError> {
        let mut serving = self.serving(role);
        let signer = serving.find(|(key, _)| key.key_id() == statement.signer());
        signer.ok_or(TrustError::NotServing { role, key: statement.signer() })
    }

    fn serving(
        &self,
        role: Role,
    ) -> impl Iterator<Item = (VerifyingKey, &Endorsed<ServiceCertificate>)> + '_ {
        let of_role = self.services.iter().filter(move |service| service.role == role);
        of_role.filter_map(|service| Some((VerifyingKey::try_from(service.key).ok()?, service)))
    }

    /// The keys of a role whose certificates, and whose root, are not past their end.
    pub fn keys(&self, role: Role, now: Timestamp) -> impl Iterator<Item = VerifyingKey> + '_ {
        let current = self.root.current(now).is_ok();
        let serving = self.serving(role).filter(move |(_, certificate)| current && now < certificate.expires);
        serving.map(|(key, _)| key)
    }

    /// A device's certificate, by the licensor, not past its end (TR-24).
    ///
    /// # Errors
    /// As [`Anchors::verify`], and [`TrustError::Expired`].
    pub fn device(
        &self,
        statement: &Statement,
        now: Timestamp,
    ) -> Result<Verified<DeviceCertificate>, TrustError> {
        let device: Verified<DeviceCertificate> = self.verify(Role::Licensor, statement, now)?;
        fresh("device certificate", device.expires, now)?;
        Ok(device)
    }

    /// A seller's certificate, by the licensor, not past its end (TR-24).
    ///
    /// # Errors
    /// As [`Anchors::verify`], and [`TrustError::Expired`].
    pub fn seller(
        &self,
        statement: &Statement,
        now: Timestamp,
    ) -> Result<Verified<SellerCertificate>, TrustError> {
        let seller: Verified<SellerCertificate> = self.verify(Role::Licensor, statement, now)?;
        fresh("seller certificate", seller.expires, now)?;
        Ok(seller)
    }

    /// A list of revocations, by the licensor, not past its end (TR-25), that follows the one known from the
    /// same key.
    ///
    /// # Errors
    /// As [`Anchors::verify`], [`TrustError::Expired`], and what [`succeeds`] refuses.
    pub fn revocations(
        &self,
        statement: &Statement,
        known: Option<&Verified<Revocations>>,
        now: Timestamp,
    ) -> Result<Verified<Revocations>, TrustError> {
        let list: Verified<Revocations> = self.verify(Role::Licensor, statement, now)?;
        fresh(STALE, list.expires, now)?;
        known.map_or(Ok(()), |known| succeeds(known, &list))?;
        Ok(list)
    }

    /// What a device's maker says of it: by an authority of the root's that is not past its end, in its own
    /// name, of one of its machines, and of these two keys.
    ///
    /// # Errors
    /// The first of these that doesn't hold.
    pub fn attested(
        &self,
        statement: &Statement,
        device: (SignKey, OpenKey),
        now: Timestamp,
    ) -> Result<Attested, TrustError> {
        self.root.current(now)?;
        let (key, authority) = self.authority(statement)?;
        // TR-29: an authority's end bounds what a stolen key of its can say.
        fresh("OEM authority", authority.expires, now)?;
        let attestation: Verified<DeviceAttestation> = statement.verify(&key)?;
        speaks_for(authority, &attestation)?;
        is_of(&attestation, device)?;
        Ok(Attested(attestation))
    }

    /// The authority that signed (TR-28).
    fn authority(&self, statement: &Statement) -> Result<(VerifyingKey, &Authority), TrustError> {
        let mut listed = self.root.authorities.iter().filter_map(|authority| {
            let key = VerifyingKey::try_from(authority.key).ok()?;
            Some((key, authority))
        });
        let signer = listed.find(|(key, _)| key.key_id() == statement.signer());
        signer.ok_or(TrustError::NoAuthority(statement.signer()))
    }

    /// The root.
    pub fn root(&self) -> &TrustedRoot {
        &self.root
    }

    /// The certificates.
    pub fn services(&self) -> &[Endorsed<ServiceCertificate>] {
        &self.services
    }
}

impl Attested {
    /// What was attested.
    pub fn attestation(&self) -> &Verified<DeviceAttestation> {
        &self.0
    }
}

/// Refuses at or after the end.
///
/// # Errors
/// [`TrustError::Expired`].
pub fn fresh(what: &'static str, expires: Timestamp, now: Timestamp) -> Result<(), TrustError> {
    if now < expires { Ok(()) } else { Err(TrustError::Expired { what, at: expires }) }
}

/// Whether a list of revocations may follow a known one. The floor is kept per licensor key: a thief who signs
/// the highest version there is (attack L7) has raised the floor of the stolen key alone, and it falls with it.
///
/// # Errors
/// Of the same key: an older version (TR-26), or other devices under the same version (TR-27).
pub fn succeeds(known: &Verified<Revocations>, offered: &Verified<Revocations>) -> Result<(), TrustError> {
    let (found, floor) = (offered.version, known.version);
    match found.cmp(&floor) {
        _ if offered.signer() != known.signer() => Ok(()),
        core::cmp::Ordering::Less => Err(TrustError::OlderList { found, known: floor }),
        core::cmp::Ordering::Equal if offered.devices != known.devices => Err(TrustError::TwinList(found)),
        core::cmp::Ordering::Equal | core::cmp::Ordering::Greater => Ok(()),
    }
}

/// An authority speaks in its own name (TR-30) and of its own machines (TR-31).
fn speaks_for(authority: &Authority, attestation: &DeviceAttestation) -> Result<(), TrustError> {
    if authority.name != attestation.oem {
        let (listed, claimed) = (authority.name.clone(), attestation.oem.clone());
        return Err(TrustError::OtherOem { listed, claimed });
    }
    if !authority.machines.contains(&attestation.machine) {
        return Err(TrustError::OtherMachine {
            oem: authority.name.clone(),
            machine: attestation.machine.clone(),
            listed: authority.machines.join(", "),
        });
    }
    Ok(())
}

/// An attestation is of one device: the two keys it shows (TR-32).
fn is_of(attestation: &DeviceAttestation, (sign, open): (SignKey, OpenKey)) -> Result<(), TrustError> {
    if attestation.sign != sign {
        return Err(TrustError::OtherDevice("signing key"));
    }
    if attestation.open != open {
        return Err(TrustError::OtherDevice("opening key"));
    }
    Ok(())
}
