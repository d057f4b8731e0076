//! A setting's value as people write it: a decimal number with or without its unit, or a name.

use super::SettingError;
use super::settings::{Bound, Setting, Unit};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

/// What `off` and `on` stand for.
const SWITCH: [&str; 2] = ["off", "on"];

/// The integer `text` stands for.
pub(super) fn parse(setting: &'static Setting, text: &str) -> Result<i32, SettingError> {
    let parsed = match setting.unit {
        Unit::Choice(names) => position(names, text),
        Unit::Switch => position(&SWITCH, text),
        unit => number(setting, strip(text, suffixes(unit)), scale(unit)),
    };
    parsed.ok_or_else(|| SettingError::Unreadable {
        setting: setting.name,
        text: text.chars().take(64).collect(),
        expected: setting.expected(),
    })
}

impl Setting {
    /// The value with its unit, as `Profile::set` would take it.
    pub fn display(&self, value: i32) -> String {
        let name = |names: &[&'static str]| names.get(value as usize).copied().unwrap_or("?").to_owned();
        match self.unit {
            Unit::Choice(names) => name(names),
            Unit::Switch => name(&SWITCH),
            Unit::Count => value.to_string(),
            unit => format!("{}{}", f64::from(value) / f64::from(scale(unit)), suffixes(unit)[0]),
        }
    }

    /// What kind of text is taken, in words.
    pub fn expected(&self) -> String {
        match self.unit {
            Unit::Choice(names) => format!("one of {}", names.join(", ")),
            Unit::Switch => "on or off".to_owned(),
            Unit::Count => "a whole number".to_owned(),
            unit => format!("a number in {}", suffixes(unit)[0]),
        }
    }
}

/// How many of the integer's steps make one of the written unit.
fn scale(unit: Unit) -> i32 {
    match unit {
        Unit::Length | Unit::Filament => 1000,
        _ => 1,
    }
}

/// The ways the unit may be written, the usual one first.
fn suffixes(unit: Unit) -> &'static [&'static str] {
    match unit {
        Unit::Length | Unit::Filament => &["mm"],
        Unit::Percent | Unit::Fan => &["%"],
        Unit::Speed => &["mm/s"],
        Unit::Acceleration => &["mm/s²", "mm/s2"],
        Unit::Celsius => &["°C", "C"],
        Unit::Degrees => &["°"],
        Unit::Seconds => &["s"],
        Unit::Count | Unit::Switch | Unit::Choice(_) => &[],
    }
}

fn position(names: &[&str], text: &str) -> Option<i32> {
    names.iter().position(|name| name.eq_ignore_ascii_case(text.trim())).map(|at| at as i32)
}

fn strip<'a>(text: &'a str, suffixes: &[&str]) -> &'a str {
    let text = text.trim();
    suffixes.iter().find_map(|suffix| text.strip_suffix(suffix)).unwrap_or(text).trim_end()
}

/// A decimal; with a sign only where the setting goes below zero.
fn number(setting: &Setting, text: &str, scale: i32) -> Option<i32> {
    let signed = matches!(setting.low, Bound::Fixed(low) if low < 0);
    match text.strip_prefix('-').filter(|_| signed) {
        Some(below) => decimal(below, scale).map(|value| -value),
        None => decimal(text, scale),
    }
}

/// `12.5` at a scale of 1000 is 12500. No digit is rounded away: a value finer than the scale is refused.
fn decimal(text: &str, scale: i32) -> Option<i32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.trim_end_matches('0');
    let places = scale.ilog10() as usize;
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || digits.len() > places || !plain(whole) || !plain(fraction) {
        return None;
    }
    format!("{whole}{digits:0<places$}").parse().ok()
}
