//! Marlin's manners: receive buffer, numbered lines, queue, planner and answers, with time as an argument.
//!
//! It keeps the habits that make hosts fail: silence on a repeated number, a bare ok after a resend request,
//! no ok for an empty line, lines cut at 95 bytes, bytes dropped by a full buffer (and what is left of the line
//! run unchecked), an extra ok after M108, up to 16 moves still planned after the last ok.

use std::collections::VecDeque;
use std::time::Duration;

use layerlock_terms::machine::Machine;

use crate::printer::frame::checksum;
use crate::printer::simulated::body::parameter;
use crate::printer::simulated::{Body, Deed, Fault, Faults, Record};

/// How fast the machine works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Everything takes no time.
    Instant,
    /// So many times faster than a real machine.
    Times(f64),
}

/// What differs between builds of Marlin.
#[derive(Debug, Clone)]
pub struct Manners {
    /// How fast it works.
    pub pace: Pace,
    /// Says `echo:busy: processing` every two seconds.
    pub busy: bool,
    /// Says `wait` every second while it idles.
    pub wait: bool,
    /// Says `ok N… P… B…`.
    pub advanced_ok: bool,
    /// Answers M105 with the temperatures behind its ok, not on a line before it.
    pub glued_report: bool,
    /// Says the ok that belongs to a resend request.
    pub resend_ok: bool,
    /// Throws away what it has received behind a bad line; else each line of it is read and asks again.
    pub flushes: bool,
    /// Bytes its receive buffer holds.
    pub receive_buffer: usize,
    /// Lines its queue holds.
    pub queue: usize,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            pace: Pace::Instant,
            busy: true,
            wait: false,
            advanced_ok: false,
            glued_report: true,
            resend_ok: true,
            flushes: true,
            receive_buffer: 128,
            queue: 4,
        }
    }
}

/// A board with a machine on it and a cable to it.
#[derive(Debug)]
pub struct Firmware {
    machine: Machine,
    manners: Manners,
    faults: Faults,
    condition: Condition,
    partial: Vec<u8>,
    received: VecDeque<u8>,
    queue: VecDeque<String>,
    last_line: u64,
    running: Option<Running>,
    /// When each planned move ends.
    planner: VecDeque<Duration>,
    next_wait: Duration,
    output: Vec<u8>,
    body: Body,
    record: Record,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Well,
    /// Has stopped itself: deaf.
    Killed,
    /// The cable is out.
    Unplugged,
}

/// The command at the head of the queue, while it holds the queue.
#[derive(Debug)]
struct Running {
    answer: String,
    until: Duration,
    /// What it adds to the planner when there is room.
    planned: Option<Duration>,
    heats: bool,
    next_busy: Duration,
}

/// Moves the planner holds.
const PLANNER: usize = 16;
/// Longest line, without its end.
const LINE: usize = 95;
const BUSY_EVERY: Duration = Duration::from_secs(2);
const WAIT_EVERY: Duration = Duration::from_secs(1);

impl Firmware {
    /// A board just switched on; its `start` is waiting to be read.
    pub fn new(machine: &Machine, manners: Manners, faults: Faults) -> Self {
        let mut firmware = Self {
            machine: *machine,
            manners,
            faults,
            condition: Condition::Well,
            partial: Vec::new(),
            received: VecDeque::new(),
            queue: VecDeque::new(),
            last_line: 0,
            running: None,
            planner: VecDeque::new(),
            next_wait: WAIT_EVERY,
            output: Vec::new(),
            body: Body::new(machine),
            record: Record::default(),
        };
        firmware.say("start");
        firmware
    }

    /// What the machine has been made to do.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Whether nothing is heated: told so, or stopped for good.
    #[cfg(test)]
    pub(crate) fn is_off(&self) -> bool {
        self.condition == Condition::Killed || self.body.is_off()
    }

    /// Whether it has stopped itself.
    #[cfg(test)]
    pub(crate) fn is_halted(&self) -> bool {
        self.condition == Condition::Killed
    }

    /// Says nothing from now on, whatever it does.
    #[cfg(test)]
    pub(crate) fn be_mute(&mut self) {
        self.faults = Faults::random(1, &[Fault::AnswerLost], 1000);
    }

    /// Whether its cable is out.
    #[cfg(test)]
    pub(crate) fn is_unplugged(&self) -> bool {
        self.condition == Condition::Unplugged
    }

