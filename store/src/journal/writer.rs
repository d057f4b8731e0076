//! The one thread that writes: stage → append and sync → publish → answer, for all commits that wait together.
//!
//! Commits that arrive while a sync runs share the next one and become one frame. Expectations are judged here, in
//! order, against what is published and what is staged in this frame. Nobody is answered before the frame is durable
//! and published, refusals included: a refusal may rest on a commit that only this frame makes durable.
//! Any I/O error stops the store; the commits in hand are answered `Stopped`, and recovery decides about them.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use metrics::{Counter, Histogram};
use tokio::sync::{mpsc, oneshot};

use crate::journal::Options;
use crate::journal::compact::compact;
use crate::journal::disk::Disk;
use crate::journal::frame::{Frame, FrameKind, Head, StoreId};
use crate::journal::part::Part;
use crate::journal::payload::{CommitsPayload, Effects};
use crate::journal::recover::Recovered;
use crate::journal::stop::{Alarm, Stop};
use crate::journal::view::View;
use crate::{Change, Commit, CommitError, Key, Revision, StopCause, StoreError};

/// What the writer is asked for.
pub enum Request {
    Commit { commit: Commit, reply: oneshot::Sender<Result<Revision, CommitError>> },
    Compact { reply: oneshot::Sender<Result<(), StoreError>> },
}

/// What the writer shares with readers.
#[derive(Debug)]
pub struct Shared {
    pub view: View,
    pub stop: Stop,
    /// The newest published state.
    pub head: Mutex<Head>,
}

impl Shared {
    /// What the view answered. One that fails stops the store, for nothing it says later is to be had.
    pub fn seen<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::Stopped { cause, reason }) = &answer {
            self.stop.pull(*cause, reason.clone());
        }
        answer
    }
}

pub struct Writer {
    disk: Arc<dyn Disk>,
    shared: Arc<Shared>,
    options: Options,
    store: StoreId,
    head: Head,
    part: Part,
    /// Bytes of journal behind the newest snapshot.
    since_snapshot: u64,
    compaction: Option<JoinHandle<()>>,
    meters: Meters,
}

/// What operators see of a store: its directory's name tells several apart.
struct Meters {
    commits: Counter,
    sync: Histogram,
}

/// The commits that share one frame, and what to answer them.
struct Group {
    payload: CommitsPayload,
    /// Who last wrote the keys this group writes.
    staged: HashMap<Key, Option<Revision>>,
    last: u64,
    answers: Vec<Answer>,
    compactions: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

/// What a caller will be told, once that is true.
struct Answer {
    reply: oneshot::Sender<Result<Revision, CommitError>>,
    outcome: Result<Revision, CommitError>,
}

/// A group takes no more commits beyond this; with the last one it stays far below [`Frame::MAX_PAYLOAD`].
const GROUP_BYTES: usize = 4 << 20;
const GROUP_COMMITS: usize = 1024;

impl Meters {
    fn of(disk: &dyn Disk) -> Self {
        let name = disk.place().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            commits: metrics::counter!("layerlock_store_commits_total", "store" => name.clone()),
            sync: metrics::histogram!("layerlock_store_sync_seconds", "store" => name),
        }
    }
}

impl Shared {
    pub fn published(&self) -> Head {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// The writer that goes on where recovery ended, and what it shares.
    pub fn new(disk: Arc<dyn Disk>, options: Options, recovered: Recovered) -> (Writer, Arc<Shared>) {
        let Recovered { view, store, head, part, since_snapshot } = recovered;
        let shared = Arc::new(Shared { view, stop: Stop::default(), head: Mutex::new(head) });
        let (compaction, meters) = (None, Meters::of(&*disk));
        let shares = shared.clone();
        let writer =
            Writer { disk, shared: shares, options, store, head, part, since_snapshot, compaction, meters };
        (writer, shared)
    }

    /// Serves requests until nobody can send any more.
    pub fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let shared = self.shared.clone();
        let _alarm = Alarm(&shared.stop);
        while let Some(first) = requests.blocking_recv() {
            let group = self.gather(first, &mut requests);
            self.serve(group);
        }
        self.join_compaction();
    }

