//! Printing, hop 11: checked segments are opened as their keys come, become commands, and move the machine.
//!
//! Order of things: a segment is opened, a whole piece is read, each of its lines passes the guard, the machine
//! acknowledges, whole layers are attested. Whatever fails, the machine is brought into its safe state and the
//! receipt says how far it had come. Plaintext segments are wiped as soon as their piece is read; the commands
//! themselves live until the machine has taken them, since it may ask for a line again. Pauses are in [`pause`].

mod pause;

use std::collections::VecDeque;
use std::time::Duration;

use layerlock_seal::toolpath::{self, Ends, Opener, Reason};
use layerlock_terms::machine::Machine;
use layerlock_terms::receipt::{Extent, Outcome};
use layerlock_terms::toolpath::{Layer, Piece, Step};
use layerlock_terms::wire::Malformed;
use zeroize::Zeroizing;

use self::pause::Word;
use crate::check::{Cleared, Refusal};
use crate::gcode::{Comments, GcodeError, Marlin};
use crate::guard::{self, Guard};
use crate::hand::{Asked, Declined, Wish};
use crate::link::LinkError;
use crate::printer::{Printer, PrinterError, PrinterEvent, Stop};
use crate::serve::{DeviceError, Notice, Shift};
use crate::session::Event;

/// How long the machine is kept hot while a key doesn't come.
pub(crate) const KEY_PATIENCE: Duration = Duration::from_secs(300);
/// Longest piece that is read, in bytes of plaintext.
const PIECE_LIMIT: usize = 64 << 20;

