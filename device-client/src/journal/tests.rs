use layerlock_seal::keys::SigningKey;
use layerlock_seal::statement::Statement;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{DeviceId, HoldId, JobId};
use layerlock_terms::receipt::{Event, Extent, Outcome, Receipt};
use layerlock_terms::units::Timestamp;

use super::*;

fn job(n: u8) -> JobId {
    JobId::from_bytes([n; 16])
}

fn accepted(n: u8) -> Entry {
    Entry::Accepted { job: job(n), hold: HoldId::from_bytes([n; 16]), header: Digest([n; 32]) }
}

fn receipt(n: u8, sequence: u32, event: Event) -> Entry {
    let (device, hold) = (DeviceId::from_bytes([1; 16]), HoldId::from_bytes([n; 16]));
    let receipt = Receipt { device, job: job(n), hold, sequence, at: Timestamp(9), event };
    Entry::Attested(Statement::sign(&receipt, &SigningKey::from_seed(&[1; 32])))
}

fn extent(layers: u32) -> Extent {
    Extent { layers, total_layers: 2, lines: layers.into(), filament_um: 0 }
}

/// A whole job and the beginning of the next: every kind of entry there is.
fn life() -> Vec<Entry> {
    vec![
        Entry::Session { counter: 1 },
        Entry::Time(Timestamp(100)),
        Entry::Offline { count: 3 },
        accepted(1),
        receipt(1, 0, Event::Checked(Digest([7; 32]))),
        Entry::Moving(job(1)),
        receipt(1, 1, Event::Progress(extent(1))),
        receipt(1, 2, Event::Progress(extent(2))),
        receipt(1, 3, Event::Ended(Outcome::Printed, extent(2))),
        Entry::Head(TreeHead { size: 5, root: Digest([5; 32]) }),
        Entry::Closed(job(1)),
        Entry::Spent(job(9)),
        accepted(2),
    ]
}

fn write(path: &Path, entries: Vec<Entry>) -> Journal {
    let mut journal = Journal::open(path).unwrap();
    entries.into_iter().for_each(|entry| journal.record(entry).unwrap());
    journal
}

/// The memories after none, one, two … entries, and the file's length after each.
fn prefixes() -> Vec<(u64, Memory)> {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(&dir.path().join("journal")).unwrap();
    let mut prefixes = vec![(journal.length, journal.memory().clone())];
    for entry in life() {
        journal.record(entry).unwrap();
        prefixes.push((journal.length, journal.memory().clone()));
    }
    prefixes
}

#[test]
fn a_journal_cut_at_any_byte_remembers_exactly_the_entries_that_were_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(write(&path, life()));
    let whole = std::fs::read(&path).unwrap();
    let prefixes = prefixes();
    for cut in 0..=whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let journal = Journal::open(&path).unwrap();
        let expected = prefixes.iter().rev().find(|(length, _)| *length <= cut as u64);
        let expected = expected.map_or(&prefixes[0].1, |(_, memory)| memory);
        assert_eq!(journal.memory(), expected, "cut at {cut}");
    }
}

#[test]
fn a_journal_goes_on_after_a_torn_entry() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(write(&path, life()));
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
    Journal::open(&path).unwrap().record(accepted(2)).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), whole);
}

#[test]
fn any_changed_byte_before_the_last_entry_stops_the_device() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(write(&path, life()));
    let whole = std::fs::read(&path).unwrap();
    let last = prefixes()[life().len() - 1].0 as usize;
    for at in 0..last {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        std::fs::write(&path, changed).unwrap();
        let opened = Journal::open(&path);
        assert!(matches!(opened, Err(JournalError::Damaged { .. })), "byte {at}: {opened:?}");
    }
}

#[test]
fn a_job_is_spent_for_ever_and_a_second_one_waits_for_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut journal = write(&path, life());
    for (entry, why) in [
        (accepted(3), Contradiction::SecondJob(job(3))),
        (Entry::Session { counter: 1 }, Contradiction::GoesBack("counter")),
        (Entry::Time(Timestamp(99)), Contradiction::GoesBack("time")),
        (Entry::Offline { count: 3 }, Contradiction::GoesBack("number of an offline print")),
        (Entry::Head(TreeHead { size: 4, root: Digest([0; 32]) }), Contradiction::GoesBack("ledger head")),
        (Entry::Closed(job(1)), Contradiction::NotRunning),
    ] {
        let refused = journal.record(entry);
        assert!(matches!(refused, Err(JournalError::Contradiction { source, .. }) if source == why), "{why}");
    }
    journal.record(receipt(2, 64, Event::Progress(extent(1)))).unwrap(); // Numbers may be passed over.
    for used in [0, 63, 64] {
        let refused = journal.record(receipt(2, used, Event::Progress(extent(2))));
        let why = Contradiction::Receipt;
        assert!(
            matches!(refused, Err(JournalError::Contradiction { source, .. }) if source == why),
            "{used}"
        );
    }
    journal.record(Entry::Closed(job(2))).unwrap();
    for n in [1, 2, 9] {
        let refused = journal.record(accepted(n));
        let spent = Contradiction::Spent(job(n));
        assert!(matches!(refused, Err(JournalError::Contradiction { source, .. }) if source == spent), "{n}");
    }
    drop(journal);
    assert!([1, 2, 9].iter().all(|n| Journal::open(&path).unwrap().memory().is_spent(job(*n))));
}

#[test]
fn a_job_pressed_anew_takes_the_place_of_the_first_until_something_is_said_about_it() {
    let anew = Entry::Accepted { job: job(2), hold: HoldId::from_bytes([2; 16]), header: Digest([0xaa; 32]) };
    let dir = tempfile::tempdir().unwrap();
    let mut journal = write(&dir.path().join("journal"), life());
    journal.record(anew.clone()).unwrap();
    assert_eq!(journal.memory().active().unwrap().header, Digest([0xaa; 32]));
    journal.record(receipt(2, 0, Event::Checked(Digest([7; 32])))).unwrap();
    assert!(journal.record(anew).is_err());
}

#[test]
fn a_long_journal_is_written_anew_without_forgetting_what_matters() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut memory = Memory::default();
    let mut bytes = MAGIC.to_vec();
    let mut keep = |entry: Entry| {
        bytes.extend(frame(&entry.emit()));
        memory.apply(entry).unwrap();
    };
    life().into_iter().take(11).for_each(&mut keep);
    (2..20_000).for_each(|counter| keep(Entry::Session { counter }));
    std::fs::write(&path, &bytes).unwrap();
    assert!(bytes.len() > REWRITE_FROM);
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.memory(), &memory);
    assert!(std::fs::metadata(&path).unwrap().len() < 300);
    drop(journal);
    assert_eq!(Journal::open(&path).unwrap().memory(), &memory);
}

#[test]
fn a_write_that_fails_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut journal = write(&path, life());
    // A file opened for reading refuses every write, as a full disk does.
    journal.file = File::open(&path).unwrap();
    let before = journal.memory().clone();
    assert!(matches!(journal.record(Entry::Session { counter: 2 }), Err(JournalError::Io { .. })));
    assert_eq!(journal.memory(), &before);
}
