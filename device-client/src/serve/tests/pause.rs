//! Who pauses a print, what the machine does meanwhile, and that it is printed as if nobody had.

use super::*;
use crate::hand::{Declined, Hand, Wish};
use crate::printer::simulated::{Fault, Faults, Firmware, Manners, Pace};
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::vault_message::Message as ToDevice;

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
struct Says {
    said: Vec<(u64, &'static str)>,
    pace: Pace,
    firmware: Arc<Mutex<Option<Arc<Mutex<Firmware>>>>>,
}

impl Says {
    fn of(said: &[(u64, &'static str)]) -> Self {
        Self { said: said.to_vec(), pace: Pace::Instant, firmware: Arc::default() }
    }
}

#[async_trait]
impl Berth for Says {
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError> {
        let faults = Faults::at(self.said.iter().map(|&(line, text)| (line, Fault::Says(text))));
        // It says `wait` each second, and with it what somebody beside it has made it say.
        let manners = Manners { pace: self.pace, wait: true, ..Manners::default() };
        let (printer, _) = MarlinPrinter::simulated(Bench { machine: *machine, manners, faults }).await?;
        *self.firmware.lock().unwrap() = printer.bench();
        Ok(Box::new(printer))
    }
}

/// Prints on such a machine; an hour after each pause somebody goes on by hand, or where that is declined at the machine.
async fn printed_on(says: Says) -> (Scene, PrintReport, usize) {
    let mut scene = scene([]);
    let (hand, mut paused) = (scene.device.hand(), 0);
    let firmware = Arc::clone(&says.firmware);
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Paused = notice {
            paused += 1;
            let (hand, firmware) = (hand.clone(), Arc::clone(&firmware));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                if hand.ask(Wish::Resume).await == Err(Declined::Parked) {
                    let firmware = firmware.lock().unwrap().clone().expect("it is docked");
                    firmware.lock().unwrap().interject("//action:resumed");
                }
            });
        }
    };
    let channel = scene.vault.channel();
    let served = Shift::serve(&mut scene.device, channel, &says, &mut watch, Until::OneJob).await;
    (scene, served.unwrap().expect("one job was served"), paused)
}

#[tokio::test(start_paused = true)]
async fn rule_25_a_machine_that_has_parked_itself_gets_nothing_until_it_goes_on() {
    let begun = tokio::time::Instant::now();
    let (scene, report, paused) = printed_on(Says::of(&[(80, "//action:paused")])).await;
    assert_printed_once(&scene, &report);
    assert_eq!((paused, begun.elapsed() >= Duration::from_secs(3600)), (1, true));
}

#[tokio::test(start_paused = true)]
async fn rule_25_a_machine_that_asks_us_to_pause_has_its_head_taken_aside_unless_it_parks_it_itself() {
    for asks in ["//action:pause", "//action:out_of_filament T0"] {
        let (scene, report, paused) = printed_on(Says::of(&[(80, asks)])).await;
        let own = commands(&scene.pressed.pieces);
        let (_, aside) = beside(&executed(&report), &own);
        assert!(paused == 1 && aside.contains(&"G1 E-2 F1800".to_owned()), "{asks}: {aside:?}");
        assert_eq!((report.outcome, report.extent.lines), (Outcome::Printed, own.len() as u64));
        // It parks a moment later; or wants to go on at once.
        for next in ["//action:paused", "//action:resume"] {
            let (scene, report, paused) = printed_on(Says::of(&[(80, asks), (81, next)])).await;
            assert_printed_once(&scene, &report);
            assert_eq!(paused, 1, "{asks}, {next}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_machine_says_while_its_head_comes_back_is_heeded() {
    // 81 and 82: the line under way and its M400. 83 to 89 take the head aside, then come stirs, then the way back.
    let all = printed_on(Says::of(&[(80, "//action:pause")])).await;
    let (_, once) = beside(&executed(&all.1), &commands(&all.0.pressed.pieces));
    for at in 0..8 {
        // Of one hour's rest with its stirs, each of which is drained by two lines of ours.
        let line = 83 + once.len() as u64 + 2 * 119 + at;
        let (scene, report, _) =
            printed_on(Says::of(&[(80, "//action:pause"), (line, "//action:pause")])).await;
        let (_, aside) = beside(&executed(&report), &commands(&scene.pressed.pieces));
        let pulled_back = aside.iter().filter(|line| *line == "G1 E-2 F1800").count();
        let fed = aside.iter().filter(|line| *line == "G1 E2 F1800").count();
        assert_eq!((report.outcome, pulled_back), (Outcome::Printed, fed), "{at}: {aside:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_before_the_machine_has_homed_moves_nothing_and_lets_a_hot_nozzle_cool_down() {
    let (scene, report, paused) = printed_on(Says::of(&[(14, "//action:pause")])).await;
    let (_, beside) = beside(&executed(&report), &commands(&scene.pressed.pieces));
    assert_eq!((paused, report.outcome), (1, Outcome::Printed));
    assert!(!beside.iter().any(|line| line.starts_with('G')), "{beside:?}");
    assert_eq!(beside, ["M104 S0", "M109 S210"]);
}

/// Where the head was led last, before this line.
fn led(lines: &[String]) -> (String, String) {
    let last = |letter: char| {
        let words = lines.iter().rev().filter(|line| line.starts_with("G0 ") || line.starts_with("G1 "));
        words
            .flat_map(|line| line.split(' '))
            .find(|word| word.starts_with(letter))
            .expect("it has moved")
            .to_owned()
    };
    (last('X'), last('Y'))
}

#[tokio::test(start_paused = true)]
async fn a_pause_while_there_is_no_room_for_the_next_line_brings_the_head_back_to_where_it_was_led() {
    for line in 60..90 {
        let says = Says { pace: Pace::Times(1.0), ..Says::of(&[(line, "//action:pause")]) };
        let (scene, report, paused) = printed_on(says).await;
        assert_eq!((report.outcome, paused), (Outcome::Printed, 1), "{line}: {:?}", report.failure);
        let (done, own) = (executed(&report), commands(&scene.pressed.pieces));
        let (at, aside) = beside(&done, &own);
        let Some(back) = aside.iter().rposition(|line| line.starts_with("G1 X") && line.ends_with(" F6000"))
        else {
            panic!("{line}: {aside:?}")
        };
        let (x, y) = led(&done[..at]);
        assert_eq!(aside[back], format!("G1 {x} {y} F6000"), "{line}");
    }
}

/// Asks for a pause so long after the first of two prints began; gives the answer, and how often each print paused.
async fn asked_after(seconds: u64) -> (Result<(), Declined>, [usize; 2]) {
    let mut scene = scene([]);
    let hand = scene.device.hand();
    let second = press(Nouns::of(&scene.device, 6), &scene.vault.desk().world, &scene.device);
    scene.vault.desk().jobs.push(second);
    let says = Says { pace: Pace::Times(1.0), ..Says::of(&[]) };
    let (stop, stopped) = oneshot::channel::<()>();
    let (mut stop, mut over, mut paused, mut asked) = (Some(stop), 0, [0, 0], None);
    let vault = scene.vault.clone();
    let mut watch = |notice: Notice<'_>| match notice {
        Notice::Heating if over == 0 => {
            let hand = hand.clone();
            asked = Some(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                hand.ask(Wish::Pause).await
            }));
        }
        Notice::Paused => {
            paused[over] += 1;
            let hand = hand.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(60)).await;
                hand.ask(Wish::Resume).await
            });
        }
        Notice::Over(report) => {
            assert_eq!(report.outcome, Outcome::Printed, "{:?}", report.failure);
            over += 1;
            vault.desk().leaves += 2;
            if over == 2 {
                stop.take().map(|stop| stop.send(()));
            }
        }
        _ => {}
    };
    let until = Until::Stopped(Box::pin(async { drop(stopped.await) }));
    let channel = scene.vault.channel();
    let serving = Shift::serve(&mut scene.device, channel, &says, &mut watch, until);
    tokio::time::timeout(Duration::from_secs(3600), serving)
        .await
        .expect("nobody waits for anybody")
        .unwrap();
    assert_eq!(over, 2);
    (asked.expect("it heats").await.unwrap(), paused)
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_is_granted_is_made_in_that_print_and_befalls_no_later_one() {
    let mut ending = 0;
    for seconds in 140..190 {
        match asked_after(seconds).await {
            (Ok(()), paused) => assert!(matches!(paused, [1, 0] | [0, 1]), "after {seconds} s: {paused:?}"),
            (Err(why), paused) => {
                assert!(matches!(why, Declined::Ending | Declined::NothingPrints), "{why}");
                assert_eq!(paused, [0, 0], "after {seconds} s");
                ending += usize::from(why == Declined::Ending);
            }
        }
    }
    assert!(ending >= 1, "no moment was tried between the last line and its end");
}

