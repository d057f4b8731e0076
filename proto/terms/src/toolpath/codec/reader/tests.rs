use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::toolpath::codec::coder::Encoder;
use crate::toolpath::codec::tests::{ends, layers};
use crate::toolpath::{Piece, PieceReader};

/// A layer's integers as somebody may write them who keeps no rule but the order of fields.
#[derive(Debug, Clone)]
struct Loose {
    /// Feature, width, speed, rate.
    styles: Vec<(u64, i64, u64, u64)>,
    steps: Vec<LooseStep>,
}

#[derive(Debug, Clone)]
enum LooseStep {
    Travel {
        /// As coded: 0 for the last one, else one more.
        speed: u64,
        by: Vec<(i64, i64)>,
    },
    Retract {
        length: i64,
        speed: u64,
    },
    Path {
        climb: Option<i64>,
        style: u64,
        by: Vec<(i64, i64)>,
        /// Of every point, if errors follow.
        errors: Option<Vec<i64>>,
    },
    Fan(u64),
}

impl Loose {
    fn emit(&self) -> Vec<u8> {
        let mut out = Encoder::new(vec![0x11]);
        out.put(Slot::Head, 3);
        [800, 200].into_iter().for_each(|height| out.put_signed(Slot::Head, height));
        out.put(Slot::Head, self.styles.len() as u64);
        for (feature, width, speed, rate) in &self.styles {
            out.put(Slot::Head, *feature);
            out.put_signed(Slot::Head, *width);
            out.put(Slot::Head, *speed);
            out.put(Slot::Head, *rate);
        }
        out.put(Slot::Head, self.steps.len() as u64);
        let (mut kind, mut class) = (0, 0);
        for step in &self.steps {
            out.put(Slot::Kind(kind), step.kind());
            kind = step.kind();
            step.emit(&mut out, &mut class);
        }
        out.finish()
    }
}

impl LooseStep {
    fn kind(&self) -> u64 {
        match self {
            Self::Travel { .. } => TRAVEL,
            Self::Retract { .. } => RETRACT,
            Self::Path { climb: None, .. } => EXTRUDE,
            Self::Path { .. } => CLIMB,
            Self::Fan(_) => FAN,
        }
    }

    fn emit(&self, out: &mut Encoder, class: &mut u8) {
        match self {
            Self::Travel { speed, by } => {
                out.put(Slot::Held(TRAVEL), by.len() as u64);
                out.put(Slot::Speed(TRAVEL), *speed);
                emit_points(out, by, class);
            }
            Self::Retract { length, speed } => {
                out.put_signed(Slot::Held(RETRACT), *length);
                out.put(Slot::Speed(RETRACT), *speed);
            }
            Self::Path { climb, style, by, errors } => {
                climb.iter().for_each(|z| out.put_signed(Slot::Held(CLIMB), *z));
                out.put(Slot::Count, (by.len() as u64) << 1 | u64::from(errors.is_some()));
                out.put(Slot::Style, *style);
                emit_points(out, by, class);
                errors.iter().flatten().for_each(|error| out.put_signed(Slot::Residual, *error));
            }
            Self::Fan(share) => out.put(Slot::Held(FAN), *share),
        }
    }
}

fn emit_points(out: &mut Encoder, by: &[(i64, i64)], class: &mut u8) {
    for (dx, dy) in by {
        out.put_signed(Slot::X(*class), *dx);
        *class = size_class(*dx);
        out.put_signed(Slot::Y(*class), *dy);
    }
}

/// What a layer says, read through to its end whatever its form, and refused if it would be written otherwise: the
/// rule as the page states it.
fn written_again(bytes: &[u8]) -> Result<Piece, Malformed> {
    let mut reader = LayerReader::begin(&bytes[1..])?;
    let (index, z, height) = (reader.index(), reader.z(), reader.height());
    let mut steps = Vec::new();
    loop {
        match step_of(&mut reader) {
            Ok(Some(step)) => steps.push(step),
            Ok(None) | Err(Malformed::Value("form")) => break,
            Err(other) => return Err(other),
        }
    }
    let piece = Piece::Layer(Layer { index, z, height, steps });
    if piece.emit() == bytes { Ok(piece) } else { Err(Malformed::Value("form")) }
}

