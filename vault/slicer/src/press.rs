//! The whole of slicing in one function: stages in order, layers leaving as soon as they are done.
//!
//! Layers are worked on in batches, each layer by one worker; what a layer needs of its neighbours is cut one
//! batch ahead and dropped when the last layer that needs it has left. Supports alone need all outlines at
//! once: only where they are asked for does the first layer wait for the last cut. Nothing depends on which
//! worker was first, so the pieces are the same for any number of them.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use layerlock_terms::profile::{Engine, Key, Profile, Support};
use layerlock_terms::toolpath::{Epilogue, Feature, Layer, Piece, Point, Point3, Prologue, Step, Times};
use layerlock_terms::units::{Micrometres, Millis};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{SinkClosed, SliceError};
use crate::estimate::{Pace, Spent, approach};
use crate::filling;
use crate::flow::Flow;
use crate::geometry::Region;
use crate::heal::{Healed, Healing, heal, overlaps};
use crate::layers::{Schedule, Slab, contours};
use crate::mesh::Mesh;
use crate::modifiers::{Lists, Modifier, Requested, Shaper, Sweeps};
use crate::moves::{Ground, lay_out};
use crate::order::{Seams, arrange};
use crate::perimeters::{self, Walls};
use crate::place::{Extent, Frame, Placed, Turn, check};
use crate::plate::Plate;
use crate::raft::Raft;
use crate::regions::{Compensation, Tangled, unite};
use crate::skirt;
use crate::supports::{self, Plan, Stand};
use crate::surfaces::{Neighbours, divide};
use crate::trace::Trace;
use crate::vase::Spiral;

/// Layers a worker gets in each batch.
const BATCH: u32 = 4;

/// Layers cut at once for the supports.
const CUT_AT_ONCE: u32 = 64;

/// What slicing found, beside the toolpath.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// What the last piece said.
    pub epilogue: Epilogue,
    /// What was wrong with the mesh and the modifying ones, and what was done about it.
    pub healing: Healing,
}

/// Slices `mesh` as `profile` says and hands each piece to `sink` in order: a prologue, layers, an epilogue.
///
/// A layer is handed over as soon as the layers that shape its solid surfaces are cut; `threads` workers cut
/// ahead, and the pieces are the same for any number of them. A mesh that is given away is not copied.
///
/// # Errors
/// [`SliceError`] says what is wrong and how to mend it; pieces handed over before stay valid but incomplete.
pub fn slice<'a>(
    mesh: impl Into<Cow<'a, Mesh>>,
    profile: &Profile,
    threads: NonZeroUsize,
    sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>,
) -> Result<Summary, SliceError> {
    slice_modified(mesh, &[], profile, threads, sink)
}

/// Slices `mesh` with `modifiers` applied to it, layer by layer.
///
/// # Errors
/// As [`slice()`]; a modifier is named where it is the one that is wrong.
pub fn slice_modified<'a>(
    mesh: impl Into<Cow<'a, Mesh>>,
    modifiers: &[Modifier<'_>],
    profile: &Profile,
    threads: NonZeroUsize,
    sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>,
) -> Result<Summary, SliceError> {
    let mesh = mesh.into();
    check(&mesh)?;
    if profile.engine() != Engine::Layerlock {
        return Err(SliceError::AnotherEngine(profile.engine()));
    }
    let threads = threads.get();
    let pool =
        ThreadPoolBuilder::new().num_threads(threads).build().map_err(|_| SliceError::Threads { threads })?;
    let turn = Turn::of(profile);
    // Turned first: which side is the underside is for the profile to say.
    let turned = turn.apply(mesh);
    let Healed { mesh, report } = pool.install(|| heal(turned));
    if mesh.triangles.is_empty() {
        return Err(SliceError::Empty);
    }
    Spiral::asked(profile)?;
    Schedule::check(profile)?;
    let turned_others = Modifier::turned(modifiers, &turn)?;
    let others: Vec<Healed<'_>> = pool.install(|| turned_others.into_iter().map(heal).collect());
    let modifiers: Vec<Modifier<'_>> =
        modifiers.iter().zip(&others).map(|(modifier, other)| modifier.with(&other.mesh)).collect();
    let requested = Requested::new(&mesh, &modifiers, profile)?;
    let mut extent = Extent::new(profile);
    extent.cover_mesh(&mesh);
    requested.widen(&mut extent);
    let frame = Frame::new(&extent, profile)?;
    let plate = Frame::plate(&extent, profile)?;
    let (part, shaper) = (frame.place(mesh), requested.placed(&frame));
    let schedule = Schedule::of(&shaper.bodies(&part), profile);
    if schedule.count() == 0 {
        return Err(SliceError::NothingPrintable { nozzle: profile.machine().nozzle });
    }
    let sparse = filling::Sparse::new(&part, Slab::usual(profile), profile);
    let press = Press {
        part: &part,
        shaper: &shaper,
        plate,
        profile,
        schedule,
        sparse,
        raft: Raft::of(profile),
        pool,
        overlapping: AtomicU32::new(0),
    };
    let epilogue = press.run(sink)?;
    let overlapping_layers = press.overlapping.into_inner() / press.plate.rounds();
    let report = others.iter().fold(report, |all, other| all.and(other.report));
    Ok(Summary { epilogue, healing: Healing { overlapping_layers, ..report } })
}

