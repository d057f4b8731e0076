//! A Klipper to fail on, for tests: written after `klippy/webhooks.py`, `gcode.py`, `toolhead.py`, `pause_resume.py`
//! and `heaters.py`, and Moonraker's `websockets.py` before it.
//!
//! Scripts run one after the other under one lock. A move takes the time its way takes at its speed; a script stands still
//! while more than a second of motion is planned, as `ToolHead._check_pause` does. State is told every quarter of a
//! second, changed fields only. What it doesn't know it murmurs about and goes on. Nothing is planned with
//! acceleration, and no look-ahead holds moves back.

mod requests;
mod roads;
mod scripts;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, mpsc};
use tokio::time::Instant;

/// `BUFFER_TIME_HIGH` of `toolhead.py`.
pub(super) const AHEAD: Duration = Duration::from_secs(1);
/// `BUFFER_TIME_START`.
const AT_FIRST: Duration = Duration::from_millis(250);
/// How long homing takes.
pub(super) const HOMING: Duration = Duration::from_secs(8);

/// To one connection.
type Tell = mpsc::UnboundedSender<Said>;

/// What one connection is told.
enum Said {
    /// A message.
    Whole(Vec<u8>),
    /// The last bytes, as they are; then the connection ends.
    Last(Vec<u8>),
}

/// What goes wrong, once so many lines of scripts have run.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The socket is closed.
    Closes,
    /// The line is refused with these words.
    Refuses(&'static str),
    /// Klipper shuts down with these words.
    ShutsDown(&'static str),
    /// What is no JSON.
    Babbles,
    /// A message that doesn't end.
    Floods,
    /// Half a message, and the end.
    Breaks,
    /// It stands still for good, its clock too.
    Hangs,
}

/// One move that was planned.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    pub(super) line: String,
    pub(super) from: Instant,
    pub(super) until: Instant,
}

/// What everybody can see of it.
#[derive(Debug)]
pub(super) struct Seen {
    /// Every line that ran, in order.
    pub(super) lines: Vec<String>,
    pub(super) moves: Vec<Moved>,
    /// The longest script's planned motion, and the most scripts under way at once.
    pub(super) longest_script: Duration,
    pub(super) most_scripts: usize,
    scripts: usize,
    /// Most motion planned ahead of what was made.
    pub(super) most_ahead: Duration,
    /// Methods that were called.
    pub(super) methods: BTreeSet<String>,
    pub(super) emergency: Option<Instant>,
    pub(super) targets: [f64; 2],
    pub(super) connections: usize,
}

struct State {
    seen: Seen,
    state: &'static str,
    message: String,
    planned: Instant,
    relative: bool,
    at: [f64; 3],
    speed: f64,
    homed: bool,
    heats: [(Instant, f64, f64); 2],
    paused: bool,
    card_active: bool,
    print: &'static str,
    faults: Vec<(usize, Fault)>,
    key: Option<String>,
    macros: BTreeSet<&'static str>,
    /// Degrees in a second.
    rate: f64,
    /// `idle_timeout.py`: heaters go off so long after the last script.
    idle: Option<Duration>,
    last_script: Instant,
}

/// The machine; clones are the same one.
#[derive(Clone)]
pub(super) struct Double {
    state: Arc<Mutex<State>>,
    turn: Arc<Turn<()>>,
    begun: Instant,
    /// Everyone who hears its output, and whether through Moonraker.
    hearers: Arc<Mutex<Vec<(Tell, bool)>>>,
}

impl Double {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let seen = Seen {
            lines: Vec::new(),
            moves: Vec::new(),
            longest_script: Duration::ZERO,
            most_scripts: 0,
            scripts: 0,
            most_ahead: Duration::ZERO,
            methods: BTreeSet::new(),
            emergency: None,
            targets: [0.0; 2],
            connections: 0,
        };
        let state = State {
            seen,
            state: "ready",
            message: "Printer is ready".into(),
            planned: now,
            relative: false,
            at: [0.0; 3],
            speed: 25.0,
            homed: false,
            heats: [(now, 25.0, 25.0); 2],
            paused: false,
            card_active: false,
            print: "standby",
            faults: Vec::new(),
            key: None,
            macros: BTreeSet::new(),
            rate: 40.0,
            idle: None,
            last_script: now,
        };
        let hearers = Arc::default();
        Self { state: Arc::new(Mutex::new(state)), turn: Arc::new(Turn::new(())), begun: now, hearers }
    }

    /// Fails so once so many lines have run.
    pub(super) fn failing(self, after: usize, fault: Fault) -> Self {
        self.state.lock().unwrap().faults.push((after, fault));
        self
    }

    pub(super) fn with_macro(self, name: &'static str) -> Self {
        self.state.lock().unwrap().macros.insert(name);
        self
    }

    /// Heats by so many degrees in a second, and turns heaters off when so long nothing has run.
    pub(super) fn slow_and_idle(self, rate: f64, idle: Duration) -> Self {
        {
            let mut held = self.state.lock().unwrap();
            (held.rate, held.idle) = (rate, Some(idle));
        }
        self
    }

    /// Lets in only who shows this key, where Moonraker is before it.
    pub(super) fn with_key(self, key: &str) -> Self {
        self.state.lock().unwrap().key = Some(key.into());
        self
    }

    pub(super) fn set_state(&self, state: &'static str, message: &str) {
        let mut held = self.state.lock().unwrap();
        (held.state, held.message) = (state, message.into());
    }

    pub(super) fn set_print(&self, print: &'static str, card_active: bool) {
        let mut held = self.state.lock().unwrap();
        (held.print, held.card_active) = (print, card_active);
    }

    pub(super) fn see<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.state.lock().unwrap().seen)
    }

    /// Motion of these lines made after a moment.
    pub(super) fn motion_after(&self, moment: Instant, is_counted: impl Fn(&str) -> bool) -> Duration {
        self.see(|seen| {
            let end = |moved: &Moved| seen.emergency.map_or(moved.until, |off| moved.until.min(off));
            let moves = seen.moves.iter().filter(|moved| is_counted(&moved.line));
            moves.map(|moved| end(moved).saturating_duration_since(moved.from.max(moment))).sum()
        })
    }

    /// A person types a command.
    pub(super) async fn person(&self, line: &str) {
        let _turn = self.turn.lock().await;
        let _ = self.run(line).await;
    }
}

/// Up or down by so much a second, never below the room's.
fn warm(then: Instant, from: f64, target: f64, rate: f64) -> f64 {
    let by = then.elapsed().as_secs_f64() * rate;
    let target = target.max(25.0);
    if target > from { (from + by).min(target) } else { (from - by).max(target) }
}
