//! The print job's states: a struct per state, one consuming [`step`](Job::step). Pure: time and statements come
//! in, the next state and what has to be done about it go out.
//!
//! Requested → Admitted → Slicing → Sealed → Delivering → Printing → Closed → Settled; Requested → Refused. A
//! job whose pressing failed before any key was released is Closed by the vault's withdrawal. What a job of a
//! state has is in its struct: no manifest before Sealed, no extent before Printing. What a device said is kept as it
//! signed it, and read from there.
//! Deliberately absent: pausing, which is the machine's and shows in receipts only as time passing.

use layerlock_proto::refusal::Reason;
use layerlock_seal::statement::Verified;
use layerlock_seal::toolpath::header_hash;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::receipt::{Event as Said, Extent, JobReport, Outcome, Receipt};
use layerlock_terms::units::{Millis, Timestamp};

use crate::admit::Order;
use crate::refusal::Refusal;
use crate::release::Window;

/// A print job in one of its states.
#[derive(Debug, Clone)]
pub enum Job {
    /// Asked for; the licensor has not answered yet.
    Requested(Requested),
    /// The hold is used; nothing is sliced yet.
    Admitted(Admitted),
    /// Layers are sliced and sealed; ciphertext may run ahead to the device.
    Slicing(Slicing),
    /// The envelope is whole.
    Sealed(Sealed),
    /// The device has, or is getting, the whole envelope.
    Delivering(Delivering),
    /// The device has proved that it holds the envelope; keys flow.
    Printing(Printing),
    /// Over; the licensor does not know yet.
    Closed(Closed),
    /// Over, and in the ledger.
    Settled(Settled),
    /// The licensor said no.
    Refused(Refused),
}

/// See [`Job::Requested`].
#[derive(Debug, Clone)]
pub struct Requested {
    /// What was asked for.
    pub order: Order,
}

/// See [`Job::Admitted`].
#[derive(Debug, Clone)]
pub struct Admitted {
    /// What was asked for.
    pub order: Order,
    /// When the licensor let it pass.
    pub at: Timestamp,
}

/// See [`Job::Slicing`].
#[derive(Debug, Clone)]
pub struct Slicing {
    /// The admission.
    pub admitted: Admitted,
    /// The envelope's header.
    pub header: Verified<EnvelopeHeader>,
    /// The job secret, sealed under the vault's key for this header.
    pub secret: Vec<u8>,
}

/// See [`Job::Sealed`].
#[derive(Debug, Clone)]
pub struct Sealed {
    /// How it was begun.
    pub slicing: Slicing,
    /// The envelope's manifest.
    pub manifest: Verified<Manifest>,
    /// What pressing it took.
    pub figures: Figures,
}

/// See [`Job::Delivering`].
#[derive(Debug, Clone)]
pub struct Delivering {
    /// The envelope.
    pub sealed: Sealed,
}

/// See [`Job::Printing`]. Keys leave on the receipts in here (RC-16).
#[derive(Debug, Clone)]
pub struct Printing {
    sealed: Sealed,
    /// Names the manifest: the newest such receipt.
    checked: Box<Verified<Receipt>>,
    /// Names an extent: the newest such receipt.
    progress: Option<Box<Verified<Receipt>>>,
}

/// See [`Job::Closed`].
#[derive(Debug, Clone)]
pub struct Closed {
    /// The admission.
    pub admitted: Admitted,
    /// How it ended, and the proof for the licensor.
    pub ending: Ending,
    /// What was pressed, as far as it came.
    pub pressed: Option<Pressed>,
}

/// See [`Job::Settled`].
#[derive(Debug, Clone)]
pub struct Settled {
    /// How it ended.
    pub closed: Closed,
    /// Where the settlement stands in the ledger: the licensor's answer, as received.
    pub entry: Vec<u8>,
}

/// See [`Job::Refused`].
#[derive(Debug, Clone)]
pub struct Refused {
    /// What was asked for.
    pub order: Order,
    /// Why not.
    pub refusal: Refusal,
}

/// How a job ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// By the device's final receipt.
    Receipt(Verified<Receipt>),
    /// By the vault, before any key was released.
    Withdrawn(Verified<JobReport>, Refusal),
}

/// What pressing took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Bytes of toolpath before sealing.
    pub plain_bytes: u64,
    /// From admission to the first sealed segment.
    pub first_segment: Millis,
    /// From admission to the last sealed segment.
    pub last_segment: Millis,
}

