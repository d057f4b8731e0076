//! The switch that ends a store's answering: pulled once, never reset. Opening again is the only way on.

use std::sync::OnceLock;

use crate::StoreError;

/// Why the store has stopped, if it has.
#[derive(Debug, Default)]
pub struct Stop(OnceLock<String>);

impl Stop {
    /// Stops the store; the first reason stays.
    pub fn pull(&self, reason: String) {
        if self.0.set(reason).is_ok() {
            tracing::error!(reason = self.0.get(), "the store has stopped");
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
        let reason = self.0.get().map_or("its writer ended", String::as_str);
        StoreError::Stopped { reason: reason.to_owned() }
    }
}

/// Pulls the switch if the thread that holds it ends by a panic.
pub struct Alarm<'a>(pub &'a Stop);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.pull(
                "its writer panicked: open the store again, recovery takes the journal's word".to_owned(),
            );
        }
    }
}
