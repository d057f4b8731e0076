//! Reading and writing records by type: the store's bytes on one side, ours on the other.
//!
//! Deliberately absent: caching. Every decision rests on what the store holds now, and the commit that follows
//! expects exactly the revisions it was decided on.

use std::marker::PhantomData;
use std::sync::Arc;

use layerlock_store::{Commit, Expect, Key, Page, PageToken, Prefix, Store};
use tonic::Status;

use super::{Loaded, ReadError, Stored};
use crate::refuse;

/// The licensor's records.
pub(crate) struct Shelf(pub(crate) Arc<dyn Store>);

/// One page of a table, parsed.
pub(crate) struct Rows<T> {
    pub(crate) rows: Vec<(Key, T)>,
    pub(crate) next: Option<PageToken>,
}

/// All rows of a table, page by page: memory for one page, however long the table.
pub(crate) struct Walk<T> {
    prefix: Prefix,
    page: Option<Page>,
    rows: PhantomData<fn() -> T>,
}

impl Shelf {
    /// The record under `key`, if there is one.
    pub(crate) async fn load<T: Stored>(&self, key: &Key) -> Result<Option<Loaded<T>>, ReadError> {
        let Some(record) = self.0.load(key).await? else { return Ok(None) };
        Ok(Some(Loaded { value: parse(&record.value)?, revision: record.revision }))
    }

    /// As [`Shelf::load`], for a record that an id in a call names.
    pub(crate) async fn find<T: Stored>(
        &self,
        key: &Key,
        what: impl std::fmt::Display,
    ) -> Result<Loaded<T>, Status> {
        self.load(key).await?.ok_or_else(|| refuse::not_found(what))
    }

    /// As [`Shelf::load`], for a record that another record says exists.
    pub(crate) async fn owned<T: Stored>(&self, key: &Key) -> Result<Loaded<T>, Status> {
        self.load(key).await?.ok_or_else(|| refuse::damaged(key))
    }

    pub(crate) async fn page<T: Stored>(&self, prefix: &Prefix, page: Page) -> Result<Rows<T>, ReadError> {
        let listing = self.0.list(prefix, page).await?;
        let rows = listing.records.into_iter().map(|(key, record)| Ok((key, parse(&record.value)?)));
        Ok(Rows { rows: rows.collect::<Result<_, ReadError>>()?, next: listing.next })
    }
}

impl<T: Stored> Walk<T> {
    pub(crate) fn over(prefix: Prefix) -> Self {
        Self { prefix, page: Some(Page::first(Page::MAX_LIMIT)), rows: PhantomData }
    }

    /// The next page; `None` after the last.
    pub(crate) async fn next(&mut self, shelf: &Shelf) -> Result<Option<Vec<T>>, ReadError> {
        let Some(page) = self.page.take() else { return Ok(None) };
        let rows = shelf.page::<T>(&self.prefix, page).await?;
        self.page = rows.next.map(|next| Page::after(next, Page::MAX_LIMIT));
        Ok(Some(rows.rows.into_iter().map(|(_, record)| record).collect()))
    }
}

impl<T: Stored> Loaded<T> {
    /// For a commit that was decided on this record.
    pub(crate) fn expected(&self) -> Expect {
        Expect::At(self.revision)
    }
}

/// What a commit expects of a record that may not be there yet.
pub(crate) fn expected<T: Stored>(loaded: &Option<Loaded<T>>) -> Expect {
    loaded.as_ref().map_or(Expect::Absent, Loaded::expected)
}

/// Adds a record to a commit.
pub(crate) fn put<T: Stored>(commit: Commit, key: Key, record: &T, expect: Expect) -> Commit {
    commit.put(key, record.emit(), expect)
}

fn parse<T: Stored>(bytes: &[u8]) -> Result<T, ReadError> {
    T::parse(bytes).map_err(|why| ReadError::Malformed { what: T::WHAT, why })
}

impl From<ReadError> for Status {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Store(inner) => refuse::store(inner),
            ReadError::Malformed { .. } => refuse::damaged(&error),
        }
    }
}
