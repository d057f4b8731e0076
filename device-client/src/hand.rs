//! The owner's hand: whoever stands before the machine pauses a print, goes on with it, or ends it.
//!
//! A [`Hand`] is held outside the device and asks; the device answers whether it will. Nothing else can be asked for: what is
//! printed, and how, says the license.

use tokio::sync::{mpsc, oneshot};

/// Wishes that may wait to be heard.
const QUEUE: usize = 8;

/// What may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Take the head aside after the line under way, and wait.
    Pause,
    /// Go on with a print that is paused.
    Resume,
    /// End the job; the machine is made safe.
    Cancel,
}

/// Why it is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// There is no job, or it moves nothing yet.
    #[error("nothing is being printed")]
    NothingPrints,
    /// It is paused, or about to be.
    #[error("the print is paused, or about to be")]
    PausedAlready,
    /// It is not paused.
    #[error("the print is not paused")]
    NotPaused,
    /// The machine has parked its head itself: only it knows the way back.
    #[error(
        "the machine has parked its head itself: go on at the machine or in its own interface, or cancel"
    )]
    Parked,
    /// The last line is out, or the machine is being made safe.
    #[error("the print is ending")]
    Ending,
    /// The device serves nobody any more.
    #[error("the device serves no jobs")]
    Gone,
}

/// Asks one device; may be held by many.
#[derive(Debug, Clone)]
pub struct Hand(mpsc::Sender<Asked>);

/// The device's end.
#[derive(Debug)]
pub(crate) struct Wishes(mpsc::Receiver<Asked>);

/// A wish and whoever waits for its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) wish: Wish,
    answer: oneshot::Sender<Result<(), Declined>>,
}

pub(crate) fn hand() -> (Hand, Wishes) {
    let (asks, asked) = mpsc::channel(QUEUE);
    (Hand(asks), Wishes(asked))
}

impl Hand {
    /// Asks, and waits until the device has heard it.
    ///
    /// # Errors
    /// [`Declined`].
    pub async fn ask(&self, wish: Wish) -> Result<(), Declined> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Asked { wish, answer }).await.map_err(|_| Declined::Gone)?;
        answered.await.unwrap_or(Err(Declined::Gone))
    }
}

impl Wishes {
    /// The next wish whose asker still waits: whoever was told that nothing answers must not be surprised later. Cancel-safe;
    /// never ready while nobody holds a hand.
    pub(crate) async fn next(&mut self) -> Asked {
        loop {
            match self.0.recv().await {
                Some(asked) if asked.answer.is_closed() => {}
                Some(asked) => return asked,
                None => std::future::pending().await,
            }
        }
    }
}

impl Asked {
    pub(crate) fn answer(self, answer: Result<(), Declined>) {
        // Whoever asked may have gone; it is done all the same.
        let _ = self.answer.send(answer);
    }
}
