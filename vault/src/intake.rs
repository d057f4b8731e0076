//! Intake, hop 1: a seller's upload, bounded, hashed, measured in a worker and sealed, all as it streams by.
//!
//! The bytes go two ways at once, to the worker's memory and sealed to disk; nowhere else, and never whole in
//! this process. The order is the design: blobs durable → record that names them → answer. Whatever fails
//! before the record leaves nothing: unfinished blobs vanish with their writers, finished ones are removed.

use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use layerlock_engines::custom::CustomGcode;
use layerlock_proto::refusal::Reason;
use layerlock_seal::Hasher;
use layerlock_seal::blob::{Part, Sealer};
use layerlock_seal::statement::{Statement, Verified};
use layerlock_slicer::mesh::analysis::Analysis;
use layerlock_slicer::picture::View;
use layerlock_store::blobs::{BlobName, BlobWriter, Blobs};
use layerlock_terms::trust::DesignManifest;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Vault;
use crate::caller::Caller;
use crate::keys::Keys;
use crate::pictures::Pictures;
use crate::records::{Design, DesignName, GCODE_LIMIT, KeepError, Sealed, UNNUMBERED};
use crate::refusal::Refusal;
use crate::worker::{Answer, Task, Worker};

/// Most bytes in one chunk of an upload.
pub(crate) const CHUNK_LIMIT: usize = 64 * 1024;

/// Chunks on their way to the disk.
const QUEUE: usize = 4;

/// An upload whose manifest was checked and whose bytes are coming.
pub(crate) struct Intake {
    vault: Arc<Vault>,
    manifest: Verified<DesignManifest>,
    hasher: Hasher,
    received: u64,
    worker: Worker,
    disk: Disk,
}

/// What an upload's manifest leads to.
pub(crate) enum Begun {
    /// The version is here already.
    Known(Box<Design>),
    /// Its bytes are wanted.
    Wanted(Box<Intake>),
}

/// The sealed copy being written, on a thread that may block. Dropped before it is finished, it leaves nothing.
pub(crate) struct Disk {
    sealed: Sealed,
    chunks: Option<mpsc::Sender<Bytes>>,
    written: JoinHandle<Result<Writing, Refusal>>,
}

/// A sealed file that has no name yet.
struct Writing {
    sealer: Sealer,
    writer: BlobWriter,
    sealed: Vec<u8>,
}

impl Vault {
    /// Checks an upload's manifest and makes ready for its bytes.
    pub(crate) async fn begin_upload(
        self: &Arc<Self>,
        caller: &Caller,
        manifest: &Statement,
    ) -> Result<Begun, Refusal> {
        let manifest = self.check_manifest(caller, manifest)?;
        if let Some(design) = self.records.design(&DesignName::of(&manifest), &self.keys.keks).await? {
            return Ok(Begun::Known(Box::new(design)));
        }
        Ok(Begun::Wanted(Box::new(self.begin_intake(manifest).await?)))
    }

    /// A manifest that its seller signed, of an upload this vault takes.
    pub(crate) fn check_manifest(
        &self,
        caller: &Caller,
        manifest: &Statement,
    ) -> Result<Verified<DesignManifest>, Refusal> {
        let manifest = manifest.verify::<DesignManifest>(caller.key()).map_err(|why| {
            Refusal::new(
                Reason::NotTrusted,
                format!("the manifest is not signed with the seller's key: {why}"),
            )
        })?;
        if manifest.seller != caller.seller() {
            return Err(Refusal::new(Reason::NotTrusted, "the manifest names another seller"));
        }
        let limit = self.limits.upload_bytes;
        if manifest.length == 0 || manifest.length > limit {
            let words = format!("an upload of {} bytes: this vault takes 1 to {limit}", manifest.length);
            return Err(Refusal::new(Reason::UploadMismatch, words));
        }
        Ok(manifest)
    }

    /// Makes ready for the bytes a checked manifest names.
    pub(crate) async fn begin_intake(
        self: &Arc<Self>,
        manifest: Verified<DesignManifest>,
    ) -> Result<Intake, Refusal> {
        let worker =
            Worker::start(&self.worker, self.limits.bounds(), Task::Analyse, manifest.length).await?;
        let disk = self.begin_disk(&DesignName::of(&manifest));
        let (vault, hasher) = (self.clone(), Hasher::new());
        Ok(Intake { vault, manifest, hasher, received: 0, worker, disk })
    }

