//! Motion, hop 11: checked segments become commands when the caller asks for the next one.
//!
//! The order is that of `print`: a segment is opened when its epoch's key is here, a whole piece is read, each of
//! its lines passes the guard at the moment it is handed out. Nothing is opened ahead of what is asked for.

use layerlock_seal::toolpath::{self, OVERHEAD, Reason};
use layerlock_terms::receipt::Outcome;
use layerlock_terms::toolpath::Piece;
use layerlock_terms::units::Millis;
use zeroize::Zeroizing;

use super::{EmbedError, Embedded, Host, Item};
use crate::check::{Cleared, Refusal};
use crate::guard::{self, Command, Guard};
use crate::print::{Failure, KEY_PATIENCE, Run};
use crate::session::{Event, Session};

/// What the machine is to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Nothing is in motion.
    Nothing,
    /// Nothing for the moment: a key, an acknowledgement or the end of a pause is awaited.
    Wait,
    /// Carry out this command.
    Command(Command),
    /// Motion was broken off: heaters off, motors still, now. Said once.
    Stop,
}

/// What a piece of toolpath ended with.
enum Opened {
    Piece(Piece),
    NoKey(u32),
    Over,
}

impl<H: Host> Embedded<H> {
    pub(super) fn begin_motion(&mut self, cleared: Cleared) {
        let guard = Guard::new(self.machine());
        self.work.run = Some(Box::new(Run::new(cleared, guard)));
    }

    /// What the machine is to do now.
    ///
    /// # Errors
    /// [`EmbedError`]; ask again: [`Next::Stop`] follows where the machine was moving.
    pub fn next_command(&mut self) -> Result<Next, EmbedError> {
        self.tick();
        if std::mem::take(&mut self.must_stop) {
            return Ok(Next::Stop);
        }
        match self.session {
            Session::Printing(_) => {}
            Session::Paused(_) => return Ok(Next::Wait),
            Session::Unenrolled(_)
            | Session::Idle(_)
            | Session::Fetching(_)
            | Session::Checked(_)
            | Session::Reporting(_)
            | Session::Halted(_) => return Ok(Next::Nothing),
        }
        let Some(mut run) = self.work.run.take() else { return Ok(Next::Nothing) };
        let driven = self.drive(&mut run);
        self.work.run = Some(run);
        match driven {
            Ok(next) => Ok(next),
            Err(failure) => {
                self.fail(failure)?;
                self.next_command()
            }
        }
    }

    /// So many commands of this job have been carried out or taken over by the machine, counted from its start.
    ///
    /// # Errors
    /// [`EmbedError`]. More than were handed out count as all that were.
    pub fn acknowledged(&mut self, commands: u64) -> Result<(), EmbedError> {
        self.tick();
        let moves = self.session.moves();
        let Some(run) = self.work.run.as_mut().filter(|_| moves) else { return Ok(()) };
        let (layers, lines) = (run.acks.extent.layers, run.acks.extent.lines);
        let extent = run.acks.reach(commands.min(run.acks.sent).max(lines));
        if extent.layers > layers {
            self.step(Event::Layers(extent))?;
        }
        Ok(())
    }

