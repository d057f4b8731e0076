//! What crosses the wire to the machine, for somebody who helps its owner: as it goes, and without what is printed.
//!
//! A line that could tell of a movement is shown by its code alone: no place, no filament, no speed, and no checksum, which would
//! tell a byte of it. Of the machine's words every figure is hidden but those known to be none of the toolpath's: temperatures,
//! line numbers, queues. Nobody watching costs one look at a counter. When lines go is told by their coming; that a layer
//! takes so long can be seen by anyone who stands before the machine, too.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast::{self, Receiver, Sender};

/// Lines that wait for a slow watcher; older ones are lost to it, and it is told how many.
const KEPT: usize = 256;

/// Longest line that is told, in characters.
const LONGEST: usize = 160;

/// Which way a line went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the machine.
    Sent,
    /// From the machine.
    Heard,
}

/// A line that went by, without movements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// Which way.
    pub way: Way,
    /// What is told of it.
    pub text: Arc<str>,
}

/// Where lines can be watched as they go by.
#[derive(Debug, Clone)]
pub struct Tap(Sender<Traffic>);

/// A tap on one connection, which puts lines together as their bytes come.
#[derive(Debug)]
pub(super) struct Tapped {
    tap: Tap,
    sent: Begun,
    heard: Begun,
}

/// A line as far as it came; nothing where nobody watched its beginning, of which nothing is told.
type Begun = Option<Vec<u8>>;

impl Default for Tap {
    fn default() -> Self {
        Self(broadcast::channel(KEPT).0)
    }
}

impl Tap {
    /// All that goes by from now on.
    pub fn watch(&self) -> Receiver<Traffic> {
        self.0.subscribe()
    }

    fn is_watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    fn tell(&self, way: Way, text: &str) {
        // Whoever watched may just have gone.
        let _ = self.0.send(Traffic { way, text: text.into() });
    }

    /// A request to Klipper or Moonraker goes out.
    pub(super) fn asked(&self, request: &[u8]) {
        if self.is_watched() {
            self.tell(Way::Sent, &request_without_movement(&String::from_utf8_lossy(request)));
        }
    }

    /// A message of Klipper or Moonraker came in.
    pub(super) fn answered(&self, message: &[u8]) {
        if self.is_watched() {
            for line in message_without_movement(message) {
                self.tell(Way::Heard, &line);
            }
        }
    }
}

impl Tapped {
    pub(super) fn new(tap: Tap) -> Self {
        Self { tap, sent: Some(Vec::new()), heard: Some(Vec::new()) }
    }

    /// Bytes went to the machine.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        Self::pass(&self.tap, &mut self.sent, bytes, Way::Sent);
    }

    /// Bytes came from the machine.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        Self::pass(&self.tap, &mut self.heard, bytes, Way::Heard);
    }

    fn pass(tap: &Tap, begun: &mut Begun, bytes: &[u8], way: Way) {
        if !tap.is_watched() {
            if let Some(last) = bytes.last() {
                *begun = (*last == b'\n').then(Vec::new);
            }
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if let Some(line) = begun {
                line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                let line = begun.replace(Vec::new()).unwrap_or_default();
                match (String::from_utf8_lossy(&line).trim(), way) {
                    ("", _) => {}
                    (line, Way::Sent) => tap.tell(way, &command_without_movement(line)),
                    (line, Way::Heard) => tap.tell(way, &reply_without_movement(line)),
                }
            } else if begun.as_ref().is_some_and(|line| line.len() > 4 * LONGEST) {
                *begun = None;
            }
        }
    }
}

/// Codes whose parameters say nothing of a movement.
const OPEN: [&str; 17] = [
    "M73", "M84", "M104", "M105", "M106", "M107", "M108", "M109", "M110", "M112", "M113", "M115", "M140",
    "M155", "M190", "M400", "M410",
];

/// A command, numbered or not, without what it moves.
fn command_without_movement(line: &str) -> String {
    let (number, rest) = match line.split_once(' ') {
        Some((number, rest)) if is_line_number(number) => (Some(number), rest),
        _ => (None, line),
    };
    let end = |c: char| c == ' ' || c == '*';
    let (code, parameters) = rest.split_at(rest.find(end).unwrap_or(rest.len()));
    if OPEN.contains(&code) || (is_code(code) && !parameters.starts_with(' ')) {
        return shown(line);
    }
    let number = number.map(|number| format!("{number} ")).unwrap_or_default();
    // `G1X5` is a `G1`: a code's number ends where the next letter begins.
    let digits = code.chars().skip(1).take_while(char::is_ascii_digit);
    let code: String = code.chars().take(1).chain(digits).collect();
    let code = Some(code).filter(|code| is_code(code)).unwrap_or_default();
    shown(&format!("{number}{code} …"))
}

