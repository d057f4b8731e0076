//! The pictures of a design: one for each side it was drawn from, sealed together in one blob.

use std::io::Read as _;

use layerlock_proto::refusal::Reason;
use layerlock_seal::blob::Part;
use layerlock_slicer::picture::View;
use layerlock_terms::wire::{Malformed, Reader, Writer};

use crate::Vault;
use crate::records::{Design, DesignName};
use crate::refusal::Refusal;

/// Largest picture a worker may draw, in bytes.
const LIMIT: u32 = 4 << 20;

/// A PNG for each of [`View::ALL`].
pub(crate) struct Pictures([Vec<u8>; View::ALL.len()]);

impl Pictures {
    /// What a worker drew; nothing when it drew too few sides or too much.
    pub(crate) fn of(drawn: Vec<Vec<u8>>) -> Option<Self> {
        if drawn.iter().any(|png| png.len() > LIMIT as usize) {
            return None;
        }
        drawn.try_into().ok().map(Self)
    }

    pub(crate) fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.0.iter().for_each(|png| {
            w.bytes(png);
        });
        w.finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let mut pictures = Self(Default::default());
        for png in &mut pictures.0 {
            *png = r.bytes("picture", LIMIT)?.to_vec();
        }
        r.finish()?;
        Ok(pictures)
    }

    /// Each side with its picture.
    pub(crate) fn into_sides(self) -> impl Iterator<Item = (View, Vec<u8>)> {
        View::ALL.into_iter().zip(self.0)
    }
}

impl Vault {
    /// A design's pictures, opened for its seller.
    pub(crate) async fn open_pictures(&self, design: &Design) -> Result<Pictures, Refusal> {
        let name = DesignName::of(&design.manifest);
        let (blobs, blob) = (self.blobs.clone(), design.picture.blob.clone());
        let read = move || {
            let mut sealed = Vec::new();
            blobs.read(&blob)?.read_to_end(&mut sealed)?;
            Ok::<_, Refusal>(sealed)
        };
        let sealed = tokio::task::spawn_blocking(read).await.expect("reading does not panic")?;
        let damaged = || {
            let words = format!("the pictures of {} are damaged in this vault: upload it again", name.design);
            Refusal::new(Reason::Stopped, words)
        };
        let opener = self.keys.keks.opener(&name.place(Part::Picture), &design.picture.header);
        let mut opener = opener.map_err(|_| damaged())?;
        let mut text = Vec::with_capacity(sealed.len());
        opener.open(&sealed, &mut text).and_then(|()| opener.finish(&mut text)).map_err(|_| damaged())?;
        Pictures::parse(&text).map_err(|_| damaged())
    }
}
