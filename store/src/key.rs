//! Keys: ordered, opaque, bounded names of records, built from a table and its parts.
//!
//! Every part is written escaped and closed (`00` becomes `00 FF`, the end is `00 01`), so bytewise order is the
//! order of the parts, and a prefix of whole parts never reaches into another table or another id: a record
//! `("job", "a", "bc")` can't be found under `("job", "ab")` whatever the parts hold.

use std::fmt;

use thiserror::Error;

/// The name of one record. Orders bytewise, which is part by part.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

/// A run of whole leading parts: what [`Store::list`](crate::Store::list) walks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Prefix(Vec<u8>);

/// Why a key can't be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The encoded parts are over [`Key::MAX_BYTES`].
    #[error("a key in table {table:?} takes {bytes} bytes; keys are at most {max} bytes: shorten its parts", max = Key::MAX_BYTES)]
    TooLong {
        /// The table the key was meant for.
        table: String,
        /// What the encoding would take.
        bytes: usize,
    },
}

impl Key {
    /// The longest key, in encoded bytes.
    pub const MAX_BYTES: usize = 512;

    /// The key of `parts` in `table`. Numbers that should sort as numbers go in big-endian.
    ///
    /// # Errors
    /// [`KeyError::TooLong`] when the encoding is over [`Key::MAX_BYTES`].
    pub fn new(table: &'static str, parts: &[&[u8]]) -> Result<Key, KeyError> {
        encode(table, parts).map(Key)
    }

    /// The encoded bytes, as they are ordered and stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The parts after the table, as given to [`Key::new`].
    pub fn parts(&self) -> Vec<Vec<u8>> {
        decode(&self.0).skip(1).collect()
    }

    /// Whether this is a key of `table`.
    pub fn is_of(&self, table: &str) -> bool {
        decode(&self.0).next().is_some_and(|name| name == table.as_bytes())
    }

    /// A key as read back from where it was stored; `None` when it's over the bound.
    pub(crate) fn from_stored(bytes: &[u8]) -> Option<Key> {
        (bytes.len() <= Key::MAX_BYTES).then(|| Key(bytes.to_vec()))
    }
}

impl Prefix {
    /// All keys of `table` whose first parts are `parts`; no parts means the whole table.
    ///
    /// # Errors
    /// [`KeyError::TooLong`] when no key could be that long.
    pub fn new(table: &'static str, parts: &[&[u8]]) -> Result<Prefix, KeyError> {
        encode(table, parts).map(Prefix)
    }

    /// Whether `key` is among the keys this prefix walks.
    pub fn covers(&self, key: &Key) -> bool {
        key.0.starts_with(&self.0)
    }

    /// Where the walk begins: no covered key orders before it.
    pub(crate) fn first_key(&self) -> Key {
        Key(self.0.clone())
    }
}

fn encode(table: &'static str, parts: &[&[u8]]) -> Result<Vec<u8>, KeyError> {
    let mut bytes = Vec::with_capacity(64);
    for part in std::iter::once(table.as_bytes()).chain(parts.iter().copied()) {
        for &byte in part {
            bytes.push(byte);
            if byte == 0 {
                bytes.push(0xFF);
            }
        }
        bytes.extend_from_slice(&[0, 1]);
    }
    if bytes.len() > Key::MAX_BYTES {
        return Err(KeyError::TooLong { table: table.to_owned(), bytes: bytes.len() });
    }
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let mut part = Vec::new();
        loop {
            match rest {
                [0, 0xFF, tail @ ..] => {
                    part.push(0);
                    rest = tail;
                }
                [0, _, tail @ ..] => {
                    rest = tail;
                    return Some(part);
                }
                [byte, tail @ ..] => {
                    part.push(*byte);
                    rest = tail;
                }
                [] => return None,
            }
        }
    })
}

/// `table/part/part`; parts that aren't plain ASCII show as hex.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in decode(&self.0).enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            match std::str::from_utf8(&part) {
                Ok(text) if text.bytes().all(|b| b.is_ascii_graphic()) => f.write_str(text)?,
                _ => part.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({})", Key(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(parts: &[Vec<u8>]) -> Key {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        Key::new("t", &parts).unwrap()
    }

    fn parts() -> impl Strategy<Value = Vec<Vec<u8>>> {
        // Few distinct bytes, so that equal, nested and escaped parts are common.
        let byte = prop_oneof![Just(0u8), Just(1), Just(b'a'), Just(0xFF)];
        prop::collection::vec(prop::collection::vec(byte, 0..4), 0..4)
    }

    proptest! {
        #[test]
        fn keys_order_as_their_parts_do(a in parts(), b in parts()) {
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }

        #[test]
        fn the_parts_come_back(a in parts()) {
            prop_assert_eq!(key(&a).parts(), a);
        }

        #[test]
        fn a_prefix_covers_exactly_the_keys_that_begin_with_its_parts(a in parts(), b in parts()) {
            let prefix = Prefix(key(&a).0);
            prop_assert_eq!(prefix.covers(&key(&b)), b.starts_with(&a));
        }
    }

    #[test]
    fn one_table_never_reaches_into_a_longer_named_one() {
        let prefix = Prefix::new("job", &[]).unwrap();
        assert!(!prefix.covers(&Key::new("jobs", &[b"1"]).unwrap()));
    }

    #[test]
    fn a_key_over_the_bound_is_refused_by_table_and_size() {
        let refusal = Key::new("design", &[&[7; 600]]).unwrap_err();
        assert!(refusal.to_string().contains("\"design\" takes 610 bytes"), "{refusal}");
    }
}
