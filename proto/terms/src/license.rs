//! License and hold: what a buyer may print, and one copy of it reserved for a running job.
//!
//! Both are signed by the licensor. A vault and a device act on these bytes alone; they never ask what a
//! license "really" says. Deliberately absent: any state. States live with the licensor (`copies.rs`).

use crate::digest::Digest;
use crate::ids::{BuyerId, DesignId, DeviceId, HoldId, JobId, LicenseId, OfferId, SellerId};
use crate::units::{Percent, Timestamp};
use crate::wire::{Malformed, Noun, Reader, Writer};
use alloc::string::String;
use alloc::vec::Vec;

/// What a license allows. An offer carries the same terms for every license made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Prints granted; at least 1, at most [`Terms::MAX_COPIES`].
    pub copies: u32,
    /// No print is admitted at or after this moment.
    pub expires: Expiry,
    /// Devices that may print.
    pub devices: DeviceScope,
    /// Smallest scale a buyer may choose.
    pub scale_min: Percent,
    /// Largest scale a buyer may choose.
    pub scale_max: Percent,
    /// Catalogue names of materials allowed; empty allows all.
    pub materials: Vec<String>,
    /// Whether a failed print gives its copy back.
    pub failure: FailurePolicy,
    /// How a device gets the keys of a print.
    pub release: Release,
}

/// Until when a license admits prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// For ever.
    Never,
    /// Until this moment, exclusive.
    At(Timestamp),
}

/// Which devices may print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceScope {
    /// Every enrolled device.
    Any,
    /// Only these.
    Listed(Vec<DeviceId>),
}

/// How a device gets the keys of a print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Against its receipts: the keys of the epoch it prints and of this many ahead; at least 1.
    Window(u16),
    /// All at once when it has checked the envelope, to print without the vault.
    Offline,
}

/// What becomes of the copy when a print fails or is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The copy is free again.
    Return,
    /// The copy is spent once at least this share of the layers was printed; free again before.
    SpendFrom(Percent),
}

/// A signed grant of terms to one buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// This license.
    pub id: LicenseId,
    /// The offer it was made from.
    pub offer: OfferId,
    /// Whose design it is.
    pub seller: SellerId,
    /// Who may print.
    pub buyer: BuyerId,
    /// The design.
    pub design: DesignId,
    /// SHA-256 of the design version's bytes as uploaded.
    pub version: Digest,
    /// When it was issued.
    pub issued: Timestamp,
    /// What it allows.
    pub terms: Terms,
}

/// One copy reserved for one job on one device; single use, expiring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// This hold.
    pub id: HoldId,
    /// The license it takes a copy of.
    pub license: LicenseId,
    /// The job it admits.
    pub job: JobId,
    /// The device that may print it.
    pub device: DeviceId,
    /// When it was placed.
    pub issued: Timestamp,
    /// A vault must have admitted the job before this moment.
    pub admit_by: Timestamp,
    /// Without a final receipt by this moment the licensor settles the hold by rule.
    pub settle_by: Timestamp,
}

impl Terms {
    /// Upper bound of `copies`: a count above it is a mistake or an attack, not a sale.
    pub const MAX_COPIES: u32 = 1_000_000;
    const MAX_DEVICES: u32 = 1024;
    const MAX_MATERIALS: u32 = 32;
    const MAX_NAME: u32 = 32;

    /// Says whether `device` is among the devices allowed.
    pub fn allows_device(&self, device: DeviceId) -> bool {
        match &self.devices {
            DeviceScope::Any => true,
            DeviceScope::Listed(listed) => listed.contains(&device),
        }
    }

    /// Says whether the license still admits prints at `now`.
    pub fn expired_at(&self, now: Timestamp) -> bool {
        match self.expires {
            Expiry::Never => false,
            Expiry::At(end) => now >= end,
        }
    }

