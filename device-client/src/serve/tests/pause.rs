//! Who pauses a print, what the machine does meanwhile, and that it is printed as if nobody had.

use super::*;
use crate::hand::{Declined, Hand, Wish};
use crate::printer::simulated::{Fault, Faults};

/// Asks in a task of its own, as somebody beside the machine does.
fn ask(hand: &Hand, wish: Wish) -> tokio::task::JoinHandle<Result<(), Declined>> {
    let hand = hand.clone();
    tokio::spawn(async move { hand.ask(wish).await })
}

/// Prints, pauses after three layers and goes on after `long`; gives what was executed and the toolpath's own lines.
async fn paused_for(long: Duration) -> (Vec<String>, Vec<String>) {
    let mut scene = scene([]);
    let (hand, mut is_asked) = (scene.device.hand(), false);
    let mut told = Vec::new();
    let mut watch = |notice: Notice<'_>| match notice {
        Notice::Progress { layers: 3.., .. } if !std::mem::replace(&mut is_asked, true) => {
            drop(ask(&hand, Wish::Pause));
        }
        Notice::Paused => {
            told.push("paused");
            let hand = hand.clone();
            tokio::spawn(async move {
                tokio::time::sleep(long).await;
                assert_eq!(hand.ask(Wish::Pause).await, Err(Declined::PausedAlready));
                assert_eq!(hand.ask(Wish::Resume).await, Ok(()));
            });
        }
        Notice::Resumed => told.push("resumed"),
        _ => {}
    };
    let channel = scene.vault.channel();
    let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
    let report = served.unwrap().expect("one job was served");
    assert_eq!(told, ["paused", "resumed"]);
    assert_eq!((report.outcome, report.extent.layers), (Outcome::Printed, 7), "{:?}", report.failure);
    // What was done beside the toolpath is no line of it.
    let own = commands(&scene.pressed.pieces);
    assert_eq!(report.extent.lines, own.len() as u64);
    (executed(&report), own)
}

/// What stands in `executed` beside `own`: one run of lines, and where.
fn beside(executed: &[String], own: &[String]) -> (usize, Vec<String>) {
    let before = executed.iter().zip(own).take_while(|(did, own)| did == own).count();
    let after =
        executed.iter().rev().zip(own[before..].iter().rev()).take_while(|(did, own)| did == own).count();
    assert_eq!(before + after, own.len(), "every line of the toolpath is there, in its order");
    (before, executed[before..executed.len() - after].to_vec())
}