/// Why a job did not end as printed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It was refused before any motion.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// A segment doesn't open; the disk or the key isn't what it was.
    #[error("{0}; the machine was stopped")]
    Sealed(#[from] toolpath::Refused),
    /// The opened bytes are no toolpath.
    #[error("the toolpath is malformed: {0}; tell the seller")]
    Malformed(#[from] Malformed),
    /// The pieces are out of order, or not what the manifest says.
    #[error("the toolpath's {0} is not what was signed for; tell the seller")]
    Toolpath(&'static str),
    /// A piece has no G-code.
    #[error("{0}")]
    Gcode(#[from] GcodeError),
    /// A command the machine must not get.
    #[error("{0}; tell the seller")]
    Guard(#[from] guard::Refusal),
    /// The machine or its cable.
    #[error("{0}")]
    Printer(#[from] PrinterError),
    /// The stored ciphertext can't be read or written.
    #[error("the spool can't be read or written: {0}; free the disk")]
    Spool(std::io::Error),
    /// The key didn't come.
    #[error("the key of epoch {epoch} did not come within {} s; the machine was not kept hot any longer", KEY_PATIENCE.as_secs())]
    NoKey {
        /// Which.
        epoch: u32,
    },
    /// Somebody stopped it at the machine.
    #[error("stopped at the machine")]
    StoppedAtMachine,
    /// Somebody stopped this program.
    #[error("stopped by whoever runs the device")]
    Stopped,
    /// The vault will not go on.
    #[error("the vault ended the job: {0}")]
    Withdrawn(String),
    /// The link is over for good.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// Power was cut, or the program killed, in mid-print.
    #[error("the device went down in mid-print; a job is never taken up again in motion, ask for a new one")]
    WentDown,
    /// The program a device is embedded in, or its machine, can't go on.
    #[error("{0}")]
    Embedded(String),
    /// The device itself can't go on.
    #[error("{0}")]
    Device(Box<DeviceError>),
}

impl Failure {
    /// What the receipt says.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::StoppedAtMachine | Self::Stopped => Outcome::Cancelled,
            Self::Refused(_)
            | Self::Sealed(_)
            | Self::Malformed(_)
            | Self::Toolpath(_)
            | Self::Gcode(_)
            | Self::Guard(_)
            | Self::Printer(_)
            | Self::Spool(_)
            | Self::NoKey { .. }
            | Self::Withdrawn(_)
            | Self::Link(_)
            | Self::WentDown
            | Self::Embedded(_)
            | Self::Device(_) => Outcome::Failed,
        }
    }
}

/// One job in motion.
pub(crate) struct Run {
    pub cleared: Cleared,
    pub opener: Opener,
    /// The newest epoch whose secret the opener was given.
    pub unlocked: Option<u32>,
    /// Next segment to open.
    pub next: u32,
    pub plain: Plain,
    pub order: Order,
    pub gcode: Marlin,
    pub guard: Guard,
    pub acks: Acks,
}

/// What waiting ended with.
enum Heard {
    Link(crate::link::LinkEvent),
    Machine(PrinterEvent),
    Owner(Asked),
}

impl Shift<'_> {
    /// Moves the machine along a cleared toolpath; returns when motion is over and reported.
    pub(crate) async fn print(&mut self, cleared: Cleared) -> Result<(), DeviceError> {
        let mut printer = self.take_printer();
        let mut run = Run::new(cleared, Guard::new(self.machine()));
        (self.wished, self.is_parked, self.is_ending) = (None, false, false);
        let driven = self.drive(&mut run, &mut *printer).await;
        let mut made_safe = Ok(());
        let (outcome, failure) = match driven {
            Ok(()) => (Outcome::Printed, None),
            Err(failure) => {
                self.tell(Notice::Stopping(&failure));
                made_safe = self.make_safe(&mut *printer).await;
                (failure.outcome(), Some(failure))
            }
        };
        let stats = printer.stats();
        let extent = run.acks.reach(stats.last_acknowledged);
        self.note_machine(stats, printer.record());
        let lost = self.step(Event::Finished(outcome, extent)).await;
        let unsafe_for = made_safe.as_ref().err();
        self.tell(Notice::Ended { outcome, extent, why: failure.as_ref(), unsafe_for });
        match failure {
            Some(Failure::Device(error)) => Err(*error),
            other => {
                self.note_failure(other);
                lost
            }
        }
    }

    /// Ends motion; whoever wants something meanwhile hears that it is ending.
    async fn make_safe(&mut self, printer: &mut dyn Printer) -> Result<(), PrinterError> {
        let mut stopping = printer.stop(Stop::Safe);
        let stopped = loop {
            tokio::select! {
                biased;
                asked = self.device.wishes.next() => asked.answer(Err(Declined::Ending)),
                stopped = &mut stopping => break stopped,
            }
        };
        if let Err(error) = &stopped {
            tracing::warn!(%error, "the machine could not be brought into its safe state");
        }
        stopped
    }

    async fn drive(&mut self, run: &mut Run, printer: &mut dyn Printer) -> Result<(), Failure> {
        self.tell(Notice::Heating);
        while let Some(piece) = self.next_piece(run, printer).await? {
            self.play(run, printer, &piece).await?;
        }
        self.is_ending = true;
        self.rest(run, printer).await
    }

    /// Sends one piece's lines.
    async fn play(&mut self, run: &mut Run, printer: &mut dyn Printer, piece: &Piece) -> Result<(), Failure> {
        if let Piece::Layer(layer) = piece {
            self.tell(Notice::Layer(layer));
        }
        for line in run.gcode.lines(piece)? {
            let line = Zeroizing::new(line);
            let Some(line) = guard::stripped(&line) else { continue };
            // The guard stands where the machine was led: what has no room yet is no part of that.
            let mut beyond = run.guard.clone();
            let command = beyond.admit(line)?;
            while let Some(event) = self.alongside(printer.ready(Some(&command))).await? {
                self.heed(run, printer, event).await?;
            }
            self.alongside(printer.send(&command)).await?;
            run.guard = beyond;
            run.acks.sent += 1;
            self.note_heat(printer.temperatures());
            self.attest_layers(run, printer.stats().last_acknowledged).await?;
            while let Some(event) = printer.take_event() {
                self.heed(run, printer, event).await?;
            }
            if self.wished.take() == Some(Wish::Pause) {
                self.pause(run, printer, Word::None).await?;
            }
        }
        if let Piece::Layer(layer) = piece {
            run.acks.end_layer(layer);
        }
        Ok(())
    }

    /// Lets the machine make every move it was sent, and attests what that completes.
    async fn rest(&mut self, run: &mut Run, printer: &mut dyn Printer) -> Result<(), Failure> {
        while let Some(event) = self.alongside(printer.ready(None)).await? {
            self.heed(run, printer, event).await?;
        }
        self.alongside(printer.drain()).await?;
        self.attest_layers(run, printer.stats().last_acknowledged).await
    }

    /// One receipt per whole layer acknowledged, or for several that were acknowledged at once.
    async fn attest_layers(&mut self, run: &mut Run, acknowledged: u64) -> Result<(), Failure> {
        let before = run.acks.extent.layers;
        let extent = run.acks.reach(acknowledged);
        if extent.layers == before {
            return Ok(());
        }
        self.step(Event::Layers(extent)).await?;
        let of = run.cleared.envelope().manifest().layers;
        self.tell(Notice::Progress { layers: extent.layers, of });
        Ok(())
    }

    /// What the machine or its person asks for between two lines.
    async fn heed(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        event: PrinterEvent,
    ) -> Result<(), Failure> {
        self.note_heat(printer.temperatures());
        if event == PrinterEvent::Temperatures {
            return Ok(());
        }
        self.tell(Notice::Machine(&event));
        match event {
            PrinterEvent::Cancel => Err(Failure::StoppedAtMachine),
            event => self.heed_word(run, printer, &event).await,
        }
    }

    /// Opens the segments of the next piece; `None` after the last.
    async fn next_piece(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
    ) -> Result<Option<Piece>, Failure> {
        if run.next == run.cleared.envelope().manifest().segments {
            return run.order.finish(run.cleared.envelope().manifest().layers).map(|()| None);
        }
        loop {
            let sealed = self.stored(run.next).map_err(Failure::Spool)?;
            let limit = run.cleared.envelope().header().segment_limit;
            let (segment, _) = toolpath::Segment::split_first(&sealed, limit)
                .map_err(|reason| toolpath::Refused { index: run.next, reason })?;
            let (epoch, length) = (segment.info().epoch, segment.info().length);
            if epoch != run.epoch_due() {
                // The frame rotted since the check: the key it asks for would be waited for with a hot machine.
                return Err(toolpath::Refused { index: run.next, reason: Reason::WrongEpoch }.into());
            }
            run.plain.make_room(length as usize)?;
            self.await_key(run, printer, epoch).await?;
            if let Some(piece) = run.open(sealed, self.machine())? {
                return Ok(Some(piece));
            }
        }
    }

    /// Waits until the epoch's key is here; the machine finishes what it has and is kept hot for a while.
    async fn await_key(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        epoch: u32,
    ) -> Result<(), Failure> {
        if self.hand_key(run, epoch)? {
            return Ok(());
        }
        self.rest(run, printer).await?;
        self.rest_for_key(run, printer, epoch).await
    }

    async fn hear(&mut self, printer: &mut dyn Printer) -> Result<Heard, Failure> {
        tokio::select! {
            biased;
            () = self.stop.asked() => Err(Failure::Stopped),
            asked = self.device.wishes.next() => Ok(Heard::Owner(asked)),
            event = self.link.next() => Ok(Heard::Link(event)),
            event = printer.attend() => Ok(Heard::Machine(event?)),
        }
    }

    /// Gives the opener an epoch's secret; whether it has it now.
    fn hand_key(&mut self, run: &mut Run, epoch: u32) -> Result<bool, Failure> {
        // Epochs come in order, and the opener keeps the newest one handed to it.
        if run.unlocked == Some(epoch) {
            return Ok(true);
        }
        let Some(secret) = self.unwrap_key(epoch, run.cleared.envelope().header())? else {
            return Ok(false);
        };
        run.opener.add_epoch(secret)?;
        run.unlocked = Some(epoch);
        Ok(true)
    }

    /// Serves the link while the machine works. Work that is broken off is never taken up again.
    async fn alongside<T>(
        &mut self,
        work: impl Future<Output = Result<T, PrinterError>>,
    ) -> Result<T, Failure> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.stop.asked() => return Err(Failure::Stopped),
                asked = self.device.wishes.next() => self.on_wish(asked)?,
                event = self.link.next() => self.on_link_in_motion(event).await?,
                done = &mut work => return Ok(done?),
            }
        }
    }

    /// What the owner asks for in motion. A pause is made where lines are sent.
    fn on_wish(&mut self, asked: Asked) -> Result<(), Failure> {
        let is_paused = self.wished.map_or_else(|| self.is_paused(), |wished| wished == Wish::Pause);
        let (answer, done) = match asked.wish {
            Wish::Cancel => (Ok(()), Err(Failure::Stopped)),
            Wish::Pause if is_paused => (Err(Declined::PausedAlready), Ok(())),
            Wish::Resume if !is_paused => (Err(Declined::NotPaused), Ok(())),
            Wish::Pause | Wish::Resume if self.is_ending => (Err(Declined::Ending), Ok(())),
            Wish::Resume if self.is_parked => (Err(Declined::Parked), Ok(())),
            Wish::Pause => {
                self.wished = Some(Wish::Pause);
                self.tell(Notice::Pausing);
                (Ok(()), Ok(()))
            }
            Wish::Resume => {
                // A pause that has not begun yet needs no end.
                self.wished = Some(Wish::Resume).filter(|_| self.is_paused());
                (Ok(()), Ok(()))
            }
        };
        asked.answer(answer);
        done
    }

    async fn on_link_in_motion(&mut self, event: crate::link::LinkEvent) -> Result<(), Failure> {
        self.on_link(event).await?;
        match self.interrupt.take() {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Link(link) => Self::Link(link),
            other => Self::Device(Box::new(other)),
        }
    }
}

