//! News from process to process, by LISTEN and NOTIFY.

use std::sync::Weak;
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{Executor as _, PgPool};
use tokio::sync::mpsc;

use super::words;
use crate::news::{News, Teller};
use crate::{Key, Revision};

/// Most bytes of a notification: PostgreSQL takes fewer than 8,000.
const NOTE_BYTES: usize = 7_800;

/// Most commits told at a time.
const NOTES: usize = 256;

/// Pause before listening is tried again.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// Where commits of a space are told.
pub(super) fn channel(space: &str) -> String {
    format!("layerlock_{space}")
}

/// Begins to listen to a space.
pub(super) async fn subscribe(pool: &PgPool, space: &str) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(&channel(space)).await?;
    Ok(listener)
}

/// Passes on what the database tells, for as long as the store lives. What was told while the connection was away is
/// lost, and the listeners hear that it is.
pub(super) async fn hear(pool: PgPool, space: String, first: PgListener, teller: Weak<Teller>) {
    let mut listener = Some(first);
    loop {
        let heard = match &mut listener {
            Some(listener) => listener.try_recv().await,
            None => match subscribe(&pool, &space).await {
                Ok(again) => {
                    listener = Some(again);
                    Ok(None)
                }
                Err(error) => Err(error),
            },
        };
        let Some(teller) = teller.upgrade() else { return };
        match heard {
            Ok(Some(note)) => teller.tell(read_note(note.payload())),
            Ok(None) => teller.tell(News::Missed),
            Err(error) => {
                tracing::warn!(error = %words(&error), "the database tells no news, listening again");
                listener = None;
                drop(teller);
                tokio::time::sleep(LISTEN_PAUSE).await;
            }
        }
    }
}

/// Tells other processes what was committed here, many commits at a time. It is no part of the commits: PostgreSQL lets
/// one transaction that notifies end after the other, the sync to its disk included.
pub(super) async fn tell(pool: PgPool, channel: String, mut notes: mpsc::UnboundedReceiver<String>) {
    let mut batch = Vec::new();
    while notes.recv_many(&mut batch, NOTES).await > 0 {
        let told = async {
            let mut transaction = pool.begin().await?;
            // Nothing of it needs to outlive a crash of the database, which every listener notices.
            transaction.execute("SET LOCAL synchronous_commit = off").await?;
            let query = sqlx::query("SELECT pg_notify($1, note)::text FROM UNNEST($2::text[]) AS note");
            query.bind(&channel).bind(&batch).execute(&mut *transaction).await?;
            transaction.commit().await
        };
        if let Err(error) = told.await {
            tracing::warn!(error = %words(&error), "commits could not be told to other processes");
        }
        batch.clear();
    }
}

/// A commit's news: its revision, then its keys in hexadecimal; no keys when they don't fit.
pub(super) fn write_note(revision: Revision, keys: &[Key]) -> String {
    let mut note = revision.0.to_string();
    for key in keys {
        note.push(' ');
        key.as_bytes().iter().for_each(|byte| note.push_str(&format!("{byte:02x}")));
        if note.len() > NOTE_BYTES {
            return revision.0.to_string();
        }
    }
    note
}

fn read_note(note: &str) -> News {
    let mut words = note.split(' ');
    let revision = words.next().and_then(|word| word.parse().ok().map(Revision));
    let keys: Option<Vec<Key>> = words.map(|word| Key::from_stored(&hexadecimal(word)?)).collect();
    match (revision, keys) {
        (Some(revision), Some(keys)) if !keys.is_empty() => News::Changed { revision, keys },
        _ => News::Missed,
    }
}

fn hexadecimal(word: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    word.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u8) -> Vec<Key> {
        (0..count).map(|at| Key::new("job", &[&[at; 16], &[0; 100]]).expect("short")).collect()
    }

    #[test]
    fn a_note_says_a_commits_keys_or_if_they_do_not_fit_that_some_were_missed() {
        let told = |count| read_note(&write_note(Revision(7), &keys(count)));
        assert_eq!(told(3), News::Changed { revision: Revision(7), keys: keys(3) });
        assert_eq!(told(100), News::Missed);
        assert!(write_note(Revision(u64::MAX), &keys(30)).len() < 8_000);
    }

    #[test]
    fn what_is_no_note_of_ours_is_taken_as_news_that_was_missed() {
        for strange in ["", "7", "x 00", "7 0g", "7 0", "7 +1", "7 \u{e9}\u{e9}"] {
            assert_eq!(read_note(strange), News::Missed, "{strange:?}");
        }
    }
}