/// A letter of commands and a number.
fn is_code(word: &str) -> bool {
    let mut rest = word.chars();
    matches!(rest.next(), Some('G' | 'M' | 'T'))
        && !rest.as_str().is_empty()
        && rest.all(|c| c.is_ascii_digit())
}

fn is_line_number(word: &str) -> bool {
    word.strip_prefix('N')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A request's method, and of a script its commands.
fn request_without_movement(request: &str) -> String {
    let after = |key: &str| request.split_once(&format!("\"{key}\":\"")).map(|(_, rest)| rest);
    let method = after("method").and_then(|rest| rest.split('"').next()).unwrap_or("a request");
    let Some(script) = after("script") else { return shown(method) };
    let script = script.strip_suffix("\"}}").unwrap_or_default();
    let commands: Vec<String> = script.split("\\n").map(command_without_movement).collect();
    shown(&format!("{method}: {}", commands.join(", ")))
}

/// What a message is: lines for people, an error's words, or the names of what has changed.
fn message_without_movement(message: &[u8]) -> Vec<String> {
    let Ok(said) = serde_json::from_slice::<Value>(message) else { return vec!["no JSON".to_owned()] };
    let words = |value: &Value| value.as_str().map(|text| text.lines().map(reply_without_movement).collect());
    let names = |value: &Value| {
        let names = value.as_object()?.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        Some(vec![shown(&format!("status: {names}"))])
    };
    let params = &said["params"];
    let error = &said["error"];
    words(&error["message"])
        .or_else(|| words(error))
        .or_else(|| words(&params["response"]))
        .or_else(|| words(&params[0]))
        .or_else(|| names(&params["status"]))
        .or_else(|| names(&params[0]))
        .unwrap_or_else(|| vec![shown(said["method"].as_str().unwrap_or("an answer"))])
}

/// What stands before a figure that is none of the toolpath's.
const HARMLESS: [&str; 9] = ["T:", "B:", "C:", "/", "@:", "B@:", "W:", "Resend:", "Line:"];

/// And in an acknowledgement: a line's number, room in the queues.
const HARMLESS_IN_OK: [&str; 3] = ["N", "P", "B"];

/// A machine's words, every figure hidden but what is known to be harmless. A word is known only if nothing else is glued to it.
fn reply_without_movement(line: &str) -> String {
    if line.starts_with("FIRMWARE_NAME:") || line.starts_with("Cap:") {
        return shown(line);
    }
    let is_ok = line.split_whitespace().next() == Some("ok");
    let mut told: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let at = word.find(|c: char| c.is_ascii_digit() || c == '-' || c == '.').unwrap_or(word.len());
        let (name, figure) = word.split_at(at);
        let named = match name {
            // `T: 210`: the figure stands alone.
            "" => told.last().is_some_and(|name| HARMLESS.contains(&name.as_str())),
            name => HARMLESS.contains(&name) || (is_ok && HARMLESS_IN_OK.contains(&name)),
        };
        // `T0:210`: of one of several nozzles.
        let of_tool = || {
            name == "T"
                && figure.split_once(':').is_some_and(|(tool, heat)| is_figure(tool) && is_figure(heat))
        };
        if (named && is_figure(figure)) || of_tool() {
            told.push(word.to_owned());
        } else {
            told.push(without_figures(word));
        }
    }
    shown(&told.join(" "))
}

