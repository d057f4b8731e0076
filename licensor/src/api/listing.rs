//! Lists with page tokens: size bounds, the token's way back, and following an index to its records.
//!
//! A token is the key the last page ended at; the store refuses one that isn't under the caller's own prefix, so
//! a stolen token shows nothing (L9). Deliberately absent: totals, which cost a scan and are stale when shown.

use layerlock_store::{Key, Page, PageToken, Prefix};
use tonic::Status;

use crate::records::{Pointer, Shelf, Stored};
use crate::refuse;

/// What one page shows unless the caller says otherwise.
const DEFAULT: u32 = 50;

/// The most one page shows.
const LARGEST: u32 = 100;

/// One page of records and the token of the next; empty on the last.
pub(super) struct Listed<T> {
    pub(super) records: Vec<([u8; 16], T)>,
    pub(super) next: Vec<u8>,
}

impl Shelf {
    /// The records an index points to, one page.
    pub(super) async fn listed<T: Stored>(
        &self,
        index: &Prefix,
        page: Page,
        key_of: impl Fn([u8; 16]) -> Key + Send,
    ) -> Result<Listed<T>, Status> {
        let rows = self.page::<Pointer>(index, page).await?;
        let mut records = Vec::with_capacity(rows.rows.len());
        for (_, Pointer(id)) in rows.rows {
            records.push((id, self.owned::<T>(&key_of(id)).await?.value));
        }
        let next = rows.next.map(|token| token.as_bytes().to_vec()).unwrap_or_default();
        Ok(Listed { records, next })
    }
}

/// The page a call asks for.
pub(super) fn page(size: u32, token: &[u8]) -> Result<Page, Status> {
    let limit = match size {
        0 => DEFAULT,
        asked @ 1..=LARGEST => asked,
        asked => return Err(refuse::invalid(format!("`page_size` is {asked}: at most {LARGEST}"))),
    };
    let after = match token {
        [] => None,
        token => Some(PageToken::parse(token).map_err(|error| refuse::store(&error))?),
    };
    Ok(Page { after, limit: limit as usize })
}
