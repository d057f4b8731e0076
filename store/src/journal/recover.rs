//! Recovery: find where the journal ends, make that end certain, and bring the view up to it.
//!
//! The order is the design. First everything is read and checked (`survey`); then the end is settled: a torn tail is
//! cut off, the last frame is written again and synced, because it may have been read from a cache the disk never
//! saw; only then is anything published. The view is kept if it's an earlier state of this journal, else moved aside
//! by name and built anew. Every step may be cut by another crash: the next recovery starts over.

use std::path::{Path, PathBuf};

use crate::journal::Options;
use crate::journal::disk::Disk;
use crate::journal::error::OpenError;
use crate::journal::frame::{Head, StoreId};
use crate::journal::layout::{DAMAGED, Layout, NumberedFile, part_name};
use crate::journal::part::Part;
use crate::journal::payload::Effects;
use crate::journal::report::{Recovery, TornTail, ViewFault, ViewOutcome};
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
    let part = plan.settle(disk, &layout)?;
    let (view, outcome) = restore(disk, &layout, &plan, view_dir, options, found)?;
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

/// The view as it was before recovery touched it.
struct Found {
    view: View,
    mark: Option<Mark>,
    age: Age,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    New,
    Old,
}

impl Found {
    fn open(dir: &Path, options: &Options) -> Result<Found, String> {
        let age = if dir.exists() { Age::Old } else { Age::New };
        let view = View::open(dir, options.view_cache_bytes)?;
        let mark = view.mark()?;
        Ok(Found { view, mark, age })
    }
}

/// The snapshot to start from, and what stands behind it.
struct Plan {
    base: Option<NumberedFile>,
    survey: Survey,
    /// Newer snapshots that can't be used.
    damaged: Vec<NumberedFile>,
}

