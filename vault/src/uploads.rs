//! Uploads that come in pieces, by whoever holds a ticket: begun by their seller, gone on with after any break.
//!
//! Each piece is sealed and durable before it is counted, so nothing that was acknowledged is sent twice. The whole is then
//! read back, hashed and taken in by the same hands as an upload in one go ([`crate::intake`]), and the pieces go. A ticket
//! gives nobody more than the right to send the very bytes its seller signed for. Deliberately absent: HTTP (`api`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use layerlock_proto::refusal::Reason;
use layerlock_seal::blob::Part;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_store::{Expect, Revision};
use layerlock_terms::ids::SellerId;
use layerlock_terms::trust::{DesignManifest, UploadTicket};
use layerlock_terms::units::{Millis, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::Vault;
use crate::caller::Caller;
use crate::intake::{CHUNK_LIMIT, Disk, mismatch};
use crate::records::{Design, DesignName, Kept, Pending, Piece};
use crate::refusal::Refusal;

/// Bytes of a piece: what is lost at most with a vault that is killed.
const PIECE: u64 = 4 << 20;

/// Bytes a second that a request brings at least, once it has taken as long as it may pause.
const LEAST_RATE: u64 = 4 * 1024;

/// Most pieces of an upload that are smaller: each request ends one.
const SMALL_PIECES: usize = 256;

/// How long a ticket is good for; another one is had for the asking.
const TICKET: Millis = Millis(60 * 60 * 1000);

/// How long an upload may be under way.
const LIFE: Millis = Millis(24 * 60 * 60 * 1000);

/// Most uploads of one seller under way.
const OF_A_SELLER: usize = 32;

/// Most requests that bring bytes at once, and most of them for one seller.
const RECEIVERS: usize = 64;
const RECEIVERS_OF_A_SELLER: usize = 8;

/// What goes on with uploads in this process.
pub(crate) struct Uploads {
    receivers: Semaphore,
    /// Requests that bring bytes now.
    receiving: Mutex<HashMap<SellerId, usize>>,
    analysed: Mutex<HashSet<DesignName>>,
}

/// How an upload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Which.
    pub(crate) name: DesignName,
    /// Bytes it has.
    pub(crate) length: u64,
    /// Bytes that have come.
    pub(crate) received: u64,
    /// What is done with it.
    pub(crate) state: State,
}

/// What is done with an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// More bytes are wanted, until then.
    Receiving(Timestamp),
    /// It is whole and looked at.
    Analysing,
    /// It is a design.
    Ready,
    /// It is no design.
    Refused(Refusal),
}

impl Pending {
    /// Whether it is the upload of this manifest and has half of its time before it.
    fn goes_on(&self, manifest: &Verified<DesignManifest>, now: Timestamp) -> bool {
        let is_same = self.manifest.statement() == manifest.statement();
        let has_time = self.expires > now.plus(Millis(LIFE.0 / 2));
        is_same && self.refused.is_none() && has_time && !self.is_in_crumbs()
    }

    /// Whether it came in so many small pieces that no more is taken.
    fn is_in_crumbs(&self) -> bool {
        self.pieces.iter().filter(|piece| piece.length < PIECE).count() >= SMALL_PIECES
    }
}

impl Default for Uploads {
    fn default() -> Self {
        Self { receivers: Semaphore::new(RECEIVERS), receiving: Mutex::default(), analysed: Mutex::default() }
    }
}

/// One upload being analysed here; let go on drop.
struct Analysing {
    vault: Arc<Vault>,
    name: DesignName,
}

impl Analysing {
    fn begin(vault: &Arc<Vault>, name: DesignName) -> Option<Self> {
        let mut analysed = vault.pending.analysed.lock().unwrap_or_else(PoisonError::into_inner);
        analysed.insert(name).then(|| Self { vault: vault.clone(), name })
    }
}

impl Drop for Analysing {
    fn drop(&mut self) {
        let mut analysed = self.vault.pending.analysed.lock().unwrap_or_else(PoisonError::into_inner);
        analysed.remove(&self.name);
    }
}

/// One request that brings a seller's bytes; let go on drop.
struct Receiving {
    vault: Arc<Vault>,
    seller: SellerId,
}

impl Receiving {
    fn begin(vault: &Arc<Vault>, seller: SellerId) -> Option<Self> {
        let mut receiving = vault.pending.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        let count = receiving.entry(seller).or_default();
        *count += 1;
        if *count > RECEIVERS_OF_A_SELLER {
            *count -= 1;
            return None;
        }
        Some(Self { vault: vault.clone(), seller })
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        let mut receiving = self.vault.pending.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = receiving.get_mut(&self.seller) {
            *count -= 1;
            if *count == 0 {
                receiving.remove(&self.seller);
            }
        }
    }
}