/// The next step, point by point.
fn step_of(reader: &mut LayerReader<'_>) -> Result<Option<Step>, Malformed> {
    let Some(mut step) = reader.step()? else { return Ok(None) };
    while let Some((to, feed)) = reader.point()? {
        match &mut step {
            Step::Extrude(path) => path.points.push((to, feed)),
            Step::Travel { to: points, .. } | Step::Wipe { to: points, .. } => {
                assert_eq!(feed, Feed(0));
                points.push(to);
            }
            other => panic!("{other:?} has no points"),
        }
    }
    Ok(Some(step))
}

/// What a piece's reader hands out, put together.
fn handed_out(bytes: &[u8]) -> Result<Piece, Malformed> {
    match PieceReader::checked(bytes)? {
        PieceReader::Prologue(prologue) => Ok(Piece::Prologue(prologue)),
        PieceReader::Epilogue(epilogue) => Ok(Piece::Epilogue(epilogue)),
        PieceReader::Layer(mut reader) => {
            let (index, z, height) = (reader.index(), reader.z(), reader.height());
            let mut steps = Vec::new();
            while let Some(step) = step_of(&mut reader).expect("it was read through before") {
                steps.push(step);
            }
            assert_eq!(reader.step(), Ok(None), "the end stays the end");
            Ok(Piece::Layer(Layer { index, z, height, steps }))
        }
    }
}

fn differences() -> impl Strategy<Value = Vec<(i64, i64)>> {
    prop_oneof![
        9 => proptest::collection::vec((-40..40_i64, -3..4_i64), 0..4),
        1 => proptest::collection::vec((any::<i32>().prop_map(i64::from), any::<i64>()), 0..3),
    ]
}

fn loose_steps() -> impl Strategy<Value = LooseStep> {
    let path = (prop_oneof![4 => Just(None), 1 => (-2..3_i64).prop_map(Some)], 0..3_u64, differences());
    let error = prop_oneof![4 => Just(0), 2 => -2..3_i64, 1 => any::<i64>()];
    let errors = prop_oneof![1 => Just(None), 1 => proptest::collection::vec(error, 4).prop_map(Some)];
    prop_oneof![
        2 => (0..3_u64, differences()).prop_map(|(speed, by)| LooseStep::Travel { speed, by }),
        1 => (-1..3_i64, 0..3_u64).prop_map(|(length, speed)| LooseStep::Retract { length, speed }),
        5 => (path, errors).prop_map(|((climb, style, by), errors)| {
            let errors = errors.map(|errors| errors[..by.len()].to_vec());
            LooseStep::Path { climb, style, by, errors }
        }),
        1 => (0..300_u64).prop_map(LooseStep::Fan),
    ]
}

fn loose_layers() -> impl Strategy<Value = Loose> {
    let rates = prop_oneof![(0..3_u64).prop_map(|rate| rate << 21), any::<u64>()];
    let style = (0..2_u64, 449..451_i64, 7..9_u64, rates);
    (proptest::collection::vec(style, 0..3), proptest::collection::vec(loose_steps(), 0..5))
        .prop_map(|(styles, steps)| Loose { styles, steps })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_layer_is_refused_just_when_it_would_be_written_otherwise(
        layer in prop_oneof![loose_layers().prop_map(|layer| layer.emit()), layers().prop_map(|layer| layer.emit())],
        at in any::<prop::sample::Index>(), flip in prop_oneof![2 => Just(0), 1 => any::<u8>()],
    ) {
        let mut bytes = layer;
        let at = 1 + at.index(bytes.len() - 1);
        bytes[at] ^= flip;
        prop_assert_eq!(Piece::parse(&bytes), written_again(&bytes));
    }

    #[test]
    fn a_piece_read_step_by_step_is_the_piece_that_is_parsed(
        bytes in prop_oneof![
            loose_layers().prop_map(|layer| layer.emit()),
            prop_oneof![layers(), ends()].prop_map(|piece| piece.emit()),
            (0x0f_u8..0x14, proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(kind, rest)| [vec![kind], rest].concat()),
        ],
        at in any::<prop::sample::Index>(), flip in prop_oneof![1 => Just(0), 1 => any::<u8>()],
    ) {
        let mut bytes = bytes;
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        prop_assert_eq!(handed_out(&bytes), Piece::parse(&bytes));
    }
}

