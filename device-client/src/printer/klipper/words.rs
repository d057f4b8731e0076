//! Klipper's errors in plain words: what to do first, then what Klipper said (rule K11).
//!
//! Klipper's own messages run over several lines and name what broke, not what to do. The needles are taken from
//! its sources; what is not in the table keeps Klipper's first line. Nothing here decides anything.

/// Most of Klipper's own words that are passed on.
const LONGEST: usize = 240;

/// What a message contains, and what mends it.
const MENDS: &[(&str, &str)] = &[
    (
        "Unauthorized",
        "add `?key=FILE` with the key Moonraker shows, or name this host among its trusted_clients",
    ),
    (
        "Timer too close",
        "relieve the host: stop other programs on it, check for overheating, a bad power supply and a full disk",
    ),
    (
        "Missed scheduling of next",
        "check the cable between host and controller: they lost each other for a moment",
    ),
    ("Lost communication with MCU", "check the cable and the power of the controller: it no longer answers"),
    ("Unable to connect", "check that the controller is plugged in and that printer.cfg names its port"),
    ("Protocol error", "flash the controller anew: its firmware is older than Klipper"),
    ("ADC out of range", "check the thermistor and its cable: it reads what no heater can be"),
    ("not heating at expected rate", "check heater and thermistor: it does not heat as it should"),
    ("Stepper too far in past", "lower the microsteps in printer.cfg: the controller can't step so fast"),
    (
        "Rescheduled timer in the past",
        "lower the microsteps in printer.cfg: the controller can't step so fast",
    ),
    ("webhooks request", "somebody pressed the emergency stop: clear the bed"),
    ("M112 command", "somebody pressed the emergency stop: clear the bed"),
    ("Must home axis first", "home the machine: it does not know where its head is"),
    ("No trigger on", "check that endstop and its cable: homing did not find it"),
    ("still triggered after retract", "check that endstop: it stays pressed"),
    (
        "Move out of range",
        "check position_max and position_min in printer.cfg: the machine is set up smaller than its profile",
    ),
    (
        "Extrude below minimum temp",
        "check min_extrude_temp in printer.cfg: the nozzle is too cold for this job",
    ),
    ("Extrude only move too long", "raise max_extrude_only_distance in printer.cfg"),
    (
        "Move exceeds maximum extrusion",
        "check nozzle_diameter, or raise max_extrude_cross_section, in printer.cfg",
    ),
    ("Extruder not configured", "add the section [extruder] to printer.cfg"),
    ("Probe triggered prior to movement", "check the probe: it was pressed before it moved"),
    (
        "Unknown command",
        "define a macro of that name in printer.cfg, or add the section that brings the command",
    ),
    ("TMC", "check the stepper drivers: cooling, wiring, current"),
    ("attempting to connect", "wait until Klipper has found its controller"),
    ("not valid in section", "mend printer.cfg where Klipper names it, then RESTART"),
    ("is not a valid config section", "mend printer.cfg where Klipper names it, then RESTART"),
    ("must be specified", "mend printer.cfg where Klipper names it, then RESTART"),
];

/// What to do, and what Klipper said.
pub(super) fn plain(message: &str) -> String {
    let said = first_line(message);
    let mend = MENDS.iter().find(|(needle, _)| message.contains(needle)).map(|(_, mend)| *mend);
    let mend = mend.unwrap_or("mend what Klipper names");
    let restart = if is_halted(message) { ", then say FIRMWARE_RESTART to Klipper" } else { "" };
    format!("{mend}{restart} (Klipper: {said})")
}

/// Whether these are the words of a Klipper that has stopped itself.
pub(super) fn is_halted(message: &str) -> bool {
    ["Printer is shutdown", "Printer is halted", " shutdown: "].iter().any(|sign| message.contains(sign))
}

/// One line of printable text, bounded.
pub(super) fn first_line(message: &str) -> String {
    let line = message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("nothing");
    line.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOO_CLOSE: &str = "MCU 'mcu' shutdown: Timer too close\nThis often indicates the host computer is \
        overloaded. Check\nfor other processes\nOnce the underlying issue is corrected, use the\n\
        \"FIRMWARE_RESTART\" command\nPrinter is shutdown\n";

    #[test]
    fn k11_klippers_errors_say_the_mend_first_and_then_klippers_own_line() {
        let said = plain(TOO_CLOSE);
        assert!(said.starts_with("relieve the host"), "{said}");
        assert!(said.contains("FIRMWARE_RESTART"), "{said}");
        assert!(said.ends_with("(Klipper: MCU 'mcu' shutdown: Timer too close)"), "{said}");
        let said = plain("Must home axis first: 10.000 0.000 0.000 [0.000]");
        assert!(said.starts_with("home the machine"), "{said}");
        assert!(!said.contains("FIRMWARE_RESTART"), "a refused line has not halted anything: {said}");
    }

    #[test]
    fn k11_words_nobody_foresaw_are_passed_on_bounded_and_in_one_line() {
        let said = plain(&format!("\n  \u{1b}[31mnew fault {}\nmore", "x".repeat(10_000)));
        assert!(
            said.contains("Klipper: [31mnew fault xxx") && said.len() < 400 && !said.contains('\n'),
            "{said}"
        );
        assert!(plain("").contains("nothing"));
    }
}