impl Run {
    pub(crate) fn new(cleared: Cleared, guard: Guard) -> Self {
        let opener = Opener::new(cleared.envelope());
        let acks = Acks::of(cleared.envelope().manifest().layers);
        Self {
            cleared,
            opener,
            unlocked: None,
            next: 0,
            plain: Plain::default(),
            order: Order::default(),
            gcode: Marlin::new(Comments::Omitted),
            guard,
            acks,
        }
    }

    /// Opens the next segment where it stands, which wipes it afterwards; gives the piece it ends.
    pub(crate) fn open(&mut self, sealed: Vec<u8>, machine: &Machine) -> Result<Option<Piece>, Failure> {
        let mut sealed = Zeroizing::new(sealed);
        let (info, text) = self.opener.open(&mut sealed)?;
        self.plain.0.extend_from_slice(text);
        self.next += 1;
        if info.ends == Ends::Nothing {
            return Ok(None);
        }
        let piece = Piece::parse(&self.plain.0);
        self.plain.wipe();
        let piece = piece?;
        self.order.follow(&piece, info.layer, machine.name)?;
        Ok(Some(piece))
    }

    /// The epoch of the piece that is due, whatever its frames say; the epilogue goes with the last layer.
    pub(crate) fn epoch_due(&self) -> u32 {
        let envelope = self.cleared.envelope();
        let last = envelope.manifest().layers.saturating_sub(1);
        self.order.layers.min(last) / envelope.header().epoch_layers
    }
}