/// What remains known of an envelope when its job is over.
#[derive(Debug, Clone)]
pub struct Pressed {
    /// The envelope's header.
    pub header: Verified<EnvelopeHeader>,
    /// The envelope's manifest.
    pub manifest: Verified<Manifest>,
    /// What pressing it took.
    pub figures: Figures,
}

/// What happens to a job.
#[derive(Debug, Clone)]
pub enum Event {
    /// The licensor let it pass.
    Admitted,
    /// The licensor said no.
    Refused(Refusal),
    /// An envelope was begun, also anew after a crash: the header and the sealed job secret.
    Begun(Verified<EnvelopeHeader>, Vec<u8>),
    /// The envelope is whole and durable.
    Sealed(Verified<Manifest>, Figures),
    /// The device was sent everything up to the manifest.
    Delivered,
    /// The device said something.
    Received(Verified<Receipt>),
    /// The vault can't press it: its signed withdrawal and why.
    Withdrawn(Verified<JobReport>, Refusal),
    /// The licensor settled the hold.
    Settled(Vec<u8>),
}

/// What has to be done once the next state is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Slice and seal it.
    Press,
    /// Tell the device that there is something for it.
    Offer,
    /// Release the keys of this window at this many printed layers.
    Release(Window, u32),
    /// Stop pressing, if that still goes on.
    StopPressing,
    /// Have the licensor settle the hold.
    Settle,
    /// The envelope is of no more use.
    Discard,
}

/// The next state and what has to be done once it is durable.
#[derive(Debug)]
pub struct Step {
    /// The next state.
    pub next: Job,
    /// In order.
    pub effects: Vec<Effect>,
}

impl Step {
    fn to(next: Job, effects: impl Into<Vec<Effect>>) -> Result<Self, Refusal> {
        Ok(Self { next, effects: effects.into() })
    }
}

impl Job {
    /// Takes one event.
    ///
    /// # Errors
    /// [`Refusal`] when the event has no place in this state, or says what can't be; nothing changes then.
    pub fn step(self, event: Event, now: Timestamp) -> Result<Step, Refusal> {
        match (self, event) {
            (Self::Requested(requested), Event::Admitted) => {
                let admitted = Admitted { order: requested.order, at: now };
                Step::to(Self::Admitted(admitted), [Effect::Press])
            }
            (Self::Requested(requested), Event::Refused(refusal)) => {
                Step::to(Self::Refused(Refused { order: requested.order, refusal }), [])
            }
            (Self::Admitted(admitted), Event::Begun(header, secret)) => begin(admitted, header, secret),
            // Under one header there is one secret, whatever the clocks of two processes say.
            (Self::Slicing(slicing), Event::Begun(header, secret))
                if header.statement() != slicing.header.statement() =>
            {
                begin(slicing.admitted, header, secret)
            }
            (Self::Slicing(slicing), Event::Sealed(manifest, figures)) => {
                slicing.check_header(&manifest)?;
                Step::to(Self::Sealed(Sealed { slicing, manifest, figures }), [])
            }
            (Self::Sealed(sealed), Event::Delivered) => Step::to(Self::Delivering(Delivering { sealed }), []),
            (job @ (Self::Delivering(_) | Self::Printing(_)), Event::Delivered) => Step::to(job, []),
            (job, Event::Received(receipt)) => job.hear(receipt),
            (job, Event::Withdrawn(report, refusal)) => job.withdraw(report, refusal),
            (Self::Closed(closed), Event::Settled(entry)) => {
                Step::to(Self::Settled(Settled { closed, entry }), [Effect::Discard])
            }
            (job @ Self::Settled(_), Event::Settled(_)) => Step::to(job, []),
            (
                job,
                Event::Admitted
                | Event::Refused(_)
                | Event::Begun(..)
                | Event::Sealed(..)
                | Event::Delivered
                | Event::Settled(_),
            ) => Err(job.out_of_place()),
        }
    }

