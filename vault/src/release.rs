//! Key release, hop 10: which epochs a device may have, by what it has proved and what the terms allow. Pure.
//!
//! A device that has proved it holds the whole envelope (its `Checked` receipt names the manifest) gets the
//! epoch of the layer it prints and as many ahead as the terms' window says; each `Progress` receipt moves the
//! window on. So a device that is stopped, revoked or cloned never holds more than a window of keys. Offline terms
//! give it all of them at once.

use std::ops::RangeInclusive;

use layerlock_proto::refusal::Reason;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::ids::DeviceId;
use layerlock_terms::license::{Hold, License, Release};
use layerlock_terms::units::Timestamp;

use crate::admit::Fresh;
use crate::refusal::Refusal;

/// How one job's epochs are laid out and how many may be ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Epochs in the envelope; at least 1.
    pub epochs: u32,
    /// Layers that share an epoch; at least 1.
    pub epoch_layers: u32,
    /// Epochs beyond the one being printed, or all.
    pub release: Release,
}

/// Epochs that may go to the device now. Made by [`release`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released(RangeInclusive<u32>);

impl Window {
    /// The window of an envelope under a license.
    pub fn of(header: &EnvelopeHeader, manifest: &Manifest, license: &License) -> Self {
        Self { epochs: manifest.epochs(), epoch_layers: header.epoch_layers, release: license.terms.release }
    }

    /// The epochs in the window once `layers` layers are printed: from the one being printed as many further as
    /// the terms say.
    pub fn at(&self, layers: u32) -> RangeInclusive<u32> {
        let last = self.epochs.saturating_sub(1);
        let printing = (layers / self.epoch_layers.max(1)).min(last);
        match self.release {
            Release::Window(ahead) => printing..=printing.saturating_add(ahead.into()).min(last),
            Release::Offline => 0..=last,
        }
    }
}

impl Released {
    /// The epochs, first to last.
    pub fn epochs(&self) -> RangeInclusive<u32> {
        self.0.clone()
    }
}

/// Releases the window at `layers` printed layers to the hold's device.
///
/// # Errors
/// [`Refusal`] when the device is revoked, or the hold is past the moment by which it must be settled.
pub fn release(
    window: Window,
    layers: u32,
    hold: &Hold,
    revocations: Fresh<'_>,
    now: Timestamp,
) -> Result<Released, Refusal> {
    let device: DeviceId = hold.device;
    revocations.clear(device)?;
    if now >= hold.settle_by {
        return Err(Refusal::new(
            Reason::HoldExpired,
            "the hold is past its deadline and was settled by rule: place a new one",
        ));
    }
    Ok(Released(window.at(layers)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { epochs: 10, epoch_layers: 4, release: Release::Window(2) };

    #[test]
    fn the_window_holds_the_epoch_being_printed_and_those_ahead() {
        assert_eq!(WINDOW.at(0), 0..=2);
        assert_eq!(WINDOW.at(3), 0..=2);
        assert_eq!(WINDOW.at(4), 1..=3);
    }

    #[test]
    fn the_window_ends_with_the_envelope() {
        assert_eq!(WINDOW.at(36), 9..=9);
        assert_eq!(WINDOW.at(u32::MAX), 9..=9);
    }

    #[test]
    fn no_number_of_printed_layers_releases_more_than_the_window() {
        for layers in 0..200 {
            assert!(WINDOW.at(layers).count() <= 3, "{layers}");
        }
    }

    #[test]
    fn offline_terms_release_every_epoch_at_once() {
        let offline = Window { release: Release::Offline, ..WINDOW };
        assert_eq!(offline.at(0), 0..=9);
    }
}
