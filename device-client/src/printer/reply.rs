//! One line from a Marlin-like machine, seen as bytes and read for what it means (rules 6, 10, 12, 13, 15, 17,
//! 18, 20, 24 and 25).
//!
//! Never strict UTF-8: NUL, bytes from 0x80 up and control characters are noise and dropped. `ok` counts at the
//! start of a line only, but there also glued (`okok`, `ok T:…`). What is not understood is [`Reply::Other`].

use crate::printer::{PrinterEvent, Temperatures};

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// One or more acknowledgements.
    Ok(Ack),
    /// The machine wants this line, and all after it, again.
    Resend(u64),
    /// It says why it will ask for a resend; nothing to do (rule 10).
    ResendFollows,
    /// It is busy, and alive.
    Busy,
    /// It is busy waiting for its user.
    BusyWithUser,
    /// It idles with empty buffers.
    Wait,
    /// It has just started.
    Start,
    /// It has stopped itself.
    Fault(String),
    /// An error that need not be the end; if it is, these are the first of its words.
    Error(String),
    /// It did not extrude, because the nozzle is cold.
    ColdExtrusion,
    /// A request or report through `//action:`.
    Action(PrinterEvent),
    /// Temperatures on their own: never an acknowledgement.
    Temperatures(Temperatures),
    /// An announced capability.
    Capability(String),
    /// The answer to M115.
    Firmware(String),
    /// Anything else.
    Other,
}

/// An acknowledgement and what is glued to it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ack {
    /// How many `ok` stand in a row.
    pub count: u32,
    /// The line number of an advanced `ok N… P… B…`: an upper bound (rule 15).
    pub through: Option<u64>,
    /// The room that an advanced ok says is left in the machine's queue, in lines.
    pub room: Option<u64>,
    /// Temperatures on the same line: the answer to M105.
    pub temperatures: Option<Temperatures>,
}

/// Reads one line, without its line end.
pub fn parse(bytes: &[u8]) -> Reply {
    let line: String = bytes.iter().filter(|b| (0x20..0x7f).contains(*b)).map(|&b| char::from(b)).collect();
    let line = line.trim();
    acknowledgement(line)
        .or_else(|| resend(line))
        .or_else(|| action(line))
        .or_else(|| trouble(line))
        .or_else(|| state(line))
        .unwrap_or(Reply::Other)
}