    fn hear(self, receipt: Verified<Receipt>) -> Result<Step, Refusal> {
        check_speaker(self.order(), &receipt)?;
        if self.forked_by(&receipt).is_some() {
            let words = "this device signed two receipts of one number: its key or its journal was copied, enrol it anew";
            return Err(Refusal::new(Reason::DeviceCloned, words));
        }
        match receipt.event {
            Said::Ended(outcome, extent) => self.end(receipt, outcome, extent),
            Said::Checked(manifest) => match self {
                Self::Sealed(sealed) | Self::Delivering(Delivering { sealed }) => {
                    sealed.check_manifest(manifest)?;
                    let effect = Effect::Release(sealed.window(), 0);
                    let printing = Printing { sealed, checked: Box::new(receipt), progress: None };
                    Step::to(Self::Printing(printing), [effect])
                }
                // A device that lost its keys to a power cut proves itself again and gets the window it had.
                Self::Printing(printing) => {
                    printing.sealed.check_manifest(manifest)?;
                    let effect = Effect::Release(printing.sealed.window(), printing.extent().layers);
                    let is_newer = receipt.sequence > printing.checked.sequence;
                    let checked = if is_newer { Box::new(receipt) } else { printing.checked };
                    Step::to(Self::Printing(Printing { checked, ..printing }), [effect])
                }
                job => Err(job.out_of_place()),
            },
            Said::Progress(extent) => match self {
                Self::Printing(printing) => printing.advance(receipt, extent),
                job => Err(job.out_of_place()),
            },
        }
    }

    fn end(self, receipt: Verified<Receipt>, outcome: Outcome, extent: Extent) -> Result<Step, Refusal> {
        let over = |sealed: Sealed| {
            let pressed = sealed.pressed();
            (sealed.slicing.admitted, Some(pressed))
        };
        let (admitted, pressed) = match self {
            Self::Slicing(slicing) => {
                check_unprinted(outcome, extent)?;
                (slicing.admitted, None)
            }
            Self::Sealed(sealed) | Self::Delivering(Delivering { sealed }) => {
                check_unprinted(outcome, extent)?;
                over(sealed)
            }
            Self::Printing(printing) => {
                printing.check_forward(extent)?;
                check_printed(outcome, extent, &printing.sealed.manifest)?;
                over(printing.sealed)
            }
            // The device has not heard the answer yet and asks again.
            job @ (Self::Closed(_) | Self::Settled(_)) if job.ended_by(&receipt) => return Step::to(job, []),
            job => return Err(job.out_of_place()),
        };
        let closed = Closed { admitted, ending: Ending::Receipt(receipt), pressed };
        Step::to(Self::Closed(closed), [Effect::StopPressing, Effect::Settle])
    }

    /// Only before Printing: from then on keys are out, and only the device can say how it ended.
    fn withdraw(self, report: Verified<JobReport>, refusal: Refusal) -> Result<Step, Refusal> {
        let (admitted, pressed) = match self {
            Self::Admitted(admitted) => (admitted, None),
            Self::Slicing(slicing) => (slicing.admitted, None),
            Self::Sealed(sealed) | Self::Delivering(Delivering { sealed }) => {
                let pressed = sealed.pressed();
                (sealed.slicing.admitted, Some(pressed))
            }
            job => return Err(job.out_of_place()),
        };
        let closed = Closed { admitted, ending: Ending::Withdrawn(report, refusal), pressed };
        Step::to(Self::Closed(closed), [Effect::StopPressing, Effect::Settle])
    }

    /// The order, in every state.
    pub fn order(&self) -> &Order {
        match self {
            Self::Requested(Requested { order }) | Self::Refused(Refused { order, .. }) => order,
            Self::Admitted(admitted) => &admitted.order,
            Self::Slicing(slicing) => &slicing.admitted.order,
            Self::Sealed(sealed)
            | Self::Delivering(Delivering { sealed })
            | Self::Printing(Printing { sealed, .. }) => &sealed.slicing.admitted.order,
            Self::Closed(closed) | Self::Settled(Settled { closed, .. }) => &closed.admitted.order,
        }
    }

    /// How it began, while there is an envelope to deliver.
    pub fn slicing(&self) -> Option<&Slicing> {
        match self {
            Self::Slicing(slicing) => Some(slicing),
            job => job.sealed().map(|sealed| &sealed.slicing),
        }
    }

    /// The whole envelope, while there is one to deliver.
    pub fn sealed(&self) -> Option<&Sealed> {
        match self {
            Self::Sealed(sealed)
            | Self::Delivering(Delivering { sealed })
            | Self::Printing(Printing { sealed, .. }) => Some(sealed),
            Self::Requested(_)
            | Self::Admitted(_)
            | Self::Slicing(_)
            | Self::Closed(_)
            | Self::Settled(_)
            | Self::Refused(_) => None,
        }
    }

