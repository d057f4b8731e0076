//! An upload under way: what has come of it so far, piece by piece.
//!
//! Which blobs hold the pieces is in the clear, so that a sweep needs no key; what names or describes the design is sealed
//! like a design's record, bound to the same place. There is at most one for each design version, and it ends as a design,
//! or with its time.

use layerlock_seal::blob::{HEADER, Header, Part};
use layerlock_seal::kek_ring::KekRing;
use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_store::blobs::BlobName;
use layerlock_store::{Commit, CommitError, Expect, Key, Page, Prefix, Revision, StoreError};
use layerlock_terms::digest::SignKey;
use layerlock_terms::ids::SellerId;
use layerlock_terms::trust::DesignManifest;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Reader, Writer};

use super::codec::{read_refusal, write_refusal};
use super::design::{BLOB_NAME_LIMIT, Sealed, named};
use super::{Kept, Records, damaged, key};
use crate::admit::read_statement;
use crate::records::DesignName;
use crate::refusal::Refusal;
use crate::source::Randomness;

const TABLE: &str = "upload";

const VERSION: u8 = 1;

/// Most pieces of one upload that is read.
const PIECES: u32 = 64 * 1024;

const FRONT_LIMIT: u32 = 256 * 1024;

/// An upload under way.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// What it will be, as its seller signed.
    pub(crate) manifest: Verified<DesignManifest>,
    /// Forgotten at this moment.
    pub(crate) expires: Timestamp,
    /// What has come, in order.
    pub(crate) pieces: Vec<Piece>,
    /// Why it was not taken when it was whole.
    pub(crate) refused: Option<Refusal>,
}

/// Some bytes of an upload, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Where they rest.
    pub(crate) sealed: Sealed,
    /// How many.
    pub(crate) length: u64,
}

/// What a record says without a key.
struct Shell {
    expires: Timestamp,
    pieces: Vec<Piece>,
    front: Vec<u8>,
}

impl Pending {
    /// Bytes that have come.
    pub(crate) fn received(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.length).sum()
    }

    /// Whether all have.
    pub(crate) fn is_whole(&self) -> bool {
        self.received() == self.manifest.length
    }

    /// The blobs that hold them.
    pub(crate) fn blobs(&self) -> Vec<BlobName> {
        self.pieces.iter().map(|piece| piece.sealed.blob.clone()).collect()
    }

    fn emit_front(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(self.manifest.signer().as_bytes()).bytes(&self.manifest.statement().emit());
        match &self.refused {
            None => {
                w.u8(0);
            }
            Some(refusal) => {
                write_refusal(w.u8(1), refusal);
            }
        };
        w.finish()
    }
}

impl Shell {
    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).u64(self.expires.0);
        w.list(&self.pieces, |w, piece| {
            w.bytes(piece.sealed.blob.to_string().as_bytes());
            w.raw(piece.sealed.header.as_bytes()).u64(piece.length);
        });
        w.bytes(&self.front);
        w.finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        if r.u8("version")? != VERSION {
            return Err(Malformed::Value("version"));
        }
        let shell = Self {
            expires: Timestamp(r.u64("expires")?),
            pieces: r.list("pieces", PIECES, read_piece)?,
            front: r.bytes("front", FRONT_LIMIT)?.to_vec(),
        };
        r.finish()?;
        Ok(shell)
    }

    fn open(self, name: &DesignName, keks: &KekRing) -> Result<Pending, Refusal> {
        let front = keks.open(&name.place(Part::Pending), &self.front).map_err(|_| damaged(name.design))?;
        let (manifest, refused) = parse_front(&front).map_err(|_| damaged(name.design))?;
        Ok(Pending { manifest, expires: self.expires, pieces: self.pieces, refused })
    }
}