/// The part as it would be sliced, mended and in its place on the profile's machine: what another engine is given.
///
/// # Errors
/// As [`slice()`], before its first layer.
pub fn place_part(mesh: &Mesh, profile: &Profile) -> Result<Mesh, SliceError> {
    check(mesh)?;
    let Healed { mesh, .. } = heal(Turn::of(profile).apply(Cow::Borrowed(mesh)));
    if mesh.triangles.is_empty() {
        return Err(SliceError::Empty);
    }
    let mut extent = Extent::new(profile);
    extent.cover_mesh(&mesh);
    let placed = Frame::new(&extent, profile)?.place(&*mesh);
    let vertices = placed.vertices.iter().map(|corner| corner.map(|um| um as f32 / 1000.0)).collect();
    Ok(Mesh { vertices, triangles: placed.triangles.into_owned() })
}

/// What every stage reads.
struct Press<'a> {
    part: &'a Placed<'a>,
    shaper: &'a Shaper<'a>,
    plate: Plate,
    profile: &'a Profile,
    schedule: Schedule,
    sparse: filling::Sparse,
    raft: Raft,
    pool: ThreadPool,
    /// Layers whose contours wound around some place twice. A sum, so the order of workers does not show in it.
    overlapping: AtomicU32,
}

impl Press<'_> {
    fn run(&self, sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>) -> Result<Epilogue, SliceError> {
        let rounds = self.plate.rounds();
        let mut total = Total::default();
        for round in 0..rounds {
            self.round(round, &mut total, sink)?;
        }
        let epilogue = total.epilogue(self.per_round() * rounds, self.profile);
        sink(Piece::Epilogue(epilogue))?;
        Ok(epilogue)
    }

    /// Layers of each round.
    fn per_round(&self) -> u32 {
        self.raft.count() + self.schedule.count()
    }

    /// All layers of all parts, or of the next part where they are printed one after the other.
    fn round(
        &self,
        round: u32,
        total: &mut Total,
        sink: &mut dyn FnMut(Piece) -> Result<(), SinkClosed>,
    ) -> Result<(), SliceError> {
        let count = self.schedule.count();
        let batch = BATCH * self.pool.current_num_threads() as u32;
        let mut spiral = Spiral::asked(self.profile)?;
        let mut window = Window::new(self)?;
        let mut seams = Seams::default();
        let pace = Pace::of(self.profile);
        for from in (0..count).step_by(batch as usize) {
            let to = (from + batch).min(count);
            window.reach(self, to)?;
            let flat = spiral.as_ref().map_or(to, |spiral| spiral.begins().clamp(from, to));
            let mut done = self.finish(&window, &mut seams, from..flat);
            if let Some(spiral) = &mut spiral {
                self.wind(spiral, &window, flat..to, &mut done)?;
            }
            if from == 0 && round == 0 {
                self.refuse_floating(&done)?;
                sink(Piece::Prologue(self.prologue()))?;
            }
            let raft = if from == 0 { self.lay_raft(&window) } else { Vec::new() };
            for (layer, spent) in raft.into_iter().chain(done) {
                let (layer, spent) = self.plate.lay(layer, spent, round, self.profile);
                let layer = Layer { index: round * self.per_round() + layer.index, ..layer };
                total.add(&layer, &spent, &pace);
                sink(Piece::Layer(layer))?;
            }
            window.drop_below(to);
        }
        Ok(())
    }

    /// Cut and unite one layer.
    fn outline(&self, slab: Slab, lists: &Lists) -> Result<Region, SliceError> {
        let tangled = |Tangled| SliceError::Tangled { z: Micrometres(slab.top) };
        let outline = self.cut(slab, slab.plane(), lists).map_err(tangled)?;
        if slab.index > 0 || self.is_printable(slab, &outline) {
            return Ok(outline);
        }
        // A foot too ragged to be printed at its mid-height is cut at its top instead, or else in the middle of the
        // layer above, so that the part stands on the bed and not a layer above it.
        let all = self.shaper.all(self.part);
        let next = (self.schedule.count() > 1).then(|| self.schedule.slab(1).plane());
        let higher = [Some((2 * i64::from(slab.top)) | 1), next].into_iter().flatten();
        let cut = |plane| self.cut(slab, plane, &all).ok();
        Ok(higher.filter_map(cut).find(|foot| self.is_printable(slab, foot)).unwrap_or(outline))
    }

    fn is_printable(&self, slab: Slab, outline: &Region) -> bool {
        !self.wall(slab, outline.clone()).traces.is_empty()
    }

    fn cut(&self, slab: Slab, plane: i64, lists: &Lists) -> Result<Region, Tangled> {
        let contours = contours(self.part, plane, lists.part.iter().copied());
        let outline = unite(&contours)?;
        self.overlapping.fetch_add(u32::from(overlaps(&contours, outline.area())), Ordering::Relaxed);
        // On a raft no layer is pressed onto the bed.
        let index = slab.index + self.raft.count();
        Ok(Compensation::of(index, self.profile).apply(self.shaper.shape(outline, plane, lists)?))
    }

    fn wall(&self, slab: Slab, outline: Region) -> Walls {
        perimeters::build(outline, &Flow::on(slab, self.profile), self.profile)
    }

    /// Fills, orders and lays out these layers; the seams go from each to the next.
    fn finish(&self, window: &Window<'_>, seams: &mut Seams, layers: Range<u32>) -> Vec<(Layer, Spent)> {
        let draw = || layers.clone().into_par_iter().map(|index| self.draw(window, index)).collect();
        let mut drawn: Vec<Vec<Trace>> = self.pool.install(draw);
        for (traces, index) in drawn.iter_mut().zip(layers.clone()) {
            seams.place(traces, index, self.profile);
        }
        let lay = |(traces, index)| self.lay(window, index, traces);
        self.pool.install(|| drawn.into_par_iter().zip(layers).map(lay).collect())
    }

    /// Winds a spiral's turns, each from where the one before it ended.
    fn wind(
        &self,
        spiral: &mut Spiral<'_>,
        window: &Window<'_>,
        turns: Range<u32>,
        done: &mut Vec<(Layer, Spent)>,
    ) -> Result<(), SliceError> {
        for index in turns {
            let outline = window.outline(index).expect("the window reaches the layer");
            let slab = self.raft.lifted(self.schedule.slab(index));
            done.push(spiral.turn(outline, window.outline(index + 1), slab)?);
        }
        Ok(())
    }

    /// Every line of a layer, in no order.
    fn draw(&self, window: &Window<'_>, index: u32) -> Vec<Trace> {
        let slab = self.schedule.slab(index);
        let flow = Flow::on(slab, self.profile);
        let walls = window.walls(index).expect("the window reaches the layer");
        let tops = self.schedule.above(index, self.profile.count(Key::TopLayers));
        let bottoms = self.schedule.below(index, self.profile.count(Key::BottomLayers));
        let above: Vec<&Region> =
            (index + 1..=index + tops.max(1)).map_while(|at| window.outline(at)).collect();
        let below: Vec<&Region> =
            (0..index).rev().take(bottoms.max(1) as usize).map_while(|at| window.outline(at)).collect();
        let neighbours = Neighbours { own: &walls.outline, above: &above, below: &below, tops, bottoms };
        let surfaces = divide(&walls.inside, index, neighbours, &flow, self.profile);
        let mut traces = walls.traces.clone();
        traces.extend(filling::trace(&surfaces, &self.sparse, slab, &flow, self.profile));
        let stand = window.stand(index);
        traces.extend(supports::trace(&stand, slab, &flow, self.profile));
        if index == 0 && self.raft.is_absent() {
            let all = Region::united(&[&walls.outline, &stand.column]);
            traces.extend(skirt::trace(&all, &flow, self.profile));
        }
        traces.retain(|trace| trace.points.len() > 1);
        traces
    }

    /// Puts a layer's lines in order and moves between them.
    fn lay(&self, window: &Window<'_>, index: u32, traces: Vec<Trace>) -> (Layer, Spent) {
        let walls = window.walls(index).expect("the window reaches the layer");
        let stand = window.stand(index);
        let below = index.checked_sub(1).and_then(|below| window.outline(below));
        let ground = Ground { outline: &walls.outline, below };
        let arranged = arrange(traces, &walls.outline, &stand.column, self.profile);
        lay_out(&arranged, ground, self.raft.lifted(self.schedule.slab(index)), self.profile)
    }

    /// The layers under the part's first.
    fn lay_raft(&self, window: &Window<'_>) -> Vec<(Layer, Spent)> {
        if self.raft.is_absent() {
            return Vec::new();
        }
        let carried = Region::united(&[
            &window.walls(0).expect("the window begins at the bed").outline,
            &window.stand(0).column,
        ]);
        let area = self.raft.area(&carried);
        let lay = |slab: &Slab| {
            let mut traces = self.raft.trace(&area, *slab, self.profile);
            if slab.index == 0 {
                traces.extend(skirt::trace(&area, &Flow::on(*slab, self.profile), self.profile));
            }
            traces.retain(|trace| trace.points.len() > 1);
            let arranged = arrange(traces, &area, &area, self.profile);
            lay_out(&arranged, Ground { outline: &area, below: None }, *slab, self.profile)
        };
        self.raft.slabs().iter().map(lay).collect()
    }

    /// Refuses a part of which the first layer would be lost: everything above it would be laid on air.
    fn refuse_floating(&self, done: &[(Layer, Spent)]) -> Result<(), SliceError> {
        let drawn = |layer: &Layer| layer.steps.iter().any(|step| matches!(step, Step::Extrude(_)));
        match done.first() {
            Some((layer, _)) if !drawn(layer) => Err(SliceError::NoFirstLayer { missing: layer.height }),
            _ => Ok(()),
        }
    }

    fn prologue(&self) -> Prologue {
        Prologue {
            machine: self.profile.machine().name.to_owned(),
            nozzle: self.profile.celsius(Key::FirstNozzleTemperature),
            bed: self.profile.celsius(Key::FirstBedTemperature),
            filament_diameter: self.profile.machine().filament,
        }
    }
}

