//! The result, for people: one line a model, ratios, geometric means over what both sides sliced.

use crate::Failed;
use crate::peers::Peer;
use crate::round::{Cell, Row};
use crate::usage::{Cores, Usage};

/// Models from which the first sealed layer is held against the fastest peer.
const LARGE: usize = 100_000;

/// Prints one table.
pub fn print(rows: &[Row], cores: Cores, runs: usize) {
    println!();
    println!(
        "{} of {} cores, median of {runs}: user+system CPU in s / wall in s / peak memory in MB",
        cores.count(),
        Cores::All.count()
    );
    println!(
        "{:<28} {:>9}  {:<19} {:<19} {:<19} {:<19} {:>11} {:>7}",
        "model",
        "triangles",
        "ours, G-code",
        "ours, sealed",
        "CuraEngine",
        "PrusaSlicer",
        "1st sealed",
        "of peer"
    );
    for row in rows {
        let [cura, prusa] = row.peers.map(written);
        println!(
            "{:<28} {:>9}  {:<19} {:<19} {cura:<19} {prusa:<19} {:>8.1} ms {:>6}",
            row.name,
            row.triangles,
            written(row.ours),
            written(row.sealed),
            row.first_sealed.as_secs_f64() * 1e3,
            share(row)
        );
    }
    for (at, peer) in Peer::ALL.into_iter().enumerate() {
        println!();
        println!("ours ÷ {}: CPU to G-code, CPU to envelope, wall to G-code, peak memory", peer.name());
        for row in rows {
            println!("{:<28} {}", row.name, ratios(row, at).map_or("–".to_owned(), |of| figures(&of)));
        }
        println!("{:<28} {}", "geometric mean", means(rows, at).map_or("–".to_owned(), |of| figures(&of)));
    }
}

/// A peer that slices nothing at all was not measured, whatever the table looks like.
pub fn refuse_dead_peers(rows: &[Row]) -> Result<(), Failed> {
    for (at, peer) in Peer::ALL.into_iter().enumerate() {
        if rows.iter().all(|row| row.peers[at].usage().is_none()) {
            return Err(Failed::at(peer.name(), "it slices none of the models: see that it runs by hand"));
        }
    }
    match rows.iter().find(|row| row.ours.usage().is_none() || row.sealed.usage().is_none()) {
        Some(row) => Err(Failed::at(&row.name, "we do not slice it")),
        None => Ok(()),
    }
}

fn written(cell: Cell) -> String {
    match cell {
        Cell::Refused => "refuses".to_owned(),
        Cell::Sliced { usage, .. } => {
            let (cpu, wall) = (usage.cpu.as_secs_f64(), usage.wall.as_secs_f64());
            format!("{cpu:.2} / {wall:.2} / {:.0}", usage.peak_kib as f64 / 1024.0)
        }
    }
}

/// Our first sealed layer as a share of the fastest peer's whole time.
fn share(row: &Row) -> String {
    let fastest = row.peers.iter().filter_map(|cell| cell.usage()).map(|usage| usage.wall).min();
    let mark = if row.triangles > LARGE { "" } else { "·" };
    fastest.map_or("–".to_owned(), |peer| {
        format!("{mark}{:.1}%", 100.0 * row.first_sealed.as_secs_f64() / peer.as_secs_f64())
    })
}

fn ratios(row: &Row, peer: usize) -> Option<[f64; 4]> {
    let (ours, sealed, peer) = (row.ours.usage()?, row.sealed.usage()?, row.peers[peer].usage()?);
    let cpu = |of: Usage| of.cpu.as_secs_f64() / peer.cpu.as_secs_f64();
    let wall = ours.wall.as_secs_f64() / peer.wall.as_secs_f64();
    Some([cpu(ours), cpu(sealed), wall, ours.peak_kib as f64 / peer.peak_kib as f64])
}

fn means(rows: &[Row], peer: usize) -> Option<[f64; 4]> {
    let ratios: Vec<[f64; 4]> = rows.iter().filter_map(|row| ratios(row, peer)).collect();
    let count = ratios.len() as f64;
    (count > 0.0)
        .then(|| [0, 1, 2, 3].map(|at| (ratios.iter().map(|of| of[at].ln()).sum::<f64>() / count).exp()))
}

fn figures(ratios: &[f64; 4]) -> String {
    ratios.map(|ratio| format!("{ratio:>6.3}")).join("  ")
}
