//! A collection of hostile files, each given to the service as a seller would: uploaded and, if it is taken, sliced.
//!
//! Whatever the file, the answer is a design or a refusal in words, within the worker's bounds; a job of it ends sealed or
//! refused; the service answers somebody else meanwhile; what was refused leaves nothing. All files are made here.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;
#[path = "../../tests/src/meshes.rs"]
#[allow(dead_code, reason = "the slicer's tests need more of it")]
mod meshes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use house::{House, Order, Printer, SELLER, as_seller, designs, manifest, reason, upload_as};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1::{JobState, ListDesignsRequest};
use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use layerlock_terms::units::Millis;
use layerlock_vault::Vault;
use meshes::{
    archive, ascii_stl, assembly, billion_laughs, cube, cube_with, cuboid, flat_sheet, flipped, model, obj,
    object, one_flipped, open_box, sphere, thin_wall, three_mf, together, torus, zip_bomb,
};

/// The longest the service may take to answer somebody else meanwhile.
const PROMPT: Duration = Duration::from_secs(10);

/// What is said of a worker that panicked or was killed by a fault: safe, and a defect.
const GAVE_UP: &str = "ended before it was done";

/// What is made of them.
fn collection() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> =
        crafted().into_iter().map(|(name, file)| (name.into(), file)).collect();
    files.extend(damaged());
    files
}

fn crafted() -> Vec<(&'static str, Vec<u8>)> {
    let stl = |mesh: &Mesh| to_binary_stl(mesh);
    let ring = torus(20.0, 6.0, 12);
    let counted = |count: u32| {
        let mut bytes = stl(&ring);
        bytes[80..84].copy_from_slice(&count.to_le_bytes());
        bytes
    };
    let text = |text: String| text.into_bytes();
    vec![
        ("not a number", stl(&cube_with(f32::NAN))),
        ("without end", stl(&cube_with(f32::INFINITY))),
        ("farther than anything", stl(&cube_with(3e38))),
        ("smaller than anything", stl(&cube_with(1e-42))),
        ("four thousand million triangles", counted(u32::MAX)),
        ("no triangle", counted(0)),
        ("one triangle too few", counted(ring.triangles.len() as u32 - 1)),
        ("only a header", vec![0; 84]),
        ("zeros", vec![0; 100_000]),
        ("ones", vec![0xFF; 100_000]),
        ("a line without an end", text("solid ".to_owned() + &"x".repeat(4_000_000))),
        (
            "a number without an end",
            text(format!("solid a\nfacet normal 0 0 1\nouter loop\nvertex {}", "9".repeat(1_000_000))),
        ),
        ("words for numbers", text(ascii_stl(&ring, "ring", "\n").replace("0.", "zero"))),
        ("a name that writes to a terminal", text(ascii_stl(&ring, "\u{1b}[2J\u{7}", "\n"))),
        ("every line again", text(ascii_stl(&ring, "ring", "\r\n\r\n\r\n"))),
        ("corners that are not there", text(obj(&ring, "\n") + "f 1 2 999999999\nf -1 -2 -9999999\n")),
        (
            "a face of a hundred thousand corners",
            text(obj(&ring, "\n") + "f" + &" 1 2 3".repeat(33_000) + "\n"),
        ),
        ("a bomb", zip_bomb(400 << 20)),
        ("laughs", billion_laughs(9, 10)),
        ("an assembly of assemblies", exploding()),
        ("a component of itself", three_mf(&model(&assembly(1, 1, 2), "<item objectid=\"1\"/>"))),
        ("deeper than a stack", three_mf(&("<model>".repeat(200_000) + &"</model>".repeat(200_000)))),
        ("a page of another kind", archive(&[("index.html", b"<script>alert(1)</script>")])),
        (
            "a path that climbs",
            archive(&[("../../etc/cron.d/x", b"* * * * * root true"), ("_rels/.rels", b"")]),
        ),
        ("a script", b"#!/bin/sh\nrm -rf /\n".to_vec()),
        ("G-code", b"G28\nM502\nM997\nG1 X9999\n".repeat(1000)),
        ("inside out", stl(&flipped(sphere(12.0, 24)))),
        ("one face turned", stl(&one_flipped(sphere(12.0, 24)))),
        ("without a lid", stl(&open_box(15.0))),
        ("a sheet", stl(&flat_sheet(20.0))),
        ("thinner than a line", stl(&thin_wall(0.01))),
        ("through itself", stl(&together(&[sphere(12.0, 24), torus(12.0, 4.0, 24), cube(18.0)]))),
        ("the same a hundred times", stl(&together(&vec![cube(10.0); 100]))),
        ("a needle", stl(&cuboid([0.0; 3], [0.3, 0.3, 200.0]))),
        ("a plate", stl(&cuboid([0.0; 3], [200.0, 200.0, 0.1]))),
        ("a crumb far away", stl(&together(&[cube(10.0), cuboid([9_000.0; 3], [9_001.0; 3])]))),
        ("a star of crossings", stl(&star(3_000))),
        ("a cloud of splinters", stl(&splinters(20_000))),
    ]
}

