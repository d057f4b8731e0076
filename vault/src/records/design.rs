//! A design version's record: sealed whole, because its name and its terms are the seller's business.
//!
//! The key shows ids and the version's hash; everything else rests in a blob bound to exactly that place, so
//! a stolen store tells no name (V1) and two records that are swapped don't open (V2). A second record
//! under the upload's time lists a seller's designs oldest first and names the blobs, so that a sweep after a crash
//! never takes the blobs of a record that is damaged.

use layerlock_seal::blob::{self, Part, Place};
use layerlock_seal::keys::KeyEncryptionKey;
use layerlock_seal::statement::Statement;
use layerlock_slicer::mesh::analysis::Analysis;
use layerlock_store::blobs::BlobName;
use layerlock_store::{Commit, CommitError, Expect, Page, PageToken, Prefix};
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{DesignId, SellerId};
use layerlock_terms::trust::DesignManifest;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Noun, Reader, Writer};

use super::{Records, damaged, key};
use crate::admit::read_statement;
use crate::refusal::Refusal;
use crate::source::Randomness;
use crate::worker::{read_analysis, write_analysis};

/// Names one design version of one seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DesignName {
    /// Whose it is.
    pub(crate) seller: SellerId,
    /// The design.
    pub(crate) design: DesignId,
    /// SHA-256 of the uploaded bytes.
    pub(crate) version: Digest,
}

/// What is known of a design version.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    /// The seller's manifest, as signed.
    pub(crate) statement: Statement,
    /// What it says.
    pub(crate) manifest: DesignManifest,
    /// What the worker measured.
    pub(crate) analysis: Analysis,
    /// When it was sealed.
    pub(crate) uploaded: Timestamp,
    /// The blob of the upload.
    pub(crate) upload: BlobName,
    /// The blob of the picture.
    pub(crate) picture: BlobName,
}

const BLOB_NAME_LIMIT: u32 = 128;

impl DesignName {
    /// The version a manifest names.
    pub(crate) fn of(manifest: &DesignManifest) -> Self {
        Self { seller: manifest.seller, design: manifest.design, version: manifest.version }
    }

    /// Where a part of it rests.
    pub(crate) fn place(&self, part: Part) -> Place {
        Place { seller: self.seller, design: self.design, version: self.version, part }
    }

    fn parts(&self) -> [&[u8]; 3] {
        [self.seller.as_bytes(), self.design.as_bytes(), self.version.as_bytes()]
    }
}

impl Design {
    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&self.statement.emit());
        write_analysis(&mut w, &self.analysis);
        w.u64(self.uploaded.0);
        w.bytes(self.upload.to_string().as_bytes()).bytes(self.picture.to_string().as_bytes());
        w.finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let statement = read_statement(&mut r, "manifest")?;
        let manifest = DesignManifest::parse(statement.payload())?;
        let analysis = read_analysis(&mut r)?;
        let uploaded = Timestamp(r.u64("uploaded")?);
        let mut blob = |field| {
            let text = r.text(field, BLOB_NAME_LIMIT)?;
            BlobName::parse(&text).map_err(|_| Malformed::Value(field))
        };
        let design = Self {
            statement,
            manifest,
            analysis,
            uploaded,
            upload: blob("upload")?,
            picture: blob("picture")?,
        };
        r.finish()?;
        Ok(design)
    }
}

impl Records {
    /// One design version.
    pub(crate) async fn design(
        &self,
        name: &DesignName,
        kek: &KeyEncryptionKey,
    ) -> Result<Option<Design>, Refusal> {
        let Some(record) = self.store.load(&key("design", &name.parts())).await? else { return Ok(None) };
        let opened = blob::open(kek, &name.place(Part::Record), &record.value).ok();
        let design = opened.and_then(|text| Design::parse(&text).ok());
        design.map(Some).ok_or_else(|| damaged(name.design))
    }

    /// Keeps a new design version, unless it is there already.
    pub(crate) async fn keep_design(
        &self,
        design: &Design,
        kek: &KeyEncryptionKey,
        randomness: &mut Randomness,
    ) -> Result<(), CommitError> {
        let name = DesignName::of(&design.manifest);
        let sealed = blob::seal(kek, &name.place(Part::Record), &design.emit(), randomness);
        let at = key("design", &name.parts());
        let uploaded = design.uploaded.0.to_be_bytes();
        let [seller, id, version] = name.parts();
        let by_age = key("design-by-age", &[seller, &uploaded, id, version]);
        // One commit: a design that is there is listed, one that is listed is there.
        let blobs = format!("{} {}", design.upload, design.picture);
        let commit =
            Commit::new().put(at.clone(), sealed.clone(), Expect::Absent).put(by_age, blobs, Expect::Absent);
        match self.store.commit(commit).await {
            Err(CommitError::Store(error)) => match self.store.load(&at).await? {
                // The answer was lost, not the commit.
                Some(record) if record.value == sealed => Ok(()),
                Some(_) | None => Err(error.into()),
            },
            answer => answer.map(drop),
        }
    }

    /// A seller's design versions, oldest first, and the token of the next page.
    pub(crate) async fn designs(
        &self,
        seller: SellerId,
        page: Page,
        kek: &KeyEncryptionKey,
    ) -> Result<(Vec<Design>, Option<PageToken>), Refusal> {
        let prefix =
            Prefix::new("design-by-age", &[seller.as_bytes()]).map_err(layerlock_store::StoreError::from)?;
        let listing = self.list(&prefix, page).await?;
        let mut designs = Vec::with_capacity(listing.records.len());
        for (key, _) in &listing.records {
            let name = listed_name(&key.parts()).ok_or_else(|| damaged(seller))?;
            match self.design(&name, kek).await {
                Ok(found) => designs.extend(found),
                // One damaged record fails by its own name, the rest are served (V4).
                Err(refusal) => tracing::error!(design = %name.design, %refusal, "left out of a list"),
            }
        }
        Ok((designs, listing.next))
    }
}

impl Records {
    /// The blobs of every design of every seller.
    pub(crate) async fn design_blobs(&self) -> Result<Vec<BlobName>, Refusal> {
        let prefix = Prefix::new("design-by-age", &[]).map_err(layerlock_store::StoreError::from)?;
        let mut page = Page::first(Page::MAX_LIMIT);
        let mut blobs = Vec::new();
        loop {
            let listing = self.list(&prefix, page).await?;
            for (_, record) in &listing.records {
                let names = String::from_utf8_lossy(&record.value);
                blobs.extend(names.split(' ').filter_map(|name| BlobName::parse(name).ok()));
            }
            match listing.next {
                Some(token) => page = Page::after(token, Page::MAX_LIMIT),
                None => return Ok(blobs),
            }
        }
    }
}

fn listed_name(parts: &[Vec<u8>]) -> Option<DesignName> {
    let [seller, _, design, version] = parts else { return None };
    Some(DesignName {
        seller: SellerId::from_bytes(seller.as_slice().try_into().ok()?),
        design: DesignId::from_bytes(design.as_slice().try_into().ok()?),
        version: Digest(version.as_slice().try_into().ok()?),
    })
}
