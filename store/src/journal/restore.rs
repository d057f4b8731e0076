//! The second half of recovery: the view, kept if it's an earlier state of this journal, else built anew.
//!
//! A view that can't be used is never repaired or deleted: it's renamed, reported, and another is filled from the
//! journal by the function that publishes commits. Either way a sample of records is compared before anyone reads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::journal::Options;
use crate::journal::error::OpenError;
use crate::journal::frame::Head;
use crate::journal::payload::Effects;
use crate::journal::recover::{MarkFound, Plan, walk_parts};
use crate::journal::report::{ViewFault, ViewOutcome};
use crate::journal::view::{Mark, View};
use crate::journal::walk::Walk;

/// The view as it was before recovery touched it.
pub struct Found {
    view: View,
    pub mark: Option<Mark>,
    age: Age,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    New,
    Old,
}

impl Found {
    /// Opens the view in `dir`, or says why it can't be used.
    pub fn open(dir: &Path, options: &Options) -> Result<Found, ViewFault> {
        let age = if dir.exists() { Age::Old } else { Age::New };
        catching_panics(|| {
            let view = View::open(dir, options.view_cache_bytes).map_err(unreadable)?;
            let mark = view.mark().map_err(unreadable)?;
            Ok(Found { view, mark, age })
        })
    }

    /// The view brought up to the journal, and the state it was in before.
    fn bring_up(self, plan: &Plan<'_>) -> Result<(View, Option<Head>), ViewFault> {
        let before = self.judge(plan)?;
        fill(plan, &self.view, before).map_err(|error| unreadable(error.to_string()))?;
        match plan.survey.sample.first_difference(&self.view) {
            Some(key) => Err(ViewFault::Differs { key: key.clone() }),
            None => Ok((self.view, before)),
        }
    }

    /// From which state the view has to be filled up; `None` is from the beginning.
    fn judge(&self, plan: &Plan<'_>) -> Result<Option<Head>, ViewFault> {
        let Some(Mark { store, head }) = self.mark else {
            // sled opens some damage, and a deleted file, as an empty database.
            let lost_all = self.age == Age::Old && plan.survey.head != Head::START;
            return if lost_all { Err(ViewFault::Empty) } else { Ok(None) };
        };
        let view = head.sequence;
        if store != plan.survey.store {
            return Err(ViewFault::Foreign);
        }
        if view < plan.base_sequence() {
            return Err(ViewFault::Gap { view, journal: plan.base_sequence() });
        }
        match plan.survey.mark {
            MarkFound::Yes => Ok(Some(head)),
            MarkFound::No => Err(ViewFault::Diverged { view }),
        }
    }
}

/// The view, kept or built anew, and equal to the journal as far as the sample shows.
pub fn restore(
    plan: &Plan<'_>,
    dir: &Path,
    options: &Options,
    found: Result<Found, ViewFault>,
) -> Result<(View, ViewOutcome), OpenError> {
    match found.and_then(|found| catching_panics(|| found.bring_up(plan))) {
        Ok((view, None)) => Ok((view, ViewOutcome::Built)),
        Ok((view, Some(before))) => {
            let replayed = plan.survey.head.sequence - before.sequence;
            Ok((view, ViewOutcome::Kept { replayed }))
        }
        Err(why) => {
            let aside = move_aside(dir)?;
            Ok((build_anew(plan, dir, options)?, ViewOutcome::Rebuilt { why, aside }))
        }
    }
}

fn build_anew(plan: &Plan<'_>, dir: &Path, options: &Options) -> Result<View, OpenError> {
    let view = open_view(dir, options)?;
    fill(plan, &view, None)?;
    match plan.survey.sample.first_difference(&view) {
        Some(key) => Err(view_error(&view, format!("{key} differs again"))),
        None => Ok(view),
    }
}

/// Publishes what the journal says behind `before`, by the function that publishes commits.
fn fill(plan: &Plan<'_>, view: &View, before: Option<Head>) -> Result<(), OpenError> {
    if before == Some(plan.survey.head) {
        return Ok(());
    }
    let done = before.map_or(0, |head| head.sequence);
    let mut visit = |effects: Effects| match effects.head {
        Some(head) if head.sequence <= done => Ok(()),
        _ => view.publish(plan.survey.store, effects).map_err(|error| view_error(view, error.to_string())),
    };
    let parts = plan.layout.parts_after(plan.base_sequence());
    if before.is_some() {
        let first = parts.partition_point(|part| part.number <= done + 1).saturating_sub(1);
        return walk_parts(&mut Walk::from_anywhere(plan.disk), &parts[first..], &mut visit).map(drop);
    }
    let mut walk = Walk::from_start(plan.disk);
    if let Some(base) = &plan.base {
        walk.snapshot(base, &mut visit)?;
    }
    walk_parts(&mut walk, parts, &mut visit).map(drop)
}

/// Opens a view that must open.
pub fn open_view(dir: &Path, options: &Options) -> Result<View, OpenError> {
    View::open(dir, options.view_cache_bytes)
        .map_err(|detail| OpenError::View { dir: dir.to_owned(), detail })
}

fn view_error(view: &View, detail: String) -> OpenError {
    OpenError::View { dir: view.dir().to_owned(), detail }
}

/// sled 0.34.7 panics on some damage instead of answering an error; either way the view is built anew.
fn catching_panics<T>(read: impl FnOnce() -> Result<T, ViewFault>) -> Result<T, ViewFault> {
    let caught = catch_unwind(AssertUnwindSafe(read));
    caught.unwrap_or_else(|_| Err(unreadable("sled panicked".to_owned())))
}

fn unreadable(detail: String) -> ViewFault {
    ViewFault::Unreadable { detail }
}

/// Renames the view's directory to the first free name beside it.
fn move_aside(dir: &Path) -> Result<PathBuf, OpenError> {
    let names = (1..).map(|number| dir.with_extension(format!("aside-{number}")));
    let aside = names.into_iter().find(|path| !path.exists()).expect("some number is free");
    std::fs::rename(dir, &aside).map_err(|source| OpenError::io(dir, source))?;
    Ok(aside)
}
