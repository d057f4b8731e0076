//! Recovery: find where the journal ends, make that end certain, and bring the view up to it.
//!
//! The order is the design. First everything is read and checked (`Survey`), also against the view: commits that were
//! published and aren't there any more are a loss, and refused. Then the end is settled: a torn tail is cut off, the
//! last frame is written again and synced, because it may have been read from a cache the disk never saw; only then is
//! anything published (`restore`). Every step may be cut by another crash: the next recovery starts over.

use std::path::Path;

use crate::journal::Options;
use crate::journal::disk::Disk;
use crate::journal::error::OpenError;
use crate::journal::frame::{Head, StoreId};
use crate::journal::layout::{DAMAGED, Layout, NumberedFile, part_name};
use crate::journal::part::Part;
use crate::journal::payload::Effects;
use crate::journal::report::{Recovery, TornTail, ViewOutcome};
use crate::journal::restore::{Found, open_view, restore};
use crate::journal::sample::Sample;
use crate::journal::view::{Mark, View};
use crate::journal::walk::{PartEnd, Place, Visit, Walk};

/// What a writer goes on from.
pub struct Recovered {
    pub view: View,
    pub store: StoreId,
    pub head: Head,
    pub part: Part,
    /// Bytes of journal behind the newest snapshot.
    pub since_snapshot: u64,
}

/// Brings a directory into the state its journal says, and tells what that took.
pub fn recover(
    disk: &dyn Disk,
    view_dir: &Path,
    options: &Options,
) -> Result<(Recovered, Recovery), OpenError> {
    let layout = Layout::of(disk.names().map_err(|source| OpenError::io(disk.place(), source))?);
    for name in &layout.unfinished {
        disk.remove(name).map_err(OpenError::at(disk, name))?;
    }
    if layout.is_empty() {
        return begin(disk, view_dir, options);
    }
    let found = Found::open(view_dir, options);
    let mark = found.as_ref().ok().and_then(|found| found.mark);
    let plan = Plan::choose(disk, &layout, mark)?;
    plan.survey.miss_nothing_published(disk, mark, view_dir)?;
    let part = plan.settle()?;
    let (view, outcome) = restore(&plan, view_dir, options, found)?;
    let survey = plan.survey;
    let report = Recovery {
        head: survey.head,
        torn: survey.torn(disk),
        damaged_snapshots: plan.damaged.iter().map(|file| disk.place().join(&file.name)).collect(),
        view: outcome,
    };
    let Survey { store, head, since_snapshot, .. } = survey;
    Ok((Recovered { view, store, head, part, since_snapshot }, report))
}

/// An empty directory becomes an empty store; one that lost its journal is refused.
fn begin(disk: &dyn Disk, view_dir: &Path, options: &Options) -> Result<(Recovered, Recovery), OpenError> {
    if view_dir.exists() {
        // The view is first made after the first part is durable, so there has been a journal here.
        return Err(OpenError::JournalGone { dir: disk.place().to_owned() });
    }
    let io = |source| OpenError::io(disk.place(), source);
    let store = StoreId::draw().map_err(io)?;
    let part = Part::create(disk, store, Head::START).map_err(io)?;
    let view = open_view(view_dir, options)?;
    let recovered = Recovered { view, store, head: Head::START, since_snapshot: part.bytes, part };
    let report =
        Recovery { head: Head::START, torn: None, damaged_snapshots: vec![], view: ViewOutcome::Built };
    Ok((recovered, report))
}

/// The snapshot to start from, and what stands behind it.
pub struct Plan<'a> {
    pub disk: &'a dyn Disk,
    pub layout: &'a Layout,
    pub base: Option<NumberedFile>,
    pub survey: Survey,
    /// Newer snapshots that can't be used.
    damaged: Vec<NumberedFile>,
}

/// What one reading of the journal found.
pub struct Survey {
    pub store: StoreId,
    pub head: Head,
    last: NumberedFile,
    end: PartEnd,
    since_snapshot: u64,
    /// Whether the view's mark is a state of this journal.
    pub mark: MarkFound,
    pub sample: Sample,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MarkFound {
    Yes,
    No,
}

/// Where a survey broke off: an older snapshot can help in the first case only.
enum Break {
    InBase(OpenError),
    Behind(OpenError),
}

impl<'a> Plan<'a> {
    /// The newest snapshot that is whole, or an older one while all parts since are still there.
    fn choose(disk: &'a dyn Disk, layout: &'a Layout, mark: Option<Mark>) -> Result<Plan<'a>, OpenError> {
        let mut damaged = Vec::new();
        let mut first_error = None;
        for base in layout.snapshots.iter().rev().map(Some).chain([None]) {
            match (Survey::make(disk, layout, base, mark), base) {
                (Ok(survey), _) => return Ok(Plan { disk, layout, base: base.cloned(), survey, damaged }),
                (Err(Break::InBase(error)), Some(base)) => {
                    first_error.get_or_insert(error);
                    damaged.push(base.clone());
                }
                (Err(Break::InBase(error) | Break::Behind(error)), _) => {
                    return Err(first_error.unwrap_or(error));
                }
            }
        }
        Err(first_error.expect("the way without a snapshot either returns or is preceded by an error"))
    }

