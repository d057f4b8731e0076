//! What was sliced, as questions a test can ask.

use std::f64::consts::PI;
use std::num::NonZero;

use layerlock_slicer::mesh::Mesh;
use layerlock_slicer::modifiers::Modifier;
use layerlock_slicer::{SliceError, slice, slice_modified};
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile};
use layerlock_terms::toolpath::{Epilogue, Feature, Layer, Path, Piece, Point, Step};

/// A sliced part.
pub(crate) struct Print {
    pub(crate) layers: Vec<Laid>,
    pub(crate) epilogue: Epilogue,
}

/// A layer and where each of its paths began.
pub(crate) struct Laid {
    layer: Layer,
    paths: Vec<(Point, Path)>,
}

/// The standard profile with these settings changed.
pub(crate) fn profile(settings: &[(&str, &str)]) -> Profile {
    let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
    let mut profile = Profile::new(machine, Material::Pla, Preset::Standard);
    for (name, value) in settings {
        profile.set(name, value).expect("in range");
    }
    profile
}

pub(crate) fn slice_with(part: &Mesh, profile: &Profile, threads: usize) -> Result<Vec<Piece>, SliceError> {
    let mut pieces = Vec::new();
    let threads = NonZero::new(threads).expect("at least one");
    slice(part, profile, threads, &mut |piece| {
        pieces.push(piece);
        Ok(())
    })?;
    Ok(pieces)
}