    /// Begins a sealed blob of an upload's bytes.
    pub(crate) fn begin_disk(&self, name: &DesignName) -> Disk {
        let blob = self.draw_blob_name();
        let disk_name = blob.clone();
        let place = name.place(Part::Upload);
        let (sealer, header) = self.keys.keks.sealer(&place, &mut self.randomness.clone());
        let (chunks, mut queue) = mpsc::channel::<Bytes>(QUEUE);
        let blobs = self.blobs.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut writing = Writing { sealer, writer: blobs.create(&blob)?, sealed: Vec::new() };
            while let Some(chunk) = queue.blocking_recv() {
                writing.take(&chunk)?;
            }
            Ok(writing)
        });
        Disk { sealed: Sealed { blob: disk_name, header }, chunks: Some(chunks), written }
    }

    /// Random, so that the name says nothing of the design.
    fn draw_blob_name(&self) -> BlobName {
        BlobName::from_bytes(&self.randomness.draw::<16>()).expect("16 bytes spell a name")
    }
}

impl Intake {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// More than the manifest says, a full disk, a worker that gave up.
    pub(crate) async fn take(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        if chunk.len() > CHUNK_LIMIT {
            let words = format!("a chunk of {} bytes: send at most {CHUNK_LIMIT}", chunk.len());
            return Err(Refusal::new(Reason::InvalidField, words));
        }
        self.received += chunk.len() as u64;
        if self.received > self.manifest.length {
            return Err(mismatch("more bytes came than the manifest says"));
        }
        self.hasher.update(&chunk);
        self.worker.feed(&chunk).await?;
        self.disk.take(chunk).await
    }

    /// Ends the upload: checks the hash, hears the worker, and makes blobs and record durable.
    ///
    /// # Errors
    /// Other bytes than the manifest names, a mesh the worker refuses, a disk or store that fails; nothing stays.
    pub(crate) async fn finish(self) -> Result<Design, Refusal> {
        let Self { vault, manifest, hasher, received, worker, disk } = self;
        if received != manifest.length || hasher.finish() != manifest.version {
            return Err(mismatch("the bytes are not those the manifest names: length or hash differ"));
        }
        let Described { analysis, pictures, gcode } = describe(worker).await?;
        let upload = disk.finish().await?;
        let picture = match vault.write_pictures(&DesignName::of(&manifest), &pictures).await {
            Ok(picture) => picture,
            Err(refusal) => {
                vault.remove_blobs([upload.blob]).await;
                return Err(refusal);
            }
        };
        let statement = manifest.statement().clone();
        let uploaded = vault.clock.now();
        let manifest = manifest.into_inner();
        let number = UNNUMBERED;
        let design = Design { statement, manifest, analysis, gcode, number, uploaded, upload, picture };
        vault.record_design(design).await
    }
}

impl Vault {
    async fn write_pictures(&self, name: &DesignName, pictures: &Pictures) -> Result<Sealed, Refusal> {
        let (mut sealer, header) =
            self.keys.keks.sealer(&name.place(Part::Picture), &mut self.randomness.clone());
        let text = pictures.emit();
        let mut chunks = Vec::with_capacity(text.len() + 64);
        sealer.seal(&text, &mut chunks);
        sealer.finish(&mut chunks);
        Ok(Sealed { blob: self.write_blob(chunks).await?, header })
    }

    async fn write_blob(&self, sealed: Vec<u8>) -> Result<BlobName, Refusal> {
        let (blobs, name) = (self.blobs.clone(), self.draw_blob_name());
        let write = move || {
            let mut writer = blobs.create(&name)?;
            writer.write_all(&sealed)?;
            writer.commit()?;
            Ok(name)
        };
        tokio::task::spawn_blocking(write).await.expect("writing a blob does not panic")
    }

