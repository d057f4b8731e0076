//! Out of the way and back: what a head does while a print is paused.
//!
//! A hot nozzle at rest melts what it rests on. So the filament is pulled back, the head lifted and taken to a corner, and for
//! going on the same backwards, to the micrometre. The lines are made here, where positions and modes are known, and judged by
//! [`Guard::admit`] like every other line. Deliberately absent: when to pause, and for how long.

use super::{Coordinates, Fixed, Guard, MELTS};

/// How far the head is lifted, where there is room.
const LIFT: Fixed = Fixed::whole(20);
/// How far from the edges of the bed it waits.
const CORNER: Fixed = Fixed::whole(10);
/// How much filament is pulled back, so that less of it oozes out.
const PULLED_BACK: i64 = 2;
/// Millimetres a minute: up and down, across, and of filament.
const SPEEDS: [i64; 3] = [600, 6000, 1800];

/// The way aside and back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Takes the head from where it is.
    pub away: Vec<String>,
    /// Moves it to and fro by a tenth of a millimetre. Machines turn motors off that rest for long, and lose their place.
    pub stir: [String; 2],
    /// Brings the head back.
    pub back: Vec<String>,
}

impl Guard {
    /// The way aside from where the lines so far have led; `None` where they have not yet said where that is, or how fast moves
    /// are. Filament is pulled back only where `is_melted` and the nozzle is to stay so.
    pub fn aside(&self, is_melted: bool) -> Option<Aside> {
        let state = &self.state;
        let ([true, true, true], [Some(x), Some(y), Some(z)]) = (state.told, state.position) else {
            return None;
        };
        let feed = state.feed?;
        let [up, across, filament] = SPEEDS.map(|speed| Fixed::whole(speed).min(self.max_speed));
        let is_hot = is_melted && state.nozzle >= MELTS;

        let mut away = Vec::new();
        let mut back = Vec::new();
        let modes = match (state.axes, state.extruder) {
            (Coordinates::Absolute, Coordinates::Absolute) => (["G90", "M83"], ["G90", "M82"]),
            (Coordinates::Absolute, Coordinates::Relative) => (["G90", "M83"], ["G90", "M83"]),
            (Coordinates::Relative, Coordinates::Absolute) => (["G90", "M83"], ["G91", "M82"]),
            (Coordinates::Relative, Coordinates::Relative) => (["G90", "M83"], ["G91", "M83"]),
        };
        away.extend(modes.0.map(str::to_owned));
        if is_hot {
            away.push(format!("G1 E-{PULLED_BACK} F{filament}"));
        }
        let [corner_x, corner_y] = [CORNER, self.volume[1].minus(CORNER)];
        away.push(format!("G1 Z{} F{up}", z.plus(LIFT).min(self.volume[2])));
        away.push(format!("G1 X{corner_x} Y{corner_y} F{across}"));

        back.push(format!("G1 X{x} Y{y} F{across}"));
        back.push(format!("G1 Z{z} F{up}"));
        if is_hot {
            back.push(format!("G1 E{PULLED_BACK} F{filament}"));
        }
        back.push(format!("G1 F{feed}"));
        back.extend(modes.1.map(str::to_owned));

        let stirred = corner_x.plus(Fixed::whole(1).divided(10));
        Some(Aside { away, stir: [stirred, corner_x].map(|x| format!("G1 X{x} F{across}")), back })
    }

    /// What turns the nozzle's heater off, and what heats it to where it was and waits; `None` where it is off.
    pub fn nozzle_heat(&self) -> Option<(String, String)> {
        let target = self.state.nozzle;
        (target > Fixed::ZERO).then(|| ("M104 S0".to_owned(), format!("M109 S{target}")))
    }
}
