use proptest::prelude::*;

use super::coder::{Encoder, Slot};
use crate::toolpath::{Epilogue, Feature, Layer, Path, Piece, Point, Point3, Prologue, Rate, Step, Times};
use crate::units::{Celsius, Feed, Micrometres, Milligrams, Millis, MmPerMinute, MmPerSecond2, Percent};
use crate::wire::Malformed;

fn points() -> impl Strategy<Value = Point> {
    prop_oneof![
        8 => (-3000..400_000, -3000..400_000).prop_map(|(x, y)| Point { x, y }),
        1 => (any::<i32>(), any::<i32>()).prop_map(|(x, y)| Point { x, y }),
    ]
}

fn speeds() -> impl Strategy<Value = MmPerMinute> {
    prop_oneof![Just(1800), Just(9000), any::<u32>()].prop_map(MmPerMinute)
}

fn paths() -> impl Strategy<Value = Path> {
    let fed = proptest::collection::vec((points(), any::<i32>().prop_map(Feed)), 0..6);
    let climb = prop_oneof![9 => Just(None), 1 => any::<i32>().prop_map(|z| Some(Micrometres(z)))];
    (0_u8..12, 300..600, speeds(), climb, fed).prop_map(|(feature, width, speed, climb, points)| Path {
        feature: Feature::from_u8(feature).expect("below 12"),
        width: Micrometres(width),
        speed,
        climb,
        points,
    })
}

fn steps() -> impl Strategy<Value = Step> {
    let length = || any::<i32>().prop_map(Feed);
    prop_oneof![
        (proptest::collection::vec(points(), 0..4), speeds())
            .prop_map(|(to, speed)| Step::Travel { to, speed }),
        paths().prop_map(Step::Extrude),
        (length(), speeds()).prop_map(|(length, speed)| Step::Retract { length, speed }),
        (length(), speeds()).prop_map(|(length, speed)| Step::Prime { length, speed }),
        (any::<i32>(), speeds()).prop_map(|(z, speed)| Step::Lift { z: Micrometres(z), speed }),
        any::<u8>().prop_map(|share| Step::Fan(Percent(share))),
        any::<u16>().prop_map(|celsius| Step::Nozzle(Celsius(celsius))),
        any::<u16>().prop_map(|celsius| Step::Bed(Celsius(celsius))),
        (proptest::collection::vec(points(), 0..4), length(), speeds())
            .prop_map(|(to, length, speed)| Step::Wipe { to, length, speed }),
        (any::<u32>(), any::<u32>()).prop_map(|(printing, travelling)| Step::Acceleration {
            printing: MmPerSecond2(printing),
            travelling: MmPerSecond2(travelling),
        }),
    ]
}

pub(super) fn layers() -> impl Strategy<Value = Piece> {
    let steps = proptest::collection::vec(steps(), 0..20);
    (any::<u32>(), any::<i32>(), any::<i32>(), steps).prop_map(|(index, z, height, steps)| {
        Piece::Layer(Layer { index, z: Micrometres(z), height: Micrometres(height), steps })
    })
}

fn corners() -> impl Strategy<Value = Point3> {
    (any::<i32>(), any::<i32>(), any::<i32>()).prop_map(|(x, y, z)| Point3 { x, y, z })
}

fn times() -> impl Strategy<Value = Times> {
    proptest::collection::vec((0_u8..12, any::<u64>()), 0..4).prop_map(|list| {
        let mut times = Times::default();
        for (feature, time) in list {
            times.set(Feature::from_u8(feature).expect("below 12"), Millis(time));
        }
        times
    })
}

pub(super) fn ends() -> impl Strategy<Value = Piece> {
    let prologue = ("[a-z0-9-]{0,64}", any::<u16>(), any::<u16>(), any::<i32>()).prop_map(
        |(machine, nozzle, bed, filament)| {
            Piece::Prologue(Prologue {
                machine,
                nozzle: Celsius(nozzle),
                bed: Celsius(bed),
                filament_diameter: Micrometres(filament),
            })
        },
    );
    let sums = (any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>());
    let epilogue = (sums, corners(), corners(), times()).prop_map(|(sums, min, max, times)| {
        let (layers, duration, filament_um, mass) = sums;
        let (duration, mass) = (Millis(duration), Milligrams(mass));
        Piece::Epilogue(Epilogue { layers, duration, filament_um, mass, min, max, times })
    });
    prop_oneof![prologue, epilogue]
}