/// Plaintext on its way to be read: wiped when read, wiped when it has to move, wiped when it is dropped.
#[derive(Default)]
pub(crate) struct Plain(pub Zeroizing<Vec<u8>>);

impl Plain {
    /// Makes sure that `more` bytes fit without the vector moving by itself and leaving a copy behind.
    pub(crate) fn make_room(&mut self, more: usize) -> Result<(), Failure> {
        let wanted = self.0.len() + more;
        if wanted > PIECE_LIMIT {
            return Err(Failure::Toolpath("longest piece"));
        }
        if wanted > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(wanted.next_power_of_two()));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        Ok(())
    }

    pub(crate) fn wipe(&mut self) {
        let room = self.0.capacity();
        self.0 = Zeroizing::new(Vec::with_capacity(room));
    }
}

/// What must come next: prologue, layers counted from zero, epilogue.
#[derive(Default)]
pub(crate) struct Order {
    begun: bool,
    layers: u32,
    over: bool,
}

impl Order {
    pub(crate) fn follow(&mut self, piece: &Piece, sealed_layer: u32, machine: &str) -> Result<(), Failure> {
        match piece {
            Piece::Prologue(prologue) if !self.begun && prologue.machine == machine => self.begun = true,
            Piece::Layer(layer) if self.begun && !self.over => {
                if layer.index != self.layers || layer.index != sealed_layer {
                    return Err(Failure::Toolpath("layer order"));
                }
                self.layers += 1;
            }
            Piece::Epilogue(_) if self.begun && !self.over => self.over = true,
            Piece::Prologue(_) => return Err(Failure::Toolpath("machine")),
            Piece::Layer(_) | Piece::Epilogue(_) => return Err(Failure::Toolpath("order of pieces")),
        }
        Ok(())
    }

