//! The switch that ends a store's answering: pulled once, never reset. Opening again is the only way on.

use std::sync::OnceLock;

use crate::{StopCause, StoreError};

/// Why the store has stopped, if it has.
#[derive(Debug, Default)]
pub struct Stop(OnceLock<(StopCause, String)>);

impl Stop {
    /// Stops the store; the first reason stays.
    pub fn pull(&self, cause: StopCause, reason: String) {
        if self.0.set((cause, reason)).is_ok() {
            tracing::error!(error = %self.error(), "a store has stopped: restart the service once mended");
        }
    }

    pub fn check(&self) -> Result<(), StoreError> {
        match self.0.get() {
            Some(_) => Err(self.error()),
            None => Ok(()),
        }
    }

    /// The answer to everything, whether or not somebody has said why.
    pub fn error(&self) -> StoreError {
        let ended = || (StopCause::Fault, "its writer ended".to_owned());
        let (cause, reason) = self.0.get().cloned().unwrap_or_else(ended);
        StoreError::Stopped { cause, reason }
    }
}

/// Pulls the switch if the thread that holds it ends by a panic.
pub struct Alarm<'a>(pub &'a Stop);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.pull(
                StopCause::Fault,
                "its writer panicked: open the store again, recovery takes the journal's word".to_owned(),
            );
        }
    }
}
