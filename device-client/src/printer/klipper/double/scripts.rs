//! What the double does with lines, as `gcode.py`, `toolhead.py` and `heaters.py` do; and what goes wrong on the way.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{AHEAD, AT_FIRST, Double, Fault, HOMING, Moved, Said, Tell, warm};
use crate::printer::klipper::road::LONGEST;

impl Double {
    pub(super) fn hangs(&self) -> bool {
        let held = self.state.lock().unwrap();
        let lines = held.seen.lines.len();
        held.faults.iter().any(|(after, fault)| matches!(fault, Fault::Hangs) && *after <= lines)
    }

    /// `_handle_script`: all lines under one lock, answered when they have run.
    pub(super) async fn script(self, id: Value, script: String, tell: Tell) {
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
        let _ = tell.send(Said::Whole(answer.to_string().into_bytes()));
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
                let _ = tell.send(Said::Whole(b"{\"id\": no json".to_vec()));
                return Ok(());
            }
            Fault::Hangs => return Ok(()),
            Fault::Closes => Vec::new(),
            Fault::Breaks => b"{\"id\": 12, \"resu".to_vec(),
            Fault::Floods => vec![b' '; 2 * LONGEST],
        };
        let _ = tell.send(Said::Last(last));
        Ok(())
    }

    /// One line, as `GCodeDispatch._process_commands` and the handlers do it.
    pub(super) async fn run(&self, line: &str) -> Result<(), String> {
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

    pub(super) fn heat(&self, which: usize, target: f64) {
        let mut held = self.state.lock().unwrap();
        let (then, from, before) = held.heats[which];
        held.heats[which] = (Instant::now(), warm(then, from, before, held.rate), target);
        held.seen.targets[which] = target;
    }
}