/// Good files of every format with bytes changed, cut off, and doubled, by a generator that is always the same.
fn damaged() -> Vec<(String, Vec<u8>)> {
    let ring = torus(20.0, 6.0, 10);
    let whole = [
        to_binary_stl(&ring),
        ascii_stl(&ring, "ring", "\n").into_bytes(),
        obj(&ring, "\n").into_bytes(),
        three_mf(&model(&object(1, &ring), "<item objectid=\"1\"/>")),
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut files = Vec::new();
    for (kind, file) in whole.iter().enumerate() {
        for round in 0..6 {
            let mut bytes = file.clone();
            match round % 3 {
                0 => (0..8).for_each(|_| {
                    let at = draw(bytes.len());
                    bytes[at] = draw(256) as u8;
                }),
                1 => bytes.truncate(draw(file.len())),
                _ => {
                    let (from, to) = (draw(file.len()), draw(file.len()));
                    bytes.extend_from_slice(&file[from.min(to)..from.max(to)]);
                }
            }
            files.push((format!("format {kind} damaged, {round}"), bytes));
        }
    }
    files
}

/// Components of components: ten thousand million cubes.
fn exploding() -> Vec<u8> {
    let levels: String = (2..12).map(|id| assembly(id, id - 1, 10)).collect();
    three_mf(&model(&(object(1, &cube(10.0)) + &levels), "<item objectid=\"11\"/>"))
}

/// A prism over a star polygon whose every edge crosses nearly every other.
fn star(points: u32) -> Mesh {
    let step = points / 2 - 1;
    let corner = |nth: u32, z: f32| {
        let angle = (u64::from(nth) * u64::from(step) % u64::from(points)) as f32 / points as f32
            * std::f32::consts::TAU;
        [40.0 + 30.0 * angle.cos(), 40.0 + 30.0 * angle.sin(), z]
    };
    let vertices =
        (0..points).map(|nth| corner(nth, 0.0)).chain((0..points).map(|nth| corner(nth, 5.0))).collect();
    let sides = (0..points).flat_map(|nth| {
        let next = (nth + 1) % points;
        [[nth, next, next + points], [nth, next + points, nth + points]]
    });
    Mesh { vertices, triangles: sides.collect() }
}

/// Triangles that touch nothing, every way round.
fn splinters(count: u32) -> Mesh {
    let at =
        |nth: u32, axis: u32| (nth.wrapping_mul(2_654_435_761 + axis * 7919) >> 16) as f32 / 65_536.0 * 60.0;
    let corner = |nth: u32| [at(nth, 0), at(nth, 1), at(nth, 2)];
    let vertices = (0..count * 3).map(|n| {
        let [x, y, z] = corner(n / 3);
        [x + (n % 3) as f32 * 0.7, y + (n % 2) as f32 * 0.9, z + (n % 3 / 2) as f32 * 1.1]
    });
    Mesh {
        vertices: vertices.collect(),
        triangles: (0..count).map(|nth| [nth * 3, nth * 3 + 1, nth * 3 + 2]).collect(),
    }
}

/// Asks as somebody else until the work is done; how often it was answered.
async fn meanwhile<T>(vault: &Arc<Vault>, name: &str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                let asked = Instant::now();
                designs(vault).list_designs(as_seller(SELLER + 1, ListDesignsRequest::default())).await.unwrap();
                assert!(asked.elapsed() < PROMPT, "{name}: nobody else was answered");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hostile_file_is_a_design_or_a_refusal_in_words_and_so_is_every_job_of_one() {
    let mut house = House::new();
    house.limits.worker_time = Millis(20_000);
    house.limits.worker_memory = 1 << 30;
    house.limits.output_bytes = 256 << 20;
    let vault = house.open().await;
    let printer = Printer::new(40);
    let files = collection();
    assert!(files.len() > 60, "{}", files.len());
    let (mut taken, mut refused, mut sealed, mut withdrawn) = (0_u8, 0, 0, 0);
    for (name, bytes) in &files {
        let answer =
            meanwhile(&vault, name, upload_as(&vault, SELLER, &manifest(SELLER, bytes), bytes)).await;
        if let Err(status) = answer {
            assert_eq!(reason(&status), Reason::BadMesh, "{name}: {status:?}");
            let words = status.message();
            assert!(words.len() > 20 && !words.chars().any(char::is_control), "{name}: {words:?}");
            assert!(!words.contains(GAVE_UP), "{name}: {words}");
            refused += 1;
            continue;
        }
        taken += 1;
        let order = Order::new(100 + taken, bytes, &printer);
        order.create(&vault).await.unwrap_or_else(|status| panic!("{name}: {status:?}"));
        let job = meanwhile(&vault, name, order.sealed(&vault)).await;
        match job.state() {
            JobState::Sealed | JobState::Delivering => sealed += 1,
            _ => {
                assert!(job.reason.len() > 20 && !job.reason.contains(GAVE_UP), "{name}: {job:?}");
                withdrawn += 1;
            }
        }
    }
    assert!(
        refused > 25 && sealed > 5 && withdrawn > 2,
        "{refused} refused, {sealed} sealed, {withdrawn} withdrawn"
    );
    assert_eq!(house.files("designs").len(), 2 * usize::from(taken), "what was refused left something");
}
