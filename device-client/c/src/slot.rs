//! What keeps two calls apart, and keeps a panic from being the caller's.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use layerlock_device::embed::EmbedError;

use crate::{ll_status, status};

/// Something one call at a time may use.
pub(crate) struct Slot<T> {
    busy: AtomicBool,
    inner: UnsafeCell<Inner<T>>,
}

struct Inner<T> {
    /// `None` after a panic: what it left half done is not used again.
    held: Option<T>,
    /// Why the last call ended as it did, where that was an error.
    message: String,
}

/// The right to use what is in a slot, for as long as one call lasts.
struct Turn<'a>(&'a AtomicBool);

impl<T> Slot<T> {
    pub(crate) fn new(held: T) -> Self {
        let inner = UnsafeCell::new(Inner { held: Some(held), message: String::new() });
        Self { busy: AtomicBool::new(false), inner }
    }

    /// Does something with it.
    pub(crate) fn with(&self, work: impl FnOnce(&mut T) -> Result<(), EmbedError>) -> ll_status {
        let Some(_turn) = self.turn() else { return ll_status::LL_BUSY };
        // SAFETY: a turn is had by one call at a time, so this is the only reference.
        let inner = unsafe { &mut *self.inner.get() };
        let Some(mut held) = inner.held.take() else { return ll_status::LL_PANIC };
        inner.message.clear();
        // A panic drops what was held, so that nothing half done is used again; keys are erased with it.
        let worked = catch_unwind(AssertUnwindSafe(move || {
            let done = work(&mut held);
            (held, done)
        }));
        let Ok((held, done)) = worked else {
            "something in this library is broken; report it".clone_into(&mut inner.message);
            return ll_status::LL_PANIC;
        };
        inner.held = Some(held);
        match done {
            Ok(()) => ll_status::LL_OK,
            Err(error) => {
                inner.message = error.to_string();
                status(&error)
            }
        }
    }

    /// Looks at it and at the last call's message, also after a panic.
    pub(crate) fn look(&self, look: impl FnOnce(Option<&T>, &str)) -> ll_status {
        let Some(_turn) = self.turn() else { return ll_status::LL_BUSY };
        // SAFETY: as above.
        let inner = unsafe { &*self.inner.get() };
        let looked = catch_unwind(AssertUnwindSafe(|| look(inner.held.as_ref(), &inner.message)));
        if looked.is_ok() { ll_status::LL_OK } else { ll_status::LL_PANIC }
    }

    fn turn(&self) -> Option<Turn<'_>> {
        (!self.busy.swap(true, Ordering::Acquire)).then_some(Turn(&self.busy))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use layerlock_device::embed::HostError;

    use super::*;

    fn message(slot: &Slot<u32>) -> String {
        let mut said = String::new();
        assert_eq!(slot.look(|_, message| message.clone_into(&mut said)), ll_status::LL_OK);
        said
    }

    #[test]
    fn a_panic_ends_as_a_status_and_the_device_answers_nothing_else() {
        let slot = Slot::new(7);
        assert_eq!(slot.with(|_| panic!("broken on purpose")), ll_status::LL_PANIC);
        assert_eq!(slot.with(|_| Ok(())), ll_status::LL_PANIC);
        assert!(message(&slot).contains("report it"));
    }

    #[test]
    fn a_call_from_inside_a_call_is_told_busy_and_does_nothing() {
        let slot = Slot::new(7);
        let mut inside = None;
        let outside = slot.with(|held| {
            *held = 8;
            inside = Some(slot.with(|held| {
                *held = 9;
                Ok(())
            }));
            Ok(())
        });
        assert_eq!((outside, inside), (ll_status::LL_OK, Some(ll_status::LL_BUSY)));
        slot.look(|held, _| assert_eq!(held, Some(&8)));
    }

    #[test]
    fn an_error_is_told_in_words_until_the_next_call() {
        let slot = Slot::new(7);
        assert_eq!(slot.with(|_| Err(EmbedError::Host(HostError("append")))), ll_status::LL_HOST);
        assert!(message(&slot).contains("append"));
        assert_eq!(slot.with(|_| Ok(())), ll_status::LL_OK);
        assert_eq!(message(&slot), "");
    }
}
