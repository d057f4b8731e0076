//! V5 and the table of failing operations: each operation of a whole script fails in turn, undone, half done and done.
//!
//! After every failure the store answers nothing more, opens again, holds what it acknowledged, goes on, and keeps
//! all that through a power cut right after. The script opens, writes across parts, compacts and writes again.

use super::sim::{Random, SimDisk, Trouble};
use super::{Claims, open, pair};
use crate::journal::Options;
use crate::{CommitError, StopCause, Store, StoreError};

/// Parts of a few commits. No compaction but the script's own: one that came by itself would write damage over.
const OPTIONS: Options =
    Options { part_bytes: 1_500, compact_after_bytes: u64::MAX, view_cache_bytes: 1 << 20 };

#[tokio::test]
async fn an_operation_that_fails_undone_costs_no_acknowledged_commit() {
    walk_the_table(Trouble::FailsUndone).await;
}

#[tokio::test]
async fn an_operation_that_fails_half_done_costs_no_acknowledged_commit() {
    walk_the_table(Trouble::FailsHalfDone).await;
}

#[tokio::test]
async fn an_operation_that_fails_but_was_done_costs_no_acknowledged_commit() {
    walk_the_table(Trouble::FailsDone).await;
}

async fn walk_the_table(trouble: Trouble) {
    let mut row = 0;
    'rows: loop {
        for more in [0, 1, 3] {
            if !fail_at(row, trouble, more).await {
                break 'rows;
            }
        }
        row += 1;
    }
    assert!(row > 40, "the script has only {row} operations");
}

/// Runs the script with its operation number `row` failing, and writes `more` after it; false if the script is shorter.
async fn fail_at(row: u64, trouble: Trouble, more: u64) -> bool {
    let context = format!("operation {row} {trouble:?}, {more} more");
    let dir = tempfile::tempdir().unwrap();
    let disk = SimDisk::new(dir.path());
    disk.order(row, trouble);
    let mut claims = Claims::of(1);
    run_script(&disk, dir.path(), &mut claims, &context).await;
    let met = disk.met_trouble();
    disk.restart_process();
    // The process starts again on the same machine, whose cache still holds what it pretends to have written.
    let (store, _) = open(&disk, dir.path(), OPTIONS).unwrap_or_else(|error| panic!("{context}: {error}"));
    claims.check(&store, &context).await;
    claims.write(&store, more).await;
    drop(store);
    disk.cycle_power_with(0, &mut Random(row));
    let (store, report) =
        open(&disk, dir.path(), OPTIONS).unwrap_or_else(|error| panic!("{context}, then a cut: {error}"));
    claims.check(&store, &format!("{context}, then a cut: {report}")).await;
    met
}

async fn run_script(disk: &SimDisk, dir: &std::path::Path, claims: &mut Claims, context: &str) {
    let Ok((store, _)) = open(disk, dir, OPTIONS) else { return };
    claims.write(&store, 8).await;
    let compacted = store.compact().await;
    claims.write(&store, 3).await;
    if disk.met_trouble() {
        assert!(
            matches!(store.commit(pair(0, 0)).await, Err(CommitError::Store(StoreError::Stopped { .. }))),
            "{context}"
        );
        assert!(
            matches!(store.load(&super::key(0, "left")).await, Err(StoreError::Stopped { .. })),
            "{context}"
        );
    } else {
        assert_eq!(compacted, Ok(()), "{context}");
    }
}

#[tokio::test]
async fn a_full_disk_is_named_and_nothing_unanswered_counts_as_stored() {
    let dir = tempfile::tempdir().unwrap();
    let disk = SimDisk::new(dir.path());
    let (store, _) = open(&disk, dir.path(), OPTIONS).unwrap();
    disk.order(0, Trouble::FailsHalfDone);
    let refusal = store.commit(pair(0, 1)).await.unwrap_err();
    let CommitError::Store(stopped @ StoreError::Stopped { cause: StopCause::DiskFull, .. }) = &refusal
    else {
        panic!("{refusal}");
    };
    assert_eq!(&store.load(&super::key(0, "left")).await.unwrap_err(), stopped, "reads say the same");
    let refusal = refusal.to_string();
    assert!(refusal.contains(&dir.path().display().to_string()), "{refusal}");
    assert!(refusal.contains("the disk is full"), "{refusal}");
    drop(store);
    disk.restart_process();
    let (store, report) = open(&disk, dir.path(), OPTIONS).unwrap();
    assert!(report.torn.is_some(), "half a frame was written and must be gone: {report}");
    assert_eq!(super::number(&store, 0, "left").await, 0);
}
