//! A license as it stands: which holds it still takes. Pure; hop 3 and hop 4.
//!
//! Ready → Active → Exhausted | Expired, and Revoked from anywhere. The terms are signed and never change; what
//! changes is how many copies are left and whether the seller took the license back. Both steps consume the
//! standing they start from. Deliberately absent: who may ask, devices' certificates, storage.

use layerlock_terms::ids::DeviceId;
use layerlock_terms::license::{License, Terms};
use layerlock_terms::units::Timestamp;

use crate::copies::{Copies, Ending, NoCopy, Settled};

/// What changes about a license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its copies.
    pub copies: Copies,
    /// Whether it was taken back.
    pub revocation: Revocation,
}

/// Whether something was taken back by its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// It stands.
    Never,
    /// Taken back at this moment, for good.
    At(Timestamp),
}

/// The state people and programs are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No copy was held yet.
    Ready,
    /// Some copy was.
    Active,
    /// Every copy is spent.
    Exhausted,
    /// Past its end with copies left.
    Expired,
    /// Taken back.
    Revoked,
}

/// Why a license takes no hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoHold {
    /// Taken back.
    #[error("the license was revoked by its seller: ask the seller for another")]
    Revoked,
    /// Past its end.
    #[error("the license ended at {} ms since 1970: ask the seller for another", .0.0)]
    Expired(Timestamp),
    /// Not this device.
    #[error("the license does not allow {0}: choose a device its terms list")]
    DeviceNotAllowed(DeviceId),
    /// No copy.
    #[error(transparent)]
    NoCopy(#[from] NoCopy),
}

impl Standing {
    /// A license just issued: all copies free.
    pub fn issued(terms: &Terms) -> Self {
        Self { copies: Copies::granted(terms.copies), revocation: Revocation::Never }
    }

    /// The state at `now`. Revoked tells most, then whether anything is left, then whether time is.
    pub fn state(&self, terms: &Terms, now: Timestamp) -> State {
        let counts = self.copies.counts();
        match self.revocation {
            Revocation::At(_) => State::Revoked,
            Revocation::Never if counts.spent == counts.granted => State::Exhausted,
            Revocation::Never if terms.expired_at(now) => State::Expired,
            Revocation::Never if counts.free == counts.granted => State::Ready,
            Revocation::Never => State::Active,
        }
    }

    /// Reserves a copy for a job on `device`.
    ///
    /// # Errors
    /// [`NoHold`]: revoked, expired, another device, no copy free; the first that is so.
    pub fn hold(self, terms: &Terms, device: DeviceId, now: Timestamp) -> Result<Self, NoHold> {
        self.unrevoked()?;
        if let (true, layerlock_terms::license::Expiry::At(end)) = (terms.expired_at(now), terms.expires) {
            return Err(NoHold::Expired(end));
        }
        if !terms.allows_device(device) {
            return Err(NoHold::DeviceNotAllowed(device));
        }
        Ok(Self { copies: self.copies.hold()?, ..self })
    }

    /// Refuses a license that was taken back.
    ///
    /// # Errors
    /// [`NoHold::Revoked`].
    pub fn unrevoked(&self) -> Result<(), NoHold> {
        match self.revocation {
            Revocation::Never => Ok(()),
            Revocation::At(_) => Err(NoHold::Revoked),
        }
    }

    /// Ends a hold; also on an expired or revoked license, whose running jobs end by their holds.
    ///
    /// # Errors
    /// [`NoCopy::Held`] when the records contradict each other.
    pub fn settle(self, license: &License, ending: Ending) -> Result<(Self, Settled), NoCopy> {
        let (copies, settled) = self.copies.settle(ending, license.terms.failure)?;
        Ok((Self { copies, ..self }, settled))
    }

    /// Takes the license back; the first moment stays.
    pub fn revoke(self, now: Timestamp) -> Self {
        match self.revocation {
            Revocation::Never => Self { revocation: Revocation::At(now), ..self },
            Revocation::At(_) => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use layerlock_terms::license::{DeviceScope, Expiry, FailurePolicy, Release};
    use layerlock_terms::units::Percent;

    use super::*;

    const NOW: Timestamp = Timestamp(1_000);
    const DEVICE: DeviceId = DeviceId::from_bytes([1; 16]);

    fn terms(copies: u32) -> Terms {
        Terms {
            copies,
            expires: Expiry::At(Timestamp(2_000)),
            devices: DeviceScope::Listed(vec![DEVICE]),
            scale_min: Percent(100),
            scale_max: Percent(100),
            materials: Vec::new(),
            failure: FailurePolicy::Return,
            release: Release::Window(1),
        }
    }

    #[test]
    fn a_license_is_ready_then_active_then_exhausted() {
        let terms = terms(1);
        let ready = Standing::issued(&terms);
        assert_eq!(ready.state(&terms, NOW), State::Ready);
        let active = ready.hold(&terms, DEVICE, NOW).unwrap();
        assert_eq!(active.state(&terms, NOW), State::Active);
        let (copies, _) = active.copies.spend().unwrap();
        assert_eq!(Standing { copies, ..active }.state(&terms, NOW), State::Exhausted);
    }

    #[test]
    fn the_end_is_exclusive() {
        let terms = terms(1);
        let ready = Standing::issued(&terms);
        assert!(ready.hold(&terms, DEVICE, Timestamp(1_999)).is_ok());
        let late = ready.hold(&terms, DEVICE, Timestamp(2_000));
        assert_eq!(late, Err(NoHold::Expired(Timestamp(2_000))));
        assert_eq!(ready.state(&terms, Timestamp(2_000)), State::Expired);
    }

    #[test]
    fn another_device_gets_no_copy() {
        let other = DeviceId::from_bytes([2; 16]);
        let refused = Standing::issued(&terms(1)).hold(&terms(1), other, NOW);
        assert_eq!(refused, Err(NoHold::DeviceNotAllowed(other)));
    }

    #[test]
    fn a_revoked_license_takes_no_hold_but_lets_a_running_job_end() {
        let terms = terms(2);
        let running = Standing::issued(&terms).hold(&terms, DEVICE, NOW).unwrap();
        let revoked = running.revoke(NOW).revoke(Timestamp(1_500));
        assert_eq!(revoked.revocation, Revocation::At(NOW));
        assert_eq!(revoked.hold(&terms, DEVICE, NOW), Err(NoHold::Revoked));
        assert!(revoked.copies.spend().is_ok());
    }
}
