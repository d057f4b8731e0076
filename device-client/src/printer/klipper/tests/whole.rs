//! Whole prints through the real session: sealed, checked, opened and sent to the double.

use layerlock_terms::machine::Machine;
use layerlock_terms::receipt::Outcome;
use tokio::sync::oneshot;

use super::*;
use crate::hand::{Declined, Wish};
use crate::printer::klipper::double::Moved;
use crate::serve::{Berth, Shift};
use crate::testbed::vault::{FakeVault, one_job};
use crate::testbed::{Pressed, commands};
use crate::{Device, Notice, PrintReport, Until};

struct Scene {
    home: tempfile::TempDir,
    device: Device,
    vault: FakeVault,
    pressed: Pressed,
    berth: Plugged,
}

/// A double in memory, whose link costs no time: sockets would let paused time run on.
struct Plugged(Double, Tongue);

#[async_trait]
impl Berth for Plugged {
    async fn dock(&self, _: &Machine) -> Result<Box<dyn Printer>, PrinterError> {
        Ok(Box::new(ready(&self.0, self.1).await))
    }
}

fn scene(double: Double, tongue: Tongue) -> Scene {
    let home = tempfile::tempdir().unwrap();
    let (device, desk, pressed) = one_job(home.path());
    Scene { home, device, vault: FakeVault::new(desk), pressed, berth: Plugged(double, tongue) }
}