pub(crate) fn slice_modified_with(
    part: &Mesh,
    modifiers: &[Modifier<'_>],
    profile: &Profile,
    threads: usize,
) -> Result<Vec<Piece>, SliceError> {
    let mut pieces = Vec::new();
    let threads = NonZero::new(threads).expect("at least one");
    slice_modified(part, modifiers, profile, threads, &mut |piece| {
        pieces.push(piece);
        Ok(())
    })?;
    Ok(pieces)
}

/// Why the part is not sliced.
pub(crate) fn refusal(part: &Mesh, settings: &[(&str, &str)]) -> SliceError {
    slice_with(part, &profile(settings), 1).expect_err("refused")
}

impl Print {
    /// How far above its layer the nozzle travels while filament is pulled back, in micrometres: each such way once. Lines
    /// are laid at the layer's own height.
    pub(crate) fn hops(&self) -> Vec<i32> {
        let (mut pulled, mut z, mut hops) = (false, 0, Vec::new());
        for (laid, step) in
            self.layers.iter().flat_map(|laid| laid.layer.steps.iter().map(move |step| (laid, step)))
        {
            let above = z - laid.layer.z.0;
            match step {
                Step::Retract { .. } | Step::Wipe { .. } => pulled = true,
                Step::Prime { .. } => pulled = false,
                Step::Lift { z: to, .. } => z = to.0,
                Step::Travel { .. } if pulled => hops.push(above),
                Step::Extrude(_) => assert_eq!(above, 0, "a line is laid above its layer"),
                _ => {}
            }
        }
        hops
    }

    /// The furthest that filament is ever pulled back, in 10⁻⁵ mm; no line is laid while it is.
    pub(crate) fn deepest_pull(&self) -> i32 {
        let (mut pulled, mut deepest) = (0, 0);
        for step in self.layers.iter().flat_map(|laid| &laid.layer.steps) {
            match step {
                Step::Retract { length, .. } | Step::Wipe { length, .. } => pulled += length.0,
                Step::Prime { length, .. } => pulled -= length.0,
                Step::Extrude(_) => assert_eq!(pulled, 0, "a line is laid with filament pulled back"),
                _ => {}
            }
            deepest = deepest.max(pulled);
        }
        deepest
    }

    pub(crate) fn of(part: &Mesh) -> Self {
        Self::with(part, &[])
    }

    pub(crate) fn with(part: &Mesh, settings: &[(&str, &str)]) -> Self {
        Self::of_pieces(&slice_with(part, &profile(settings), 1).expect("sliced"))
    }

    pub(crate) fn modified(part: &Mesh, modifiers: &[Modifier<'_>], settings: &[(&str, &str)]) -> Self {
        Self::of_pieces(&slice_modified_with(part, modifiers, &profile(settings), 1).expect("sliced"))
    }

    pub(crate) fn of_pieces(pieces: &[Piece]) -> Self {
        let mut layers = layers_of(pieces);
        let Some(Piece::Epilogue(epilogue)) = pieces.last().cloned() else { panic!("no epilogue") };
        layers.sort_by_key(|laid| laid.layer.index);
        Self { layers, epilogue }
    }

    /// How many loops of this feature each layer has.
    pub(crate) fn loops_per_layer(&self, feature: Feature) -> Vec<usize> {
        self.layers.iter().map(|laid| laid.of(feature).count()).collect()
    }

    /// Cubic millimetres of plastic in a layer.
    pub(crate) fn volume_of_layer(&self, index: usize) -> f64 {
        self.layers[index].filament() * PI / 4.0 * 1.75 * 1.75
    }

    pub(crate) fn filament_mm(&self) -> f64 {
        self.layers.iter().map(Laid::filament).sum()
    }
}

/// Whether the path is more of a wall that was begun: only its speed changes, where it hangs over.
fn goes_on((from, begun): &(Point, Path), at: Point, path: &Path) -> bool {
    let wall = matches!(path.feature, Feature::OuterPerimeter | Feature::InnerPerimeter);
    let end = begun.points.last().map(|(to, _)| *to);
    wall && (path.feature, path.climb) == (begun.feature, begun.climb)
        && end == Some(at)
        && end != Some(*from)
}

fn layers_of(pieces: &[Piece]) -> Vec<Laid> {
    let layer = |piece: &Piece| match piece {
        Piece::Layer(layer) => Some(Laid::of_layer(layer.clone())),
        _ => None,
    };
    pieces.iter().filter_map(layer).collect()
}

impl Laid {
    fn of_layer(layer: Layer) -> Self {
        let (mut at, mut paths) = (Point::default(), Vec::new());
        for step in &layer.steps {
            match step {
                Step::Travel { to, .. } => at = *to.last().expect("a travel goes somewhere"),
                Step::Extrude(path) => {
                    match paths.last_mut() {
                        Some(begun) if goes_on(begun, at, path) => begun.1.points.extend(&path.points),
                        _ => paths.push((at, path.clone())),
                    }
                    at = path.points.last().map_or(at, |(p, _)| *p);
                }
                _ => {}
            }
        }
        Self { layer, paths }
    }

    fn of(&self, feature: Feature) -> impl Iterator<Item = &(Point, Path)> {
        self.paths.iter().filter(move |(_, path)| path.feature == feature)
    }

    fn moves(&self, feature: Feature) -> impl Iterator<Item = [f64; 2]> {
        self.of(feature).flat_map(|(from, path)| {
            let mut at = *from;
            path.points.iter().map(move |(to, _)| {
                let from = std::mem::replace(&mut at, *to);
                [f64::from(to.x - from.x) / 1000.0, f64::from(to.y - from.y) / 1000.0]
            })
        })
    }

    /// Every straight line of this feature: from, to and width, in millimetres from the bed's corner.
    pub(crate) fn lines(&self, feature: Feature) -> Vec<([f64; 2], [f64; 2], f64)> {
        let millimetres = |p: Point| [f64::from(p.x) / 1000.0, f64::from(p.y) / 1000.0];
        let of_path = |(from, path): &(Point, Path)| {
            let points: Vec<_> = [*from].into_iter().chain(path.points.iter().map(|(p, _)| *p)).collect();
            let width = f64::from(path.width.0) / 1000.0;
            points.windows(2).map(|p| (millimetres(p[0]), millimetres(p[1]), width)).collect::<Vec<_>>()
        };
        self.of(feature).flat_map(of_path).collect()
    }

    /// Every path and where it begins.
    pub(crate) fn paths(&self) -> &[(Point, Path)] {
        &self.paths
    }

    /// Thickness, in micrometres.
    pub(crate) fn height(&self) -> i32 {
        self.layer.height.0
    }

    /// Where it ends, in micrometres above the bed.
    pub(crate) fn top(&self) -> i32 {
        self.layer.z.0
    }

    /// Where it begins.
    pub(crate) fn bottom(&self) -> i32 {
        self.layer.z.0 - self.layer.height.0
    }

    pub(crate) fn index(&self) -> u32 {
        self.layer.index
    }

    /// Its thickness, in millimetres.
    pub(crate) fn height_mm(&self) -> f64 {
        self.layer.height.to_mm()
    }

    /// The height of its middle, in millimetres above the bed.
    pub(crate) fn middle_mm(&self) -> f64 {
        self.layer.z.to_mm() - self.layer.height.to_mm() / 2.0
    }

    /// How many of this feature's paths are open, and how many end where they began.
    pub(crate) fn lines_and_loops(&self, feature: Feature) -> (usize, usize) {
        let closes = |(from, path): &&(Point, Path)| path.points.last().is_some_and(|(to, _)| to == from);
        let loops = self.of(feature).filter(closes).count();
        (self.of(feature).count() - loops, loops)
    }

    /// The least filament fed on any straight of a path, in its smallest unit.
    pub(crate) fn least_feed(&self) -> i32 {
        let feeds = self.paths.iter().flat_map(|(_, path)| &path.points).map(|(_, fed)| fed.0);
        feeds.min().unwrap_or_default()
    }

    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.of(feature).next().is_some()
    }

    /// Millimetres of line.
    pub(crate) fn length(&self, feature: Feature) -> f64 {
        self.moves(feature).map(|[x, y]| x.hypot(y)).sum()
    }

    /// Millimetres of line that fill solid places.
    pub(crate) fn solid_length(&self) -> f64 {
        [Feature::SolidInfill, Feature::TopSurface, Feature::BottomSurface, Feature::GapFill]
            .map(|feature| self.length(feature))
            .iter()
            .sum()
    }

    /// Millimetres of line along x, and along y.
    pub(crate) fn directions(&self, feature: Feature) -> (f64, f64) {
        self.moves(feature).fold((0.0, 0.0), |(x, y), way| {
            if way[0].abs() > way[1].abs() { (x + way[0].abs(), y) } else { (x, y + way[1].abs()) }
        })
    }

    pub(crate) fn widths(&self, feature: Feature) -> impl Iterator<Item = i32> {
        self.of(feature).map(|(_, path)| path.width.0)
    }

    /// Lowest and highest x, y that the lines' middles reach.
    pub(crate) fn extent(&self, feature: Feature) -> ([i32; 2], [i32; 2]) {
        let of_path = |(from, path): &(Point, Path)| {
            [*from].into_iter().chain(path.points.iter().map(|(p, _)| *p)).collect::<Vec<_>>()
        };
        let points = || self.of(feature).flat_map(of_path);
        let low = points().fold([i32::MAX; 2], |low, p| [low[0].min(p.x), low[1].min(p.y)]);
        let high = points().fold([i32::MIN; 2], |high, p| [high[0].max(p.x), high[1].max(p.y)]);
        (low, high)
    }

    /// Every straight move without plastic between two lines of the layer, in millimetres.
    pub(crate) fn travels(&self) -> Vec<([f64; 2], [f64; 2])> {
        let millimetres = |p: Point| [f64::from(p.x) / 1000.0, f64::from(p.y) / 1000.0];
        let (mut at, mut legs) = (None, Vec::new());
        for step in &self.layer.steps {
            match step {
                Step::Travel { to, .. } => {
                    for to in to.iter().copied().map(millimetres) {
                        legs.extend(at.replace(to).map(|from| (from, to)));
                    }
                }
                Step::Extrude(path) => at = path.points.last().map(|(p, _)| millimetres(*p)).or(at),
                Step::Wipe { to, .. } => at = to.last().copied().map(millimetres).or(at),
                _ => {}
            }
        }
        legs
    }

    /// How often the filament is pulled back, with a wipe or without.
    pub(crate) fn retractions(&self) -> usize {
        let steps = &self.layer.steps;
        let pulls = |at: usize| matches!(steps[at], Step::Retract { .. } | Step::Wipe { .. });
        (0..steps.len()).filter(|at| pulls(*at) && !at.checked_sub(1).is_some_and(pulls)).count()
    }

    fn filament(&self) -> f64 {
        self.paths
            .iter()
            .flat_map(|(_, path)| &path.points)
            .map(|(_, fed)| f64::from(fed.0) / 100_000.0)
            .sum()
    }
}
