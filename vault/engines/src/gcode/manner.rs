//! What a line sets for those after it: fan, heat, acceleration.

use layerlock_terms::profile::Key;
use layerlock_terms::toolpath::Step;
use layerlock_terms::units::{Celsius, MmPerSecond2, Percent};

use super::{Reader, Why, only};
use crate::words::Command;

impl Reader<'_> {
    pub(super) fn fan(&mut self, command: &Command<'_>) -> Result<(), Why> {
        only(command, b"S", b"P")?;
        let share = command.value(b'S', 1)?.unwrap_or(2550);
        // Of some firmware that is a share of one, of others nearly nothing.
        if (1..10).contains(&share) {
            return Err(Why::Beyond('S'));
        }
        let share = u8::try_from((share * 10 + 127) / 255).ok().filter(|share| *share <= 100);
        self.sheet.steps.push(Step::Fan(Percent(share.ok_or(Why::Beyond('S'))?)));
        Ok(())
    }

    /// Before the first layer it is the prologue that heats.
    pub(super) fn heat(&mut self, command: &Command<'_>, step: impl Fn(Celsius) -> Step) -> Result<(), Why> {
        if self.named {
            only(command, b"S", b"T")?;
        }
        let celsius = command.value(b'S', 0)?.and_then(|celsius| u16::try_from(celsius).ok());
        let celsius = celsius.ok_or(Why::Beyond('S'))?;
        if self.named {
            self.sheet.steps.push(step(Celsius(celsius)));
        }
        Ok(())
    }

    pub(super) fn accelerate(&mut self, command: &Command<'_>) -> Result<(), Why> {
        let most = self.profile.machine().max_acceleration;
        let value = |letter: u8| {
            let said = command.value(letter, 0)?;
            let said = said.map(|value| u32::try_from(value).map_err(|_| Why::Beyond(letter.into())));
            said.transpose().map(|value| value.map(|value| MmPerSecond2(value).min(most)))
        };
        only(command, b"SPTR", b"")?;
        let (both, said) = (value(b'S')?, [value(b'P')?, value(b'T')?]);
        if said == [None; 2] && both.is_none() {
            return Ok(());
        }
        for (kept, said) in self.accelerations.iter_mut().zip(said) {
            *kept = said.or(both).or(*kept);
        }
        let usual =
            [Key::InnerAcceleration, Key::TravelAcceleration].map(|key| self.profile.acceleration(key));
        let [printing, travelling] = [0, 1].map(|at| self.accelerations[at].unwrap_or(usual[at]));
        self.sheet.steps.push(Step::Acceleration { printing, travelling });
        Ok(())
    }
}
