//! Admission, hop 5: verified license + verified hold + enrolled device + profile within terms → [`Permit`].
//!
//! An [`Order`] is everything that was signed about a job, checked together; a [`Permit`] is an order the
//! licensor let pass, for a device that is not revoked. Both have private constructors: what holds one has been
//! checked. Pure. Deliberately absent: asking the licensor, and any memory of orders (`desk`, `records`).

use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::{VerifyingKey, WrappingKey};
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::trust::{Anchors, TrustError};
use layerlock_terms::ids::{DeviceId, JobId};
use layerlock_terms::license::{Hold, License};
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Key, Preset, Profile};
use layerlock_terms::trust::{DeviceCertificate, Revocations, Role};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Noun, Reader, Writer};

use crate::refusal::Refusal;

/// What a buyer asks for, as received.
#[derive(Debug, Clone)]
pub struct Request {
    /// Statement: the license.
    pub license: Statement,
    /// Statement: the hold.
    pub hold: Statement,
    /// Statement: the device's certificate.
    pub certificate: Statement,
    /// Catalogue names.
    pub preset: String,
    /// Catalogue names.
    pub material: String,
    /// Settings over the preset: name and value.
    pub settings: Vec<(String, String)>,
}

/// A license, a hold, a device and a profile that belong together. Made by [`Order::check`], or of a
/// record that holds all of it, and nowhere else.
#[derive(Debug, Clone)]
pub struct Order {
    license: Verified<License>,
    hold: Verified<Hold>,
    certificate: Verified<DeviceCertificate>,
    device_key: VerifyingKey,
    wrapping: WrappingKey,
    profile: Profile,
}

/// Proof that this job may be sliced now. Made by [`Permit::grant`] alone, never stored.
#[derive(Debug, Clone)]
pub struct Permit(Order);

/// Revocation lists of which one was fresh when they were asked for. Made by [`Fresh::at`] alone.
#[derive(Debug, Clone, Copy)]
pub struct Fresh<'a>(&'a [Verified<Revocations>]);

/// Longest profile, in bytes.
const PROFILE_LIMIT: u32 = 4096;

impl Order {
    /// Checks a request against the licensor's keys, its own parts and the clock.
    ///
    /// # Errors
    /// [`Refusal`] names the first part that doesn't hold, and the mend.
    pub fn check(request: &Request, trust: &Anchors, now: Timestamp) -> Result<Self, Refusal> {
        let not = |what| move |why: TrustError| Refusal::not_the_licensors(what, &why);
        let license = trust.verify(Role::Licensor, &request.license, now).map_err(not("license"))?;
        let hold = trust.verify(Role::Licensor, &request.hold, now).map_err(not("hold"))?;
        let certificate = trust.device(&request.certificate, now).map_err(not("device certificate"))?;
        let profile = build_profile(request, &certificate)?;
        let order = Self::bind(license, hold, certificate, profile)?;
        order.timely(now)?;
        Ok(order)
    }

    /// What holds of an order whenever it is looked at: its parts name each other and the terms allow it.
    fn bind(
        license: Verified<License>,
        hold: Verified<Hold>,
        certificate: Verified<DeviceCertificate>,
        profile: Profile,
    ) -> Result<Self, Refusal> {
        if hold.license != license.id {
            return Err(Refusal::new(Reason::NotTrusted, "the hold is for another license: place a new one"));
        }
        if hold.device != certificate.device {
            return Err(Refusal::new(Reason::NotTrusted, "the hold is for another device: place a new one"));
        }
        within_terms(&license, &hold, &profile)?;
        let unfit = |_| Refusal::new(Reason::NotTrusted, "the device's keys are unfit: enrol it again");
        let device_key = VerifyingKey::try_from(certificate.sign).map_err(unfit)?;
        let wrapping = WrappingKey::try_from(certificate.open).map_err(unfit)?;
        Ok(Self { license, hold, certificate, device_key, wrapping, profile })
    }

    /// Nothing here is past its end.
    fn timely(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.license.terms.expired_at(now) {
            return Err(Refusal::new(Reason::LicenseExpired, "the license has expired: ask for another"));
        }
        if now >= self.hold.admit_by {
            return Err(Refusal::new(Reason::HoldExpired, "the hold has expired: place a new one"));
        }
        Ok(())
    }

    /// The license.
    pub fn license(&self) -> &Verified<License> {
        &self.license
    }

    /// The hold.
    pub fn hold(&self) -> &Verified<Hold> {
        &self.hold
    }

    /// The device's certificate.
    pub fn certificate(&self) -> &Verified<DeviceCertificate> {
        &self.certificate
    }

    /// Verifies what the device signs.
    pub fn device_key(&self) -> &VerifyingKey {
        &self.device_key
    }

    /// Keys are wrapped to this.
    pub fn wrapping(&self) -> &WrappingKey {
        &self.wrapping
    }