#[tokio::test(start_paused = true)]
async fn the_head_goes_aside_and_comes_back_to_the_micrometre() {
    let (executed, own) = paused_for(Duration::from_secs(10)).await;
    let (at, aside) = beside(&executed, &own);
    let last = |letter: char| {
        let mut lines = own[..at].iter().rev();
        lines.find_map(|line| {
            let word = line.split(' ').skip(1).find(|word| word.starts_with(letter))?;
            line.starts_with('G').then(|| word[1..].to_owned())
        })
    };
    let [x, y, z, feed] = ['X', 'Y', 'Z', 'F'].map(|letter| last(letter).expect("it has moved"));
    let above: f64 = z.parse::<f64>().unwrap() + 20.0;
    let wanted = [
        "G90".to_owned(),
        "M83".to_owned(),
        "G1 E-2 F1800".to_owned(),
        format!("G1 Z{above} F600"),
        "G1 X10 Y210 F6000".to_owned(),
        format!("G1 X{x} Y{y} F6000"),
        format!("G1 Z{z} F600"),
        "G1 E2 F1800".to_owned(),
        format!("G1 F{feed}"),
        "G90".to_owned(),
        "M83".to_owned(),
    ];
    assert_eq!(aside, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_stirs_the_motors_and_lets_the_nozzle_cool_down_after_half_an_hour() {
    let (executed, own) = paused_for(Duration::from_secs(40 * 60)).await;
    let (_, aside) = beside(&executed, &own);
    let stirred =
        aside.iter().filter(|line| matches!(line.as_str(), "G1 X10.1 F6000" | "G1 X10 F6000")).count();
    assert!((70..=80).contains(&stirred), "{stirred} times in 40 minutes");
    let at =
        |line: &str| aside.iter().position(|did| did == line).unwrap_or_else(|| panic!("{line}: {aside:?}"));
    let (cool, heat) = (at("M104 S0"), at("M109 S210"));
    assert!((50..=70).contains(&cool), "after half an hour, not after {cool} lines");
    assert!(heat > cool && heat < at("G1 E2 F1800"), "hot before it feeds: {aside:?}");
    let (_, short) = beside(&paused_for(Duration::from_secs(29 * 60)).await.0, &own);
    assert!(!short.iter().any(|line| line.starts_with("M104") || line.starts_with("M109")), "{short:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_is_cancelled_in_motion_and_while_it_is_paused() {
    for is_paused in [false, true] {
        let mut scene = scene([]);
        let (hand, mut is_asked) = (scene.device.hand(), false);
        let mut watch = |notice: Notice<'_>| match notice {
            Notice::Progress { layers: 3.., .. } if !std::mem::replace(&mut is_asked, true) => {
                drop(ask(&hand, if is_paused { Wish::Pause } else { Wish::Cancel }));
            }
            Notice::Paused => {
                let hand = hand.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    hand.ask(Wish::Cancel).await
                });
            }
            _ => {}
        };
        let channel = scene.vault.channel();
        let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
        let report = served.unwrap().expect("one job was served");
        assert!(matches!(report.failure, Some(Failure::Stopped)), "{:?}", report.failure);
        assert_eq!(report.outcome, Outcome::Cancelled);
        assert!((3..7).contains(&report.extent.layers), "{:?}", report.extent);
        let (done, own) = (executed(&report), commands(&scene.pressed.pieces));
        assert!(report.extent.lines <= own.len() as u64 && done.contains(&"M104 S0".to_owned()));
        assert_eq!(done.contains(&"G1 E-2 F1800".to_owned()), is_paused, "{done:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_no_meaning_is_declined_and_a_job_that_comes_can_be_refused() {
    let mut scene = scene([]);
    scene.vault.desk().withholds_keys = Withholds::FromEpoch(0);
    let (hand, mut asked) = (scene.device.hand(), Vec::new());
    asked.push(ask(&hand, Wish::Cancel));
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Checked(_) = notice {
            asked.extend([Wish::Pause, Wish::Resume, Wish::Cancel].map(|wish| ask(&hand, wish)));
        }
    };
    let channel = scene.vault.channel();
    let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
    let report = served.unwrap().expect("one job was served");
    assert_eq!((report.outcome, report.extent.lines), (Outcome::Failed, 0));
    assert!(matches!(report.failure, Some(Failure::Stopped)), "{:?}", report.failure);
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.unwrap());
    }
    let nothing = Err(Declined::NothingPrints);
    assert_eq!(answers, [nothing, nothing, nothing, Ok(())]);
    let second = press(Nouns::of(&scene.device, 6), &scene.vault.desk().world, &scene.device);
    scene.vault.desk().jobs = vec![second];
    (scene.vault.desk().withholds_keys, scene.vault.desk().leaves) = (Withholds::Nothing, 4);
    // Whoever has gone is not heard later, however far the print is.
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Progress { layers: 3.., .. } = notice {
            let mut abandoned = std::pin::pin!(hand.ask(Wish::Cancel));
            let waker = std::task::Waker::noop();
            assert!(abandoned.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        }
    };
    let channel = scene.vault.channel();
    let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
    assert_eq!(served.unwrap().expect("one job was served").outcome, Outcome::Printed);
    drop(scene);
    assert_eq!(hand.ask(Wish::Pause).await, Err(Declined::Gone));
}

