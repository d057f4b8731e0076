//! A seller's own G-code: taken with the part, told, printed as it is for its machine and material, and refused in time for
//! any other.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;
#[path = "../../tests/src/meshes.rs"]
#[allow(dead_code, reason = "the slicer's tests need more of it")]
mod meshes;

use house::device::Session;
use house::{House, Order, Printer, mesh, reason, upload};
use layerlock_engines::custom;
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile};

const PLACE: &str = "Metadata/layerlock/prusa-mk3s/pla.gcode";

/// Ten layers of one line, between sequences of the machine's own.
fn gcode(nozzle: u32) -> String {
    let layer = |n: u32| {
        let z = f64::from(n) / 5.0;
        format!(
            ";LAYER_CHANGE\n;HEIGHT:0.2\nG1 Z{z} F720\nG1 X100 Y100 F7200\n;TYPE:Perimeter\nG1 F1200\nG1 X150 E2\n"
        )
    };
    let layers: String = (1..=10).map(layer).collect();
    format!("M83\nG28 W\nM104 S{nozzle}\n{layers};TYPE:Custom\nG4\nM84\n")
}

fn package(place: &str, gcode: &str) -> Vec<u8> {
    let model = meshes::model(&meshes::object(1, &meshes::cube(10.0)), "<item objectid=\"1\"/>");
    meshes::three_mf_with(&model, &[(place, gcode.as_bytes())])
}

fn own(bytes: &[u8], number: u8, printer: &Printer) -> Order {
    Order { settings: vec![("engine", "custom")], ..Order::new(number, bytes, printer) }
}

#[tokio::test]
async fn it_is_told_with_the_design_and_printed_layer_by_layer_as_the_seller_made_it() {
    let house = House::new();
    let vault = house.open().await;
    let bytes = package(PLACE, &gcode(213));
    let design = upload(&vault, &bytes).await.unwrap();
    let [told] = &design.custom_gcode[..] else { panic!("{:?}", design.custom_gcode) };
    assert_eq!((&*told.machine, &*told.material, told.layers), ("prusa-mk3s", "pla", 10));
    assert!((told.filament_um, told.duration_ms > 1000) == (20_000, true), "{told:?}");
    assert_eq!(design.snapshots.len(), 4, "the part was drawn as any other");

    let printer = Printer::new(40);
    let order = own(&bytes, 21, &printer);
    order.create(&vault).await.unwrap();
    let mut session = Session::open(&vault, &printer, 1).await.unwrap();
    let delivered = session.receive(&order).await;
    let printed = session.print(&order, &delivered).await;
    assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));

    let machine = Machine::named("prusa-mk3s").unwrap();
    let (mut expected, profile) = (Vec::new(), Profile::new(machine, Material::Pla, Preset::Draft));
    let mut sink = |piece: layerlock_terms::toolpath::Piece| {
        expected.extend(piece.emit());
        Ok(())
    };
    custom::read_text(&gcode(213), &profile, &mut sink).unwrap();
    assert_eq!(printed, expected);
}

#[tokio::test]
async fn without_it_for_the_machine_and_material_or_with_a_setting_no_hold_is_used() {
    let house = House::new();
    let vault = house.open().await;
    let bytes = package("Metadata/layerlock/ender-3/pla.gcode", &gcode(213));
    upload(&vault, &bytes).await.unwrap();
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let mut scaled = own(&bytes, 23, &printer);
    scaled.settings.push(("scale", "120%"));
    for (order, says) in [
        (own(&bytes, 21, &printer), "no G-code of their own for prusa-mk3s and pla"),
        (own(&mesh(), 22, &printer), "no G-code of their own for prusa-mk3s and pla"),
        (scaled, "`scale` = 120% is nothing that the engine `custom` can do: leave it as it is"),
    ] {
        let refused = order.create(&vault).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::InvalidField);
        assert!(refused.message().contains(says), "{refused}");
    }
    assert!(house.licensor.admitted.lock().unwrap().is_empty(), "no hold was used");
    Order::new(24, &bytes, &printer).create(&vault).await.unwrap();
}

#[tokio::test]
async fn a_part_whose_gcode_is_not_taken_is_refused_in_words_and_leaves_nothing() {
    let house = House::new();
    let vault = house.open().await;
    let refused = [
        (PLACE, gcode(213).replace("G1 X150 E2", "M112"), "prusa-mk3s and pla: the G-code lays no plastic"),
        (
            PLACE,
            gcode(213).replacen("G1 X150 E2", "M997", 1),
            "prusa-mk3s and pla: line 10 of the G-code: `M997`",
        ),
        (PLACE, gcode(999), "the machine's guard stops the machine's start, so heated"),
        ("Metadata/layerlock/prusa.gcode", gcode(213), "name it Metadata/layerlock/MACHINE/MATERIAL.gcode"),
    ];
    for (place, text, says) in refused {
        let refused = upload(&vault, &package(place, &text)).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::BadMesh);
        assert!(refused.message().contains(says), "{refused}");
    }
    drop(vault);
    house.open().await;
    assert_eq!(house.files("designs"), Vec::<String>::new());
}