proptest! {
    #[test]
    fn any_piece_reads_back_from_its_bytes(piece in prop_oneof![layers(), ends()]) {
        prop_assert_eq!(Piece::parse(&piece.emit()), Ok(piece));
    }

    #[test]
    fn bytes_that_are_read_are_the_only_form_of_what_they_say(
        piece in prop_oneof![layers(), ends()], at in any::<prop::sample::Index>(), flip in 1_u8..,
    ) {
        let mut bytes = piece.emit();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(read) = Piece::parse(&bytes) {
            prop_assert_eq!(read.emit(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(kind in 0x0f_u8..0x14, rest in proptest::collection::vec(any::<u8>(), 0..300)) {
        let bytes = [vec![kind], rest].concat();
        if let Ok(read) = Piece::parse(&bytes) {
            prop_assert_eq!(read.emit(), bytes);
        }
    }

    #[test]
    fn a_cut_piece_is_refused(piece in prop_oneof![layers(), ends()], at in any::<prop::sample::Index>()) {
        let bytes = piece.emit();
        prop_assert!(Piece::parse(&bytes[..at.index(bytes.len())]).is_err());
    }
}

/// A square of four lines fed at the rate of a 0.45 × 0.2 mm line from 1.75 mm filament.
fn square(side: i32) -> Piece {
    let rate = Rate::of_areas(0.45 * 0.2, 2.405);
    let corners = [(side, 0), (side, side), (0, side), (0, 0)].map(|(x, y)| Point { x, y });
    let mut from = Point::default();
    let points = corners.map(|to| {
        let fed = rate.feed((to.x - from.x).into(), (to.y - from.y).into());
        from = to;
        (to, fed)
    });
    let path = Path {
        feature: Feature::OuterPerimeter,
        width: Micrometres(450),
        speed: MmPerMinute(1500),
        climb: None,
        points: points.to_vec(),
    };
    Piece::Layer(Layer {
        index: 7,
        z: Micrometres(1600),
        height: Micrometres(200),
        steps: vec![Step::Extrude(path)],
    })
}

#[test]
fn a_path_fed_at_one_rate_stores_no_filament() {
    let Piece::Layer(mut layer) = square(20_011) else { panic!("a layer") };
    let exact = Piece::Layer(layer.clone()).emit();
    let Step::Extrude(path) = &mut layer.steps[0] else { panic!("a path") };
    path.points[2].1 = Feed(path.points[2].1.0 + 40);
    let corrected = Piece::Layer(layer).emit();
    assert!(corrected.len() > exact.len(), "errors are stored: {} {}", corrected.len(), exact.len());
}

#[test]
fn a_climb_costs_its_height_and_no_more() {
    let Piece::Layer(mut layer) = square(20_011) else { panic!("a layer") };
    let flat = Piece::Layer(layer.clone()).emit();
    let Step::Extrude(path) = &mut layer.steps[0] else { panic!("a path") };
    path.climb = Some(Micrometres(1600));
    let climbing = Piece::Layer(layer);
    let bytes = climbing.emit();
    assert!(bytes.len() <= flat.len() + 4, "{} {}", bytes.len(), flat.len());
    assert_eq!(Piece::parse(&bytes), Ok(climbing));
}

#[test]
fn a_count_the_bytes_cannot_back_is_refused_before_anything_is_allocated() {
    let mut coder = Encoder::new(vec![0x11]);
    for value in [0, 0, 0, 0, u64::from(u32::MAX)] {
        coder.put(Slot::Head, value);
    }
    let refused = Piece::parse(&coder.finish());
    assert!(matches!(refused, Err(Malformed::TooLong { field: "steps", .. })), "{refused:?}");
}

#[test]
fn an_unknown_kind_and_trailing_bytes_are_refused() {
    assert_eq!(Piece::parse(&[0x20]), Err(Malformed::Value("kind")));
    let bytes = [square(1000).emit(), vec![0]].concat();
    assert_eq!(Piece::parse(&bytes), Err(Malformed::Trailing(1)));
}

#[test]
fn an_integer_in_a_longer_form_than_needed_is_refused() {
    let bytes = [0x12, 0x80, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(Piece::parse(&bytes), Err(Malformed::Value("layers")));
}

#[test]
fn times_out_of_order_or_zero_or_of_no_feature_are_refused() {
    let with = |times: &[u8]| Piece::parse(&[&[0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], times].concat());
    assert!(with(&[2, 1, 50, 6, 50]).is_ok());
    for times in [&[2, 6, 50, 1, 50][..], &[2, 1, 50, 1, 50], &[1, 1, 0]] {
        assert_eq!(with(times), Err(Malformed::Value("form")), "{times:?}");
    }
    assert_eq!(with(&[1, 99, 50]), Err(Malformed::Value("feature")));
    assert!(matches!(with(&[99]), Err(Malformed::TooLong { field: "times", .. })));
}

/// The pieces that `proto/spec/toolpath.md` shows.
fn shown() -> [Piece; 3] {
    let prologue = Prologue {
        machine: "prusa-mk3s".to_owned(),
        nozzle: Celsius(215),
        bed: Celsius(60),
        filament_diameter: Micrometres(1750),
    };
    let (min, max) = (Point3 { x: 0, y: 0, z: 1600 }, Point3 { x: 20_000, y: 20_000, z: 1600 });
    let mut times = Times::default();
    times.set(Feature::OuterPerimeter, Millis(3_205));
    let (duration, mass) = (Millis(3_205), Milligrams(9));
    let epilogue = Epilogue { layers: 1, duration, filament_um: 2_994, mass, min, max, times };
    [Piece::Prologue(prologue), square(20_000), Piece::Epilogue(epilogue)]
}

#[test]
fn the_pages_worked_example_is_what_is_written() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/toolpath.md"))
        .expect("the page is there");
    let example = page.split("## Worked example").nth(1).expect("a worked example");
    let example = example.split("```").nth(1).expect("a block of bytes");
    let hex: String = example.split_whitespace().filter(|word| is_hex(word)).collect();
    let written: String = shown().iter().flat_map(Piece::emit).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, written);
}

fn is_hex(word: &str) -> bool {
    word.len().is_multiple_of(2) && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