impl Standing {
    fn of(pending: &Pending, is_analysed: bool) -> Self {
        let state = match &pending.refused {
            Some(refusal) => State::Refused(refusal.clone()),
            None if is_analysed => State::Analysing,
            None => State::Receiving(pending.expires),
        };
        let (name, received) = (DesignName::of(&pending.manifest), pending.received());
        Self { name, length: pending.manifest.length, received, state }
    }

    fn ready(design: &Design) -> Self {
        let (name, length) = (DesignName::of(&design.manifest), design.manifest.length);
        Self { name, length, received: length, state: State::Ready }
    }
}

impl Vault {
    /// Begins an upload, or finds how far the same one has come. One that was refused begins anew.
    pub(crate) async fn create_upload(
        self: &Arc<Self>,
        caller: &Caller,
        manifest: &Statement,
    ) -> Result<Standing, Refusal> {
        let manifest = self.check_manifest(caller, manifest)?;
        let name = DesignName::of(&manifest);
        if let Some(design) = self.records.design(&name, &self.keys.keks).await? {
            return Ok(Standing::ready(&design));
        }
        let now = self.clock.now();
        let expires = now.plus(LIFE);
        let mut crumbs = Vec::new();
        let (pieces, expect) = match self.records.upload(&name, &self.keys.keks).await {
            // It is left as it is, so that nobody who sends bytes of it is disturbed.
            Ok(Some(Kept { value, .. })) if value.goes_on(&manifest, now) => {
                return Ok(self.standing_of(value));
            }
            Ok(Some(Kept { value, revision })) if value.is_in_crumbs() => {
                crumbs.extend(value.pieces.into_iter().map(|piece| piece.sealed.blob));
                (Vec::new(), Expect::At(revision))
            }
            Ok(Some(Kept { value, revision })) => {
                let pieces = if value.refused.is_none() { value.pieces } else { Vec::new() };
                (pieces, Expect::At(revision))
            }
            Ok(None) if self.records.uploads_of(name.seller).await? >= OF_A_SELLER => {
                let words = format!(
                    "{OF_A_SELLER} uploads of this seller are under way: finish one, or wait until one ends"
                );
                return Err(Refusal::new(Reason::Busy, words));
            }
            Ok(None) => (Vec::new(), Expect::Absent),
            // Its key was retired meanwhile, or its record is damaged: it begins anew, its blobs are swept.
            Err(refusal) if refusal.reason == Reason::Stopped => (Vec::new(), Expect::Anything),
            Err(refusal) => return Err(refusal),
        };
        let pending = Pending { manifest, expires, pieces, refused: None };
        self.keep_upload(&pending, expect).await?;
        self.remove_blobs(crumbs).await;
        Ok(self.standing_of(pending))
    }

    /// How an upload stands. One that is whole and that nobody looks at, because who did was killed, is taken up.
    pub(crate) async fn upload_standing(self: &Arc<Self>, name: &DesignName) -> Result<Standing, Refusal> {
        if let Some(design) = self.records.design(name, &self.keys.keks).await? {
            return Ok(Standing::ready(&design));
        }
        let kept = self.records.upload(name, &self.keys.keks).await?;
        let pending = kept.map(|kept| kept.value).filter(|pending| pending.expires > self.clock.now());
        Ok(self.standing_of(pending.ok_or_else(|| Refusal::absent(name.design))?))
    }

    fn standing_of(self: &Arc<Self>, pending: Pending) -> Standing {
        let is_analysed = pending.is_whole() && pending.refused.is_none();
        if is_analysed {
            drop(self.analyse(DesignName::of(&pending.manifest)));
        }
        Standing::of(&pending, is_analysed)
    }

    /// Lets its holder send bytes of this upload.
    pub(crate) fn ticket(&self, name: &DesignName) -> (Statement, Timestamp) {
        let expires = self.clock.now().plus(TICKET);
        let DesignName { seller, design, version } = *name;
        (Statement::sign(&UploadTicket { seller, design, version, expires }, &self.keys.delivery), expires)
    }

