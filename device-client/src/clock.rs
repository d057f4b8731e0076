//! Time: a clock that is passed in, and a time the owner of the device can't turn back (attack D5).
//!
//! The device's own clock is only a guess. Each session brings a moment signed by the vault; from there time
//! goes on by the own clock, and never behind the floor the journal keeps. A clock set back therefore finds
//! what had expired still expired. A clock that ran ahead makes its owner's holds and certificates expire early
//! until the program is started with the right time: only signed moments go into the journal.
//! Deliberately absent: any wish to set the system's clock.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use layerlock_terms::units::{Millis, Timestamp};

/// Where the device reads the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::of(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// A clock that reads what `now` gives.
    pub fn of(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now().0)
    }
}

/// The time the device acts by.
#[derive(Debug, Clone)]
pub struct TrustedTime {
    clock: Clock,
    /// The latest moment a vault signed; the journal keeps it over restarts.
    signed: Timestamp,
    /// What was reckoned last: time doesn't go back while the program runs, and this ends with it.
    reckoned: Timestamp,
    /// The last moment the vault signed, and what the own clock said then.
    anchor: Option<(Timestamp, Timestamp)>,
}

impl TrustedTime {
    /// Time that is never before `floor`.
    pub fn new(clock: Clock, floor: Timestamp) -> Self {
        Self { clock, signed: floor, reckoned: floor, anchor: None }
    }

    /// Takes a moment the vault signed just now; gives the floor to record, to which the own clock adds nothing.
    pub fn hear(&mut self, signed: Timestamp) -> Timestamp {
        self.anchor = Some((signed, self.clock.now()));
        self.signed = self.signed.max(signed);
        self.signed
    }

    /// How far the own clock was from the last moment the vault signed, either way.
    pub fn off(&self) -> Millis {
        self.anchor.map_or(Millis(0), |(signed, own)| signed.since(own).max(own.since(signed)))
    }

    /// The time now.
    pub fn now(&mut self) -> Timestamp {
        let own = self.clock.now();
        let reckoned = match self.anchor {
            Some((signed, then)) => signed.plus(own.since(then)),
            None => own,
        };
        self.reckoned = self.reckoned.max(self.signed).max(reckoned);
        self.reckoned
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn settable() -> (Arc<AtomicU64>, Clock) {
        let hand = Arc::new(AtomicU64::new(1_000));
        let read = Arc::clone(&hand);
        (hand, Clock::of(move || Timestamp(read.load(Ordering::SeqCst))))
    }

    #[test]
    fn a_clock_set_back_does_not_turn_time_back() {
        let (hand, clock) = settable();
        let mut time = TrustedTime::new(clock, Timestamp(900));
        assert_eq!(time.now(), Timestamp(1_000));
        hand.store(5, Ordering::SeqCst);
        assert_eq!(time.now(), Timestamp(1_000));
    }

    #[test]
    fn a_signed_moment_corrects_a_clock_that_was_set_back_before_the_start() {
        let (hand, clock) = settable();
        let mut time = TrustedTime::new(clock, Timestamp(0));
        time.hear(Timestamp(50_000));
        hand.store(1_250, Ordering::SeqCst);
        assert_eq!(time.now(), Timestamp(50_250));
    }

    #[test]
    fn a_clock_that_is_off_is_noticed_either_way() {
        for (own, signed) in [(1_000, 601_000), (601_000, 1_000)] {
            let mut time = TrustedTime::new(Clock::of(move || Timestamp(own)), Timestamp(0));
            assert_eq!(time.off(), Millis(0));
            time.hear(Timestamp(signed));
            assert_eq!(time.off(), Millis(600_000));
        }
    }

    #[test]
    fn the_floor_of_an_earlier_run_holds_before_the_first_session() {
        let (_, clock) = settable();
        assert_eq!(TrustedTime::new(clock, Timestamp(9_999)).now(), Timestamp(9_999));
    }

    #[test]
    fn a_clock_that_ran_ahead_leaves_nothing_in_the_journal() {
        let (hand, clock) = settable();
        hand.store(4_000_000, Ordering::SeqCst);
        let mut time = TrustedTime::new(clock.clone(), Timestamp(2_000));
        assert_eq!(time.now(), Timestamp(4_000_000));
        let kept = time.hear(Timestamp(3_000));
        assert_eq!(kept, Timestamp(3_000));
        assert_eq!(time.now(), Timestamp(4_000_000), "time doesn't go back in one run");
        hand.store(3_100, Ordering::SeqCst);
        assert_eq!(TrustedTime::new(clock, kept).now(), Timestamp(3_100), "the next start is right again");
    }
}