    /// The profile it is sliced with.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.hold.job
    }

    /// The device.
    pub fn device(&self) -> DeviceId {
        self.hold.device
    }

    /// Whether a request is this order again: the same license, hold and profile. The device's
    /// certificate may have been renewed in between.
    ///
    /// # Errors
    /// [`Refusal`] when the request names a material, preset or setting that does not exist.
    pub fn is_asked_by(&self, request: &Request) -> Result<bool, Refusal> {
        let same_statements =
            self.license.statement() == &request.license && self.hold.statement() == &request.hold;
        Ok(same_statements && self.profile == build_profile(request, &self.certificate)?)
    }

    /// Writes the byte form inside a record: the statements as received, and the profile.
    pub(crate) fn write(&self, w: &mut Writer) {
        for statement in [self.license.statement(), self.hold.statement(), self.certificate.statement()] {
            w.bytes(&statement.emit());
        }
        w.bytes(&self.profile.emit());
    }

    /// Reads an order back from a record and verifies it again: a record that was edited is no order (S1). The
    /// clock is not asked, because the order was timely when it was admitted.
    pub(crate) fn read(r: &mut Reader<'_>, trust: &Anchors) -> Result<Self, Malformed> {
        let license = read_statement(r, "license")?;
        let hold = read_statement(r, "hold")?;
        let certificate = read_statement(r, "certificate")?;
        let profile = Profile::parse(r.bytes("profile", PROFILE_LIMIT)?)?;
        let not = |field| move |_| Malformed::Value(field);
        let license = trust.verify_of_record(Role::Licensor, &license).map_err(not("license"))?;
        let hold = trust.verify_of_record(Role::Licensor, &hold).map_err(not("hold"))?;
        let certificate = trust.verify_of_record(Role::Licensor, &certificate).map_err(not("certificate"))?;
        Self::bind(license, hold, certificate, profile).map_err(|_| Malformed::Value("order"))
    }
}

impl Permit {
    /// Grants a permit for an order the licensor has admitted.
    ///
    /// # Errors
    /// [`Refusal`] when the device is revoked.
    pub fn grant(order: Order, revocations: Fresh<'_>) -> Result<Self, Refusal> {
        revocations.clear(order.device())?;
        Ok(Self(order))
    }

    /// What may be sliced.
    pub fn order(&self) -> &Order {
        &self.0
    }
}

impl<'a> Fresh<'a> {
    /// The newest list of each key, unless all are past their end at `now` (L6, D6). One that has ended still
    /// revokes: another key's, told before, must not free whom it names.
    pub fn at(lists: &'a [Verified<Revocations>], now: Timestamp) -> Option<Self> {
        lists.iter().any(|list| now < list.expires).then_some(Self(lists))
    }

    /// Refuses a device that is on any of the lists.
    ///
    /// # Errors
    /// [`Reason::DeviceRevoked`].
    pub fn clear(self, device: DeviceId) -> Result<(), Refusal> {
        if self.0.iter().any(|list| list.devices.binary_search(&device).is_ok()) {
            let words = format!("{device} was revoked: print on another, or enrol it anew");
            return Err(Refusal::new(Reason::DeviceRevoked, words));
        }
        Ok(())
    }
}

/// Longest statement in a record, in bytes.
const STATEMENT_LIMIT: u32 = 256 * 1024;

pub(crate) fn read_statement(r: &mut Reader<'_>, field: &'static str) -> Result<Statement, Malformed> {
    Statement::parse(r.bytes(field, STATEMENT_LIMIT)?)
}

/// The machine comes from the device's certificate; the buyer chooses the rest by name.
fn build_profile(request: &Request, certificate: &DeviceCertificate) -> Result<Profile, Refusal> {
    let invalid = |words: String| Refusal::new(Reason::InvalidField, words);
    let machine = Machine::named(&certificate.machine).map_err(|error| invalid(error.to_string()))?;
    let material = Material::named(&request.material).map_err(|error| invalid(error.to_string()))?;
    let preset = Preset::named(&request.preset).map_err(|error| invalid(error.to_string()))?;
    let mut profile = Profile::new(machine, material, preset);
    for (name, value) in &request.settings {
        profile.set(name, value).map_err(|error| invalid(error.to_string()))?;
    }
    Ok(profile)
}

fn within_terms(license: &License, hold: &Hold, profile: &Profile) -> Result<(), Refusal> {
    let terms = &license.terms;
    if !terms.allows_device(hold.device) {
        return Err(Refusal::new(
            Reason::DeviceNotAllowed,
            format!("the license does not allow {}: choose one it names", hold.device),
        ));
    }
    let (low, high) = (u32::from(terms.scale_min.0), u32::from(terms.scale_max.0));
    let scale = profile.percent(Key::Scale);
    if !(low..=high).contains(&scale) {
        return Err(Refusal::new(
            Reason::BeyondTerms,
            format!("`scale` = {scale}% is beyond the license: {low}% to {high}%"),
        ));
    }
    // One copy is one part: a plate of them would be several for the price of one.
    let parts = profile.count(Key::Parts);
    if parts != 1 {
        return Err(Refusal::new(
            Reason::BeyondTerms,
            format!("`parts` = {parts}: a copy is one part, print a copy for each"),
        ));
    }
    let material = profile.material().name();
    if !terms.materials.is_empty() && !terms.materials.iter().any(|allowed| allowed == material) {
        return Err(Refusal::new(
            Reason::BeyondTerms,
            format!("the license does not allow {material}: take {}", terms.materials.join(", ")),
        ));
    }
    Ok(())
}
