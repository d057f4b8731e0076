//! Any bytes as segments one after another: read within bounds; and however the right envelope's are changed, a
//! checker that ends well has seen those and no others, and what opens is what was sealed there.
#![no_main]

use layerlock_proto_fuzz::{ENVELOPE, TEXTS, bounded};
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

/// Buffered: all that is taken together with the manifest is the envelope, bit for bit.
fn check(segments: &[&[u8]]) {
    let mut checker = Checker::new(ENVELOPE.header.clone());
    let taken: Vec<&[u8]> =
        segments.iter().copied().filter(|segment| checker.segment(segment).is_ok()).collect();
    let Ok(checked) = checker.finish(&ENVELOPE.manifest) else { return };
    assert_eq!(taken, ENVELOPE.segments, "the manifest's check took other segments");
    let mut opener = Opener::new(&checked);
    ENVELOPE.secrets().into_iter().for_each(|secret| opener.add_epoch(secret).expect("the right secrets"));
    for (segment, (.., text)) in taken.iter().zip(TEXTS) {
        assert_eq!(opener.open(&mut segment.to_vec()).expect("a checked segment opens").1, text);
    }
}

/// Live: a segment that opens is the one sealed at its index.
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

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let segments = split(bytes);
    if !segments.is_empty() {
        check(&segments);
        live(&segments);
    }
});