    pub(crate) fn finish(&self, layers: u32) -> Result<(), Failure> {
        let whole = self.over && self.layers == layers;
        if whole { Ok(()) } else { Err(Failure::Toolpath("number of layers")) }
    }
}

/// What was sent, and how much of it whole layers.
#[derive(Debug)]
pub(crate) struct Acks {
    pub sent: u64,
    /// Lines sent beside the toolpath, to take the head aside and back.
    pub aside: u64,
    /// Filament of the layers ended so far, in 10⁻⁵ mm.
    fed: u64,
    /// Layers sent whole and not yet acknowledged: lines up to their end, layers, filament in micrometres.
    marks: VecDeque<(u64, u32, u64)>,
    pub extent: Extent,
}

impl Acks {
    /// Nothing sent yet of a toolpath of so many layers.
    fn of(total_layers: u32) -> Self {
        let extent = Extent { total_layers, ..Extent::default() };
        Self { sent: 0, aside: 0, fed: 0, marks: VecDeque::new(), extent }
    }

    pub(crate) fn end_layer(&mut self, layer: &Layer) {
        self.fed += layer.steps.iter().map(fed).sum::<u64>();
        self.marks.push_back((self.sent, layer.index + 1, self.fed / 100));
    }

    /// How far the machine has come, now that it has acknowledged so many lines. Those beside the toolpath go out while none of it
    /// is under way.
    pub(crate) fn reach(&mut self, acknowledged: u64) -> Extent {
        let lines = acknowledged.saturating_sub(self.aside).max(self.extent.lines);
        self.extent.lines = lines;
        while let Some((end, layers, filament_um)) = self.marks.front().copied().filter(|m| m.0 <= lines) {
            debug_assert!(end <= self.sent, "a layer ends within what was sent");
            (self.extent.layers, self.extent.filament_um) = (layers, filament_um);
            self.marks.pop_front();
        }
        self.extent
    }
}

/// Filament a step extrudes, in 10⁻⁵ mm; what is pulled back is primed again and counts for nothing.
fn fed(step: &Step) -> u64 {
    match step {
        Step::Extrude(path) => path.points.iter().map(|(_, feed)| u64::try_from(feed.0).unwrap_or(0)).sum(),
        Step::Travel { .. }
        | Step::Retract { .. }
        | Step::Prime { .. }
        | Step::Wipe { .. }
        | Step::Lift { .. }
        | Step::Acceleration { .. }
        | Step::Fan(_)
        | Step::Nozzle(_)
        | Step::Bed(_) => 0,
    }
}

#[cfg(test)]
mod tests;
