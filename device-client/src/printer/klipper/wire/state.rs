//! What Klipper last said of itself, and what that makes it to a device that wants to print.

use serde_json::{Map, Value};

use crate::printer::Temperatures;

/// What Klipper last said of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::printer::klipper) struct State {
    /// `startup`, `ready`, `error` or `shutdown`.
    pub(in crate::printer::klipper) webhooks: String,
    pub(in crate::printer::klipper) message: String,
    pub(in crate::printer::klipper) homed: String,
    pub(in crate::printer::klipper) print: String,
    pub(in crate::printer::klipper) card_active: bool,
    pub(in crate::printer::klipper) paused: bool,
    pub(super) temperatures: Temperatures,
}

/// What a machine is doing, in the words of the device client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::printer::klipper) enum Standing {
    /// It looks for its controller.
    Starting,
    /// It takes a job.
    Ready,
    /// Somebody else's job is on it.
    Taken,
    /// A job is paused on it.
    Paused,
    /// It has stopped itself, or could never start; with Klipper's words.
    Halted(String),
}

impl State {
    pub(in crate::printer::klipper) fn standing(&self) -> Standing {
        match self.webhooks.as_str() {
            "ready" if self.card_active || self.print == "printing" => Standing::Taken,
            "ready" if self.paused || self.print == "paused" => Standing::Paused,
            "ready" => Standing::Ready,
            "startup" => Standing::Starting,
            _ => Standing::Halted(self.message.clone()),
        }
    }

    pub(super) fn learn(&mut self, changed: &Map<String, Value>) {
        let field = |object: &str, name: &str| changed.get(object).and_then(|object| object.get(name));
        let text = |at: &mut String, value: Option<&Value>| {
            if let Some(value) = value.and_then(Value::as_str) {
                value.clone_into(at);
            }
        };
        let flag = |at: &mut bool, value: Option<&Value>| *at = value.and_then(Value::as_bool).unwrap_or(*at);
        let degrees = |at: &mut f32, value: Option<&Value>| {
            *at = value.and_then(Value::as_f64).map_or(*at, |value| value as f32);
        };
        text(&mut self.webhooks, field("webhooks", "state"));
        text(&mut self.message, field("webhooks", "state_message"));
        text(&mut self.homed, field("toolhead", "homed_axes"));
        text(&mut self.print, field("print_stats", "state"));
        flag(&mut self.card_active, field("virtual_sdcard", "is_active"));
        flag(&mut self.paused, field("pause_resume", "is_paused"));
        degrees(&mut self.temperatures.nozzle, field("extruder", "temperature"));
        degrees(&mut self.temperatures.nozzle_target, field("extruder", "target"));
        degrees(&mut self.temperatures.bed, field("heater_bed", "temperature"));
        degrees(&mut self.temperatures.bed_target, field("heater_bed", "target"));
    }
}
