//! Reading records: as they are, and as they were at one moment.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{Executor as _, PgConnection, PgPool, Postgres, Row as _, Transaction};
use tokio::sync::Mutex;

use super::unavailable;
use crate::memory::takes_no_commits;
use crate::news::Teller;
use crate::{
    Claim, Commit, CommitError, Key, Listener, Listing, Page, Prefix, Record, Revision, Standing, Store,
    StoreError,
};

/// A space as it was at one moment.
pub(super) struct Moment {
    transaction: Mutex<Transaction<'static, Postgres>>,
    space: String,
}

impl Moment {
    pub(super) async fn begin(pool: &PgPool, space: &str) -> Result<Self, StoreError> {
        let begun = async {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            let mut transaction = pool.begin_with(begin).await?;
            // The first query fixes the moment. It also lets the transaction idle between pages while its reader thinks.
            transaction
                .execute("SELECT set_config('idle_in_transaction_session_timeout', '60s', true)")
                .await?;
            Ok(transaction)
        };
        let transaction = begun.await.map_err(|error| unavailable(&error))?;
        Ok(Self { transaction: Mutex::new(transaction), space: space.to_owned() })
    }
}

#[async_trait]
impl Store for Moment {
    async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        load(&mut **self.transaction.lock().await, &self.space, key).await
    }

    async fn commit(&self, _commit: Commit) -> Result<Revision, CommitError> {
        Err(takes_no_commits().into())
    }

    async fn list(&self, prefix: &Prefix, page: Page) -> Result<Listing, StoreError> {
        list(&mut **self.transaction.lock().await, &self.space, prefix, &page).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Store>>, StoreError> {
        Ok(None)
    }

    fn listen(&self) -> Listener {
        Teller::default().listen()
    }

    async fn claim(&self, _prefix: &Prefix, _lease: Duration) -> Result<Option<Claim>, StoreError> {
        Err(takes_no_commits())
    }

    async fn renew(&self, _claim: &Claim, _lease: Duration) -> Result<Standing, StoreError> {
        Err(takes_no_commits())
    }

    async fn release(&self, _claim: Claim) -> Result<(), StoreError> {
        Err(takes_no_commits())
    }
}

pub(super) async fn load(
    on: &mut PgConnection,
    space: &str,
    key: &Key,
) -> Result<Option<Record>, StoreError> {
    let query = sqlx::query("SELECT value, revision FROM layerlock_records WHERE space = $1 AND key = $2");
    let row = query.bind(space).bind(key.as_bytes()).fetch_optional(on).await;
    Ok(row.map_err(|error| unavailable(&error))?.as_ref().map(|row| record(row, 0)))
}

pub(super) async fn list(
    on: &mut PgConnection,
    space: &str,
    prefix: &Prefix,
    page: &Page,
) -> Result<Listing, StoreError> {
    let (first, beyond) = range(prefix);
    let after = page.start(prefix)?.map_or(&first[..], Key::as_bytes);
    let limit = page.bounded_limit();
    // The prefix itself is a key of no parts after it, and the first page begins with it.
    let from = if page.after.is_some() { "key > $2" } else { "key >= $2" };
    let query = format!(
        "SELECT key, value, revision FROM layerlock_records \
         WHERE space = $1 AND {from} AND key < $3 ORDER BY key LIMIT $4"
    );
    let query = sqlx::query(sqlx::AssertSqlSafe(query)).bind(space).bind(after).bind(beyond);
    let rows = query.bind(limit as i64 + 1).fetch_all(on).await;
    let rows = rows.map_err(|error| unavailable(&error))?;
    let records = rows.iter().map(|row| Ok((key_of(row)?, record(row, 1))));
    Ok(Listing::cut(records.collect::<Result<_, StoreError>>()?, limit))
}

pub(super) fn key_of(row: &PgRow) -> Result<Key, StoreError> {
    Key::from_stored(row.get(0)).ok_or_else(|| StoreError::Unavailable {
        detail: "the table layerlock_records holds a key no store of ours wrote".to_owned(),
    })
}

/// The keys a prefix covers, as bytes from which and before which.
pub(super) fn range(prefix: &Prefix) -> (Vec<u8>, Vec<u8>) {
    // A prefix ends with the mark of a part's end, 00 01: what it covers ends before 00 02.
    let first = prefix.first_key().as_bytes().to_vec();
    let mut beyond = first.clone();
    *beyond.last_mut().expect("a prefix has a table") += 1;
    (first, beyond)
}

pub(super) fn record(row: &PgRow, at: usize) -> Record {
    Record { value: row.get(at), revision: Revision(row.get::<i64, _>(at + 1) as u64) }
}
