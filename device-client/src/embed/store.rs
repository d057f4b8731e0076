//! Items read whole, and the running job's segments: `u32(length) ‖ segment`, one after another.

use zeroize::Zeroizing;

use super::{EmbedError, Host, HostError, ITEM_LIMIT, Item};

/// How much is read at once.
const CHUNK: usize = 4096;

/// The whole item.
pub(super) fn whole(host: &mut impl Host, item: Item) -> Result<Zeroizing<Vec<u8>>, EmbedError> {
    let mut all = Zeroizing::new(Vec::new());
    let mut chunk = Zeroizing::new([0; CHUNK]);
    loop {
        let read = host.read(item, all.len() as u64, &mut chunk[..])?;
        if read > CHUNK || all.len() + read > ITEM_LIMIT {
            return Err(EmbedError::Unreadable(item.name()));
        }
        if all.len() + read > all.capacity() {
            // A vector that moves by itself leaves a copy of the keys behind.
            let mut larger = Zeroizing::new(Vec::with_capacity((all.len() + read).next_power_of_two()));
            larger.extend_from_slice(&all);
            all = larger;
        }
        all.extend_from_slice(&chunk[..read]);
        if read < CHUNK {
            return Ok(all);
        }
    }
}

/// Where in the item the next segment is read.
#[derive(Default)]
pub(super) struct Segments {
    pub stored: u32,
    offset: u64,
}

impl Segments {
    /// Stores the next segment.
    pub(super) fn append(&mut self, host: &mut impl Host, segment: &[u8]) -> Result<u32, HostError> {
        let length = u32::try_from(segment.len()).expect("a segment passed its header's limit");
        host.append(Item::Segments, &[&length.to_be_bytes(), segment].concat())?;
        self.stored += 1;
        Ok(self.stored)
    }

    /// Reads the next one, of at most `limit` bytes; it is taken once.
    pub(super) fn read_next(&mut self, host: &mut impl Host, limit: usize) -> Result<Vec<u8>, HostError> {
        let gone = HostError("read");
        let mut length = [0; 4];
        if host.read(Item::Segments, self.offset, &mut length)? != length.len() {
            return Err(gone);
        }
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| gone)?;
        if length > limit {
            return Err(gone);
        }
        let mut segment = vec![0; length];
        if host.read(Item::Segments, self.offset + 4, &mut segment)? != length {
            return Err(gone);
        }
        self.offset += 4 + length as u64;
        Ok(segment)
    }
}
