//! How answers look in a terminal.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};
use layerlock_proto::licensor::v1::{License, LicenseState};
use layerlock_proto::vault::v1::{self as wire, Analysis, Design, Fit, Job, JobState, Printability, View};
use layerlock_slicer::heal::Healing;
use layerlock_terms::receipt::{Cause, CopyOutcome};

use crate::ledger::Entry;
use crate::people;

/// A bar over the bytes of an upload.
pub fn upload_bar(bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("  uploading {bar:32} {bytes}/{total_bytes}");
    ProgressBar::new(bytes).with_style(style.expect("the template is well formed"))
}

/// A count of layers whose end isn't known yet.
pub fn layer_count(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("  {prefix:<10} {spinner} {pos} layers  {msg}");
    ProgressBar::no_length().with_style(style.expect("the template is well formed")).with_prefix(what)
}

/// From here on it is known how many layers there are: a count becomes a bar.
pub fn now_of(bar: &ProgressBar, what: &'static str, layers: u64) {
    if bar.length() == Some(layers) {
        return;
    }
    let style = ProgressStyle::with_template("  {prefix:<10} {bar:32.cyan/dim} {pos}/{len} layers  {msg}");
    bar.set_style(style.expect("the template is well formed").progress_chars("━╸─"));
    bar.set_prefix(what);
    bar.set_length(layers);
}

/// A design version, in a line.
pub fn design_line(design: &Design, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}  version {}  {}", design.design, design.number, plain(&design.name))
}

/// A design version, with all there is to say of it.
pub fn design(design: &Design, out: &mut impl Write) -> io::Result<()> {
    design_line(design, out)?;
    if let Some(found) = &design.analysis {
        size(found, out)?;
        defects(found, out)?;
        found.printability.iter().try_for_each(|found| printability(found, out))?;
    }
    for own in &design.custom_gcode {
        let time = people::span(own.duration_ms as f64 / 1000.0);
        let filament = own.filament_um as f64 / 1e6;
        let (machine, material) = (&own.machine, &own.material);
        writeln!(
            out,
            "  your G-code for {machine} in {material}: {} layers, {time}, {filament:.2} m",
            own.layers
        )?;
    }
    for like in design.alike.iter().take(MOST_ALIKE) {
        writeln!(out, "  looks like your {}  {} ({} %)", like.design, plain(&like.name), like.percent)?;
    }
    if let Some(more @ 1..) = design.alike.len().checked_sub(MOST_ALIKE) {
        writeln!(out, "  and like {more} more of yours")?;
    }
    match design.alike_of_others {
        0 => Ok(()),
        1 => writeln!(out, "  a design that another seller uploaded later looks like this one"),
        count => writeln!(out, "  {count} designs that other sellers uploaded later look like this one"),
    }
}

fn size(found: &Analysis, out: &mut impl Write) -> io::Result<()> {
    let side = |low: i32, high: i32| f64::from(high - low) / 1000.0;
    writeln!(
        out,
        "  {:.1} × {:.1} × {:.1} mm, {:.1} cm³, {:.1} cm² of surface, {}, {}",
        side(found.min_x, found.max_x),
        side(found.min_y, found.max_y),
        side(found.min_z, found.max_z),
        found.volume_milli_mm3 as f64 / 1e6,
        square_cm(found.area_um2),
        counted(found.triangles, "triangle"),
        counted(found.shells, "shell"),
    )
}

fn defects(found: &Analysis, out: &mut impl Write) -> io::Result<()> {
    let defects = [
        (found.open_edges, "open edges"),
        (found.non_manifold_edges, "edges of more than two faces"),
        (found.flipped_edges, "edges between faces that disagree about the outside"),
        (found.degenerate_faces, "faces without area"),
        (found.duplicate_faces, "faces that are there twice"),
    ];
    for (count, what) in defects.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "  {count} {what}")?;
    }
    let lines = found.healing.as_ref().map(|found| healing(found).lines()).unwrap_or_default();
    lines.iter().try_for_each(|line| writeln!(out, "  slicing: {line}"))
}

fn printability(found: &Printability, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "  stands on {:.2} cm² of the bed", square_cm(found.foot_um2))?;
    if found.overhang_um2 > LITTLE_UM2 {
        let hanging = square_cm(found.overhang_um2);
        writeln!(out, "  {hanging:.1} cm² lean out by more than 45°: supports or bridges")?;
    }
    if found.islands > 0 {
        let places = counted(found.islands, "place");
        writeln!(out, "  begins in the air at {places}: print with supports")?;
    }
    let fits = |fit: Fit| found.machines.iter().filter(move |machine| machine.fit() == fit);
    let turned = match fits(Fit::Turned).count() {
        0 => String::new(),
        count => format!(", {count} of them turned by 90°"),
    };
    let (all, large) = (found.machines.len(), fits(Fit::TooLarge).count());
    writeln!(out, "  fits {} of {all} machines{turned}", all - large)?;
    if large == all {
        let most = found.machines.iter().map(|machine| machine.largest_scale_percent).max().unwrap_or(0);
        writeln!(out, "  the roomiest would take it at {most} %")?;
    }
    for machine in fits(Fit::TooLarge).filter(|_| large < all) {
        writeln!(out, "  too large for {}: fits up to {} %", machine.machine, machine.largest_scale_percent)?;
    }
    let thinnest = found.machines.iter().map(|machine| machine.thin_walls_ppm).max().unwrap_or(0);
    if thinnest >= LITTLE_PPM {
        let share = f64::from(thinnest) / 1e4;
        writeln!(out, "  {share:.1} % of its walls are thinner than a nozzle: they may be left out")?;
    }
    Ok(())
}

