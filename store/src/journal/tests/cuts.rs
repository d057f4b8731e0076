//! L3: the power goes at a random operation, many times over, also during recovery and compaction; and now and then
//! only the process dies, so that the next one finds a cache full of bytes the disk never got.
//!
//! The seed is printed with every failure; threads still race, so a seed brings back the cut's luck but not always
//! the same operation.

use std::path::Path;

use super::sim::{Random, SimDisk, Trouble};
use super::{Claims, open};
use crate::journal::Options;
use crate::journal::report::{ViewFault, ViewOutcome};

const SEEDS: u64 = 80;
const LIVES: u64 = 5;

/// So small that a few dozen commits rotate and compact several times.
const OPTIONS: Options = Options { part_bytes: 1_500, compact_after_bytes: 8_000, view_cache_bytes: 1 << 20 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_power_cut_loses_an_acknowledged_commit_or_leaves_half_of_one() {
    let (mut cuts, mut cuts_in_recovery) = (0, 0);
    for seed in 0..SEEDS {
        let dir = tempfile::tempdir().unwrap();
        let disk = SimDisk::new(dir.path());
        let mut random = Random(seed);
        let mut claims = Claims::of(1 + random.below(6) as usize);
        for life in 0..LIVES {
            let context = format!("seed {seed}, life {life}");
            live(&disk, dir.path(), &mut claims, &mut random).await;
            if random.below(4) == 0 {
                disk.restart_process();
            } else {
                disk.cycle_power(&mut random);
                cuts += 1;
                cuts_in_recovery += cut_recoveries(&disk, dir.path(), &mut random);
                disturb_view(dir.path(), &mut random);
            }
            let (store, report) =
                open(&disk, dir.path(), OPTIONS).unwrap_or_else(|error| panic!("{context}: {error}"));
            claims.check(&store, &format!("{context}: {report}")).await;
            // A view published too far would have been refused as `CommitsLost` above.
            assert!(
                !matches!(report.view, ViewOutcome::Rebuilt { why: ViewFault::Diverged { .. }, .. }),
                "{context}: something was published that wasn't durable: {report}"
            );
        }
    }
    assert!(cuts >= 200 && cuts_in_recovery >= 50, "only {cuts} cuts and {cuts_in_recovery} in recovery");
}

/// Opens the store and writes until the power goes, which may be before it has opened.
async fn live(disk: &SimDisk, dir: &Path, claims: &mut Claims, random: &mut Random) {
    disk.order(random.below(120), Trouble::PowerCut);
    if let Ok((store, _)) = open(disk, dir, OPTIONS) {
        claims.write(&store, 60).await;
    }
}

/// Up to two openings that the power cuts short; says how many it did.
fn cut_recoveries(disk: &SimDisk, dir: &Path, random: &mut Random) -> u64 {
    let mut cuts = 0;
    for _ in 0..random.below(3) {
        disk.order(random.below(5), Trouble::PowerCut);
        if open(disk, dir, OPTIONS).is_err() {
            cuts += 1;
        }
        disk.cycle_power(random);
    }
    cuts
}

/// What a power cut may do to the view, which is never synced on the way: it's gone, or its past is back.
fn disturb_view(dir: &Path, random: &mut Random) {
    let (view, past) = (dir.join("view"), dir.join("past"));
    match random.below(4) {
        0 if view.exists() => std::fs::remove_dir_all(&view).unwrap(),
        1 if view.exists() && past.exists() => {
            std::fs::remove_dir_all(&view).unwrap();
            std::fs::rename(&past, &view).unwrap();
        }
        2 if view.exists() && !past.exists() => copy_dir(&view, &past),
        _ => {}
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_dir(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
