//! What the double is asked and tells, as `klippy/webhooks.py` does: requests, subscriptions, output.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{Double, Said, Tell, warm};

/// `SUBSCRIPTION_REFRESH_TIME` of `webhooks.py`.
const TELLS: Duration = Duration::from_millis(250);

impl Double {
    pub(super) async fn serve(self, mut requests: mpsc::UnboundedReceiver<Vec<u8>>, tell: Tell, web: bool) {
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
                        let changed = match web {
                            true => json!({"jsonrpc": "2.0", "method": "notify_status_update", "params": [changed, 1.0]}),
                            false => json!({"method": "status", "params": {"eventtime": 1.0, "status": changed}}),
                        };
                        let _ = tell.send(Said::Whole(changed.to_string().into_bytes()));
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
            let _ = tell.send(Said::Whole(json!({"id": id, "result": answer}).to_string().into_bytes()));
        }
    }

    pub(super) fn shut_down(&self, message: &str) {
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

    pub(super) fn say(&self, line: &str) {
        for (hearer, web) in self.hearers.lock().unwrap().iter() {
            let said = match web {
                true => json!({"jsonrpc": "2.0", "method": "notify_gcode_response", "params": [line]}),
                false => json!({"method": "output", "params": {"response": line}}),
            };
            let _ = hearer.send(Said::Whole(said.to_string().into_bytes()));
        }
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
