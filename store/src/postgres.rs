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

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Executor as _, PgConnection, PgPool, Row as _};
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;

use crate::near::is_near;
use crate::news::Teller;
use crate::{
    Claim, Commit, CommitError, Key, Listener, Listing, Page, Prefix, Record, Revision, Standing, Store,
    StoreError,
};

mod claims;
mod commit;
mod news;
mod reads;

use commit::sequence;
use reads::{Moment, list, load};

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
        let listener = news::subscribe(&pool, space).await.map_err(unavailable)?;
        let listening =
            tokio::spawn(news::hear(pool.clone(), space.to_owned(), listener, Arc::downgrade(&teller)));
        let (notes, telling) = mpsc::unbounded_channel();
        let telling = tokio::spawn(news::tell(pool.clone(), news::channel(space), telling));
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
        Ok(Some(Arc::new(Moment::begin(&self.pool, &self.space).await?)))
    }

    fn listen(&self) -> Listener {
        self.teller.listen()
    }

    async fn claim(&self, prefix: &Prefix, lease: Duration) -> Result<Option<Claim>, StoreError> {
        claims::take(&self.pool, &self.space, prefix, lease).await
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<Standing, StoreError> {
        claims::renew(&self.pool, &self.space, claim, lease).await
    }

    async fn release(&self, claim: Claim) -> Result<(), StoreError> {
        claims::release(&self.pool, &self.space, &claim).await
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
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
    sqlx::query(claims::TIDY).bind(space).execute(&mut *transaction).await?;
    transaction.commit().await
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