fn is_figure(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Each figure, with its sign and fraction, as one sign.
fn without_figures(word: &str) -> String {
    let mut told = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        told.push_str(rest[..at].trim_end_matches(['-', '.']));
        told.push('#');
        rest = rest[at..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    }
    told + rest
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_moves_is_told_by_its_code_alone() {
        for (line, told) in [
            ("N12 G1 X10.5 Y20 E.3 F1200*45", "N12 G1 …"),
            ("G0 X1", "G0 …"),
            ("N3 G2X1Y1I5J0*7", "N3 G2 …"),
            ("N4 G92 E0*99", "N4 G92 …"),
            ("N5 M204 P800 T1000*12", "N5 M204 …"),
            ("N6 G28*33", "N6 G28*33"),
            ("M109 S215", "M109 S215"),
            ("N7 M104 S0*1", "N7 M104 S0*1"),
            ("N-1 G1 X5", " …"),
            ("5*12", " …"),
            ("é G1", " …"),
        ] {
            assert_eq!(command_without_movement(line), told, "{line}");
        }
    }

    #[test]
    fn of_a_machines_words_no_place_is_told() {
        for (line, told) in [
            ("ok", "ok"),
            ("ok N12 P15 B3", "ok N12 P15 B3"),
            ("ok T:210.5 /215.0 B:60.1 /60.0 @:127 B@:0", "ok T:210.5 /215.0 B:60.1 /60.0 @:127 B@:0"),
            ("T: 210 / 215", "T: 210 / 215"),
            ("X:10.00 Y:20.50 Z:-0.30 E:1.2 Count X:800 Y:1640", "X:# Y:# Z:# E:# Count X:# Y:#"),
            ("echo:Unknown command: \"G1 X10.25\"", "echo:Unknown command: \"G# X#\""),
            ("Resend: 54", "Resend: 54"),
            (
                "Error:Line Number is not Last Line Number+1, Last Line: 53",
                "Error:Line Number is not Last Line Number+#, Last Line: 53",
            ),
            (
                "FIRMWARE_NAME:Marlin 2.0.9.3 MACHINE_TYPE:Ender-3",
                "FIRMWARE_NAME:Marlin 2.0.9.3 MACHINE_TYPE:Ender-3",
            ),
            ("B12 X3", "B# X#"),
            // What is glued to a harmless word is told of as little as alone.
            ("N16G1X2Y2F4800", "N#G#X#Y#F#"),
            ("[echo: N16G1X2Y2F4800]", "[echo: N#G#X#Y#F#]"),
            ("T:210.0X2", "T:#X#"),
            ("ok N16 P15 B3X2", "ok N16 P15 B#X#"),
            ("echo:M204 P800 T1000", "echo:M# P# T#"),
            ("N12 P5", "N# P#"),
            ("ok T0:210.0 /210.0 T1:20 /0", "ok T0:210.0 /210.0 T1:20 /0"),
            ("T: 12 34", "T: 12 #"),
        ] {
            assert_eq!(reply_without_movement(line), told);
        }
    }

    #[test]
    fn a_script_is_told_by_its_codes() {
        let request = r#"{"id":7,"method":"gcode/script","params":{"script":"G1 X5 E.1\nM104 S200\nG1 X6"}}"#;
        assert_eq!(request_without_movement(request), "gcode/script: G1 …, M104 S200, G1 …");
        assert_eq!(request_without_movement(r#"{"id":7,"method":"info","params":{}}"#), "info");
        assert_eq!(request_without_movement("G1 X5"), "a request");
    }

    #[test]
    fn of_a_message_are_told_words_and_names() {
        for (message, told) in [
            (r#"{"id":3,"result":{"status":{"gcode_move":{"gcode_position":[1.5,2,3,4]}}}}"#, "an answer"),
            (r#"{"id":3,"error":{"message":"Move out of range: 250.1 5.0"}}"#, "Move out of range: # #"),
            (r#"{"params":{"response":"// Klipper state: Ready"}}"#, "// Klipper state: Ready"),
            (r#"{"method":"notify_gcode_response","params":["X:1.5 Y:2"]}"#, "X:# Y:#"),
            (
                r#"{"method":"notify_status_update","params":[{"toolhead":{"position":[1.5]}},9.1]}"#,
                "status: toolhead",
            ),
            (r#"{"params":{"status":{"extruder":{"temperature":209.9}}}}"#, "status: extruder"),
            ("{", "no JSON"),
        ] {
            assert_eq!(message_without_movement(message.as_bytes()), [told], "{message}");
        }
    }

    #[test]
    fn lines_are_put_together_and_what_nobody_watched_begin_is_not_told() {
        let tap = Tap::default();
        let mut tapped = Tapped::new(tap.clone());
        tapped.sent(b"N1 G1 X");
        let mut watched = tap.watch();
        tapped.sent(b"5*1\nN2 M105*3");
        tapped.heard(b"ok\n");
        tapped.sent(b"8\n\n");
        let told: Vec<_> =
            std::iter::from_fn(|| watched.try_recv().ok()).map(|line| line.text.to_string()).collect();
        assert_eq!(told, ["ok", "N2 M105*38"]);
    }
}
