//! A design version's record: sealed whole, because its name and its terms are the seller's business.
//!
//! The key shows ids and the version's hash; everything else rests in a blob bound to exactly that place, so
//! a stolen store tells no name (V1) and two records that are swapped don't open (V2). The headers of its blobs stand in
//! it too: a rotation writes the record anew and touches no blob. A second record
//! under the upload's time lists a seller's designs oldest first and names the blobs, so that a sweep after a crash
//! never takes the blobs of a record that is damaged. A third counts the versions of one design.

use layerlock_engines::custom::CustomGcode;
use layerlock_proto::refusal::Reason;
use layerlock_seal::blob::{HEADER, Header, Part, Place};
use layerlock_seal::kek_ring::{KekRing, Unopened, front};
use layerlock_seal::keys::KekId;
use layerlock_seal::statement::Statement;
use layerlock_slicer::mesh::analysis::Analysis;
use layerlock_store::blobs::BlobName;
use layerlock_store::{Commit, CommitError, Expect, Key, Page, PageToken, Prefix, Revision, StoreError};
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{DesignId, SellerId};
use layerlock_terms::trust::DesignManifest;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::{Malformed, Noun, Reader, Writer};

use super::{KekInUse, Records, damaged, key};
use crate::admit::read_statement;
use crate::refusal::Refusal;
use crate::source::Randomness;
use crate::worker::{read_analysis, read_gcode, write_analysis, write_gcode};

/// Names one design version of one seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// G-code of the seller's own that came with it.
    pub(crate) gcode: Vec<CustomGcode>,
    /// Which of the design's versions it is, from 1; [`UNNUMBERED`] until it is kept.
    pub(crate) number: u32,
    /// When it was sealed.
    pub(crate) uploaded: Timestamp,
    /// The upload.
    pub(crate) upload: Sealed,
    /// The picture.
    pub(crate) picture: Sealed,
}

/// Where a blob's chunks rest, and the header they open with.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    /// The chunks.
    pub(crate) blob: BlobName,
    /// What wraps their key.
    pub(crate) header: Header,
}

/// A design version as it was read, for who writes it anew.
pub(crate) struct DesignRecord {
    at: Key,
    revision: Revision,
    sealed: Vec<u8>,
}

/// The number of a version that is not kept yet.
pub(crate) const UNNUMBERED: u32 = 0;

/// A seller's designs in the order of their uploads.
pub(super) const BY_AGE: &str = "design-by-age";

/// Most G-code files of a seller's own beside one part.
pub(crate) const GCODE_LIMIT: u32 = 256;

pub(super) const BLOB_NAME_LIMIT: u32 = 128;

impl DesignName {
    /// The version a manifest names.
    pub(crate) fn of(manifest: &DesignManifest) -> Self {
        Self { seller: manifest.seller, design: manifest.design, version: manifest.version }
    }

    /// Where a part of it rests.
    pub(crate) fn place(&self, part: Part) -> Place {
        Place { seller: self.seller, design: self.design, version: self.version, part }
    }

    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [self.seller.as_bytes(), self.design.as_bytes(), self.version.as_bytes()]
    }
}

impl Design {
    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(&self.statement.emit());
        write_analysis(&mut w, &self.analysis);
        w.list(&self.gcode, write_gcode);
        w.u32(self.number).u64(self.uploaded.0);
        for part in [&self.upload, &self.picture] {
            w.bytes(part.blob.to_string().as_bytes()).bytes(part.header.as_bytes());
        }
        w.finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let statement = read_statement(&mut r, "manifest")?;
        let manifest = DesignManifest::parse(statement.payload())?;
        let analysis = read_analysis(&mut r)?;
        let gcode = r.list("gcode", GCODE_LIMIT, read_gcode)?;
        let number = r.u32("number")?;
        let uploaded = Timestamp(r.u64("uploaded")?);
        let mut part = |field| {
            let text = r.text(field, BLOB_NAME_LIMIT)?;
            let blob = BlobName::parse(&text).map_err(|_| Malformed::Value(field))?;
            let header =
                Header::parse(r.bytes(field, HEADER as u32)?).map_err(|_| Malformed::Value(field))?;
            Ok::<_, Malformed>(Sealed { blob, header })
        };
        let design = Self {
            statement,
            manifest,
            analysis,
            gcode,
            number,
            uploaded,
            upload: part("upload")?,
            picture: part("picture")?,
        };
        r.finish()?;
        Ok(design)
    }
}

impl Records {
    /// One design version.
    pub(crate) async fn design(&self, name: &DesignName, keks: &KekRing) -> Result<Option<Design>, Refusal> {
        match self.design_record(name).await? {
            Some(record) => record.open(name, keks).map(Some),
            None => Ok(None),
        }
    }

