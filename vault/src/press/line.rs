//! The sealing line: inspected pieces are cut into segments, sealed and appended, in order, nothing kept back.

use std::sync::Arc;

use layerlock_seal::statement::Statement;
use layerlock_seal::toolpath::{Ends, Misplaced, Sealer};
use layerlock_terms::envelope::{SEGMENT_LIMIT, Summary};
use layerlock_terms::profile::Profile;
use layerlock_terms::toolpath::Piece;
use layerlock_terms::units::Timestamp;

use super::inspect::Due;
use crate::desk::Progress;
use crate::envelope::Envelope;
use crate::job::Figures;
use crate::refusal::Refusal;
use crate::source::Clock;
use crate::worker::WorkerError;

/// One envelope being made.
pub(super) struct Line {
    sealer: Sealer,
    envelope: Arc<Envelope>,
    profile: Profile,
    due: Due,
    /// The layer pieces belong to; the prologue goes with the first, the epilogue with the last.
    layer: u32,
    summary: Option<Summary>,
    progress: Progress,
    admitted: Timestamp,
    clock: Clock,
}

impl Line {
    pub(super) fn new(
        sealer: Sealer,
        envelope: Arc<Envelope>,
        profile: Profile,
        admitted: Timestamp,
        clock: Clock,
    ) -> Self {
        let (due, layer, summary, progress) = (Due::Prologue, 0, None, Progress::default());
        Self { sealer, envelope, profile, due, layer, summary, progress, admitted, clock }
    }

    /// Inspects, cuts, seals and appends one piece.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let ends = match self.due.inspect(piece, &self.profile)? {
            Piece::Prologue(_) => Ends::Piece,
            Piece::Layer(layer) => {
                self.layer = layer.index;
                self.progress.layers = layer.index + 1;
                Ends::Piece
            }
            Piece::Epilogue(epilogue) => {
                let (duration, filament_um) = (epilogue.duration, epilogue.filament_um);
                self.summary = Some(Summary { duration, filament_um, min: epilogue.min, max: epilogue.max });
                Ends::Toolpath
            }
        };
        self.seal(piece, ends).map_err(|error| {
            tracing::error!(%error, "a piece could not be sealed");
            Refusal::from(WorkerError::Garbled)
        })?
    }

    fn seal(&mut self, piece: &[u8], ends: Ends) -> Result<Result<(), Refusal>, Misplaced> {
        let (mut sealed, mut lengths) = (Vec::new(), Vec::new());
        let mut parts = piece.chunks(SEGMENT_LIMIT as usize).peekable();
        while let Some(part) = parts.next() {
            let ends = if parts.peek().is_some() { Ends::Nothing } else { ends };
            let before = sealed.len();
            self.sealer.seal(self.layer, ends, part, &mut sealed)?;
            lengths.push(sealed.len() - before);
        }
        let appended = self.envelope.append(&sealed, &lengths);
        self.count(piece.len(), sealed.len(), lengths.len());
        Ok(appended.map_err(Refusal::from))
    }

    fn count(&mut self, plain: usize, sealed: usize, segments: usize) {
        let progress = &mut self.progress;
        progress.plain_bytes += plain as u64;
        progress.sealed_bytes += sealed as u64;
        progress.segments += u32::try_from(segments).expect("a piece is cut into few segments");
        let passed = self.clock.now().since(self.admitted);
        progress.first_segment.get_or_insert(passed);
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    pub(super) fn envelope(&self) -> &Arc<Envelope> {
        &self.envelope
    }

    /// Signs the manifest; refuses a toolpath without its end.
    pub(super) fn finish(self) -> Result<(Statement, Figures), Refusal> {
        let summary = self.summary.ok_or(WorkerError::Garbled)?;
        let figures = Figures {
            plain_bytes: self.progress.plain_bytes,
            first_segment: self.progress.first_segment.unwrap_or_default(),
            last_segment: self.clock.now().since(self.admitted),
        };
        let manifest = self.sealer.finish(summary).map_err(|_| WorkerError::Garbled)?;
        Ok((manifest, figures))
    }
}
