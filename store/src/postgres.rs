//! Records in PostgreSQL: the same contract, for houses that outgrow one machine's disk.
//!
//! A *space* is one service's records in a database that may hold several. A commit takes the keys it names first, by
//! advisory locks, so commits of one key happen one after the other and those of different keys share the disk's syncs;
//! what a commit sees of its keys is what the one before it left. A read is one statement, so it sees commits whole.
//! Durable is what PostgreSQL calls durable: a database that is set up to forget is refused when it is opened.
//!
//! What a commit changed is told by NOTIFY right after it; claims are rows of a table of their own, taken with
//! SKIP LOCKED, by the database's clock.
//!
//! Deliberately absent: retries. A commit that got no answer may have been stored, and only its caller knows how to ask.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::types::PgInterval;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgRow, PgSslMode};
use sqlx::{Executor as _, PgConnection, PgPool, Postgres, Row as _, Transaction};
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use crate::claim::Holder;
use crate::memory::takes_no_commits;
use crate::news::{News, Teller};
use crate::{
    Change, Claim, Commit, CommitError, Key, Listener, Listing, Page, Prefix, Record, Revision, Standing,
    Store, StoreError, Write,
};

/// Connections a process holds at most.
const CONNECTIONS: u32 = 16;

/// Longest wait for a connection, and for a statement.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a connection is set up, whatever the role's defaults are. A node that dies in the middle of a commit must not
/// hold its keys for longer than its successor waits.
const SETUP: &str = "SET synchronous_commit = on; SET statement_timeout = '10s'; \
                     SET idle_in_transaction_session_timeout = '5s'";

/// The tables, made under a lock so that several nodes may open at once.
const SCHEMA: &str = "
    SELECT pg_advisory_xact_lock(7812449102);
    CREATE TABLE IF NOT EXISTS layerlock_records (
        space text NOT NULL,
        key bytea NOT NULL,
        value bytea NOT NULL,
        revision bigint NOT NULL,
        PRIMARY KEY (space, key)
    );
    CREATE TABLE IF NOT EXISTS layerlock_claims (
        space text NOT NULL,
        key bytea NOT NULL,
        holder bigint NOT NULL,
        until timestamptz NOT NULL,
        PRIMARY KEY (space, key)
    );
    CREATE SEQUENCE IF NOT EXISTS layerlock_holders;
";

/// Takes every key a commit names, in one order for all, so that no two commits wait for each other. The space itself is
/// shared by commits of few keys and taken whole by one of many, because a database has room for so many locks only.
const LOCK_SPACE: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 781245))";
const SHARE_SPACE: &str = "SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 781245))";
const LOCK_KEYS: &str = "
    SELECT pg_advisory_xact_lock(lock) FROM (
        SELECT DISTINCT hashtextextended($1 || encode(key, 'hex'), 781246) AS lock
        FROM UNNEST($2::bytea[]) AS key ORDER BY lock
    ) AS locks
";

/// Most keys that are taken one by one.
const FEW: usize = 32;

/// All writes of a commit in one statement: its revision, drawn while its keys are held, so that a key's revisions grow;
/// what is gone and what is put.
const WRITE: &str = "
    WITH revision AS MATERIALIZED (SELECT nextval($5::regclass) AS drawn),
    gone AS (DELETE FROM layerlock_records WHERE space = $1 AND key = ANY($2)),
    put AS (
        INSERT INTO layerlock_records (space, key, value, revision)
        SELECT $1, new.key, new.value, drawn FROM UNNEST($3::bytea[], $4::bytea[]) AS new(key, value), revision
        ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, revision = excluded.revision
    )
    SELECT drawn FROM revision
";