    /// Takes what the host has written, in any pieces, and works until `now`.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.work(now);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.partial);
                self.befall(line, now);
                self.work(now);
            }
        }
        self.record.planned = self.planner.len();
    }

    fn befall(&mut self, line: Vec<u8>, now: Duration) {
        match self.faults.toward_machine() {
            Some(Fault::LineLost) => {}
            Some(Fault::LineCorrupted) => {
                let line = self.faults.corrupted(&line);
                self.arrive(&line, now);
            }
            Some(Fault::Restart) => self.restart(),
            Some(Fault::HangUp) => self.condition = Condition::Unplugged,
            Some(Fault::Halt) => self.kill("Thermal Runaway, system stopped! Heater_ID: 0"),
            Some(Fault::Says(text)) => {
                self.interject(text);
                self.arrive(&line, now);
            }
            _ => self.arrive(&line, now),
        }
    }

    fn restart(&mut self) {
        self.received.clear();
        self.queue.clear();
        self.planner.clear();
        (self.running, self.last_line, self.condition) = (None, 0, Condition::Well);
        self.body = Body::new(&self.machine);
        self.say("start");
    }

    /// The receiving interrupt: emergencies are seen here, everything else waits in the buffer, as far as it fits.
    fn arrive(&mut self, line: &[u8], now: Duration) {
        if self.condition != Condition::Well {
            return;
        }
        let has = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
        if has(b"M112") {
            return self.kill("M112");
        }
        if has(b"M410") {
            self.planner.clear();
        }
        if let Some(running) = self.running.as_mut().filter(|running| running.heats && has(b"M108")) {
            running.until = now;
        }
        let room = self.manners.receive_buffer.saturating_sub(self.received.len());
        self.record.overflowed += line.len().saturating_sub(room) as u64;
        self.received.extend(line.iter().take(room));
    }

    fn kill(&mut self, cause: &str) {
        self.say(&format!("Error:{cause}"));
        self.say("Error:Printer halted. kill() called!");
        self.condition = Condition::Killed;
    }

    fn work(&mut self, now: Duration) {
        while self.condition == Condition::Well {
            self.read_lines();
            match self.running.as_ref().map(|running| running.until) {
                Some(until) if until <= now => self.finish(),
                Some(_) => return self.say_busy(now),
                None => match self.queue.pop_front() {
                    Some(command) => self.begin(&command, now),
                    None => return self.say_wait(now),
                },
            }
        }
    }

    fn read_lines(&mut self) {
        while self.queue.len() < self.manners.queue {
            let Some(end) = self.received.iter().position(|&byte| byte == b'\n') else { return };
            let bytes: Vec<u8> = self.received.drain(..=end).take_while(|&byte| byte != b';').collect();
            let text = String::from_utf8_lossy(&bytes);
            let text: String = text.trim().chars().take(LINE).collect();
            if !text.is_empty() {
                self.read_line(&text);
            }
        }
    }

    fn read_line(&mut self, text: &str) {
        let Some(numbered) = text.strip_prefix('N') else {
            return self.queue.push_back(text.split('*').next().unwrap_or_default().into());
        };
        let number = numbered.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse::<u64>();
        let (Some((said, sum)), Ok(number)) = (text.rsplit_once('*'), number) else {
            return self.ask_again("No Checksum with line number");
        };
        if sum.parse() != Ok(checksum(said.as_bytes())) {
            return self.ask_again("checksum mismatch");
        }
        let command = said.split_once(' ').map_or("", |(_, command)| command);
        let renumbers = command.starts_with("M110");
        if renumbers {
            self.last_line = parameter(command, 'N').map_or(number, |n| n as u64);
        } else if number == self.last_line {
            return; // Taken already: dropped without a word.
        } else if number != self.last_line + 1 {
            return self.ask_again("Line Number is not Last Line Number+1");
        } else {
            self.last_line = number;
        }
        self.queue.push_back(command.into());
    }

    /// A resend request; what was received behind the bad line may be thrown away with it.
    fn ask_again(&mut self, why: &str) {
        self.record.resends_asked += 1;
        if self.manners.flushes {
            self.received.clear();
        }
        self.say(&format!("Error:{why}, Last Line: {}", self.last_line));
        self.say(&format!("Resend: {}", self.last_line + 1));
        if self.manners.resend_ok {
            self.say("ok");
        }
    }

    fn begin(&mut self, command: &str, now: Duration) {
        while self.planner.front().is_some_and(|end| *end <= now) {
            self.planner.pop_front();
        }
        let moves_done = self.planner.back().copied().unwrap_or(now).max(now);
        let (until, planned, answer) = match self.body.execute(command, &mut self.record) {
            Deed::Moved(seconds) if self.planner.len() < PLANNER => (now, Some(self.scaled(seconds)), None),
            Deed::Moved(seconds) => (self.planner[0], Some(self.scaled(seconds)), None),
            Deed::Waited(seconds) => (moves_done + self.scaled(seconds), None, None),
            Deed::Done(answer) => (now, None, answer),
            Deed::Impossible(why) => return self.kill(&why),
        };
        let answer = self.answer(command, answer);
        let heats = command.starts_with("M109") || command.starts_with("M190");
        self.running = Some(Running { answer, until, planned, heats, next_busy: now + BUSY_EVERY });
    }

    fn scaled(&self, seconds: f64) -> Duration {
        match self.manners.pace {
            Pace::Instant => Duration::ZERO,
            Pace::Times(times) => Duration::from_secs_f64(seconds / times),
        }
    }

    fn answer(&self, command: &str, before: Option<String>) -> String {
        let report = (command == "M105").then(|| self.body.temperatures());
        let ok = match (self.manners.advanced_ok, report) {
            (_, Some(report)) if self.manners.glued_report => format!("ok {report}"),
            (_, Some(report)) => format!("{report}\nok"),
            (true, None) => {
                let room = self.manners.queue.saturating_sub(self.queue.len() + 1);
                format!("ok N{} P{} B{room}", self.last_line, PLANNER - self.planner.len())
            }
            (false, None) => "ok".into(),
        };
        before.map_or(ok.clone(), |before| format!("{before}\n{ok}"))
    }

    fn finish(&mut self) {
        let Some(done) = self.running.take() else { return };
        if let Some(length) = done.planned {
            self.record.starved += u64::from(self.planner.is_empty());
            let begin = self.planner.back().copied().unwrap_or(done.until).max(done.until);
            self.planner.push_back(begin + length);
        }
        self.say(&done.answer);
        self.next_wait = done.until + WAIT_EVERY;
    }

    fn say_busy(&mut self, now: Duration) {
        let Some(running) = self.running.as_mut().filter(|running| running.next_busy <= now) else { return };
        running.next_busy = now + BUSY_EVERY;
        if self.manners.busy {
            self.say("echo:busy: processing");
        }
    }

    fn say_wait(&mut self, now: Duration) {
        if self.manners.wait && self.next_wait <= now {
            self.next_wait = now + WAIT_EVERY;
            self.say("wait");
        }
    }

    fn say(&mut self, text: &str) {
        for line in text.lines() {
            self.say_line(line);
        }
    }

    fn say_line(&mut self, line: &str) {
        let line = format!("{line}\n").into_bytes();
        match self.faults.toward_host() {
            Some(Fault::AnswerLost) => {}
            Some(Fault::AnswerCorrupted) => {
                let line = self.faults.corrupted(&line);
                self.output.extend_from_slice(&line);
            }
            Some(Fault::AnswerDoubled) => self.output.extend(line.iter().chain(&line)),
            Some(Fault::Noise) => self.output.extend(b"\x00\x80#%".iter().chain(&line)),
            _ => self.output.extend_from_slice(&line),
        }
    }

    /// Says something out of turn, as a machine with a button or a sensor does.
    pub fn interject(&mut self, text: &str) {
        self.say(text);
    }

    /// What the machine has said since the last call; `None` once its cable is out.
    pub fn take_output(&mut self) -> Option<Vec<u8>> {
        let output = std::mem::take(&mut self.output);
        (self.condition != Condition::Unplugged).then_some(output)
    }

    /// What it has received and not read yet.
    pub fn unread(&self) -> impl Iterator<Item = u8> + '_ {
        self.received.iter().copied()
    }

    /// When [`Self::receive`] should be called again, if nothing is to be received before.
    pub fn wake(&self) -> Option<Duration> {
        match (&self.running, self.condition) {
            (Some(running), Condition::Well) => Some(running.until.min(running.next_busy)),
            (None, Condition::Well) if self.manners.wait => Some(self.next_wait),
            (_, Condition::Well | Condition::Killed | Condition::Unplugged) => None,
        }
    }
}
