//! Acknowledgements and resend requests: what the window and the rewinding rest on (rules 6 to 9, 14 and 15).

use std::time::Duration;

use crate::guard::Pace;
use crate::printer::frame::{LineNumber, Origin};
use crate::printer::reply::Ack;
use crate::printer::wire::{
    Ending, LONGEST_WINDOW, Phase, RESEND_OK, Reports, SAME_LINE, WINDOW_BYTES, WINDOW_LINES, Wire,
};
use crate::printer::{PrinterEvent, Temperatures};

/// Lines sent before the share of resends is judged.
const ENOUGH_LINES: u64 = 100;

/// More rewinds than this within so many lines of the job narrow the window.
const FEW_REWINDS: u32 = 3;
const FEW_LINES: u64 = 64;
/// The window for a receive buffer of 64 bytes; below that, one line at a time.
const NARROW: usize = 60;

/// Acknowledgements in a row that tell of one queue, until it is believed.
const SURE: u32 = 3;

/// What the last advanced acknowledgement told.
#[derive(Debug, Default)]
pub(super) struct Told {
    room: u64,
    /// How many in a row told of this room.
    times: u32,
    /// The first line that was not read, by it.
    read: LineNumber,
}

impl Told {
    fn again(&mut self, room: u64) -> u32 {
        self.times = if self.room == room { self.times + 1 } else { 1 };
        self.room = room;
        self.times
    }
}

impl Wire {
    pub(super) fn acknowledge(&mut self, ack: Ack, now: Duration) {
        if let Some(read) = ack.temperatures {
            self.heard.temperatures = Some(read);
        }
        if matches!(self.phase, Phase::Greeting { .. }) {
            self.phase = Phase::Running;
            self.life.alive(now);
            return;
        }
        self.last_error = None;
        let probes = self.life.alive(now);
        for _ in 0..ack.count {
            self.one_ok(ack, probes);
        }
    }

    fn one_ok(&mut self, ack: Ack, probes: u32) {
        let bare = ack.temperatures.is_none() && ack.through.is_none();
        if bare && self.rewind.swallow > 0 {
            self.rewind.swallow -= 1;
            return;
        }
        let stale = ack.through.is_some_and(|line| line < self.acked.0);
        if stale || self.in_flight() == 0 {
            return;
        }
        match (self.is_report(ack), self.report_in_flight()) {
            // The last one written: an earlier report still unanswered by now has lost its answer.
            (true, Some(report)) => self.acknowledge_through(report),
            // An answer to one acknowledged with a later one.
            (true, None) => {}
            // Only a report's own answer acknowledges it where that can be told.
            (false, Some(_)) if self.reports != Reports::Unknown && self.is_report_next() => {}
            // Where it can't, the first ok after a second silence belongs to the last probe.
            (false, Some(report)) if self.reports == Reports::Unknown && probes > 1 => {
                self.acknowledge_through(report);
            }
            (_, _) => self.acknowledge_through(self.acked),
        }
        self.look_ahead(ack);
    }

    /// Sends ahead into the queue that the machine has shown to have, unless it has also shown that it can't keep up. What
    /// the queue holds besides the line just acknowledged has been read, and takes no room in the receive buffer. Answers
    /// have no checksum: one that was garbled on the way is believed in neither.
    fn look_ahead(&mut self, ack: Ack) {
        let Some(room) = ack.room.filter(|_| self.window_bytes == WINDOW_BYTES) else { return };
        if self.told.again(room) >= SURE {
            self.window_lines = self.window_lines.max(room.saturating_add(1)).min(LONGEST_WINDOW);
        }
        let queued = self.window_lines.saturating_sub(room.saturating_add(1));
        let read = LineNumber(self.acked.0 + queued);
        let before = std::mem::replace(&mut self.told.read, read);
        self.unread = self.unread.max(before.min(read)).min(self.cursor);
    }

    /// Whether this is the answer to an M105, and what that teaches of the machine.
    fn is_report(&mut self, ack: Ack) -> bool {
        if ack.temperatures.is_some() {
            self.reports = Reports::Glued;
            return true;
        }
        let told = self.reports == Reports::Before { told: true };
        if told {
            self.reports = Reports::Before { told: false };
        }
        told
    }