/// The record written longest ago that nobody has a claim on, claimed. The first row says whether there was a record,
/// its last column whether it was got: another node may have been faster in between.
const CLAIM: &str = "
    WITH next AS (
        SELECT r.key, r.value, r.revision FROM layerlock_records r
        LEFT JOIN layerlock_claims c ON c.space = r.space AND c.key = r.key
        WHERE r.space = $1 AND r.key >= $2 AND r.key < $3 AND (c.key IS NULL OR c.until < clock_timestamp())
        ORDER BY r.revision LIMIT 1
        FOR UPDATE OF r SKIP LOCKED
    ), taken AS (
        INSERT INTO layerlock_claims AS c (space, key, holder, until)
        SELECT $1, key, nextval('layerlock_holders'), clock_timestamp() + $4 FROM next
        ON CONFLICT (space, key) DO UPDATE SET holder = excluded.holder, until = excluded.until
        WHERE c.until < clock_timestamp()
        RETURNING key, holder
    )
    SELECT next.key, next.value, next.revision, taken.holder FROM next LEFT JOIN taken USING (key)
";

const RENEW: &str = "
    UPDATE layerlock_claims SET until = clock_timestamp() + $4
    WHERE space = $1 AND key = $2 AND holder = $3 AND until > clock_timestamp()
";

/// What dead nodes left, long after anybody could renew it.
const TIDY: &str =
    "DELETE FROM layerlock_claims WHERE space = $1 AND until < clock_timestamp() - interval '1 hour'";

/// Most bytes of a notification: PostgreSQL takes fewer than 8,000.
const NOTE_BYTES: usize = 7_800;

/// Most commits told at a time.
const NOTES: usize = 256;

/// Pause before listening is tried again.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// Records of one space of a PostgreSQL database, shared by any number of processes.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    space: String,
    teller: Arc<Teller>,
    /// What this process committed, on its way to the listeners of others.
    notes: mpsc::UnboundedSender<String>,
    tasks: [AbortHandle; 2],
    /// Holds the space's claim, if this store has it alone, for as long as the connection lives.
    _claim: Option<Mutex<PgConnection>>,
}

/// Why a database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Not an address of a database.
    #[error(
        "this is no PostgreSQL address ({0}): write it as postgresql://user@host/database?sslmode=verify-full"
    )]
    Address(String),
    /// Records would cross a network that anybody on the way can read and change.
    #[error(
        "the database {host} is on another machine and its address does not say sslmode=verify-full: add it, and \
         sslrootcert=FILE if its authority is your own"
    )]
    Unprotected {
        /// The host.
        host: String,
    },
    /// Another process has the space for itself.
    #[error("the records of the {space} in this database are in use by another process: stop that one first")]
    InUse {
        /// The space.
        space: String,
    },
    /// Nobody answers, or says no.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// What was answered could be lost.
    #[error("the database has `{setting}` off, so commits that were answered could be lost: switch it on")]
    Forgetful {
        /// The setting.
        setting: &'static str,
    },
}