    /// Whether its device ended it by a receipt after the one of this number.
    pub fn ended_after(&self, sequence: u32) -> bool {
        self.last_word().is_some_and(|last| sequence < last.sequence)
    }

    /// The kept receipt that this one can't stand beside, if its device signed both: one number was used for two (RC-26).
    pub fn forked_by(&self, receipt: &Verified<Receipt>) -> Option<&Verified<Receipt>> {
        let differs = |kept: &&Verified<Receipt>| kept.statement() != receipt.statement();
        if let Some(last) = self.last_word() {
            return Some(last).filter(|last| receipt.sequence == last.sequence).filter(differs);
        }
        let Self::Printing(Printing { checked, progress, .. }) = self else { return None };
        [Some(checked), progress.as_ref()]
            .into_iter()
            .flatten()
            .map(Box::as_ref)
            .find(|kept| kept.sequence == receipt.sequence && differs(kept))
    }

    /// The state's name, for logs and refusals.
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Requested(_) => "requested",
            Self::Admitted(_) => "admitted",
            Self::Slicing(_) => "slicing",
            Self::Sealed(_) => "sealed",
            Self::Delivering(_) => "delivering",
            Self::Printing(_) => "printing",
            Self::Closed(_) => "closed",
            Self::Settled(_) => "settled",
            Self::Refused(_) => "refused",
        }
    }

    fn ended_by(&self, receipt: &Verified<Receipt>) -> bool {
        self.last_word().is_some_and(|last| last.statement() == receipt.statement())
    }

    /// The receipt its device ended it by, if it did.
    fn last_word(&self) -> Option<&Verified<Receipt>> {
        match self {
            Self::Closed(closed) | Self::Settled(Settled { closed, .. }) => match &closed.ending {
                Ending::Receipt(last) => Some(last),
                Ending::Withdrawn(..) => None,
            },
            Self::Requested(_)
            | Self::Admitted(_)
            | Self::Slicing(_)
            | Self::Sealed(_)
            | Self::Delivering(_)
            | Self::Printing(_)
            | Self::Refused(_) => None,
        }
    }

    /// RC-9 and its like for the events that are no receipts.
    fn out_of_place(&self) -> Refusal {
        Refusal::new(Reason::InvalidField, format!("this has no place in a job that is {}", self.state()))
    }
}

impl Slicing {
    /// Of two processes that press one job, the one that began last makes the envelope.
    fn check_header(&self, manifest: &Manifest) -> Result<(), Refusal> {
        if manifest.header == header_hash(self.header.statement()) {
            Ok(())
        } else {
            Err(Refusal::new(Reason::InvalidField, "this envelope was begun anew by another process"))
        }
    }
}

impl Sealed {
    /// How its epochs are released.
    pub fn window(&self) -> Window {
        Window::of(&self.slicing.header, &self.manifest, self.slicing.admitted.order.license())
    }

    /// What remains known of it when the job is over.
    pub fn pressed(&self) -> Pressed {
        let (header, manifest) = (self.slicing.header.clone(), self.manifest.clone());
        Pressed { header, manifest, figures: self.figures }
    }

    /// RC-10
    fn check_manifest(&self, named: layerlock_terms::digest::Digest) -> Result<(), Refusal> {
        if named == self.manifest.statement().digest() {
            Ok(())
        } else {
            Err(Refusal::new(Reason::NotTrusted, "the receipt names another manifest: fetch the job again"))
        }
    }
}

impl Printing {
    /// Takes up a print by the receipts it rests on; they are held against the job again.
    ///
    /// # Errors
    /// [`Refusal`] when a receipt is of another job, says something else, or what can't be.
    pub fn resume(
        sealed: Sealed,
        checked: Verified<Receipt>,
        progress: Option<Verified<Receipt>>,
    ) -> Result<Self, Refusal> {
        let order = &sealed.slicing.admitted.order;
        [Some(&checked), progress.as_ref()]
            .into_iter()
            .flatten()
            .try_for_each(|said| check_speaker(order, said))?;
        let Said::Checked(manifest) = checked.event else {
            return Err(Refusal::new(Reason::InvalidField, "no receipt says that the envelope was checked"));
        };
        sealed.check_manifest(manifest)?;
        let begun = Self { sealed, checked: Box::new(checked), progress: None };
        match progress.as_ref().map(|receipt| receipt.event) {
            None => {}
            Some(Said::Progress(extent)) => begun.check_forward(extent)?,
            Some(_) => return Err(Refusal::new(Reason::InvalidField, "the receipt names no progress")),
        }
        Ok(Self { progress: progress.map(Box::new), ..begun })
    }

