//! One commit: its keys taken, its expectations looked at, its writes made, in one transaction.

use sqlx::{Postgres, Row as _, Transaction};

use super::PostgresStore;
use super::news::write_note;
use crate::news::News;
use crate::{Change, Commit, Expect, Key, Revision, Write};

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

impl PostgresStore {
    /// Does all of a commit or nothing; answers the first key that was not as expected. Listeners are told after it.
    pub(super) async fn try_commit(&self, commit: Commit) -> Result<Result<Revision, Key>, sqlx::Error> {
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
        let expecting = writes.iter().filter(|write| write.expect != Expect::Anything);
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
}

/// Where a space's revisions are drawn, as an identifier in quotes.
pub(super) fn sequence(space: &str) -> String {
    format!("\"layerlock_revisions_{}\"", space.replace('"', "\"\""))
}