impl PostgresStore {
    /// Opens a space of the database at `address`, made if it is not there.
    ///
    /// # Errors
    /// [`PostgresError`] says what is wrong with the address or the database.
    pub async fn open(address: &str, space: &str) -> Result<Self, PostgresError> {
        if !address.starts_with("postgresql://") && !address.starts_with("postgres://") {
            return Err(PostgresError::Address("it begins with another word".to_owned()));
        }
        let options = PgConnectOptions::from_str(address);
        let options = options.map_err(|error| PostgresError::Address(error.to_string()))?;
        let host = options.get_host();
        let near = options.get_socket().is_some() || is_near(host);
        if !near && options.get_ssl_mode() as u8 != PgSslMode::VerifyFull as u8 {
            return Err(PostgresError::Unprotected { host: host.to_owned() });
        }
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| Box::pin(async move { connection.execute(SETUP).await.map(drop) }))
            .connect_with(options.application_name("layerlock"));
        let pool = pool.await.map_err(|error| PostgresError::Unavailable(words(&error)))?;
        check_durability(&pool).await?;
        let unavailable = |error| PostgresError::Unavailable(words(&error));
        make_tables(&pool, space).await.map_err(unavailable)?;
        let teller = Arc::new(Teller::default());
        let listener = subscribe(&pool, space).await.map_err(unavailable)?;
        let listening = tokio::spawn(hear(pool.clone(), space.to_owned(), listener, Arc::downgrade(&teller)));
        let (notes, telling) = mpsc::unbounded_channel();
        let telling = tokio::spawn(tell(pool.clone(), channel(space), telling));
        let tasks = [listening.abort_handle(), telling.abort_handle()];
        Ok(Self { pool, space: space.to_owned(), teller, notes, tasks, _claim: None })
    }

    /// Opens a space for one process alone, for a service that can't share its records with another one of its kind.
    ///
    /// # Errors
    /// As [`PostgresStore::open`], and [`PostgresError::InUse`].
    pub async fn open_alone(address: &str, space: &str) -> Result<Self, PostgresError> {
        let mut store = Self::open(address, space).await?;
        let unavailable = |error: sqlx::Error| PostgresError::Unavailable(words(&error));
        let mut claim = store.pool.acquire().await.map_err(unavailable)?.detach();
        let query = sqlx::query("SELECT pg_try_advisory_lock(781244, hashtext($1))").bind(space);
        let row = query.fetch_one(&mut claim).await.map_err(unavailable)?;
        match row.get(0) {
            true => {
                store._claim = Some(Mutex::new(claim));
                Ok(store)
            }
            false => Err(PostgresError::InUse { space: space.to_owned() }),
        }
    }

    /// Takes the keys a commit names until its transaction ends.
    async fn lock(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        writes: &[Write],
    ) -> Result<(), sqlx::Error> {
        let few = writes.len() <= FEW;
        let space = sqlx::query(if few { SHARE_SPACE } else { LOCK_SPACE }).bind(&self.space);
        space.execute(&mut **transaction).await?;
        if few {
            let keys: Vec<&[u8]> = writes.iter().map(|write| write.key.as_bytes()).collect();
            let keys = sqlx::query(LOCK_KEYS).bind(&self.space).bind(keys);
            keys.execute(&mut **transaction).await?;
        }
        Ok(())
    }

    /// Who last wrote the keys whose state the commit depends on.
    async fn revisions(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        writes: &[Write],
    ) -> Result<Vec<(Vec<u8>, Revision)>, sqlx::Error> {
        let expecting = writes.iter().filter(|write| write.expect != crate::Expect::Anything);
        let keys: Vec<&[u8]> = expecting.map(|write| write.key.as_bytes()).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let query =
            sqlx::query("SELECT key, revision FROM layerlock_records WHERE space = $1 AND key = ANY($2)");
        let rows = query.bind(&self.space).bind(keys).fetch_all(&mut **transaction).await?;
        Ok(rows.iter().map(|row| (row.get(0), Revision(row.get::<i64, _>(1) as u64))).collect())
    }

    async fn write(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        commit: Commit,
    ) -> Result<Revision, sqlx::Error> {
        let (mut gone, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for Write { key, change, .. } in commit.into_writes() {
            match change {
                Change::Put(value) => {
                    keys.push(key.as_bytes().to_vec());
                    values.push(value);
                }
                Change::Delete => gone.push(key.as_bytes().to_vec()),
                Change::Keep => {}
            }
        }
        let query = sqlx::query(WRITE).bind(&self.space).bind(gone).bind(keys).bind(values);
        let row = query.bind(sequence(&self.space)).fetch_one(&mut **transaction).await?;
        Ok(Revision(row.get::<i64, _>(0) as u64))
    }

    async fn try_commit(&self, commit: Commit) -> Result<Result<Revision, Key>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        self.lock(&mut transaction, commit.writes()).await?;
        let known = self.revisions(&mut transaction, commit.writes()).await?;
        let current = |key: &Key| {
            let found = known.iter().find(|(known, _)| known == key.as_bytes());
            Ok::<_, std::convert::Infallible>(found.map(|(_, revision)| *revision))
        };
        let Ok(conflict) = commit.first_conflict(current);
        if let Some(key) = conflict {
            // Dropped without a commit, the transaction is undone.
            return Ok(Err(key.clone()));
        }
        if !commit.changes_something() {
            let newest = format!("SELECT last_value FROM {}", sequence(&self.space));
            let row = sqlx::query(sqlx::AssertSqlSafe(newest)).fetch_one(&mut *transaction).await?;
            return Ok(Ok(Revision(row.get::<i64, _>(0) as u64)));
        }
        let keys = commit.changed_keys();
        let revision = self.write(&mut transaction, commit).await?;
        // If we crash here, nothing happened; if after, all of it did, whether or not the caller heard.
        transaction.commit().await?;
        // If we crash here, nobody is told, and who listens finds out when it looks over everything.
        // The teller's task ends with this store, so somebody takes it.
        let _ = self.notes.send(write_note(revision, &keys));
        self.teller.tell(News::Changed { revision, keys });
        Ok(Ok(revision))
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn load(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(|error| unavailable(&error))?;
        load(&mut connection, &self.space, key).await
    }

    async fn commit(&self, commit: Commit) -> Result<Revision, CommitError> {
        commit.admit()?;
        match self.try_commit(commit).await.map_err(|error| unavailable(&error))? {
            Ok(revision) => Ok(revision),
            Err(key) => Err(CommitError::Conflict { key }),
        }
    }

    async fn list(&self, prefix: &Prefix, page: Page) -> Result<Listing, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(|error| unavailable(&error))?;
        list(&mut connection, &self.space, prefix, &page).await
    }

    async fn snapshot(&self) -> Result<Option<Arc<dyn Store>>, StoreError> {
        let begun = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
        let mut transaction = begun.map_err(|error| unavailable(&error))?;
        // It idles between pages while its reader thinks. The first statement fixes the moment.
        let patient = "SET LOCAL idle_in_transaction_session_timeout = '60s'";
        transaction.execute(patient).await.map_err(|error| unavailable(&error))?;
        Ok(Some(Arc::new(Moment { transaction: Mutex::new(transaction), space: self.space.clone() })))
    }

    fn listen(&self) -> Listener {
        self.teller.listen()
    }

    async fn claim(&self, prefix: &Prefix, lease: Duration) -> Result<Option<Claim>, StoreError> {
        let (first, beyond) = range(prefix);
        loop {
            let query = sqlx::query(CLAIM).bind(&self.space).bind(&first).bind(&beyond).bind(interval(lease));
            let row = query.fetch_optional(&self.pool).await.map_err(|error| unavailable(&error))?;
            let Some(row) = row else { return Ok(None) };
            // Without a holder another node was faster: there may be more behind it.
            if let Some(holder) = row.get(3) {
                let (key, record) = (key_of(&row)?, record(&row, 1));
                return Ok(Some(Claim { key, record, holder: Holder(holder) }));
            }
        }
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Standing, StoreError> {
        let query = sqlx::query(RENEW).bind(&self.space).bind(claim.key.as_bytes());
        let query = query.bind(claim.holder.0).bind(interval(lease));
        let done = query.execute(&self.pool).await.map_err(|error| unavailable(&error))?;
        Ok(if done.rows_affected() == 1 { Standing::Held } else { Standing::Lost })
    }

    async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        let query = "DELETE FROM layerlock_claims WHERE space = $1 AND key = $2 AND holder = $3";
        let query = sqlx::query(query).bind(&self.space).bind(claim.key.as_bytes()).bind(claim.holder.0);
        query.execute(&self.pool).await.map(drop).map_err(|error| unavailable(&error))
    }
}

