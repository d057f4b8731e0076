//! A Klipper to fail on, for tests: written after `klippy/webhooks.py`, `gcode.py`, `toolhead.py`, `pause_resume.py`
//! and `heaters.py`, and Moonraker's `websockets.py` before it.
//!
//! Scripts run one after the other under one lock. A move takes the time its way takes at its speed; a script stands still
//! while more than a second of motion is planned, as `ToolHead._check_pause` does. State is told every quarter of a
//! second, changed fields only. What it doesn't know it murmurs about and goes on. Nothing is planned with
//! acceleration, and no look-ahead holds moves back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Mutex as Turn, mpsc};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::Opens;
use super::road::{Pipe, Road};
use super::speech::Tongue;
use crate::printer::PrinterError;

/// `BUFFER_TIME_HIGH` of `toolhead.py`.
pub(super) const AHEAD: Duration = Duration::from_secs(1);
/// `BUFFER_TIME_START`.
const AT_FIRST: Duration = Duration::from_millis(250);
/// `SUBSCRIPTION_REFRESH_TIME` of `webhooks.py`.
const TELLS: Duration = Duration::from_millis(250);
/// How long homing takes.
pub(super) const HOMING: Duration = Duration::from_secs(8);

/// To one connection.
type Tell = mpsc::UnboundedSender<Vec<u8>>;

/// The machine, reached over memory as often as anyone likes.
#[async_trait]
impl Opens for (Double, Tongue) {
    fn tongue(&self) -> Tongue {
        self.1
    }

    async fn open(&self) -> Result<Road, PrinterError> {
        Ok(match self.1 {
            Tongue::Klipper => self.0.plug_in(),
            Tongue::Moonraker => self.0.plug_in_moonraker().await,
        })
    }
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