    /// Temperatures on a line of their own: the first half of an answer to M105, or unasked.
    pub(super) fn report_alone(&mut self, read: Temperatures) {
        self.heard.temperatures = Some(read);
        if self.reports != Reports::Glued {
            // A machine that heats tells temperatures unasked; one whose answer was late may have done so long ago.
            let since = self.acked.max(self.doubted);
            let asked =
                self.report_in_flight().is_some_and(|report| !self.has_long_runner_among(since..report));
            self.reports = Reports::Before { told: asked };
        }
    }

    fn is_report_at(&self, number: u64) -> bool {
        self.history.line(LineNumber(number)).is_some_and(|line| line.pace == Pace::Report)
    }

    fn is_report_next(&self) -> bool {
        self.is_report_at(self.acked.0)
    }

    fn report_in_flight(&self) -> Option<LineNumber> {
        (self.acked.0..self.cursor.0).rev().find(|&number| self.is_report_at(number)).map(LineNumber)
    }

    fn acknowledge_through(&mut self, line: LineNumber) {
        self.heard.stats.last_acknowledged += self.job_lines(self.acked, LineNumber(line.0 + 1));
        self.acked = LineNumber(line.0 + 1);
        self.rewind.impossible = 0;
        if self.rewind.line.is_some_and(|asked| asked < self.acked) {
            self.rewind.echoes.clear();
        }
    }

    fn job_lines(&self, from: LineNumber, to: LineNumber) -> u64 {
        let lines = (from.0..to.0).filter_map(|n| self.history.line(LineNumber(n)));
        lines.filter(|line| line.origin == Origin::Job).count() as u64
    }

    pub(super) fn rewind_to(&mut self, line: LineNumber, now: Duration) {
        if self.phase != Phase::Running {
            return;
        }
        self.life.alive(now);
        self.rewind.swallow += 1;
        self.rewind.until = now + RESEND_OK;
        let long_taken = line.0 + self.window_lines.max(WINDOW_LINES) < self.acked.0;
        if long_taken || line > self.fresh {
            return self.asked_for_the_impossible(line, now);
        }
        if line >= self.cursor {
            return; // The next unsent, or about to be written again.
        }
        if self.rewind.line == Some(line) && self.rewind.echoes.pop_front().is_some() {
            return;
        }
        self.go_back_to(line);
    }

    /// A machine that has restarted asks from line 1, one that has lost count for lines never written, whatever
    /// it is sent; a digit garbled on the way asks once. The numbered probe tells them apart.
    fn asked_for_the_impossible(&mut self, line: LineNumber, now: Duration) {
        self.rewind.impossible += 1;
        if self.rewind.impossible == 1 {
            return self.probe(now);
        }
        self.end(if line < self.acked { Ending::Restarted } else { Ending::LostCount(line) });
    }

    fn go_back_to(&mut self, line: LineNumber) {
        let times = if self.rewind.line == Some(line) { self.rewind.times + 1 } else { 1 };
        let echoes = self.lengths(line.0 + 1..self.cursor.0).collect();
        (self.rewind.line, self.rewind.times, self.rewind.echoes) = (Some(line), times, echoes);
        self.narrow_the_window();
        if line < self.acked {
            self.heard.stats.last_acknowledged -= self.job_lines(line, self.acked);
            self.acked = line;
        }
        self.cursor = line;
        self.doubted = self.doubted.min(line);
        (self.unread, self.told) = (line, Told::default());
        if times >= SAME_LINE {
            self.end(Ending::Garbled(line));
        }
        self.warn_of_resends();
    }

    /// Resends in a row are a receive buffer smaller than the window more often than a bad cable (rule 16).
    fn narrow_the_window(&mut self) {
        let line = self.heard.stats.lines_sent;
        if line >= self.rewind.since + FEW_LINES {
            (self.rewind.since, self.rewind.recent) = (line, 0);
        }
        self.rewind.recent += 1;
        if self.rewind.recent > FEW_REWINDS {
            self.rewind.recent = 0;
            self.window_bytes = if self.window_bytes > NARROW { NARROW } else { 0 };
            self.window_lines = self.window_lines.min(WINDOW_LINES);
        }
    }

    fn warn_of_resends(&mut self) {
        let stats = self.heard.stats;
        let many = stats.lines_sent >= ENOUGH_LINES && stats.resends * 10 > stats.lines_sent;
        if many && !self.life.warned {
            self.life.warned = true;
            let (resends, lines_sent) = (stats.resends, stats.lines_sent);
            self.events.push_back(PrinterEvent::ManyResends { resends, lines_sent });
        }
    }
}
