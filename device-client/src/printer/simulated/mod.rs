//! The simulated machine: Marlin's manners over a body of axes and heaters, inside this process.
//!
//! [`Firmware`] is what a board runs: receive buffer, line numbers, queue, planner, answers; [`Body`] is what
//! it moves and refuses; [`Faults`] is the cable between it and the host. All three are pure, with time as an
//! argument, and ship with the library: whoever builds on the link can put the same faults on it.
//! [`Bench`] puts them behind a pipe in memory, so that `--printer simulated` runs the code a serial port runs.

mod body;
mod faults;
mod firmware;
mod laid;
mod record;

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use layerlock_terms::machine::Machine;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

pub use body::{Body, Deed};
pub use faults::{Fault, Faults};
pub use firmware::{Firmware, Manners, Pace};
pub use laid::Bead;
pub use record::Record;

/// A simulated machine about to be plugged in.
#[derive(Debug)]
pub struct Bench {
    /// The machine it is.
    pub machine: Machine,
    /// How its firmware behaves.
    pub manners: Manners,
    /// What goes wrong on its cable.
    pub faults: Faults,
}

impl Bench {
    /// A machine on a good cable that does everything in no time, yet counts how long it would have taken.
    pub fn instant(machine: &Machine) -> Self {
        Self { machine: *machine, manners: Manners::default(), faults: Faults::none() }
    }

    /// The same at the pace of a real machine, or so many times faster.
    pub fn paced(machine: &Machine, times: NonZeroU32) -> Self {
        let manners = Manners { pace: Pace::Times(times.get().into()), ..Manners::default() };
        Self { manners, ..Self::instant(machine) }
    }

    /// Starts the machine; the stream is its serial port, the firmware is shared for reading its record.
    /// Must be called inside a tokio runtime; the machine lives until its stream is dropped.
    pub fn plug_in(self) -> (DuplexStream, Arc<Mutex<Firmware>>) {
        let (host, board) = tokio::io::duplex(4096);
        let firmware = Arc::new(Mutex::new(Firmware::new(&self.machine, self.manners, self.faults)));
        tokio::spawn(run(Arc::clone(&firmware), board));
        (host, firmware)
    }
}

async fn run(firmware: Arc<Mutex<Firmware>>, mut cable: DuplexStream) {
    let started = Instant::now();
    let mut buffer = vec![0; 4096];
    let mut received = 0;
    loop {
        let (output, wake) = turn(&firmware, &buffer[..received], started.elapsed());
        let hung_up = output.is_none();
        if cable.write_all(&output.unwrap_or_default()).await.is_err() || hung_up {
            return;
        }
        received = match wake {
            Some(at) => {
                tokio::time::timeout_at(started + at, cable.read(&mut buffer)).await.unwrap_or(Ok(usize::MAX))
            }
            None => cable.read(&mut buffer).await,
        }
        .unwrap_or(0);
        match received {
            0 => return,
            usize::MAX => received = 0,
            _ => {}
        }
    }
}

/// One turn of the firmware: what it says, `None` once the cable is cut, and when it wants to be called again.
fn turn(firmware: &Mutex<Firmware>, received: &[u8], now: Duration) -> (Option<Vec<u8>>, Option<Duration>) {
    let mut firmware = firmware.lock().expect("a firmware does not panic");
    firmware.receive(received, now);
    (firmware.take_output(), firmware.wake())
}

#[cfg(test)]
mod tests;
