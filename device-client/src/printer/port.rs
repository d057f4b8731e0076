//! The port under a [`crate::printer::marlin::MarlinPrinter`]: a serial line, or memory for the simulated machine (rules 28 to 30).
//!
//! A serial port is opened exclusively, raw and with HUPCL off, so that closing it doesn't reset the machine.
//! Pseudo-terminals take any speed and have no parity or DTR; what they can't do is left out, not an error.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::{Mode, OFlags};
use rustix::termios::{ControlModes, OptionalActions};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio_serial::{ClearBuffer, Parity, SerialPort, SerialPortBuilderExt, SerialStream};

use crate::printer::PrinterError;

/// Speeds tried where none is given, the machine's own before them (rule 29).
const SPEEDS: [u32; 5] = [250_000, 115_200, 500_000, 230_400, 57_600];

/// An open way to a machine.
#[derive(Debug)]
pub enum Port {
    /// A serial port or pseudo-terminal.
    Serial(Box<SerialStream>),
    /// The simulated machine's end of memory.
    Memory(DuplexStream),
}

impl Port {
    /// Opens a serial port by its path; a stable one such as `/dev/serial/by-id/…` outlives re-plugging.
    ///
    /// # Errors
    /// [`PrinterError::Open`] with the path as it was given.
    pub fn open(path: &Path, baud: u32) -> Result<Self, PrinterError> {
        let opened = keep_up_on_close(path).and_then(|()| open_raw(path, baud));
        let stream = opened.map_err(|source| PrinterError::Open { path: path.into(), source })?;
        Ok(Self::Serial(Box::new(stream)))
    }

    /// Changes the speed without closing, which would reset the machine once more; drops what was received.
    ///
    /// # Errors
    /// The system's, where the speed can't be had.
    pub fn change_speed(&mut self, baud: u32) -> io::Result<()> {
        let Self::Serial(stream) = self else { return Ok(()) };
        stream.set_baud_rate(baud)?;
        stream.clear(ClearBuffer::Input)?;
        Ok(())
    }

    /// Resets the machine by its DTR line: the last resort of an emergency stop (rule 22). Some machines have none.
    pub fn pulse_reset(&mut self) {
        if let Self::Serial(stream) = self {
            let pulse = stream.write_data_terminal_ready(false);
            if pulse.is_ok() {
                stream.write_data_terminal_ready(true).ok();
            }
        }
    }
}

/// The speeds to try, in order: the one given alone, else the machine's and the usual ones.
pub(super) fn speeds(given: Option<u32>, machine: u32) -> Vec<u32> {
    match given {
        Some(baud) => vec![baud],
        None => std::iter::once(machine).chain(SPEEDS.into_iter().filter(|&baud| baud != machine)).collect(),
    }
}

/// Turns HUPCL off, which would drop DTR, and with it the print, at our exit. The setting outlives this descriptor.
fn keep_up_on_close(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let port = rustix::fs::open(path, flags, Mode::empty())?;
    let mut settings = rustix::termios::tcgetattr(&port)?;
    settings.control_modes.remove(ControlModes::HUPCL);
    rustix::termios::tcsetattr(&port, OptionalActions::Now, &settings)?;
    Ok(())
}

fn open_raw(path: &Path, baud: u32) -> io::Result<SerialStream> {
    let path = PathBuf::from(path).into_os_string().into_string();
    let path = path.map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8"))?;
    let mut stream = tokio_serial::new(path, baud).open_native_async()?;
    // Some CH340 start with garbled framing until their parity is set once (rule 28); others can't, and needn't.
    if stream.set_parity(Parity::Odd).is_ok() {
        stream.set_parity(Parity::None)?;
    }
    stream.clear(ClearBuffer::All)?;
    Ok(stream)
}

impl AsyncRead for Port {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Serial(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Port {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Serial(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Memory(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // Flushing a serial port means tcdrain, which blocks the thread; written bytes leave by themselves.
            Self::Serial(_) => Poll::Ready(Ok(())),
            Self::Memory(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Serial(_) => Poll::Ready(Ok(())),
            Self::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, OutputModes, tcgetattr, tcsetattr};

    use super::*;

    #[test]
    fn rule_29_the_machines_own_speed_is_tried_first_and_a_given_one_alone() {
        assert_eq!(speeds(None, 115_200), [115_200, 250_000, 500_000, 230_400, 57_600]);
        assert_eq!(speeds(Some(9_600), 115_200), [9_600]);
    }

    /// A pseudo-terminal as it is made: cooked, echoing, hanging up at the last close. Its master and its slave's path.
    fn pseudo_terminal() -> (OwnedFd, PathBuf) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let mut settings = tcgetattr(&master).unwrap();
        settings.control_modes.insert(ControlModes::HUPCL);
        settings.local_modes.insert(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(&master, OptionalActions::Now, &settings).unwrap();
        (master, path.into())
    }

    #[tokio::test]
    async fn rule_28_a_port_is_opened_alone_raw_and_stays_up_when_it_is_closed() {
        let (master, path) = pseudo_terminal();
        let port = Port::open(&path, 115_200).unwrap();
        let settings = tcgetattr(&master).unwrap();
        assert!(!settings.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        assert!(!settings.output_modes.contains(OutputModes::OPOST), "bytes go out as they are");
        assert!(!settings.control_modes.contains(ControlModes::HUPCL), "closing it would reset the machine");
        let Port::Serial(stream) = &port else { panic!("not a serial port") };
        assert!(stream.exclusive(), "another program could write between our lines");
    }

    #[tokio::test]
    async fn a_port_that_is_not_there_is_named() {
        let error = Port::open(Path::new("/dev/no-such-printer"), 115_200).unwrap_err();
        assert!(error.to_string().contains("/dev/no-such-printer"), "{error}");
    }
}