#[tokio::test(start_paused = true)]
async fn a_late_key_is_waited_for_with_the_head_aside_and_as_long_as_somebody_has_paused() {
    for pauses in [false, true] {
        let mut scene = scene([]);
        scene.vault.desk().withholds_keys = Withholds::FromEpoch(1);
        let (hand, vault) = (scene.device.hand(), scene.vault.clone());
        let release = scene.pressed.keys[1].clone();
        let job = scene.pressed.nouns.header.job.to_string();
        let mut is_late = false;
        let mut watch = |notice: Notice<'_>| {
            if matches!(notice, Notice::Progress { layers: 2, .. }) && !std::mem::replace(&mut is_late, true)
            {
                let (hand, vault, job, release) = (hand.clone(), vault.clone(), job.clone(), release.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(200)).await;
                    if pauses {
                        assert_eq!(hand.ask(Wish::Pause).await, Ok(()));
                        tokio::time::sleep(Duration::from_secs(3000)).await;
                        assert_eq!(hand.ask(Wish::Resume).await, Ok(()));
                        tokio::time::sleep(Duration::from_secs(200)).await;
                    }
                    vault.desk().withholds_keys = Withholds::Nothing;
                    vault.say_to_all(&ToDevice::Keys(wire::JobKeys { job, release: release.emit() })).await;
                });
            }
        };
        let channel = scene.vault.channel();
        let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
        let report = served.unwrap().expect("one job was served");
        assert_eq!(report.outcome, Outcome::Printed, "{:?}", report.failure);
        let (_, aside) = beside(&executed(&report), &commands(&scene.pressed.pieces));
        assert_eq!(aside.iter().filter(|line| *line == "G1 E-2 F1800").count(), 1, "{aside:?}");
        assert!(
            aside.ends_with(&["M83".to_owned()]) && aside.contains(&"G1 E2 F1800".to_owned()),
            "{aside:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_somebody_can_be_refused_and_its_copy_is_free_again() {
    let mut scene = scene([]);
    let word = OwnersWord { bed: Bed::Taken, ..OwnersWord::default() };
    word.write(scene.home.path()).unwrap();
    let hand = scene.device.hand();
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Unready { .. } = notice {
            drop(ask(&hand, Wish::Cancel));
        }
    };
    let channel = scene.vault.channel();
    let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
    let report = served.unwrap().expect("one job was served");
    assert_eq!((report.outcome, report.extent), (Outcome::Failed, Extent::default()));
    assert!(matches!(report.failure, Some(Failure::Stopped)), "{:?}", report.failure);
    assert!(scene.vault.desk().fetches.len() <= 1 && report.entry.is_some());
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