    /// A connection in memory.
    pub(super) fn plug_in(&self) -> Road {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.clone().klipper(theirs));
        Road::over(ours)
    }

    /// The same through Moonraker.
    pub(super) async fn plug_in_moonraker(&self) -> Road {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(self.clone().moonraker(theirs));
        Road::web(ours, "double", None).await.expect("the double lets everybody in")
    }

    /// A socket as Klipper binds it.
    pub(super) fn listen(&self, dir: &Path) -> PathBuf {
        let path = dir.join("klippy_uds");
        let listener = UnixListener::bind(&path).expect("a socket can be bound in a fresh directory");
        let double = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(double.clone().klipper(stream));
            }
        });
        path
    }

    /// A port as Moonraker binds it; the system chooses which.
    pub(super) async fn listen_moonraker(&self) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let double = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(double.clone().moonraker(stream));
            }
        });
        port
    }

    async fn klipper(self, pipe: impl Pipe + 'static) {
        let (mut from, mut to) = tokio::io::split(pipe);
        let (tell, mut told) = mpsc::unbounded_channel::<Vec<u8>>();
        let connection = tokio::spawn({
            let double = self.clone();
            let (requests, incoming) = mpsc::unbounded_channel();
            let serving = tokio::spawn(double.serve(incoming, tell, false));
            async move {
                let mut input = Vec::new();
                while from.read_buf(&mut input).await.is_ok_and(|count| count > 0) {
                    while let Some(end) = input.iter().position(|&byte| byte == 3) {
                        let message: Vec<u8> = input.drain(..=end).collect();
                        let _ = requests.send(message[..end].to_vec());
                    }
                }
                serving.abort();
            }
        });
        while let Some(message) = told.recv().await {
            let (message, is_last) = match message.strip_prefix(b"\0end") {
                Some(rest) => (rest.to_vec(), true),
                None => ([message, vec![3]].concat(), false),
            };
            if to.write_all(&message).await.is_err() || is_last {
                break;
            }
        }
        connection.abort();
        let _ = to.shutdown().await;
    }

    async fn moonraker(self, pipe: impl Pipe + 'static) {
        let key = self.state.lock().unwrap().key.clone();
        let stranger = AtomicBool::new(false);
        #[allow(clippy::result_large_err, reason = "the library's own type")]
        let check = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            // Moonraker lets everybody in and tells strangers so with every answer.
            let shown = request.headers().get("x-api-key").and_then(|value| value.to_str().ok());
            stranger.store(key.is_some() && shown != key.as_deref(), Ordering::Relaxed);
            Ok(response)
        };
        let Ok(stream) = tokio_tungstenite::accept_hdr_async(pipe, check).await else { return };
        let (mut to, mut from) = stream.split();
        let (tell, mut told) = mpsc::unbounded_channel::<Vec<u8>>();
        let (requests, incoming) = mpsc::unbounded_channel();
        let serving = match stranger.into_inner() {
            true => tokio::spawn(turn_away(incoming, tell)),
            false => tokio::spawn(self.serve(incoming, tell, true)),
        };
        let reading = tokio::spawn(async move {
            while let Some(Ok(message)) = from.next().await {
                let _ = requests.send(message.into_data().to_vec());
            }
        });
        while let Some(message) = told.recv().await {
            if message.starts_with(b"\0end") {
                break;
            }
            let text = String::from_utf8_lossy(&message).into_owned();
            if to.send(Message::text(text)).await.is_err() {
                break;
            }
        }
        serving.abort();
        reading.abort();
    }

    async fn serve(self, mut requests: mpsc::UnboundedReceiver<Vec<u8>>, tell: Tell, web: bool) {
        self.state.lock().unwrap().seen.connections += 1;
        let mut subscribed: Option<Value> = None;
        let mut last = Map::new();
        if web {
            self.hearers.lock().unwrap().push((tell.clone(), true));
        }
        let mut next = Instant::now() + TELLS;
        loop {
            let request = tokio::select! {
                request = requests.recv() => match request { Some(request) => request, None => return },
                () = sleep_until(next) => {
                    next += TELLS;
                    if let Some(objects) = &subscribed && !self.hangs() {
                        let now = self.status(objects);
                        let changed = difference(&last, &now);
                        last = now;
                        let _ = tell.send(match web {
                            true => json!({"jsonrpc": "2.0", "method": "notify_status_update", "params": [changed, 1.0]}),
                            false => json!({"method": "status", "params": {"eventtime": 1.0, "status": changed}}),
                        }.to_string().into_bytes());
                    }
                    continue;
                }
            };
            let request: Value = serde_json::from_slice(&request).expect("the client speaks JSON");
            let method = request["method"].as_str().expect("a request has a method").to_owned();
            self.state.lock().unwrap().seen.methods.insert(method.clone());
            let (id, params) = (request["id"].clone(), request["params"].clone());
            match method.as_str() {
                "gcode/script" | "printer.gcode.script" => {
                    let script = params["script"].as_str().expect("a script is text").to_owned();
                    tokio::spawn(self.clone().script(id, script, tell.clone()));
                    continue;
                }
                "pause_resume/cancel" | "printer.print.cancel" => {
                    tokio::spawn(self.clone().script(id, "CANCEL_PRINT".into(), tell.clone()));
                    continue;
                }
                _ if self.hangs() => continue,
                _ => {}
            }
            let answer = match method.as_str() {
                "server.info" => {
                    json!({"klippy_connected": true, "klippy_state": self.state.lock().unwrap().state})
                }
                "info" | "printer.info" => {
                    let held = self.state.lock().unwrap();
                    json!({"state": held.state, "state_message": held.message, "software_version": "v0.13.0"})
                }
                "gcode/subscribe_output" => {
                    self.hearers.lock().unwrap().push((tell.clone(), false));
                    json!({})
                }
                "objects/query" | "printer.objects.query" => {
                    json!({"eventtime": 1.0, "status": self.status(&params["objects"])})
                }
                "objects/subscribe" | "printer.objects.subscribe" => {
                    let now = self.status(&params["objects"]);
                    last.clone_from(&now);
                    subscribed = Some(params["objects"].clone());
                    json!({"eventtime": 1.0, "status": now})
                }
                "emergency_stop" | "printer.emergency_stop" => {
                    self.shut_down("Shutdown due to webhooks request");
                    json!({})
                }
                other => panic!("the client asks for {other}, which no rule names"),
            };
            let _ = tell.send(json!({"id": id, "result": answer}).to_string().into_bytes());
        }
    }

    fn hangs(&self) -> bool {
        let held = self.state.lock().unwrap();
        let lines = held.seen.lines.len();
        held.faults.iter().any(|(after, fault)| matches!(fault, Fault::Hangs) && *after <= lines)
    }

    fn shut_down(&self, message: &str) {
        let mut held = self.state.lock().unwrap();
        held.state = "shutdown";
        held.message = format!(
            "{message}\nOnce the underlying issue is corrected, use the\n\"FIRMWARE_RESTART\" command\nPrinter is shutdown\n"
        );
        held.seen.emergency = held.seen.emergency.or(Some(Instant::now()));
        held.seen.targets = [0.0; 2];
        drop(held);
        self.say("// Klipper state: Shutdown");
    }

    fn say(&self, line: &str) {
        for (hearer, web) in self.hearers.lock().unwrap().iter() {
            let said = match web {
                true => json!({"jsonrpc": "2.0", "method": "notify_gcode_response", "params": [line]}),
                false => json!({"method": "output", "params": {"response": line}}),
            };
            let _ = hearer.send(said.to_string().into_bytes());
        }
    }

    /// `_handle_script`: all lines under one lock, answered when they have run.
    async fn script(self, id: Value, script: String, tell: Tell) {
        {
            let seen = &mut self.state.lock().unwrap().seen;
            seen.scripts += 1;
            seen.most_scripts = seen.most_scripts.max(seen.scripts);
        }
        let turn = self.turn.lock().await;
        let first = self.see(|seen| seen.moves.len());
        let mut ran = Ok(());
        for line in script.split('\n') {
            ran = match self.fault() {
                Some(fault) => self.fail(fault, &tell).await,
                None => Ok(()),
            };
            if ran.is_ok() {
                ran = self.run(line).await;
            }
            if ran.is_err() {
                break;
            }
        }
        drop(turn);
        {
            let seen = &mut self.state.lock().unwrap().seen;
            let motion = seen.moves[first..].iter().map(|moved| moved.until - moved.from).sum();
            seen.longest_script = seen.longest_script.max(motion);
            seen.scripts -= 1;
        }
        self.state.lock().unwrap().last_script = Instant::now();
        let answer = match ran {
            Ok(()) => json!({"id": id, "result": {}}),
            Err(message) => {
                self.say(&format!("!! {}", message.lines().next().unwrap_or_default()));
                json!({"id": id, "error": {"error": "WebRequestError", "message": message}})
            }
        };
        let _ = tell.send(answer.to_string().into_bytes());
    }

    fn fault(&self) -> Option<Fault> {
        let mut held = self.state.lock().unwrap();
        let lines = held.seen.lines.len();
        let due =
            held.faults.iter().position(|(after, fault)| *after <= lines && !matches!(fault, Fault::Hangs));
        due.map(|at| held.faults.remove(at).1)
    }

    async fn fail(&self, fault: Fault, tell: &Tell) -> Result<(), String> {
        let last = match fault {
            Fault::Refuses(words) => return Err(words.into()),
            Fault::ShutsDown(words) => {
                self.shut_down(words);
                return Err(self.state.lock().unwrap().message.clone());
            }
            Fault::Babbles => {
                let _ = tell.send(b"{\"id\": no json".to_vec());
                return Ok(());
            }
            Fault::Hangs => return Ok(()),
            Fault::Closes => b"\0end".to_vec(),
            Fault::Breaks => b"\0end{\"id\": 12, \"resu".to_vec(),
            Fault::Floods => [b"\0end".to_vec(), vec![b' '; 2 * super::road::LONGEST]].concat(),
        };
        let _ = tell.send(last);
        Ok(())
    }

    /// One line, as `GCodeDispatch._process_commands` and the handlers do it.
    async fn run(&self, line: &str) -> Result<(), String> {
        while self.hangs() {
            sleep(Duration::from_secs(3600)).await;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let value = |letter: &str| {
            let word = words[1..].iter().find_map(|word| word.strip_prefix(letter));
            word.map(|word| word.parse::<f64>().expect("a word has a figure"))
        };
        {
            let mut held = self.state.lock().unwrap();
            if held.state != "ready" {
                return Err(held.message.clone());
            }
            held.seen.lines.push(line.to_owned());
        }
        match words[0] {
            "G0" | "G1" => self.go(line, value).await?,
            "G4" => self.plan(line, Duration::from_secs_f64(value("P").unwrap_or(0.0) / 1000.0)).await,
            "G28" => {
                self.wait_moves().await;
                sleep(HOMING).await;
                let mut held = self.state.lock().unwrap();
                (held.homed, held.at, held.planned) = (true, [0.0; 3], Instant::now());
            }
            "G90" => self.state.lock().unwrap().relative = false,
            "G91" => self.state.lock().unwrap().relative = true,
            "M400" => self.wait_moves().await,
            "M84" => {
                self.wait_moves().await;
                self.state.lock().unwrap().homed = false;
            }
            "M104" => self.heat(0, value("S").unwrap_or(0.0)),
            "M140" => self.heat(1, value("S").unwrap_or(0.0)),
            "M109" | "M190" => panic!("{line}: Klipper can't break off this wait, so nobody may ask for it"),
            "PAUSE" => {
                self.say("// action:paused");
                self.state.lock().unwrap().paused = true;
            }
            "RESUME" => {
                self.say("// action:resumed");
                self.state.lock().unwrap().paused = false;
            }
            "CANCEL_PRINT" => {
                self.say("// action:cancel");
                self.state.lock().unwrap().paused = false;
            }
            "M82" | "M83" | "M106" | "M107" | "M204" | "M220" | "M221" => {}
            name if self.state.lock().unwrap().macros.contains(name) => {}
            name => self.say(&format!("// Unknown command:\"{name}\"")),
        }
        Ok(())
    }

    async fn go(&self, line: &str, value: impl Fn(&str) -> Option<f64>) -> Result<(), String> {
        let time = {
            let mut held = self.state.lock().unwrap();
            if let Some(speed) = value("F") {
                held.speed = speed / 60.0;
            }
            let mut to = held.at;
            for (axis, letter) in ["X", "Y", "Z"].into_iter().enumerate() {
                if let Some(word) = value(letter) {
                    to[axis] = if held.relative { held.at[axis] + word } else { word };
                    if !held.homed {
                        return Err("Must home axis first: 0.000 0.000 0.000 [0.000]".into());
                    }
                }
            }
            let way = (0..3).map(|axis| (to[axis] - held.at[axis]).powi(2)).sum::<f64>().sqrt();
            let fed = value("E").unwrap_or(0.0);
            let (then, from, target) = held.heats[0];
            if fed != 0.0 && warm(then, from, target, held.rate) < 170.0 {
                return Err(
                    "Extrude below minimum temp\nSee the 'min_extrude_temp' config option for details".into(),
                );
            }
            held.at = to;
            let way = if way > 0.0 { way } else { fed.abs() };
            Duration::from_secs_f64(way / held.speed)
        };
        self.plan(line, time).await;
        Ok(())
    }

    /// Plans motion, then stands still as `_check_pause` does.
    async fn plan(&self, line: &str, time: Duration) {
        {
            let mut held = self.state.lock().unwrap();
            let from = held.planned.max(Instant::now() + AT_FIRST);
            held.planned = from + time;
            let ahead = held.planned - Instant::now();
            held.seen.most_ahead = held.seen.most_ahead.max(ahead);
            held.seen.moves.push(Moved { line: line.to_owned(), from, until: from + time });
        }
        loop {
            let (planned, state) = {
                let held = self.state.lock().unwrap();
                (held.planned, held.state)
            };
            if state != "ready" || planned <= Instant::now() + AHEAD {
                return;
            }
            sleep((planned - Instant::now() - AHEAD).clamp(Duration::from_millis(5), AHEAD)).await;
        }
    }

    async fn wait_moves(&self) {
        loop {
            let (planned, state) = {
                let held = self.state.lock().unwrap();
                (held.planned, held.state)
            };
            if state != "ready" || planned < Instant::now() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn heat(&self, which: usize, target: f64) {
        let mut held = self.state.lock().unwrap();
        let (then, from, before) = held.heats[which];
        held.heats[which] = (Instant::now(), warm(then, from, before, held.rate), target);
        held.seen.targets[which] = target;
    }

    fn status(&self, objects: &Value) -> Map<String, Value> {
        let idles = {
            let held = self.state.lock().unwrap();
            held.seen.scripts == 0 && held.idle.is_some_and(|idle| held.last_script.elapsed() > idle)
        };
        if idles {
            self.heat(0, 0.0);
            self.heat(1, 0.0);
        }
        let held = self.state.lock().unwrap();
        let degrees = held
            .heats
            .map(|(then, from, target)| (warm(then, from, target, held.rate) * 100.0).round() / 100.0);
        let all = json!({
            "webhooks": {"state": held.state, "state_message": held.message},
            "toolhead": {
                "estimated_print_time": self.begun.elapsed().as_secs_f64(),
                "homed_axes": if held.homed { "xyz" } else { "" },
            },
            "gcode_move": {"gcode_position": [held.at[0], held.at[1], held.at[2], 0.0]},
            "print_stats": {"state": held.print},
            "virtual_sdcard": {"is_active": held.card_active},
            "pause_resume": {"is_paused": held.paused},
            "idle_timeout": {"state": "Ready"},
            "extruder": {"temperature": degrees[0], "target": held.seen.targets[0]},
            "heater_bed": {"temperature": degrees[1], "target": held.seen.targets[1]},
        });
        let wanted = objects.as_object().expect("objects are named");
        let pick = |name: &String, fields: &Value| {
            let fields = fields.as_array().expect("fields are named").iter();
            let of: Map<_, _> = fields
                .map(|field| field.as_str().expect("a name").to_owned())
                .map(|field| (field.clone(), all[name][&field].clone()))
                .collect();
            (name.clone(), Value::Object(of))
        };
        wanted.iter().map(|(name, fields)| pick(name, fields)).collect()
    }
}

/// What Moonraker says to whom it does not know.
async fn turn_away(mut requests: mpsc::UnboundedReceiver<Vec<u8>>, tell: Tell) {
    while let Some(request) = requests.recv().await {
        let request: Value = serde_json::from_slice(&request).expect("the client speaks JSON");
        let error = json!({"code": 401, "message": "Unauthorized"});
        let _ = tell
            .send(json!({"jsonrpc": "2.0", "id": request["id"], "error": error}).to_string().into_bytes());
    }
}

/// Up or down by so much a second, never below the room's.
fn warm(then: Instant, from: f64, target: f64, rate: f64) -> f64 {
    let by = then.elapsed().as_secs_f64() * rate;
    let target = target.max(25.0);
    if target > from { (from + by).min(target) } else { (from - by).max(target) }
}

/// `_do_query`: the fields that have changed.
fn difference(before: &Map<String, Value>, now: &Map<String, Value>) -> Map<String, Value> {
    let mut changed = Map::new();
    for (name, fields) in now {
        let fields = fields.as_object().expect("a state is an object");
        let other = fields
            .iter()
            .filter(|(field, value)| before.get(name).and_then(|b| b.get(*field)) != Some(value));
        let other: Map<_, _> = other.map(|(field, value)| (field.clone(), value.clone())).collect();
        if !other.is_empty() {
            changed.insert(name.clone(), Value::Object(other));
        }
    }
    changed
}
