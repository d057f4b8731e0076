//! What is asked of Klipper and what it says, in its own socket's JSON and in Moonraker's JSON-RPC (rules K1, K2).
//!
//! Both carry the same requests under different names, so everything behind this file knows neither. A message that is
//! no JSON object is an error, not nothing: an answer may have been in it. Deliberately absent: every request that
//! works on files or on Klipper's virtual card.

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

/// Whose JSON is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tongue {
    /// Klipper's API server.
    Klipper,
    /// Moonraker.
    Moonraker,
}

/// What can be asked.
#[derive(Debug)]
pub(super) enum Call {
    /// How Moonraker stands with Klipper.
    Server,
    /// State and version.
    Info,
    /// Whatever Klipper says to anybody.
    Output,
    /// Its state, as it changes.
    Subscribe,
    /// Where the head is, as lines count.
    Where,
    /// Lines to run, in order; answered when they have run.
    Script(Zeroizing<String>),
    /// Forget that a job was paused.
    CancelPaused,
    /// Everything off, now.
    EmergencyStop,
}

/// What was heard.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// The answer to a call, or the error that was its answer.
    Answer(u64, Result<Value, String>),
    /// Parts of the state that have changed.
    Status(Map<String, Value>),
    /// A line for people.
    Output(String),
    /// Moonraker says that Klipper has stopped itself, or is gone.
    Halted(&'static str),
    /// Anything else.
    Other,
}

/// What the state is made of.
fn watched() -> Value {
    json!({
        "webhooks": ["state", "state_message"],
        "toolhead": ["estimated_print_time", "homed_axes"],
        "print_stats": ["state"],
        "virtual_sdcard": ["is_active"],
        "pause_resume": ["is_paused"],
        "idle_timeout": ["state"],
        "extruder": ["temperature", "target"],
        "heater_bed": ["temperature", "target"],
    })
}

impl Tongue {
    /// The request as text; wiped when it is dropped, since a script is toolpath.
    pub(super) fn ask(self, id: u64, call: &Call) -> Zeroizing<Vec<u8>> {
        let method = self.method(call);
        if let Call::Script(script) = call {
            return self.script(id, method, script);
        }
        let params = match (self, call) {
            (Self::Klipper, Call::Info) => json!({"client_info": {"program": "layerlock"}}),
            (Self::Klipper, Call::Output) => json!({"response_template": {"method": "output"}}),
            (Self::Klipper, Call::Subscribe) => {
                json!({"objects": watched(), "response_template": {"method": "status"}})
            }
            (Self::Moonraker, Call::Subscribe) => json!({"objects": watched()}),
            (_, Call::Where) => json!({"objects": {"gcode_move": ["gcode_position"]}}),
            _ => json!({}),
        };
        let mut request = json!({"id": id, "method": method, "params": params});
        if self == Self::Moonraker {
            request["jsonrpc"] = "2.0".into();
        }
        Zeroizing::new(request.to_string().into_bytes())
    }

    /// Written without a tree in between, whose copies nobody would wipe.
    fn script(self, id: u64, method: &str, script: &str) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(Vec::with_capacity(2 * script.len() + 128));
        let version = if self == Self::Moonraker { "\"jsonrpc\":\"2.0\"," } else { "" };
        text.extend_from_slice(
            format!("{{{version}\"id\":{id},\"method\":\"{method}\",\"params\":{{\"script\":\"").as_bytes(),
        );
        for byte in script.bytes() {
            match byte {
                b'\n' => text.extend_from_slice(b"\\n"),
                b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
                // The guard lets nothing else through.
                0x20..0x7f => text.push(byte),
                _ => {}
            }
        }
        text.extend_from_slice(b"\"}}");
        text
    }

    fn method(self, call: &Call) -> &'static str {
        match (self, call) {
            (_, Call::Server) => "server.info",
            (Self::Klipper, Call::Info) => "info",
            (Self::Klipper, Call::Output) => "gcode/subscribe_output",
            (Self::Klipper, Call::Subscribe) => "objects/subscribe",
            (Self::Klipper, Call::Where) => "objects/query",
            (Self::Klipper, Call::Script(_)) => "gcode/script",
            (Self::Klipper, Call::CancelPaused) => "pause_resume/cancel",
            (Self::Klipper, Call::EmergencyStop) => "emergency_stop",
            // Moonraker tells its clients all output unasked.
            (Self::Moonraker, Call::Info | Call::Output) => "printer.info",
            (Self::Moonraker, Call::Subscribe) => "printer.objects.subscribe",
            (Self::Moonraker, Call::Where) => "printer.objects.query",
            (Self::Moonraker, Call::Script(_)) => "printer.gcode.script",
            (Self::Moonraker, Call::CancelPaused) => "printer.print.cancel",
            (Self::Moonraker, Call::EmergencyStop) => "printer.emergency_stop",
        }
    }

    /// Reads one message; `None` for what is none.
    pub(super) fn hear(self, message: &[u8]) -> Option<Heard> {
        let Value::Object(mut said) = serde_json::from_slice(message).ok()? else { return None };
        if let Some(id) = said.get("id").and_then(Value::as_u64) {
            let answer = match said.remove("error") {
                Some(error) => Err(words_of(&error)),
                None => Ok(said.remove("result").unwrap_or_default()),
            };
            return Some(Heard::Answer(id, answer));
        }
        let method = said.get("method").and_then(Value::as_str).unwrap_or_default().to_owned();
        let params = said.remove("params").unwrap_or_default();
        Some(match (self, method.as_str()) {
            (Self::Klipper, "status") => status(&params["status"]),
            (Self::Klipper, "output") => output(&params["response"]),
            (Self::Moonraker, "notify_status_update") => status(&params[0]),
            (Self::Moonraker, "notify_gcode_response") => output(&params[0]),
            (Self::Moonraker, "notify_klippy_shutdown") => Heard::Halted("Klipper has shut down"),
            (Self::Moonraker, "notify_klippy_disconnected") => Heard::Halted("Moonraker has lost Klipper"),
            _ => Heard::Other,
        })
    }
}

