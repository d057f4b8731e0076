//! A lab tool: streams a G-code file of one's own to a machine through the guard and the wire.
//!
//! `cargo run -p layerlock-device --example stream -- serial:/dev/ttyUSB0 prusa-mk3s part.gcode`
//! With `one-line` at the end one line is in flight instead of four, on a serial port.
//! Nothing here is licensed, sealed or counted: it shows how a machine and its cable behave, and at what rate.

use std::path::Path;
use std::time::Instant;

use layerlock_device::guard::{Command, Guard, stripped};
use layerlock_device::printer::marlin::MarlinPrinter;
use layerlock_device::printer::simulated::Bench;
use layerlock_device::printer::{Greeting, LinkStats, Printer, PrinterError, PrinterTarget, Stop};
use layerlock_terms::machine::Machine;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, machine, file, window @ ..] = arguments.as_slice() else {
        return Err(
            "usage: stream simulated|serial:PATH[@BAUD]|klipper:SOCKET MACHINE FILE.gcode [one-line]".into(),
        );
    };
    let (target, machine) = (target.parse::<PrinterTarget>()?, Machine::named(machine)?);
    let commands = admitted(Path::new(file), machine)?;
    let one_line = window.iter().any(|word| word == "one-line");
    let (mut printer, greeting) = open(&target, machine, one_line).await?;
    tell(format_args!("{} at {:?} baud", greeting.firmware, greeting.baud));
    let begun = Instant::now();
    let printed = print(&mut *printer, &commands).await;
    summary(printer.stats(), begun);
    if let Err(error) = printed {
        tell(format_args!("{error}"));
        printer.stop(Stop::Safe).await?;
        return Err(error);
    }
    Ok(())
}

async fn open(
    target: &PrinterTarget,
    machine: &Machine,
    one_line: bool,
) -> Result<(Box<dyn Printer>, Greeting), PrinterError> {
    let (mut printer, greeting) = match target {
        PrinterTarget::Klipper(_) => return target.connect(machine).await,
        PrinterTarget::Simulated => MarlinPrinter::simulated(Bench::instant(machine)).await?,
        PrinterTarget::Paced(times) => MarlinPrinter::simulated(Bench::paced(machine, *times)).await?,
        PrinterTarget::Serial { path, baud } => MarlinPrinter::serial(path, *baud, machine.baud).await?,
    };
    if one_line {
        printer.one_line_at_a_time();
    }
    Ok((Box::new(printer), greeting))
}

fn admitted(file: &Path, machine: &Machine) -> Result<Vec<Command>, Failure> {
    let text = std::fs::read_to_string(file)?;
    let mut guard = Guard::new(machine);
    Ok(text.lines().filter_map(stripped).map(|line| guard.admit(line)).collect::<Result<_, _>>()?)
}

async fn print(printer: &mut dyn Printer, commands: &[Command]) -> Result<(), Failure> {
    for command in commands {
        printer.send(command).await?;
        while let Some(event) = printer.take_event() {
            tell(format_args!("{event:?}"));
        }
    }
    Ok(printer.drain().await?)
}

fn summary(stats: LinkStats, begun: Instant) {
    let rate = stats.last_acknowledged as f64 / begun.elapsed().as_secs_f64();
    tell(format_args!("{stats:?}"));
    tell(format_args!("{rate:.0} lines/s"));
}

fn tell(what: std::fmt::Arguments<'_>) {
    eprintln!("{what}");
}
