use layerlock_terms::toolpath::{Epilogue, Point3, Prologue, Times};
use layerlock_terms::units::{Celsius, Micrometres, Milligrams, Millis};

use super::*;

fn prologue(machine: &str) -> Piece {
    let filament_diameter = Micrometres(1750);
    Piece::Prologue(Prologue {
        machine: machine.into(),
        nozzle: Celsius(210),
        bed: Celsius(60),
        filament_diameter,
    })
}

fn layer(index: u32) -> Piece {
    Piece::Layer(Layer { index, z: Micrometres(200), height: Micrometres(200), steps: Vec::new() })
}

fn epilogue() -> Piece {
    let corner = Point3::default();
    let (mass, times) = (Milligrams(1), Times::default());
    let (min, max) = (corner, corner);
    Piece::Epilogue(Epilogue { layers: 2, duration: Millis(1), filament_um: 1, mass, min, max, times })
}

fn order(pieces: &[Piece]) -> Result<(), Failure> {
    let mut order = Order::default();
    let mut sealed = 0;
    for piece in pieces {
        if let Piece::Layer(layer) = piece {
            sealed = layer.index;
        }
        order.follow(piece, sealed, "ender-3")?;
    }
    order.finish(2)
}

#[test]
fn pieces_come_in_the_one_order_there_is() {
    let machine = || prologue("ender-3");
    assert!(order(&[machine(), layer(0), layer(1), epilogue()]).is_ok());
    for wrong in [
        vec![],
        vec![layer(0)],
        vec![epilogue()],
        vec![prologue("prusa-mk4")],
        vec![machine(), machine()],
        vec![machine(), layer(1)],
        vec![machine(), layer(0), layer(0)],
        vec![machine(), layer(0), layer(1)],
        vec![machine(), layer(0), epilogue()],
        vec![machine(), layer(0), layer(1), epilogue(), layer(2)],
        vec![machine(), layer(0), layer(1), epilogue(), epilogue()],
    ] {
        assert!(matches!(order(&wrong), Err(Failure::Toolpath(_))), "{wrong:?}");
    }
}

#[test]
fn a_layer_counts_once_its_last_line_is_acknowledged() {
    let mut acks = Acks::of(3);
    for index in 0..3 {
        acks.sent += 10;
        let Piece::Layer(layer) = layer(index) else { unreachable!() };
        acks.end_layer(&layer);
    }
    let layers = [0, 9, 10, 19, 30].map(|lines| acks.reach(lines).layers);
    assert_eq!(layers, [0, 0, 1, 1, 3]);
    assert_eq!((acks.extent.lines, acks.extent.total_layers), (30, 3));
}

#[test]
fn lines_beside_the_toolpath_count_for_nothing_however_many_are_under_way() {
    let mut acks = Acks::of(3);
    acks.sent = 30;
    assert_eq!(acks.reach(30).lines, 30);
    acks.aside = 5;
    let lines = [30, 33, 35, 36].map(|acknowledged| acks.reach(acknowledged).lines);
    assert_eq!(lines, [30, 30, 30, 31], "nor do they take back what was told");
}

#[test]
fn plaintext_never_moves_by_itself_and_is_bounded() {
    let mut plain = Plain::default();
    for _ in 0..100 {
        plain.make_room(1000).unwrap();
        let (room, at) = (plain.0.capacity(), plain.0.as_ptr());
        plain.0.extend_from_slice(&[7; 1000]);
        assert_eq!((plain.0.capacity(), plain.0.as_ptr()), (room, at));
    }
    assert!(matches!(plain.make_room(PIECE_LIMIT), Err(Failure::Toolpath(_))));
    plain.wipe();
    assert!(plain.0.is_empty());
}