    /// Takes what waits, up to the bounds of a group.
    fn gather(&self, first: Request, requests: &mut mpsc::Receiver<Request>) -> Group {
        let mut group = Group::after(self.head.sequence);
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Commit { commit, reply } => group.stage(&self.shared, commit, reply),
                Request::Compact { reply } => group.compactions.push(reply),
            }
            let full = group.answers.len() >= GROUP_COMMITS || group.payload.bytes() >= GROUP_BYTES;
            next = if full { None } else { requests.try_recv().ok() };
        }
        group
    }

    fn serve(&mut self, group: Group) {
        let Group { payload, answers, compactions, .. } = group;
        let done = self.shared.stop.check().is_ok() && self.write_or_stop(payload).is_ok();
        for Answer { reply, outcome } in answers {
            // A caller that went away doesn't need the answer; its commit stands.
            let _ = reply.send(if done { outcome } else { Err(self.shared.stop.error().into()) });
        }
        for reply in compactions {
            self.start_compaction(Some(reply));
        }
        let running = self.compaction.as_ref().is_some_and(|thread| !thread.is_finished());
        if done && !running && self.since_snapshot >= self.options.compact_after_bytes {
            self.start_compaction(None);
        }
    }

    fn write_or_stop(&mut self, payload: CommitsPayload) -> Result<(), ()> {
        if payload.is_empty() {
            return Ok(());
        }
        let place = self.disk.place().join(&self.part.name);
        self.write(payload).map_err(|error| {
            let cause = StopCause::of(&error);
            let mend = match cause {
                StopCause::DiskFull => "the disk is full: free space there",
                StopCause::Fault => "see to the disk",
            };
            let place = place.display();
            let reason = format!(
                "writing {place} failed ({error}); {mend}, then open the store again. \
                 Nothing unanswered counts as stored"
            );
            self.shared.stop.pull(cause, reason);
        })
    }

    /// The write path. Each step happens only if the one before it succeeded.
    fn write(&mut self, payload: CommitsPayload) -> io::Result<()> {
        if self.part.bytes >= self.options.part_bytes && self.part.has_frames() {
            self.rotate()?;
        }
        let commits = payload.commits();
        let (payload, changes) = payload.finish();
        let first = self.head.sequence + 1;
        let (frame, hash) = Frame::emit(self.store, FrameKind::Commits, first, self.head.hash, &payload);
        let begun = Instant::now();
        self.part.append(&frame)?;
        self.meters.sync.record(begun.elapsed());
        self.meters.commits.increment(commits.into());
        // From here on the commits are durable. If we crash now, recovery publishes them; nobody was answered.
        self.since_snapshot += frame.len() as u64;
        self.head = Head { sequence: self.head.sequence + u64::from(commits), hash };
        let effects = Effects { changes, head: Some(self.head) };
        self.shared.view.publish(self.store, effects)?;
        *self.shared.head.lock().unwrap_or_else(PoisonError::into_inner) = self.head;
        Ok(())
    }

    /// Begins a new part; the one before it is whole and never written again.
    fn rotate(&mut self) -> io::Result<()> {
        self.part = Part::create(&*self.disk, self.store, self.head)?;
        Ok(())
    }

    /// Seals the journal as it stands and lets a thread of its own make a snapshot of it; commits go on meanwhile.
    fn start_compaction(&mut self, reply: Option<oneshot::Sender<Result<(), StoreError>>>) {
        self.join_compaction();
        let sealed = match self.shared.stop.check() {
            Ok(()) if self.part.has_frames() => self.rotate(),
            _ => Ok(()),
        };
        if let Err(error) = sealed {
            let place = self.disk.place().display();
            let reason = format!("beginning a new part in {place} failed ({error}): see to the disk");
            self.shared.stop.pull(StopCause::of(&error), reason);
        }
        self.since_snapshot = 0;
        let (disk, shared, store, head) = (self.disk.clone(), self.shared.clone(), self.store, self.head);
        self.compaction = Some(std::thread::spawn(move || {
            let _alarm = Alarm(&shared.stop);
            if shared.stop.check().is_ok() {
                tracing::debug!(head = head.sequence, "compacting");
                match compact(&*disk, store, head) {
                    Ok(()) => tracing::debug!(head = head.sequence, "compacted"),
                    Err(error) => {
                        shared.stop.pull(error.stop_cause(), format!("compaction failed: {error}"));
                    }
                }
            }
            if let Some(reply) = reply {
                // Whoever asked may have gone; the snapshot stands.
                let _ = reply.send(shared.stop.check());
            }
        }));
    }

    fn join_compaction(&mut self) {
        if let Some(thread) = self.compaction.take() {
            // Its alarm has told everybody if it panicked.
            let _ = thread.join();
        }
    }
}

impl Group {
    fn after(sequence: u64) -> Group {
        Group {
            payload: CommitsPayload::new(),
            staged: HashMap::new(),
            last: sequence,
            answers: Vec::new(),
            compactions: Vec::new(),
        }
    }

    /// Judges one commit and takes it in if it holds. A record the view can't read fails this commit only.
    fn stage(
        &mut self,
        shared: &Shared,
        commit: Commit,
        reply: oneshot::Sender<Result<Revision, CommitError>>,
    ) {
        let current = |key: &Key| match self.staged.get(key) {
            Some(revision) => Ok(*revision),
            None => shared.seen(shared.view.revision(key)),
        };
        let outcome = match commit.first_conflict(current) {
            Ok(None) => Ok(self.take(commit)),
            Ok(Some(key)) => Err(CommitError::Conflict { key: key.clone() }),
            Err(error) => Err(CommitError::Store(error)),
        };
        self.answers.push(Answer { reply, outcome });
    }

    fn take(&mut self, commit: Commit) -> Revision {
        if !commit.changes_something() {
            return Revision(self.last);
        }
        self.last += 1;
        let revision = Revision(self.last);
        for write in commit.writes() {
            match write.change {
                Change::Put(_) => drop(self.staged.insert(write.key.clone(), Some(revision))),
                Change::Delete => drop(self.staged.insert(write.key.clone(), None)),
                Change::Keep => {}
            }
        }
        self.payload.add(commit, revision);
        revision
    }
}