    /// One design version, still sealed.
    pub(crate) async fn design_record(&self, name: &DesignName) -> Result<Option<DesignRecord>, Refusal> {
        let at = key("design", &name.parts());
        let found = self.store.load(&at).await?;
        Ok(found.map(|record| DesignRecord { at, revision: record.revision, sealed: record.value }))
    }

    /// Keeps a new design version under the next number of its design, unless it is there already. `kek` is the current
    /// key's row.
    pub(crate) async fn keep_design(
        &self,
        mut design: Design,
        keks: &KekRing,
        kek: KekInUse,
        randomness: &mut Randomness,
    ) -> Result<Design, KeepError> {
        let name = DesignName::of(&design.manifest);
        let at = key("design", &name.parts());
        loop {
            design.number = self.newest(name.seller, name.design).await?.map_or(0, |(number, _)| number) + 1;
            let numbered = version_key(&name, design.number);
            let sealed = keks.seal(&name.place(Part::Record), &design.emit(), randomness);
            // One commit: a design that is there is listed, one that is listed is there.
            let commit = Commit::new()
                .put(at.clone(), sealed.clone(), Expect::Absent)
                .put(by_age_key(&design), blob_names(&design), Expect::Absent)
                .put(numbered.clone(), name.version.as_bytes().to_vec(), Expect::Absent);
            match self.store.commit(kek.hold(commit)).await {
                Ok(_) => return Ok(design),
                Err(CommitError::Conflict { key }) if kek.is_at(&key) => {
                    return Err(KeepError::Retired(kek.id));
                }
                // Another version of the design took the number meanwhile.
                Err(CommitError::Conflict { key }) if key == numbered => {}
                Err(CommitError::Conflict { .. }) => return Err(KeepError::Known),
                Err(CommitError::Store(error)) => match self.store.load(&at).await? {
                    // The answer was lost, not the commit.
                    Some(record) if record.value == sealed => return Ok(design),
                    Some(_) | None => return Err(error.into()),
                },
            }
        }
    }

    /// The newest version of a design: its number and hash.
    async fn newest(&self, seller: SellerId, design: DesignId) -> Result<Option<(u32, Digest)>, StoreError> {
        let mut page = Page::first(Page::MAX_LIMIT);
        let mut newest = None;
        loop {
            let listing = self.store.list(&versions_of(seller, design), page).await?;
            newest = listing.records.last().and_then(|(key, record)| version(key, &record.value)).or(newest);
            match listing.next {
                Some(token) => page = Page::after(token, Page::MAX_LIMIT),
                None => return Ok(newest),
            }
        }
    }

    /// The name of a design's version with this number, or of its newest.
    pub(crate) async fn design_version(
        &self,
        seller: SellerId,
        design: DesignId,
        number: Option<u32>,
    ) -> Result<Option<DesignName>, Refusal> {
        let version = match number {
            Some(number) => {
                let of = DesignName { seller, design, version: Digest([0; 32]) };
                let at = version_key(&of, number);
                self.store.load(&at).await?.and_then(|record| version(&at, &record.value))
            }
            None => self.newest(seller, design).await?,
        };
        Ok(version.map(|(_, version)| DesignName { seller, design, version }))
    }

    /// The versions of one design, oldest first, and the token of the next page.
    pub(crate) async fn design_versions(
        &self,
        seller: SellerId,
        design: DesignId,
        page: Page,
        keks: &KekRing,
    ) -> Result<(Vec<Design>, Option<PageToken>), Refusal> {
        let listing = self.list(&versions_of(seller, design), page).await?;
        let versions = listing.records.iter().map(|(key, record)| {
            version(key, &record.value).map(|(_, version)| DesignName { seller, design, version })
        });
        Ok((self.open_listed(seller, versions, keks).await?, listing.next))
    }

    /// Puts design versions that were wrapped anew in place of what was read. A conflict: one of them has changed since.
    pub(crate) async fn keep_rewrapped(
        &self,
        records: Vec<(DesignRecord, Vec<u8>)>,
    ) -> Result<(), CommitError> {
        if records.is_empty() {
            return Ok(());
        }
        let put = |commit: Commit, (record, sealed): (DesignRecord, Vec<u8>)| {
            commit.put(record.at, sealed, Expect::At(record.revision))
        };
        self.store.commit(records.into_iter().fold(Commit::new(), put)).await.map(drop)
    }

    /// A seller's design versions, oldest first, and the token of the next page.
    pub(crate) async fn designs(
        &self,
        seller: SellerId,
        page: Page,
        keks: &KekRing,
    ) -> Result<(Vec<Design>, Option<PageToken>), Refusal> {
        let prefix = Prefix::new(BY_AGE, &[seller.as_bytes()]).map_err(layerlock_store::StoreError::from)?;
        let listing = self.list(&prefix, page).await?;
        let names = listing.records.iter().map(|(key, _)| listed_name(&key.parts()));
        Ok((self.open_listed(seller, names, keks).await?, listing.next))
    }