    /// The upload a ticket is for.
    pub(crate) fn admit_ticket(&self, ticket: &[u8]) -> Result<DesignName, Refusal> {
        let no = |words: &str| Refusal::new(Reason::NotTrusted, words);
        let ticket = Statement::parse(ticket).map_err(|_| no("this is no upload ticket"))?;
        let ticket = ticket.verify::<UploadTicket>(self.vault_key());
        let ticket = ticket.map_err(|_| no("this vault made no such upload ticket"))?;
        if ticket.expires <= self.clock.now() {
            return Err(no("the upload ticket has ended: ask for another, nothing that came is lost"));
        }
        let UploadTicket { seller, design, version, .. } = ticket.into_inner();
        Ok(DesignName { seller, design, version })
    }

    /// Takes the bytes from `offset` on; what came before a break is kept. Once all are here the upload is looked at, and
    /// what is found is the answer.
    pub(crate) async fn receive(
        self: &Arc<Self>,
        name: &DesignName,
        offset: u64,
        body: impl Stream<Item = Result<Bytes, Refusal>> + Unpin,
    ) -> Result<Standing, Refusal> {
        let busy = |_| Refusal::new(Reason::Busy, "too many uploads at once: try again later");
        let _seat = self.pending.receivers.try_acquire().map_err(busy)?;
        let _place = Receiving::begin(self, name.seller).ok_or_else(|| {
            let words =
                format!("{RECEIVERS_OF_A_SELLER} requests bring this seller's bytes: try again later");
            Refusal::new(Reason::Busy, words)
        })?;
        let standing = self.upload_standing(name).await?;
        match &standing.state {
            State::Ready | State::Analysing => return Ok(standing),
            State::Refused(refusal) => return Err(refusal.clone()),
            State::Receiving(_) => {}
        }
        let kept = self.records.upload(name, &self.keys.keks).await?;
        let Kept { value: pending, revision } = kept.ok_or_else(|| Refusal::absent(name.design))?;
        if pending.received() != offset {
            let words = format!("{} bytes are here, these begin at {offset}", pending.received());
            return Err(Refusal::new(Reason::UploadOffset, words));
        }
        let mut arrival = Arrival { vault: self.clone(), pending, revision, piece: None };
        let taken = arrival.take(body).await;
        // Also what came before the break counts.
        arrival.keep_piece().await?;
        taken?;
        if !arrival.pending.is_whole() {
            return Ok(Standing::of(&arrival.pending, false));
        }
        match self.analyse(*name) {
            Some(analysed) => {
                let design = analysed.await.expect("looking at an upload does not panic")?;
                Ok(Standing::ready(&design))
            }
            None => Ok(Standing::of(&arrival.pending, true)),
        }
    }

    async fn keep_upload(&self, pending: &Pending, expect: Expect) -> Result<Revision, Refusal> {
        let kept =
            self.records.keep_upload(pending, expect, &self.keys.keks, &mut self.randomness.clone()).await;
        Ok(kept?)
    }

    /// Looks at an upload that is whole, whether or not somebody waits for it; nothing if that is being done here.
    fn analyse(
        self: &Arc<Self>,
        name: DesignName,
    ) -> Option<tokio::task::JoinHandle<Result<Design, Refusal>>> {
        let at_it = Analysing::begin(self, name)?;
        Some(tokio::spawn(async move {
            let vault = at_it.vault.clone();
            let design = vault.take_in(&name).await;
            vault.conclude(&name, &design).await;
            drop(at_it);
            design
        }))
    }

    async fn take_in(self: &Arc<Self>, name: &DesignName) -> Result<Design, Refusal> {
        let _slot = self.uploads.acquire().await.expect("nobody closes it");
        let kept = self.records.upload(name, &self.keys.keks).await?;
        let pending = kept.ok_or_else(|| Refusal::absent(name.design))?.value;
        let damaged = mismatch("a piece of the upload is damaged in this vault");
        let mut intake = self.begin_intake(pending.manifest).await?;
        for piece in &pending.pieces {
            let place = name.place(Part::Upload);
            let mut opened = self.open_sealed(&place, &piece.sealed, damaged.clone()).await?;
            while let Some(chunk) = opened.recv().await {
                for chunk in chunk?.0.chunks(CHUNK_LIMIT) {
                    intake.take(Bytes::copy_from_slice(chunk)).await?;
                }
            }
        }
        intake.finish().await
    }

