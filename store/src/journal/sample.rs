//! A bounded sample of what the journal says, to hold against the view.
//!
//! The sample is drawn by a salted hash of the key, with a fresh salt per start, so every start looks at other
//! records. A small store is compared whole; a large one by at most [`Sample::LIMIT`] keys. Removed keys are sampled
//! too: a record that came back is as wrong as one that went missing.

use std::collections::HashMap;

use crate::journal::view::{Digest, View};
use crate::{Key, Record};

/// What some keys must hold at the end of the journal.
#[derive(Debug)]
pub struct Sample {
    salt: u32,
    /// A key belongs to the sample if these bits of its hash are zero.
    mask: u32,
    expected: HashMap<Key, Option<Digest>>,
}

impl Sample {
    pub const LIMIT: usize = 4096;

    pub fn new(salt: u32) -> Sample {
        Sample { salt, mask: 0, expected: HashMap::new() }
    }

    pub fn observe(&mut self, key: Key, record: Option<&Record>) {
        if self.hash(&key) & self.mask != 0 {
            return;
        }
        let digest = record.map(|record| Digest::of(&key, record));
        self.expected.insert(key, digest);
        while self.expected.len() > Sample::LIMIT {
            self.mask = (self.mask << 1) | 1;
            let (salt, mask) = (self.salt, self.mask);
            self.expected.retain(|key, _| hash(salt, key) & mask == 0);
        }
    }

    /// The first sampled key the view holds otherwise, or can't show.
    pub fn first_difference(&self, view: &View) -> Option<&Key> {
        self.expected
            .iter()
            .find(|(key, digest)| view.digest(key).as_ref() != Ok(*digest))
            .map(|(key, _)| key)
    }

    fn hash(&self, key: &Key) -> u32 {
        hash(self.salt, key)
    }
}

fn hash(salt: u32, key: &Key) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&salt.to_be_bytes()), key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Revision;

    #[test]
    fn the_sample_stays_bounded_and_keeps_the_last_word_on_each_key() {
        let mut sample = Sample::new(7);
        for round in 1..=2 {
            for number in 0..20_000u32 {
                let key = Key::new("t", &[&number.to_be_bytes()]).unwrap();
                let record = Record { value: vec![1], revision: Revision(round) };
                sample.observe(key, Some(&record));
            }
        }
        assert!(sample.expected.len() <= Sample::LIMIT && sample.expected.len() > Sample::LIMIT / 4);
        assert!(sample.expected.values().all(|digest| digest.unwrap().revision == Revision(2)));
    }
}