impl Scene {
    async fn serve(
        &mut self,
        watch: &mut (dyn FnMut(Notice<'_>) + Send),
        until: Until,
    ) -> Option<PrintReport> {
        let channel = self.vault.channel();
        Shift::serve(&mut self.device, channel, &self.berth, watch, until).await.unwrap()
    }

    async fn print(&mut self, watch: &mut (dyn FnMut(Notice<'_>) + Send)) -> PrintReport {
        self.serve(watch, Until::OneJob).await.expect("one job was served")
    }
}

/// Where each move of these lines ends, in 10⁻⁵ mm, and all the filament they feed.
fn ends<'a>(lines: impl Iterator<Item = &'a str>) -> (Vec<[i64; 3]>, i64) {
    let (mut at, mut fed, mut relative, mut ends) = ([0; 3], 0, false, Vec::new());
    for line in lines {
        match &line[..3] {
            "G90" => relative = false,
            "G91" => relative = true,
            "G28" => at = [0; 3],
            "G0 " | "G1 " => {
                for word in line[3..].split(' ') {
                    let value = (word[1..].parse::<f64>().unwrap() * 1e5).round() as i64;
                    match word.as_bytes()[0] {
                        b'E' => fed += value,
                        b'F' => {}
                        letter => {
                            let axis = usize::from(letter - b'X');
                            at[axis] = if relative { at[axis] + value } else { value };
                        }
                    }
                }
                ends.push(at);
            }
            _ => {}
        }
    }
    (ends, fed)
}

/// Every file under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn holds(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(start_paused = true)]
async fn a_sealed_job_is_printed_on_klipper_whole_once_and_in_order() {
    for tongue in BOTH {
        let mut scene = scene(Double::new().with_macro("G29"), tongue);
        let report = scene.print(&mut |_| {}).await;
        assert!(report.failure.is_none(), "{:?}", report.failure);
        assert_eq!(report.outcome, Outcome::Printed);
        assert_eq!((report.extent.layers, report.extent.total_layers), (7, 7));
        let job = commands(&scene.pressed.pieces);
        assert_eq!(report.extent.lines, job.len() as u64);
        let (wanted, wanted_fed) = ends(job.iter().map(String::as_str));
        scene.berth.0.see(|seen| {
            let (made, fed) = ends(seen.lines.iter().map(String::as_str));
            assert_eq!(fed, wanted_fed);
            let mut left = made.iter();
            for end in &wanted {
                assert!(left.any(|at| at == end), "{end:?} is reached, after those before it");
            }
            assert_eq!(left.next(), None, "nothing follows");
            assert_eq!((seen.targets, seen.most_scripts), ([0.0; 2], 1));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn k7_no_file_of_the_device_holds_plaintext_at_any_time_of_a_print() {
    let mut scene = scene(Double::new().with_macro("G29"), Tongue::Klipper);
    let pieces: Vec<Vec<u8>> = scene.pressed.pieces.iter().map(|piece| piece.emit()).collect();
    let lines: Vec<String> =
        commands(&scene.pressed.pieces).into_iter().filter(|line| line.len() > 12).collect();
    assert!(lines.len() > 20, "there is something to look for");
    let home = scene.home.path().to_owned();
    let (mut looked, mut sealed) = (0, 0);
    let mut watch = |notice: Notice<'_>| {
        let (Notice::Layer(_) | Notice::Progress { .. } | Notice::Checked(_)) = notice else { return };
        looked += 1;
        for file in files(&home) {
            let Ok(bytes) = std::fs::read(&file) else { continue };
            sealed += usize::from(file.ends_with("segments"));
            for line in &lines {
                assert!(!holds(&bytes, line.as_bytes()), "{} holds {line}", file.display());
            }
            for piece in &pieces {
                assert!(!holds(&bytes, &piece[..piece.len().min(48)]), "{} holds a piece", file.display());
            }
        }
    };
    let report = scene.print(&mut watch).await;
    assert_eq!(report.outcome, Outcome::Printed);
    assert!(looked >= 14 && sealed >= 7, "{looked} looks, {sealed} at the spool");
}

#[tokio::test(start_paused = true)]
async fn k10_whoever_stops_the_device_has_a_cancelled_job_and_a_cold_machine_at_rest() {
    for tongue in BOTH {
        let mut scene = scene(Double::new().with_macro("G29"), tongue);
        let (stop, stopped) = oneshot::channel::<()>();
        let (mut stop, mut asked) = (Some(stop), None);
        let mut watch = |notice: Notice<'_>| {
            if matches!(notice, Notice::Progress { layers: 3.., .. }) {
                asked = asked.or(Some(Instant::now()));
                stop.take().map(|stop| stop.send(()));
            }
        };
        let until = Until::Stopped(Box::pin(async { drop(stopped.await) }));
        scene.serve(&mut watch, until).await;
        let ended = scene.device.journal.memory().active().and_then(|active| active.ended.clone());
        let ended = ended.expect("the final receipt is owed");
        assert_eq!(ended.outcome, Outcome::Cancelled);
        assert!((3..7).contains(&ended.extent.layers), "{:?}", ended.extent);
        let asked = asked.unwrap();
        scene.berth.0.see(|seen| {
            let of_the_job = |moved: &&Moved| is_of_the_job(&moved.line);
            let rest = seen.moves.iter().filter(of_the_job).map(|moved| moved.until).max().unwrap();
            assert!(rest <= asked + REST, "{:?}", rest - asked);
            assert_eq!((seen.targets, seen.emergency), ([0.0; 2], None));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn k14_a_shutdown_in_mid_print_fails_the_job_with_klippers_reason() {
    let fault = Fault::ShutsDown("MCU 'mcu' shutdown: ADC out of range");
    let mut scene = scene(Double::new().with_macro("G29").failing(60, fault), Tongue::Klipper);
    let report = scene.print(&mut |_| {}).await;
    assert_eq!(report.outcome, Outcome::Failed);
    let failure = report.failure.unwrap().to_string();
    assert!(failure.contains("check the thermistor") && failure.contains("ADC out of range"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn k15_what_a_person_paused_in_klipper_goes_on_there_and_not_by_our_resume() {
    let mut scene = scene(Double::new().with_macro("G29"), Tongue::Klipper);
    let (hand, double, mut is_asked) = (scene.device.hand(), scene.berth.0.clone(), false);
    let mut watch = |notice: Notice<'_>| match notice {
        Notice::Progress { layers: 3.., .. } if !std::mem::replace(&mut is_asked, true) => {
            let double = double.clone();
            tokio::spawn(async move { double.person("PAUSE").await });
        }
        Notice::Paused => {
            let (hand, double) = (hand.clone(), double.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(100)).await;
                assert_eq!(hand.ask(Wish::Resume).await, Err(Declined::Parked));
                double.person("RESUME").await;
            });
        }
        _ => {}
    };
    let report = scene.print(&mut watch).await;
    assert_eq!((report.outcome, report.extent.layers), (Outcome::Printed, 7), "{:?}", report.failure);
    scene.berth.0.see(|seen| {
        let at = |line: &str| seen.lines.iter().position(|said| said == line).expect("a person said it");
        // The script under way had left already: 100 ms of motion, at most.
        let between = &seen.lines[at("PAUSE") + 1..at("RESUME")];
        assert!(between.len() < 8, "nothing more of ours: {between:?}");
    });
}

#[tokio::test(start_paused = true)]
async fn our_own_pause_takes_klippers_head_aside_and_back() {
    let mut scene = scene(Double::new().with_macro("G29"), Tongue::Klipper);
    let (hand, mut is_asked) = (scene.device.hand(), false);
    let mut watch = |notice: Notice<'_>| match notice {
        Notice::Progress { layers: 3.., .. } if !std::mem::replace(&mut is_asked, true) => {
            let hand = hand.clone();
            tokio::spawn(async move { hand.ask(Wish::Pause).await });
        }
        Notice::Paused => {
            let hand = hand.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(100)).await;
                hand.ask(Wish::Resume).await
            });
        }
        _ => {}
    };
    let report = scene.print(&mut watch).await;
    let own = commands(&scene.pressed.pieces);
    assert_eq!(
        (report.outcome, report.extent.lines),
        (Outcome::Printed, own.len() as u64),
        "{:?}",
        report.failure
    );
    scene.berth.0.see(|seen| {
        let (led, fed) = ends(seen.lines.iter().map(String::as_str));
        let (wanted, wanted_fed) = ends(own.iter().map(String::as_str));
        assert_eq!((led.last(), fed), (wanted.last(), wanted_fed), "what was pulled back was fed again");
        assert!(led.iter().any(|at| at[..2] == [10 * 100_000, 210 * 100_000]), "it waited in its corner");
    });
}