/// A machine that says these, each once it has been sent so many lines.
struct Says(&'static [(u64, &'static str)]);

#[async_trait]
impl Berth for Says {
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError> {
        let said = self.0.iter().map(|&(line, text)| (line, Fault::Says(text)));
        let bench = Bench { faults: Faults::at(said), ..Bench::instant(machine) };
        Ok(Box::new(MarlinPrinter::simulated(bench).await?.0))
    }
}

/// Prints on such a machine; somebody goes on by hand an hour after each pause that still lasts.
async fn printed_on(says: Says) -> (Scene, PrintReport, usize) {
    let mut scene = scene([]);
    let (hand, mut paused) = (scene.device.hand(), 0);
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Paused = notice {
            paused += 1;
            let hand = hand.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                hand.ask(Wish::Resume).await
            });
        }
    };
    let channel = scene.vault.channel();
    let served = Shift::serve(&mut scene.device, channel, &says, &mut watch, Until::OneJob).await;
    (scene, served.unwrap().expect("one job was served"), paused)
}

#[tokio::test(start_paused = true)]
async fn rule_25_a_machine_that_has_parked_itself_gets_nothing_until_it_goes_on() {
    for said in ["//action:paused", "//action:out_of_filament T0"] {
        let (scene, report, paused) = printed_on(Says(Box::leak(Box::new([(80, said)])))).await;
        assert_printed_once(&scene, &report);
        assert_eq!(paused, 1, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_25_a_machine_that_asks_us_to_pause_has_its_head_taken_aside_unless_it_parks_it_itself() {
    let (scene, report, paused) = printed_on(Says(&[(80, "//action:pause")])).await;
    let own = commands(&scene.pressed.pieces);
    let (_, aside) = beside(&executed(&report), &own);
    assert!(paused == 1 && aside.contains(&"G1 E-2 F1800".to_owned()), "{aside:?}");
    assert_eq!((report.outcome, report.extent.lines), (Outcome::Printed, own.len() as u64));
    // It says so a moment later; or wants to go on at once.
    for next in ["//action:paused", "//action:resume"] {
        let said = Box::leak(Box::new([(80, "//action:pause"), (81, next)]));
        let (scene, report, paused) = printed_on(Says(said)).await;
        assert_printed_once(&scene, &report);
        assert_eq!(paused, 1, "{next}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_before_the_machine_has_homed_moves_nothing() {
    let (scene, report, paused) = printed_on(Says(&[(12, "//action:pause")])).await;
    assert_printed_once(&scene, &report);
    assert_eq!(paused, 1);
}

#[tokio::test(start_paused = true)]
async fn a_print_is_paused_as_often_as_its_owner_likes_also_while_the_head_comes_back() {
    let mut scene = scene([]);
    let (hand, mut paused) = (scene.device.hand(), 0);
    let mut watch = |notice: Notice<'_>| match notice {
        Notice::Progress { layers: 2 | 5, .. } => drop(ask(&hand, Wish::Pause)),
        Notice::Paused => {
            paused += 1;
            let (hand, again) = (hand.clone(), paused == 1);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                assert_eq!(hand.ask(Wish::Resume).await, Ok(()));
                // The head is under way: it is paused no more, as far as anybody is told.
                assert_eq!(hand.ask(Wish::Resume).await, Err(Declined::NotPaused));
                assert!(!again || hand.ask(Wish::Pause).await.is_ok());
            });
        }
        _ => {}
    };
    let channel = scene.vault.channel();
    let begun = tokio::time::Instant::now();
    let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
    let report = served.unwrap().expect("one job was served");
    assert_eq!(
        (report.outcome, report.extent.layers, paused),
        (Outcome::Printed, 7, 3),
        "{:?}",
        report.failure
    );
    assert!(begun.elapsed() >= Duration::from_secs(180), "each pause lasts until somebody goes on");
    assert_eq!(report.extent.lines, commands(&scene.pressed.pieces).len() as u64);
}
