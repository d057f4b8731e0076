//! Which machine a firmware says it is: the right cable in the wrong machine is found out before anything moves.

use layerlock_terms::machine::Machine;

use super::{Greeting, PrinterError};

/// Refuses a machine that calls itself another one of the catalogue.
pub(super) fn is_enrolled(machine: &Machine, greeting: &Greeting) -> Result<(), PrinterError> {
    match other_machine(machine, greeting) {
        None => Ok(()),
        Some(said) => Err(PrinterError::OtherMachine { said, enrolled: machine.name }),
    }
}

/// What its maker's firmware calls a machine; what Marlin says where nobody has given it a name.
pub(super) fn firmware_name(machine: &Machine) -> &'static str {
    let found = REPORTED.iter().find(|(name, _)| *name == machine.name);
    found.map_or("3D Printer", |(_, names)| names[0])
}

/// What firmware calls the machines it is built for, where makers' builds say so; home-made builds say anything.
const REPORTED: [(&str, &[&str]); 6] = [
    ("prusa-mk3s", &["Prusa i3 MK3S", "Prusa i3 MK3S+"]),
    ("prusa-mk4", &["Prusa-MK4"]),
    ("prusa-mini", &["Prusa-mini"]),
    ("ender-3", &["Ender-3", "Ender-3 Pro", "Ender-3 V2"]),
    ("ender-3-s1", &["Ender-3 S1", "Ender-3 S1 Pro"]),
    ("creality-cr10", &["CR-10"]),
];

/// The name of another machine that the firmware gives itself, if it is one of the catalogue's.
fn other_machine(machine: &Machine, greeting: &Greeting) -> Option<String> {
    let said = machine_type(&greeting.firmware)?;
    let (of, _) = REPORTED.iter().find(|(_, names)| names.contains(&said))?;
    (*of != machine.name).then(|| said.to_owned())
}

/// What stands behind `MACHINE_TYPE:` in an answer to M115, up to the next field.
fn machine_type(firmware: &str) -> Option<&str> {
    let (_, rest) = firmware.split_once("MACHINE_TYPE:")?;
    let is_field = |word: &str| {
        word.split_once(':').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
    };
    let end = rest.split(' ').take_while(|word| !is_field(word)).map(|word| word.len() + 1).sum::<usize>();
    Some(rest[..end.min(rest.len())].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmware_that_calls_itself_another_machine_of_the_catalogue_is_noticed() {
        let says = |kind: &str| Greeting {
            firmware: format!(
                "FIRMWARE_NAME:Marlin 2.1 (x) SOURCE_CODE_URL:https://a.example/b MACHINE_TYPE:{kind} EXTRUDER_COUNT:1"
            ),
            ..Greeting::default()
        };
        let machine = |name: &str| Machine::named(name).unwrap();
        let other = |name: &str, kind: &str| other_machine(machine(name), &says(kind));
        assert_eq!(other("ender-3", "Ender-3 V2"), None);
        assert_eq!(other("prusa-mk3s", "Ender-3 V2"), Some("Ender-3 V2".into()));
        assert_eq!(other("ender-3", "Prusa i3 MK3S"), Some("Prusa i3 MK3S".into()));
        assert_eq!(other("prusa-mk3s", "3D Printer"), None, "a home-made build says nothing of the machine");
        assert_eq!(other_machine(machine("ender-3"), &Greeting::default()), None);
    }
}
