//! Pauses: the head goes aside and waits, until whoever asked for it wants to go on.
//!
//! A machine that says it has paused has parked its head itself, and gets nothing more (rule 25). Where the owner asks, or the
//! machine asks us to, the head is ours to take aside. Heaters stay on, so that what is printed holds to the bed and going on
//! costs nothing; after [`HOT`] the nozzle is let cool down.

use std::time::Duration;

use tokio::time::Instant;

use super::{Failure, Heard, Run};
use crate::guard::Aside;
use crate::hand::Wish;
use crate::printer::{Printer, PrinterEvent};
use crate::serve::{Notice, Shift};
use crate::session::Event;

/// How long a nozzle is kept hot over nothing.
pub(crate) const HOT: Duration = Duration::from_secs(30 * 60);
/// How long motors may rest before a machine turns them off and loses its place.
const STIR: Duration = Duration::from_secs(30);
/// Between two looks at what the heaters have.
const LOOK: Duration = Duration::from_secs(5);

/// What the machine said while it made what it had been sent.
#[derive(Debug, Default)]
struct Meanwhile {
    /// It has parked its head itself.
    parked: bool,
    /// It wants to go on already.
    resumed: bool,
}

impl Shift<'_> {
    /// The machine has parked its head: it is let be.
    pub(super) async fn pause(&mut self, run: &mut Run, printer: &mut dyn Printer) -> Result<(), Failure> {
        self.step(Event::Pause).await?;
        self.tell(Notice::Paused);
        self.until_resumed(run, printer, None).await?;
        self.go_on().await
    }

    /// Lets the machine make what it was sent, takes its head aside and, for going on, back.
    pub(super) async fn pause_aside(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
    ) -> Result<(), Failure> {
        self.step(Event::Pause).await?;
        self.tell(Notice::Paused);
        let meanwhile = self.settle(run, printer).await?;
        if meanwhile.resumed {
            return self.go_on().await;
        }
        let Some(aside) = run.guard.aside().filter(|_| !meanwhile.parked) else {
            self.until_resumed(run, printer, None).await?;
            return self.go_on().await;
        };
        self.lead(run, printer, &aside.away).await?;
        self.until_resumed(run, printer, Some(&aside)).await?;
        self.lead(run, printer, &aside.back).await?;
        self.go_on().await
    }

    async fn go_on(&mut self) -> Result<(), Failure> {
        self.step(Event::Resume).await?;
        // Who wants the next pause meanwhile gets it.
        self.wished.take_if(|wish| *wish == Wish::Resume);
        self.tell(Notice::Resumed);
        Ok(())
    }

    /// Waits until somebody wants to go on. A head that was taken aside is stirred, and its nozzle in the end let cool down and
    /// heated again.
    async fn until_resumed(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        aside: Option<&Aside>,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let (mut stirs, mut is_cold) = (aside.into_iter().flat_map(|aside| &aside.stir).cycle(), false);
        let mut stir_at = begun + STIR;
        while self.wished != Some(Wish::Resume) {
            match tokio::time::timeout(LOOK, self.hear(printer)).await {
                Err(_elapsed) => self.note_heat(printer.temperatures()),
                Ok(heard) => match heard? {
                    Heard::Link(event) => self.on_link_in_motion(event).await?,
                    Heard::Owner(asked) => self.on_wish(asked)?,
                    Heard::Machine(event) => {
                        self.tell(Notice::Machine(&event));
                        match event {
                            PrinterEvent::Resume | PrinterEvent::Resumed => break,
                            PrinterEvent::Cancel => return Err(Failure::StoppedAtMachine),
                            PrinterEvent::Pause
                            | PrinterEvent::Paused
                            | PrinterEvent::FilamentOut
                            | PrinterEvent::WaitsForUser
                            | PrinterEvent::Prompt(_)
                            | PrinterEvent::ManyResends { .. } => {}
                        }
                    }
                },
            }
            self.attest_layers(run, printer.stats().last_acknowledged).await?;
            if Instant::now() >= stir_at {
                self.lead(run, printer, stirs.next().map(std::slice::from_ref).unwrap_or_default()).await?;
                stir_at = Instant::now() + STIR;
            }
            if let Some(cool) = aside.and_then(|aside| aside.cool.as_ref())
                && !is_cold
                && begun.elapsed() >= HOT
            {
                self.lead(run, printer, std::slice::from_ref(cool)).await?;
                is_cold = true;
            }
        }
        match aside.and_then(|aside| aside.heat.as_ref()).filter(|_| is_cold) {
            Some(heat) => self.lead(run, printer, std::slice::from_ref(heat)).await,
            None => Ok(()),
        }
    }

    /// Sends lines beside the toolpath, each through the guard, and waits until the machine has made them.
    async fn lead(
        &mut self,
        run: &mut Run,
        printer: &mut dyn Printer,
        lines: &[String],
    ) -> Result<(), Failure> {
        for line in lines {
            let command = run.guard.admit(line)?;
            run.acks.aside += 1;
            self.alongside(printer.send(&command)).await?;
        }
        self.settle(run, printer).await.map(drop)
    }

    /// Lets the machine make every move it was sent. It may say meanwhile why it doesn't.
    async fn settle(&mut self, run: &mut Run, printer: &mut dyn Printer) -> Result<Meanwhile, Failure> {
        let mut meanwhile = Meanwhile::default();
        while let Some(event) = self.alongside(printer.ready(None)).await? {
            self.hear_meanwhile(&mut meanwhile, &event)?;
        }
        self.alongside(printer.drain()).await?;
        while let Some(event) = printer.take_event() {
            self.hear_meanwhile(&mut meanwhile, &event)?;
        }
        self.attest_layers(run, printer.stats().last_acknowledged).await?;
        Ok(meanwhile)
    }

    fn hear_meanwhile(&mut self, meanwhile: &mut Meanwhile, event: &PrinterEvent) -> Result<(), Failure> {
        self.tell(Notice::Machine(event));
        match event {
            PrinterEvent::Cancel => return Err(Failure::StoppedAtMachine),
            PrinterEvent::Paused => meanwhile.parked = true,
            PrinterEvent::Resume | PrinterEvent::Resumed => meanwhile.resumed = true,
            PrinterEvent::Pause
            | PrinterEvent::FilamentOut
            | PrinterEvent::WaitsForUser
            | PrinterEvent::Prompt(_)
            | PrinterEvent::ManyResends { .. } => {}
        }
        Ok(())
    }
}
