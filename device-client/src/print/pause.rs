//! Rests in mid-print: the head goes aside and waits, until whoever asked for it wants to go on, or a late key is here.
//!
//! A machine that says it has paused has parked its head itself, and gets nothing more until it goes on (rule 25). Where the owner
//! asks, the machine asks us to, or a key is late, the head is ours to take aside. Heaters stay on, so that what is printed
//! holds to the bed and going on costs nothing; after [`HOT`] the nozzle is let cool down. What the machine says on the way
//! aside, during the rest or on the way back counts as it comes: the last word holds.

use std::time::Duration;

use tokio::time::Instant;

use super::{Failure, Heard, KEY_PATIENCE, Run};
use crate::guard::Aside;
use crate::hand::Wish;
use crate::printer::{Printer, PrinterEvent};
use crate::serve::{Notice, Shift};
use crate::session::Event;

/// How long a nozzle is kept hot over nothing.
pub(crate) const HOT: Duration = Duration::from_secs(30 * 60);
/// How long motors may rest before a machine turns them off and loses its place.
const STIR: Duration = Duration::from_secs(30);
/// A key that is late by less moves no head.
const SOON: Duration = Duration::from_secs(3);
/// Between two looks at what the heaters have, and whether something is due.
const LOOK: Duration = Duration::from_secs(2);
/// Filament of which the nozzle has less than this moves nowhere, in degrees Celsius.
const MELTS: f32 = 150.0;
/// Sent instead of a stir where it isn't known where the head is: a machine that answers is there.
const ASK: &str = "M105";

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Somebody wants to go on.
    Resumed,
    /// The key of this epoch is here.
    Key(u32),
}

/// What the machine wants, by its last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing.
    None,
    /// That we pause: its head is ours to take aside.
    Pause,
    /// That we let it be: it has parked its head itself.
    Parked,
    /// That we go on.
    Resume,
}

impl Word {
    /// What an event says of this, if anything.
    fn of(event: &PrinterEvent) -> Option<Self> {
        match event {
            PrinterEvent::Pause | PrinterEvent::FilamentOut => Some(Self::Pause),
            PrinterEvent::Paused => Some(Self::Parked),
            PrinterEvent::Resume | PrinterEvent::Resumed => Some(Self::Resume),
            PrinterEvent::Cancel
            | PrinterEvent::Temperatures
            | PrinterEvent::WaitsForUser
            | PrinterEvent::Prompt(_)
            | PrinterEvent::ManyResends { .. } => None,
        }
    }

    /// Takes in what else it says; one that has parked is not ours to move until it goes on.
    fn hear(&mut self, event: &PrinterEvent) {
        *self = match (*self, Self::of(event)) {
            (Self::Parked, Some(Self::Pause)) | (_, None) => *self,
            (_, Some(word)) => word,
        };
    }
}

/// A head that waits, and what was done for it.
struct Rest {
    word: Word,
    /// From when on it may be taken aside.
    from: Instant,
    /// The way it was taken; `None` while it is where the toolpath left it.
    aside: Option<Aside>,
    begun: Instant,
    stirred: Instant,
    stirs: usize,
    /// What heats the nozzle again, once it was let cool down.
    heat: Option<String>,
}

impl Rest {
    fn begin(word: Word, from: Instant) -> Self {
        let now = Instant::now();
        Self { word, from, aside: None, begun: now, stirred: now, stirs: 0, heat: None }
    }
}