/// Where the window's outlines come from.
enum Source<'a> {
    /// Cut as the window reaches them.
    Sweep(Sweeps<'a>),
    /// Cut before, for the supports.
    Plan(Plan),
}

impl<'a> Source<'a> {
    fn new(press: &Press<'a>) -> Result<Self, SliceError> {
        let mut sweep = press.shaper.sweeps(press.part, &press.schedule);
        if press.profile.support() == Support::Off {
            return Ok(Self::Sweep(sweep));
        }
        let count = press.schedule.count();
        let outlines: Vec<Result<Region, SliceError>> = press.pool.install(|| {
            let mut outlines = Vec::with_capacity(count as usize);
            for from in (0..count).step_by(CUT_AT_ONCE as usize) {
                let lists = sweep.batch(from, (from + CUT_AT_ONCE).min(count));
                let cut = |(at, lists): (usize, &Lists)| {
                    press.outline(press.schedule.slab(from + at as u32), lists)
                };
                outlines.par_extend(lists.par_iter().enumerate().map(cut));
            }
            outlines
        });
        let outlines = outlines.into_iter().collect::<Result<_, _>>()?;
        Ok(Self::Plan(press.pool.install(|| Plan::new(outlines, &press.schedule, press.profile))))
    }

    /// Walls layers `from..to`.
    fn wall(&mut self, press: &Press<'a>, from: u32, to: u32) -> Result<Vec<Walls>, SliceError> {
        let slab = |at: usize| press.schedule.slab(from + at as u32);
        match self {
            Self::Sweep(sweep) => {
                let lists = sweep.batch(from, to);
                let wall =
                    |(at, list): (usize, &Lists)| Ok(press.wall(slab(at), press.outline(slab(at), list)?));
                // All of them before the first error is picked, so that it is the lowest layer's.
                let walls: Vec<Result<Walls, SliceError>> =
                    press.pool.install(|| lists.par_iter().enumerate().map(wall).collect());
                walls.into_iter().collect()
            }
            Self::Plan(plan) => {
                let outlines = plan.take_outlines(from..to);
                let wall = |(at, outline)| press.wall(slab(at), outline);
                Ok(press.pool.install(|| outlines.into_par_iter().enumerate().map(wall).collect()))
            }
        }
    }
}