    /// Reads the byte form inside a larger noun.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let terms = Self {
            copies: r.u32("copies")?,
            expires: read_expiry(r)?,
            devices: read_scope(r)?,
            scale_min: Percent(r.u8("scale_min")?),
            scale_max: Percent(r.u8("scale_max")?),
            materials: r.list("materials", Self::MAX_MATERIALS, |r| r.text("material", Self::MAX_NAME))?,
            failure: read_failure(r)?,
            release: read_release(r)?,
        };
        terms.validate()?;
        Ok(terms)
    }

    /// Writes the byte form inside a larger noun.
    pub fn write(&self, w: &mut Writer) {
        w.u32(self.copies);
        match self.expires {
            Expiry::Never => w.u8(0).u64(0),
            Expiry::At(Timestamp(ms)) => w.u8(1).u64(ms),
        };
        match &self.devices {
            DeviceScope::Any => w.u8(0).u32(0),
            DeviceScope::Listed(ids) => w.u8(1).list(ids, |w, id| {
                w.raw(id.as_bytes());
            }),
        };
        w.u8(self.scale_min.0).u8(self.scale_max.0);
        w.list(&self.materials, |w, name| {
            w.bytes(name.as_bytes());
        });
        match self.failure {
            FailurePolicy::Return => w.u8(0).u8(0),
            FailurePolicy::SpendFrom(share) => w.u8(1).u8(share.0),
        };
        match self.release {
            Release::Window(ahead) => w.u8(0).u16(ahead),
            Release::Offline => w.u8(1).u16(0),
        };
    }

    /// Refuses terms that grant nothing, everything or nonsense.
    pub fn validate(&self) -> Result<(), Malformed> {
        let sound = |holds: bool, field| if holds { Ok(()) } else { Err(Malformed::Value(field)) };
        sound((1..=Self::MAX_COPIES).contains(&self.copies), "copies")?;
        sound(self.scale_min.0 >= 1 && self.scale_min <= self.scale_max, "scale_min")?;
        sound(self.materials.len() <= Self::MAX_MATERIALS as usize, "materials")?;
        sound(self.materials.iter().all(|m| m.len() <= Self::MAX_NAME as usize), "material")?;
        sound(
            !matches!(&self.devices, DeviceScope::Listed(d) if d.len() > Self::MAX_DEVICES as usize),
            "devices",
        )?;
        sound(!matches!(self.failure, FailurePolicy::SpendFrom(p) if p.0 > 100), "failure")?;
        sound(self.release != Release::Window(0), "release")
    }
}

impl Noun for License {
    const TYPE: &'static str = "layerlock/license/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let license = Self {
            id: LicenseId::from_bytes(r.array("id")?),
            offer: OfferId::from_bytes(r.array("offer")?),
            seller: SellerId::from_bytes(r.array("seller")?),
            buyer: BuyerId::from_bytes(r.array("buyer")?),
            design: DesignId::from_bytes(r.array("design")?),
            version: Digest(r.array("version")?),
            issued: Timestamp(r.u64("issued")?),
            terms: Terms::read(&mut r)?,
        };
        r.finish()?;
        Ok(license)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.id.as_bytes()).raw(self.offer.as_bytes()).raw(self.seller.as_bytes());
        w.raw(self.buyer.as_bytes()).raw(self.design.as_bytes()).raw(self.version.as_bytes());
        w.u64(self.issued.0);
        self.terms.write(&mut w);
        w.finish()
    }
}

impl Noun for Hold {
    const TYPE: &'static str = "layerlock/hold/v1";

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let hold = Self {
            id: HoldId::from_bytes(r.array("id")?),
            license: LicenseId::from_bytes(r.array("license")?),
            job: JobId::from_bytes(r.array("job")?),
            device: DeviceId::from_bytes(r.array("device")?),
            issued: Timestamp(r.u64("issued")?),
            admit_by: Timestamp(r.u64("admit_by")?),
            settle_by: Timestamp(r.u64("settle_by")?),
        };
        r.finish()?;
        Ok(hold)
    }

    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.id.as_bytes()).raw(self.license.as_bytes()).raw(self.job.as_bytes());
        w.raw(self.device.as_bytes());
        w.u64(self.issued.0).u64(self.admit_by.0).u64(self.settle_by.0);
        w.finish()
    }
}

