//! How time and memory grow: with triangles at the same layers, and with layers at the same triangles.
//!
//! One waving ball, made finer and finer, and one ball cut thinner and thinner; our slicer alone, on one core. Memory is held
//! against the mesh itself as it lies in memory: twelve bytes a corner and twelve a triangle.

use std::path::Path;
use std::time::Duration;

use crate::models::{self, Model};
use crate::ours::{self, Product};
use crate::plot::{Line, Plot};
use crate::round::{cell, first_layer};
use crate::usage::{Cores, Usage, measure};
use crate::{Failed, meshes};

const TRIANGLES: [usize; 7] = [10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];
const HEIGHTS_UM: [u32; 6] = [280, 200, 140, 100, 70, 50];

/// Triangles of the ball that is cut into more and more layers.
const BALL: usize = 100_000;

/// Height of the ball, in micrometres.
const TALL_UM: u32 = 80_000;

/// One measured size.
struct Point {
    /// Triangles or layers.
    size: f64,
    usage: Usage,
    first: Duration,
}

/// Measures up to `most` triangles, prints, and draws `picture`.
pub fn run(picture: &Path, most: usize, room: &Path) -> Result<(), Failed> {
    let by_triangles: Vec<Point> = TRIANGLES
        .iter()
        .filter(|triangles| **triangles <= most)
        .map(|triangles| of_triangles(*triangles, room))
        .collect::<Result<_, _>>()?;
    print("triangles", &by_triangles, |point| mesh_bytes(point.size));
    let ball = models::write("ball", meshes::bumpy_ball(BALL), room)?;
    let by_layers: Vec<Point> =
        HEIGHTS_UM.iter().map(|height| of_layers(&ball, *height, room)).collect::<Result<_, _>>()?;
    print("layers", &by_layers, |_| mesh_bytes(BALL as f64));
    let image = Plot::of(&panels(&by_triangles, &by_layers)).image();
    std::fs::write(picture, image.to_png()).map_err(|error| Failed::at(picture.display(), error))
}

fn of_triangles(triangles: usize, room: &Path) -> Result<Point, Failed> {
    let ball = models::write("ball", meshes::bumpy_ball(triangles), room)?;
    of(&ball, 200, ball.triangles as f64, room)
}

fn of_layers(ball: &Model, height_um: u32, room: &Path) -> Result<Point, Failed> {
    of(ball, height_um, f64::from(TALL_UM / height_um), room)
}

fn of(ball: &Model, height_um: u32, size: f64, room: &Path) -> Result<Point, Failed> {
    let me = std::env::current_exe().map_err(|error| Failed::at("this program's own file", error))?;
    let out = room.join("out");
    let height = format!("{}mm", f64::from(height_um) / 1000.0);
    let heights = [("layer-height", height.clone()), ("first-layer-height", "0.2mm".to_owned())];
    let arguments = ours::arguments(Product::Envelope, 1, &ball.stl, &out, &heights);
    let run = measure(Cores::One, &me, &arguments, room)?;
    let usage = cell(&run, &out)?.usage();
    let usage = usage.ok_or_else(|| Failed::at(&ball.name, "we do not slice it"))?;
    Ok(Point { size, usage, first: first_layer(&run) })
}

fn mesh_bytes(triangles: f64) -> f64 {
    triangles * (12.0 + 6.0)
}

fn print(what: &str, points: &[Point], mesh: impl Fn(&Point) -> f64) {
    println!();
    println!(
        "{what:>10} {:>9} {:>12} {:>11} {:>10} {:>9} {:>8}",
        "CPU s", "µs per one", "1st sealed", "peak MB", "mesh MB", "ratio"
    );
    for point in points {
        let (cpu, peak) = (point.usage.cpu.as_secs_f64(), point.usage.peak_kib as f64 * 1024.0);
        println!(
            "{:>10.0} {cpu:>9.2} {:>12.2} {:>8.0} ms {:>10.1} {:>9.1} {:>8.2}",
            point.size,
            cpu * 1e6 / point.size,
            point.first.as_secs_f64() * 1e3,
            peak / 1e6,
            mesh(point) / 1e6,
            peak / mesh(point)
        );
    }
}

fn panels(by_triangles: &[Point], by_layers: &[Point]) -> [(&'static str, Vec<Line>); 3] {
    let line = |points: &[Point], name, value: &dyn Fn(&Point) -> f64| Line {
        name,
        points: points.iter().map(|point| [point.size, value(point)]).collect(),
    };
    let cpu = |point: &Point| point.usage.cpu.as_secs_f64();
    let first = |point: &Point| point.first.as_secs_f64();
    let peak = |point: &Point| point.usage.peak_kib as f64 / 1000.0;
    let bound = |point: &Point| mesh_bytes(point.size) * 1.5 / 1e6;
    let proportional = |points: &[Point]| {
        let last = points.last().map_or(1.0, |point| cpu(point) / point.size);
        line(points, "proportional", &|point| point.size * last)
    };
    [
        (
            "seconds by triangles",
            vec![
                line(by_triangles, "CPU", &cpu),
                line(by_triangles, "first sealed layer", &first),
                proportional(by_triangles),
            ],
        ),
        (
            "peak MB by triangles",
            vec![line(by_triangles, "peak", &peak), line(by_triangles, "1.5 of the mesh", &bound)],
        ),
        ("seconds by layers", vec![line(by_layers, "CPU", &cpu), proportional(by_layers)]),
    ]
}