fn status(said: &Value) -> Heard {
    said.as_object().map_or(Heard::Other, |changed| Heard::Status(changed.clone()))
}

fn output(said: &Value) -> Heard {
    said.as_str().map_or(Heard::Other, |line| Heard::Output(line.to_owned()))
}

/// An error's words, whichever end has wrapped them.
fn words_of(error: &Value) -> String {
    let said = error.get("message").unwrap_or(error);
    said.as_str().map_or_else(|| said.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k1_a_script_is_one_json_object_and_reads_back_as_it_was() {
        for tongue in [Tongue::Klipper, Tongue::Moonraker] {
            let text = tongue.ask(7, &Call::Script("G1 X1\nG1 Y2 \\\"".to_owned().into()));
            let read: Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(read["params"]["script"], "G1 X1\nG1 Y2 \\\"");
            assert_eq!(read["id"], 7);
        }
        let text = Tongue::Klipper.ask(1, &Call::Script(String::new().into()));
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap()["method"], "gcode/script");
        let text = Tongue::Moonraker.ask(1, &Call::EmergencyStop);
        let read: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!((&read["jsonrpc"], &read["method"]), (&"2.0".into(), &"printer.emergency_stop".into()));
    }

    #[test]
    fn k2_what_klipper_and_moonraker_say_is_read_alike() {
        let refused = "Must home axis first";
        for (tongue, said) in [
            (
                Tongue::Klipper,
                r#"{"id":3,"error":{"error":"WebRequestError","message":"Must home axis first"}}"#,
            ),
            (
                Tongue::Moonraker,
                r#"{"jsonrpc":"2.0","id":3,"error":{"code":400,"message":"Must home axis first"}}"#,
            ),
        ] {
            assert_eq!(tongue.hear(said.as_bytes()), Some(Heard::Answer(3, Err(refused.into()))));
        }
        for (tongue, said) in [
            (Tongue::Klipper, r#"{"method":"output","params":{"response":"// action:paused"}}"#),
            (
                Tongue::Moonraker,
                r#"{"jsonrpc":"2.0","method":"notify_gcode_response","params":["// action:paused"]}"#,
            ),
        ] {
            assert_eq!(tongue.hear(said.as_bytes()), Some(Heard::Output("// action:paused".into())));
        }
        for (tongue, said) in [
            (Tongue::Klipper, r#"{"method":"status","params":{"eventtime":1.5,"status":{"toolhead":{}}}}"#),
            (Tongue::Moonraker, r#"{"method":"notify_status_update","params":[{"toolhead":{}},1.5]}"#),
        ] {
            assert!(
                matches!(tongue.hear(said.as_bytes()), Some(Heard::Status(changed)) if changed.contains_key("toolhead"))
            );
        }
        for noise in ["", "nonsense", "[1]", "3", "{\"id\":1", "\u{0}"] {
            assert_eq!(Tongue::Klipper.hear(noise.as_bytes()), None, "{noise:?}");
        }
    }
}