/// The walled layers that are still needed, in order.
struct Window<'a> {
    source: Source<'a>,
    first: u32,
    walls: VecDeque<Walls>,
    ahead: u32,
    behind: u32,
}

impl<'a> Window<'a> {
    fn new(press: &Press<'a>) -> Result<Self, SliceError> {
        Ok(Self {
            source: Source::new(press)?,
            first: 0,
            walls: VecDeque::new(),
            ahead: press.schedule.furthest(press.profile.count(Key::TopLayers)).max(1),
            behind: press.schedule.furthest(press.profile.count(Key::BottomLayers)).max(1),
        })
    }

    /// Walls layers until those below `to` have all their upper neighbours.
    fn reach(&mut self, press: &Press<'a>, to: u32) -> Result<(), SliceError> {
        let from = self.first + self.walls.len() as u32;
        let to = (to + self.ahead).min(press.schedule.count());
        if from < to {
            self.walls.extend(self.source.wall(press, from, to)?);
        }
        Ok(())
    }

    /// Drops what no layer from `next` on needs.
    fn drop_below(&mut self, next: u32) {
        while self.first + self.behind < next && !self.walls.is_empty() {
            self.walls.pop_front();
            self.first += 1;
        }
        if let Source::Plan(plan) = &mut self.source {
            plan.drop_below(next);
        }
    }