fn acknowledgement(line: &str) -> Option<Reply> {
    let mut rest = without_noise(line);
    let mut count = 0;
    while let Some(after) = rest.strip_prefix("ok") {
        (rest, count) = (after.trim_start_matches(' '), count + 1);
        if after.starts_with(' ') && !rest.starts_with("ok") {
            break;
        }
    }
    if count == 0 {
        return ends_in_ok(line).then(|| Reply::Ok(Ack { count: 1, ..Ack::default() }));
    }
    if line[..line.len() - rest.len()].ends_with('k') && rest.starts_with(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let through = rest.strip_prefix('N').and_then(leading_number);
    let report =
        ["T:", "T0:"].iter().filter_map(|tag| rest.find(tag)).min().and_then(|at| temperatures(&rest[at..]));
    let room = through.and_then(|_| leading_number(&rest[rest.find(" B")? + 2..]));
    Some(Reply::Ok(Ack { count, through, room, temperatures: report }))
}

/// The line from its first `ok` on, where what stands before is a few bytes that no machine starts a line with.
fn without_noise(line: &str) -> &str {
    let noise = line.find("ok").filter(|&at| at <= 16).map_or("", |at| &line[..at]);
    let word = |c: char| c.is_ascii_alphabetic() || matches!(c, ' ' | ':' | '/');
    if noise.contains(word) { line } else { &line[noise.len()..] }
}

/// A bare `ok` behind a few bytes of printable noise; a sentence that happens to end in it has a space or colon.
fn ends_in_ok(line: &str) -> bool {
    line.strip_suffix("ok").is_some_and(|noise| noise.len() <= 16 && !noise.contains([' ', ':', '/']))
}

fn resend(line: &str) -> Option<Reply> {
    let number = ["Resend:", "resend:", "Resend", "rs"].iter().find_map(|word| line.strip_prefix(word))?;
    let number = number.trim_start_matches([' ', 'N', ':']);
    leading_number(number).map(Reply::Resend)
}

fn leading_number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

fn action(line: &str) -> Option<Reply> {
    let said = line.strip_prefix("//")?.trim_start().strip_prefix("action:")?.trim();
    let word = said.split(' ').next().unwrap_or_default();
    let event = match word {
        "pause" => PrinterEvent::Pause,
        "paused" => PrinterEvent::Paused,
        "resume" => PrinterEvent::Resume,
        "resumed" => PrinterEvent::Resumed,
        "cancel" => PrinterEvent::Cancel,
        "out_of_filament" => PrinterEvent::FilamentOut,
        "prompt_begin" => PrinterEvent::Prompt(said["prompt_begin".len()..].trim().into()),
        _ => return Some(Reply::Other),
    };
    Some(Reply::Action(event))
}

/// Errors after which a resend request follows by itself.
const RESEND_FOLLOWS: [&str; 6] = [
    "checksum mismatch",
    "line number is not last line number",
    "expected line",
    "no checksum with line number",
    "no line number with checksum",
    "missing checksum",
];
/// A stopped machine, however it words it and whatever it puts before it.
const HALTED: [&str; 5] = ["kill()", "printer halted", "printer stopped", "fatal:", "system stopped"];
/// Errors after which no machine can go on. Others are followed by one of the above, or are noise in the line.
const HEATERS: [&str; 5] = ["mintemp", "maxtemp", "thermal runaway", "heating failed", "heater"];

fn trouble(line: &str) -> Option<Reply> {
    let lower = line.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if lower.contains("cold extrusion prevented") {
        return Some(Reply::ColdExtrusion);
    }
    if line.starts_with("!!") || says(&HALTED) {
        return Some(Reply::Fault(line.into()));
    }
    if !lower.starts_with("error") && !lower.starts_with(": ") {
        return None;
    }
    if says(&RESEND_FOLLOWS) {
        return Some(Reply::ResendFollows);
    }
    Some(if says(&HEATERS) { Reply::Fault(line.into()) } else { Reply::Error(line.into()) })
}

fn state(line: &str) -> Option<Reply> {
    if let Some(what) = line.strip_prefix("echo:busy:").or_else(|| line.strip_prefix("busy:")) {
        return Some(if what.contains("paused for") { Reply::BusyWithUser } else { Reply::Busy });
    }
    if let Some(named) = line.strip_prefix("Cap:") {
        return Some(named.strip_suffix(":1").map_or(Reply::Other, |name| Reply::Capability(name.into())));
    }
    match line {
        "wait" => Some(Reply::Wait),
        "start" => Some(Reply::Start),
        _ if line.starts_with("FIRMWARE_NAME:") => {
            Some(Reply::Firmware(line["FIRMWARE_NAME:".len()..].into()))
        }
        _ => temperatures(line).map(Reply::Temperatures),
    }
}

/// Reads `T:20.1 /0.0 B:19.8 /0.0 @:0`, `T0:20.1/0.0`, ` T:20` and the like.
fn temperatures(line: &str) -> Option<Temperatures> {
    let first = line.trim_start();
    if !["T:", "T0:", "B:"].iter().any(|tag| first.starts_with(tag)) {
        return None;
    }
    let (nozzle, nozzle_target) = heater(line, "T:").or_else(|| heater(line, "T0:")).unwrap_or_default();
    let (bed, bed_target) = heater(line, "B:").unwrap_or_default();
    Some(Temperatures { nozzle, nozzle_target, bed, bed_target })
}

fn heater(line: &str, tag: &str) -> Option<(f32, f32)> {
    let rest = line[line.find(tag)? + tag.len()..].trim_start();
    let (now, rest) = leading_float(rest)?;
    let target = rest.trim_start().strip_prefix('/').and_then(|rest| leading_float(rest.trim_start()));
    Some((now, target.map_or(0.0, |(target, _)| target)))
}

fn leading_float(text: &str) -> Option<(f32, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-'))).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oks(line: &[u8]) -> u32 {
        match parse(line) {
            Reply::Ok(ack) => ack.count,
            _ => 0,
        }
    }

    #[test]
    fn ok_counts_at_the_start_of_a_line_only_glued_or_behind_noise() {
        for line in [
            &b"ok"[..],
            b"ok\r",
            b"\0ok",
            b"\x80\xffok",
            b"ok T:20.0 /0.0",
            b"okT:20",
            b"ok N5 P15 B3",
            b" ok",
            b"xyz#ok",
        ] {
            assert_eq!(oks(line), 1, "{}", line.escape_ascii());
        }
        assert_eq!(oks(b"okok"), 2);
        assert_eq!(oks(b"ok ok"), 2);
        for line in [&b"okay"[..], b"echo:ok", b"ab ok T:2", b"T:20 ok", b"", b"k", b"token"] {
            assert_eq!(oks(line), 0, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn an_advanced_ok_tells_its_line() {
        let Reply::Ok(ack) = parse(b"ok N41 P15 B3") else { panic!("no ok") };
        assert_eq!((ack.through, ack.room), (Some(41), Some(3)));
        let Reply::Ok(ack) = parse(b"ok N42 P15 B3 T:20.0 /0.0 B:19.0 /0.0") else { panic!("no ok") };
        assert_eq!((ack.through, ack.temperatures.map(|read| read.bed)), (Some(42), Some(19.0)));
        assert_eq!(ack.room, Some(3), "not the bed's temperature");
        let Reply::Ok(ack) = parse(b"ok T:20.0 /0.0 B:19.0 /0.0") else { panic!("no ok") };
        assert_eq!(ack.room, None);
    }

    #[test]
    fn a_resend_request_is_read_in_every_form() {
        for line in ["Resend: 7", "Resend:7", "resend:7", "rs 7", "rs N7", "Resend: N7", "\u{0}Resend: 7\r"] {
            assert_eq!(parse(line.as_bytes()), Reply::Resend(7), "{line}");
        }
    }

    #[test]
    fn an_error_before_a_resend_asks_for_nothing_itself() {
        for line in [
            "Error:checksum mismatch, Last Line: 5",
            "Error:Line Number is not Last Line Number+1, Last Line: 5",
            "Error:No Checksum with line number, Last Line: 5",
            "Error:No Line Number with checksum, Last Line: 5",
            "Error: expected line 6 got 8",
        ] {
            assert_eq!(parse(line.as_bytes()), Reply::ResendFollows, "{line}");
        }
    }

    #[test]
    fn a_temperature_line_in_any_form_is_never_an_ok() {
        for line in
            ["T:20.1 /0.0 B:19.8 /60.0 @:0 B@:0", " T:20.1 B:3", "T0:20.1/0.0 B:1", "B:19.8 /60.0 T0:20 /0"]
        {
            assert!(matches!(parse(line.as_bytes()), Reply::Temperatures(_)), "{line}");
        }
        let Reply::Temperatures(read) = parse(b"T:20.5 /210.0 B:59.5 /60.0 @:0") else { panic!() };
        assert_eq!(read, Temperatures { nozzle: 20.5, nozzle_target: 210.0, bed: 59.5, bed_target: 60.0 });
    }

    #[test]
    fn a_machine_that_stopped_itself_is_recognised_in_its_own_words() {
        for line in [
            "Error:Printer halted. kill() called!",
            "Error:Heating failed, system stopped! Heater_ID: 0",
            "Error:MINTEMP triggered, system stopped! Heater_ID: bed",
            "Error:Thermal Runaway, system stopped! Heater_ID: 0",
            "!! Shutdown due to webhooks request",
            "fatal: heater",
            "echo:Printer halted",
        ] {
            assert!(matches!(parse(line.as_bytes()), Reply::Fault(_)), "{line}");
        }
        assert!(matches!(parse(b": Extruder switched off. MINTEMP triggered !"), Reply::Fault(_)));
        assert!(matches!(parse(b"Error:0"), Reply::Error(_)));
        assert_eq!(parse(b"echo:cold extrusion prevented"), Reply::ColdExtrusion);
        assert_eq!(parse(b"echo:Unknown command: \"M155 S2\""), Reply::Other);
        assert!(matches!(parse(b"Error:SD init fail"), Reply::Error(_)));
    }

    #[test]
    fn actions_are_read_with_and_without_the_space() {
        for (line, event) in [
            ("//action:pause", PrinterEvent::Pause),
            ("// action:paused", PrinterEvent::Paused),
            ("//action:resume", PrinterEvent::Resume),
            ("//action:resumed", PrinterEvent::Resumed),
            ("// action:cancel", PrinterEvent::Cancel),
            ("//action:out_of_filament", PrinterEvent::FilamentOut),
            ("//action:prompt_begin Nozzle clear?", PrinterEvent::Prompt("Nozzle clear?".into())),
        ] {
            assert_eq!(parse(line.as_bytes()), Reply::Action(event), "{line}");
        }
        assert_eq!(parse(b"//action:dance"), Reply::Other);
    }

    #[test]
    fn start_and_wait_are_exact() {
        assert_eq!(parse(b"start\r"), Reply::Start);
        assert_eq!(parse(b"wait"), Reply::Wait);
        assert_eq!(parse(b"started"), Reply::Other);
        assert_eq!(parse(b"echo:start"), Reply::Other);
    }

    #[test]
    fn being_busy_is_told_from_waiting_for_the_user() {
        assert_eq!(parse(b"echo:busy: processing"), Reply::Busy);
        assert_eq!(parse(b"busy: processing"), Reply::Busy);
        assert_eq!(parse(b"echo:busy: paused for user"), Reply::BusyWithUser);
    }

    #[test]
    fn no_line_of_bytes_makes_the_reader_stumble() {
        let mut state = 0x9e37_79b9_u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        let words = [
            &b"ok"[..],
            b"Resend: ",
            b"T:",
            b"/",
            b"\xff",
            b"N",
            b"99999999999999999999999",
            b"//action:",
            b" ",
        ];
        for _ in 0..20_000 {
            let line: Vec<u8> =
                (0..next() % 6).flat_map(|_| words[next() as usize % words.len()].to_vec()).collect();
            parse(&line);
        }
    }
}
