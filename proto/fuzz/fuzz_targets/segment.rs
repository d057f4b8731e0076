//! Any bytes as segments one after another: read within bounds; and however the right envelope's are changed, a
//! checker that ends well has seen those and no others, and what opens is what was sealed there.
#![no_main]

use layerlock_proto_fuzz::{CHECKED, ENVELOPE, TEXTS, bounded};
use layerlock_seal::toolpath::{Checker, Live, OVERHEAD, Opener, Segment};

const LIMIT: u32 = 64;

/// The segments that `bytes` begin with, as they are split on the wire.
fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut segments = Vec::new();
    while let Ok((segment, rest)) = bounded(bytes.len(), || Segment::split_first(bytes, LIMIT)) {
        let (whole, _) = bytes.split_at(bytes.len() - rest.len());
        assert!((1..=LIMIT).contains(&segment.info().length));
        assert_eq!(whole.len(), segment.info().length as usize + OVERHEAD);
        assert_eq!(Segment::parse(whole, LIMIT).expect("it was just split").info(), segment.info());
        segments.push(whole);
        bytes = rest;
    }
    segments
}

/// Checked: all that is taken together with the manifest is the envelope, bit for bit.
fn check(segments: &[&[u8]]) {
    let mut checker = Checker::new(ENVELOPE.header.clone());
    let taken: Vec<&[u8]> =
        segments.iter().copied().filter(|segment| checker.segment(segment).is_ok()).collect();
    if checker.finish(&ENVELOPE.manifest).is_ok() {
        assert_eq!(taken, ENVELOPE.segments, "the manifest's check took other segments");
    }
}

/// Live: checked and opened as they come; a segment that opens is the one sealed at its index.
fn live(segments: &[&[u8]]) {
    let mut live = Live::new(ENVELOPE.header.clone());
    ENVELOPE.secrets().into_iter().for_each(|secret| live.add_epoch(secret).expect("the right secrets"));
    let mut opened = 0;
    for segment in segments {
        let mut bytes = segment.to_vec();
        let Ok((info, text)) = live.open(&mut bytes) else { continue };
        let index = info.index as usize;
        assert_eq!((index, *segment, text), (opened, &ENVELOPE.segments[index][..], TEXTS[index].2));
        opened += 1;
    }
    assert_eq!(live.finish(&ENVELOPE.manifest).is_ok(), opened == TEXTS.len());
}

/// Stored: opened from a disk that gives back others than were checked. Whoever has an epoch's secret can seal
/// another segment (some vectors are such); it opens at its own index, once and in order, or not at all.
fn stored(segments: &[&[u8]]) {
    let mut opener = Opener::new(&CHECKED);
    ENVELOPE.secrets().into_iter().for_each(|secret| opener.add_epoch(secret).expect("the right secrets"));
    let mut opened = 0;
    for segment in segments {
        if let Ok((info, text)) = opener.open(&mut segment.to_vec()) {
            assert_eq!((info.index, text.len()), (opened, info.length as usize));
            opened += 1;
        }
    }
}

/// One input in sixteen, the same ones every time: to unwrap the secrets takes as long as a hundred checks.
fn opens(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)).is_multiple_of(16)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let segments = split(bytes);
    check(&segments);
    if opens(bytes) || segments == ENVELOPE.segments {
        live(&segments);
        stored(&segments);
    }
});
