//! Opening what rests sealed, chunk by chunk: off the async threads, never whole, and wiped behind.

use std::io::Read;

use layerlock_seal::blob::{self, Opener, Place};
use layerlock_store::blobs::BlobError;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::Vault;
use crate::records::Sealed;
use crate::refusal::Refusal;

/// Chunks between disk and worker.
const QUEUE: usize = 4;

/// A chunk in the clear, wiped when it has passed.
pub(crate) struct Opened(pub(crate) Zeroizing<Vec<u8>>);

impl Vault {
    /// A blob's text, each chunk authentic; the last item says if it is whole. `damaged` is what it is refused with.
    pub(crate) async fn open_sealed(
        &self,
        place: &Place,
        sealed: &Sealed,
        damaged: Refusal,
    ) -> Result<mpsc::Receiver<Result<Opened, Refusal>>, Refusal> {
        let (blobs, blob) = (self.blobs.clone(), sealed.blob.clone());
        let begun = tokio::task::spawn_blocking(move || blobs.read(&blob));
        let reader = match begun.await.expect("reading does not panic") {
            Err(BlobError::Absent { .. }) => return Err(damaged),
            reader => reader?,
        };
        let opener = self.keys.keks.opener(place, &sealed.header).map_err(|_| damaged.clone())?;
        let (out, chunks) = mpsc::channel(QUEUE);
        tokio::task::spawn_blocking(move || {
            if pour(reader, opener, &out).is_none() {
                // The receiver is gone only if nobody wants it any more.
                let _ = out.blocking_send(Err(damaged));
            }
        });
        Ok(chunks)
    }
}

/// Opens a blob into a queue; `None` when it is not as it was sealed. Runs where it may block.
fn pour(
    mut reader: impl Read,
    mut opener: Opener,
    out: &mpsc::Sender<Result<Opened, Refusal>>,
) -> Option<()> {
    let mut sealed = vec![0; blob::CHUNK];
    loop {
        let read = reader.read(&mut sealed).ok()?;
        let mut text = Zeroizing::new(Vec::with_capacity(2 * blob::CHUNK));
        if read == 0 {
            opener.finish(&mut text).ok()?;
            let _ = out.blocking_send(Ok(Opened(text)));
            return Some(());
        }
        opener.open(&sealed[..read], &mut text).ok()?;
        if out.blocking_send(Ok(Opened(text))).is_err() {
            return Some(());
        }
    }
}