    /// The state the base holds; 0 without one.
    pub fn base_sequence(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.number)
    }

    /// Makes the end of the journal certain, and removes what the base made superfluous.
    fn settle(&self) -> Result<Part, OpenError> {
        let Plan { disk, layout, .. } = *self;
        let name = &self.survey.last.name;
        for snapshot in &self.damaged {
            let aside = format!("{}{DAMAGED}", snapshot.name);
            disk.rename(&snapshot.name, &aside).map_err(OpenError::at(disk, &snapshot.name))?;
        }
        let mut part = Part::reopen(disk, name, self.survey.end.sound).map_err(OpenError::at(disk, name))?;
        part.settle(&self.survey.end).map_err(OpenError::at(disk, name))?;
        // Names before removals: what makes the older files superfluous must itself be durable.
        disk.sync_dir().map_err(|source| OpenError::io(disk.place(), source))?;
        for name in layout.older_than(self.base_sequence()) {
            disk.remove(name).map_err(OpenError::at(disk, name))?;
        }
        Ok(part)
    }
}

impl Survey {
    fn make(
        disk: &dyn Disk,
        layout: &Layout,
        base: Option<&NumberedFile>,
        mark: Option<Mark>,
    ) -> Result<Survey, Break> {
        let mut sample = Sample::new(salt(disk).map_err(Break::Behind)?);
        let mut found = MarkFound::No;
        let mut visit = |effects: Effects| {
            if effects.head.is_some() && effects.head == mark.map(|mark| mark.head) {
                found = MarkFound::Yes;
            }
            effects.changes.into_iter().for_each(|(key, record)| sample.observe(key, record.as_ref()));
            Ok(())
        };
        let mut walk = Walk::from_start(disk);
        if let Some(base) = base {
            walk.snapshot(base, &mut visit).map_err(Break::InBase)?;
        }
        let parts = layout.parts_after(walk.head().sequence);
        let end = walk_parts(&mut walk, parts, &mut visit).map_err(Break::Behind)?;
        let (Some((last, end, since_snapshot)), Some(store)) = (end, walk.store()) else {
            let file = disk.place().join(part_name(walk.head().sequence + 1));
            return Err(Break::Behind(OpenError::Missing { file }));
        };
        Ok(Survey { store, head: walk.head(), last, end, since_snapshot, mark: found, sample })
    }

    /// Refuses a journal that ends before what was published from it: before the end is settled, which would make a
    /// lost end final.
    fn miss_nothing_published(
        &self,
        disk: &dyn Disk,
        mark: Option<Mark>,
        view: &Path,
    ) -> Result<(), OpenError> {
        let journal = self.head.sequence;
        match mark {
            Some(Mark { store, head }) if store == self.store && head.sequence > journal => {
                let (file, published) = (disk.place().join(&self.last.name), head.sequence);
                Err(OpenError::CommitsLost { file, journal, view: view.to_owned(), published })
            }
            _ => Ok(()),
        }
    }

    fn torn(&self, disk: &dyn Disk) -> Option<TornTail> {
        (self.end.torn > 0).then(|| TornTail {
            file: disk.place().join(&self.last.name),
            offset: self.end.sound,
            bytes: self.end.torn,
        })
    }
}

/// Walks parts in order; answers the last one, its end, and the bytes of all.
pub fn walk_parts(
    walk: &mut Walk<'_>,
    parts: &[NumberedFile],
    visit: &mut Visit<'_>,
) -> Result<Option<(NumberedFile, PartEnd, u64)>, OpenError> {
    let mut last = None;
    let mut bytes = 0;
    for (index, part) in parts.iter().enumerate() {
        let place = if index + 1 == parts.len() { Place::Last } else { Place::Inner };
        let end = walk.part(part, place, visit)?;
        bytes += end.sound;
        last = Some((part.clone(), end));
    }
    Ok(last.map(|(part, end)| (part, end, bytes)))
}

fn salt(disk: &dyn Disk) -> Result<u32, OpenError> {
    let drawn = StoreId::draw().map_err(|source| OpenError::io(disk.place(), source))?;
    Ok(crc32c::crc32c(&drawn.0))
}
