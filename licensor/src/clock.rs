//! Time and randomness as the licensor is given them: the only two things it can't compute.
//!
//! Everything that decides takes a moment and random bytes as arguments; these two are where a running service
//! gets them, and where a test puts its own. Deliberately absent: waiting. Who waits is `run`'s caller.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use layerlock_terms::units::Timestamp;
use rand_core::{TryCryptoRng, TryRng};

/// Says what time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

/// Fills bytes with randomness fit for keys.
#[derive(Clone)]
#[expect(clippy::type_complexity, reason = "a shared function, said as plainly as Rust allows")]
pub struct Randomness(Arc<dyn Fn(&mut [u8]) + Send + Sync>);

/// One use of [`Randomness`], in the form `seal` takes it.
pub(crate) struct Source<'a>(&'a Randomness);

impl Clock {
    /// The machine's clock; a moment before 1970 reads as 1970.
    pub fn system() -> Self {
        Self::of(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// The clock that `now` reads.
    pub fn of(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The moment.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Randomness {
    /// The operating system's.
    ///
    /// # Panics
    /// When drawing and the system has none: a licensor without randomness must not go on.
    pub fn system() -> Self {
        Self::of(|bytes| getrandom::fill(bytes).expect("the operating system gives randomness"))
    }

    /// The source that `fill` fills from.
    pub fn of(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// `N` bytes.
    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }

    pub(crate) fn source(&self) -> Source<'_> {
        Source(self)
    }
}

impl TryRng for Source<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.0.bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.0.bytes()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        (self.0.0)(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Source<'_> {}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness")
    }
}
