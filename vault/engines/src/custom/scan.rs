//! Where printing begins and ends in a file that is made for a machine, and what the machine has been told before.

use std::ops::Range;

use layerlock_terms::profile::Profile;
use layerlock_terms::units::Celsius;

use super::Unfit;
use crate::gcode::{Begin, Counted, FILAMENT, ReadError, Why, only};
use crate::words::{Command, Line};

/// The lines that print, and what the machine has been told before them.
pub(super) fn body(text: &str, profile: &Profile) -> Result<(Range<usize>, Begin), Unfit> {
    // What the start doesn't heat stays cold.
    let begin = Begin { nozzle: Celsius(0), bed: Celsius(0), ..Begin::of(profile) };
    let mut scan = Scan { begin, relative: false, unclear: false, custom: false };
    let (mut first, mut last) = (None, None);
    for (at, line) in text.lines().enumerate() {
        let number = at as u32 + 1;
        if line.contains('\r') {
            return Err(Unfit::Return(number));
        }
        let refused = |why| Unfit::Read(ReadError::Line { line: number, why });
        let line = match Line::parse(line) {
            // Numbered lines are a host's and a machine's, no file's.
            Ok(Line::Command(command)) if command.name().0 != b'N' => Line::Command(command),
            Ok(Line::Command(_)) | Err(_) => {
                if scan.matters(line, first.is_none()) {
                    return Err(refused(Why::Garbled));
                }
                continue;
            }
            Ok(line) => line,
        };
        match (&line, first) {
            (Line::Comment("LAYER_CHANGE" | "LAYER", _), None) => {
                scan.is_plain().map_err(refused)?;
                first = Some((at, scan.begin));
            }
            (Line::Command(command), None) => scan.learn(command).map_err(refused)?,
            _ => {}
        }
        if scan.lays(&line).map_err(refused)? {
            last = Some(at);
        }
    }
    match (first, last) {
        (Some((first, begin)), Some(last)) if first < last => match begin.nozzle {
            Celsius(0) => Err(Unfit::Cold),
            _ => Ok((first..last + 1, begin)),
        },
        _ => Err(ReadError::Empty.into()),
    }
}

/// Follows as much of a machine as tells where printing begins and ends.
struct Scan {
    begin: Begin,
    relative: bool,
    /// `G90` came after `M83`: some firmware counts filament from zero then, some doesn't.
    unclear: bool,
    /// In a sequence of the machine's own, as PrusaSlicer marks them.
    custom: bool,
}

impl Scan {
    /// Whether a line that is no command might be one to a machine, and one that must not be passed over: what the lines
    /// after it rest on, or plastic.
    fn matters(&self, line: &str, is_start: bool) -> bool {
        // As firmware strips it: a number, a checksum, what people wrote.
        let line = line.split([';', '*', '(']).next().unwrap_or_default().trim();
        let numbered =
            line.strip_prefix(['N', 'n']).map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        let line = numbered.unwrap_or(line).trim_start();
        let letter = line.chars().next().map_or(' ', |c| c.to_ascii_uppercase());
        let digits: String = line.chars().skip(1).take_while(char::is_ascii_digit).collect();
        match (letter, digits.parse::<u16>()) {
            ('G', Ok(0..=5)) => !self.custom && line.contains(['E', 'e']),
            ('G', Ok(20 | 54..=59 | 90..=92)) => is_start,
            ('M', Ok(82 | 83 | 104 | 109 | 140 | 190 | 200 | 206 | 220 | 221 | 428)) => is_start,
            ('T', Ok(1..)) => is_start,
            _ => false,
        }
    }

    /// Whether the first layer's lines will mean what they say.
    fn is_plain(&self) -> Result<(), Why> {
        match (self.relative, self.unclear) {
            (true, _) => Err(Why::Command("G91 before a layer".to_owned())),
            (false, true) => Err(Why::Command("G90 after M83".to_owned())),
            (false, false) => Ok(()),
        }
    }

    /// Learns from the sequence before the first layer; the rest of it is left out.
    fn learn(&mut self, command: &Command<'_>) -> Result<(), Why> {
        let refused = || Err(Why::Command(command.to_string()));
        let heat = || {
            only(command, b"SR", b"T")?;
            let said = command.value(b'S', 0)?.or(command.value(b'R', 0)?);
            let celsius = said.and_then(|celsius| u16::try_from(celsius).ok());
            celsius.map(Celsius).ok_or(Why::Beyond('S'))
        };
        match command.name() {
            // Other places, other lengths, another nozzle: what follows would mean something else.
            (b'G', 20 | 54..=59) | (b'M', 200 | 206 | 428) | (b'T', 1..) => return refused(),
            (b'G', 92) if [b'X', b'Y', b'Z'].into_iter().any(|axis| command.has(axis)) => return refused(),
            (b'M', 220) if command.value(b'S', 0)? != Some(100) => return refused(),
            (b'M', 221) => {
                let flow = command.value(b'S', 0)?.and_then(|flow| u32::try_from(flow).ok());
                self.begin.flow = flow.filter(|flow| (50..=200).contains(flow)).ok_or(Why::Beyond('S'))?;
            }
            (b'M', 104 | 109) => self.begin.nozzle = heat()?,
            (b'M', 140 | 190) => self.begin.bed = heat()?,
            (b'G', 0 | 1) => {
                let speed = command.value(b'F', 0)?.and_then(|speed| u32::try_from(speed).ok());
                self.begin.speed = speed.filter(|speed| *speed > 0).unwrap_or(self.begin.speed);
            }
            _ => {}
        }
        Ok(())
    }

    /// Follows how filament is counted; answers whether the line lays plastic that is the part's.
    fn lays(&mut self, line: &Line<'_>) -> Result<bool, Why> {
        let command = match line {
            Line::Empty => return Ok(false),
            Line::Comment("LAYER_CHANGE" | "LAYER", _) => {
                self.custom = false;
                return Ok(false);
            }
            Line::Comment(name, value) => {
                if *name == "TYPE" {
                    self.custom = *value == "Custom";
                }
                return Ok(false);
            }
            Line::Command(command) => command,
        };
        match command.name() {
            (b'M', 82) => (self.begin.counted, self.unclear) = (Counted::FromZero, false),
            (b'M', 83) => (self.begin.counted, self.unclear) = (Counted::FromMove, false),
            (b'G', 90) => {
                (self.relative, self.unclear) = (false, self.begin.counted == Counted::FromMove);
            }
            (b'G', 91) => self.relative = true,
            (b'G', 92) => {
                if let Some(filament) = command.value(b'E', FILAMENT)? {
                    self.begin.filament = filament;
                }
            }
            (b'G', 0..=3 | 5) => {
                let Some(value) = command.value(b'E', FILAMENT)? else { return Ok(false) };
                let counted = if self.relative { Counted::FromMove } else { self.begin.counted };
                let fed = counted.fed(value, &mut self.begin.filament);
                return Ok(fed > 0 && !self.custom && (command.has(b'X') || command.has(b'Y')));
            }
            _ => {}
        }
        Ok(false)
    }
}
