//! Signs of life: the greeting, waiting, probing, restarts and last words (rules 1, 11 to 13, 18, 19 and 24).

use std::time::Duration;

use crate::printer::PrinterEvent;
use crate::printer::reply::Reply;
use crate::printer::wire::{CONTINUE, Ending, GO_ON, Phase, RESEND_OK, Rewind, Wire};

/// How long an answer may take where the machine never tells that it is busy (rule 11).
pub const ANSWER: Duration = Duration::from_secs(30);
/// How long an answer may take where it does.
pub const ANSWER_WHERE_BUSY_IS_TOLD: Duration = Duration::from_secs(3);
/// How long homing, heating, levelling or finishing all moves may take without a word (rule 19).
pub const LONG_RUN: Duration = Duration::from_secs(45 * 60);
/// Probes in a row without any answer, at most (rule 11).
pub const PROBES: u32 = 5;

/// Silence after the last `busy` of a long runner that means its `ok` was lost.
const BUSY_ENDED: Duration = Duration::from_secs(10);
/// How long more lines may belong to a machine's last words.
const LAST_WORDS: Duration = Duration::from_millis(250);
/// Times M110 is sent (rule 1).
const GREETINGS: u32 = 3;

/// When the machine was last heard to work.
#[derive(Debug)]
pub(super) struct Life {
    /// The last ok, resend request or busy; not the last byte (rule 13).
    last_sign: Duration,
    tells_busy: bool,
    /// It said busy since the last answer.
    was_busy: bool,
    with_user: bool,
    probes: u32,
    pub(super) warned: bool,
}

impl Life {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            last_sign: now,
            tells_busy: false,
            was_busy: false,
            with_user: false,
            probes: 0,
            warned: false,
        }
    }

    /// A line goes out with none before it: the time for its answer begins.
    pub(super) fn awaits_from(&mut self, now: Duration) {
        self.last_sign = now;
    }

    /// An answer came in; tells how many probes it took.
    pub(super) fn alive(&mut self, now: Duration) -> u32 {
        (self.last_sign, self.was_busy, self.with_user) = (now, false, false);
        std::mem::take(&mut self.probes)
    }

    pub(super) fn waits_with_user(&self) -> bool {
        self.with_user
    }

    fn patience(&self, long_runner: bool) -> Duration {
        match (long_runner, self.was_busy, self.tells_busy) {
            (true, true, _) => BUSY_ENDED,
            (true, false, _) => LONG_RUN,
            (false, _, true) => ANSWER_WHERE_BUSY_IS_TOLD,
            (false, _, false) => ANSWER,
        }
    }
}

