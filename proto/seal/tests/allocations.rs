//! Sealing, checking and opening take their memory at the beginning: not one allocation per segment after it.
//! (An epoch's key is one small allocation when the epoch begins.)

mod support;

use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{Checker, Ends, Live, Opener, Sealer};
use layerlock_terms::envelope::{EnvelopeHeader, Manifest, SEGMENT_LIMIT};
use layerlock_terms::release::{Grounds, KeyRelease};
use layerlock_terms::wire::Noun;
use support::{Repeatable, device, header, signer, summary};

const SEGMENTS: usize = 300;

fn verified<T: Noun>(statement: &Statement) -> Verified<T> {
    statement.verify(&signer().verifying_key()).expect("signed by the vault")
}

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

#[test]
fn segments_are_sealed_checked_and_opened_without_an_allocation_each() {
    let header = EnvelopeHeader { segment_limit: SEGMENT_LIMIT, ..header() };
    let mut sealer = Sealer::new(header, signer(), &mut Repeatable::new("job"));
    let text = vec![7; SEGMENT_LIMIT as usize];
    let mut segments: Vec<Vec<u8>> = vec![Vec::new(); SEGMENTS];
    segments.iter_mut().for_each(|segment| segment.reserve(text.len() + 64));
    let sealing = allocations(|| {
        for (index, segment) in segments.iter_mut().enumerate() {
            let ends = if index + 1 == SEGMENTS { Ends::Toolpath } else { Ends::Piece };
            sealer.seal(0, ends, &text, segment).expect("in order");
        }
    });
    assert_eq!(sealing, 0, "sealing");

    let (hash, to) = (sealer.header_hash(), device().wrapping_key());
    let rng = &mut Repeatable::new("wrap");
    let release = sealer.job_secret().release(&hash, Grounds::Receipts, 0..=0, &to, rng);
    let release: Verified<KeyRelease> = verified(&Statement::sign(&release, &signer()));
    let header: Verified<EnvelopeHeader> = verified(sealer.header());
    let manifest: Verified<Manifest> = verified(&sealer.finish(summary()).expect("ended"));
    let secret = || device().open_epoch(&release, &header, 0).expect("released");

    let mut checker = Checker::new(header.clone());
    let checking = allocations(|| {
        segments.iter().for_each(|segment| assert!(checker.segment(segment).is_ok()));
    });
    assert_eq!(checking, 0, "checking");

    let mut opener = Opener::new(&checker.finish(&manifest).expect("whole"));
    opener.add_epoch(secret()).expect("committed");
    let mut live = Live::new(header.clone());
    live.add_epoch(secret()).expect("the first");
    let mut copies = segments.clone();
    let opening = allocations(|| {
        segments.iter_mut().for_each(|segment| assert!(opener.open(segment).is_ok()));
        copies.iter_mut().for_each(|segment| assert!(live.open(segment).is_ok()));
    });
    assert_eq!(opening, 0, "opening");
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(7)))), 1);
}