/// A space as it was at one moment.
struct Moment {
    transaction: Mutex<Transaction<'static, Postgres>>,
    space: String,
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

async fn load(on: &mut PgConnection, space: &str, key: &Key) -> Result<Option<Record>, StoreError> {
    let query = sqlx::query("SELECT value, revision FROM layerlock_records WHERE space = $1 AND key = $2");
    let row = query.bind(space).bind(key.as_bytes()).fetch_optional(on).await;
    Ok(row.map_err(|error| unavailable(&error))?.as_ref().map(|row| record(row, 0)))
}

async fn list(
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

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn interval(lease: Duration) -> PgInterval {
    let microseconds = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}

fn key_of(row: &PgRow) -> Result<Key, StoreError> {
    Key::from_stored(row.get(0)).ok_or_else(|| StoreError::Unavailable {
        detail: "the table layerlock_records holds a key no store of ours wrote".to_owned(),
    })
}

async fn check_durability(pool: &PgPool) -> Result<(), PostgresError> {
    for setting in ["fsync", "full_page_writes"] {
        let query = sqlx::query("SELECT current_setting($1)").bind(setting);
        let row = query.fetch_one(pool).await;
        let row = row.map_err(|error| PostgresError::Unavailable(words(&error)))?;
        let value: String = row.get(0);
        if value != "on" {
            return Err(PostgresError::Forgetful { setting });
        }
    }
    Ok(())
}

async fn make_tables(pool: &PgPool, space: &str) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    transaction.execute(SCHEMA).await?;
    let revisions = format!("CREATE SEQUENCE IF NOT EXISTS {}", sequence(space));
    transaction.execute(sqlx::AssertSqlSafe(revisions)).await?;
    sqlx::query(TIDY).bind(space).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Where a space's revisions are drawn, as an identifier in quotes.
fn sequence(space: &str) -> String {
    format!("\"layerlock_revisions_{}\"", space.replace('"', "\"\""))
}

/// Where commits of a space are told.
fn channel(space: &str) -> String {
    format!("layerlock_{space}")
}

async fn subscribe(pool: &PgPool, space: &str) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(&channel(space)).await?;
    Ok(listener)
}

/// Passes on what the database tells, for as long as the store lives. What was told while the connection was away is
/// lost, and the listeners hear that it is.
async fn hear(pool: PgPool, space: String, first: PgListener, teller: Weak<Teller>) {
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
async fn tell(pool: PgPool, channel: String, mut notes: mpsc::UnboundedReceiver<String>) {
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
fn write_note(revision: Revision, keys: &[Key]) -> String {
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
    let pairs = word.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The keys a prefix covers, as bytes from which and before which.
fn range(prefix: &Prefix) -> (Vec<u8>, Vec<u8>) {
    // A prefix ends with the mark of a part's end, 00 01: what it covers ends before 00 02.
    let first = prefix.first_key().as_bytes().to_vec();
    let mut beyond = first.clone();
    *beyond.last_mut().expect("a prefix has a table") += 1;
    (first, beyond)
}

fn record(row: &PgRow, at: usize) -> Record {
    Record { value: row.get(at), revision: Revision(row.get::<i64, _>(at + 1) as u64) }
}

/// Whether what is sent there stays on this machine.
fn is_near(host: &str) -> bool {
    host == "localhost"
        || host.starts_with('/')
        || IpAddr::from_str(host).is_ok_and(|address| address.is_loopback())
}

fn unavailable(error: &sqlx::Error) -> StoreError {
    tracing::warn!(error = %words(error), "the database did not do what it was asked");
    StoreError::Unavailable { detail: words(error) }
}

/// What went wrong, without the values a database repeats in its details.
fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            format!("{} (SQLSTATE {code})", error.message())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_on_another_machine_without_verified_tls_is_refused_by_host() {
        for address in ["postgresql://a@db.example/layerlock", "postgresql://a@db.example/x?sslmode=require"]
        {
            let refused = PostgresStore::open(address, "vault").await.expect_err("anybody could read along");
            assert!(refused.to_string().contains("db.example"), "{refused}");
            assert!(matches!(refused, PostgresError::Unprotected { .. }));
        }
        let refused = PostgresStore::open("mysql://a@localhost/x", "vault").await.expect_err("no such thing");
        assert!(matches!(refused, PostgresError::Address(_)), "{refused}");
    }
}