/// A path of two moves, at right angles.
fn path(style: u64, errors: Option<&[i64]>) -> LooseStep {
    let errors = errors.map(<[i64]>::to_vec);
    LooseStep::Path { climb: None, style, by: vec![(300, 400), (-400, 300)], errors }
}

fn travel(speed: u64) -> LooseStep {
    LooseStep::Travel { speed, by: vec![(0, -5)] }
}

/// Two styles, moves of both, and every speed said once.
fn right() -> Loose {
    Loose {
        styles: vec![(1, 450, 1800, 1 << 28), (1, 450, 900, 3 << 26)],
        steps: vec![travel(9001), path(0, None), travel(0), path(1, None), path(0, Some(&[0, 7]))],
    }
}

fn changed(change: impl FnOnce(&mut Loose)) -> Vec<u8> {
    let mut layer = right();
    change(&mut layer);
    layer.emit()
}

#[test]
fn every_second_form_of_a_layer_is_refused_after_its_last_step() {
    assert_eq!(Piece::parse(&right().emit()).map(|piece| piece.emit()), Ok(right().emit()));
    let second_forms = [
        ("a style nobody has", changed(|layer| layer.styles.push((2, 450, 900, 0)))),
        (
            "styles in another order than paths have them",
            changed(|layer| {
                layer.styles.swap(0, 1);
                let paths = [(1, path(1, None)), (3, path(0, None)), (4, path(1, Some(&[0, 7])))];
                paths.into_iter().for_each(|(at, path)| layer.steps[at] = path);
            }),
        ),
        ("a style listed twice", changed(|layer| layer.styles[1] = layer.styles[0])),
        ("a rate that feeds the same and isn't the first choice", changed(|layer| layer.styles[0].3 += 1)),
        (
            "a rate that leaves errors where another leaves none",
            changed(|layer| {
                layer.styles[1].3 = 1 << 27;
                layer.steps[3] = path(1, Some(&[8_000, 8_000]));
            }),
        ),
        ("errors that are all zero", changed(|layer| layer.steps[1] = path(0, Some(&[0, 0])))),
        (
            "errors of no points",
            changed(|layer| {
                let errors = Some(Vec::new());
                layer.steps[4] = LooseStep::Path { climb: None, style: 0, by: Vec::new(), errors };
            }),
        ),
        ("a speed that is said again", changed(|layer| layer.steps[2] = travel(9001))),
    ];
    for (change, bytes) in second_forms {
        assert_eq!(Piece::parse(&bytes), Err(Malformed::Value("form")), "{change}");
        assert_eq!(written_again(&bytes), Err(Malformed::Value("form")), "{change}");
    }
}

#[test]
fn nothing_comes_out_of_a_layer_whose_last_byte_is_wrong() {
    let mut bytes = right().emit();
    assert!(PieceReader::checked(&bytes).is_ok());
    *bytes.last_mut().expect("a layer") ^= 1;
    let mut unchecked = LayerReader::begin(&bytes[1..]).expect("it begins well");
    assert!(unchecked.step().is_ok_and(|step| step.is_some()), "its first step reads well");
    assert!(PieceReader::checked(&bytes).is_err());
}

#[test]
fn points_that_are_not_asked_for_are_passed_over() {
    let bytes = right().emit();
    let Ok(Piece::Layer(layer)) = Piece::parse(&bytes) else { panic!("a layer") };
    let Ok(PieceReader::Layer(mut reader)) = PieceReader::checked(&bytes) else { panic!("a layer") };
    for _ in 0..4 {
        reader.step().expect("read through before");
        reader.point().expect("read through before");
    }
    let rest = reader.clone().collect().expect("read through before");
    assert_eq!(rest.steps, layer.steps[4..]);
    assert_eq!(step_of(&mut reader), Ok(layer.steps.last().cloned()));
}
