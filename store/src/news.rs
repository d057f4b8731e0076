//! News: which records changed, told to whoever listens in any process that shares them.
//!
//! News is a hint and never the truth: it comes after a commit is durable, says keys and no values, and may be lost with a
//! connection or a process. A listener that may have missed some is told so; one that can't afford to miss any looks over
//! everything it watches now and then.

use tokio::sync::broadcast;

use crate::{Commit, Key, Revision};

/// Commits a slow listener may be behind before it is told that it missed some.
const BEHIND: usize = 1024;

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A commit wrote these keys.
    Changed {
        /// The commit.
        revision: Revision,
        /// What it put or deleted.
        keys: Vec<Key>,
    },
    /// Something may have changed that was not told: look at everything again.
    Missed,
}

/// One listener's end.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<News>);

/// A store's end.
#[derive(Debug)]
pub(crate) struct Teller(broadcast::Sender<News>);

impl Listener {
    /// The next news; ends with the store.
    pub async fn next(&mut self) -> Option<News> {
        match self.0.recv().await {
            Ok(news) => Some(news),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(News::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Default for Teller {
    fn default() -> Teller {
        Teller(broadcast::Sender::new(BEHIND))
    }
}

impl Teller {
    pub(crate) fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }

    pub(crate) fn tell(&self, news: News) {
        // Nobody listens: nobody misses it.
        let _ = self.0.send(news);
    }

    /// The keys a commit changes, if anybody listens: taken before the commit is used up.
    pub(crate) fn keys_for_listeners(&self, commit: &Commit) -> Option<Vec<Key>> {
        (self.0.receiver_count() > 0).then(|| commit.changed_keys()).filter(|keys| !keys.is_empty())
    }
}
