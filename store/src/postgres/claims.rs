//! Claims as rows of their own, by the database's clock.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::{PgPool, Row as _};

use super::reads::{key_of, range, record};
use super::unavailable;
use crate::claim::Holder;
use crate::{Claim, Prefix, Standing, StoreError};

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
pub(super) const TIDY: &str =
    "DELETE FROM layerlock_claims WHERE space = $1 AND until < clock_timestamp() - interval '1 hour'";

/// Claims the record that was written longest ago among those nobody has a claim on.
pub(super) async fn take(
    pool: &PgPool,
    space: &str,
    prefix: &Prefix,
    lease: Duration,
) -> Result<Option<Claim>, StoreError> {
    let (first, beyond) = range(prefix);
    loop {
        let query = sqlx::query(CLAIM).bind(space).bind(&first).bind(&beyond).bind(interval(lease));
        let row = query.fetch_optional(pool).await.map_err(|error| unavailable(&error))?;
        let Some(row) = row else { return Ok(None) };
        // Without a holder another node was faster: there may be more behind it.
        if let Some(holder) = row.get(3) {
            let (key, record) = (key_of(&row)?, record(&row, 1));
            return Ok(Some(Claim { key, record, holder: Holder(holder) }));
        }
    }
}

pub(super) async fn renew(
    pool: &PgPool,
    space: &str,
    claim: &Claim,
    lease: Duration,
) -> Result<Standing, StoreError> {
    let query = sqlx::query(RENEW).bind(space).bind(claim.key.as_bytes());
    let query = query.bind(claim.holder.0).bind(interval(lease));
    let done = query.execute(pool).await.map_err(|error| unavailable(&error))?;
    Ok(if done.rows_affected() == 1 { Standing::Held } else { Standing::Lost })
}

pub(super) async fn release(pool: &PgPool, space: &str, claim: &Claim) -> Result<(), StoreError> {
    let query = "DELETE FROM layerlock_claims WHERE space = $1 AND key = $2 AND holder = $3";
    let query = sqlx::query(query).bind(space).bind(claim.key.as_bytes()).bind(claim.holder.0);
    query.execute(pool).await.map(drop).map_err(|error| unavailable(&error))
}

fn interval(lease: Duration) -> PgInterval {
    let microseconds = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
