//! Why a connection is over, and what is told of it.

use super::LONG_RUN;
use crate::printer::klipper::words;
use crate::printer::{LinkStats, PrinterError};

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::printer::klipper) enum Ending {
    /// Klipper did not run a line.
    Refused(String),
    /// Klipper has stopped itself.
    Halted(String),
    /// It began anew.
    Restarted,
    /// It is silent.
    Silent,
    /// It says what is no JSON.
    Babble,
    /// A heater took too long.
    Cold,
    /// A heater that was waited for was turned off.
    TurnedOff,
}

impl Ending {
    /// The error to report.
    pub(in crate::printer::klipper) fn error(&self, stats: LinkStats) -> PrinterError {
        let last = stats.last_acknowledged;
        match self {
            Self::Refused(message) if message.contains("Extrude below minimum temp") => {
                PrinterError::ColdExtrusion { last }
            }
            Self::Refused(message) => PrinterError::Refused { last, message: words::plain(message) },
            Self::Halted(message) => PrinterError::Fault { last, message: words::plain(message) },
            Self::Restarted => PrinterError::Restarted { last },
            Self::Silent => PrinterError::Silent { last, probes: 1 },
            Self::Babble => PrinterError::LinkLost { last, cause: "what it says is no JSON".into() },
            Self::TurnedOff => PrinterError::Fault {
                last,
                message: "somebody, or Klipper's idle timeout, turned a heater off while it was to get warm"
                    .into(),
            },
            Self::Cold => PrinterError::Fault {
                last,
                message: format!(
                    "check heater and thermistor: not warm within {} min",
                    LONG_RUN.as_secs() / 60
                ),
            },
        }
    }

    /// Whether Klipper still does what it is told.
    pub(in crate::printer::klipper) fn still_listens(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Babble | Self::Cold | Self::TurnedOff | Self::Silent => true,
            Self::Halted(_) | Self::Restarted => false,
        }
    }
}