    /// If we crash before this commit, the blobs belong to no record and are swept at the next start.
    async fn record_design(&self, design: Design) -> Result<Design, Refusal> {
        let blobs = [design.upload.blob.clone(), design.picture.blob.clone()];
        let name = DesignName::of(&design.manifest);
        let Keys { keks, in_use, .. } = &self.keys;
        match self.records.keep_design(design, keks, *in_use, &mut self.randomness.clone()).await {
            Ok(design) => {
                self.note_alike(&design).await;
                Ok(design)
            }
            // The same version came twice at once: the other is the design.
            Err(KeepError::Known) => {
                self.remove_blobs(blobs).await;
                let known = self.records.design(&name, keks).await?;
                known.ok_or_else(|| Refusal::absent(name.design))
            }
            Err(why @ KeepError::Retired(_)) => {
                tracing::error!(%why, "an upload is refused");
                self.remove_blobs(blobs).await;
                Err(Refusal::new(Reason::Stopped, why.to_string()))
            }
            // A store that stopped may still hold the record: blobs without a record are swept at the start,
            // a record without blobs would be a hole. So they stay.
            Err(KeepError::Store(error)) => Err(error.into()),
        }
    }

    pub(crate) async fn remove_blobs(&self, names: impl IntoIterator<Item = BlobName>) {
        let (blobs, names) = (self.blobs.clone(), names.into_iter().collect::<Vec<_>>());
        let remove = move || {
            for name in names {
                if let Err(error) = blobs.delete(&name) {
                    tracing::warn!(%error, "a blob without a record is left until the next start");
                }
            }
        };
        tokio::task::spawn_blocking(remove).await.expect("removing blobs does not panic");
    }
}

/// What a worker found in an upload.
struct Described {
    analysis: Analysis,
    pictures: Pictures,
    gcode: Vec<CustomGcode>,
}

/// Hears what the worker found.
async fn describe(mut worker: Worker) -> Result<Described, Refusal> {
    let (mut analysis, mut drawn, mut gcode) = (None, Vec::new(), Vec::new());
    loop {
        match worker.answer().await? {
            Answer::Analysis(found) => analysis = Some(*found),
            Answer::Picture(png) if drawn.len() < View::ALL.len() => drawn.push(png),
            Answer::Gcode(own) if gcode.len() < GCODE_LIMIT as usize => gcode.push(own),
            Answer::Done => break,
            Answer::Picture(_)
            | Answer::Gcode(_)
            | Answer::Piece(_)
            | Answer::Part(_)
            | Answer::Confined(_)
            | Answer::Refused(..) => {
                return Err(crate::worker::WorkerError::Garbled.into());
            }
        }
    }
    let described = analysis.zip(Pictures::of(drawn));
    let described = described.map(|(analysis, pictures)| Described { analysis, pictures, gcode });
    described.ok_or_else(|| crate::worker::WorkerError::Garbled.into())
}

impl Disk {
    pub(crate) async fn take(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        let chunks = self.chunks.as_ref().expect("the queue closes with the upload");
        if chunks.send(chunk).await.is_ok() {
            return Ok(());
        }
        // The writer ended early: it knows why.
        let written = (&mut self.written).await.expect("writing does not panic");
        Err(written.err().unwrap_or_else(|| mismatch("the upload ended early")))
    }

    pub(crate) async fn finish(mut self) -> Result<Sealed, Refusal> {
        self.chunks = None;
        let writing = self.written.await.expect("writing does not panic")?;
        let commit = tokio::task::spawn_blocking(move || writing.commit());
        commit.await.expect("committing a blob does not panic")?;
        Ok(self.sealed)
    }
}

impl Writing {
    fn take(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        self.sealer.seal(chunk, &mut self.sealed);
        self.writer.write_all(&self.sealed)?;
        self.sealed.clear();
        Ok(())
    }

    fn commit(mut self) -> Result<(), Refusal> {
        self.sealer.finish(&mut self.sealed);
        self.writer.write_all(&self.sealed)?;
        self.writer.commit()?;
        Ok(())
    }
}

pub(crate) fn mismatch(words: &str) -> Refusal {
    Refusal::new(Reason::UploadMismatch, format!("{words}: sign a manifest of exactly these bytes"))
}

/// Removes blobs no design names: what a crash between blob and record left.
pub(crate) fn sweep(blobs: &Blobs, named: &[BlobName], before: SystemTime) -> Result<(), Refusal> {
    for name in blobs.names(before)? {
        if !named.contains(&name) {
            blobs.delete(&name)?;
        }
    }
    Ok(())
}