fn read_piece(r: &mut Reader<'_>) -> Result<Piece, Malformed> {
    let blob = r.text("blob", BLOB_NAME_LIMIT)?;
    let blob = BlobName::parse(&blob).map_err(|_| Malformed::Value("blob"))?;
    let header: [u8; HEADER] = r.array("header")?;
    let header = Header::parse(&header).map_err(|_| Malformed::Value("header"))?;
    Ok(Piece { sealed: Sealed { blob, header }, length: r.u64("length")? })
}

fn parse_front(bytes: &[u8]) -> Result<(Verified<DesignManifest>, Option<Refusal>), Malformed> {
    let mut r = Reader::new(bytes);
    let key = VerifyingKey::try_from(SignKey(r.array("key")?)).map_err(|_| Malformed::Value("key"))?;
    let statement: Statement = read_statement(&mut r, "manifest")?;
    let manifest = statement.verify(&key).map_err(|_| Malformed::Value("manifest"))?;
    let refused = match r.flag("refused")? {
        false => None,
        true => Some(read_refusal(&mut r)?),
    };
    r.finish()?;
    Ok((manifest, refused))
}

impl Records {
    /// An upload under way; a refusal for one whose record can't be opened.
    pub(crate) async fn upload(
        &self,
        name: &DesignName,
        keks: &KekRing,
    ) -> Result<Option<Kept<Pending>>, Refusal> {
        let Some(record) = self.store.load(&at(name)).await? else { return Ok(None) };
        let shell = Shell::parse(&record.value).map_err(|_| damaged(name.design))?;
        Ok(Some(Kept { value: shell.open(name, keks)?, revision: record.revision }))
    }

    /// Keeps an upload in place of what `expect` says.
    pub(crate) async fn keep_upload(
        &self,
        pending: &Pending,
        expect: Expect,
        keks: &KekRing,
        rng: &mut Randomness,
    ) -> Result<Revision, CommitError> {
        let name = DesignName::of(&pending.manifest);
        let front = keks.seal(&name.place(Part::Pending), &pending.emit_front(), rng);
        let shell = Shell { expires: pending.expires, pieces: pending.pieces.clone(), front };
        let (key, value) = (at(&name), shell.emit());
        self.commit_surely(Commit::new().put(key.clone(), value.clone(), expect), &key, &value).await
    }

    /// Forgets an upload; whoever reads it meanwhile finds its blobs gone.
    pub(crate) async fn forget_upload(&self, name: &DesignName) -> Result<(), CommitError> {
        self.store.commit(Commit::new().delete(at(name), Expect::Anything)).await.map(drop)
    }

    /// How many uploads of a seller are under way.
    pub(crate) async fn uploads_of(&self, seller: SellerId) -> Result<usize, StoreError> {
        Ok(self.rows(&uploads(&[seller.as_bytes()])).await?.len())
    }

    /// Every upload under way: its name, when it ends, and its blobs. A record that is damaged ended long ago.
    pub(crate) async fn uploads(&self) -> Result<Vec<(DesignName, Timestamp, Vec<BlobName>)>, StoreError> {
        let (mut page, mut found) = (Page::first(Page::MAX_LIMIT), Vec::new());
        loop {
            let listing = self.store.list(&uploads(&[]), page).await?;
            for (key, record) in &listing.records {
                let Some(name) = named(&key.parts()) else { continue };
                found.push(match Shell::parse(&record.value) {
                    Ok(shell) => {
                        let blobs = shell.pieces.into_iter().map(|piece| piece.sealed.blob).collect();
                        (name, shell.expires, blobs)
                    }
                    Err(_) => (name, Timestamp(0), Vec::new()),
                });
            }
            match listing.next {
                Some(token) => page = Page::after(token, Page::MAX_LIMIT),
                None => return Ok(found),
            }
        }
    }
}

fn at(name: &DesignName) -> Key {
    key(TABLE, &name.parts())
}

fn uploads(parts: &[&[u8]]) -> Prefix {
    Prefix::new(TABLE, parts).expect("ids are far below the bound")
}