impl Shift<'_> {
    /// Pauses, by the owner's wish ([`Word::None`]) or the machine's word, until somebody goes on.
    pub(super) async fn pause(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        word: Word,
    ) -> Result<(), Failure> {
        self.step(Event::Pause).await?;
        self.is_parked = word == Word::Parked;
        self.tell(Notice::Paused);
        self.rest_until(run, printer, Rest::begin(word, Instant::now()), Until::Resumed).await?;
        self.is_parked = false;
        self.step(Event::Resume).await?;
        // Who wants the next pause meanwhile gets it.
        self.wished.take_if(|wish| *wish == Wish::Resume);
        self.tell(Notice::Resumed);
        Ok(())
    }

    /// What a machine says between two lines, where it is about pauses.
    pub(super) async fn heed_word(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        event: &PrinterEvent,
    ) -> Result<(), Failure> {
        match Word::of(event) {
            Some(word @ (Word::Pause | Word::Parked)) => self.pause(run, printer, word).await,
            Some(Word::Resume | Word::None) | None => Ok(()),
        }
    }

    /// Waits for a late key, with the head aside.
    pub(super) async fn rest_for_key(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        epoch: u32,
    ) -> Result<(), Failure> {
        let rest = Rest::begin(Word::None, Instant::now() + SOON);
        self.rest_until(run, printer, rest, Until::Key(epoch)).await
    }

    /// Aside, wait, back; and again for whoever wants the next pause on the way back.
    async fn rest_until(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        mut rest: Rest,
        until: Until,
    ) -> Result<(), Failure> {
        if rest.word != Word::Parked {
            self.settle(run, printer, &mut rest).await?;
        }
        loop {
            self.wait(run, printer, &mut rest, until).await?;
            // Going on is the last word now, until the machine says another.
            rest.word = Word::Resume;
            if let Some(heat) = rest.heat.take() {
                self.lead(run, printer, &[heat], &mut rest).await?;
            }
            if let Some(aside) = rest.aside.take() {
                self.lead(run, printer, &aside.back, &mut rest).await?;
            }
            if rest.word == Word::Resume {
                return Ok(());
            }
        }
    }

    async fn wait(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        rest: &mut Rest,
        until: Until,
    ) -> Result<(), Failure> {
        (rest.begun, rest.stirred) = (Instant::now(), Instant::now());
        let mut late = Instant::now() + KEY_PATIENCE;
        while !self.may_go_on(run, rest, until)? {
            self.is_parked = rest.word == Word::Parked;
            if !self.is_parked {
                self.tend(run, printer, rest).await?;
                if self.may_go_on(run, rest, until)? {
                    break;
                }
            }
            match tokio::time::timeout(LOOK, self.hear(printer)).await {
                Err(_elapsed) => self.note_heat(printer.temperatures()),
                Ok(heard) => match heard? {
                    Heard::Link(event) => self.on_link_in_motion(event).await?,
                    Heard::Owner(asked) => self.on_wish(asked)?,
                    Heard::Machine(event) => self.hear_meanwhile(rest, &event)?,
                },
            }
            // A key may be as late as it likes while somebody has paused.
            if self.somebody_pauses(rest) {
                late = Instant::now() + KEY_PATIENCE;
            }
            if let Until::Key(epoch) = until
                && Instant::now() >= late
            {
                return Err(Failure::NoKey { epoch });
            }
            self.attest_layers(run, printer.stats().last_acknowledged).await?;
        }
        Ok(())
    }

    fn somebody_pauses(&self, rest: &Rest) -> bool {
        self.wished == Some(Wish::Pause) || matches!(rest.word, Word::Pause | Word::Parked)
    }

    fn may_go_on(&mut self, run: &mut Run, rest: &Rest, until: Until) -> Result<bool, Failure> {
        match until {
            Until::Resumed => {
                let asked = self.wished == Some(Wish::Resume) && rest.word != Word::Parked;
                Ok(asked || rest.word == Word::Resume)
            }
            Until::Key(epoch) => Ok(!self.somebody_pauses(rest) && self.hand_key(run, epoch)?),
        }
    }

    /// Does what is due for a head that waits: takes it aside, stirs it, lets its nozzle cool down.
    async fn tend(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        rest: &mut Rest,
    ) -> Result<(), Failure> {
        if rest.aside.is_none() && Instant::now() >= rest.from {
            let is_melted = printer.temperatures().is_none_or(|celsius| celsius.nozzle >= MELTS);
            if let Some(aside) = run.guard.aside(is_melted) {
                let away = aside.away.clone();
                rest.aside = Some(aside);
                self.lead(run, printer, &away, rest).await?;
            }
        }
        if rest.stirred.elapsed() >= STIR {
            let stirs = rest.aside.as_ref().map(|aside| aside.stir[rest.stirs % 2].clone());
            (rest.stirred, rest.stirs) = (Instant::now(), rest.stirs + 1);
            self.lead(run, printer, &[stirs.unwrap_or_else(|| ASK.to_owned())], rest).await?;
        }
        if rest.begun.elapsed() >= HOT
            && rest.heat.is_none()
            && let Some((cool, heat)) = run.guard.nozzle_heat()
        {
            rest.heat = Some(heat);
            self.lead(run, printer, &[cool], rest).await?;
        }
        Ok(())
    }

    /// Sends lines beside the toolpath, each through the guard, and waits until the machine has made them.
    async fn lead(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        lines: &[String],
        rest: &mut Rest,
    ) -> Result<(), Failure> {
        for line in lines {
            let command = run.guard.admit(line)?;
            run.acks.aside += 1;
            self.alongside(printer.send(&command)).await?;
        }
        self.settle(run, printer, rest).await
    }

    /// Lets the machine make every move it was sent. It may say meanwhile why it doesn't.
    async fn settle(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        rest: &mut Rest,
    ) -> Result<(), Failure> {
        while let Some(event) = self.alongside(printer.ready(None)).await? {
            self.note_heat(printer.temperatures());
            self.hear_meanwhile(rest, &event)?;
        }
        self.alongside(printer.drain()).await?;
        while let Some(event) = printer.take_event() {
            self.hear_meanwhile(rest, &event)?;
        }
        self.attest_layers(run, printer.stats().last_acknowledged).await
    }

    fn hear_meanwhile(&mut self, rest: &mut Rest, event: &PrinterEvent) -> Result<(), Failure> {
        if *event != PrinterEvent::Temperatures {
            self.tell(Notice::Machine(event));
        }
        if *event == PrinterEvent::Cancel {
            return Err(Failure::StoppedAtMachine);
        }
        rest.word.hear(event);
        self.is_parked = rest.word == Word::Parked;
        if let Some(Word::Pause | Word::Parked) = Word::of(event) {
            // Its owner wanted to go on before that.
            self.wished.take_if(|wish| *wish == Wish::Resume);
        }
        Ok(())
    }
}
