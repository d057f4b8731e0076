use layerlock_terms::ids::JobId;

use super::*;
use crate::Device;
use crate::testbed::{NOW, Nouns, Pressed, World, anchors, enrol, press};

struct Bench {
    world: World,
    pressed: Pressed,
    job: Job,
    _device: Device,
    _home: tempfile::TempDir,
}

fn bench() -> Bench {
    let home = tempfile::tempdir().unwrap();
    let world = World::new(1);
    let device = enrol(&world, home.path(), 1);
    let pressed = press(Nouns::of(&device, 5), &world, &device);
    let job = Job { id: pressed.nouns.hold.job, hold: pressed.nouns.hold.id, header: Digest([0; 32]) };
    Bench { world, pressed, job, _device: device, _home: home }
}

impl Bench {
    fn entry(&self) -> LedgerEntry {
        self.world.settle(&self.pressed.nouns, 3)
    }

    fn verify(&self, entry: &LedgerEntry, seen: Option<TreeHead>) -> Result<Entered, LedgerError> {
        verify(entry, self.job, &anchors(&self.world), seen, NOW)
    }
}

#[test]
fn an_entry_is_found_under_the_signed_head() {
    let bench = bench();
    let entered = bench.verify(&bench.entry(), None).unwrap();
    assert_eq!((entered.index, entered.head.size), (3, 5));
    assert_eq!(entered.settlement.job, bench.job.id);
}

#[test]
fn an_entry_about_another_job_is_refused() {
    let mut bench = bench();
    let entry = bench.entry();
    bench.job.id = JobId::from_bytes([0xaa; 16]);
    assert_eq!(bench.verify(&entry, None), Err(LedgerError::OtherJob));
}

#[test]
fn every_changed_part_of_an_entry_is_refused() {
    let bench = bench();
    let right = bench.entry();
    let moved = LedgerEntry { index: 2, ..right.clone() };
    assert_eq!(bench.verify(&moved, None), Err(LedgerError::NotIncluded));
    let mut blinding = right.clone();
    blinding.blinding[0] ^= 1;
    assert_eq!(bench.verify(&blinding, None), Err(LedgerError::NotIncluded));
    let mut path = right.clone();
    path.inclusion[0][0] ^= 1;
    assert_eq!(bench.verify(&path, None), Err(LedgerError::NotIncluded));
    let mut settlement = right.clone();
    let last = settlement.settlement.len() - 1;
    settlement.settlement[last] ^= 1;
    assert!(matches!(bench.verify(&settlement, None), Err(LedgerError::NotTrusted(_))));
    let long = LedgerEntry { inclusion: vec![vec![0; 32]; 65], ..right };
    assert_eq!(bench.verify(&long, None), Err(LedgerError::Malformed("inclusion proof")));
}

#[test]
fn a_head_signed_by_another_key_is_refused() {
    let bench = bench();
    let forged = World::new(2).settle(&bench.pressed.nouns, 3).checkpoint;
    let entry = LedgerEntry { checkpoint: forged, ..bench.entry() };
    assert_eq!(bench.verify(&entry, None), Err(LedgerError::Unsigned));
}

#[test]
fn a_smaller_head_or_another_root_of_the_same_size_is_refused() {
    let bench = bench();
    let entry = bench.entry();
    let head = bench.verify(&entry, None).unwrap().head;
    assert!(bench.verify(&entry, Some(head)).is_ok());
    let larger = TreeHead { size: 6, ..head };
    let forked = TreeHead { root: Digest([0; 32]), ..head };
    assert_eq!(bench.verify(&entry, Some(larger)), Err(LedgerError::WentBack { offered: 5, seen: 6 }));
    assert_eq!(bench.verify(&entry, Some(forked)), Err(LedgerError::WentBack { offered: 5, seen: 5 }));
}
