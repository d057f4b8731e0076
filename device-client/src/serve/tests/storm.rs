//! Everything at once, in any order, drawn from a seed: a vault that raves, a cable that fails, a machine with buttons, an owner
//! who can't decide, a program told to end. However it goes, it ends, by name, and leaves nothing hot.

use super::*;
use crate::hand::{Hand, Wish};
use crate::printer::simulated::{Fault, Faults, Firmware};

/// Storms; each is one job.
const STORMS: u64 = 400;

/// A machine on a cable with these faults; kept for a look at what it is left as.
struct Kept {
    faults: Mutex<Option<Faults>>,
    firmware: Mutex<Option<Arc<Mutex<Firmware>>>>,
}

#[async_trait]
impl Berth for Kept {
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError> {
        let faults = self.faults.lock().unwrap().take().expect("a job is printed once");
        let (printer, _) = MarlinPrinter::simulated(Bench { faults, ..Bench::instant(machine) }).await?;
        *self.firmware.lock().unwrap() = printer.bench();
        Ok(Box::new(printer))
    }
}

/// Up to six mishaps after the greeting.
fn mishaps(dice: &mut Dice) -> Faults {
    let kinds = [
        Fault::LineLost,
        Fault::LineCorrupted,
        Fault::AnswerLost,
        Fault::AnswerCorrupted,
        Fault::AnswerDoubled,
        Fault::Noise,
        Fault::Restart,
        Fault::HangUp,
        Fault::Halt,
        Fault::Says("//action:pause"),
        Fault::Says("//action:paused"),
        Fault::Says("//action:resume"),
        Fault::Says("//action:resumed"),
        Fault::Says("//action:cancel"),
        Fault::Says("//action:out_of_filament T0"),
        Fault::Says("//action:prompt_begin Paused"),
        Fault::Says("echo:busy: paused for user"),
        Fault::Says(" cold extrusion prevented"),
    ];
    let many = dice.below(7);
    Faults::at((0..many).map(|_| (12 + dice.below(330), *dice.one_of(&kinds))))
}

fn wish(dice: &mut Dice) -> Wish {
    *dice.one_of(&[Wish::Pause, Wish::Pause, Wish::Resume, Wish::Resume, Wish::Cancel])
}

/// Somebody comes after a while, and again, until the pause is over one way or another.
async fn comes(hand: Hand, mut dice: Dice) {
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(dice.below(3600))).await;
        if hand.ask(wish(&mut dice)).await.is_err() {
            continue;
        }
    }
    let _ = hand.ask(Wish::Cancel).await;
}

/// How one storm ended.
async fn storm(seed: u64) -> &'static str {
    let mut dice = Dice(seed);
    let mut scene = scene([]);
    {
        let mut desk = scene.vault.desk();
        desk.raves = Some(Dice(dice.below(u64::MAX))).filter(|_| dice.below(3) > 0);
        for _ in 0..dice.below(3) {
            let cut = match dice.below(4) {
                0 => Cut::AfterSegments(dice.below(20) as usize),
                1 => Cut::OnProgress(dice.below(7) as u32),
                2 => Cut::OnChecked,
                _ => Cut::OnFinal,
            };
            desk.cuts.push_back(cut);
        }
        if dice.below(10) == 0 {
            desk.withholds_keys = Withholds::FromEpoch(1 + dice.below(2) as u32);
        }
    }
    let berth = Kept { faults: Mutex::new(Some(mishaps(&mut dice))), firmware: Mutex::new(None) };
    let (hand, visits) = (scene.device.hand(), [300, 40, 12][dice.below(3) as usize]);
    let (stop, stopped) = oneshot::channel::<()>();
    let (mut stop, mut moving, mut over) = (Some(stop), false, None);
    let mut watch = |notice: Notice<'_>| {
        match notice {
            Notice::Heating => moving = true,
            Notice::Paused => drop(tokio::spawn(comes(hand.clone(), Dice(dice.below(u64::MAX))))),
            Notice::Over(report) => over = Some((report.outcome, report.extent)),
            _ => {}
        }
        if dice.below(visits) == 0 {
            let (hand, wish) = (hand.clone(), wish(&mut dice));
            tokio::spawn(async move { hand.ask(wish).await });
        }
        if dice.below(500) == 0 {
            stop.take().map(|stop| stop.send(()));
        }
    };
    let until = Until::OneJobOrStopped(Box::pin(async {
        // A sign that nobody can give any more is none.
        if stopped.await.is_err() {
            std::future::pending().await
        }
    }));
    let channel = scene.vault.channel();
    let serving = Shift::serve(&mut scene.device, channel, &berth, &mut watch, until);
    // Twenty visits an hour apart, and keys that are waited for.
    let served = tokio::time::timeout(Duration::from_secs(30 * 3600), serving).await;
    let served = served.unwrap_or_else(|_| panic!("storm {seed} does not end"));

    let own = commands(&scene.pressed.pieces);
    let ended = scene.device.journal.memory().active().and_then(|active| active.ended.clone());
    let ended = ended.map(|ended| (ended.outcome, ended.extent)).or(over);
    if moving {
        let firmware = berth.firmware.lock().unwrap().take().expect("a machine that moves was docked");
        let firmware = firmware.lock().unwrap();
        assert!(
            firmware.is_off() || firmware.is_unplugged(),
            "storm {seed} leaves a hot machine: {served:?}"
        );
        let (outcome, extent) = ended.unwrap_or_else(|| panic!("storm {seed} says no end: {served:?}"));
        assert!(extent.lines <= own.len() as u64 && extent.layers <= 7, "storm {seed}: {extent:?}");
        // Of the toolpath each line is done at most once and in its order, whatever was done beside it.
        let mut due = own.iter().peekable();
        let mut done = 0;
        for line in firmware.record().executed() {
            if due.peek().is_some_and(|due| *due == line) {
                due.next();
                done += 1;
            }
        }
        assert!(done >= extent.lines, "storm {seed}: {done} lines done, {extent:?} told");
        if outcome == Outcome::Printed {
            let all = own.len() as u64;
            assert_eq!((done, extent.lines, extent.layers), (all, all, 7), "storm {seed}");
        }
    }
    match (served, ended) {
        (Err(_), _) => "refused",
        (Ok(_), Some((Outcome::Printed, _))) => "printed",
        (Ok(_), Some((Outcome::Cancelled, _))) => "cancelled",
        (Ok(_), Some((Outcome::Failed, _))) => "failed",
        (Ok(_), None) => "nothing",
    }
}

#[tokio::test(start_paused = true)]
async fn in_any_storm_a_job_ends_by_name_and_leaves_no_machine_hot() {
    let mut ends = std::collections::BTreeMap::new();
    for seed in 0..STORMS {
        *ends.entry(storm(seed).await).or_insert(0) += 1;
    }
    for end in ["printed", "cancelled", "failed", "refused"] {
        assert!(ends.get(end).is_some_and(|times| *times >= 10), "storms of few kinds say little: {ends:?}");
    }
}