    /// A design or a refusal for good ends the upload; anything else may go better another time.
    async fn conclude(&self, name: &DesignName, design: &Result<Design, Refusal>) {
        let ended = async {
            let Some(kept) = self.records.upload(name, &self.keys.keks).await? else { return Ok(()) };
            let blobs = kept.value.blobs();
            match design {
                Ok(_) => self.records.forget_upload(name).await?,
                Err(refusal) if is_final(refusal) => {
                    let refused = Some(refusal.clone());
                    let pending = Pending { refused, pieces: Vec::new(), ..kept.value };
                    self.keep_upload(&pending, Expect::At(kept.revision)).await?;
                }
                Err(_) => return Ok(()),
            }
            self.remove_blobs(blobs).await;
            Ok::<_, Refusal>(())
        };
        if let Err(refusal) = ended.await {
            tracing::warn!(design = %name.design, %refusal, "an upload that is over is kept for now");
        }
    }

    /// Forgets the uploads whose time is over.
    pub(crate) async fn end_uploads(&self) -> Result<(), Refusal> {
        let now = self.clock.now();
        for (name, expires, blobs) in self.records.uploads().await? {
            let is_known = || self.records.design(&name, &self.keys.keks);
            // One that became a design was not forgotten because its vault was killed just then.
            if expires <= now || is_known().await.is_ok_and(|found| found.is_some()) {
                self.records.forget_upload(&name).await?;
                self.remove_blobs(blobs).await;
            }
        }
        Ok(())
    }
}

/// Bytes on their way in.
struct Arrival {
    vault: Arc<Vault>,
    pending: Pending,
    revision: Revision,
    piece: Option<(Disk, u64)>,
}

impl Arrival {
    async fn take(
        &mut self,
        mut body: impl Stream<Item = Result<Bytes, Refusal>> + Unpin,
    ) -> Result<(), Refusal> {
        let stall = Duration::from_millis(self.vault.limits.stall.0);
        let (began, mut came) = (Instant::now(), 0);
        loop {
            let slow = |_| mismatch_in_time();
            let Some(bytes) = timeout(stall, body.next()).await.map_err(slow)? else { return Ok(()) };
            let mut bytes = bytes?;
            came += bytes.len() as u64;
            // Whoever drips holds a place that others wait for.
            let passed = began.elapsed();
            if passed > stall && came < passed.as_secs().max(1) * LEAST_RATE {
                return Err(mismatch_in_time());
            }
            let begun = self.piece.as_ref().map_or(0, |(_, length)| *length);
            if self.pending.received() + begun + bytes.len() as u64 > self.pending.manifest.length {
                return Err(mismatch("more bytes came than the manifest says"));
            }
            while !bytes.is_empty() {
                bytes = self.fill_piece(bytes).await?;
            }
        }
    }

    /// Fills the piece at hand, which is kept when it is full; answers what is left.
    async fn fill_piece(&mut self, mut bytes: Bytes) -> Result<Bytes, Refusal> {
        if self.piece.is_none() {
            if self.pending.is_in_crumbs() {
                let words =
                    "the upload came in too many requests: `CreateUpload` begins it anew, send more in each";
                return Err(Refusal::new(Reason::UploadMismatch, words));
            }
            self.piece = Some((self.vault.begin_disk(&DesignName::of(&self.pending.manifest)), 0));
        }
        let (disk, length) = self.piece.as_mut().expect("it was begun");
        let fits = (PIECE - *length).min(bytes.len() as u64);
        let now = bytes.split_to(fits as usize);
        *length += fits;
        let is_full = *length == PIECE;
        disk.take(now).await?;
        if is_full {
            self.keep_piece().await?;
        }
        Ok(bytes)
    }

    /// Makes the piece at hand durable, and then the record that counts it.
    async fn keep_piece(&mut self) -> Result<(), Refusal> {
        let Some((disk, length)) = self.piece.take() else { return Ok(()) };
        let sealed = disk.finish().await?;
        let blob = sealed.blob.clone();
        self.pending.pieces.push(Piece { sealed, length });
        match self.vault.keep_upload(&self.pending, Expect::At(self.revision)).await {
            Ok(revision) => {
                self.revision = revision;
                Ok(())
            }
            Err(refusal) => {
                self.pending.pieces.pop();
                if refusal.reason == Reason::Busy {
                    // Somebody else sends the same upload, or it has ended.
                    self.vault.remove_blobs([blob]).await;
                }
                Err(refusal)
            }
        }
    }
}

fn mismatch_in_time() -> Refusal {
    Refusal::new(
        Reason::UploadMismatch,
        "the upload paused too long, or came too slowly: go on from what is here",
    )
}

/// Whether the same bytes would be refused again.
fn is_final(refusal: &Refusal) -> bool {
    matches!(refusal.reason, Reason::BadMesh | Reason::UploadMismatch)
}