    /// The envelope.
    pub const fn sealed(&self) -> &Sealed {
        &self.sealed
    }

    /// The receipts it rests on: of the checked envelope, and of progress once there is any.
    pub fn receipts(&self) -> (&Verified<Receipt>, Option<&Verified<Receipt>>) {
        (&self.checked, self.progress.as_deref())
    }

    /// How far the machine has come, as the device signed it.
    pub fn extent(&self) -> Extent {
        match self.progress.as_ref().map(|receipt| receipt.event) {
            Some(Said::Progress(extent)) => extent,
            None | Some(Said::Checked(_) | Said::Ended(..)) => Extent::default(),
        }
    }

    /// The sequence number of the newest receipt.
    pub fn sequence(&self) -> u32 {
        let progress = self.progress.as_ref().map_or(0, |receipt| receipt.sequence);
        progress.max(self.checked.sequence)
    }

    fn advance(self, receipt: Verified<Receipt>, extent: Extent) -> Result<Step, Refusal> {
        let window = self.sealed.window();
        // Said before: a device that lost the line says it again, and gets what it had.
        if receipt.sequence <= self.sequence() {
            let layers = self.extent().layers;
            return Step::to(Job::Printing(self), [Effect::Release(window, layers)]);
        }
        self.check_forward(extent)?;
        let next = Self { progress: Some(Box::new(receipt)), ..self };
        Step::to(Job::Printing(next), [Effect::Release(window, extent.layers)])
    }

    /// A machine can't unprint (RC-11), nor print more than there is (RC-12).
    fn check_forward(&self, extent: Extent) -> Result<(), Refusal> {
        let known = self.extent();
        let forward = extent.layers >= known.layers
            && extent.lines >= known.lines
            && extent.filament_um >= known.filament_um;
        if !forward {
            return Err(Refusal::new(Reason::InvalidField, "the receipt names less than an earlier one"));
        }
        // What a failed print costs is decided by this share (L8), so it must be of the signed whole.
        if extent.total_layers != self.sealed.manifest.layers {
            return Err(Refusal::new(Reason::InvalidField, "the receipt counts layers of another toolpath"));
        }
        if extent.layers > self.sealed.manifest.layers {
            return Err(Refusal::new(Reason::InvalidField, "the receipt names more layers than there are"));
        }
        Ok(())
    }
}

fn begin(admitted: Admitted, header: Verified<EnvelopeHeader>, secret: Vec<u8>) -> Result<Step, Refusal> {
    Step::to(Job::Slicing(Slicing { admitted, header, secret }), [Effect::Offer])
}

/// RC-7, RC-8
pub(crate) fn check_speaker(order: &Order, receipt: &Verified<Receipt>) -> Result<(), Refusal> {
    let named = (receipt.device, receipt.job, receipt.hold);
    let ours = (order.device(), order.job(), order.hold().id);
    if named == ours && receipt.signer() == order.device_key() {
        Ok(())
    } else {
        Err(Refusal::new(Reason::NotTrusted, "the receipt is of another device, job or hold"))
    }
}

/// `Printed` means every layer (RC-13).
fn check_printed(outcome: Outcome, extent: Extent, manifest: &Manifest) -> Result<(), Refusal> {
    match outcome {
        Outcome::Printed if extent.layers != manifest.layers => {
            Err(Refusal::new(Reason::InvalidField, "the receipt says printed, but not every layer was"))
        }
        Outcome::Printed | Outcome::Failed | Outcome::Cancelled => Ok(()),
    }
}

/// A job whose keys were never released can't have been printed (RC-13).
fn check_unprinted(outcome: Outcome, extent: Extent) -> Result<(), Refusal> {
    if outcome == Outcome::Printed || extent.layers > 0 {
        return Err(Refusal::new(Reason::InvalidField, "the receipt says printed, but no key was released"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