    async fn open_listed(
        &self,
        seller: SellerId,
        names: impl Iterator<Item = Option<DesignName>>,
        keks: &KekRing,
    ) -> Result<Vec<Design>, Refusal> {
        let mut designs = Vec::new();
        for name in names {
            let name = name.ok_or_else(|| damaged(seller))?;
            match self.design(&name, keks).await {
                Ok(found) => designs.extend(found),
                // One damaged record fails by its own name, the rest are served (V4).
                Err(refusal) => tracing::error!(design = %name.design, %refusal, "left out of a list"),
            }
        }
        Ok(designs)
    }
}

/// Why a new design version is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// The same version is there already.
    #[error("the version is there already")]
    Known,
    /// The key it would be wrapped by is being retired.
    #[error(
        "the key-encryption key {0} is being retired: restart this vault with the keys of today's settings, then upload \
         again"
    )]
    Retired(KekId),
    /// The store does not answer, and may have kept it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DesignRecord {
    /// The key that wraps it; nothing when its header can't be read.
    pub(crate) fn kek(&self) -> Option<KekId> {
        front(&self.sealed).ok().map(|header| header.key_id())
    }

    /// What it says.
    pub(crate) fn open(&self, name: &DesignName, keks: &KekRing) -> Result<Design, Refusal> {
        let text = match keks.open(&name.place(Part::Record), &self.sealed) {
            Ok(text) => text,
            Err(why @ Unopened::UnknownKek(_)) => {
                tracing::error!(design = %name.design, %why, "a design can't be opened");
                let words = format!("{} is {why}: its operator must hand that key over", name.design);
                return Err(Refusal::new(Reason::Stopped, words));
            }
            Err(Unopened::CannotOpen(_)) => return Err(damaged(name.design)),
        };
        Design::parse(&text).map_err(|_| damaged(name.design))
    }

    /// The same under the current key: the record and the headers of its blobs.
    pub(crate) fn rewrap(
        &self,
        name: &DesignName,
        keks: &KekRing,
        rng: &mut Randomness,
    ) -> Result<Vec<u8>, Refusal> {
        let mut design = self.open(name, keks)?;
        for (sealed, part) in [(&mut design.upload, Part::Upload), (&mut design.picture, Part::Picture)] {
            let header = keks.rewrap(&sealed.header, &name.place(part), rng);
            sealed.header = header.map_err(|_| damaged(name.design))?;
        }
        Ok(keks.seal(&name.place(Part::Record), &design.emit(), rng))
    }
}

impl Records {
    /// Design versions of all sellers, and the token of the next page.
    pub(crate) async fn design_names(
        &self,
        page: Page,
    ) -> Result<(Vec<DesignName>, Option<PageToken>), Refusal> {
        let listing = self.list(&every_design(), page).await?;
        let names = listing.records.iter().filter_map(|(key, _)| listed_name(&key.parts())).collect();
        Ok((names, listing.next))
    }

    /// The blobs of every design of every seller.
    pub(crate) async fn design_blobs(&self) -> Result<Vec<BlobName>, Refusal> {
        let prefix = every_design();
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

fn versions_of(seller: SellerId, design: DesignId) -> Prefix {
    Prefix::new("design-version", &[seller.as_bytes(), design.as_bytes()])
        .expect("ids are far below the bound")
}

fn version_key(name: &DesignName, number: u32) -> Key {
    key("design-version", &[name.seller.as_bytes(), name.design.as_bytes(), &number.to_be_bytes()])
}

fn version(key: &Key, value: &[u8]) -> Option<(u32, Digest)> {
    let number = key.parts().into_iter().nth(2)?.try_into().ok().map(u32::from_be_bytes)?;
    Some((number, Digest(value.try_into().ok()?)))
}

fn by_age_key(design: &Design) -> Key {
    let name = DesignName::of(&design.manifest);
    let [seller, id, version] = name.parts();
    key(BY_AGE, &[seller, &design.uploaded.0.to_be_bytes(), id, version])
}

fn blob_names(design: &Design) -> String {
    format!("{} {}", design.upload.blob, design.picture.blob)
}

fn every_design() -> Prefix {
    Prefix::new(BY_AGE, &[]).expect("a table's name is far below the bound")
}

/// The design that a row of `design-by-age` lists.
pub(super) fn listed_name(parts: &[Vec<u8>]) -> Option<DesignName> {
    let [seller, _, design, version] = parts else { return None };
    named(&[seller.clone(), design.clone(), version.clone()])
}

/// The design version that parts of a key name.
pub(super) fn named(parts: &[Vec<u8>]) -> Option<DesignName> {
    let [seller, design, version] = parts else { return None };
    Some(DesignName {
        seller: SellerId::from_bytes(seller.as_slice().try_into().ok()?),
        design: DesignId::from_bytes(design.as_slice().try_into().ok()?),
        version: Digest(version.as_slice().try_into().ok()?),
    })
}