    /// A person stops the print, or wants none of a job that is coming: that one is refused, and nothing moves.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub fn stop(&mut self) -> Result<(), EmbedError> {
        self.tick();
        match self.session {
            Session::Printing(_) | Session::Paused(_) => self.fail(Failure::StoppedAtMachine),
            Session::Fetching(_) | Session::Checked(_) => self.refuse(&Failure::StoppedAtMachine),
            Session::Unenrolled(_) | Session::Idle(_) | Session::Reporting(_) | Session::Halted(_) => Ok(()),
        }
    }

    /// The machine can't go on.
    ///
    /// # Errors
    /// [`EmbedError`].
    pub fn machine_failed(&mut self) -> Result<(), EmbedError> {
        self.tick();
        if self.session.moves() {
            self.fail(Failure::Embedded("the machine can't go on".into()))
        } else {
            Ok(())
        }
    }

    /// Ends a job in motion that can't go on.
    pub(super) fn fail(&mut self, failure: Failure) -> Result<(), EmbedError> {
        let Some(run) = self.work.run.take() else { return Ok(()) };
        self.work.lines.clear();
        self.must_stop = true;
        self.trouble = Some(failure.to_string());
        self.step(Event::Finished(failure.outcome(), run.acks.extent))
    }

    fn drive(&mut self, run: &mut Run) -> Result<Next, Failure> {
        loop {
            while let Some(line) = self.work.lines.pop_front() {
                let Some(line) = guard::stripped(&line) else { continue };
                let command = run.guard.admit(line)?;
                run.acks.sent += 1;
                return Ok(Next::Command(command));
            }
            match self.open_piece(run)? {
                Opened::Piece(piece) => self.play(run, &piece)?,
                Opened::NoKey(epoch) => return self.wait_for(epoch),
                Opened::Over if run.acks.extent.lines < run.acks.sent => return Ok(Next::Wait),
                Opened::Over => {
                    let printed = self.step(Event::Finished(Outcome::Printed, run.acks.extent));
                    printed.map_err(|error| Failure::Embedded(error.to_string()))?;
                    return Ok(Next::Nothing);
                }
            }
        }
    }

    /// Puts a piece's commands in line. Its end is marked at once: what `acknowledged` may reach is bounded by what
    /// was handed out.
    fn play(&mut self, run: &mut Run, piece: &Piece) -> Result<(), Failure> {
        self.work.lines.extend(run.gcode.lines(piece)?.into_iter().map(Zeroizing::new));
        if let Piece::Layer(layer) = piece {
            let coming = self.work.lines.iter().filter(|line| guard::stripped(line).is_some()).count() as u64;
            run.acks.sent += coming;
            run.acks.end_layer(layer);
            run.acks.sent -= coming;
        }
        Ok(())
    }

    /// The machine is kept hot for a while, not for ever.
    fn wait_for(&mut self, epoch: u32) -> Result<Next, Failure> {
        let now = self.time.now();
        let since = *self.work.waits_since.get_or_insert(now);
        let patience = Millis(u64::try_from(KEY_PATIENCE.as_millis()).unwrap_or(u64::MAX));
        if now >= since.plus(patience) { Err(Failure::NoKey { epoch }) } else { Ok(Next::Wait) }
    }

    /// Opens the segments of the next piece, as far as keys are here.
    fn open_piece(&mut self, run: &mut Run) -> Result<Opened, Failure> {
        let manifest = run.cleared.envelope().manifest();
        if run.next == manifest.segments {
            return run.order.finish(manifest.layers).map(|()| Opened::Over);
        }
        loop {
            let epoch = run.epoch_due();
            if !self.hand_key(run, epoch)? {
                return Ok(Opened::NoKey(epoch));
            }
            self.work.waits_since = None;
            let limit = run.cleared.envelope().header().segment_limit;
            let next = self.work.segments.read_next(&mut self.host, limit as usize + OVERHEAD);
            let sealed = next.map_err(|_| Failure::Spool(std::io::ErrorKind::NotFound.into()))?;
            let refused = |reason| toolpath::Refused { index: run.next, reason };
            let info = toolpath::Segment::parse(&sealed, limit).map_err(refused)?.info();
            if info.epoch != epoch {
                return Err(refused(Reason::WrongEpoch).into());
            }
            run.plain.make_room(info.length as usize)?;
            if let Some(piece) = run.open(sealed, self.machine())? {
                return Ok(Opened::Piece(piece));
            }
        }
    }

    /// Gives the opener an epoch's secret; whether it has it now.
    fn hand_key(&mut self, run: &mut Run, epoch: u32) -> Result<bool, Failure> {
        if run.unlocked == Some(epoch) {
            return Ok(true);
        }
        self.work.keys = self.work.keys.split_off(&epoch);
        let Some(release) = self.work.keys.get(&epoch) else { return Ok(false) };
        let opened = self.identity.keys().open.open_epoch(release, run.cleared.envelope().header(), epoch);
        run.opener.add_epoch(opened.map_err(|_| Refusal::CannotUnwrap { epoch })?)?;
        run.unlocked = Some(epoch);
        Ok(true)
    }
}

impl<H: Host> Embedded<H> {
    /// Refuses the running job before any motion.
    pub(super) fn refuse(&mut self, why: &impl ToString) -> Result<(), EmbedError> {
        self.trouble = Some(why.to_string());
        (self.work.run, self.work.examination) = (None, None);
        self.step(Event::Unfit)
    }

    /// Forgets what is stored of the running job's envelope.
    pub(super) fn forget_segments(&mut self) -> Result<(), EmbedError> {
        self.work = super::Work::default();
        Ok(self.host.replace(Item::Segments, &[])?)
    }
}
