//! The rules of Klipper, each by its number, against the double.

mod begin;
mod link;
mod machine;
mod scripts;
mod stop;
mod whole;

use std::collections::BTreeSet;
use std::path::Path;

use super::double::{AHEAD, Double, Fault, HOMING};
use super::speech::Tongue;
use super::wire::{LOAD, LOAD_BYTES, LOAD_LINES, QUIET};
use super::*;
use crate::guard::Guard;
use crate::printer::PrinterTarget;

const BOTH: [Tongue; 2] = [Tongue::Klipper, Tongue::Moonraker];

async fn plug(double: &Double, tongue: Tongue) -> KlipperPrinter {
    let road = (double.clone(), tongue).open().await.unwrap();
    KlipperPrinter::on(road, tongue, Tap::default())
}

async fn ready(double: &Double, tongue: Tongue) -> KlipperPrinter {
    let mut printer = plug(double, tongue).await;
    printer.greet().await.unwrap().expect("the double is ready");
    printer
}

fn command(text: &str) -> Command {
    Command::unchecked(text)
}

async fn send(printer: &mut KlipperPrinter, lines: &[&str]) -> Result<(), PrinterError> {
    for line in lines {
        printer.send(&command(line)).await?;
    }
    Ok(())
}

/// A hundred moves of 10 mm at 10 mm/s, filament with each.
async fn squares(printer: &mut KlipperPrinter) -> Result<(), PrinterError> {
    send(printer, &["M109 S200", "G28", "M83", "G1 X10 Y10 Z1 F600"]).await?;
    for nth in 0..25 {
        let fed = format!("E0.{}", nth + 1);
        for corner in ["X20", "Y20", "X10", "Y10"] {
            printer.send(&command(&format!("G1 {corner} {fed}"))).await?;
        }
    }
    printer.drain().await
}

fn is_of_the_job(line: &str) -> bool {
    line.starts_with("G1") && !line.contains("Z10")
}

fn ran(double: &Double, line: &str) -> bool {
    double.see(|seen| seen.lines.iter().any(|ran| ran == line))
}