fn read_expiry(r: &mut Reader<'_>) -> Result<Expiry, Malformed> {
    match (r.flag("expires")?, r.u64("expires")?) {
        (false, 0) => Ok(Expiry::Never),
        (true, ms) => Ok(Expiry::At(Timestamp(ms))),
        (false, _) => Err(Malformed::Value("expires")),
    }
}

fn read_scope(r: &mut Reader<'_>) -> Result<DeviceScope, Malformed> {
    let listed = r.flag("devices")?;
    let ids = r.list("devices", Terms::MAX_DEVICES, |r| Ok(DeviceId::from_bytes(r.array("device")?)))?;
    match listed {
        true => Ok(DeviceScope::Listed(ids)),
        false if ids.is_empty() => Ok(DeviceScope::Any),
        false => Err(Malformed::Value("devices")),
    }
}

fn read_failure(r: &mut Reader<'_>) -> Result<FailurePolicy, Malformed> {
    match (r.flag("failure")?, r.u8("failure")?) {
        (false, 0) => Ok(FailurePolicy::Return),
        (true, share) => Ok(FailurePolicy::SpendFrom(Percent(share))),
        (false, _) => Err(Malformed::Value("failure")),
    }
}

fn read_release(r: &mut Reader<'_>) -> Result<Release, Malformed> {
    match (r.flag("release")?, r.u16("release")?) {
        (false, ahead) => Ok(Release::Window(ahead)),
        (true, 0) => Ok(Release::Offline),
        (true, _) => Err(Malformed::Value("release")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn license(copies: u32) -> License {
        License {
            id: LicenseId::from_bytes([1; 16]),
            offer: OfferId::from_bytes([2; 16]),
            seller: SellerId::from_bytes([3; 16]),
            buyer: BuyerId::from_bytes([4; 16]),
            design: DesignId::from_bytes([5; 16]),
            version: Digest([6; 32]),
            issued: Timestamp(7),
            terms: Terms {
                copies,
                expires: Expiry::At(Timestamp(9)),
                devices: DeviceScope::Listed(vec![DeviceId::from_bytes([8; 16])]),
                scale_min: Percent(100),
                scale_max: Percent(120),
                materials: vec!["pla".into()],
                failure: FailurePolicy::SpendFrom(Percent(50)),
                release: Release::Window(2),
            },
        }
    }

    #[test]
    fn a_license_reads_back_from_its_bytes() {
        assert_eq!(License::parse(&license(2).emit()), Ok(license(2)));
    }

    #[test]
    fn a_count_of_zero_or_a_huge_one_is_refused_never_unlimited() {
        for copies in [0, Terms::MAX_COPIES + 1, u32::MAX] {
            assert_eq!(License::parse(&license(copies).emit()), Err(Malformed::Value("copies")));
        }
    }

    #[test]
    fn every_truncation_and_every_extra_byte_is_refused() {
        let mut bytes = license(2).emit();
        for end in 0..bytes.len() {
            assert!(License::parse(&bytes[..end]).is_err(), "cut at {end}");
        }
        bytes.push(0);
        assert_eq!(License::parse(&bytes), Err(Malformed::Trailing(1)));
    }

    #[test]
    fn terms_that_break_a_rule_are_refused_by_the_field() {
        let bytes = license(2).emit();
        let with = |at: usize, change: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + change.len()].copy_from_slice(change);
            License::parse(&bytes)
        };
        let values: [(usize, &[u8], _); 10] = [
            (124, &[2], "expires"),
            (124, &[0], "expires"),
            (133, &[2], "devices"),
            (133, &[0], "devices"),
            (154, &[0], "scale_min"),
            (154, &[121], "scale_min"),
            (167, &[0], "failure"),
            (168, &[101], "failure"),
            (169, &[1], "release"),
            (170, &[0, 0], "release"),
        ];
        for (at, change, field) in values {
            assert_eq!(with(at, change), Err(Malformed::Value(field)), "{change:?} at {at}");
        }
        for (at, announced, field) in
            [(134, 1025_u32, "devices"), (156, 33, "materials"), (160, 33, "material")]
        {
            let refused = with(at, &announced.to_be_bytes()).expect_err("too long");
            assert!(
                matches!(refused, Malformed::TooLong { field: found, .. } if found == field),
                "{refused}"
            );
        }
    }
}