/// What one reading of the journal found.
struct Survey {
    store: StoreId,
    head: Head,
    last: NumberedFile,
    end: PartEnd,
    since_snapshot: u64,
    /// Whether the view's mark is a state of this journal.
    mark: MarkFound,
    sample: Sample,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MarkFound {
    Yes,
    No,
}

/// Where a survey broke off: an older snapshot can help in the first case only.
enum Break {
    InBase(OpenError),
    Behind(OpenError),
}

impl Plan {
    /// The newest snapshot that is whole, or an older one while all parts since are still there.
    fn choose(disk: &dyn Disk, layout: &Layout, mark: Option<Mark>) -> Result<Plan, OpenError> {
        let mut damaged = Vec::new();
        let mut first_error = None;
        for base in layout.snapshots.iter().rev().map(Some).chain([None]) {
            match (Survey::make(disk, layout, base, mark), base) {
                (Ok(survey), _) => return Ok(Plan { base: base.cloned(), survey, damaged }),
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

    fn base_sequence(&self) -> u64 {
        self.base.as_ref().map_or(0, |base| base.number)
    }

    /// Makes the end of the journal certain, and removes what the base made superfluous.
    fn settle(&self, disk: &dyn Disk, layout: &Layout) -> Result<Part, OpenError> {
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

    fn torn(&self, disk: &dyn Disk) -> Option<TornTail> {
        (self.end.torn > 0).then(|| TornTail {
            file: disk.place().join(&self.last.name),
            offset: self.end.sound,
            bytes: self.end.torn,
        })
    }
}

/// Walks parts in order; answers the last one, its end, and the bytes of all.
fn walk_parts(
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

/// The view, kept or built anew, and equal to the journal as far as the sample shows.
fn restore(
    disk: &dyn Disk,
    layout: &Layout,
    plan: &Plan,
    view_dir: &Path,
    options: &Options,
    found: Result<Found, String>,
) -> Result<(View, ViewOutcome), OpenError> {
    let kept = found.map_err(|detail| ViewFault::Unreadable { detail });
    let kept = kept.and_then(|found| {
        let after = judge(&found, plan)?;
        let view = found.view;
        fill(disk, layout, plan, &view, after)
            .map_err(|error| ViewFault::Unreadable { detail: error.to_string() })?;
        match plan.survey.sample.first_difference(&view) {
            Some(key) => Err(ViewFault::Differs { key: key.clone() }),
            None => Ok((view, after)),
        }
    });
    match kept {
        Ok((view, None)) => Ok((view, ViewOutcome::Built)),
        Ok((view, Some(head))) => {
            let replayed = plan.survey.head.sequence - head.sequence;
            Ok((view, ViewOutcome::Kept { replayed }))
        }
        Err(why) => {
            let aside = move_aside(view_dir)?;
            let view = open_view(view_dir, options)?;
            fill(disk, layout, plan, &view, None)?;
            match plan.survey.sample.first_difference(&view) {
                Some(key) => Err(view_error(&view, format!("{key} differs again"))),
                None => Ok((view, ViewOutcome::Rebuilt { why, aside })),
            }
        }
    }
}

/// From which state the view has to be filled up; `None` is from the beginning.
fn judge(found: &Found, plan: &Plan) -> Result<Option<Head>, ViewFault> {
    let Some(Mark { store, head }) = found.mark else {
        // sled opens some damage, and a deleted file, as an empty database.
        let lost_all = found.age == Age::Old && plan.survey.head != Head::START;
        return if lost_all { Err(ViewFault::Empty) } else { Ok(None) };
    };
    let (view, journal) = (head.sequence, plan.survey.head.sequence);
    if store != plan.survey.store {
        return Err(ViewFault::Foreign);
    }
    if view > journal {
        return Err(ViewFault::Ahead { view, journal });
    }
    if view < plan.base_sequence() {
        return Err(ViewFault::Gap { view, journal: plan.base_sequence() });
    }
    match plan.survey.mark {
        MarkFound::Yes => Ok(Some(head)),
        MarkFound::No => Err(ViewFault::Diverged { view }),
    }
}

/// Publishes what the journal says behind `after`, by the function that publishes commits.
fn fill(
    disk: &dyn Disk,
    layout: &Layout,
    plan: &Plan,
    view: &View,
    after: Option<Head>,
) -> Result<(), OpenError> {
    let done = after.map_or(0, |head| head.sequence);
    let mut visit = |effects: Effects| match effects.head {
        Some(head) if head.sequence <= done => Ok(()),
        _ => view.publish(plan.survey.store, effects).map_err(|detail| view_error(view, detail)),
    };
    if after == Some(plan.survey.head) {
        return Ok(());
    }
    let parts = layout.parts_after(plan.base_sequence());
    if after.is_some() {
        let first = parts.partition_point(|part| part.number <= done + 1).saturating_sub(1);
        return walk_parts(&mut Walk::from_anywhere(disk), &parts[first..], &mut visit).map(drop);
    }
    let mut walk = Walk::from_start(disk);
    if let Some(base) = &plan.base {
        walk.snapshot(base, &mut visit)?;
    }
    walk_parts(&mut walk, parts, &mut visit).map(drop)
}

fn open_view(dir: &Path, options: &Options) -> Result<View, OpenError> {
    View::open(dir, options.view_cache_bytes)
        .map_err(|detail| OpenError::View { dir: dir.to_owned(), detail })
}

fn view_error(view: &View, detail: String) -> OpenError {
    OpenError::View { dir: view.dir().to_owned(), detail }
}

/// Renames the view's directory to the first free name beside it.
fn move_aside(view_dir: &Path) -> Result<PathBuf, OpenError> {
    let free =
        (1..).map(|number| view_dir.with_extension(format!("aside-{number}"))).find(|path| !path.exists());
    let aside = free.expect("some number is free");
    std::fs::rename(view_dir, &aside).map_err(|source| OpenError::io(view_dir, source))?;
    Ok(aside)
}

fn salt(disk: &dyn Disk) -> Result<u32, OpenError> {
    let drawn = StoreId::draw().map_err(|source| OpenError::io(disk.place(), source))?;
    Ok(crc32c::crc32c(&drawn.0))
}
