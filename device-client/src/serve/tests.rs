use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use layerlock_proto::refusal::Reason;
use layerlock_seal::statement::Statement;
use layerlock_terms::license::Release;
use layerlock_terms::receipt::{Event as Said, Extent, Outcome};
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_terms::wire::Noun as _;
use tokio::sync::oneshot;

use super::*;
use crate::Clock;
use crate::check::Refusal;
use crate::printer::marlin::MarlinPrinter;
use crate::printer::simulated::Bench;
use crate::testbed::vault::{Cut, Desk, FakeVault, Withholds, one_job};
use crate::testbed::{Dice, FAR, NOW, Nouns, Pressed, World, commands, enrol, enrol_at, press};

mod pause;
mod preflight;
mod storm;

/// A device, and a vault with one job for it.
struct Scene {
    home: tempfile::TempDir,
    device: Device,
    vault: FakeVault,
    pressed: Pressed,
}

fn scene(cuts: impl IntoIterator<Item = Cut>) -> Scene {
    let home = tempfile::tempdir().unwrap();
    let (device, mut desk, pressed) = one_job(home.path());
    desk.cuts.extend(cuts);
    Scene { home, device, vault: FakeVault::new(desk), pressed }
}

impl Scene {
    async fn print(&mut self) -> Result<PrintReport, DeviceError> {
        let mut silent = |_: Notice<'_>| {};
        let channel = self.vault.channel();
        let served = self.device.serve(channel, PrinterTarget::Simulated, &mut silent, Until::OneJob).await;
        served.map(|report| report.expect("one job was served"))
    }

    /// The device after a power cut: what is in memory is gone.
    fn reopen(self) -> Self {
        let Self { home, device, vault, pressed } = self;
        drop(device);
        let device = Device::open_at(home.path(), Clock::of(|| NOW)).unwrap();
        Self { home, device, vault, pressed }
    }

    fn spool(&self) -> std::path::PathBuf {
        Path::join(self.home.path(), "spool")
    }
}

fn executed(report: &PrintReport) -> Vec<String> {
    report.record.as_ref().expect("a simulated machine").executed().map(str::to_owned).collect()
}

/// Whole: every command once, in order; receipts numbered without a gap; one entry, verified.
fn assert_printed_once(scene: &Scene, report: &PrintReport) {
    assert!(report.failure.is_none(), "{:?}", report.failure);
    assert_eq!(report.outcome, Outcome::Printed);
    assert_eq!((report.extent.layers, report.extent.total_layers), (7, 7));
    assert_eq!(executed(report), commands(&scene.pressed.pieces));
    assert_eq!(report.extent.lines, commands(&scene.pressed.pieces).len() as u64);
    let receipts = scene.vault.desk().receipts();
    let ended = receipts.iter().filter(|r| matches!(r.event, Said::Ended(..))).count();
    assert_eq!(ended, 1, "one job has one final receipt");
    let numbers: Vec<_> = receipts.iter().map(|r| r.sequence).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert_eq!(report.entry.as_ref().expect("in the ledger").index, 3);
    assert!(!scene.spool().exists(), "the ciphertext is gone");
}