    /// What a layer has of the supports.
    fn stand(&self, index: u32) -> Stand {
        match &self.source {
            Source::Sweep(_) => Stand::default(),
            Source::Plan(plan) => plan.stand(index),
        }
    }

    fn walls(&self, index: u32) -> Option<&Walls> {
        self.walls.get(index.checked_sub(self.first)? as usize)
    }

    fn outline(&self, index: u32) -> Option<&Region> {
        Some(&self.walls(index)?.outline)
    }
}

/// What is summed over all layers.
pub(crate) struct Total {
    spent: Spent,
    /// Where the last layer ended.
    ended: Option<Point>,
    filament: i64,
    min: Point3,
    max: Point3,
}

impl Default for Total {
    fn default() -> Self {
        let corner = |c| Point3 { x: c, y: c, z: c };
        Self {
            spent: Spent::default(),
            ended: None,
            filament: 0,
            min: corner(i32::MAX),
            max: corner(i32::MIN),
        }
    }
}

impl Total {
    pub(crate) fn add(&mut self, layer: &Layer, spent: &Spent, pace: &Pace) {
        self.spent.add(spent);
        if let Some(from) = self.ended {
            self.spent.add_between(approach(from, &layer.steps, pace));
        }
        let mut at = None;
        for step in &layer.steps {
            match step {
                Step::Travel { to, .. } | Step::Wipe { to, .. } => at = to.last().copied().or(at),
                Step::Extrude(path) => {
                    for (to, fed) in &path.points {
                        self.filament += i64::from(fed.0);
                        for p in [Some(*to), at].into_iter().flatten() {
                            self.cover(p.x, p.y, layer.z);
                        }
                        at = Some(*to);
                    }
                }
                _ => {}
            }
        }
        self.ended = at.or(self.ended);
    }

    fn cover(&mut self, x: i32, y: i32, z: Micrometres) {
        self.min = Point3 { x: self.min.x.min(x), y: self.min.y.min(y), z: self.min.z.min(z.0) };
        self.max = Point3 { x: self.max.x.max(x), y: self.max.y.max(y), z: self.max.z.max(z.0) };
    }

    pub(crate) fn epilogue(&self, layers: u32, profile: &Profile) -> Epilogue {
        let millis = |seconds: f64| Millis((seconds * 1000.0).round() as u64);
        let mut times = Times::default();
        for feature in Feature::ALL {
            times.set(feature, millis(self.spent.on(feature)));
        }
        let filament_um = (self.filament / 100).unsigned_abs();
        Epilogue {
            layers,
            duration: millis(self.spent.all()),
            filament_um,
            mass: profile.mass(filament_um),
            min: self.min,
            max: self.max,
            times,
        }
    }
}