impl Wire {
    /// When [`Self::tick`] has something to do, if nothing arrives before.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Greeting { next, give_up, .. } => Some(*next.min(give_up)),
            Phase::Dying { until, .. } => Some(*until),
            Phase::Over(_) => None,
            Phase::Running if self.rewind.swallow > 0 => Some(self.rewind.until),
            Phase::Running if self.echoes_are_next() => Some(self.echoes_due()),
            Phase::Running if self.in_flight() > 0 => Some(self.answer_due()),
            Phase::Running => None,
        }
    }

    fn answer_due(&self) -> Duration {
        self.life.last_sign + self.life.patience(self.has_long_runner())
    }

    /// Whether nothing keeps the machine from reading what it was sent before the last rewind: all before the line
    /// it asked for is done. Firmware that threw those lines away (as Marlin does) stays silent then.
    fn echoes_are_next(&self) -> bool {
        !self.rewind.echoes.is_empty() && self.rewind.line.is_some_and(|asked| asked <= self.acked)
    }

    fn echoes_due(&self) -> Duration {
        self.life.last_sign + RESEND_OK
    }

    /// Does what is due at `now`; harmless when nothing is.
    pub fn tick(&mut self, now: Duration) {
        match self.phase.clone() {
            Phase::Greeting { attempts, next, give_up } => self.greet(attempts, (next, give_up), now),
            Phase::Dying { message, until } if now >= until => self.end(Ending::Fault(message)),
            Phase::Running if self.rewind.swallow > 0 => self.stop_waiting_for_resend_ok(now),
            Phase::Running if self.echoes_are_next() && now >= self.echoes_due() => {
                self.rewind.echoes.clear()
            }
            Phase::Running if self.in_flight() > 0 && now >= self.answer_due() => self.answer_is_late(now),
            Phase::Running | Phase::Dying { .. } | Phase::Over(_) => {}
        }
        self.pump(now);
    }

    fn greet(&mut self, attempts: u32, (next, give_up): (Duration, Duration), now: Duration) {
        if now >= give_up {
            return self.end(Ending::NoAnswer);
        }
        if now < next {
            return;
        }
        self.output.extend_from_slice(b"\nN0 M110 N0*125\n");
        let left = GREETINGS.saturating_sub(attempts + 1);
        let next = if left == 0 { give_up } else { now + (give_up - now) / (left + 1) };
        self.phase = Phase::Greeting { attempts: attempts + 1, next, give_up };
    }

    fn stop_waiting_for_resend_ok(&mut self, now: Duration) {
        if now >= self.rewind.until {
            self.rewind.swallow = 0;
        }
    }

    /// A line, or the answer to one, was lost: the next numbered line shows which (rule 11).
    fn answer_is_late(&mut self, now: Duration) {
        if self.life.probes == PROBES {
            return self.end(Ending::Silent);
        }
        self.life.probes += 1;
        self.life.last_sign = now;
        self.life.was_busy = false;
        self.doubted = self.cursor;
        self.heard.stats.timeouts += 1;
        self.rewind.echoes.clear();
        self.probe(now);
    }

    /// Writes the next numbered line past the window: nothing written is in the machine's buffers any more.
    pub(super) fn probe(&mut self, now: Duration) {
        let written = self.cursor;
        if self.cursor == self.history.next() {
            self.push_own("M105", now);
        }
        if self.cursor == written {
            self.write_next(now);
        }
    }

    pub(super) fn busy(&mut self, now: Duration) {
        self.heard.stats.busy += 1;
        self.life.last_sign = now;
        self.life.probes = 0;
        (self.life.tells_busy, self.life.was_busy) = (true, true);
        // Each wait of its own needs a word of its own: after a heat-up the machine's user, then the next heat-up.
        if self.stopping && matches!(self.phase, Phase::Running | Phase::Greeting { .. }) {
            self.output.extend_from_slice(GO_ON);
        }
    }

    pub(super) fn busy_with_user(&mut self, now: Duration) {
        let told = self.life.with_user;
        self.busy(now);
        if self.stopping && self.phase == Phase::Running {
            self.output.extend_from_slice(CONTINUE);
        }
        self.life.with_user = true;
        if !told {
            self.events.push_back(PrinterEvent::WaitsForUser);
        }
    }

    /// `wait` with a line unacknowledged is a timeout now (rule 13).
    pub(super) fn idle_machine(&mut self, now: Duration) {
        if self.phase == Phase::Running && self.in_flight() > 0 && self.rewind.swallow == 0 {
            self.answer_is_late(now);
        }
    }

    /// `start`: awaited in the greeting, the end of the job ever after (rule 12).
    pub(super) fn restarted(&mut self, now: Duration) {
        if let Phase::Greeting { give_up, .. } = self.phase {
            self.rewind = Rewind::default();
            self.greet(0, (now, give_up), now);
        } else if self.phase == Phase::Running {
            self.end(Ending::Restarted);
        }
    }

    pub(super) fn dying(&mut self, message: String, now: Duration) {
        self.output.clear();
        let message = self.last_error.take().map_or(message.clone(), |first| format!("{first}; {message}"));
        self.phase = Phase::Dying { message, until: now + LAST_WORDS };
    }

    /// Joins an error's lines; true when the line has been taken as one of the last (rule 24).
    pub(super) fn collects_last_words(&mut self, reply: &Reply) -> bool {
        match (&mut self.phase, reply) {
            (Phase::Dying { message, .. }, Reply::Fault(words) | Reply::Error(words)) => {
                message.push_str("; ");
                message.push_str(words);
                true
            }
            (Phase::Dying { .. } | Phase::Over(_), _) => true,
            (Phase::Greeting { .. } | Phase::Running, _) => false,
        }
    }
}