#[tokio::test(start_paused = true)]
async fn a_job_is_fetched_checked_printed_reported_and_found_in_the_ledger() {
    let mut scene = scene([]);
    let report = scene.print().await.unwrap();
    assert_printed_once(&scene, &report);
    assert_eq!(report.segments as usize, scene.pressed.recorded.segments.len());
    let receipts = scene.vault.desk().receipts();
    assert!(matches!(receipts[0].event, Said::Checked(_)));
    let layers: Vec<_> = receipts
        .iter()
        .filter_map(|receipt| match receipt.event {
            Said::Progress(extent) => Some(extent.layers),
            Said::Checked(_) | Said::Ended(..) => None,
        })
        .collect();
    assert!(layers.is_sorted_by(|a, b| a < b) && layers.last() == Some(&7), "{layers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_cut_at_any_segment_resumes_there_and_prints_the_same_once() {
    let count = scene([]).pressed.recorded.segments.len();
    assert!(count > 20, "{count} segments test little");
    for cut in 0..count {
        let mut scene = scene([Cut::AfterSegments(cut)]);
        let report = scene.print().await.unwrap();
        assert_printed_once(&scene, &report);
        let desk = scene.vault.desk();
        assert_eq!(desk.fetches[0], 0);
        // The pipe may swallow what was on its way; what arrived is never asked for again.
        assert!(desk.fetches[1] as usize <= cut, "{:?}", desk.fetches);
        assert_eq!(desk.counters, [1, 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_cut_at_any_receipt_is_taken_up_and_counted_once() {
    let progress = (1..=7).map(Cut::OnProgress);
    for cut in progress.chain([Cut::OnChecked, Cut::OnFinal]) {
        let mut scene = scene([cut]);
        let report = scene.print().await.unwrap();
        assert_printed_once(&scene, &report);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_offered_again_after_it_was_printed_is_refused_as_spent_also_after_a_restart() {
    let mut scene = scene([]);
    scene.print().await.unwrap();
    let refused = scene.print().await.unwrap_err();
    assert!(matches!(refused, DeviceError::Refused(Refusal::Spent(_))), "{refused}");
    let mut scene = scene.reopen();
    let refused = scene.print().await.unwrap_err();
    assert!(matches!(refused, DeviceError::Refused(Refusal::Spent(_))), "{refused}");
    let recorded = scene.pressed.recorded.clone();
    assert!(matches!(scene.device.examine(&recorded), Err(Refusal::Spent(_))));
}

#[tokio::test(start_paused = true)]
async fn a_flipped_byte_ends_the_job_before_any_motion() {
    let mut scene = scene([]);
    let index = 9;
    scene.vault.desk().jobs[0].recorded.segments[index][30] ^= 1;
    let report = scene.print().await.unwrap();
    assert_eq!((report.outcome, report.extent), (Outcome::Failed, Extent::default()));
    assert!(report.record.is_none(), "no machine was even connected");
    let failure = report.failure.expect("it was refused");
    assert!(failure.to_string().contains("a segment is not the one that was sealed"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_vault_that_does_not_prove_itself_by_the_pinned_root_is_left() {
    let mut scene = scene([]);
    scene.vault.desk().welcome_key = Some(World::new(2).licensor);
    let refused = scene.print().await.unwrap_err();
    assert!(matches!(refused, DeviceError::Link(LinkError::NotTheVault(_))), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_welcome_recorded_in_another_session_is_not_believed() {
    let mut scene = scene([]);
    scene.vault.desk().welcome_nonce = Some([4; 32]);
    let refused = scene.print().await.unwrap_err();
    assert!(matches!(refused, DeviceError::Link(LinkError::NotTheVault(_))), "{refused}");
}

/// Lets a vault say that it is `moment`; the device must take it for no vault, and print with the true one after.
async fn welcome_from_the_future(moment: Timestamp, ends: Timestamp) {
    let home = tempfile::tempdir().unwrap();
    let world = World { ends, ..World::new(1) };
    let device = enrol(&world, home.path(), 1);
    let pressed = press(Nouns::of(&device, 5), &world, &device);
    let mut desk = Desk::new(world);
    desk.jobs.push(pressed.clone());
    desk.now = moment;
    let mut scene = Scene { home, device, vault: FakeVault::new(desk), pressed };
    let refused = scene.print().await.unwrap_err();
    assert!(matches!(refused, DeviceError::Link(LinkError::NotTheVault(_))), "{moment:?}: {refused}");
    assert_eq!(scene.device.journal.memory().floor(), Timestamp(0));
    scene.vault.desk().now = NOW;
    let mut scene = scene.reopen();
    let report = scene.print().await.unwrap();
    assert_printed_once(&scene, &report);
}

#[tokio::test(start_paused = true)]
async fn no_welcome_puts_the_time_past_the_end_of_root_vault_or_device() {
    welcome_from_the_future(Timestamp(u64::MAX), FAR).await;
    // Root and vault end before the device's certificate, then after it.
    let day = Millis(86_400_000);
    welcome_from_the_future(NOW.plus(day), NOW.plus(day)).await;
    welcome_from_the_future(FAR, FAR.plus(day)).await;
}

#[tokio::test(start_paused = true)]
async fn a_vault_whose_certificate_has_ended_is_not_welcomed_in_a_later_session() {
    let hand = Arc::new(AtomicU64::new(NOW.0));
    let read = Arc::clone(&hand);
    let home = tempfile::tempdir().unwrap();
    let world = World::new(1);
    let clock = Clock::of(move || Timestamp(read.load(Ordering::SeqCst)));
    let mut device = enrol_at(&world, home.path(), 1, clock);
    let pressed = press(Nouns::of(&device, 5), &world, &device);
    let mut desk = Desk::new(world);
    desk.jobs.push(pressed);
    desk.cuts.push_back(Cut::OnChecked);
    let vault = FakeVault::new(desk);
    let mut welcomed = Vec::new();
    let mut watch = |notice: Notice<'_>| match notice {
        Notice::Checked(_) => hand.store(FAR.0, Ordering::SeqCst),
        Notice::LinkUp => welcomed.push(hand.load(Ordering::SeqCst)),
        _ => {}
    };
    let served = device.serve(vault.channel(), PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
    assert!(matches!(served, Err(DeviceError::Link(LinkError::NotTheVault(_)))), "{served:?}");
    assert_eq!(welcomed, [NOW.0]);
}

#[test]
fn serving_can_be_spawned() {
    fn spawnable<'a>(
        device: &'a mut Device,
        vault: tonic::transport::Channel,
        watch: &'a mut (dyn FnMut(Notice<'_>) + Send),
    ) -> impl Send {
        device.serve(vault, PrinterTarget::Simulated, watch, Until::OneJob)
    }
    let _ = spawnable;
}

#[tokio::test(start_paused = true)]
async fn a_fenced_a_restored_and_a_revoked_device_do_not_come_back() {
    for reason in [Reason::SessionFenced, Reason::SessionBehind, Reason::DeviceCloned, Reason::DeviceRevoked]
    {
        let mut scene = scene([]);
        scene.vault.desk().refuses = Some(reason);
        let refused = scene.print().await.unwrap_err();
        assert!(matches!(refused, DeviceError::Link(_)), "{reason:?}: {refused}");
        assert!(scene.vault.desk().counters.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_vault_is_asked_again_a_bounded_number_of_times() {
    let mut scene = scene([]);
    scene.vault.desk().refuses = Some(Reason::Busy);
    let given_up = scene.print().await.unwrap_err();
    assert!(matches!(given_up, DeviceError::Unreachable { attempts: ATTEMPTS, .. }), "{given_up}");
}

#[tokio::test(start_paused = true)]
async fn a_vault_whose_streams_break_at_once_is_given_up_too() {
    let mut scene = scene(std::iter::repeat_n(Cut::AfterSegments(0), 100));
    let given_up = scene.print().await.unwrap_err();
    assert!(matches!(given_up, DeviceError::Unreachable { .. }), "{given_up}");
    assert_eq!(scene.vault.desk().fetches.len(), ATTEMPTS as usize);
}

#[tokio::test(start_paused = true)]
async fn a_job_pressed_anew_after_the_vault_crashed_is_fetched_from_its_first_segment() {
    let mut scene = scene([Cut::AfterSegments(12)]);
    let mut nouns = scene.pressed.nouns.clone();
    nouns.header.created = NOW.plus(Millis(1));
    let anew = press(nouns, &scene.vault.desk().world, &scene.device);
    scene.vault.desk().pressed_anew = Some(anew.clone());
    scene.pressed = anew;
    let report = scene.print().await.unwrap();
    assert_printed_once(&scene, &report);
    assert_eq!(scene.vault.desk().fetches.last(), Some(&0));
}

#[tokio::test(start_paused = true)]
async fn another_jobs_envelope_under_the_running_jobs_name_is_let_go_by() {
    let mut scene = scene([Cut::AfterSegments(12)]);
    let other = press(Nouns::of(&scene.device, 6), &scene.vault.desk().world, &scene.device);
    // The messages bear the first job's name; statements and segments are the other's.
    let renamed = Pressed { nouns: scene.pressed.nouns.clone(), ..other.clone() };
    {
        let mut desk = scene.vault.desk();
        (desk.pressed_anew, desk.pours) = (Some(renamed), true);
    }
    let report = scene.print().await.unwrap();
    assert!(report.record.is_none(), "the other job's envelope moved the machine");
    assert_eq!(report.job, scene.pressed.nouns.hold.job);
    assert!(matches!(report.failure, Some(Failure::Refused(_))), "{:?}", report.failure);
    assert!(!scene.device.journal.memory().is_spent(other.nouns.hold.job));
}

#[tokio::test(start_paused = true)]
async fn a_frame_whose_epoch_rots_after_the_check_stops_the_machine_at_once() {
    let mut scene = scene([]);
    let segments = scene.pressed.recorded.segments.iter();
    let before: usize = segments.clone().take(20).map(Vec::len).sum();
    let (path, channel) = (scene.spool().join("segments"), scene.vault.channel());
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Checked(_) = notice {
            let mut stored = std::fs::read(&path).unwrap();
            stored[before + 8] ^= 1;
            std::fs::write(&path, stored).unwrap();
        }
    };
    let begun = tokio::time::Instant::now();
    let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
    let report = served.unwrap().expect("one job was served");
    assert!(matches!(report.failure, Some(Failure::Sealed(_))), "{:?}", report.failure);
    assert!(begun.elapsed() < std::time::Duration::from_secs(300), "the machine was kept hot");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_does_not_come_cools_the_machine_down_and_fails_the_job() {
    let mut scene = scene([]);
    scene.vault.desk().withholds_keys = Withholds::FromEpoch(2);
    let report = scene.print().await.unwrap();
    assert!(matches!(report.failure, Some(Failure::NoKey { epoch: 2 })), "{:?}", report.failure);
    assert_eq!((report.outcome, report.extent.layers), (Outcome::Failed, 4));
    let tail = executed(&report);
    assert!(tail.contains(&"M104 S0".to_owned()), "the heaters are off: {tail:?}");
}

#[tokio::test(start_paused = true)]
async fn a_job_the_vault_ends_before_motion_is_over_without_an_entry() {
    let mut scene = scene([]);
    scene.vault.desk().withholds_keys = Withholds::WithJobEnded;
    let report = scene.print().await.unwrap();
    assert!(matches!(report.failure, Some(Failure::Withdrawn(_))));
    assert!(report.entry.is_none() && report.record.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_job_the_vault_ends_in_motion_stops_the_machine() {
    let mut scene = scene([]);
    let desk = scene.vault.clone();
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Progress { layers: 2, .. } = notice {
            desk.desk().withholds_keys = Withholds::WithJobEnded;
        }
    };
    let channel = scene.vault.channel();
    let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob).await;
    let report = served.unwrap().expect("one job was served");
    assert!(matches!(report.failure, Some(Failure::Withdrawn(_))), "{:?}", report.failure);
    assert!(report.outcome == Outcome::Failed && (2..7).contains(&report.extent.layers), "{report:?}");
    assert!(executed(&report).contains(&"M104 S0".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_went_back_halts_the_device() {
    let mut scene = scene([]);
    scene.print().await.unwrap();
    let second = press(Nouns::of(&scene.device, 6), &scene.vault.desk().world, &scene.device);
    scene.vault.desk().jobs = vec![second];
    scene.vault.desk().leaves = 1;
    let refused = scene.print().await.unwrap_err();
    assert!(matches!(refused, DeviceError::Ledger(ledger::LedgerError::WentBack { offered: 3, seen: 5 })));
}

#[tokio::test(start_paused = true)]
async fn two_jobs_are_printed_one_after_the_other_until_it_is_stopped() {
    let mut scene = scene([]);
    let second = press(Nouns::of(&scene.device, 6), &scene.vault.desk().world, &scene.device);
    scene.vault.desk().jobs.push(second);
    let (stop, stopped) = oneshot::channel::<()>();
    let (mut stop, over) = (Some(stop), Mutex::new(0));
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Over(_) = notice {
            *over.lock().unwrap() += 1;
            // Each settlement needs a larger log than the one before.
            scene.vault.desk().leaves += 2;
            if *over.lock().unwrap() == 2 {
                stop.take().map(|stop| stop.send(()));
            }
        }
    };
    let until = Until::Stopped(Box::pin(async { drop(stopped.await) }));
    let channel = scene.vault.channel();
    scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, until).await.unwrap();
    assert_eq!(*over.lock().unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_print_stopped_by_its_person_is_reported_as_cancelled_and_leaves_the_machine_cold() {
    let mut scene = scene([]);
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Progress { layers: 3.., .. } = notice {
            stop.take().map(|stop| stop.send(()));
        }
    };
    let until = Until::Stopped(Box::pin(async { drop(stopped.await) }));
    let channel = scene.vault.channel();
    scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, until).await.unwrap();
    let ended = scene.device.journal.memory().active().and_then(|active| active.ended.clone());
    let ended = ended.expect("the final receipt is owed");
    assert_eq!(ended.outcome, Outcome::Cancelled);
    assert!((3..7).contains(&ended.extent.layers), "{:?}", ended.extent);
    // The next start sends it and finds it settled.
    let mut scene = scene.reopen();
    let report = scene.print().await.unwrap();
    assert_eq!((report.outcome, report.extent), (Outcome::Cancelled, ended.extent));
    assert!(report.entry.is_some());
}

/// A machine whose device loses power once so many layers are attested.
struct Docked(Mutex<Vec<Record>>);

#[async_trait]
impl Berth for Docked {
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError> {
        let (printer, _) = MarlinPrinter::simulated(Bench::instant(machine)).await?;
        self.0.lock().unwrap().push(Record::default());
        Ok(Box::new(printer))
    }
}

#[tokio::test(start_paused = true)]
async fn power_cut_in_mid_print_fails_at_the_last_attested_layer_and_never_prints_again() {
    for layers in 1..7 {
        let mut scene = scene([]);
        let berth = Docked(Mutex::new(Vec::new()));
        let (cut, power) = oneshot::channel::<()>();
        let mut cut = Some(cut);
        let mut watch = |notice: Notice<'_>| {
            if matches!(notice, Notice::Progress { layers: n, .. } if n >= layers) {
                cut.take().map(|cut| cut.send(()));
            }
        };
        // Dropping the future is the power cut: nothing after it runs, not even the safe state.
        let channel = scene.vault.channel();
        let serving = Shift::serve(&mut scene.device, channel, &berth, &mut watch, Until::OneJob);
        tokio::select! {
            biased;
            _ = power => {}
            served = serving => panic!("served in spite of the cut: {served:?}"),
        }
        let recorded = scene.device.journal.memory().active().map(|active| active.extent);
        let mut scene = scene.reopen();
        let report = scene.print().await.unwrap();
        assert!(matches!(report.failure, Some(Failure::WentDown)), "{:?}", report.failure);
        assert_eq!((report.outcome, Some(report.extent)), (Outcome::Failed, recorded));
        assert!(report.extent.layers >= layers);
        assert!(report.record.is_none(), "no machine moved after the cut");
        let numbers: Vec<_> = scene.vault.desk().receipts().iter().map(|receipt| receipt.sequence).collect();
        let passed_over = numbers.last().unwrap() - numbers[numbers.len() - 2];
        assert!(
            passed_over > receipt::PASSED_OVER,
            "its disk may have lost what it had confirmed: {numbers:?}"
        );
        assert_eq!(berth.0.lock().unwrap().len(), 1, "the machine was docked once");
    }
}

/// A machine that stays where it is when its device goes down; counts how often it is turned off for that.
struct Left(AtomicU64);

#[async_trait]
impl Berth for Left {
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError> {
        Ok(Box::new(MarlinPrinter::simulated(Bench::instant(machine)).await?.0))
    }

    async fn cool(&self, _: &Machine) -> Result<(), PrinterError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_left_in_mid_print_is_turned_off_when_its_device_is_back_and_one_left_at_rest_is_let_be() {
    for (layers, is_turned_off) in [(1, true), (7, false)] {
        let mut scene = scene([]);
        let berth = Left(AtomicU64::new(0));
        let (cut, power) = oneshot::channel::<()>();
        let mut cut = Some(cut);
        let mut watch = |notice: Notice<'_>| {
            let is_there = match notice {
                Notice::Progress { layers: n, of } => n >= layers && n < of,
                Notice::Over(_) => true,
                _ => false,
            };
            if is_there {
                cut.take().map(|cut| cut.send(()));
            }
        };
        let channel = scene.vault.channel();
        let serving = Shift::serve(&mut scene.device, channel, &berth, &mut watch, Until::OneJob);
        tokio::select! {
            biased;
            _ = power => {}
            _ = serving => {}
        }
        let mut scene = scene.reopen();
        let channel = scene.vault.channel();
        let mut silent = |_: Notice<'_>| {};
        let until = Until::Stopped(Box::pin(tokio::time::sleep(Duration::from_secs(60))));
        Shift::serve(&mut scene.device, channel, &berth, &mut silent, until).await.unwrap();
        assert_eq!(berth.0.load(Ordering::SeqCst), u64::from(is_turned_off), "{layers}");
    }
}

#[tokio::test(start_paused = true)]
async fn power_cut_while_fetching_goes_on_at_the_first_missing_segment() {
    for stop_at in [1, 8, 20] {
        let mut scene = scene([]);
        let (cut, power) = oneshot::channel::<()>();
        let mut cut = Some(cut);
        let mut watch = |notice: Notice<'_>| {
            if matches!(notice, Notice::Segments { stored, .. } if stored == stop_at) {
                cut.take().map(|cut| cut.send(()));
            }
        };
        let channel = scene.vault.channel();
        let target = PrinterTarget::Simulated;
        let serving = scene.device.serve(channel, target, &mut watch, Until::OneJob);
        tokio::select! {
            biased;
            _ = power => {}
            served = serving => panic!("served in spite of the cut: {served:?}"),
        }
        let mut scene = scene.reopen();
        scene.vault.desk().fetches.clear();
        let report = scene.print().await.unwrap();
        assert_printed_once(&scene, &report);
        assert!(scene.vault.desk().fetches[0] >= stop_at, "{:?}", scene.vault.desk().fetches);
    }
}

#[tokio::test(start_paused = true)]
async fn a_spool_that_is_gone_fails_its_job_before_any_motion() {
    let mut scene = scene([Cut::AfterSegments(20)]);
    let (cut, power) = oneshot::channel::<()>();
    let mut cut = Some(cut);
    let mut watch = |notice: Notice<'_>| {
        if matches!(notice, Notice::LinkLost { .. }) {
            cut.take().map(|cut| cut.send(()));
        }
    };
    let channel = scene.vault.channel();
    let serving = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob);
    tokio::select! {
        biased;
        _ = power => {}
        served = serving => panic!("served in spite of the cut: {served:?}"),
    }
    std::fs::remove_dir_all(scene.spool()).unwrap();
    let mut scene = scene.reopen();
    let report = scene.print().await.unwrap();
    assert!(matches!(report.failure, Some(Failure::Spool(_))), "{:?}", report.failure);
    assert_eq!((report.outcome, report.extent), (Outcome::Failed, Extent::default()));
}

#[tokio::test(start_paused = true)]
async fn a_stored_segment_whose_frame_rotted_is_fetched_again() {
    let fetches = rot(3).await;
    assert_eq!(fetches, [1]);
}

#[tokio::test(start_paused = true)]
async fn an_envelope_whose_stored_ciphertext_rotted_is_fetched_anew_once() {
    let fetches = rot(30).await;
    assert_eq!(fetches, [20, 0]);
}

/// Flips a byte of the second stored segment while the device is down, prints, and gives where it fetched from.
async fn rot(at: usize) -> Vec<u32> {
    let mut scene = scene([Cut::AfterSegments(20)]);
    let (cut, power) = oneshot::channel::<()>();
    let mut cut = Some(cut);
    let mut watch = |notice: Notice<'_>| {
        if matches!(notice, Notice::LinkLost { .. }) {
            cut.take().map(|cut| cut.send(()));
        }
    };
    let channel = scene.vault.channel();
    let serving = scene.device.serve(channel, PrinterTarget::Simulated, &mut watch, Until::OneJob);
    tokio::select! {
        biased;
        _ = power => {}
        served = serving => panic!("served in spite of the cut: {served:?}"),
    }
    let path = scene.spool().join("segments");
    let mut stored = std::fs::read(&path).unwrap();
    let first = scene.pressed.recorded.segments[0].len();
    stored[first + at] ^= 1;
    std::fs::write(&path, stored).unwrap();
    let mut scene = scene.reopen();
    scene.vault.desk().fetches.clear();
    let report = scene.print().await.unwrap();
    assert_printed_once(&scene, &report);
    scene.vault.desk().fetches.clone()
}

/// A job under offline terms, whose keys have this number.
fn offline_scene(count: u64) -> Scene {
    let mut scene = scene([]);
    let mut nouns = Nouns::of(&scene.device, 5);
    nouns.license.terms.release = Release::Offline;
    nouns.offline = NonZeroU64::new(count).unwrap();
    scene.pressed = press(nouns, &scene.vault.desk().world, &scene.device);
    scene.vault.desk().jobs = vec![scene.pressed.clone()];
    scene
}

#[tokio::test(start_paused = true)]
async fn offline_keys_come_all_at_once_and_their_number_is_kept() {
    let mut scene = offline_scene(4);
    let report = scene.print().await.unwrap();
    assert_printed_once(&scene, &report);
    assert_eq!(scene.device.journal.memory().offline(), 4);
    assert_eq!(scene.reopen().device.journal.memory().offline(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_print_under_offline_terms_needs_no_key_once_it_has_begun() {
    let mut scene = offline_scene(1);
    let mut withhold = |notice: Notice<'_>| {
        if matches!(notice, Notice::Heating) {
            scene.vault.desk().withholds_keys = Withholds::FromEpoch(0);
        }
    };
    let channel = scene.vault.channel();
    let served = scene.device.serve(channel, PrinterTarget::Simulated, &mut withhold, Until::OneJob).await;
    let report = served.unwrap().expect("one job was served");
    assert_eq!(scene.vault.desk().withholds_keys, Withholds::FromEpoch(0), "it did heat");
    assert_printed_once(&scene, &report);
}

#[tokio::test(start_paused = true)]
async fn offline_keys_of_a_number_that_was_used_are_refused_before_any_motion() {
    for old in [4, 3] {
        let mut scene = offline_scene(old);
        scene.device.journal.record(Entry::Offline { count: 4 }).unwrap();
        let report = scene.print().await.unwrap();
        let refused = Failure::Refused(Refusal::OfflineUsed { count: old, used: 4 });
        assert_eq!(report.failure.map(|why| why.to_string()), Some(refused.to_string()));
        assert_eq!((report.outcome, report.extent.layers, report.extent.lines), (Outcome::Failed, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn keys_another_key_signed_are_refused_before_any_motion() {
    let mut scene = scene([]);
    {
        let mut desk = scene.vault.desk();
        let stranger = std::sync::Arc::new(World::new(2).licensor);
        for release in &mut desk.jobs[0].keys {
            let noun = KeyRelease::parse(release.payload()).unwrap();
            *release = Statement::sign(&noun, &stranger);
        }
    }
    let report = scene.print().await.unwrap();
    let failure = report.failure.expect("refused").to_string();
    assert!(failure.contains("key release"), "{failure}");
    assert_eq!((report.outcome, report.extent.layers, report.extent.lines), (Outcome::Failed, 0, 0));
}