/// Designs that are named as looking like another.
const MOST_ALIKE: usize = 5;

/// A name as it may be shown: whatever is in it, a terminal obeys none of it.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

/// What nobody needs to hear of: a square millimetre of overhang, a thousandth of the walls.
const LITTLE_UM2: u64 = 1_000_000;
const LITTLE_PPM: u32 = 1_000;

fn square_cm(um2: u64) -> f64 {
    um2 as f64 / 1e8
}

fn counted(count: u32, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The side a picture shows, as a file's name.
pub fn view(view: View) -> &'static str {
    match view {
        View::Unspecified => "unknown",
        View::Corner => "corner",
        View::Back => "back",
        View::Front => "front",
        View::Top => "top",
    }
}

fn healing(found: &wire::Healing) -> Healing {
    Healing {
        collapsed_faces: found.collapsed_faces,
        twin_faces: found.twin_faces,
        joined_corners: found.joined_corners,
        turned_faces: found.turned_faces,
        turned_shells: found.turned_shells,
        t_junctions: found.t_junctions,
        filled_holes: found.filled_holes,
        open_edges: found.open_edges,
        crowded_edges: found.crowded_edges,
        overlapping_layers: found.overlapping_sections,
    }
}

/// A license and its copies.
pub fn license(license: &License, out: &mut impl Write) -> io::Result<()> {
    let state = match license.state() {
        LicenseState::Unspecified => "of unknown state",
        LicenseState::Ready => "ready",
        LicenseState::Active => "active",
        LicenseState::Exhausted => "exhausted",
        LicenseState::Expired => "expired",
        LicenseState::Revoked => "revoked",
    };
    let counts = license.counts.unwrap_or_default();
    writeln!(
        out,
        "{}  {state}: {} granted = {} free + {} held + {} spent",
        license.license, counts.granted, counts.free, counts.held, counts.spent
    )
}

/// A job's state in a word.
pub fn job_state(job: &Job) -> &'static str {
    match job.state() {
        JobState::Unspecified => "of unknown state",
        JobState::Requested => "requested",
        JobState::Admitted => "admitted",
        JobState::Slicing => "slicing",
        JobState::Sealed => "sealed",
        JobState::Delivering => "delivering",
        JobState::Printing => "printing",
        JobState::Closed => "closed",
        JobState::Settled => "settled",
        JobState::Refused => "refused",
    }
}

/// A verified ledger entry.
pub fn entry(entry: &Entry, out: &mut impl Write) -> io::Result<()> {
    let settlement = &entry.settlement;
    let counts = settlement.counts;
    writeln!(out, "ledger entry {} of {}, verified", entry.index, entry.size)?;
    writeln!(out, "  {} of {}", settlement.job, settlement.license)?;
    writeln!(out, "  {}, the copy is {}", cause(settlement.cause), copy(settlement.copy))?;
    let (granted, free, held, spent) = (counts.granted, counts.free, counts.held, counts.spent);
    writeln!(out, "  {granted} granted = {free} free + {held} held + {spent} spent")
}

/// Why a hold was settled, in words.
pub fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Printed => "printed",
        Cause::Failed => "failed",
        Cause::Cancelled => "cancelled",
        Cause::Withdrawn => "withdrawn before any key was released",
        Cause::NotAdmitted => "never admitted",
        Cause::Overdue => "no receipt in time",
    }
}

fn copy(copy: CopyOutcome) -> &'static str {
    match copy {
        CopyOutcome::Spent => "spent",
        CopyOutcome::Returned => "free again",
    }
}

/// How long a print takes and what it uses, once the vault knows.
pub fn estimate(job: &Job) -> Option<String> {
    let estimate = job.estimate.as_ref()?;
    let time = people::span(estimate.duration_ms as f64 / 1000.0);
    Some(format!(
        "{} layers, about {time}, {:.2} m of filament",
        estimate.layers,
        estimate.filament_um as f64 / 1e6
    ))
}

#[cfg(test)]
mod tests {
    use layerlock_proto::vault::v1::Likeness;

    use super::*;

    #[test]
    fn of_many_that_look_alike_some_are_named_and_no_name_commands_a_terminal() {
        let like = |n: u8| Likeness {
            design: format!("design-{n}"),
            name: "a\u{1b}[2Jb".into(),
            ..Likeness::default()
        };
        let of = |count: u8| Design {
            name: "x\ny".into(),
            alike: (0..count).map(like).collect(),
            ..Design::default()
        };
        let shown = |count: u8| {
            let mut out = Vec::new();
            design(&of(count), &mut out).expect("memory takes it");
            String::from_utf8(out).expect("text")
        };
        let many = shown(7);
        assert_eq!(many.lines().count(), 7, "{many}");
        assert!(
            many.contains("design-4  a[2Jb") && many.contains("and like 2 more") && many.contains("xy"),
            "{many}"
        );
        assert!(!many.contains('\u{1b}') && !shown(5).contains("more of yours"));
    }
}
